// Losses of several arguments and options against PyTorch, eagerly and compiled; and what they refuse.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, full, getBackend, logSoftmax, parameter, setBackend, type Tensor, tensor, zeros } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { expectClose, type Numbers, readGoldens, settings, toParameter, toTensor } from "../goldens/goldens.ts";

type Typed = Numbers & { readonly dtype: "float32" | "int32" };

interface Case {
  readonly name: string;
  readonly loss: string;
  readonly arguments: readonly Typed[];
  readonly options: Record<string, unknown>;
  readonly tensors: Record<string, Typed>;
  readonly lengths?: { readonly time: readonly number[]; readonly labels: readonly number[] };
  readonly output: Numbers;
  readonly upstream: Numbers;
  readonly gradients: readonly (Numbers | null)[];
}

const library = nn as unknown as Record<string, (...given: readonly unknown[]) => Tensor>;
const goldens = readGoldens<Case>("losses-more");
const before = getBackend().name;
const made = (value: Typed): Tensor => toTensor(value).to(value.dtype === "int32" ? "int32" : toTensor(value).dtype);

function apply({ loss, options, tensors, lengths }: Case, given: readonly Tensor[]): Tensor {
  const all = { ...options, ...Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, made(value)])) };
  const call = library[loss] as (...given: readonly unknown[]) => Tensor;
  const { strength, share } = options;
  if (strength !== undefined) return call(given, strength, ...(share === undefined ? [] : [share]));
  if (lengths !== undefined) return call(logSoftmax(given[0] as Tensor), given[1], lengths, all);
  return Object.keys(all).length === 0 ? call(...given) : call(...given, all);
}

for (const { title, backend, dtype, tolerance } of settings)
  describe(title, () => {
    const argumentOf = (value: Typed, learned: unknown): Tensor =>
      learned ? toParameter(value, dtype) : value.dtype === "int32" ? made(value) : toTensor(value, dtype);
    beforeAll(() => setBackend(backend));
    afterAll(() => setBackend(before));

    it.each(goldens.map((golden) => [golden.name, golden] as const))("%s", (_name, golden) => {
      const given = golden.arguments.map((value, n) => argumentOf(value, golden.gradients[n]));
      const y = apply(golden, given);
      expectClose("loss", y, golden.output, tolerance);
      y.backward(toTensor(golden.upstream, y.dtype));
      golden.gradients.forEach((wanted, n) => {
        if (wanted) expectClose(`gradient by argument ${n}`, given[n]?.grad, wanted, tolerance);
      });
    });

    it.each(goldens.filter(({ output }) => output.shape.length === 0).map((golden) => [golden.name, golden] as const))(
      "%s, compiled with its gradients",
      (_name, golden) => {
        const given = golden.arguments.map((value, n) => argumentOf(value, golden.gradients[n]));
        const learned = given.filter((_, n) => golden.gradients[n]);
        const upstream = toTensor(golden.upstream, dtype);
        const step = compile((): Tensor[] => {
          for (const item of learned) item.zeroGrad();
          const y = apply(golden, given);
          y.backward(upstream);
          return [y, ...learned.map((item) => item.grad as Tensor)];
        });
        const [y, ...gradients] = step();
        expectClose("loss", y, golden.output, tolerance);
        const expected = golden.gradients.filter((wanted) => wanted !== null);
        for (const [n, wanted] of expected.entries()) expectClose(`gradient ${n}`, gradients[n], wanted, tolerance);
      },
    );
  });

