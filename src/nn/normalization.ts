// Normalization layers: batch and instance (running statistics), layer, group, RMS, local response.

import { noGrad } from "../tensor/autograd/tape.ts";
import { full, ones, parameter, zeros } from "../tensor/create.ts";
import * as functions from "../tensor/functions/index.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { checkCount, checkFeatures, checkRank, divisors, given, product } from "./checks.ts";
import { type LayerMembers, makeLayer, type ShapedLayer } from "./layer.ts";
import type { ChannelsRule, SameRule } from "./rules.ts";

/** Settings of a batch normalization. */
export interface BatchNormOptions {
  /** Added to the variance before the root. Default 1e-5. */
  readonly epsilon?: number;
  /** Share of the new batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
  /** Learned weight and bias per channel. Default true. */
  readonly affine?: boolean;
  /** Keep running statistics and use them in eval mode; else the batch's own are used there too. Default true. */
  readonly trackRunningStatistics?: boolean;
}

/** Settings of a layer normalization. */
export interface LayerNormOptions {
  readonly epsilon?: number;
  /** Learned weight and bias per element. Default true. */
  readonly affine?: boolean;
}

/**
 * Batch normalization of [batch, channels, …] of any rank, over all but the channels: training uses the batch's mean
 * and (biased) variance and moves the running statistics by `momentum` (toward the unbiased variance); eval mode uses
 * the running ones. Parameters weight and bias [channels]; buffers runningMean and runningVariance [channels]. Ioffe &
 * Szegedy 2015.
 */
export function batchNorm<const Channels extends number>(
  channels: Channels,
  options: BatchNormOptions = {},
): ShapedLayer<ChannelsRule<Channels>> {
  return byStatistics("batchNorm", channels, { affine: true, trackRunningStatistics: true, ...options }, options, 0);
}

/**
 * Instance normalization of [batch, channels, …]: every channel of every sample by its own mean and (biased) variance.
 * Parameters weight and bias [channels] when `affine`; with `trackRunningStatistics` buffers runningMean and
 * runningVariance [channels], which eval mode uses. Both are off unless asked for. Ulyanov, Vedaldi & Lempitsky 2016.
 */
export function instanceNorm<const Channels extends number>(
  channels: Channels,
  options: BatchNormOptions = {},
): ShapedLayer<ChannelsRule<Channels, "instanceNorm">> {
  return byStatistics("instanceNorm", channels, { affine: false, trackRunningStatistics: false, ...options }, options, 2);
}

/**
 * Normalizes by the statistics over the channels' positions, and over the batch too when `from` is 0; keeps running
 * ones where asked to.
 */
function byStatistics<Made extends LayerMembers>(
  kind: string,
  channels: number,
  { epsilon = 1e-5, momentum = 0.1, affine, trackRunningStatistics: tracks }: BatchNormOptions,
  options: BatchNormOptions,
  from: 0 | 2,
): Made {
  checkOptions<BatchNormOptions>(kind, options, { epsilon: true, momentum: true, affine: true, trackRunningStatistics: true });
  checkCount(kind, "channels", channels);
  if (!(momentum >= 0 && momentum <= 1)) throw new InputError(`${kind}: momentum must be in [0, 1], got ${momentum}`);
  checkEpsilon(kind, epsilon);
  const weight = affine ? parameter(ones([channels])) : undefined;
  const bias = affine ? parameter(zeros([channels])) : undefined;
  const runningMean = tracks ? zeros([channels]) : undefined;
  const runningVariance = tracks ? full([channels], 1) : undefined;
  return makeLayer<Made>({
    kind,
    settings: { channels, ...given(options, ["epsilon", "momentum", "affine", "trackRunningStatistics"]) },
    parameters: { weight, bias },
    buffers: { runningMean, runningVariance },
    forward(state, x: Tensor) {
      if (from === 2) checkRank(kind, x, [3, 4, 5], "[batch, channels, …] with one to three spatial dimensions");
      checkFeatures(kind, "channels", x, 1, channels);
      const perChannel = [1, channels, ...x.shape.slice(2).fill(1)];
      const spread = (value: Tensor): Tensor => value.reshape(perChannel);
      const apply = (mean: Tensor, variance: Tensor): Tensor =>
        functions.normalize(
          x,
          mean,
          variance,
          spread(weight ?? ones([channels], { dtype: x.dtype })),
          spread(bias ?? zeros([channels], { dtype: x.dtype })),
          epsilon,
        );
      if (!state.training && runningMean && runningVariance) return apply(spread(runningMean), spread(runningVariance));
      const axes = x.shape.map((_, d) => d).filter((d) => d !== 1 && d >= from);
      const count = product(axes.map((d) => x.shape[d]!));
      if (count < 2 && state.training)
        throw new InputError(`${kind}: expected more than one value per channel in training, got shape ${shapeText(x.shape)}`, {
          hint:
            from === 0
              ? "leave out a last batch that is smaller (dropLast: true in fit and DataLoader), use larger batches, or call eval() to use the running statistics"
              : "use inputs with more than one position",
        });
      const mean = x.mean(axes, { keepDims: true });
      const variance = x.variance(axes, { keepDims: true });
      if (state.training && runningMean && runningVariance) {
        // One number per channel: over the samples, where each has its own.
        const overall = (value: Tensor): Tensor => (from === 0 ? value : value.mean(0)).reshape([channels]);
        noGrad(() => {
          move(runningMean, overall(mean), momentum);
          // The sample variance estimates the population's only after n / (n − 1) (Bessel's correction).
          move(runningVariance, overall(variance).mul(count / (count - 1)), momentum);
        });
      }
      return apply(mean, variance);
    },
  });
}

