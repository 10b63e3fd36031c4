// Pooling layers: over windows, or over everything.

import * as functions from "../tensor/functions/index.ts";
import type { Tensor } from "../tensor/types.ts";
import {
  AVERAGE_POOLING,
  type AveragePoolingOptions,
  type PerDimension,
  POOLING,
  type PoolingOptions,
  perDimension,
} from "../tensor/windows.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";
import { checkRank, given, SPATIAL } from "./checks.ts";
import { type Layer, makeLayer, type ShapedLayer } from "./layer.ts";
import type { AdaptiveRule, GlobalPoolingRule, PoolingRule, Sizes, Windows } from "./rules.ts";

export type { AveragePoolingOptions } from "../tensor/windows.ts";

/** The shape of what a global pooling gives. */
export interface GlobalPoolingOptions {
  /** Keeps the spatial dimensions with extent 1. Default false. */
  readonly keepDims?: boolean;
}

/** No options given: every default is known. */
type NoOptions = Record<never, never>;
type Option<Options, Key extends string, Default> = Options extends { readonly [K in Key]: infer Value } ? Value : Default;
type Known<Options> = Options extends { readonly dilation: unknown } | { readonly ceilMode: unknown } ? false : true;

/** The layer's type from its literal arguments; with a dilation or ceilMode the compiler does not follow the sizes. */
export type PoolingLayer<Dimensions extends readonly unknown[], Kernel, Options> = ShapedLayer<
  PoolingRule<Windows<Dimensions, Kernel, Option<Options, "stride", Kernel>, Option<Options, "padding", 0>, Known<Options>>>
>;

/**
 * Largest value of each window of [batch, channels, length].
 * @param kernelSize extent of the window: one number
 * @param options stride the kernel size, padding 0, dilation 1, ceilMode false unless given
 * @throws InputError when a size is not a positive integer
 */
export function maxPool1d<const Kernel extends PerDimension, const Options extends PoolingOptions | NoOptions = NoOptions>(
  kernelSize: Kernel,
  options?: Options,
): PoolingLayer<[0], Kernel, Options> {
  return pooling("max", 1, kernelSize, options);
}

/**
 * Largest value of each window of [batch, channels, height, width].
 * @param kernelSize extent of the window: one number, or one per dimension
 * @param options stride the kernel size, padding 0, dilation 1, ceilMode false unless given
 * @throws InputError when a size is not a positive integer
 */
export function maxPool2d<const Kernel extends PerDimension, const Options extends PoolingOptions | NoOptions = NoOptions>(
  kernelSize: Kernel,
  options?: Options,
): PoolingLayer<[0, 0], Kernel, Options> {
  return pooling("max", 2, kernelSize, options);
}

/**
 * Largest value of each window of [batch, channels, depth, height, width].
 * @param kernelSize extent of the window: one number, or one per dimension
 * @param options stride the kernel size, padding 0, dilation 1, ceilMode false unless given
 * @throws InputError when a size is not a positive integer
 */
export function maxPool3d<const Kernel extends PerDimension, const Options extends PoolingOptions | NoOptions = NoOptions>(
  kernelSize: Kernel,
  options?: Options,
): PoolingLayer<[0, 0, 0], Kernel, Options> {
  return pooling("max", 3, kernelSize, options);
}

/**
 * Mean of each window of [batch, channels, length].
 * @param kernelSize extent of the window: one number
 * @param options stride the kernel size, padding 0, dilation 1, ceilMode false, countPadding true unless given
 * @throws InputError when a size is not a positive integer
 */
export function averagePool1d<const Kernel extends PerDimension, const Options extends AveragePoolingOptions | NoOptions = NoOptions>(
  kernelSize: Kernel,
  options?: Options,
): PoolingLayer<[0], Kernel, Options> {
  return pooling("average", 1, kernelSize, options);
}

/**
 * Mean of each window of [batch, channels, height, width].
 * @param kernelSize extent of the window: one number, or one per dimension
 * @param options stride the kernel size, padding 0, dilation 1, ceilMode false, countPadding true unless given
 * @throws InputError when a size is not a positive integer
 */
export function averagePool2d<const Kernel extends PerDimension, const Options extends AveragePoolingOptions | NoOptions = NoOptions>(
  kernelSize: Kernel,
  options?: Options,
): PoolingLayer<[0, 0], Kernel, Options> {
  return pooling("average", 2, kernelSize, options);
}

/**
 * Mean of each window of [batch, channels, depth, height, width].
 * @param kernelSize extent of the window: one number, or one per dimension
 * @param options stride the kernel size, padding 0, dilation 1, ceilMode false, countPadding true unless given
 * @throws InputError when a size is not a positive integer
 */
export function averagePool3d<const Kernel extends PerDimension, const Options extends AveragePoolingOptions | NoOptions = NoOptions>(
  kernelSize: Kernel,
  options?: Options,
): PoolingLayer<[0, 0, 0], Kernel, Options> {
  return pooling("average", 3, kernelSize, options);
}

/** Mean of every channel: [batch, channels, …] → [batch, channels]. */
export function globalAveragePool(options: GlobalPoolingOptions & { readonly keepDims: true }): Layer;
export function globalAveragePool(options?: GlobalPoolingOptions & { readonly keepDims?: false }): ShapedLayer<GlobalPoolingRule>;
export function globalAveragePool(options: GlobalPoolingOptions = {}): unknown {
  return globalPooling("globalAveragePool", options, (x, axes) => x.mean(axes, options));
}

