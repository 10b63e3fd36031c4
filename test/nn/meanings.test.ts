// What losses and metrics take: inputs that mean something else are refused, eagerly and compiled, and what the error says to try works.

import { describe, expect, it } from "vitest";
import * as nn from "../../src/nn/index.ts";
import * as classLosses from "../../src/nn/losses/cross-entropy.ts";
import * as ctc from "../../src/nn/losses/ctc.ts";
import * as likelihoods from "../../src/nn/losses/likelihood-losses.ts";
import * as pairLosses from "../../src/nn/losses/losses.ts";
import * as margins from "../../src/nn/losses/margin-losses.ts";
import { compile, logSoftmax, parameter, softmax, type Tensor, tensor } from "../../src/tensor/index.ts";
import * as train from "../../src/train/index.ts";

const ints = (...values: number[]): Tensor => tensor(values, { dtype: "int32" });
const scores = parameter(
  tensor([
    [0.2, -1, 2],
    [1, 0.5, -0.3],
  ]),
);
const one = parameter(tensor([[0.3], [-2]]));
const pair = parameter(
  tensor([
    [0.1, 0.9],
    [0.4, 0.2],
  ]),
);

/** A loss, what it is given, the sentence it refuses that with, and what the sentence says to try. */
type Row = readonly [name: string, loss: (target: Tensor) => Tensor, target: Tensor, message: string, instead: () => Tensor];

