// Normalization over batches, features, groups and neighbouring channels.

import { sizeOfShape } from "../../nest/evaluate.ts";
import * as normalizations from "../../ops/normalizations.ts";
import { InputError, ShapeError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { apply } from "../engine.ts";
import * as operate from "../operate.ts";
import { asTensor, valueOf } from "../tensor.ts";
import type { Tensor } from "../types.ts";

/** (x − mean) / √(variance + epsilon) · weight + bias, all broadcast. */
export function normalize(x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  return asTensor(
    apply(
      normalizations.normalize,
      [x, mean, variance, weight, bias].map((item) => valueOf(item, "normalize")),
      { epsilon },
    ),
  );
}

/**
 * The same under its former spelling.
 * @deprecated Use normalize.
 * @example normalise(x, mean, variance, weight, bias)
 */
export function normalise(...given: Parameters<typeof normalize>): Tensor {
  return normalize(...given);
}

/** Normalizes over the last dimensions, as many as weight and bias have. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  const axes = Array.from({ length: weight.rank }, (_, d) => x.rank - weight.rank + d);
  return asTensor(
    apply(
      normalizations.layerNorm,
      [x, weight, bias].map((item) => valueOf(item, "layerNorm")),
      { axes, epsilon },
    ),
  );
}

/**
 * Normalizes [batch, channels, …] over the positions and channels of each group, then scales and shifts each channel.
 * @param weight and bias [channels]
 * @throws ShapeError when the groups do not divide the channels
 */
export function groupNorm(x: Tensor, groups: number, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  const value = valueOf(x, "groupNorm");
  const [batch = 0, channels = 0] = value.shape;
  if (value.rank < 2 || !(groups > 0) || channels % groups !== 0)
    throw new ShapeError(`groupNorm: ${groups} groups do not divide the channels of [batch, channels, …]: x is ${shapeText(x.shape)}`);
  const inner = channels / groups;
  const grouped = operate.reshape(value, [batch, groups, inner, sizeOfShape(value.shape.slice(2))]);
  const [scale, shift] = [weight, bias].map((item) => operate.reshape(valueOf(item, "groupNorm"), [groups, inner, 1]));
  const y = apply(normalizations.layerNorm, [grouped, scale as typeof value, shift as typeof value], { axes: [2, 3], epsilon });
  return asTensor(operate.reshape(y, value.shape));
}

/** Divides by the root mean square over the last dimensions, as many as weight has. */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon = 1e-6): Tensor {
  const axes = Array.from({ length: weight.rank }, (_, d) => x.rank - weight.rank + d);
  return asTensor(apply(normalizations.rmsNorm, [valueOf(x, "rmsNorm"), valueOf(weight, "rmsNorm")], { axes, epsilon }));
}

/** x / (bias + alpha · mean of the squares of `size` neighbouring channels)^beta, for [batch, channels, …]. */
export function localResponseNorm(
  x: Tensor,
  size: number,
  options: { readonly alpha?: number; readonly beta?: number; readonly bias?: number } = {},
): Tensor {
  const value = valueOf(x, "localResponseNorm");
  const [batch = 0, channels = 0, ...spatial] = value.shape;
  if (value.rank < 2) throw new ShapeError(`localResponseNorm: expected [batch, channels, …], got shape ${shapeText(x.shape)}`);
  if (!Number.isInteger(size) || size < 1) throw new InputError(`localResponseNorm: size must be a positive integer, got ${size}`);
  const flat = operate.reshape(value, [batch, channels, sizeOfShape(spatial)]);
  const {
    alpha = 1e-4,
    beta = 0.75,
    bias = 1,
  } = checkOptions<typeof options>("localResponseNorm", options, { alpha: true, beta: true, bias: true });
  const attributes = { size, before: size >> 1, channels, alpha, beta, bias };
  return asTensor(operate.reshape(apply(normalizations.localResponseNorm, [flat], attributes), value.shape));
}