describe("keeps its numbers", () => {
  const [up, no] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const gradients = (x: Tensor, loss: (x: Tensor) => Tensor): number[] => {
    const given = parameter(x);
    loss(given).backward();
    return [...(given.grad as Tensor).data];
  };

  it("of ignored samples whose class is impossible", () => {
    const x = tensor([
      [no, 1, 2],
      [0, 0, 0],
    ]);
    for (const labelSmoothing of [0, 0.25]) {
      expect(nn.crossEntropy(x, tensor([-1, 1]), { ignoreIndex: -1, labelSmoothing }).item()).toBeCloseTo(Math.log(3), 5);
      expect(gradients(x, (given) => nn.crossEntropy(given, tensor([-1, 1]), { ignoreIndex: -1, labelSmoothing })).slice(0, 3)).toEqual([
        expect.closeTo(0),
        expect.closeTo(0),
        expect.closeTo(0),
      ]);
    }
  });

  it.each([0, 0.5, 1, 2])("of focal loss with gamma %d where the answer is as sure as floats are", (gamma) => {
    for (const far of [20, 80, 200])
      for (const value of gradients(tensor([far, -far]), (x) => nn.focalLoss(x, tensor([1, 0]), { gamma })))
        expect(value).toBeCloseTo(0, 6);
  });

  it("of CTC: what has no probability at all is infinity, NaN stays NaN", () => {
    // Another class is certain, at all times.
    const never = tensor([Array.from({ length: 6 }, () => [no, no, no, no, 0])]);
    const lengths = { time: [6], labels: [3] };
    const labels = tensor([[1, 2, 3]]);
    expect(nn.ctcLoss(never, labels, lengths).item()).toBe(up);
    expect(nn.ctcLoss(never, labels, lengths, { zeroInfinity: true }).item()).toBe(0);
    expect(gradients(never, (x) => nn.ctcLoss(x, labels, lengths)).every((value) => value === 0)).toBe(true);
    for (const zeroInfinity of [false, true])
      expect(nn.ctcLoss(full([1, 6, 4], Number.NaN), labels, lengths, { zeroInfinity }).item()).toBeNaN();
    // Two labels, each certain at its time.
    const certain = tensor([
      [
        [no, 0, no],
        [no, no, 0],
      ],
    ]);
    expect(nn.ctcLoss(certain, tensor([[1, 2]]), { time: [2], labels: [2] }).item()).toBeCloseTo(0, 6);
  });

  it("of CTC without any labels: the blank all the time", () => {
    const x = logSoftmax(zeros([1, 3, 4]));
    expect(nn.ctcLoss(x, zeros([1, 0], { dtype: "int32" }), { time: [3], labels: [0] }).item()).toBeCloseTo(3 * Math.log(4), 5);
  });

  it("checks class numbers at every run of a compiled step", () => {
    const step = compile((labels: Tensor) => nn.crossEntropy(zeros([2, 3]), labels));
    expect(step(tensor([0, 2])).item()).toBeCloseTo(Math.log(3), 5);
    expect(() => step(tensor([0, 3]))).toThrow("class 3 at position 1 is out of range");
  });
});

