// Constant folding: numbers known at tracing (the 2 of x.mul(2)) enter the formulas that load them.

import { FUNCTIONS } from "../nest/functions.ts";
import type { Load, Nest, Operand, Scalar } from "../nest/nest.ts";
import { dropUnreadOperands, mapExpressions, transformScalar } from "../nest/step-graph.ts";
import type { Pass } from "./facts.ts";

/** Buffers of one element with a known number: given by the tracer. */
export const foldConstants: Pass = (graph) => {
  const constants = new Map(graph.constants);
  const steps = graph.steps.map((step) => {
    const fold = (node: Scalar): Scalar => {
      const value = node.kind === "load" ? constants.get(step.reads[node.operand] as number) : undefined;
      return node.kind === "load" && value !== undefined ? known(node, value, step.nest) : foldCall(node);
    };
    const nest = mapExpressions(step.nest, (expression) => transformScalar(expression, fold));
    return { ...step, ...dropUnreadOperands(nest, step.reads) };
  });
  return { ...graph, steps };
};

/** A load of a known number: outside its buffer (padding, the gradient of a slice) it stays the load's fill. */
function known({ index, operand, fill, type }: Load, value: number, nest: Nest): Scalar {
  const constant: Scalar = { kind: "constant", value, type };
  if (!index.some((item) => item.kind === "indirect" || item.checked)) return constant;
  const inside: Scalar = { kind: "inside", index, extents: (nest.operands[operand] as Operand).shape, type: "bool" };
  return { kind: "call", fn: "select", args: [inside, constant, { kind: "constant", value: fill, type }], type };
}

/** A float call of constants is a constant, rounded as the machine would; what is multiplied or divided by 1 stays as it is. */
export function foldCall(node: Scalar): Scalar {
  if (node.kind !== "call" || node.type !== "float" || node.fn === "uniform") return node;
  const [first, second] = node.args as readonly [Scalar, Scalar?];
  if (node.fn === "mul" && isOne(first) && second !== undefined) return second;
  if ((node.fn === "mul" || node.fn === "div") && isOne(second)) return first;
  const values = node.args.map((arg) => (arg.kind === "constant" ? arg.value : Number.NaN));
  if (!values.every(Number.isFinite)) return node;
  const [a = 0, b = 0, c = 0, d = 0] = values;
  const value = FUNCTIONS[node.fn].evaluate(a, b, c, d);
  return Number.isFinite(value) ? { kind: "constant", value, type: "float" } : node;
}

const isOne = (scalar: Scalar | undefined): boolean => scalar?.kind === "constant" && scalar.value === 1;
