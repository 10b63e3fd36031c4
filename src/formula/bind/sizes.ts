// Evaluates integer attributes and expressions of them.

import { LARGEST_INT } from "../../nest/addressable.ts";
import { FormulaError, InputError } from "../../util/errors.ts";
import type { Expression } from "../ast.ts";
import type { Binding } from "./binding.ts";

/** @throws FormulaError when the attribute is not given; InputError when it is no int32 */
export function sizeNamed(name: string, binding: Binding): number {
  const value = binding.sizes?.[name];
  if (value === undefined)
    throw new FormulaError(`${binding.name}: the formula needs the size '${name}'`, {
      hint: `give it among the attributes: op.with({ attributes: { ${name}: 3 } })(…)`,
    });
  return integerOf(value, name, binding);
}

/** @throws InputError naming what is no int32 */
export function integerOf(value: number, what: string, binding: Binding): number {
  if (!Number.isInteger(value)) throw new InputError(`${binding.name}: ${what} must be an integer, got ${value}`);
  if (Math.abs(value) > LARGEST_INT)
    throw new InputError(`${binding.name}: ${what} must be an integer from ${-LARGEST_INT} to ${LARGEST_INT}, got ${value}`);
  return value;
}

/** A sum or product of integers. @throws InputError where doubles no longer hold it exactly */
export function exactly(value: number, binding: Binding): number {
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
  throw new InputError(`${binding.name}: an index or extent must be made of integers from ${-LARGEST_INT} to ${LARGEST_INT}, got ${value}`);
}

/** The value of an expression of integer attributes. */
export function sizeOf(expression: Expression, binding: Binding): number {
  const value = (node: Expression): number => {
    if (node.kind === "number") return node.value;
    if (node.kind === "name") return sizeNamed(node.name, binding);
    if (node.kind === "call") {
      const [a = 0, b = 0] = node.args.map(value);
      switch (node.fn) {
        case "add":
          return exactly(a + b, binding);
        case "sub":
          return exactly(a - b, binding);
        case "mul":
          return exactly(a * b, binding);
        case "neg":
          return -a;
        case "div":
          return Math.floor(a / b);
        default:
      }
    }
    throw new FormulaError(`${binding.name}: an extent may use integers, sizes and + - * / only`);
  };
  return value(expression);
}
