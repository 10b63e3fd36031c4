// Window functions over images and sequences: convolutions, pooling, resampling, padding.

import * as contractions from "../../ops/contractions.ts";
import * as pooling from "../../ops/pooling.ts";
import { InputError, ShapeError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { apply } from "../engine.ts";
import { pad, reshape } from "../operate.ts";
import * as resampling from "../resampling.ts";
import { asTensor, valueOf } from "../tensor.ts";
import type { Tensor } from "../types.ts";
import type { Value } from "../value.ts";
import {
  AVERAGE_POOLING,
  type AveragePoolingOptions,
  CONVOLUTION,
  type ConvolutionOptions,
  type PerDimension,
  POOLING,
  type PoolingOptions,
  perDimension,
  TRANSPOSED,
  type TransposedConvolutionOptions,
} from "../windows.ts";

/** x: [batch, in, …spatial], weight: [out, in / groups, …kernel], bias: [out]; one to three spatial dimensions. */
export function conv(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvolutionOptions = {}): Tensor {
  checkOptions<ConvolutionOptions>("conv", options, CONVOLUTION);
  const [image, filters, shift] = operands("conv", x, weight, bias);
  const { name, dims, groups, stride, dilation, kernel, spatial } = windowsOf("conv", image, filters, options);
  const same = options.padding === "same";
  const counts = spatial.map((size, d) => Math.ceil(size / stride[d]!));
  const padding = same
    ? spatial.map((size, d) => Math.floor(Math.max(0, (counts[d]! - 1) * stride[d]! + (kernel[d]! - 1) * dilation[d]! + 1 - size) / 2))
    : perDimension(name, "padding", (options.padding as PerDimension | undefined) ?? 0, dims, 0);
  const [batch, channels] = image.shape as [number, number];
  const [out, inner] = filters.shape as [number, number];
  if (channels !== inner * groups || out % groups !== 0) {
    const divided = groups === 1 ? "" : ` with ${groups} groups`;
    throw new ShapeError(
      `${name}: input channel counts ${channels} and ${inner * groups} differ${divided}: x is ${shapeText(image.shape)}, weight is ${shapeText(filters.shape)}`,
      { hint: "weight is [out, in / groups, …kernel]; both channel counts must be multiples of groups" },
    );
  }
  const attributes = { ...numbered("stride", stride), ...numbered("dilation", dilation), ...numbered("padding", padding) };
  const op = contractions.convolution(dims, shift !== undefined, groups > 1);
  if (groups === 1) {
    const inputs = shift === undefined ? [image, filters] : [image, filters, shift];
    return asTensor(apply(op, inputs, attributes, same ? { resultShape: [batch, out, ...counts] } : {}));
  }
  const grouped = [reshape(image, [batch, groups, inner, ...spatial]), reshape(filters, [groups, out / groups, inner, ...kernel])];
  if (shift !== undefined) grouped.push(reshape(shift, [groups, out / groups]));
  const y = apply(op, grouped, attributes, same ? { resultShape: [batch, groups, out / groups, ...counts] } : {});
  return asTensor(reshape(y, [batch, out, ...y.shape.slice(3)]));
}

/** x: [batch, in, …spatial], weight: [in, out / groups, …kernel], bias: [out]. */
export function convTranspose(x: Tensor, weight: Tensor, bias?: Tensor, options: TransposedConvolutionOptions = {}): Tensor {
  checkOptions<TransposedConvolutionOptions>("convTranspose", options, TRANSPOSED);
  const [image, filters, shift] = operands("convTranspose", x, weight, bias);
  const { name, dims, groups, stride, dilation, kernel, spatial } = windowsOf("convTranspose", image, filters, options);
  const padding = perDimension(name, "padding", options.padding ?? 0, dims, 0);
  const extra = perDimension(name, "outputPadding", options.outputPadding ?? 0, dims, 0);
  const [batch, channels] = image.shape as [number, number];
  const [inner, outPerGroup] = filters.shape as [number, number];
  if (channels !== inner || channels % groups !== 0)
    throw new ShapeError(
      `${name}: input channel counts ${channels} and ${inner} differ: x is ${shapeText(image.shape)}, weight is ${shapeText(filters.shape)}`,
      { hint: "weight is [in, out / groups, …kernel]" },
    );
  const counts = spatial.map((size, d) => (size - 1) * stride[d]! - 2 * padding[d]! + dilation[d]! * (kernel[d]! - 1) + extra[d]! + 1);
  if (counts.some((count) => count < 1))
    throw new ShapeError(`${name}: the padding leaves no output: x is ${shapeText(image.shape)}, the result would be ${shapeText(counts)}`);
  const attributes = { ...numbered("stride", stride), ...numbered("dilation", dilation), ...numbered("padding", padding) };
  const op = contractions.convolutionTranspose(dims, shift !== undefined, groups > 1);
  if (groups === 1)
    return asTensor(
      apply(op, shift === undefined ? [image, filters] : [image, filters, shift], attributes, {
        resultShape: [batch, outPerGroup, ...counts],
      }),
    );
  const grouped = [
    reshape(image, [batch, groups, channels / groups, ...spatial]),
    reshape(filters, [groups, channels / groups, outPerGroup, ...kernel]),
  ];
  if (shift !== undefined) grouped.push(reshape(shift, [groups, outPerGroup]));
  const y = apply(op, grouped, attributes, { resultShape: [batch, groups, outPerGroup, ...counts] });
  return asTensor(reshape(y, [batch, groups * outPerGroup, ...counts]));
}

/** Largest value of each window of [batch, channels, …spatial]; padding counts as −∞. */
export function maxPool(x: Tensor, kernelSize: PerDimension, options: PoolingOptions = {}): Tensor {
  checkOptions<PoolingOptions>("maxPool", options, POOLING);
  return asTensor(pool("max", valueOf(x, "maxPool"), kernelSize, options));
}

/** Mean of each window of [batch, channels, …spatial]; `countPadding: false` divides by the part inside the input. */
export function averagePool(x: Tensor, kernelSize: PerDimension, options: AveragePoolingOptions = {}): Tensor {
  checkOptions<AveragePoolingOptions>("averagePool", options, AVERAGE_POOLING);
  return asTensor(pool("average", valueOf(x, "averagePool"), kernelSize, options));
}

/**
 * Mean over `size` windows per spatial dimension that divide it as evenly as possible: output i covers ⌊i·n/size⌋ to
 * ⌈(i+1)·n/size⌉.
 */
export function adaptiveAveragePool(x: Tensor, size: PerDimension): Tensor {
  return asTensor(resampling.adaptivePool("average", valueOf(x, "adaptiveAveragePool"), size));
}

/** Largest value over `size` windows per spatial dimension that divide it as evenly as possible. */
export function adaptiveMaxPool(x: Tensor, size: PerDimension): Tensor {
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

/**
 * [batch, channels · factor², height, width] → [batch, channels, height · factor, width · factor]; in the same way for
 * one and three dimensions. Shi et al. 2016.
 */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  return asTensor(resampling.pixelShuffle(valueOf(x, "pixelShuffle"), factor));
}

/** The inverse of pixelShuffle. */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  return asTensor(resampling.pixelUnshuffle(valueOf(x, "pixelUnshuffle"), factor));
}