describe("refuses", () => {
  const labels = tensor([0, 1]);
  it.each<[string, () => unknown, string]>([
    [
      "smoothing beyond 1",
      () => nn.crossEntropy(zeros([2, 3]), labels, { labelSmoothing: 1.5 }),
      "labelSmoothing must be in [0, 1], got 1.5",
    ],
    [
      "weights of other classes",
      () => nn.crossEntropy(zeros([2, 3]), labels, { weights: zeros([4]) }),
      "expected weights of shape [3], one for each class, got [4]",
    ],
    [
      "an ignored class among probabilities",
      () => nn.crossEntropy(zeros([2, 3]), zeros([2, 3]), { ignoreIndex: 1 }),
      "ignoreIndex needs class numbers",
    ],
    [
      "a class that is not the ignored one",
      () => nn.crossEntropy(zeros([2, 3]), tensor([0, -1]), { ignoreIndex: -7 }),
      "class -1 at position 1 is out of range",
    ],
    [
      "targets of another shape",
      () => nn.hingeLoss(zeros([2, 1]), zeros([2])),
      "prediction [2, 1] and target [2] must have the same shape",
    ],
    [
      "pairs with too few targets",
      () => nn.contrastiveLoss(zeros([3, 2]), zeros([3, 2]), zeros([2])),
      "targets [batch], got [3, 2] and [2]",
    ],
    [
      "a class too large for a hinge",
      () => nn.multiClassHingeLoss(zeros([2, 3]), tensor([0, 3])),
      "multiClassHingeLoss: expected targets from 0 to 2, because there are 3 classes, got 3 at position 1",
    ],
    ["0 and 1 for a hinge", () => nn.hingeLoss(zeros([2]), tensor([1, 0])), "expected targets -1 and 1, got 0 at position 1"],
    [
      "a pair that is neither",
      () => nn.cosineEmbeddingLoss(zeros([1, 2]), zeros([1, 2]), tensor([0])),
      "cosineEmbeddingLoss: expected targets -1 and 1, got 0 at position 0",
    ],
    [
      "a pair marked as -1",
      () => nn.contrastiveLoss(zeros([1, 2]), zeros([1, 2]), tensor([-1])),
      "contrastiveLoss: expected targets from 0 to 1, got -1 at position 0",
    ],
    [
      "a negative variance",
      () => nn.gaussianNegativeLogLikelihood(zeros([2]), zeros([2]), tensor([1, -1])),
      "expected variances of at least 0, got -1 at position 1",
    ],
    [
      "another spelling of batchMean",
      () => nn.klDivergence(zeros([1]), zeros([1]), { reduction: "batchmean" as "mean" }),
      'klDivergence: unknown reduction "batchmean"',
    ],
    ["a negative beta", () => nn.smoothL1(zeros([1]), zeros([1]), { beta: -1 }), "beta must not be negative, got -1"],
    ["a negative gamma", () => nn.focalLoss(zeros([2]), zeros([2]), { gamma: -1 }), "gamma must not be negative, got -1"],
    [
      "more labels than there is room",
      () => nn.ctcLoss(zeros([1, 3, 4]), tensor([[1, 2]]), { time: [3], labels: [3] }),
      "ctcLoss: expected lengths.labels from 0 to 2, got 3 for sequence 0",
    ],
    [
      "more time than there is",
      () => nn.ctcLoss(zeros([1, 3, 4]), tensor([[1, 2]]), { time: [4], labels: [2] }),
      "ctcLoss: expected lengths.time from 1 to 3, got 4 for sequence 0",
    ],
    [
      "the blank as a label",
      () => nn.ctcLoss(zeros([1, 3, 4]), tensor([[1, 0]]), { time: [3], labels: [2] }),
      "label 0 of sample 0 is the blank",
    ],
    [
      "a label that is no class",
      () => nn.ctcLoss(zeros([1, 3, 4]), tensor([[1, 9]]), { time: [3], labels: [2] }),
      "label 9 of sample 0 is out of range: expected 0 to 3",
    ],
    ["a negative strength", () => nn.l2([zeros([2])], -1), "l2: the strength must not be negative, got -1"],
    ["nothing to penalize", () => nn.l1([], 1), "l1: expected at least one weight, got none"],
  ])("%s", (_name, run, message) => {
    expect(run).toThrow(message);
  });

  it("nothing beyond a sample's labels, and gives NaN where all are ignored, infinity where labels do not fit", () => {
    expect(nn.ctcLoss(logSoftmax(zeros([1, 3, 4])), tensor([[1, 99]]), { time: [3], labels: [1] }).item()).toBeGreaterThan(0);
    expect(nn.crossEntropy(zeros([2, 3]), tensor([7, 7]), { ignoreIndex: 7 }).item()).toBeNaN();
    expect(nn.ctcLoss(logSoftmax(zeros([1, 2, 4])), tensor([[1, 1]]), { time: [2], labels: [2] }).item()).toBe(Number.POSITIVE_INFINITY);
  });
});

it("penalizes weights, not biases and norms", () => {
  const net = nn.sequential(nn.linear(2, 2, { init: nn.init.ones(), biasInit: nn.init.constant(5) }), nn.batchNorm(2));
  expect(nn.l1(net, 0.5).item()).toBe(2);
});
