// Options of convolution and pooling windows, as numbers for each spatial dimension.

import { InputError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import type { OptionNames } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";

/** One number for all spatial dimensions, or one each. */
export type PerDimension = number | readonly number[];

/** The windows of a convolution; one number holds for every spatial dimension. */
export interface ConvolutionOptions {
  /** Steps between windows. Default 1. */
  readonly stride?: PerDimension;
  /** Zeros around the input; "same" keeps ⌈size / stride⌉, with the odd zero at the end. Default 0. */
  readonly padding?: PerDimension | "same";
  /** Distance between the elements a window reads. Default 1. */
  readonly dilation?: PerDimension;
  /** Independent groups of channels. Default 1. */
  readonly groups?: number;
}

export const CONVOLUTION: OptionNames<ConvolutionOptions> = { stride: true, padding: true, dilation: true, groups: true };

/** The convolution that is transposed; one number holds for every spatial dimension. */
export interface TransposedConvolutionOptions extends Omit<ConvolutionOptions, "padding"> {
  readonly padding?: PerDimension;
  /** Extra rows at the end of the output, to choose among the sizes a strided convolution maps together. Default 0. */
  readonly outputPadding?: PerDimension;
}

export const TRANSPOSED: OptionNames<TransposedConvolutionOptions> = { ...CONVOLUTION, outputPadding: true };

/** The windows of a pooling; one number holds for every spatial dimension. */
export interface PoolingOptions {
  /** Default: the kernel size. */
  readonly stride?: PerDimension;
  readonly padding?: PerDimension;
  readonly dilation?: PerDimension;
  /** Also windows that reach past the end. Default false. */
  readonly ceilMode?: boolean;
}

export const POOLING: OptionNames<PoolingOptions> = { stride: true, padding: true, dilation: true, ceilMode: true };

/** What an average pooling divides by. */
export interface AveragePoolingOptions extends PoolingOptions {
  /** The whole window, or only the part of it inside the input. Default true: the whole. */
  readonly countPadding?: boolean;
}

export const AVERAGE_POOLING: OptionNames<AveragePoolingOptions> = { ...POOLING, countPadding: true };

/** A whole number for every spatial dimension. */
export function perDimension(name: string, what: string, value: PerDimension, dims: number, least = 1): readonly number[] {
  const values = typeof value === "number" ? Array.from({ length: dims }, () => value) : value;
  if (!Array.isArray(values) || values.length !== dims || values.some((item) => !Number.isInteger(item) || item < least))
    throw new InputError(
      `${name}: ${what} must be an integer of at least ${least}, or ${dims} of them, got ${Array.isArray(value) ? shapeText(value) : kindOf(value)}`,
    );
  return values;
}
