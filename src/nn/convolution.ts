// Convolution layers and transposed convolution layers of one to three spatial dimensions.

import * as functions from "../tensor/functions/index.ts";
import type { Tensor } from "../tensor/types.ts";
import {
  CONVOLUTION,
  type ConvolutionOptions,
  type PerDimension,
  perDimension,
  TRANSPOSED,
  type TransposedConvolutionOptions,
} from "../tensor/windows.ts";
import { InputError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { checkCount, checkFeatures, checkRank, divisors, given, SPATIAL } from "./checks.ts";
import { fansOf, heNormal, start, zeros } from "./init.ts";
import { type Layer, makeLayer, type ShapedLayer } from "./layer.ts";
import { WEIGHT_OPTIONS, type WeightOptions } from "./linear.ts";
import type { ConvolutionRule, Windows } from "./rules.ts";

/** Windows, and how weight and bias begin. */
export type ConvolutionLayerOptions = ConvolutionOptions & WeightOptions;
/** Windows, and how weight and bias begin. */
export type TransposedConvolutionLayerOptions = TransposedConvolutionOptions & WeightOptions;

type Option<Options, Key extends string, Default> = Options extends { readonly [K in Key]: infer Value } ? Value : Default;

/** The layer's type from its literal arguments; with a dilation the compiler does not follow the sizes. */
export type ConvolutionLayer<
  Dimensions extends readonly unknown[],
  Inputs extends number,
  Outputs extends number,
  Kernel,
  Options,
> = ShapedLayer<
  ConvolutionRule<
    Inputs,
    Outputs,
    Windows<
      Dimensions,
      Kernel,
      Option<Options, "stride", 1>,
      Option<Options, "padding", 0>,
      Options extends { readonly dilation: unknown } ? false : true
    >
  >
>;

/**
 * [batch, inputs, length] → [batch, outputs, length′]; weight [outputs, inputs / groups, kernel], bias [outputs].
 * @param inputs channels that come in
 * @param outputs channels that go out, each with a kernel of its own
 * @param kernelSize extent of the window: one number
 * @param options stride 1, padding 0, dilation 1 and groups 1 unless given; bias false leaves the bias out; init and
 * biasInit say how weight and bias begin
 * @throws InputError when a size is not a positive integer or the groups do not divide the channels
 */
export function conv1d<
  const Inputs extends number,
  const Outputs extends number,
  const Kernel extends PerDimension,
  const Options extends ConvolutionLayerOptions = Record<never, never>,
>(inputs: Inputs, outputs: Outputs, kernelSize: Kernel, options?: Options): ConvolutionLayer<[0], Inputs, Outputs, Kernel, Options> {
  return convolution(1, inputs, outputs, kernelSize, options);
}

/**
 * [batch, inputs, height, width] → [batch, outputs, height′, width′] with height′ = ⌊(height + 2·padding −
 * dilation·(kernel − 1) − 1) / stride⌋ + 1; weight [outputs, inputs / groups, kernel, kernel], bias [outputs].
 * @param inputs channels that come in
 * @param outputs channels that go out, each with a kernel of its own
 * @param kernelSize extent of the window: one number, or one per dimension
 * @param options stride 1, padding 0, dilation 1 and groups 1 unless given; bias false leaves the bias out; init and
 * biasInit say how weight and bias begin
 * @throws InputError when a size is not a positive integer or the groups do not divide the channels
 */
export function conv2d<
  const Inputs extends number,
  const Outputs extends number,
  const Kernel extends PerDimension,
  const Options extends ConvolutionLayerOptions = Record<never, never>,
>(inputs: Inputs, outputs: Outputs, kernelSize: Kernel, options?: Options): ConvolutionLayer<[0, 0], Inputs, Outputs, Kernel, Options> {
  return convolution(2, inputs, outputs, kernelSize, options);
}

/**
 * [batch, inputs, depth, height, width] → [batch, outputs, depth′, height′, width′]; weight [outputs, inputs / groups,
 * kernel, kernel, kernel], bias [outputs].
 * @param inputs channels that come in
 * @param outputs channels that go out, each with a kernel of its own
 * @param kernelSize extent of the window: one number, or one per dimension
 * @param options stride 1, padding 0, dilation 1 and groups 1 unless given; bias false leaves the bias out; init and
 * biasInit say how weight and bias begin
 * @throws InputError when a size is not a positive integer or the groups do not divide the channels
 */
export function conv3d<
  const Inputs extends number,
  const Outputs extends number,
  const Kernel extends PerDimension,
  const Options extends ConvolutionLayerOptions = Record<never, never>,
>(inputs: Inputs, outputs: Outputs, kernelSize: Kernel, options?: Options): ConvolutionLayer<[0, 0, 0], Inputs, Outputs, Kernel, Options> {
  return convolution(3, inputs, outputs, kernelSize, options);
}

/**
 * [batch, inputs, length] → [batch, outputs, length′]; weight [inputs, outputs / groups, kernel], bias [outputs].
 * @param inputs channels that come in, each with a kernel of its own
 * @param outputs channels that go out
 * @param kernelSize extent of the window: one number
 * @param options stride 1, padding 0, outputPadding 0, dilation 1 and groups 1 unless given; bias false leaves the bias
 * out; init and biasInit say how weight and bias begin
 * @throws InputError when a size is not a positive integer or the groups do not divide the channels
 */
export function convTranspose1d(
  inputs: number,
  outputs: number,
  kernelSize: PerDimension,
  options?: TransposedConvolutionLayerOptions,
): Layer {
  return transposed(1, inputs, outputs, kernelSize, options);
}

/**
 * [batch, inputs, height, width] → [batch, outputs, height′, width′] with height′ = (height − 1)·stride − 2·padding +
 * dilation·(kernel − 1) + outputPadding + 1; weight [inputs, outputs / groups, kernel, kernel], bias [outputs].
 * @param inputs channels that come in, each with a kernel of its own
 * @param outputs channels that go out
 * @param kernelSize extent of the window: one number, or one per dimension
 * @param options stride 1, padding 0, outputPadding 0, dilation 1 and groups 1 unless given; bias false leaves the bias
 * out; init and biasInit say how weight and bias begin
 * @throws InputError when a size is not a positive integer or the groups do not divide the channels
 */
export function convTranspose2d(
  inputs: number,
  outputs: number,
  kernelSize: PerDimension,
  options?: TransposedConvolutionLayerOptions,
): Layer {
  return transposed(2, inputs, outputs, kernelSize, options);
}

/**
 * [batch, inputs, depth, height, width] → [batch, outputs, depth′, height′, width′]; weight [inputs, outputs / groups,
 * kernel, kernel, kernel], bias [outputs].
 * @param inputs channels that come in, each with a kernel of its own
 * @param outputs channels that go out
 * @param kernelSize extent of the window: one number, or one per dimension
 * @param options stride 1, padding 0, outputPadding 0, dilation 1 and groups 1 unless given; bias false leaves the bias
 * out; init and biasInit say how weight and bias begin
 * @throws InputError when a size is not a positive integer or the groups do not divide the channels
 */
export function convTranspose3d(
  inputs: number,
  outputs: number,
  kernelSize: PerDimension,
  options?: TransposedConvolutionLayerOptions,
): Layer {
  return transposed(3, inputs, outputs, kernelSize, options);
}

/** @returns Made, which the caller's types say more of than is known here */
function convolution<Made>(
  dims: number,
  inputs: number,
  outputs: number,
  kernelSize: PerDimension,
  options: ConvolutionLayerOptions = {},
): Made {
  const kind = `conv${dims}d`;
  checkOptions<ConvolutionLayerOptions>(kind, options, { ...CONVOLUTION, ...WEIGHT_OPTIONS });
  const { kernel, groups } = checkSizes(kind, dims, inputs, outputs, kernelSize, options.groups);
  const shape = [outputs, inputs / groups, ...kernel];
  const fans = fansOf(shape, groups);
  const weight = start(`${kind} weight`, options.init ?? heNormal(), shape, fans);
  const bias = options.bias === false ? undefined : start(`${kind} bias`, options.biasInit ?? zeros(), [outputs], fans);
  const geometry = given(options, Object.keys(CONVOLUTION));
  return makeLayer<Layer>({
    kind,
    settings: { inputs, outputs, kernelSize, ...geometry },
    parameters: { weight, bias },
    forward(_state, x) {
      checkRank(kind, x, [dims + 2], `[batch, channels, ${SPATIAL[dims]}]`);
      checkFeatures(kind, "input channels", x, 1, inputs);
      return functions.conv(x, weight, bias, geometry as ConvolutionLayerOptions);
    },
  }) as Made;
}

function transposed(
  dims: number,
  inputs: number,
  outputs: number,
  kernelSize: PerDimension,
  options: TransposedConvolutionLayerOptions = {},
): Layer {
  const kind = `convTranspose${dims}d`;
  checkOptions<TransposedConvolutionLayerOptions>(kind, options, { ...TRANSPOSED, ...WEIGHT_OPTIONS });
  const { kernel, groups } = checkSizes(kind, dims, inputs, outputs, kernelSize, options.groups);
  const shape = [inputs, outputs / groups, ...kernel];
  // Every output receives inputs / groups channels through the window: the two fans of the weight trade places.
  const { in: out, out: into } = fansOf(shape, groups);
  const fans = { in: into, out };
  const weight = start(`${kind} weight`, options.init ?? heNormal(), shape, fans);
  const bias = options.bias === false ? undefined : start(`${kind} bias`, options.biasInit ?? zeros(), [outputs], fans);
  const geometry = given(options, Object.keys(TRANSPOSED));
  return makeLayer({
    kind,
    settings: { inputs, outputs, kernelSize, ...geometry },
    parameters: { weight, bias },
    forward(_state, x: Tensor) {
      checkRank(kind, x, [dims + 2], `[batch, channels, ${SPATIAL[dims]}]`);
      checkFeatures(kind, "input channels", x, 1, inputs);
      return functions.convTranspose(x, weight, bias, geometry as TransposedConvolutionLayerOptions);
    },
  });
}

/**
 * The kernel's extents and the number of groups.
 * @throws InputError when a size is not a positive integer or the groups do not divide the channels
 */
function checkSizes(
  kind: string,
  dims: number,
  inputs: number,
  outputs: number,
  kernelSize: PerDimension,
  groups = 1,
): { kernel: readonly number[]; groups: number } {
  checkCount(kind, "inputs", inputs);
  checkCount(kind, "outputs", outputs);
  checkCount(kind, "groups", groups);
  if (inputs % groups !== 0 || outputs % groups !== 0)
    throw new InputError(`${kind}: ${groups} groups do not divide ${inputs} input channels and ${outputs} output channels`, {
      hint: `these channels make ${divisors(inputs, outputs).join(", ")} groups`,
    });
  return { kernel: perDimension(kind, "kernelSize", kernelSize, dims), groups };
}
