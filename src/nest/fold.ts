// What can be computed of a formula before it runs: calls of constants, and products with 1.

import { FUNCTIONS } from "./functions.ts";
import type { Scalar } from "./nest.ts";

/**
 * The call, or what it comes to.
 * @param round what the machine does to every float; left out: as the reference, which rounds where values are stored
 */
export function foldCall(node: Scalar, round: (value: number) => number = (value) => value): Scalar {
  if (node.kind !== "call") return node;
  const [first, second] = node.args as readonly [Scalar, Scalar?];
  if (node.type === "float" && node.fn === "mul" && isOne(first) && second !== undefined) return second;
  if (node.type === "float" && (node.fn === "mul" || node.fn === "div") && isOne(second)) return first;
  const values = node.args.map((arg) => (arg.kind === "constant" ? arg.value : undefined));
  if (values.includes(undefined)) return node;
  const [a = 0, b = 0, c = 0, d = 0] = values;
  const value = FUNCTIONS[node.fn].evaluate(a, b, c, d);
  if (node.type === "float") return { kind: "constant", value: round(value), type: "float" };
  if (node.type === "bool") return { kind: "constant", value: Number(value !== 0), type: "bool" };
  // Integer products and casts may wrap: only what is exact is folded.
  return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? { kind: "constant", value, type: "int" } : node;
}

const isOne = (scalar: Scalar | undefined): boolean => scalar?.kind === "constant" && scalar.value === 1;
