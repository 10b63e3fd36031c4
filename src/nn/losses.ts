// Loss functions: how far predictions are from targets, as one number (or one per element or sample).

import * as rows from "../ops/losses.ts";
import type { Op } from "../ops/op.ts";
import { applyOp } from "../tensor/functions.ts";
import { valueOf } from "../tensor/tensor.ts";
import { whenKnown } from "../tensor/trace.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { wholeNumbers } from "./checks.ts";

export interface LossOptions {
  /** "mean" over the elements or samples (default), their "sum", or "none": every one. */
  readonly reduction?: "mean" | "sum" | "none";
}

/** The loss as a single number unless the reduction is "none". */
type Loss<Options> = Options extends { readonly reduction: infer Reduction }
  ? "none" extends Reduction
    ? Tensor
    : Tensor<readonly []>
  : Tensor<readonly []>;

type PairLoss = <const Options extends LossOptions = Record<never, never>>(
  prediction: Tensor,
  target: Tensor,
  options?: Options,
) => Loss<Options>;

/** (x − t)², by default its mean over all elements. @throws ShapeError unless both have the same shape; InputError when they are empty */
export const meanSquaredError: PairLoss = pairLoss("meanSquaredError", rows.squaredError);

/** |x − t|, by default its mean over all elements. @throws ShapeError unless both have the same shape; InputError when they are empty */
export const absoluteError: PairLoss = pairLoss("absoluteError", rows.absoluteError);

/** ½(x − t)² up to a distance of delta (default 1), beyond it delta·(|x − t| − ½delta). Huber 1964. */
export function huber<const Options extends LossOptions & { readonly delta?: number } = Record<never, never>>(
  prediction: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const delta = options?.delta ?? 1;
  if (!(delta > 0)) throw new InputError(`huber: delta must be positive, got ${delta}`);
  return pair("huber", rows.huber, prediction, target, options, { delta });
}

/**
 * Binary cross entropy −(t log x + (1 − t) log(1 − x)) of probabilities; logarithms stop at −100, as in PyTorch.
 * @throws InputError when a prediction lies outside [0, 1]; NaN passes through
 */
export const binaryCrossEntropy: PairLoss = (prediction, target, options) => {
  whenKnown(valueOf(prediction, "binaryCrossEntropy"), (data) => {
    const at = data.findIndex((value: number) => value < 0 || value > 1);
    if (at >= 0)
      throw new InputError(`binaryCrossEntropy: expected probabilities from 0 to 1, got ${data[at]} at position ${at}`, {
        hint: "for outputs without sigmoid use binaryCrossEntropyLogits",
      });
  });
  return pair("binaryCrossEntropy", rows.binaryCrossEntropy, prediction, target, options);
};

/** Binary cross entropy of sigmoid(x), from the logit x itself: no overflow, no lost digits. */
export const binaryCrossEntropyLogits: PairLoss = pairLoss("binaryCrossEntropyLogits", rows.binaryCrossEntropyLogits);

/**
 * Cross entropy −Σ t log softmax(x) over the classes, by default averaged over the samples.
 *
 * The textbook's definition for one sample of N classes, −(1/N) Σ t log y, divides by the number of classes too; frameworks (and
 * this function) do not: multiply by 1/N to get the printed value. The minimum is the same, the gradient N times as large.
 *
 * @param logits [batch, classes] or [batch, classes, …positions], before softmax
 * @param target class numbers [batch] or [batch, …positions]; or one-hot or probabilities of the logits' shape
 * @throws InputError when a class number is out of range (with its position) or the batch is empty; ShapeError when the shapes do not fit
 */
export function crossEntropy<const Options extends LossOptions = Record<never, never>>(
  logits: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const name = "crossEntropy";
  const { shape } = valueOf(logits, name);
  const labels = valueOf(target, name);
  if (shape.length >= 2 && labels.shape.join() === shape.join()) {
    checkNotEmpty(name, logits);
    const losses = applyOp(rows.crossEntropyProbabilities, [classesLast(logits), classesLast(floats(target, logits))]);
    return reduce(name, losses.reshape(withoutClasses(shape)), options);
  }
  return byLabel(name, rows.crossEntropy, logits, target, options);
}