const rows: readonly Row[] = [
  ["crossEntropy", (t) => nn.crossEntropy(one, t), tensor([[1], [0]]), "at least 2 classes", () => nn.binaryCrossEntropyLogits(one, tensor([[1], [0]]))],
  ["crossEntropy", (t) => nn.crossEntropy(one, t), ints(0, 0), "at least 2 classes", () => nn.crossEntropy(pair, ints(0, 0))],
  ["crossEntropy", (t) => nn.crossEntropy(pair, t), tensor([[1, 2], [0, 1]]), "for class numbers a target of shape [2]", () => nn.crossEntropy(pair, ints(0, 1))],
  ["crossEntropy", (t) => nn.crossEntropy(scores, t), tensor([[1, 1, 0], [0, 1, 0]]), "got 2 of sample 0", () => nn.binaryCrossEntropyLogits(scores, tensor([[1, 1, 0], [0, 1, 0]]))],
  ["crossEntropy", (t) => nn.crossEntropy(scores, t), tensor([[1, 0, 0], [0, 0, 0]]), "got 0 of sample 1", () => nn.binaryCrossEntropyLogits(scores, tensor([[1, 0, 0], [0, 0, 0]]))],
  ["crossEntropy", (t) => nn.crossEntropy(scores, t), ints(0, 3), "class 3 at position 1 is out of range", () => nn.crossEntropy(scores, ints(0, 2))],
  ["crossEntropy", (t) => nn.crossEntropy(scores, t), tensor([0.5, 1]), "expected whole numbers, got 0.5", () => nn.crossEntropy(scores, ints(0, 1))],
  ["crossEntropy", (t) => nn.crossEntropy(scores, t), tensor([[0], [1]]), "target.reshape([2])", () => nn.crossEntropy(scores, tensor([[0], [1]]).reshape([2]))],
  ["negativeLogLikelihood", (t) => nn.negativeLogLikelihood(softmax(scores), t), ints(0, 1), "try: crossEntropy for outputs without softmax", () => nn.crossEntropy(scores, ints(0, 1))],
  ["negativeLogLikelihood", (t) => nn.negativeLogLikelihood(one, t), ints(0, 0), "at least 2 classes", () => nn.negativeLogLikelihood(logSoftmax(pair), ints(0, 0))],
  ["binaryCrossEntropy", (t) => nn.binaryCrossEntropy(one.sigmoid(), t), tensor([[1], [2]]), "expected targets from 0 to 1, got 2 at position 1", () => nn.binaryCrossEntropy(one.sigmoid(), tensor([[1], [2]]).sub(1))],
  ["binaryCrossEntropyLogits", (t) => nn.binaryCrossEntropyLogits(one, t), tensor([[1], [2]]), "expected targets from 0 to 1, got 2", () => nn.binaryCrossEntropyLogits(one, tensor([[1], [2]]).sub(1))],
  ["binaryCrossEntropyLogits", (t) => nn.binaryCrossEntropyLogits(one, t, { positiveWeight: 2 }), tensor([[1], [-1]]), "hingeLoss for −1 and 1", () => nn.hingeLoss(one, tensor([[1], [-1]]))],
  ["focalLoss", (t) => nn.focalLoss(one, t), tensor([[1], [2]]), "expected targets from 0 to 1, got 2", () => nn.focalLoss(one, tensor([[1], [2]]).sub(1))],
  ["meanSquaredError", (t) => nn.meanSquaredError(scores, t), ints(0, 2), "crossEntropy, if the targets are class numbers", () => nn.crossEntropy(scores, ints(0, 2))],
  ["absoluteError", (t) => nn.absoluteError(one, t), tensor([1, 2]), "target.reshape([2, 1])", () => nn.absoluteError(one, tensor([1, 2]).reshape([2, 1]))],
  ["huber", (t) => nn.huber(one, t), tensor([1, 2]), "target.reshape([2, 1])", () => nn.huber(one, tensor([1, 2]).reshape([2, 1]))],
  ["smoothL1", (t) => nn.smoothL1(one, t), tensor([1, 2]), "target.reshape([2, 1])", () => nn.smoothL1(one, tensor([1, 2]).reshape([2, 1]))],
  ["klDivergence", (t) => nn.klDivergence(softmax(pair), t), tensor([[0.5, 0.5], [1, 0]]), "got probabilities of softmax", () => nn.klDivergence(logSoftmax(pair), tensor([[0.5, 0.5], [1, 0]]))],
  ["klDivergence", (t) => nn.klDivergence(logSoftmax(pair), t), tensor([[-0.7, -0.7], [-0.1, -3]]), "logTarget: true", () => nn.klDivergence(logSoftmax(pair), tensor([[-0.7, -0.7], [-0.1, -3]]), { logTarget: true })],
  ["poissonNegativeLogLikelihood", (t) => nn.poissonNegativeLogLikelihood(one, t), tensor([[1], [-1]]), "that are counts, at least 0, got -1", () => nn.poissonNegativeLogLikelihood(one, tensor([[1], [1]]))],
  ["gaussianNegativeLogLikelihood", (t) => nn.gaussianNegativeLogLikelihood(one, one, t), tensor([[1], [-1]]), "expected variances of at least 0", () => nn.gaussianNegativeLogLikelihood(one, one, tensor([[1], [-1]]).exp())],
  ["hingeLoss", (t) => nn.hingeLoss(one, t), tensor([[1], [0]]), "target.mul(2).sub(1) for 0 and 1", () => nn.hingeLoss(one, tensor([[1], [0]]).mul(2).sub(1))],
  ["multiClassHingeLoss", (t) => nn.multiClassHingeLoss(one, t), ints(0, 0), "at least 2 classes", () => nn.multiClassHingeLoss(pair, ints(0, 0))],
  ["multiClassHingeLoss", (t) => nn.multiClassHingeLoss(pair, t), ints(0, 2), "there are 2 classes, got 2", () => nn.multiClassHingeLoss(pair, ints(0, 1))],
  ["cosineEmbeddingLoss", (t) => nn.cosineEmbeddingLoss(pair, pair, t), tensor([0, 1]), "target.mul(2).sub(1)", () => nn.cosineEmbeddingLoss(pair, pair, tensor([0, 1]).mul(2).sub(1))],
  ["contrastiveLoss", (t) => nn.contrastiveLoss(pair, pair, t), tensor([-1, 1]), "target.add(1).div(2)", () => nn.contrastiveLoss(pair, pair, tensor([-1, 1]).add(1).div(2))],
  ["tripletLoss", (t) => nn.tripletLoss(pair, t, pair), tensor([1, 2]), "must have the same shape", () => nn.tripletLoss(pair, pair, pair)],
  ["ctcLoss", (t) => nn.ctcLoss(softmax(pair.reshape([1, 2, 2])), t, { time: [2], labels: [1] }), tensor([[1]], { dtype: "int32" }), "got probabilities of softmax", () => nn.ctcLoss(logSoftmax(pair.reshape([1, 2, 2])), tensor([[1]], { dtype: "int32" }), { time: [2], labels: [1] })],
]; // biome-ignore format: a row each

describe("losses take what they mean", () => {
  it("all of them", () => {
    const all = [pairLosses, classLosses, likelihoods, margins, ctc].flatMap((file) => Object.keys(file));
    const refusing = new Set(rows.map(([name]) => name));
    expect(all.filter((name) => name !== "cosineSimilarity" && !refusing.has(name))).toEqual([]);
  });

  it.each(rows)("%s", (_name, loss, target, message, instead) => {
    expect(() => loss(target)).toThrow(message);
    const step = compile((t: Tensor) => loss(t));
    expect(() => step(target)).toThrow(message);
    expect(Number.isFinite(instead().item())).toBe(true);
  });

  it("at every run of a compiled step, before anything changes", () => {
    const w = parameter(tensor([[0.5]]));
    const step = compile((x: Tensor, t: Tensor) => {
      w.zeroGrad();
      const loss = nn.binaryCrossEntropyLogits(x.matmul(w), t);
      loss.backward();
      w.assign(w.sub((w.grad as Tensor).mul(0.1)));
      return loss;
    });
    step(tensor([[1], [2]]), tensor([[0], [1]]));
    const before = w.item();
    expect(() => step(tensor([[1], [2]]), tensor([[1], [2]]))).toThrow("expected targets from 0 to 1, got 2");
    expect(w.item()).toBe(before);
  });

  it("log-probabilities that a model computes are not above 0", () => {
    expect(() => nn.negativeLogLikelihood(scores.mul(2), ints(0, 1))).toThrow("expected log-probabilities of at most 0, got 0.4");
  });
});

