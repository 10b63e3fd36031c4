// Normalisation layers: batch normalisation with running statistics, and layer normalisation.

import { full, ones, parameter, zeros } from "../tensor/create.ts";
import * as functions from "../tensor/functions.ts";
import { noGrad } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { checkCount, checkFeatures, given } from "./checks.ts";
import { makeLayer, type ShapedLayer } from "./layer.ts";
import type { ChannelsRule, SameRule } from "./rules.ts";

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

export interface LayerNormOptions {
  readonly epsilon?: number;
  /** Learned weight and bias per element. Default true. */
  readonly affine?: boolean;
}

/**
 * Batch normalisation of [batch, channels, …] of any rank, over all but the channels: training uses the batch's mean and (biased)
 * variance and moves the running statistics by `momentum` (toward the unbiased variance); eval mode uses the running ones.
 * Parameters weight and bias [channels]; buffers runningMean and runningVariance [channels]. Ioffe & Szegedy 2015.
 */
export function batchNorm<const Channels extends number>(
  channels: Channels,
  options: BatchNormOptions = {},
): ShapedLayer<ChannelsRule<Channels>> {
  checkCount("batchNorm", "channels", channels);
  const { epsilon = 1e-5, momentum = 0.1, affine = true, trackRunningStatistics: tracks = true } = options;
  if (!(momentum >= 0 && momentum <= 1)) throw new InputError(`batchNorm: momentum must be in [0, 1], got ${momentum}`);
  if (!(epsilon >= 0)) throw new InputError(`batchNorm: epsilon must not be negative, got ${epsilon}`);
  const weight = affine ? parameter(ones([channels])) : undefined;
  const bias = affine ? parameter(zeros([channels])) : undefined;
  const runningMean = tracks ? zeros([channels]) : undefined;
  const runningVariance = tracks ? full([channels], 1) : undefined;
  return makeLayer({
    kind: "batchNorm",
    settings: { channels, ...given(options, ["epsilon", "momentum", "affine", "trackRunningStatistics"]) },
    parameters: { weight, bias },
    buffers: { runningMean, runningVariance },
    forward(state, x: Tensor) {
      checkFeatures("batchNorm", "channels", x, 1, channels);
      const perChannel = [1, channels, ...x.shape.slice(2).fill(1)];
      const spread = (value: Tensor): Tensor => value.reshape(perChannel);
      const apply = (mean: Tensor, variance: Tensor): Tensor =>
        functions.normalise(
          x,
          mean,
          variance,
          spread(weight ?? ones([channels], { dtype: x.dtype })),
          spread(bias ?? zeros([channels], { dtype: x.dtype })),
          epsilon,
        );
      if (!state.training && runningMean && runningVariance) return apply(spread(runningMean), spread(runningVariance));
      const count = x.size / channels;
      if (count < 2 && state.training)
        throw new InputError(`batchNorm: expected more than one value per channel in training, got shape [${x.shape.join(", ")}]`, {
          hint: "use a larger batch, or call eval() to use the running statistics",
        });
      const axes = x.shape.map((_, d) => d).filter((d) => d !== 1);
      const mean = x.mean(axes, { keepDims: true });
      const variance = x.variance(axes, { keepDims: true });
      if (state.training && runningMean && runningVariance) {
        noGrad(() => {
          move(runningMean, mean.reshape([channels]), momentum);
          // The sample variance estimates the population's only after n / (n − 1) (Bessel's correction).
          move(runningVariance, variance.reshape([channels]).mul(count / (count - 1)), momentum);
        });
      }
      return apply(mean, variance);
    },
  });
}

/**
 * Layer normalisation of the last dimensions, each sample by its own mean and variance; parameters weight and bias of `shape`.
 * Ba, Kiros & Hinton 2016.
 * @param shape the extents of the last dimensions; a number for one
 */
export function layerNorm(shape: number | readonly number[], options: LayerNormOptions = {}): ShapedLayer<SameRule> {
  const extents = typeof shape === "number" ? [shape] : [...shape];
  for (const extent of extents) checkCount("layerNorm", "shape", extent);
  const { epsilon = 1e-5, affine = true } = options;
  const weight = affine ? parameter(ones(extents)) : ones(extents);
  const bias = affine ? parameter(zeros(extents)) : zeros(extents);
  return makeLayer<ShapedLayer<SameRule>>({
    kind: "layerNorm",
    settings: { shape: extents, ...given(options, ["epsilon", "affine"]) },
    parameters: affine ? { weight, bias } : {},
    forward(_state, x: Tensor) {
      if (x.shape.slice(-extents.length).join() !== extents.join())
        throw new ShapeError(`layerNorm: expected the last dimensions to be [${extents.join(", ")}], got shape [${x.shape.join(", ")}]`);
      return functions.layerNorm(x, weight, bias, epsilon);
    },
  });
}

function move(running: Tensor, batch: Tensor, momentum: number): void {
  running.assign(
    running
      .mul(1 - momentum)
      .add(batch.detach().mul(momentum))
      .to(running.dtype),
  );
}
