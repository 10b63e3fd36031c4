// The identity of each reduction: the result of an empty one, and the value of a read outside of a tensor.

import type { Reducer, ScalarType } from "./nest.ts";

const IDENTITY: Readonly<Record<Reducer, readonly [float: number, int: number]>> = {
  sum: [0, 0],
  prod: [1, 1],
  max: [Number.NEGATIVE_INFINITY, -2147483648],
  min: [Number.POSITIVE_INFINITY, 2147483647],
  argmax: [Number.NEGATIVE_INFINITY, -2147483648],
  argmin: [Number.POSITIVE_INFINITY, 2147483647],
};

/** The value an empty reduction gives, and what an invalid read inside it counts as. */
export function identityOf(reducer: Reducer, type: ScalarType): number {
  return IDENTITY[reducer][type === "float" ? 0 : 1];
}
