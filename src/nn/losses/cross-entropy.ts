// Losses of classes: cross entropy with all its options, negative log-likelihood, focal loss.

import * as rows from "../../ops/losses.ts";
import type { Op } from "../../ops/op.ts";
import { ones } from "../../tensor/create.ts";
import { applyOp, logSoftmax, where } from "../../tensor/functions/index.ts";
import { isTensor, valueOf } from "../../tensor/tensor.ts";
import { requireElements, whenKnown } from "../../tensor/trace/trace.ts";
import type { Tensor } from "../../tensor/types.ts";
import { InputError, ShapeError } from "../../util/errors.ts";
import { checkOptions, type OptionNames } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { product, wholeNumbers } from "../checks.ts";
import {
  checkBinary,
  checkClassCount,
  checkLogProbabilities,
  checkNotEmpty,
  checkPair,
  checkTargets,
  floats,
  LOSS,
  type Loss,
  type LossOptions,
  ofOneOutput,
  reduce,
  SHARE,
  withoutClasses,
} from "./reduction.ts";
import { meanTerm } from "./terms.ts";

/** Which samples count, and how much. */
export interface ClassLossOptions extends LossOptions {
  /** One number per class by which its samples count; the mean is then over the weights. Default: all 1. */
  readonly weights?: Tensor;
  /**
   * Samples of this class number do not count. A batch of nothing else has the mean NaN, and changes nothing in `fit`.
   * Default: none.
   */
  readonly ignoreIndex?: number;
}

/** Which samples count, how much, and how certain their targets are. */
export interface CrossEntropyOptions extends ClassLossOptions {
  /** Share of the target that is spread evenly over all classes, in [0, 1]. Default 0. Szegedy et al. 2016. */
  readonly labelSmoothing?: number;
}

/**
 * Cross entropy −Σ w t log softmax(x) over the classes, by default averaged over the samples (for class numbers: over
 * their weights).
 *
 * The textbook's definition for one sample of N classes, −(1/N) Σ t log y, divides by the number of classes too;
 * frameworks (and this function) do not: multiply by 1/N to get the printed value. The minimum is the same, the
 * gradient N times as large.
 *
 * @param logits [batch, classes] or [batch, classes, …positions], before softmax
 * @param target class numbers [batch] or [batch, …positions]; or one-hot or probabilities of the logits' shape
 * @throws InputError when a class number or an option is out of range (with its position) or the batch is empty;
 * ShapeError when the shapes do not fit
 */
export function crossEntropy<const Options extends CrossEntropyOptions = Record<never, never>>(
  logits: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const name = "crossEntropy";
  checkOptions<CrossEntropyOptions>(name, options, CROSS_ENTROPY);
  const { shape } = valueOf(logits, name);
  const { labelSmoothing: smoothing = 0, weights, ignoreIndex } = options ?? {};
  if (!(smoothing >= 0 && smoothing <= 1)) throw new InputError(`crossEntropy: labelSmoothing must be in [0, 1], got ${smoothing}`);
  const classes = shape[1] ?? 0;
  checkClassCount(name, shape, ofOneOutput("binaryCrossEntropyLogits"));
  if (shape.length >= 2 && valueOf(target, name).shape.join() === shape.join()) {
    checkNotEmpty(name, logits);
    if (ignoreIndex !== undefined) throw new InputError("crossEntropy: ignoreIndex needs class numbers, the target has probabilities");
    checkProbabilities(name, target);
    const scale = weights && checkWeights(name, weights, classes);
    let wanted = classesLast(floats(target, logits));
    if (smoothing > 0) wanted = wanted.mul(1 - smoothing).add(smoothing / classes);
    const losses = applyOp(rows.crossEntropyProbabilities, [classesLast(logits), scale ? wanted.mul(scale) : wanted]);
    // With weights Σ w t (z − x) is what the row computes: its z − x does not depend on Σ t.
    return reduce(name, losses.reshape(withoutClasses(shape)), options);
  }
  const labels = labelsOf(name, logits, target, options);
  const hard = byLabel(rows.crossEntropy, logits, labels);
  if (smoothing === 0) return reduceCounted(name, hard, labels, options);
  const minusLog = logSoftmax(without(labels.ignored, classesLast(logits))).neg();
  const even = (weights ? minusLog.mul(weights) : minusLog).mean(-1).reshape(withoutClasses(shape));
  return reduceCounted(
    name,
    hard.mul(1 - smoothing).add((labels.ignored === undefined ? even : where(labels.ignored, 0, even)).mul(smoothing)),
    labels,
    options,
  );
}

