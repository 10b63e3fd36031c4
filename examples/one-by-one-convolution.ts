// A 1×1 convolution is the same linear layer at every pixel.

import { conv, linear, manualSeed, normal } from "kasane";

manualSeed(1);
const image = normal([1, 3, 4, 4]);
const weight = normal([2, 3]);
const byConvolution = conv(image, weight.reshape([2, 3, 1, 1]));
const byLinear = linear(image.transpose([0, 2, 3, 1]), weight).transpose([0, 3, 1, 2]);
const difference = byConvolution.sub(byLinear).abs().max().item();
console.log(`shape ${byConvolution.shape.join("×")}, largest difference ${difference < 1e-6 ? "below 0.000001" : difference}`);