function pool(
  kind: "max" | "average",
  x: Value,
  kernelSize: PerDimension,
  options: PoolingOptions & { readonly countPadding?: boolean },
): Value {
  const dims = x.rank - 2;
  const name = `${kind}Pool${Math.max(1, dims)}d`;
  if (dims < 1 || dims > 3)
    throw new ShapeError(`${name}: expected [batch, channels, …] with one to three spatial dimensions, got shape ${shapeText(x.shape)}`);
  const kernel = perDimension(name, "kernel size", kernelSize, dims);
  const stride = perDimension(name, "stride", options.stride ?? kernel, dims);
  const dilation = perDimension(name, "dilation", options.dilation ?? 1, dims);
  const padding = perDimension(name, "padding", options.padding ?? 0, dims, 0);
  padding.forEach((amount, d) => {
    if (amount * 2 > kernel[d]!) throw new ShapeError(`${name}: padding ${amount} is more than half of the kernel size ${kernel[d]}`);
  });
  const attributes = {
    ...numbered("kernel", kernel),
    ...numbered("stride", stride),
    ...numbered("dilation", dilation),
    ...numbered("padding", padding),
  };
  const op = kind === "max" ? pooling.maxPool(dims) : pooling.averagePool(dims, options.countPadding ?? true);
  if (!options.ceilMode) return apply(op, [x], attributes);
  const counts = x.shape.slice(2).map((size, d) => {
    const [k, s, p] = [kernel[d]!, stride[d]!, padding[d]!];
    const count = Math.ceil((size + 2 * p - dilation[d]! * (k - 1) - 1) / s) + 1;
    // The last window must start inside the input or its near padding.
    return (count - 1) * s >= size + p ? count - 1 : count;
  });
  const resultShape = [...x.shape.slice(0, 2), ...counts];
  const overhangs = counts.some(
    (count, d) => (count - 1) * stride[d]! + dilation[d]! * (kernel[d]! - 1) + 1 > x.shape[d + 2]! + 2 * padding[d]!,
  );
  if (kind === "max" || !overhangs || options.countPadding === false) return apply(op, [x], attributes, { resultShape });
  // Padding counts as elements, what lies beyond it does not: as PyTorch has it.
  const padded = pad(
    x,
    padding.map((amount) => [amount, amount] as const),
    0,
  );
  return apply(
    pooling.averagePool(dims, false),
    [padded],
    {
      ...attributes,
      ...numbered(
        "padding",
        padding.map(() => 0),
      ),
    },
    { resultShape },
  );
}

