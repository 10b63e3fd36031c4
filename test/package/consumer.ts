// A TypeScript program of somebody who installed the package: type-checked by scripts/check-package.mjs inside an empty project.

import type { Tensor } from "kasane";
import { linear, relu, tensor } from "kasane";

const weights = tensor([
  [3, 1, 2],
  [-2, -3, -1],
]);

export function forward(x: Tensor): Tensor {
  return relu(linear(x, weights));
}

export const value: number = forward(tensor([[2, 3, 1]]))
  .sum()
  .item();

// @ts-expect-error a tensor is not made of text
tensor("text");
