// Losses of numbers and probabilities: squared and absolute error, Huber, binary cross entropy.

import * as rows from "../../ops/losses.ts";
import { softplus } from "../../tensor/functions/index.ts";
import type { Tensor } from "../../tensor/types.ts";
import { InputError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import {
  checkBinary,
  checkNumbers,
  checkPair,
  floats,
  LOSS,
  type Loss,
  type LossOptions,
  type PairLoss,
  pair,
  pairLoss,
  reduce,
  SHARE,
} from "./reduction.ts";

/**
 * (x − t)², by default its mean over all elements.
 * @throws ShapeError unless both have the same shape; InputError when they are empty
 * @function
 */
export const meanSquaredError: PairLoss = pairLoss("meanSquaredError", rows.squaredError);

/**
 * |x − t|, by default its mean over all elements.
 * @throws ShapeError unless both have the same shape; InputError when they are empty
 * @function
 */
export const absoluteError: PairLoss = pairLoss("absoluteError", rows.absoluteError);

/**
 * ½(x − t)² up to a distance of delta (default 1), beyond it delta·(|x − t| − ½delta). Huber 1964.
 * @throws ShapeError unless both have the same shape; InputError when they are empty or delta is not positive
 */
export function huber<const Options extends LossOptions & { readonly delta?: number } = Record<never, never>>(
  prediction: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const { delta = 1 } = checkOptions<LossOptions & { readonly delta?: number }>("huber", options, { ...LOSS, delta: true });
  if (!(delta > 0)) throw new InputError(`huber: delta must be positive, got ${delta}`);
  return pair("huber", rows.huber, prediction, target, options, { delta });
}

/**
 * (x − t)² / 2beta up to a distance of beta (default 1), beyond it |x − t| − ½beta: huber over beta; absoluteError
 * where beta is 0. Girshick 2015.
 * @throws ShapeError unless both have the same shape; InputError when they are empty or beta is negative
 */
export function smoothL1<const Options extends LossOptions & { readonly beta?: number } = Record<never, never>>(
  prediction: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const { beta = 1 } = checkOptions<LossOptions & { readonly beta?: number }>("smoothL1", options, { ...LOSS, beta: true });
  if (!(beta >= 0)) throw new InputError(`smoothL1: beta must not be negative, got ${beta}`);
  if (beta === 0) return pair("smoothL1", rows.absoluteError, prediction, target, options);
  return reduce("smoothL1", pair("smoothL1", rows.huber, prediction, target, { reduction: "none" }, { delta: beta }).div(beta), options);
}

/**
 * Binary cross entropy −(t log x + (1 − t) log(1 − x)) of probabilities; logarithms stop at −100, as in PyTorch.
 * @throws InputError when a prediction or target lies outside [0, 1]; NaN passes through
 * @function
 */
export const binaryCrossEntropy: PairLoss = (prediction, target, options) => {
  checkOptions<LossOptions>("binaryCrossEntropy", options, LOSS);
  checkPair("binaryCrossEntropy", prediction, target);
  checkNumbers(
    "binaryCrossEntropy",
    "probabilities",
    prediction,
    "from 0 to 1",
    SHARE,
    "for outputs without sigmoid use binaryCrossEntropyLogits",
  );
  checkBinary("binaryCrossEntropy", target);
  return pair("binaryCrossEntropy", rows.binaryCrossEntropy, prediction, target, options);
};

/**
 * Binary cross entropy of sigmoid(x), from the logit x itself: no overflow, no lost digits.
 * @param options positiveWeight: by how much targets of 1 count, a number or a tensor that broadcasts; default 1
 * @throws ShapeError unless both have the same shape; InputError when they are empty or a target lies outside [0, 1]
 */
export function binaryCrossEntropyLogits<
  const Options extends LossOptions & { readonly positiveWeight?: number | Tensor } = Record<never, never>,
>(prediction: Tensor, target: Tensor, options?: Options): Loss<Options> {
  const name = "binaryCrossEntropyLogits";
  const known = { ...LOSS, positiveWeight: true } as const;
  const { positiveWeight } = checkOptions<LossOptions & { readonly positiveWeight?: number | Tensor }>(name, options, known);
  checkPair(name, prediction, target);
  checkBinary(name, target);
  if (positiveWeight === undefined) return pair(name, rows.binaryCrossEntropyLogits, prediction, target, options);
  const wanted = floats(target, prediction);
  // (1 − t)·x + (1 + (p − 1)·t)·log(1 + e⁻ˣ)
  const more = typeof positiveWeight === "number" ? wanted.mul(positiveWeight - 1) : wanted.mul(positiveWeight.sub(1));
  const losses = prediction.sub(prediction.mul(wanted)).add(softplus(prediction.neg()).mul(more.add(1)));
  return reduce(name, losses, options);
}