/** The values behind the tensors that a convolution takes. */
function operands(name: string, x: Tensor, weight: Tensor, bias: Tensor | undefined): readonly [Value, Value, Value | undefined] {
  return [valueOf(x, name), valueOf(weight, name), bias && valueOf(bias, name)];
}

/** What convolutions of both directions read off their operands and options. */
function windowsOf(
  kind: string,
  image: Value,
  filters: Value,
  options: Pick<ConvolutionOptions, "groups" | "stride" | "dilation">,
): {
  readonly name: string;
  readonly dims: number;
  readonly groups: number;
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly kernel: readonly number[];
  readonly spatial: readonly number[];
} {
  const dims = image.rank - 2;
  const name = `${kind}${Math.max(1, dims)}d`;
  checkRanks(name, image, filters, dims);
  return {
    name,
    dims,
    groups: positive(name, "groups", options.groups ?? 1),
    stride: perDimension(name, "stride", options.stride ?? 1, dims),
    dilation: perDimension(name, "dilation", options.dilation ?? 1, dims),
    kernel: filters.shape.slice(2),
    spatial: image.shape.slice(2),
  };
}

function checkRanks(name: string, x: Value, weight: Value, dims: number): void {
  if (dims < 1 || dims > 3)
    throw new ShapeError(`${name}: expected [batch, channels, …] with one to three spatial dimensions, got shape ${shapeText(x.shape)}`);
  if (weight.rank !== x.rank)
    throw new ShapeError(
      `${name}: weight must have ${x.rank} dimensions like x: x is ${shapeText(x.shape)}, weight is ${shapeText(weight.shape)}`,
    );
}

function positive(name: string, what: string, value: number): number {
  if (!Number.isInteger(value) || value < 1) throw new InputError(`${name}: ${what} must be a positive integer, got ${value}`);
  return value;
}

function numbered(name: string, values: readonly number[]): Record<string, number> {
  return Object.fromEntries(values.map((value, d) => [`${name}${d}`, value]));
}
