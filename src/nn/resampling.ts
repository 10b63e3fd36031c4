// Layers that change spatial extents without weights: upsampling, padding, pixel shuffling.

import * as functions from "../tensor/functions/index.ts";
import type { PaddingAmounts, PaddingOptions, UpsampleOptions } from "../tensor/resampling.ts";
import type { Tensor } from "../tensor/types.ts";
import type { PerDimension } from "../tensor/windows.ts";
import { InputError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { checkCount, given, refuseTensor } from "./checks.ts";
import { type Layer, makeLayer, type ShapedLayer } from "./layer.ts";
import type { PaddingRule, ShuffleRule, UnshuffleRule, UpsampleRule } from "./rules.ts";

/**
 * Larger (or smaller) images: [batch, channels, …] → [batch, channels, …′], each extent times `scale`, or as `size`
 * says. The same layer serves signals, images and volumes. Parameters: none. Numbers as PyTorch's Upsample gives them.
 * @example sequential(upsample({ scale: 2, mode: "linear" }), conv2d(64, 32, 3, { padding: 1 }))
 * @throws InputError unless there is either a positive size or a positive scale
 */
export function upsample<const Options extends UpsampleOptions>(options: Options): ShapedLayer<UpsampleRule<Options>> {
  refuseTensor("upsample", options);
  if (typeof options !== "object" || options === null || (options.size === undefined) === (options.scale === undefined))
    throw new InputError("upsample: expected either a size or a scale", { hint: 'upsample({ scale: 2, mode: "linear" })' });
  checkOptions<UpsampleOptions>("upsample", options, { size: true, scale: true, mode: true, alignCorners: true });
  const value = (options.size ?? options.scale) as PerDimension;
  if ((typeof value === "number" ? [value] : value).some((item) => !(item > 0)))
    throw new InputError(
      `upsample: ${options.size === undefined ? "scale" : "size"} must be positive, got ${typeof value === "number" ? value : JSON.stringify(value)}`,
    );
  return makeLayer<ShapedLayer<UpsampleRule<Options>>>({
    kind: "upsample",
    settings: given(options, ["size", "scale", "mode", "alignCorners"]),
    forward: (_state, x: Tensor) => functions.upsample(x, options),
  });
}

/**
 * Adds a border around the spatial dimensions: of a constant, or of what the input continues with. `amounts` is one
 * number for all sides, or for each of the last dimensions a number or a pair [before, after].
 * @example sequential(padding(1, { mode: "reflect" }), conv2d(3, 16, 3))
 * @throws InputError when an amount is negative or not whole
 */
export function padding<const Amounts extends PaddingAmounts>(
  amounts: Amounts,
  options: PaddingOptions = {},
): ShapedLayer<PaddingRule<Amounts>> {
  refuseTensor("padding", amounts);
  checkOptions<PaddingOptions>("padding", options, { mode: true, value: true });
  const numbers: readonly unknown[] = Array.isArray(amounts) ? (amounts as readonly (number | readonly number[])[]).flat() : [amounts];
  for (const amount of numbers)
    if (!Number.isInteger(amount) || (amount as number) < 0)
      throw new InputError(`padding: amounts must be integers of at least 0, got ${String(amount)}`);
  return makeLayer<ShapedLayer<PaddingRule<Amounts>>>({
    kind: "padding",
    settings: { amounts: typeof amounts === "number" ? amounts : JSON.stringify(amounts), ...given(options, ["mode", "value"]) },
    forward: (_state, x: Tensor) => functions.padding(x, amounts, options),
  });
}

/**
 * Channels become pixels: [batch, channels · factor², height, width] → [batch, channels, height · factor, width ·
 * factor]. Shi et al. 2016 (sub-pixel convolution).
 */
export function pixelShuffle<const Factor extends number>(factor: Factor): ShapedLayer<ShuffleRule<Factor>> {
  return shuffling("pixelShuffle", factor, functions.pixelShuffle) as unknown as ShapedLayer<ShuffleRule<Factor>>;
}

/**
 * Pixels become channels: [batch, channels, height · factor, width · factor] → [batch, channels · factor², height,
 * width].
 */
export function pixelUnshuffle<const Factor extends number>(factor: Factor): ShapedLayer<UnshuffleRule<Factor>> {
  return shuffling("pixelUnshuffle", factor, functions.pixelUnshuffle) as unknown as ShapedLayer<UnshuffleRule<Factor>>;
}

function shuffling(kind: string, factor: number, move: (x: Tensor, factor: number) => Tensor): Layer {
  refuseTensor(kind, factor);
  checkCount(kind, "factor", factor);
  return makeLayer<Layer>({ kind, settings: { factor }, forward: (_state, x: Tensor) => move(x, factor) });
}
