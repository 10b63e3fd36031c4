// Losses: wrong labels, shapes and empty batches are refused, NaN shows, large logits keep their digits, and the textbook's convention.

import { describe, expect, it } from "vitest";
import { availableBackends, getBackend, parameter, setBackend, softmax, type Tensor, tensor, zeros } from "../../../src/index.ts";
import * as nn from "../../../src/nn/index.ts";

const { absoluteError, binaryCrossEntropy, binaryCrossEntropyLogits, crossEntropy, huber, meanSquaredError, negativeLogLikelihood } = nn;

describe("refuses", () => {
  it.each([
    [
      "a class too large",
      () => crossEntropy(zeros([3, 4]), tensor([0, 3, 4])),
      "crossEntropy: class 4 at position 2 is out of range: expected 0 to 3, because the predictions have 4 classes",
    ],
    [
      "a negative class",
      () => negativeLogLikelihood(zeros([2, 4]), tensor([0, -1])),
      "negativeLogLikelihood: class -1 at position 1 is out of range",
    ],
    [
      "a class between two",
      () => crossEntropy(zeros([2, 4]), tensor([0, 1.5])),
      "crossEntropy: expected whole numbers, got 1.5 at position 1",
    ],
    [
      "NaN as a class",
      () => crossEntropy(zeros([2, 4]), tensor([0, Number.NaN])),
      "crossEntropy: expected whole numbers, got NaN at position 1",
    ],
    [
      "too few classes given",
      () => crossEntropy(zeros([3, 4]), tensor([0, 1])),
      "crossEntropy: for predictions of shape [3, 4] expected class numbers of shape [3], or probabilities of the predictions' shape, got [2]",
    ],
    [
      "predictions without classes",
      () => crossEntropy(zeros([3]), tensor([0, 1, 2])),
      "crossEntropy: expected [batch, classes] or [batch, classes, …], got shape [3]",
    ],
    [
      "an empty batch of classes",
      () => crossEntropy(zeros([0, 4]), zeros([0], { dtype: "int32" })),
      "crossEntropy: the batch is empty: predictions have shape [0, 4]",
    ],
    ["an empty batch of probabilities", () => crossEntropy(zeros([0, 4]), zeros([0, 4])), "crossEntropy: the batch is empty"],
    [
      "an empty batch",
      () => meanSquaredError(zeros([0, 1]), zeros([0, 1])),
      "meanSquaredError: the batch is empty: predictions have shape [0, 1]",
    ],
    [
      "a column against a row",
      () => meanSquaredError(zeros([3, 1]), zeros([3])),
      "meanSquaredError: prediction [3, 1] and target [3] must have the same shape",
    ],
    [
      "shapes that differ",
      () => huber(zeros([3, 1]), zeros([3, 2])),
      "huber: prediction [3, 1] and target [3, 2] must have the same shape",
    ],
    [
      "no probability",
      () => binaryCrossEntropy(tensor([0.5, 1.5]), tensor([1, 0])),
      "binaryCrossEntropy: expected probabilities from 0 to 1, got 1.5 at position 1",
    ],
    ["a delta of 0", () => huber(zeros([1]), zeros([1]), { delta: 0 }), "huber: delta must be positive, got 0"],
    ["an unknown reduction", () => absoluteError(zeros([1]), zeros([1]), { reduction: "median" as "mean" }), 'unknown reduction "median"'],
    ["no tensor", () => meanSquaredError([1] as never, zeros([1])), "meanSquaredError: expected a tensor, got a list"],
  ])("%s", (_name, run, sentence) => {
    expect(run).toThrow(sentence);
  });
});

const before = getBackend().name;
for (const backend of availableBackends())
  describe(`on ${backend}`, () => {
    it("NaN in predictions or targets shows in the loss", () => {
      setBackend(backend);
      try {
        const bad = tensor([Number.NaN, 0.5]);
        const good = tensor([1, 0.5]);
        const all: readonly ((x: Tensor, t: Tensor) => Tensor)[] = [
          meanSquaredError,
          absoluteError,
          huber,
          binaryCrossEntropy,
          binaryCrossEntropyLogits,
        ];
        for (const loss of all) {
          expect(loss(bad, good).item()).toBeNaN();
          expect(loss(good, bad).item()).toBeNaN();
        }
        expect(crossEntropy(tensor([[Number.NaN, 1, 2]]), tensor([1])).item()).toBeNaN();
        expect(crossEntropy(tensor([[0, 1, 2]]), tensor([[Number.NaN, 1, 0]])).item()).toBeNaN();
        expect(negativeLogLikelihood(tensor([[Number.NaN, -1]]), tensor([0])).item()).toBeNaN();
      } finally {
        setBackend(before);
      }
    });

    it("cross entropy's gradient is softmax − one-hot to the last digit also where the loss is large", () => {
      setBackend(backend);
      try {
        for (const far of [-10, -1e4, -1e6]) {
          const x = parameter(tensor([[far, 0, 1]]));
          crossEntropy(x, tensor([0])).backward();
          const p = softmax(tensor([[far, 0, 1]])).data;
          expect(x.grad?.data[0]).toBeCloseTo((p[0] as number) - 1, 6);
          expect(x.grad?.data[1]).toBeCloseTo(p[1] as number, 6);
          expect(x.grad?.data[2]).toBeCloseTo(p[2] as number, 6);
        }
      } finally {
        setBackend(before);
      }
    });
  });

it("takes classes as int32 or as whole floats, and one-hot as integers", () => {
  const logits = tensor([
    [1, 2, 3],
    [3, 1, 0],
  ]);
  const expected = crossEntropy(logits, tensor([2, 0], { dtype: "int32" })).item();
  expect(crossEntropy(logits, tensor([2, 0])).item()).toBe(expected);
  expect(
    crossEntropy(
      logits,
      tensor(
        [
          [0, 0, 1],
          [1, 0, 0],
        ],
        { dtype: "int32" },
      ),
    ).item(),
  ).toBeCloseTo(expected, 6);
  expect(
    crossEntropy(
      logits,
      tensor([
        [false, false, true],
        [true, false, false],
      ]),
    ).item(),
  ).toBeCloseTo(expected, 6);
});

it("the textbook's cross entropy is ours divided by the number of classes", () => {
  const logits = tensor([[1, 2]]);
  const y = softmax(logits).data;
  const printed = -(1 / 2) * Math.log(y[1] as number);
  expect(crossEntropy(logits, tensor([1])).item() / 2).toBeCloseTo(printed, 6);
});

it("cross entropy of logits equals NLL of logSoftmax, and of a sure right answer is 0", () => {
  const logits = tensor([
    [1, -2, 0.5],
    [0, 0, 3],
  ]);
  expect(negativeLogLikelihood(logits.logSoftmax(1), tensor([0, 2])).item()).toBeCloseTo(crossEntropy(logits, tensor([0, 2])).item(), 6);
  expect(crossEntropy(tensor([[1000, 0]]), tensor([0])).item()).toBe(0);
  expect(crossEntropy(tensor([[1000, 0]]), tensor([1])).item()).toBe(1000);
});
