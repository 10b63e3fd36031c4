// Pooling 2×2 with stride 2 halves height and width: 224×224×64 becomes 112×112×64.

import { averagePool, maxPool, tensor, zeros } from "kasane";

const [, channels, height, width] = maxPool(zeros([1, 64, 224, 224]), 2).shape;
console.log(`224×224×64 becomes ${height}×${width}×${channels}`);

const corner = tensor([
  [
    [
      [1, 3],
      [5, 7],
    ],
  ],
]);
console.log(`of 1, 3, 5, 7 the largest is ${maxPool(corner, 2).item()}, the average ${averagePool(corner, 2).item()}`);
