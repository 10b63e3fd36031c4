// Losses of distributions: Kullback–Leibler divergence, Poisson and Gaussian likelihoods.

import { where } from "../../tensor/functions/index.ts";
import { valueOf } from "../../tensor/tensor.ts";
import { requireElements } from "../../tensor/trace/trace.ts";
import type { Tensor } from "../../tensor/types.ts";
import { InputError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import {
  checkLogProbabilities,
  checkNumbers,
  checkPair,
  checkTargets,
  floats,
  LOSS,
  type Loss,
  type LossOptions,
  reduce,
} from "./reduction.ts";

/** How a divergence is reduced, and what the target holds. */
export interface DivergenceOptions {
  /**
   * "batchMean": the sum over the batch size, the divergence per sample (default); "mean" over all elements, "sum", or
   * "none".
   */
  readonly reduction?: "batchMean" | "mean" | "sum" | "none";
  /** The target holds logarithms. Default false. */
  readonly logTarget?: boolean;
}

/**
 * t · (log t − x) of log-probabilities x and probabilities t, 0 where t is 0: the bits (in nats) lost by taking x for
 * t. Kullback & Leibler 1951.
 * @param logProbabilities and
 * @param target [batch, …] of one shape
 * @throws ShapeError unless both have the same shape; InputError when they are empty, hold other numbers or the
 * reduction is unknown
 */
export function klDivergence(logProbabilities: Tensor, target: Tensor, options: DivergenceOptions = {}): Tensor {
  const name = "klDivergence";
  checkPair(name, logProbabilities, target);
  const { reduction = "batchMean", logTarget = false } = checkOptions<DivergenceOptions>(name, options, {
    reduction: true,
    logTarget: true,
  });
  if (!["batchMean", "mean", "sum", "none"].includes(reduction))
    throw new InputError(`klDivergence: unknown reduction "${reduction}"`, { hint: 'reductions: "batchMean", "mean", "sum", "none"' });
  checkLogProbabilities(name, logProbabilities);
  if (!logTarget) checkTargets(name, target, "that are probabilities, at least 0", { least: 0 }, "logTarget: true for log-probabilities");
  const wanted = floats(target, logProbabilities);
  // 0 · log 0 is 0, whatever the prediction: the product alone would be NaN, its gradient too.
  const isZero = wanted.equal(logTarget ? Number.NEGATIVE_INFINITY : 0);
  const [share, logarithm] = logTarget ? [wanted.exp(), where(isZero, 0, wanted)] : [wanted, where(isZero, 1, wanted).log()];
  const losses = share.mul(logarithm.sub(where(isZero, 0, logProbabilities)));
  if (reduction === "batchMean") return losses.sum().div(logProbabilities.shape[0] ?? 1);
  return reduce(name, losses, { reduction });
}

export interface PoissonOptions extends LossOptions {
  /**
   * The prediction is the logarithm of the rate (default), or the rate itself, to which 10⁻⁸ is added before its
   * logarithm is taken.
   */
  readonly logInput?: boolean;
}

/**
 * e^x − t·x for a log-rate x and a count t (or x − t·log x for a rate x), without the term log t! that does not depend
 * on x.
 * @param prediction and
 * @param target [...] of one shape
 * @throws ShapeError unless both have the same shape; InputError when they are empty or a count or rate is negative
 */
export function poissonNegativeLogLikelihood<const Options extends PoissonOptions = Record<never, never>>(
  prediction: Tensor,
  target: Tensor,
  options?: Options,
): Loss<Options> {
  const name = "poissonNegativeLogLikelihood";
  checkPair(name, prediction, target);
  const { logInput = true } = checkOptions<PoissonOptions>(name, options, { ...LOSS, logInput: true });
  checkTargets(name, target, "that are counts, at least 0", { least: 0 });
  if (!logInput)
    checkNumbers(name, "rates of", prediction, "at least 0", { least: 0 }, "logInput: true where the model gives the logarithm");
  const rate = logInput ? prediction.exp() : prediction;
  const logarithm = logInput ? prediction : prediction.add(1e-8).log();
  return reduce(name, rate.sub(floats(target, prediction).mul(logarithm)), options);
}

/**
 * ½(log v + (x − t)² / v) for a mean x and a variance v (at least epsilon), without the constant ½ log 2π. Nix &
 * Weigend 1994.
 * @param mean ,
 * @param target and
 * @param variance [...] of one shape
 * @throws ShapeError unless all have the same shape; InputError when they are empty or a variance is negative
 */
export function gaussianNegativeLogLikelihood<const Options extends LossOptions & { readonly epsilon?: number } = Record<never, never>>(
  mean: Tensor,
  target: Tensor,
  variance: Tensor,
  options?: Options,
): Loss<Options> {
  const name = "gaussianNegativeLogLikelihood";
  checkPair(name, mean, target);
  checkPair(name, mean, variance);
  const { epsilon = 1e-6 } = checkOptions<LossOptions & { readonly epsilon?: number }>(name, options, { ...LOSS, epsilon: true });
  if (!(epsilon > 0)) throw new InputError(`${name}: epsilon must be positive, got ${epsilon}`);
  requireElements(
    valueOf(variance, name),
    { least: 0, allowsNaN: true },
    (value, at) =>
      new InputError(`${name}: expected variances of at least 0, got ${value} at position ${at}`, {
        hint: "let the model give the logarithm and take exp, or use softplus",
      }),
  );
  const bounded = variance.maximum(epsilon);
  return reduce(
    name,
    bounded
      .log()
      .add(mean.sub(floats(target, mean)).square().div(bounded))
      .mul(0.5),
    options,
  );
}
