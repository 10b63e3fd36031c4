// Shapes through layers as types: what must compile, and what must not, with the sentence the compiler prints (checked by sentences.test.ts).

import { type Tensor, zeros } from "kasane";
import {
  averagePool2d,
  batchNorm,
  conv1d,
  conv2d,
  crossEntropy,
  dropout,
  embedding,
  flatten,
  gelu,
  globalAveragePool,
  type Layer,
  layer,
  layerNorm,
  linear,
  maxPool2d,
  meanSquaredError,
  relu,
  sequential,
  sigmoid,
} from "kasane/nn";

declare const images: Tensor<readonly [32, 1, 28, 28]>;
declare const unknown: Tensor;
declare const count: number;

// One layer.
export const hidden: Tensor<readonly [5, 128]> = linear(784, 128)(zeros([5, 784]));
export const words: Tensor<readonly [2, 7, 16]> = embedding(1000, 16)(zeros([2, 7]));
export const kept: Tensor<readonly [32, 8, 28, 28]> = conv2d(1, 8, 3, { padding: 1 })(images);
export const halved: Tensor<readonly [32, 8, 14, 14]> = conv2d(1, 8, 3, { padding: 1, stride: 2 })(images);
export const same: Tensor<readonly [32, 8, 28, 28]> = conv2d(1, 8, 5, { padding: "same" })(images);
export const oblong: Tensor<readonly [32, 8, 26, 28]> = conv2d(1, 8, [3, 1])(images);
export const signal: Tensor<readonly [2, 4, 8]> = conv1d(3, 4, 3)(zeros([2, 3, 10]));
export const pooled: Tensor<readonly [32, 1, 14, 14]> = maxPool2d(2)(images);
export const overlapping: Tensor<readonly [32, 1, 13, 13]> = averagePool2d(3, { stride: 2 })(images);
export const channels: Tensor<readonly [32, 1]> = globalAveragePool()(images);
export const dilated: Tensor<readonly [32, 8, number, number]> = conv2d(1, 8, 3, { dilation: 2 })(images);
export const normal: Tensor<readonly [32, 1, 28, 28]> = layerNorm(28)(batchNorm(1)(dropout()(images)));

// A network: the shape of the result follows from the shape of the input.
const cnn = sequential(
  conv2d(1, 8, 3, { padding: 1 }),
  batchNorm(8),
  relu,
  maxPool2d(2),
  flatten(),
  linear((8 * 14 * 14) as 1568, 64),
  gelu(),
  dropout(0.1),
  linear(64, 10),
);
export const logits: Tensor<readonly [32, 10]> = cnn(images);
export const loss: Tensor<readonly []> = crossEntropy(logits, zeros([32]));
export const losses: Tensor = meanSquaredError(logits, logits, { reduction: "none" });
cnn(unknown);

// Untyped code compiles.
export const layers: Layer[] = [linear(2, 3), conv2d(1, 1, 3), dropout(), sequential(linear(2, 3), relu), cnn];
export const dynamic = sequential(...layers);
dynamic(images);
dynamic(unknown);
sequential(linear(count, 4), linear(count, 3), linear(3, count));
sequential(linear(2, 3), (x) => x.mul(2).add(1), linear(7, 1));
sequential({ fc1: linear(2, 3), act: sigmoid, odd: (x) => x.neg(), fc2: linear(3, 1) })(unknown);
const conv1 = conv2d(3, 3, 3, { padding: 1 });
export const block = layer({ conv1, act: relu }, (x) => relu(conv1(x)).add(x));
block(unknown).neg();
sequential(block, block, flatten());
export const two = layer({ fc: linear(2, 2) }, (x, y) => x.add(y));
two(unknown, unknown).neg();
function use(model: Layer): Tensor {
  return model.train()(unknown);
}
use(cnn);
use(block);
use(linear(2, 3).eval());

// @ts-expect-error linear: expected 784 input features, got 512
linear(784, 128)(zeros([5, 512]));
// @ts-expect-error linear: expected 64 input features, got 128
sequential(linear(784, 128), relu, linear(64, 10));
// @ts-expect-error linear: expected 3 input features, got 4
sequential(sequential(linear(2, 4), sigmoid), sequential(linear(3, 1)));
// @ts-expect-error conv2d: expected 3 input channels, got 1
conv2d(3, 8, 3)(images);
// @ts-expect-error conv2d: expected 16 input channels, got 8
sequential(conv2d(1, 8, 3), relu, conv2d(16, 8, 3));
// @ts-expect-error conv1d: expected 1 spatial dimensions, got 2
conv1d(1, 8, 3)(images);
// @ts-expect-error batchNorm: expected 4 channels, got 8
sequential(conv2d(1, 8, 3), batchNorm(4));
// @ts-expect-error linear: expected 1568 input features, got 1352
cnn(zeros([32, 1, 27, 27]));
// @ts-expect-error linear: expected 100 input features, got 784
sequential(flatten(), linear(100, 10))(images);
