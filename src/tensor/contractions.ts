// Matrix products, linear layers, convolutions and pooling on untyped values: prepares shapes, then applies ops.

import * as ops from "../ops/contractions.ts";
import * as pooling from "../ops/pooling.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import type { OptionNames } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { apply } from "./engine.ts";
import { pad, reshape } from "./operate.ts";
import type { Value } from "./value.ts";

/** One number for all spatial dimensions, or one each. */
export type PerDimension = number | readonly number[];

/** Where the windows of a convolution lie; one number stands for every spatial dimension. */
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

/** The convolution whose transpose is meant; one number stands for every spatial dimension. */
export interface TransposedConvolutionOptions extends Omit<ConvolutionOptions, "padding"> {
  readonly padding?: PerDimension;
  /** Extra rows at the end of the output, to choose among the sizes a strided convolution maps together. Default 0. */
  readonly outputPadding?: PerDimension;
}

export const TRANSPOSED: OptionNames<TransposedConvolutionOptions> = { ...CONVOLUTION, outputPadding: true };

/** Where the windows of a pooling lie; one number stands for every spatial dimension. */
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

export function matmul(a: Value, b: Value): Value {
  if (a.rank === 0 || b.rank === 0)
    throw new ShapeError(`matmul: expected matrices or vectors, got shapes ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
  const left = a.rank === 1 ? reshape(a, [1, ...a.shape]) : a;
  const right = b.rank === 1 ? reshape(b, [...b.shape, 1]) : b;
  const product = apply(ops.matmul, [left, right]);
  if (a.rank > 1 && b.rank > 1) return product;
  const shape = product.shape.slice();
  if (b.rank === 1) shape.pop();
  if (a.rank === 1) shape.splice(shape.length - (b.rank === 1 ? 1 : 2), 1);
  return reshape(product, shape);
}

export function linear(x: Value, weight: Value, bias: Value | undefined): Value {
  return bias === undefined ? apply(ops.linear, [x, weight]) : apply(ops.linearBias, [x, weight, bias]);
}

export function einsum(subscripts: string, values: readonly Value[]): Value {
  return apply(ops.einsum(subscripts), values);
}

/** x: [batch, channels, …spatial], weight: [out, channels / groups, …kernel], bias: [out]. */
export function convolution(x: Value, weight: Value, bias: Value | undefined, options: ConvolutionOptions): Value {
  const dims = x.rank - 2;
  const name = `conv${Math.max(1, dims)}d`;
  checkRanks(name, x, weight, dims);
  const groups = positive(name, "groups", options.groups ?? 1);
  const stride = perDimension(name, "stride", options.stride ?? 1, dims);
  const dilation = perDimension(name, "dilation", options.dilation ?? 1, dims);
  const kernel = weight.shape.slice(2);
  const spatial = x.shape.slice(2);
  const same = options.padding === "same";
  const counts = spatial.map((size, d) => Math.ceil(size / (stride[d] as number)));
  const padding = same
    ? spatial.map((size, d) =>
        Math.floor(
          Math.max(
            0,
            ((counts[d] as number) - 1) * (stride[d] as number) + ((kernel[d] as number) - 1) * (dilation[d] as number) + 1 - size,
          ) / 2,
        ),
      )
    : perDimension(name, "padding", (options.padding as PerDimension | undefined) ?? 0, dims, 0);
  const [batch, channels] = x.shape as [number, number];
  const [out, inner] = weight.shape as [number, number];
  if (channels !== inner * groups || out % groups !== 0) {
    const divided = groups === 1 ? "" : ` with ${groups} groups`;
    throw new ShapeError(
      `${name}: input channel counts ${channels} and ${inner * groups} differ${divided}: x is ${shapeText(x.shape)}, weight is ${shapeText(weight.shape)}`,
      { hint: "weight is [out, in / groups, …kernel]; both channel counts must be multiples of groups" },
    );
  }
  const attributes = { ...numbered("stride", stride), ...numbered("dilation", dilation), ...numbered("padding", padding) };
  const op = ops.convolution(dims, bias !== undefined, groups > 1);
  if (groups === 1) {
    const operands = bias === undefined ? [x, weight] : [x, weight, bias];
    return apply(op, operands, attributes, same ? { resultShape: [batch, out, ...counts] } : {});
  }
  const grouped = [reshape(x, [batch, groups, inner, ...spatial]), reshape(weight, [groups, out / groups, inner, ...kernel])];
  if (bias !== undefined) grouped.push(reshape(bias, [groups, out / groups]));
  const y = apply(op, grouped, attributes, same ? { resultShape: [batch, groups, out / groups, ...counts] } : {});
  return reshape(y, [batch, out, ...y.shape.slice(3)]);
}

/** x: [batch, channels, …spatial], weight: [channels, out / groups, …kernel], bias: [out]. */
export function convolutionTranspose(x: Value, weight: Value, bias: Value | undefined, options: TransposedConvolutionOptions): Value {
  const dims = x.rank - 2;
  const name = `convTranspose${Math.max(1, dims)}d`;
  checkRanks(name, x, weight, dims);
  const groups = positive(name, "groups", options.groups ?? 1);
  const stride = perDimension(name, "stride", options.stride ?? 1, dims);
  const dilation = perDimension(name, "dilation", options.dilation ?? 1, dims);
  const padding = perDimension(name, "padding", options.padding ?? 0, dims, 0);
  const extra = perDimension(name, "outputPadding", options.outputPadding ?? 0, dims, 0);
  const kernel = weight.shape.slice(2);
  const spatial = x.shape.slice(2);
  const [batch, channels] = x.shape as [number, number];
  const [inner, outPerGroup] = weight.shape as [number, number];
  if (channels !== inner || channels % groups !== 0)
    throw new ShapeError(
      `${name}: input channel counts ${channels} and ${inner} differ: x is ${shapeText(x.shape)}, weight is ${shapeText(weight.shape)}`,
      { hint: "weight is [in, out / groups, …kernel]" },
    );
  const counts = spatial.map(
    (size, d) =>
      (size - 1) * (stride[d] as number) -
      2 * (padding[d] as number) +
      (dilation[d] as number) * ((kernel[d] as number) - 1) +
      (extra[d] as number) +
      1,
  );
  if (counts.some((count) => count < 1))
    throw new ShapeError(`${name}: the padding leaves no output: x is ${shapeText(x.shape)}, the result would be ${shapeText(counts)}`);
  const attributes = { ...numbered("stride", stride), ...numbered("dilation", dilation), ...numbered("padding", padding) };
  const op = ops.convolutionTranspose(dims, bias !== undefined, groups > 1);
  if (groups === 1)
    return apply(op, bias === undefined ? [x, weight] : [x, weight, bias], attributes, { resultShape: [batch, outPerGroup, ...counts] });
  const grouped = [
    reshape(x, [batch, groups, channels / groups, ...spatial]),
    reshape(weight, [groups, channels / groups, outPerGroup, ...kernel]),
  ];
  if (bias !== undefined) grouped.push(reshape(bias, [groups, outPerGroup]));
  const y = apply(op, grouped, attributes, { resultShape: [batch, groups, outPerGroup, ...counts] });
  return reshape(y, [batch, groups * outPerGroup, ...counts]);
}

export function pool(
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
    if (amount * 2 > (kernel[d] as number))
      throw new ShapeError(`${name}: padding ${amount} is more than half of the kernel size ${kernel[d]}`);
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
    const [k, s, p] = [kernel[d] as number, stride[d] as number, padding[d] as number];
    const count = Math.ceil((size + 2 * p - (dilation[d] as number) * (k - 1) - 1) / s) + 1;
    // The last window must start inside the input or its near padding.
    return (count - 1) * s >= size + p ? count - 1 : count;
  });
  const resultShape = [...x.shape.slice(0, 2), ...counts];
  const overhangs = counts.some(
    (count, d) =>
      (count - 1) * (stride[d] as number) + (dilation[d] as number) * ((kernel[d] as number) - 1) + 1 >
      (x.shape[d + 2] as number) + 2 * (padding[d] as number),
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

function checkRanks(name: string, x: Value, weight: Value, dims: number): void {
  if (dims < 1 || dims > 3)
    throw new ShapeError(`${name}: expected [batch, channels, …] with one to three spatial dimensions, got shape ${shapeText(x.shape)}`);
  if (weight.rank !== x.rank)
    throw new ShapeError(
      `${name}: weight must have ${x.rank} dimensions like x: x is ${shapeText(x.shape)}, weight is ${shapeText(weight.shape)}`,
    );
}

/** A whole number for every spatial dimension. */
export function perDimension(name: string, what: string, value: PerDimension, dims: number, least = 1): readonly number[] {
  const values = typeof value === "number" ? Array.from({ length: dims }, () => value) : value;
  if (!Array.isArray(values) || values.length !== dims || values.some((item) => !Number.isInteger(item) || item < least))
    throw new InputError(
      `${name}: ${what} must be an integer of at least ${least}, or ${dims} of them, got ${Array.isArray(value) ? shapeText(value) : kindOf(value)}`,
    );
  return values;
}

function positive(name: string, what: string, value: number): number {
  if (!Number.isInteger(value) || value < 1) throw new InputError(`${name}: ${what} must be a positive integer, got ${value}`);
  return value;
}

function numbered(name: string, values: readonly number[]): Record<string, number> {
  return Object.fromEntries(values.map((value, d) => [`${name}${d}`, value]));
}