/**
 * −log-probability of the right class, by default averaged over the samples: crossEntropy after logSoftmax.
 * @param logProbabilities [batch, classes] or [batch, classes, …positions]
 * @param target class numbers [batch] or [batch, …positions]
 * @throws InputError when a class number is out of range (with its position) or the batch is empty; ShapeError when the shapes do not fit
 */
export function negativeLogLikelihood<const Options extends LossOptions = Record<never, never>>(
  logProbabilities: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  return byLabel("negativeLogLikelihood", rows.negativeLogLikelihood, logProbabilities, target, options);
}

function pairLoss(name: string, op: Op): PairLoss {
  return (prediction, target, options) => pair(name, op, prediction, target, options);
}

function pair<Options extends LossOptions>(
  name: string,
  op: Op,
  prediction: Tensor,
  target: Tensor,
  options?: Options,
  attributes: Record<string, number> = {},
): Loss<Options> {
  const [x, t] = [valueOf(prediction, name).shape, valueOf(target, name).shape];
  // No broadcasting: [N, 1] against [N] would silently compare every prediction with every target.
  if (x.join() !== t.join())
    throw new ShapeError(
      `${name}: prediction [${x.join(", ")}] and target [${t.join(", ")}] must have the same shape`,
      prediction.size === target.size ? { hint: `reshape one of them: target.reshape([${x.join(", ")}])` } : {},
    );
  checkNotEmpty(name, prediction);
  return reduce(name, applyOp(op, [floats(prediction, prediction), floats(target, prediction)], attributes), options);
}

function byLabel<Options extends LossOptions>(name: string, op: Op, x: Tensor, target: Tensor, options?: Options): Loss<Options> {
  const { shape } = valueOf(x, name);
  const expected = withoutClasses(shape);
  if (shape.length < 2) throw new ShapeError(`${name}: expected [batch, classes] or [batch, classes, …], got shape [${shape.join(", ")}]`);
  if (target.shape.join() !== expected.join())
    throw new ShapeError(
      `${name}: for predictions of shape [${shape.join(", ")}] expected class numbers of shape [${expected.join(", ")}]${name === "crossEntropy" ? ", or probabilities of the predictions' shape" : ""}, got [${target.shape.join(", ")}]`,
    );
  checkNotEmpty(name, x);
  const labels = target.dtype === "int32" ? target : wholeNumbers(name, target);
  const classes = shape[1] as number;
  whenKnown(valueOf(target), (data) => {
    const at = data.findIndex((label: number) => label < 0 || label >= classes);
    if (at >= 0)
      throw new InputError(
        `${name}: class ${data[at]} at position ${at} is out of range: expected 0 to ${classes - 1}, because the predictions have ${classes} classes`,
        { hint: "classes are numbered from 0" },
      );
  });
  return reduce(name, applyOp(op, [classesLast(x), labels.reshape([labels.size])]).reshape(expected), options);
}

function reduce<Options extends LossOptions>(name: string, losses: Tensor, options?: Options): Loss<Options> {
  const { reduction = "mean" } = options ?? {};
  const result = reduction === "none" ? losses : reduction === "sum" ? losses.sum() : reduction === "mean" ? losses.mean() : undefined;
  if (result === undefined)
    throw new InputError(`${name}: unknown reduction "${reduction}"`, { hint: 'reductions: "mean", "sum", "none"' });
  return result as Loss<Options>;
}

/** [batch, classes, …positions] → [batch · positions, classes]. */
function classesLast(x: Tensor): Tensor {
  const { rank, shape } = x;
  if (rank === 2) return x;
  const order = [0, ...Array.from({ length: rank - 2 }, (_, d) => d + 2), 1];
  return x.transpose(order).reshape([-1, shape[1] as number]);
}

function withoutClasses(shape: readonly number[]): readonly number[] {
  return shape.filter((_, d) => d !== 1);
}

/** Whole numbers as floats of the prediction's kind. */
function floats(value: Tensor, like: Tensor): Tensor {
  const dtype = like.dtype.startsWith("float") ? like.dtype : "float32";
  return value.dtype === dtype ? value : value.to(dtype);
}

function checkNotEmpty(name: string, prediction: Tensor): void {
  if (prediction.size === 0)
    throw new InputError(`${name}: the batch is empty: predictions have shape [${prediction.shape.join(", ")}]`, {
      hint: "check the data set's size and the batch size",
    });
}