/** Largest value of every channel: [batch, channels, …] → [batch, channels]. */
export function globalMaxPool(options: GlobalPoolingOptions & { readonly keepDims: true }): Layer;
export function globalMaxPool(options?: GlobalPoolingOptions & { readonly keepDims?: false }): ShapedLayer<GlobalPoolingRule>;
export function globalMaxPool(options: GlobalPoolingOptions = {}): unknown {
  return globalPooling("globalMaxPool", options, (x, axes) => x.max(axes, options));
}

/**
 * Mean of windows that divide the length as evenly as possible: [batch, channels, length] → [batch, channels, size].
 * Window i covers ⌊i·length/size⌋ to ⌈(i+1)·length/size⌉, as PyTorch has it.
 * @param size how many windows: one number
 * @throws InputError when a size is not a positive integer
 */
export function adaptiveAveragePool1d<const Size extends PerDimension>(size: Size): ShapedLayer<AdaptiveRule<Sizes<[0], Size>>> {
  return adaptivePooling("Average", 1, size);
}

/**
 * Mean of windows that divide the image as evenly as possible: [batch, channels, height, width] → [batch, channels,
 * ...size].
 * @param size how many windows: one number, or one per dimension
 * @throws InputError when a size is not a positive integer
 */
export function adaptiveAveragePool2d<const Size extends PerDimension>(size: Size): ShapedLayer<AdaptiveRule<Sizes<[0, 0], Size>>> {
  return adaptivePooling("Average", 2, size);
}

/**
 * Mean of windows that divide the volume as evenly as possible: [batch, channels, depth, height, width] → [batch,
 * channels, ...size].
 * @param size how many windows: one number, or one per dimension
 * @throws InputError when a size is not a positive integer
 */
export function adaptiveAveragePool3d<const Size extends PerDimension>(size: Size): ShapedLayer<AdaptiveRule<Sizes<[0, 0, 0], Size>>> {
  return adaptivePooling("Average", 3, size);
}

/**
 * Largest value of windows that divide the length as evenly as possible: [batch, channels, length] → [batch, channels,
 * size].
 * @param size how many windows: one number
 * @throws InputError when a size is not a positive integer
 */
export function adaptiveMaxPool1d<const Size extends PerDimension>(size: Size): ShapedLayer<AdaptiveRule<Sizes<[0], Size>>> {
  return adaptivePooling("Max", 1, size);
}

/**
 * Largest value of windows that divide the image as evenly as possible: [batch, channels, height, width] → [batch,
 * channels, ...size].
 * @param size how many windows: one number, or one per dimension
 * @throws InputError when a size is not a positive integer
 */
export function adaptiveMaxPool2d<const Size extends PerDimension>(size: Size): ShapedLayer<AdaptiveRule<Sizes<[0, 0], Size>>> {
  return adaptivePooling("Max", 2, size);
}

/**
 * Largest value of windows that divide the volume as evenly as possible: [batch, channels, depth, height, width] →
 * [batch, channels, ...size].
 * @param size how many windows: one number, or one per dimension
 * @throws InputError when a size is not a positive integer
 */
export function adaptiveMaxPool3d<const Size extends PerDimension>(size: Size): ShapedLayer<AdaptiveRule<Sizes<[0, 0, 0], Size>>> {
  return adaptivePooling("Max", 3, size);
}

/** @returns Made, which the caller's types say more of than is known here */
function adaptivePooling<Made>(of: "Average" | "Max", dims: number, size: PerDimension): Made {
  const kind = `adaptive${of}Pool${dims}d`;
  const pool = of === "Max" ? functions.adaptiveMaxPool : functions.adaptiveAveragePool;
  perDimension(kind, "size", size, dims);
  return makeLayer<Layer>({
    kind,
    settings: { size },
    forward(_state, x) {
      checkRank(kind, x, [dims + 2], `[batch, channels, ${SPATIAL[dims]}]`);
      return pool(x, size);
    },
  }) as Made;
}

function globalPooling(kind: string, options: GlobalPoolingOptions, reduce: (x: Tensor, axes: number[]) => Tensor): Layer {
  return makeLayer({
    kind,
    settings: given(checkOptions<GlobalPoolingOptions>(kind, options, { keepDims: true }), ["keepDims"]),
    forward(_state, x: Tensor) {
      checkRank(kind, x, [3, 4, 5], "[batch, channels, …] with one to three spatial dimensions");
      return reduce(
        x,
        Array.from({ length: x.rank - 2 }, (_, d) => d + 2),
      );
    },
  });
}

/** @returns Made, which the caller's types say more of than is known here */
function pooling<Made>(of: "max" | "average", dims: number, kernelSize: PerDimension, options: AveragePoolingOptions = {}): Made {
  const kind = `${of}Pool${dims}d`;
  const known = of === "average" ? AVERAGE_POOLING : POOLING;
  checkOptions<AveragePoolingOptions>(kind, options, known as OptionNames<AveragePoolingOptions>);
  const pool = of === "max" ? functions.maxPool : functions.averagePool;
  perDimension(kind, "kernelSize", kernelSize, dims);
  return makeLayer<Layer>({
    kind,
    settings: { kernelSize, ...given(options, Object.keys(known)) },
    forward(_state, x) {
      checkRank(kind, x, [dims + 2], `[batch, channels, ${SPATIAL[dims]}]`);
      return pool(x, kernelSize, options);
    },
  }) as Made;
}
