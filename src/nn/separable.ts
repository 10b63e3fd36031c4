// Depthwise convolutions, and depthwise separable ones.

import type { Tensor } from "../tensor/types.ts";
import type { ConvolutionOptions, PerDimension } from "../tensor/windows.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";
import { callPart } from "./call.ts";
import { checkCount, given } from "./checks.ts";
import { type ConvolutionLayer, type ConvolutionLayerOptions, conv2d } from "./convolution.ts";
import { type Layer, makeLayer } from "./layer.ts";
import { WEIGHT_OPTIONS, type WeightOptions } from "./linear.ts";

/** Windows of each channel's own kernels, and how weight and bias begin. */
export type DepthwiseOptions = Omit<ConvolutionOptions, "groups"> &
  WeightOptions & {
    /** Outputs per channel. Default 1. */
    readonly multiplier?: number;
  };

/** Those of the depthwise part; `bias` is of the other. */
export type SeparableOptions = DepthwiseOptions;

const DEPTHWISE: OptionNames<DepthwiseOptions> = { stride: true, padding: true, dilation: true, multiplier: true, ...WEIGHT_OPTIONS };

/**
 * Every channel convolved by kernels of its own: [batch, channels, height, width] → [batch, channels · multiplier,
 * height′, width′]; weight [channels · multiplier, 1, kernel, kernel], bias [channels · multiplier].
 */
export function depthwiseConv2d(channels: number, kernelSize: PerDimension, options: DepthwiseOptions = {}): Layer {
  checkOptions<DepthwiseOptions>("depthwiseConv2d", options, DEPTHWISE);
  const { multiplier = 1, ...rest } = options;
  checkCount("depthwiseConv2d", "channels", channels);
  checkCount("depthwiseConv2d", "multiplier", multiplier);
  return conv2d(channels, channels * multiplier, kernelSize, { ...rest, groups: channels } as ConvolutionLayerOptions) as unknown as Layer;
}

/**
 * Depthwise convolution, then a 1×1 convolution that mixes the channels: [batch, inputs, height, width] → [batch,
 * outputs, height′, width′] with far fewer weights and products than conv2d. Layers depthwise (without bias) and
 * pointwise. Sifre & Mallat 2014; Chollet 2017.
 */
export function separableConv2d<
  const Inputs extends number,
  const Outputs extends number,
  const Kernel extends PerDimension,
  const Options extends SeparableOptions = Record<never, never>,
>(inputs: Inputs, outputs: Outputs, kernelSize: Kernel, options?: Options): ConvolutionLayer<[0, 0], Inputs, Outputs, Kernel, Options> {
  checkOptions<SeparableOptions>("separableConv2d", options, DEPTHWISE);
  checkCount("separableConv2d", "inputs", inputs);
  checkCount("separableConv2d", "outputs", outputs);
  const { bias, biasInit, ...own }: SeparableOptions = options ?? {};
  const depthwise = depthwiseConv2d(inputs, kernelSize, { ...own, bias: false });
  const pointwise = conv2d(inputs * (own.multiplier ?? 1), outputs as number, 1, { bias, biasInit, init: own.init } as WeightOptions);
  return makeLayer<Layer>({
    kind: "separableConv2d",
    settings: { inputs, outputs, kernelSize, ...given(own, ["stride", "padding", "dilation", "multiplier"]) },
    parts: Object.entries({ depthwise, pointwise }),
    forward: (_state, x: Tensor) => callPart(pointwise, [callPart(depthwise, [x], "depthwise")], "pointwise"),
  }) as unknown as ConvolutionLayer<[0, 0], Inputs, Outputs, Kernel, Options>;
}
