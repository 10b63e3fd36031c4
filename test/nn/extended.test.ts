// How the further layers behave beside their numbers: random dropping, running statistics, inverses, and errors in one sentence.

import { describe, expect, it } from "vitest";
import {
  arange,
  compile,
  upsample as enlarge,
  manualSeed,
  normal,
  ones,
  parameter,
  type Tensor,
  tensor,
  uniform,
  zeros,
} from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { messageOf } from "../tensor/support.ts";

const image: Tensor = zeros([2, 4, 5, 6]);

describe("dropout of channels", () => {
  it.each([
    ["dropout1d", nn.dropout1d, [40, 50, 3]],
    ["dropout2d", nn.dropout2d, [40, 50, 3, 2]],
    ["dropout3d", nn.dropout3d, [40, 50, 1, 3, 2]],
  ] as const)(
    "%s keeps or drops a channel as a whole, scaled, in the share it says; its gradient has the same mask",
    (_name, make, shape) => {
      manualSeed(6);
      const x = parameter(ones(shape));
      const y = make(0.3)(x) as Tensor;
      const per = (shape as readonly number[]).slice(2).reduce((a, b) => a * b, 1);
      const channels = Array.from({ length: 2000 }, (_, n) => [...y.data.slice(n * per, (n + 1) * per)]);
      const kept = channels.filter((values) => values.every((value) => Math.abs(value - 1 / 0.7) < 1e-6)).length;
      const dropped = channels.filter((values) => values.every((value) => value === 0)).length;
      expect(kept + dropped).toBe(2000);
      // Five standard deviations of a binomial count.
      expect(Math.abs(kept / 2000 - 0.7)).toBeLessThan(5 * Math.sqrt((0.7 * 0.3) / 2000));
      y.sum().backward();
      expect([...(x.grad as Tensor).data]).toEqual([...y.data]);
    },
  );

  it("draws anew at every run of a compiled step", () => {
    const drop = nn.dropout2d(0.5);
    const step = compile((x: Tensor) => drop(x));
    const x = ones([8, 8, 1, 1]);
    expect(step(x).toArray()).not.toEqual(step(x).toArray());
  });

  it("alphaDropout keeps mean 0 and variance 1", () => {
    manualSeed(9);
    const y = nn.alphaDropout(0.2)(normal([100_000]));
    expect(Math.abs(y.mean().item())).toBeLessThan(0.02);
    expect(Math.abs(y.variance().item() - 1)).toBeLessThan(0.03);
    // SELU's lowest value under the line that gives mean 0 and variance 1 back; Klambauer et al. 2017, section "new dropout technique".
    const lowest = -1.7580993408473766;
    const dropped = (lowest * 0.8) / Math.sqrt(0.8 * (1 + lowest ** 2 * 0.2));
    const share = y.data.filter((value: number) => Math.abs(value - dropped) < 1e-5).length / y.size;
    expect(Math.abs(share - 0.2)).toBeLessThan(5 * Math.sqrt((0.2 * 0.8) / 100_000) + 1e-4);
  });
});

describe("resampling", () => {
  it("pixelUnshuffle undoes pixelShuffle in one to three dimensions", () => {
    for (const shape of [
      [1, 6, 5],
      [2, 8, 3, 2],
      [1, 8, 2, 3, 2],
    ]) {
      const x = uniform(shape);
      expect(nn.pixelUnshuffle(2)(nn.pixelShuffle(2)(x)).toArray(), `${shape}`).toEqual(x.toArray());
    }
  });

  it("nearest by a whole number repeats, and what interpolates gives straight lines back", () => {
    const x = arange(0, 4).reshape([1, 1, 4]);
    expect(nn.upsample({ scale: 3 })(x).toArray()).toEqual([[[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]]]);
    // As PyTorch: an extent that a fractional scale leaves as it is keeps its numbers, one dimension or both.
    expect(enlarge(tensor([[[10, 20]]]), { scale: 1.3, mode: "linear" }).toArray()).toEqual([[[10, 20]]]);
    const flat = tensor([
      [
        [
          [10, 20],
          [30, 50],
        ],
      ],
    ]);
    expect(enlarge(flat, { scale: [1.4, 2], mode: "linear" }).toArray()).toEqual(
      enlarge(flat, { scale: [1, 2], mode: "linear" }).toArray(),
    );
    const line = enlarge(x, { size: 7, mode: "linear", alignCorners: true });
    line.data.forEach((value: number, n: number) => expect(value).toBeCloseTo(n / 2, 6));
  });

  it("an empty window element spoils nothing: NaN stays in the windows that hold it", () => {
    const x = tensor([[[Number.NaN, 1, 2, 3, 4, 5, 6]]]);
    // Windows 0–2, 2–4, 4–6.
    for (const pool of [nn.adaptiveAveragePool1d, nn.adaptiveMaxPool1d])
      expect([...pool(3)(x).data].map(Number.isNaN)).toEqual([true, false, false]);
  });
});

