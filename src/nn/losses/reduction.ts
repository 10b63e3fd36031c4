// Shared by all losses: reducing values per element or sample to one number, and checks of predictions and targets.

import type { Op } from "../../ops/op.ts";
import type { ElementRule } from "../../tensor/element-rules.ts";
import { applyOp, where } from "../../tensor/functions/index.ts";
import { valueOf } from "../../tensor/tensor.ts";
import { requireElements } from "../../tensor/trace/trace.ts";
import type { Tensor } from "../../tensor/types.ts";
import { InputError, ShapeError } from "../../util/errors.ts";
import { checkOptions, type OptionNames } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { meanTerm, sumTerm } from "./terms.ts";

/** How the losses of elements or samples become one number. */
export interface LossOptions {
  /** "mean" over the elements or samples (default), their "sum", or "none": every one. */
  readonly reduction?: "mean" | "sum" | "none";
}

export const LOSS: OptionNames<LossOptions> = { reduction: true };

/** The loss as a single number unless the reduction is "none". */
export type Loss<Options> = Options extends { readonly reduction: infer Reduction }
  ? "none" extends Reduction
    ? Tensor
    : Tensor<readonly []>
  : Tensor<readonly []>;

export type PairLoss = <const Options extends LossOptions = Record<never, never>>(
  prediction: Tensor,
  target: Tensor,
  options?: Options,
) => Loss<Options>;

export function pairLoss(name: string, op: Op): PairLoss {
  return (prediction, target, options) =>
    pair(name, op, prediction, target, checkOptions<LossOptions>(name, options, LOSS) as typeof options);
}

export function pair<Options extends LossOptions>(
  name: string,
  op: Op,
  prediction: Tensor,
  target: Tensor,
  options?: Options,
  attributes: Record<string, number> = {},
): Loss<Options> {
  checkPair(name, prediction, target);
  return reduce(name, applyOp(op, [floats(prediction, prediction), floats(target, prediction)], attributes), options);
}

/** No broadcasting: [N, 1] against [N] would silently compare every prediction with every target. */
export function checkPair(name: string, prediction: Tensor, target: Tensor): void {
  const [x, t] = [valueOf(prediction, name).shape, valueOf(target, name).shape];
  if (x.join() !== t.join())
    throw new ShapeError(
      `${name}: prediction ${shapeText(x)} and target ${shapeText(t)} must have the same shape`,
      hintForPair(prediction, target),
    );
  checkNotEmpty(name, prediction);
}

function hintForPair(prediction: Tensor, target: Tensor): { hint?: string } {
  const { shape, size } = prediction;
  if (target.size === size) return { hint: `reshape one of them: target.reshape(${shapeText(shape)})` };
  return areClassNumbers(target, prediction)
    ? { hint: `crossEntropy, if the targets are class numbers and the ${shape[1]} predictions are one for each class` }
    : {};
}

/**
 * The numbers that a loss understands as targets; others would give a loss that means nothing.
 * @throws InputError at the first other one
 */
export function checkTargets(name: string, target: Tensor, expected: string, rule: ElementRule, hint?: string): void {
  checkNumbers(name, "targets", target, expected, rule, hint);
}

/** The same of predictions. */
export function checkNumbers(name: string, what: string, numbers: Tensor, expected: string, rule: ElementRule, hint?: string): void {
  requireElements(
    valueOf(numbers, name),
    { ...rule, allowsNaN: true },
    (value, at) =>
      new InputError(`${name}: expected ${what} ${expected}, got ${value} at position ${at}`, hint === undefined ? {} : { hint }),
  );
}

/** Targets of two classes, certain or not. */
export function checkBinary(name: string, target: Tensor): void {
  checkTargets(
    name,
    target,
    "from 0 to 1",
    SHARE,
    "target.sub(1) for labels 1 and 2, hingeLoss for −1 and 1, crossEntropy for the numbers of more classes",
  );
}

/** What a model gives where log-probabilities are expected: no probabilities, and nothing above 0, but for rounding. */
export function checkLogProbabilities(name: string, given: Tensor): void {
  const { node } = valueOf(given, name);
  // Numbers that no model computed may be anything: a definition tried out.
  if (node === undefined) return;
  const hint = name === "negativeLogLikelihood" ? "crossEntropy for outputs without softmax and logarithm, or logSoftmax" : "logSoftmax";
  if (node.op.name === "softmax" || node.op.name === "sigmoid")
    throw new InputError(`${name}: expected log-probabilities, got probabilities of ${node.op.name}`, { hint });
  checkNumbers(name, "log-probabilities", given, "of at most 0", { most: 1e-3 }, hint);
}

/** From 0 to 1. */
export const SHARE: ElementRule = { least: 0, most: 1 };

/** With one class every prediction is right. @throws ShapeError with the hint for predictions [samples, 1, …] */
export function checkClassCount(name: string, shape: readonly number[], hint: string): void {
  if (shape[1] === 1)
    throw new ShapeError(`${name}: expected one prediction for each of at least 2 classes, got shape ${shapeText(shape)}`, { hint });
}

export function ofOneOutput(loss: string): string {
  return `${loss} for one output that tells two classes apart, or a last layer with one output for each class`;
}

/** The dimensions of predictions [batch, classes, …] but for the classes: those of class numbers. */
export function withoutClasses(shape: readonly number[]): readonly number[] {
  return shape.filter((_, d) => d !== 1);
}

/** Whether targets can be the class numbers of predictions, by their shapes. */
export function areClassNumbers(target: Tensor, prediction: Tensor): boolean {
  return prediction.rank >= 2 && target.shape.join() === withoutClasses(prediction.shape).join();
}

export function reduce<Options extends LossOptions>(name: string, losses: Tensor, options?: Options): Loss<Options> {
  const { reduction = "mean" } = options ?? {};
  const result =
    reduction === "none" ? losses : reduction === "sum" ? sumTerm(losses.sum()) : reduction === "mean" ? losses.mean() : undefined;
  if (result === undefined)
    throw new InputError(`${name}: unknown reduction "${reduction}"`, { hint: 'reductions: "mean", "sum", "none"' });
  return result as Loss<Options>;
}

/**
 * Σ w · loss / Σ w: the mean of your own losses over samples with different weights, such as a mask of 0 and 1. What
 * weighs 0 is left out, also where it is NaN. `fit` and `evaluate` add numerators and denominators of several batches,
 * so that their losses are those of all samples together.
 * @param losses and
 * @param weights [...] of one shape; the weights must not depend on the predictions
 * @throws ShapeError unless both have the same shape; InputError when they are empty
 * @example loss: (x, target) => weightedMean(x.sub(target).abs(), target.greater(0))
 */
export function weightedMean(losses: Tensor, weights: Tensor): Tensor<readonly []> {
  checkPair("weightedMean", losses, weights);
  const counts = floats(weights, losses).detach();
  const counting = where(counts.equal(0), 0, losses).mul(counts);
  return meanTerm(counting.sum(), counts.sum()) as Tensor<readonly []>;
}

/**
 * As floats that a loss is computed in: float64 beside a float64 prediction, else float32, also where the prediction is
 * bfloat16.
 */
export function floats(value: Tensor, like: Tensor): Tensor {
  const dtype = like.dtype === "float64" ? "float64" : "float32";
  return value.dtype === dtype ? value : value.to(dtype);
}

export function checkNotEmpty(name: string, prediction: Tensor): void {
  if (prediction.size === 0) throw new InputError(`${name}: the batch is empty: predictions have shape ${shapeText(prediction.shape)}`);
}