/**
 * −log-probability of the right class, by default averaged over the samples: crossEntropy after logSoftmax.
 * @param logProbabilities [batch, classes] or [batch, classes, …positions]
 * @param target class numbers [batch] or [batch, …positions]
 * @throws InputError when a class number is out of range (with its position) or the batch is empty; ShapeError when the
 * shapes do not fit
 */
export function negativeLogLikelihood<const Options extends ClassLossOptions = Record<never, never>>(
  logProbabilities: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const name = "negativeLogLikelihood";
  checkOptions<ClassLossOptions>(name, options, CLASS_LOSS);
  checkClassCount(name, valueOf(logProbabilities, name).shape, ofOneOutput("binaryCrossEntropy"));
  checkLogProbabilities(name, logProbabilities);
  valueOf(target, name);
  const labels = labelsOf(name, logProbabilities, target, options);
  return reduceCounted(name, byLabel(rows.negativeLogLikelihood, logProbabilities, labels), labels, options);
}

/** Reduction and weights of the focal loss. */
export interface FocalOptions extends LossOptions {
  /** How much less samples count that are right already. Default 2. */
  readonly gamma?: number;
  /** Weight of target 1 against 1 − alpha of target 0; null: both 1. Default 0.25. */
  readonly alpha?: number | null;
}

/**
 * Binary cross entropy of sigmoid(x) times (1 − p)^γ, p the probability of the right answer: easy samples hardly count.
 * Lin et al. 2017.
 * @param logits and
 * @param target [...] of one shape, targets from 0 to 1
 * @throws ShapeError unless both have the same shape; InputError when they are empty or an option is out of range
 */
export function focalLoss<const Options extends FocalOptions = Record<never, never>>(
  logits: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const { gamma = 2, alpha = 0.25 } = checkOptions<FocalOptions>("focalLoss", options, FOCAL);
  if (!(gamma >= 0)) throw new InputError(`focalLoss: gamma must not be negative, got ${gamma}`);
  if (alpha !== null && !(alpha >= 0 && alpha <= 1)) throw new InputError(`focalLoss: alpha must be in [0, 1], got ${alpha}`);
  checkPair("focalLoss", logits, target);
  checkBinary("focalLoss", target);
  const wanted = floats(target, logits);
  const entropy = applyOp(rows.binaryCrossEntropyLogits, [logits, wanted]);
  // 1 − p without the lost digits of a subtraction; the bound keeps the gradient of its power finite where it would be 0.
  const wrong = logits.sigmoid().mul(wanted.neg().add(1)).add(logits.neg().sigmoid().mul(wanted)).maximum(1e-30);
  const losses = gamma === 0 ? entropy : entropy.mul(wrong.pow(gamma));
  return reduce("focalLoss", alpha === null ? losses : losses.mul(wanted.mul(2 * alpha - 1).add(1 - alpha)), options);
}

const CLASS_LOSS: OptionNames<ClassLossOptions> = { ...LOSS, weights: true, ignoreIndex: true };
const CROSS_ENTROPY: OptionNames<CrossEntropyOptions> = { ...CLASS_LOSS, labelSmoothing: true };
const FOCAL: OptionNames<FocalOptions> = { ...LOSS, gamma: true, alpha: true };

interface Labels {
  /** Class numbers [samples]; 0 in place of ignored ones. */
  readonly labels: Tensor;
  /** Which samples do not count, of the target's shape; undefined: none. */
  readonly ignored: Tensor | undefined;
  /** Which predictions are not read, because they do not count or count 0 [samples]; undefined: none. */
  readonly unread: Tensor | undefined;
  /** By how much each sample counts, of the target's shape; undefined: all by 1. */
  readonly counts: Tensor | undefined;
}