describe("wrong arguments and inputs are told in one sentence", () => {
  it.each<readonly [string, () => unknown]>([
    ["groupNorm: 3 groups do not divide 4 channels", () => nn.groupNorm(3, 4)],
    ["groupNorm: groups must be a positive integer, got 0", () => nn.groupNorm(0, 4)],
    ["groupNorm: expected 4 channels, got 6: x is [2, 6, 3]", () => nn.groupNorm(2, 4)(zeros([2, 6, 3]) as Tensor)],
    ["groupNorm: epsilon must not be negative, got -1", () => nn.groupNorm(2, 4, { epsilon: -1 })],
    [
      "instanceNorm: expected [batch, channels, …] with one to three spatial dimensions, got shape [2, 4]",
      () => nn.instanceNorm(4)(zeros([2, 4])),
    ],
    ["instanceNorm: expected more than one value per channel in training, got shape [2, 4, 1]", () => nn.instanceNorm(4)(zeros([2, 4, 1]))],
    ["rmsNorm: expected the last dimensions to be [4], got shape [2, 5]", () => nn.rmsNorm(4)(zeros([2, 5]))],
    ["rmsNorm: expected the extents of the last dimensions, got none", () => nn.rmsNorm([])],
    ["localResponseNorm: size must be a positive integer, got 0", () => nn.localResponseNorm(0)],
    ["localResponseNorm: expected [batch, channels, …], got shape [5]", () => nn.localResponseNorm(3)(zeros([5]))],
    ["prelu: expected 3 channels, got 4: x is [2, 4, 5, 6]", () => nn.prelu(3)(image)],
    ["prelu: makes a layer, but got a tensor", () => nn.prelu(image as never)],
    ["maxout: pieces must be a positive integer, got 0", () => nn.maxout(3, 2, 0)],
    ["maxout: expected 3 input features, got 4: x is [2, 4]", () => nn.maxout(3, 2)(zeros([2, 4]) as Tensor)],
    ["glu: expected an even extent along axis -1, got 3: x is [2, 3]", () => nn.glu()(zeros([2, 3]) as Tensor)],
    ["glu: axis 5 does not exist", () => nn.glu(5)(image)],
    ["swiGlu: expected 3 input features, got 5: x is [2, 5]", () => nn.swiGlu(3, 4)(zeros([2, 5]) as Tensor)],
    ["bilinear: expected a tensor, got nothing", () => nn.bilinear(2, 3, 4)(zeros([1, 2]), undefined as never)],
    ["bilinear: expected 3 features of the second input, got 2: x is [1, 2]", () => nn.bilinear(2, 3, 4)(zeros([1, 2]), zeros([1, 2]))],
    ["dropout2d: the probability must be in [0, 1), got 1", () => nn.dropout2d(1)],
    ["dropout2d: expected [batch, channels, height, width], got shape [2, 3]", () => nn.dropout2d()(zeros([2, 3]))],
    ["upsample: scale must be positive, got -2", () => nn.upsample({ scale: -2 })],
    ["upsample: scale must be positive, got NaN", () => nn.upsample({ scale: Number.NaN })],
    ["upsample: size must be positive, got 0", () => nn.upsample({ size: 0 })],
    ["upsample: expected either a size or a scale", () => nn.upsample({ scale: 2, size: 3 })],
    ["upsample: expected either a size or a scale", () => nn.upsample(2 as never)],
    ["upsample: size must be a positive integer, or 2 of them, got 2.5", () => nn.upsample({ size: 2.5 })(image)],
    ["upsample: the extents of [2, 4, 5, 6] would become [0, 0]", () => nn.upsample({ scale: 0.1 })(image)],
    ["upsample: the extents of [2, 4, 5, 6] would become [5000000000000, 6000000000000]", () => nn.upsample({ scale: 1e12 })(image)],
    [
      "upsample: expected [batch, channels, …] with one to three spatial dimensions, got shape [3, 3]",
      () => nn.upsample({ scale: 2 })(zeros([3, 3]) as Tensor),
    ],
    [
      "upsample: expected at least one element in every spatial dimension, got shape [1, 1, 0, 3]",
      () => nn.upsample({ scale: 2 })(zeros([1, 1, 0, 3]) as Tensor),
    ],
    [
      'upsample: mode must be one of nearest, linear, cubic, got "bilinear"',
      () => nn.upsample({ scale: 2, mode: "bilinear" as never })(image),
    ],
    [
      "upsample: alignCorners goes with the modes linear and cubic, got nearest",
      () => nn.upsample({ scale: 2, alignCorners: true })(image),
    ],
    ["pixelShuffle: expected a multiple of 9 channels for blocks of 3 × 3, got 4: x is [2, 4, 5, 6]", () => nn.pixelShuffle(3)(image)],
    ["pixelUnshuffle: 2 does not divide the extents of [2, 4, 5, 6]", () => nn.pixelUnshuffle(2)(image)],
    ["padding: amounts must be integers of at least 0, got -1", () => nn.padding(-1)],
    ["padding: amounts must be integers of at least 0, got undefined", () => nn.padding(undefined as never)],
    [
      "padding: reflect padding of dimension 2 can be at most 4, got [5, 5]: x is [2, 4, 5, 6]",
      () => nn.padding(5, { mode: "reflect" })(image),
    ],
    [
      "padding: circular padding of dimension 2 can be at most 5, got [7, 7]: x is [2, 4, 5, 6]",
      () => nn.padding(7, { mode: "circular" })(image),
    ],
    ["padding: 5 amounts for a tensor of 4 dimensions: x is [2, 4, 5, 6]", () => nn.padding([1, 1, 1, 1, 1])(image)],
    ["adaptiveAveragePool2d: size must be an integer of at least 1, or 2 of them, got the number 0", () => nn.adaptiveAveragePool2d(0)],
    [
      "adaptiveAveragePool2d: expected [batch, channels, height, width], got shape [2, 3, 4]",
      () => nn.adaptiveAveragePool2d(2)(zeros([2, 3, 4]) as Tensor),
    ],
    ["depthwiseConv2d: channels must be a positive integer, got 0", () => nn.depthwiseConv2d(0, 3)],
    ["separableConv2d: outputs must be a positive integer, got 0", () => nn.separableConv2d(3, 0, 3)],
    ["residual: the body makes [2, 4] where the shortcut makes [2, 3]", () => nn.residual(nn.linear(3, 4) as nn.Layer)(zeros([2, 3]))],
    ["residual: expected body to be a layer or a function, got number", () => nn.residual(5 as never)],
    ["residual: expected shortcut to be a layer or a function, got null", () => nn.residual(nn.relu, null as never)],
    ["parallel: expected at least one branch, got none", () => nn.parallel([])],
    ['parallel: join must be "concat", "add" or a function of tensors, got "mul"', () => nn.parallel([nn.relu], "mul" as never)],
    [
      "parallel: branches that are added must make one shape: 0 makes [2, 2, 3, 4], 1 makes [2, 2, 5, 6]",
      () => nn.parallel([nn.conv2d(4, 2, 3), nn.conv2d(4, 2, 1)] as nn.Layer[], "add")(image),
    ],
    [
      "parallel: join returned number, expected a tensor",
      () => nn.parallel([nn.relu as nn.Step], (() => 3) as unknown as () => Tensor)(image),
    ],
    ["reshape: expected a list of positive integers and at most one −1, got [0]", () => nn.reshape([0])],
    ["reshape: 240 elements of shape [2, 4, 5, 6] do not fill [2, 7]", () => nn.reshape([7])(image as Tensor)],
    ["unflatten: an extent of 4 cannot be divided into [3, 2]: x is [2, 4, 5, 6]", () => nn.unflatten(1, [3, 2])(image)],
    ["unflatten: axis 9 does not exist in shape [2, 4, 5, 6]", () => nn.unflatten(9, [2])(image)],
  ])("%s", (sentence, run) => {
    expect(messageOf(run).startsWith(sentence), messageOf(run)).toBe(true);
  });

  it("and an empty batch stays empty", () => {
    for (const make of [
      nn.upsample({ scale: 2 }),
      nn.upsample({ scale: 2, mode: "linear" }),
      nn.adaptiveMaxPool2d(2),
      nn.groupNorm(2, 4),
      nn.pixelShuffle(2),
    ] as nn.Layer[])
      expect(make(zeros([0, 4, 3, 3])).size).toBe(0);
  });
});
