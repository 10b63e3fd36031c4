// Margin losses: hinge losses of classes, and losses of pairs and triplets of embeddings.

import { oneHot, where } from "../../tensor/functions/index.ts";
import { valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/types.ts";
import { InputError, ShapeError } from "../../util/errors.ts";
import { checkOptions, type OptionNames } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { wholeNumbers } from "../checks.ts";
import {
  checkClassCount,
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
} from "./reduction.ts";

/** Reduction and margin. */
export interface MarginOptions extends LossOptions {
  /** The distance asked for. Default 1 (cosineEmbeddingLoss: 0). */
  readonly margin?: number;
}

const MARGIN: OptionNames<MarginOptions> = { ...LOSS, margin: true };

function checkMargin<Options extends MarginOptions>(name: string, options: Options): Options {
  const { margin = 0 } = options;
  if (!Number.isFinite(margin)) throw new InputError(`${name}: margin must be a number, got ${String(margin)}`);
  return options;
}

function marginOf(name: string, options: MarginOptions | undefined, usual: number): number {
  const { margin = usual } = checkMargin(name, checkOptions<MarginOptions>(name, options, MARGIN));
  return margin;
}

/**
 * max(0, margin − t · x) for targets −1 and 1. Cortes & Vapnik 1995.
 * @param prediction and @param target [...] of one shape
 * @throws ShapeError unless both have the same shape; InputError when they are empty or a target is neither −1 nor 1
 */
export function hingeLoss<const Options extends MarginOptions = Record<never, never>>(
  prediction: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  checkPair("hingeLoss", prediction, target);
  checkTargets("hingeLoss", target, "-1 and 1", SIGN, "target.mul(2).sub(1) for 0 and 1, or binaryCrossEntropyLogits");
  const margin = marginOf("hingeLoss", options, 1);
  return reduce("hingeLoss", prediction.mul(floats(target, prediction)).neg().add(margin).maximum(0), options);
}

/**
 * Σ over the wrong classes of max(0, margin − x[t] + x[c]) / classes. Crammer & Singer 2001, as PyTorch defines it.
 * @param scores [batch, classes]
 * @param target class numbers [batch]
 * @throws ShapeError when the shapes do not fit; InputError for a class out of range or an empty batch
 */
export function multiClassHingeLoss<const Options extends MarginOptions = Record<never, never>>(
  scores: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const name = "multiClassHingeLoss";
  const { shape } = valueOf(scores, name);
  valueOf(target, name);
  if (shape.length !== 2 || target.shape.join() !== String(shape[0]))
    throw new ShapeError(
      `${name}: expected scores [batch, classes] and class numbers [batch], got ${shapeText(shape)} and ${shapeText(target.shape)}`,
    );
  checkNotEmpty(name, scores);
  checkClassCount(name, shape, ofOneOutput("hingeLoss"));
  const margin = marginOf(name, options, 1);
  const classes = shape[1]!;
  checkTargets(name, target, `from 0 to ${classes - 1}, because there are ${classes} classes`, {
    least: 0,
    most: classes - 1,
  });
  const labels = target.dtype === "int32" ? target : wholeNumbers(name, target);
  const own = scores.gather(labels.reshape([-1, 1]), 1);
  const violations = where(oneHot(labels, classes).notEqual(0), 0, scores.sub(own).add(margin).maximum(0));
  return reduce(name, violations.sum(1).div(classes), options);
}

/**
 * 1 − cos(a, b) for pairs of target 1, max(0, cos(a, b) − margin) for pairs of target −1.
 * @param a and @param b [batch, size]
 * @param target 1 or −1 [batch]
 * @throws ShapeError when the shapes do not fit; InputError when they are empty or a target is neither −1 nor 1
 */
export function cosineEmbeddingLoss<const Options extends MarginOptions = Record<never, never>>(
  a: Tensor,
  b: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const name = "cosineEmbeddingLoss";
  checkPair(name, a, b);
  checkPerRow(name, a, target);
  checkTargets(name, target, "-1 and 1", SIGN, "target.mul(2).sub(1) for 0 and 1");
  const margin = marginOf(name, options, 0);
  const cosine = cosineSimilarity(a, b);
  const same = floats(target, a).add(1).mul(0.5);
  const losses = cosine
    .neg()
    .add(1)
    .mul(same)
    .add(cosine.sub(margin).maximum(0).mul(same.neg().add(1)));
  return reduce(name, losses, options);
}

/**
 * a · b / √(‖a‖² ‖b‖² + ε) along the last axis, in [−1, 1].
 * @param a and @param b [..., size], broadcast
 */
export function cosineSimilarity(a: Tensor, b: Tensor, epsilon = 1e-12): Tensor {
  const squares = a.square().sum(-1).add(epsilon).mul(b.square().sum(-1).add(epsilon));
  return a.mul(b).sum(-1).div(squares.sqrt());
}

/** Reduction, margin and distance. */
export interface TripletOptions extends MarginOptions {
  /** Order of the distance. Default 2: Euclidean. */
  readonly order?: number;
  /**
   * Takes the distance of positive and negative where it is smaller than that of anchor and negative. Default false.
   * Balntas et al. 2016.
   */
  readonly swap?: boolean;
}

/**
 * max(0, ‖anchor − positive‖ − ‖anchor − negative‖ + margin). Schroff et al. 2015, as PyTorch defines it (10⁻⁶ is added
 * to differences).
 * @param anchor ,
 * @param positive and
 * @param negative [batch, size]
 * @throws ShapeError unless all have the same shape; InputError when they are empty or the order is below 1
 */
export function tripletLoss<const Options extends TripletOptions = Record<never, never>>(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options?: Options,
): Loss<Options> {
  checkPair("tripletLoss", positive, anchor);
  checkPair("tripletLoss", negative, anchor);
  const {
    margin = 1,
    order = 2,
    swap = false,
  } = checkMargin("tripletLoss", checkOptions<TripletOptions>("tripletLoss", options, { ...MARGIN, order: true, swap: true }));
  const near = distance(anchor, positive, order);
  const far = distance(anchor, negative, order);
  const taken = swap ? far.minimum(distance(positive, negative, order)) : far;
  return reduce("tripletLoss", near.sub(taken).add(margin).maximum(0), options);
}

/**
 * d² for pairs of target 1, max(0, margin − d)² for pairs of target 0, d = ‖a − b‖. Hadsell et al. 2006 (there halved).
 * @param a and @param b [batch, size]
 * @param target 1: belong together, 0: do not [batch]
 * @throws ShapeError when the shapes do not fit; InputError when they are empty or a target is outside [0, 1]
 */
export function contrastiveLoss<const Options extends MarginOptions = Record<never, never>>(
  a: Tensor,
  b: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const name = "contrastiveLoss";
  checkPair(name, a, b);
  checkPerRow(name, a, target);
  checkTargets(name, target, "from 0 to 1", SHARE, "target.add(1).div(2) for −1 and 1");
  const margin = marginOf(name, options, 1);
  const together = floats(target, a);
  const apart = distance(a, b, 2);
  const losses = apart
    .square()
    .mul(together)
    .add(apart.neg().add(margin).maximum(0).square().mul(together.neg().add(1)));
  return reduce(name, losses, options);
}

/** (Σ |a − b + 10⁻⁶|ᵖ)^(1/p), as PyTorch defines it; its gradient at 0 is 0. */
function distance(a: Tensor, b: Tensor, order: number): Tensor {
  if (!(order >= 1)) throw new InputError(`tripletLoss: order must be at least 1, got ${order}`);
  const difference = a.sub(b).add(1e-6);
  if (order === 2) return difference.norm(-1);
  const total = difference.abs().pow(order).sum(-1);
  const isZero = total.equal(0);
  return where(isZero, 0, where(isZero, 1, total).pow(1 / order));
}

/** −1 or 1. */
const SIGN = { least: -1, most: 1, whole: true, except: 0 } as const;

function checkPerRow(name: string, rows: Tensor, target: Tensor): void {
  valueOf(target, name);
  if (rows.rank !== 2 || target.shape.join() !== String(rows.shape[0]))
    throw new ShapeError(
      `${name}: expected pairs [batch, size] and targets [batch], got ${shapeText(rows.shape)} and ${shapeText(target.shape)}`,
    );
}
