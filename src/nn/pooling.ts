// Pooling layers: over windows, or over everything.

import type { PerDimension, PoolingOptions } from "../tensor/contractions.ts";
import * as functions from "../tensor/functions/index.ts";
import type { Tensor } from "../tensor/types.ts";
import { checkRank, given, perDimension, SPATIAL } from "./checks.ts";
import { type Layer, makeLayer, type ShapedLayer } from "./layer.ts";
import type { AdaptiveRule, GlobalPoolingRule, PoolingRule, Sizes, Windows } from "./rules.ts";

/** Where the windows lie, and by what to divide. */
export type AveragePoolingOptions = PoolingOptions & {
  /** Divide by the whole window, or only by the part of it inside the input. Default true: the whole. */
  readonly countPadding?: boolean;
};

/** The shape of what a global pooling gives. */
export interface GlobalPoolingOptions {
  /** Keeps the spatial dimensions with extent 1. Default false. */
  readonly keepDims?: boolean;
}

/** No options given: every default is known. */
type NoOptions = Record<never, never>;
type Option<Options, Key extends string, Default> = Options extends { readonly [K in Key]: infer Value } ? Value : Default;
type Known<Options> = Options extends { readonly dilation: unknown } | { readonly ceilMode: unknown } ? false : true;

type MakePooling<Dimensions extends readonly unknown[], All extends object> = <
  const Kernel extends PerDimension,
  const Options extends All | NoOptions = NoOptions,
>(
  kernelSize: Kernel,
  options?: Options,
) => ShapedLayer<
  PoolingRule<Windows<Dimensions, Kernel, Option<Options, "stride", Kernel>, Option<Options, "padding", 0>, Known<Options>>>
>;

/** Largest value of each window of [batch, channels, length]; the stride is the kernel size unless given. */
export const maxPool1d = pooling("max", 1) as MakePooling<[0], PoolingOptions>;
/** Largest value of each window of [batch, channels, height, width]; the stride is the kernel size unless given. */
export const maxPool2d = pooling("max", 2) as MakePooling<[0, 0], PoolingOptions>;
/** Largest value of each window of [batch, channels, depth, height, width]; the stride is the kernel size unless given. */
export const maxPool3d = pooling("max", 3) as MakePooling<[0, 0, 0], PoolingOptions>;
/** Mean of each window of [batch, channels, length]; the stride is the kernel size unless given. */
export const averagePool1d = pooling("average", 1) as MakePooling<[0], AveragePoolingOptions>;
/** Mean of each window of [batch, channels, height, width]; the stride is the kernel size unless given. */
export const averagePool2d = pooling("average", 2) as MakePooling<[0, 0], AveragePoolingOptions>;
/** Mean of each window of [batch, channels, depth, height, width]; the stride is the kernel size unless given. */
export const averagePool3d = pooling("average", 3) as MakePooling<[0, 0, 0], AveragePoolingOptions>;

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

type MakeAdaptive<Dimensions extends readonly unknown[]> = <const Size extends PerDimension>(
  size: Size,
) => ShapedLayer<AdaptiveRule<Sizes<Dimensions, Size>>>;

/** Mean over `size` windows that divide the length as evenly as possible: [batch, channels, length] → [batch, channels, size]. Window i covers ⌊i·length/size⌋ to ⌈(i+1)·length/size⌉, as PyTorch has it. */
export const adaptiveAveragePool1d = adaptivePooling("Average", 1) as MakeAdaptive<[0]>;
/** Mean over windows that divide the image as evenly as possible: [batch, channels, height, width] → [batch, channels, ...size]. */
export const adaptiveAveragePool2d = adaptivePooling("Average", 2) as MakeAdaptive<[0, 0]>;
/** Mean over windows that divide the volume as evenly as possible: [batch, channels, depth, height, width] → [batch, channels, ...size]. */
export const adaptiveAveragePool3d = adaptivePooling("Average", 3) as MakeAdaptive<[0, 0, 0]>;
/** Largest value of windows that divide the length as evenly as possible: [batch, channels, length] → [batch, channels, size]. */
export const adaptiveMaxPool1d = adaptivePooling("Max", 1) as MakeAdaptive<[0]>;
/** Largest value of windows that divide the image as evenly as possible: [batch, channels, height, width] → [batch, channels, ...size]. */
export const adaptiveMaxPool2d = adaptivePooling("Max", 2) as MakeAdaptive<[0, 0]>;
/** Largest value of windows that divide the volume as evenly as possible: [batch, channels, depth, height, width] → [batch, channels, ...size]. */
export const adaptiveMaxPool3d = adaptivePooling("Max", 3) as MakeAdaptive<[0, 0, 0]>;

function adaptivePooling(of: "Average" | "Max", dims: number): (size: PerDimension) => unknown {
  const kind = `adaptive${of}Pool${dims}d`;
  const pool = of === "Max" ? functions.adaptiveMaxPool : functions.adaptiveAveragePool;
  return (size) => {
    perDimension(kind, "size", size, dims);
    return makeLayer<Layer>({
      kind,
      settings: { size },
      forward(_state, x) {
        checkRank(kind, x, [dims + 2], `[batch, channels, ${SPATIAL[dims]}]`);
        return pool(x, size);
      },
    });
  };
}

function globalPooling(kind: string, options: GlobalPoolingOptions, reduce: (x: Tensor, axes: number[]) => Tensor): Layer {
  return makeLayer({
    kind,
    settings: given(options, ["keepDims"]),
    forward(_state, x: Tensor) {
      checkRank(kind, x, [3, 4, 5], "[batch, channels, …] with one to three spatial dimensions");
      return reduce(
        x,
        Array.from({ length: x.rank - 2 }, (_, d) => d + 2),
      );
    },
  });
}

function pooling(of: "max" | "average", dims: number): (kernelSize: PerDimension, options?: AveragePoolingOptions) => unknown {
  const kind = `${of}Pool${dims}d`;
  const pool = of === "max" ? functions.maxPool : functions.averagePool;
  return (kernelSize, options = {}) => {
    perDimension(kind, "kernelSize", kernelSize, dims);
    return makeLayer<Layer>({
      kind,
      settings: { kernelSize, ...given(options, ["stride", "padding", "dilation", "ceilMode", "countPadding"]) },
      forward(_state, x) {
        checkRank(kind, x, [dims + 2], `[batch, channels, ${SPATIAL[dims]}]`);
        return pool(x, kernelSize, options);
      },
    });
  };
}
