// Inputs of the workloads as tensors.

import { type Shape, type Tensor, tensor } from "kasane";
import { labelNumbers, uniformNumbers } from "./hash.ts";

/** Numbers in offset ± bound. */
export function uniform<const S extends Shape>(seed: number, shape: S, bound = 1, offset = 0): Tensor<S> {
  return tensor(uniformNumbers(seed, shape, bound, offset), shape);
}

export function labels(seed: number, count: number, classes: number): Tensor {
  return tensor(labelNumbers(seed, count, classes), [count]);
}
