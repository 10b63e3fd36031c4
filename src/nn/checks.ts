// Checks of arguments that several layers share, and small helpers over shapes.

import { isTensor, valueOf } from "../tensor/tensor.ts";
import { requireElements } from "../tensor/trace/trace.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import type { Settings } from "./call.ts";

/** Names of the spatial dimensions, by how many there are. */
export const SPATIAL = ["", "length", "height, width", "depth, height, width"];

/** A positive integer, or an error that names the layer and the argument. */
export function checkCount(kind: string, what: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw new InputError(`${kind}: ${what} must be a positive integer, got ${value}`);
}

/** By what all of the counts can be divided. */
export function divisors(...counts: readonly number[]): number[] {
  const least = Math.min(...counts);
  return Array.from({ length: least }, (_, n) => n + 1).filter((divisor) => counts.every((count) => count % divisor === 0));
}

/** @throws ShapeError unless x has one of the ranks, e.g. "[batch, channels, length]" */
export function checkRank(kind: string, x: Tensor, ranks: readonly number[], expected: string): void {
  const { rank, shape } = valueOf(x, kind);
  if (!ranks.includes(rank)) throw new ShapeError(`${kind}: expected ${expected}, got shape ${shapeText(shape)}`);
}

/** @throws ShapeError unless x has this extent along the axis; the same sentence as the layer's type */
export function checkFeatures(kind: string, what: string, x: Tensor, axis: number, expected: number): void {
  const { shape } = valueOf(x, kind);
  if (shape[axis] === expected) return;
  throw new ShapeError(`${kind}: expected ${expected} ${what}, got ${shape[axis] ?? "a single number"}: x is ${shapeText(shape)}`);
}

/** `sequential(…, flatten, …)` and nn's `elu(x)` look right and are not: they make a layer of a tensor. */
export function refuseTensor(kind: string, value: unknown): void {
  if (isTensor(value))
    throw new InputError(`${kind}: makes a layer, but got a tensor`, {
      hint: `write ${kind}() among the layers${AT_ONCE[kind] ?? `, or import the function ${kind} from "kasane"`}`,
    });
}

/** How the same is done to a tensor at once, where it is no function of the same name. */
const AT_ONCE: Readonly<Record<string, string>> = {
  flatten: ", or call x.flatten()",
  reshape: ", or call x.reshape([…])",
  unflatten: ", or call x.reshape([…])",
  dropout1d: "",
  dropout2d: "",
  dropout3d: "",
};

/** The options among the keys that the caller gave. */
export function given(options: object, keys: readonly string[]): Settings {
  const found = Object.entries(options).filter(([key, value]) => keys.includes(key) && value !== undefined);
  return Object.fromEntries(found) as Settings;
}

export function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Class numbers or ids that came as floats. @throws InputError at the first that is not whole */
export function wholeNumbers(name: string, ids: Tensor): Tensor {
  requireElements(
    valueOf(ids, name),
    { whole: true },
    (value, at) => new InputError(`${name}: expected whole numbers, got ${value} at position ${at}`),
  );
  return ids.detach().to("int32");
}
