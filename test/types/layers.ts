// Shapes through layers as types: what must compile, and what must not, with the sentence the compiler prints (checked by sentences.test.ts).

import { type Tensor, zeros } from "kasane";
import {
  adaptiveAveragePool2d,
  adaptiveMaxPool2d,
  averagePool2d,
  batchNorm,
  conv1d,
  conv2d,
  crossEntropy,
  dropout,
  dropout2d,
  embedding,
  flatten,
  gelu,
  globalAveragePool,
  glu,
  groupNorm,
  instanceNorm,
  type Layer,
  layer,
  layerNorm,
  lazy,
  linear,
  maxout,
  maxPool2d,
  meanSquaredError,
  padding,
  parallel,
  pixelShuffle,
  pixelUnshuffle,
  relu,
  reshape,
  residual,
  rmsNorm,
  separableConv2d,
  sequential,
  sigmoid,
  swiGlu,
  upsample,
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

// Further layers.
declare const features: Tensor<readonly [32, 12]>;
declare const maps: Tensor<readonly [8, 16, 14, 14]>;
export const grouped: Tensor<readonly [8, 16, 14, 14]> = groupNorm(4, 16)(instanceNorm(16)(rmsNorm(14)(dropout2d()(maps))));
export const larger: Tensor<readonly [8, 16, 28, 28]> = upsample({ scale: 2, mode: "linear" })(maps);
export const uneven: Tensor<readonly [8, 16, 28, 42]> = upsample({ scale: [2, 3] })(maps);
export const sized: Tensor<readonly [8, 16, 20, 10]> = upsample({ size: [20, 10] })(maps);
export const fraction: Tensor<readonly [8, 16, number, number]> = upsample({ scale: 1.5 })(maps);
export const shuffled: Tensor<readonly [8, 4, 28, 28]> = pixelShuffle(2)(maps);
export const unshuffled: Tensor<readonly [8, 64, 7, 7]> = pixelUnshuffle(2)(maps);
export const bordered: Tensor<readonly [8, 16, 16, 16]> = padding(1, { mode: "reflect" })(maps);
export const adapted: Tensor<readonly [8, 16, 3, 4]> = adaptiveAveragePool2d([3, 4])(maps);
export const one: Tensor<readonly [8, 16, 1, 1]> = adaptiveMaxPool2d(1)(maps);
export const separated: Tensor<readonly [8, 32, 14, 14]> = separableConv2d(16, 32, 3, { padding: 1 })(maps);
export const pieces: Tensor<readonly [32, 5]> = maxout(12, 5, 3)(features);
export const gated: Tensor<readonly [32, 6]> = glu()(features);
export const forwarded: Tensor<readonly [32, 12]> = swiGlu(12, 48)(features);
export const projected: Tensor<readonly [32, 7]> = swiGlu(12, 48, 7)(features);
export const reshaped: Tensor<readonly [32, 3, 2, 2]> = reshape([3, 2, 2])(features);
export const left: Tensor<readonly [32, 3, number]> = reshape([3, -1])(features);
export const skipped: Tensor<readonly [32, 12]> = residual(sequential(linear(12, 48), relu, linear(48, 12)))(features);
export const projectedSkip: Tensor<readonly [32, 5]> = residual(linear(12, 5), linear(12, 5))(features);
export const beside: Tensor<readonly [8, 12, 14, 14]> = parallel([conv2d(16, 8, 1), conv2d(16, 4, 3, { padding: 1 })])(maps);
export const summed: Tensor<readonly [32, 5]> = parallel([linear(12, 5), linear(12, 5)], "add")(features);
export const joined: Tensor = parallel([linear(12, 5), linear(12, 5)], (a, b) => a.mul(b))(features);
export const decided: Tensor<readonly [32, 10]> = lazy(([, size = 0]) => linear(size, 10))(features);
export const network: Tensor<readonly [8, 10]> = sequential(
  residual(sequential(conv2d(16, 16, 3, { padding: 1 }), groupNorm(4, 16), relu)),
  parallel([conv2d(16, 8, 1), separableConv2d(16, 8, 3, { padding: 1 })]),
  adaptiveAveragePool2d(2),
  flatten(),
  maxout(64, 20),
  glu(),
)(maps);
export const more: Layer[] = [groupNorm(2, 4), upsample({ scale: 2 }), padding(1), maxout(2, 3), glu(), residual(relu), parallel([relu])];
sequential(
  lazy(([, size = 0]) => linear(size, 4)),
  linear(4, 2),
);
groupNorm(2, 4)(unknown).neg();
residual(linear(3, 3))(unknown).neg();
upsample({ scale: count })(maps).neg();

// @ts-expect-error groupNorm: expected 8 channels, got 16
groupNorm(2, 8)(maps);
// @ts-expect-error instanceNorm: expected 4 channels, got 8
sequential(conv2d(1, 8, 3), instanceNorm(4));
// @ts-expect-error maxout: expected 10 input features, got 12
maxout(10, 5)(features);
// @ts-expect-error swiGlu: expected 8 input features, got 64
sequential(linear(12, 64), swiGlu(8, 32));
// @ts-expect-error glu: expected an even extent along axis -1, got 5
sequential(linear(12, 5), glu());
// @ts-expect-error reshape: 12 elements do not fill 10
reshape([2, 5])(features);
// @ts-expect-error pixelShuffle: expected a multiple of 9 channels for blocks of 3 × 3, got 16
pixelShuffle(3)(maps);
// @ts-expect-error pixelUnshuffle: 4 does not divide the extent 14
pixelUnshuffle(4)(maps);
// @ts-expect-error adaptive pooling: expected 2 spatial dimensions, got 1
adaptiveAveragePool2d(2)(zeros([2, 3, 10]));
// @ts-expect-error conv2d: expected 16 input channels, got 1
separableConv2d(16, 32, 3)(images);
// @ts-expect-error residual: the body makes [32, 5] where the shortcut makes [32, 12]
residual(linear(12, 5))(features);
// @ts-expect-error linear: expected 7 input features, got 12
residual(linear(7, 7))(features);
// @ts-expect-error linear: expected 3 input features, got 12
parallel([linear(12, 5), linear(3, 5)])(features);
// @ts-expect-error linear: expected 100 input features, got 56
sequential(upsample({ scale: 2 }), linear(100, 1))(zeros([2, 1, 28, 28]));
const ten = lazy(([, size = 0]) => linear(size, 10));
// @ts-expect-error linear: expected 20 input features, got 10
sequential(ten, linear(20, 1));
