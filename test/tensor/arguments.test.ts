// What plain JavaScript gets wrong most (a number for a shape, options for an axis, tensors without a list) is told in a sentence, never by a TypeError.

import { describe, expect, it } from "vitest";
import * as kasane from "../../src/index.ts";
import {
  contrastiveLoss,
  cosineEmbeddingLoss,
  ctcLoss,
  elasticNet,
  elu,
  hardtanh,
  l1,
  l2,
  leakyRelu,
  logSoftmax,
  multiClassHingeLoss,
  negativeLogLikelihood,
  softmax,
  tripletLoss,
} from "../../src/nn/index.ts";
import { averageWeights, clipGradientNorm, clipGradientValue } from "../../src/optim/index.ts";
import { predictedClasses } from "../../src/train/index.ts";

type Call = (wrong: never) => unknown;

const { tensor, zeros, ones, full, uniform, normal, bernoulli, randomIntegers, permutation, concat, stack, parameter, InputError } = kasane;
const x = tensor([
  [1, 2],
  [3, 4],
]);
const loss = () => parameter([1, 2]).square().sum();

const REDUCTIONS = ["sum", "mean", "max", "min", "prod", "argmax", "argmin", "logSumExp", "variance", "std", "norm"] as const;
const axes: [string, Call][] = [
  ...REDUCTIONS.map((name): [string, Call] => [name, (wrong) => x[name](wrong)]),
  ["softmax", (wrong) => x.softmax(wrong)],
  ["logSoftmax", (wrong) => x.logSoftmax(wrong)],
  ["flip", (wrong) => x.flip(wrong)],
  ["squeeze", (wrong) => x.squeeze(wrong)],
];
const shapes: [string, Call][] = [
  ["zeros", (wrong) => zeros(wrong)],
  ["ones", (wrong) => ones(wrong)],
  ["full", (wrong) => full(wrong, 1)],
  ["uniform", (wrong) => uniform(wrong)],
  ["normal", (wrong) => normal(wrong)],
  ["bernoulli", (wrong) => bernoulli(wrong)],
  ["randomIntegers", (wrong) => randomIntegers(wrong, 0, 2)],
  ["reshape", (wrong) => x.reshape(wrong)],
  ["broadcastTo", (wrong) => x.broadcastTo(wrong)],
];
const lists: [string, Call][] = [
  ["transpose", (wrong) => x.transpose(wrong)],
  ["pad", (wrong) => x.pad(wrong)],
  ["pad of one pair", (wrong) => x.pad([wrong])],
  ["take", (wrong) => x.take(wrong)],
  ["concat", (wrong) => concat(wrong)],
  ["stack", (wrong) => stack(wrong)],
  ["gather", (wrong) => x.gather(wrong)],
  ["matmul", (wrong) => x.matmul(wrong)],
  ["backward", (wrong) => loss().backward(wrong)],
  ["clipGradientNorm", (wrong) => clipGradientNorm(wrong, 1)],
  ["clipGradientNorm of a list", (wrong) => clipGradientNorm([wrong], 1)],
  ["clipGradientValue by name", (wrong) => clipGradientValue(new Map([["w", wrong]]).values(), 1)],
  ["l1", (wrong) => l1(wrong, 1)],
  ["l2 of a list", (wrong) => l2([wrong], 1)],
  ["elasticNet", (wrong) => elasticNet(wrong, 1)],
  ["predictedClasses", (wrong) => predictedClasses(wrong)],
  ["negativeLogLikelihood", (wrong) => negativeLogLikelihood(x.neg(), wrong)],
  ["multiClassHingeLoss", (wrong) => multiClassHingeLoss(x, wrong)],
  ["contrastiveLoss", (wrong) => contrastiveLoss(x, x, wrong)],
  ["cosineEmbeddingLoss", (wrong) => cosineEmbeddingLoss(x, x, wrong)],
  ["ctcLoss", (wrong) => ctcLoss(x.reshape([1, 2, 2]).neg(), wrong, { time: [2], labels: [1] })],
  ["averageWeights", (wrong) => averageWeights(wrong)],
];
const wrong = { axis: 1 } as never;

describe("an argument of another kind is told in a sentence", () => {
  it.each([...axes, ...shapes, ...lists])("%s", (_, call) => {
    expect(() => call(wrong)).toThrow(/expected .*, got an object with axis/s);
    expect(() => call(wrong)).toThrow(InputError);
  });

  it.each([...shapes, ...lists])("%s, given a number or nothing in its place", (name, call) => {
    for (const given of [3, null]) expect(() => call(given as never), `${name}(${given})`).toThrow(InputError);
  });

  it("works as its hint says", () => {
    expect(x.sum([0, 1]).item()).toBe(10);
    expect(zeros([2, 3]).shape).toEqual([2, 3]);
    expect(concat([x, x]).shape).toEqual([4, 2]);
    const y = loss();
    y.backward(undefined, { createGraph: true });
  });
});

it("gradients of parameters by name are clipped or refused, never passed over", () => {
  const weights = new Map([["w", parameter([3])]]);
  expect(() => clipGradientNorm(weights as never, 1)).toThrow("clipGradientNorm: expected parameters, got a list");
});

describe("numbers that no distribution, order or margin has are refused", () => {
  it.each([Number.NaN, -0.1, 1.1, Number.POSITIVE_INFINITY])("bernoulli of probability %f", (probability) => {
    expect(() => bernoulli([2], probability)).toThrow("bernoulli: the probability must be in [0, 1]");
  });

  it.each([Number.NaN, -1, 1.5, 2 ** 31, Number.POSITIVE_INFINITY])("permutation(%f)", (count) => {
    expect(() => permutation(count)).toThrow("permutation: expected a whole number");
  });

  it("a margin that is no number", () => {
    expect(() => tripletLoss(x, x, x, { margin: Number.NaN })).toThrow("tripletLoss: margin must be a number, got NaN");
  });

  it.each([elu, leakyRelu, hardtanh, softmax, logSoftmax])("settings of activations that are no numbers, %#", (make) => {
    for (const wrong of [Number.NaN, { alpha: 1 }])
      expect(() => (make as (setting: never) => unknown)(wrong as never)).toThrow(/ cannot be /);
  });
});
