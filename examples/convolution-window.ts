// The textbook's convolution: 5×5×3 image, padding 1, two 3×3×3 kernels, stride 2. The first window, channel by channel.

import { conv, tensor } from "kasane";

// One image, three channels, as [batch, channel, row, column]; the first window sees rows and columns 0 and 1 and the padding.
const image = tensor([
  [
    [
      [0, 1, 1, 0, 1],
      [2, 0, 2, 1, 0],
      [0, 1, 1, 2, 0],
      [2, 0, 0, 1, 1],
      [1, 1, 0, 2, 0],
    ],
    [
      [1, 1, 0, 2, 0],
      [0, 2, 1, 0, 1],
      [2, 0, 1, 1, 0],
      [1, 0, 2, 0, 1],
      [0, 1, 0, 1, 2],
    ],
    [
      [2, 0, 1, 1, 0],
      [1, 1, 0, 2, 2],
      [0, 2, 1, 0, 1],
      [1, 0, 2, 1, 0],
      [0, 1, 1, 0, 2],
    ],
  ],
]);
const kernels = tensor([
  [
    [
      [1, 1, -1],
      [0, -1, 0],
      [1, -1, -1],
    ],
    [
      [0, 1, 0],
      [-1, 1, -1],
      [1, 0, 0],
    ],
    [
      [1, -1, 0],
      [0, 0, 1],
      [-1, 0, 1],
    ],
  ],
  [
    [
      [0, 1, 0],
      [1, -1, 1],
      [0, 1, 0],
    ],
    [
      [1, 0, 1],
      [0, 0, 0],
      [-1, 0, 1],
    ],
    [
      [0, 0, 1],
      [1, 1, -1],
      [0, -1, 0],
    ],
  ],
]);
const bias = tensor([1, 0]);

const options = { stride: 2, padding: 1 };
const sums = [0, 1, 2].map((channel) => {
  const one = conv(image.slice(null, [channel, channel + 1]), kernels.slice(null, [channel, channel + 1]), undefined, options);
  return one.slice(0, 0, 0, 0).item();
});
const result = conv(image, kernels, bias, options);
console.log(`sums of the first window over the channels: ${sums.join(", ")}`);
console.log(`with bias 1 the first output is ${sums.join(" + ")} + 1 = ${result.slice(0, 0, 0, 0).item()}`.replace("+ -", "- "));
const [, count, height, width] = result.shape;
console.log(`5×5×3 becomes ${height}×${width}×${count}`);