/** Metrics with predictions and targets that mean something else. */
const metrics: readonly (readonly [name: string, metric: train.Metric, prediction: Tensor, target: Tensor, message: string])[] = [
  ["accuracy", train.accuracy(), one, tensor([[1], [0]]), "binaryAccuracy() for one output"],
  ["accuracy", train.accuracy(), one, ints(0, 0), "binaryAccuracy() for one output"],
  ["accuracy", train.accuracy(), pair, tensor([[2, 0], [0, 1]]), "expected one-hot targets or probabilities, got 2"],
  ["accuracy", train.accuracy(), pair, tensor([[1], [0]]), "target.reshape([2])"],
  ["accuracy", train.accuracy(), pair, tensor([0.5, 1]), "class 0.5 at position 0 is out of range"],
  ["binaryAccuracy", train.binaryAccuracy(), one, tensor([[1], [2]]), "expected targets from 0 to 1, got 2"],
  ["binaryAccuracy", train.binaryAccuracy(), pair, ints(0, 1), "accuracy(), if the targets are class numbers"],
  ["topK", train.topK(1), one, ints(0, 0), "at least 2 classes"],
  ["topK", train.topK(3), pair, ints(0, 1), "k is 3, but there are 2 classes"],
  ["precision", train.precision(2), pair, ints(0, 2), "class 2 at position 1 is out of range"],
  ["recall", train.recall(2, { threshold: 0 }), one, tensor([[1], [2]]), "expected targets 0 and 1, got 2"],
  ["f1Score", train.f1Score(2), one, ints(0, 0), "f1: expected one prediction for each of at least 2 classes"],
  ["intersectionOverUnion", train.intersectionOverUnion(3), pair, ints(0, 1), "made for 3 classes"],
  ["meanAbsoluteError", train.meanAbsoluteError(), scores, tensor([[1, 2], [3, 4], [5, 6]]), "expected a target for every prediction"],
  ["meanSquaredError", train.meanSquaredError(), scores, ints(0, 1), "accuracy(), if the targets are class numbers"],
  ["rSquared", train.rSquared(), scores, tensor([[1, 2], [3, 4], [5, 6]]), "expected a target for every prediction"],
  ["rocAuc", train.rocAuc(), one, tensor([[1], [2]]), "expected targets 0 and 1, got 2"],
  ["crossEntropy", train.crossEntropy(), one, tensor([[1], [0]]), "at least 2 classes"],
  ["perplexity", train.perplexity(), one, ints(0, 0), "at least 2 classes"],
  ["peakSignalToNoise", train.peakSignalToNoise(), scores, ints(0, 1), "must have the same shape"],
  ["structuralSimilarity", train.structuralSimilarity(), scores, scores, "at least 11 × 11 pixels"],
]; // biome-ignore format: a row each

describe("metrics take what they mean", () => {
  it("all of them", () => {
    const known = new Set(metrics.map(([name]) => name));
    // What makes a metric gives an object with sums.
    const isMetric = (make: (n?: number) => object): boolean =>
      [undefined, 2].some((given) => {
        try {
          return "sums" in make(given);
        } catch {
          return false;
        }
      });
    const made = Object.entries(train).filter(
      ([name, make]) =>
        typeof make === "function" && !/^[A-Z]/.test(name) && !["fit", "evaluate", "predict"].includes(name) && isMetric(make as never),
    );
    expect(made.length).toBeGreaterThan(14);
    expect(made.map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
  });

  it.each(metrics)("%s", (_name, metric, prediction, target, message) => {
    expect(() => metric.add(new Float64Array(metric.sums), prediction, target)).toThrow(message);
  });

  it("one output tells two classes apart with binaryAccuracy", () => {
    const metric = train.binaryAccuracy();
    const sums = new Float64Array(metric.sums);
    metric.add(sums, one, tensor([1, 0]));
    expect(metric.value(sums)).toBe(1);
  });
});