/**
 * Layer normalization of the last dimensions, each sample by its own mean and variance; parameters weight and bias of
 * `shape`. Ba, Kiros & Hinton 2016.
 * @param shape the extents of the last dimensions; a number for one
 */
export function layerNorm(shape: number | readonly number[], options: LayerNormOptions = {}): ShapedLayer<SameRule> {
  checkOptions<LayerNormOptions>("layerNorm", options, { epsilon: true, affine: true });
  const extents = lastExtents("layerNorm", shape);
  const { epsilon = 1e-5, affine = true } = options;
  const weight = affine ? parameter(ones(extents)) : ones(extents);
  const bias = affine ? parameter(zeros(extents)) : zeros(extents);
  return makeLayer<ShapedLayer<SameRule>>({
    kind: "layerNorm",
    settings: { shape: extents, ...given(options, ["epsilon", "affine"]) },
    parameters: affine ? { weight, bias } : {},
    forward(_state, x: Tensor) {
      checkLast("layerNorm", x, extents);
      return functions.layerNorm(x, weight, bias, epsilon);
    },
  });
}

/**
 * Group normalization of [batch, channels, …]: every group of channels of every sample by its own mean and variance,
 * which do not depend on the batch. Parameters weight and bias [channels]. Wu & He 2018.
 * @throws InputError when the groups do not divide the channels
 */
export function groupNorm<const Channels extends number>(
  groups: number,
  channels: Channels,
  options: LayerNormOptions = {},
): ShapedLayer<ChannelsRule<Channels, "groupNorm">> {
  checkOptions<LayerNormOptions>("groupNorm", options, { epsilon: true, affine: true });
  checkCount("groupNorm", "groups", groups);
  checkCount("groupNorm", "channels", channels);
  if (channels % groups !== 0)
    throw new InputError(`groupNorm: ${groups} groups do not divide ${channels} channels`, {
      hint: `groupNorm(groups, channels); ${channels} channels make ${divisors(channels).join(", ")} groups`,
    });
  const { epsilon = 1e-5, affine = true } = options;
  checkEpsilon("groupNorm", epsilon);
  const make = affine ? parameter : <T>(value: T): T => value;
  const weight = make(ones([channels]));
  const bias = make(zeros([channels]));
  return makeLayer({
    kind: "groupNorm",
    settings: { groups, channels, ...given(options, ["epsilon", "affine"]) },
    parameters: affine ? { weight, bias } : {},
    forward(_state, x: Tensor) {
      checkFeatures("groupNorm", "channels", x, 1, channels);
      return functions.groupNorm(x, groups, weight, bias, epsilon);
    },
  });
}

/**
 * Divides each sample by the root mean square of its last dimensions; parameter weight of `shape`. Zhang & Sennrich 2019.
 * @param shape the extents of the last dimensions; a number for one
 * @param options epsilon, by default 1e-6, is added to the mean square before the root
 */
export function rmsNorm(shape: number | readonly number[], options: LayerNormOptions = {}): ShapedLayer<SameRule> {
  checkOptions<LayerNormOptions>("rmsNorm", options, { epsilon: true, affine: true });
  const extents = lastExtents("rmsNorm", shape);
  const { epsilon = 1e-6, affine = true } = options;
  checkEpsilon("rmsNorm", epsilon);
  const weight = affine ? parameter(ones(extents)) : ones(extents);
  return makeLayer<ShapedLayer<SameRule>>({
    kind: "rmsNorm",
    settings: { shape: extents, ...given(options, ["epsilon", "affine"]) },
    parameters: affine ? { weight } : {},
    forward(_state, x: Tensor) {
      checkLast("rmsNorm", x, extents);
      return functions.rmsNorm(x, weight, epsilon);
    },
  });
}

/**
 * Divides by (bias + alpha · mean square of the `size` channels around)^beta: [batch, channels, …] stays. Krizhevsky et
 * al. 2012, as PyTorch defines it.
 */
export function localResponseNorm(
  size: number,
  options: { readonly alpha?: number; readonly beta?: number; readonly bias?: number } = {},
): ShapedLayer<SameRule> {
  checkOptions<typeof options>("localResponseNorm", options, { alpha: true, beta: true, bias: true });
  checkCount("localResponseNorm", "size", size);
  return makeLayer<ShapedLayer<SameRule>>({
    kind: "localResponseNorm",
    settings: { size, ...given(options, ["alpha", "beta", "bias"]) },
    forward: (_state, x: Tensor) => functions.localResponseNorm(x, size, options),
  });
}

function checkEpsilon(kind: string, epsilon: number): void {
  if (!(epsilon >= 0)) throw new InputError(`${kind}: epsilon must not be negative, got ${epsilon}`);
}

function lastExtents(kind: string, shape: number | readonly number[]): readonly number[] {
  const extents = typeof shape === "number" ? [shape] : [...shape];
  if (extents.length === 0) throw new InputError(`${kind}: expected the extents of the last dimensions, got none`);
  for (const extent of extents) checkCount(kind, "shape", extent);
  return extents;
}

function checkLast(kind: string, x: Tensor, extents: readonly number[]): void {
  if (x.shape.slice(-extents.length).join() !== extents.join())
    throw new ShapeError(`${kind}: expected the last dimensions to be ${shapeText(extents)}, got shape ${shapeText(x.shape)}`);
}

function move(running: Tensor, batch: Tensor, momentum: number): void {
  running.assign(
    running
      .mul(1 - momentum)
      .add(batch.detach().mul(momentum))
      .to(running.dtype),
  );
}