function labelsOf(name: string, x: Tensor, target: Tensor, { weights, ignoreIndex }: ClassLossOptions = {}): Labels {
  const { shape } = valueOf(x, name);
  const expected = withoutClasses(shape);
  if (shape.length < 2) throw new ShapeError(`${name}: expected [batch, classes] or [batch, classes, …], got shape ${shapeText(shape)}`);
  if (target.shape.join() !== expected.join())
    throw new ShapeError(
      `${name}: for predictions of shape ${shapeText(shape)} expected class numbers of shape ${shapeText(expected)}${name === "crossEntropy" ? ", or probabilities of the predictions' shape" : ""}, got ${shapeText(target.shape)}`,
      target.size === product(expected) ? { hint: `target.reshape(${shapeText(expected)})` } : {},
    );
  checkNotEmpty(name, x);
  const given = (target.dtype === "int32" ? target : wholeNumbers(name, target)).reshape([target.size]);
  const classes = shape[1]!;
  requireElements(
    valueOf(target),
    { least: 0, most: classes - 1, also: ignoreIndex },
    (label, at) =>
      new InputError(
        `${name}: class ${label} at position ${at} is out of range: expected 0 to ${classes - 1}, because the predictions have ${classes} classes`,
        { hint: "number classes from 0 (target.sub(1) where they begin at 1), or give the last layer an output for each" },
      ),
  );
  if (weights === undefined && ignoreIndex === undefined)
    return { labels: given, ignored: undefined, unread: undefined, counts: undefined };
  const ignored = ignoreIndex === undefined ? undefined : given.equal(ignoreIndex);
  const labels = ignored === undefined ? given : where(ignored, 0, given);
  const byClass = weights === undefined ? ones([target.size], { dtype: x.dtype }) : checkWeights(name, weights, classes).take(labels);
  const counts = ignored === undefined ? byClass : where(ignored, 0, byClass);
  // Where the weights are learned, their gradient needs the losses of samples of weight 0.
  const unread = weights === undefined || weights.requiresGrad ? ignored : counts.equal(0);
  return { labels, ignored: ignored?.reshape(expected), unread, counts: counts.reshape(expected) };
}

/** The loss of every sample by its label, times what it counts. */
function byLabel(op: Op, x: Tensor, labels: Labels): Tensor {
  const losses = applyOp(op, [without(labels.unread, classesLast(x)), labels.labels]).reshape(withoutClasses(x.shape));
  return labels.counts === undefined ? losses : losses.mul(labels.counts);
}

/**
 * 0 in place of predictions that do not count: they may hold anything, and infinity or NaN times 0 is NaN, in gradients
 * too.
 */
function without(samples: Tensor | undefined, rows: Tensor): Tensor {
  return samples === undefined ? rows : where(samples.reshape([rows.shape[0]!, 1]), 0, rows);
}

/** The mean over samples that count differently divides by what they count together. */
function reduceCounted<Options extends LossOptions>(
  name: string,
  losses: Tensor,
  { counts }: Labels,
  options: Options | undefined,
): Loss<Options> {
  const isMean = (options?.reduction ?? "mean") === "mean";
  return counts !== undefined && isMean ? (meanTerm(losses.sum(), counts.sum()) as Loss<Options>) : reduce(name, losses, options);
}

/** Shares of the classes along axis 1; where all are 0 or 1, one of each sample is right. */
function checkProbabilities(name: string, target: Tensor): void {
  const { shape } = target;
  const classes = shape[1]!;
  const step = product(shape.slice(2));
  checkTargets(
    name,
    target,
    "that are probabilities, from 0 to 1",
    SHARE,
    `for class numbers a target of shape ${shapeText(withoutClasses(shape))}`,
  );
  whenKnown(valueOf(target), (data) => {
    if (data.some((value: number) => value !== 0 && value !== 1)) return;
    for (let sample = 0; sample < data.length / classes; sample++) {
      const start = Math.floor(sample / step) * classes * step + (sample % step);
      let right = 0;
      for (let c = 0; c < classes; c++) right += data[start + c * step]!;
      if (right !== 1)
        throw new InputError(`${name}: expected one class of each sample to be right, got ${right} of sample ${sample}`, {
          hint: "binaryCrossEntropyLogits, if none or several may be right at once",
        });
    }
  });
}

function checkWeights(name: string, weights: Tensor, classes: number): Tensor {
  if (!isTensor(weights) || weights.shape.join() !== String(classes))
    throw new ShapeError(
      `${name}: expected weights of shape [${classes}], one for each class, got ${isTensor(weights) ? shapeText(weights.shape) : typeof weights}`,
    );
  return weights;
}

/** [batch, classes, …positions] → [batch · positions, classes], as floats that losses are computed in. */
function classesLast(given: Tensor): Tensor {
  const x = floats(given, given);
  const { rank, shape } = x;
  if (rank === 2) return x;
  const order = [0, ...Array.from({ length: rank - 2 }, (_, d) => d + 2), 1];
  return x.transpose(order).reshape([-1, shape[1]!]);
}
