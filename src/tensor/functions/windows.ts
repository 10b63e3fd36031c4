// Window functions over images and sequences: convolutions, pooling, resampling, padding.

import { checkOptions } from "../../util/options.ts";
import * as contractions from "../contractions.ts";
import * as resampling from "../resampling.ts";
import { asTensor, valueOf } from "../tensor.ts";
import type { Tensor } from "../types.ts";

/** x: [batch, in, …spatial], weight: [out, in / groups, …kernel], bias: [out]; one to three spatial dimensions. */
export function conv(x: Tensor, weight: Tensor, bias?: Tensor, options: contractions.ConvolutionOptions = {}): Tensor {
  checkOptions<contractions.ConvolutionOptions>("conv", options, contractions.CONVOLUTION);
  return asTensor(contractions.convolution(valueOf(x, "conv"), valueOf(weight, "conv"), bias && valueOf(bias, "conv"), options));
}

/** x: [batch, in, …spatial], weight: [in, out / groups, …kernel], bias: [out]. */
export function convTranspose(x: Tensor, weight: Tensor, bias?: Tensor, options: contractions.TransposedConvolutionOptions = {}): Tensor {
  checkOptions<contractions.TransposedConvolutionOptions>("convTranspose", options, contractions.TRANSPOSED);
  return asTensor(
    contractions.convolutionTranspose(
      valueOf(x, "convTranspose"),
      valueOf(weight, "convTranspose"),
      bias && valueOf(bias, "convTranspose"),
      options,
    ),
  );
}

/** Largest value of each window of [batch, channels, …spatial]; padding counts as −∞. */
export function maxPool(x: Tensor, kernelSize: contractions.PerDimension, options: contractions.PoolingOptions = {}): Tensor {
  checkOptions<contractions.PoolingOptions>("maxPool", options, contractions.POOLING);
  return asTensor(contractions.pool("max", valueOf(x, "maxPool"), kernelSize, options));
}

/** Mean of each window of [batch, channels, …spatial]; `countPadding: false` divides by the part inside the input. */
export function averagePool(x: Tensor, kernelSize: contractions.PerDimension, options: contractions.AveragePoolingOptions = {}): Tensor {
  checkOptions<contractions.AveragePoolingOptions>("averagePool", options, contractions.AVERAGE_POOLING);
  return asTensor(contractions.pool("average", valueOf(x, "averagePool"), kernelSize, options));
}

/** Mean over `size` windows per spatial dimension that divide it as evenly as possible: output i covers ⌊i·n/size⌋ to ⌈(i+1)·n/size⌉. */
export function adaptiveAveragePool(x: Tensor, size: contractions.PerDimension): Tensor {
  return asTensor(resampling.adaptivePool("average", valueOf(x, "adaptiveAveragePool"), size));
}

/** Largest value over `size` windows per spatial dimension that divide it as evenly as possible. */
export function adaptiveMaxPool(x: Tensor, size: contractions.PerDimension): Tensor {
  return asTensor(resampling.adaptivePool("max", valueOf(x, "adaptiveMaxPool"), size));
}

/** [batch, channels, …] with other spatial extents. @throws InputError without a size or scale, or with both */
export function upsample(x: Tensor, options: resampling.UpsampleOptions): Tensor {
  checkOptions<resampling.UpsampleOptions>("upsample", options, { size: true, scale: true, mode: true, alignCorners: true });
  return asTensor(resampling.upsample(valueOf(x, "upsample"), options));
}

/** Larger spatial dimensions. @throws ShapeError when reflect or circular padding reaches beyond the input */
export function padding(x: Tensor, amounts: resampling.PaddingAmounts, options: resampling.PaddingOptions = {}): Tensor {
  checkOptions<resampling.PaddingOptions>("padding", options, { mode: true, value: true });
  return asTensor(resampling.padding(valueOf(x, "padding"), amounts, options));
}

/** [batch, channels · factor², height, width] → [batch, channels, height · factor, width · factor]; in the same way for one and three dimensions. Shi et al. 2016. */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  return asTensor(resampling.pixelShuffle(valueOf(x, "pixelShuffle"), factor));
}

/** The inverse of pixelShuffle. */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  return asTensor(resampling.pixelUnshuffle(valueOf(x, "pixelUnshuffle"), factor));
}
