// Functions of tensors beyond the methods: activations, joining, products, convolutions, pooling, choosing, and users' own ops.

import { sizeOfShape } from "../formula/evaluate.ts";
import * as activations from "../ops/activations.ts";
import * as arithmetic from "../ops/arithmetic.ts";
import * as gathers from "../ops/gathers.ts";
import * as moves from "../ops/moves.ts";
import * as normalisations from "../ops/normalisations.ts";
import type { Op } from "../ops/op.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import * as contractions from "./contractions.ts";
import { apply } from "./engine.ts";
import * as operate from "./operate.ts";
import * as resampling from "./resampling.ts";
import type { Shape } from "./shapes.ts";
import { asTensor, isTensor, like, valueOf } from "./tensor.ts";
import type { Axes, Tensor } from "./types.ts";
import type { Attributes } from "./value.ts";

type Unary = <S extends Shape>(x: Tensor<S>) => Tensor<S>;

const unary = (op: Op): Unary => {
  const call: Unary = (x) => asTensor(apply(op, [valueOf(x, op.name)]));
  // Summaries and printed layers call the function by its name.
  return Object.defineProperty(call, "name", { value: op.name });
};
const withAttributes = <S extends Shape>(op: Op, x: Tensor<S>, attributes: Attributes): Tensor<S> =>
  asTensor(apply(op, [valueOf(x, op.name)], attributes));

/** 1 / (1 + exp(−x)), element by element. */
export const sigmoid: Unary = unary(activations.sigmoid);
/** Hyperbolic tangent, element by element. */
export const tanh: Unary = unary(activations.tanh);
/** max(x, 0), element by element; its gradient at 0 is 0. */
export const relu: Unary = unary(activations.relu);
/** min(max(x, 0), 6), element by element. */
export const relu6: Unary = unary(activations.relu6);
/** 1.0507 · x where positive, else 1.0507 · 1.6733 · (exp(x) − 1), element by element. Klambauer et al. 2017. */
export const selu: Unary = unary(activations.selu);
/** x · sigmoid(x), element by element; also called swish. Ramachandran et al. 2017. */
export const silu: Unary = unary(activations.silu);
/** log(1 + exp(x)) without overflow, element by element. */
export const softplus: Unary = unary(activations.softplus);
/** x / (1 + |x|), element by element. */
export const softsign: Unary = unary(activations.softsign);
/** log sigmoid(x) without overflow, element by element. */
export const logSigmoid: Unary = unary(activations.logSigmoid);
/** x / 6 + 1/2 kept between 0 and 1, element by element. */
export const hardSigmoid: Unary = unary(activations.hardSigmoid);
/** x · hardSigmoid(x), element by element. Howard et al. 2019. */
export const hardSwish: Unary = unary(activations.hardSwish);
/** x · tanh(softplus(x)), element by element. Misra 2020. */
export const mish: Unary = unary(activations.mish);
/** eˣ, element by element. */
export const exp: Unary = unary(arithmetic.exp);
/** Natural logarithm, element by element; −Infinity at 0, NaN below. */
export const log: Unary = unary(arithmetic.log);
/** Square root, element by element; NaN below 0. */
export const sqrt: Unary = unary(arithmetic.sqrt);
/** Absolute value, element by element. */
export const abs: Unary = unary(arithmetic.abs);
/** Sine of x in radians, element by element. */
export const sin: Unary = unary(arithmetic.sin);
/** Cosine of x in radians, element by element. */
export const cos: Unary = unary(arithmetic.cos);
/** Error function 2/√π ∫₀ˣ exp(−t²) dt, element by element. */
export const erf: Unary = unary(arithmetic.erf);

/** x where positive, else slope · x, element by element. Maas et al. 2013. */
export function leakyRelu<S extends Shape>(x: Tensor<S>, slope = 0.01): Tensor<S> {
  return withAttributes(activations.leakyRelu, x, { slope });
}

/** x where positive, else alpha · (exp(x) − 1), element by element. Clevert et al. 2016. */
export function elu<S extends Shape>(x: Tensor<S>, alpha = 1): Tensor<S> {
  return withAttributes(activations.elu, x, { alpha });
}

/**
 * x · Φ(x) with the distribution function Φ of the normal distribution, element by element. Hendrycks & Gimpel 2016.
 * @param approximate "none" uses the error function, "tanh" its tanh approximation
 */
export function gelu<S extends Shape>(x: Tensor<S>, approximate: "none" | "tanh" = "none"): Tensor<S> {
  return withAttributes(approximate === "tanh" ? activations.geluTanh : activations.gelu, x, {});
}

/** x kept between low and high, element by element. */
export function hardtanh<S extends Shape>(x: Tensor<S>, low = -1, high = 1): Tensor<S> {
  return withAttributes(activations.hardtanh, x, { low, high });
}

/** exp(x) / Σ exp(x) along an axis (default the last one); the same shape. @throws ShapeError when there is no such axis */
export function softmax<S extends Shape>(x: Tensor<S>, axis: Axes = -1): Tensor<S> {
  return withAttributes(activations.softmax, x, { axes: operate.resolveAxes("softmax", axis, x.rank) });
}

/**
 * log softmax(x) along an axis (default the last one), without overflow; the same shape.
 * @throws ShapeError when there is no such axis
 */
export function logSoftmax<S extends Shape>(x: Tensor<S>, axis: Axes = -1): Tensor<S> {
  return withAttributes(activations.logSoftmax, x, { axes: operate.resolveAxes("logSoftmax", axis, x.rank) });
}

/** a where the condition holds (is not 0), else b; all broadcast. */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  const base = isTensor(a) ? valueOf(a) : isTensor(b) ? valueOf(b) : like;
  const side = (value: Tensor | number): ReturnType<typeof valueOf> =>
    operate.operand(typeof value === "number" ? value : valueOf(value, "where"), base);
  return asTensor(apply(arithmetic.select, [valueOf(condition, "where"), side(a), side(b)]));
}

/** Joins tensors along an existing axis. @throws ShapeError when another dimension differs */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  return asTensor(
    operate.concatenate(
      tensors.map((item) => valueOf(item, "concat")),
      axis,
    ),
  );
}

/** Joins tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  return asTensor(
    operate.stack(
      tensors.map((item) => valueOf(item, "stack")),
      axis,
    ),
  );
}

/**
 * Matrix product: [..., n, k] and [..., k, m] → [..., n, m]; leading dimensions broadcast, a vector counts as one row or column.
 * @throws ShapeError when they do not fit
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  return asTensor(contractions.matmul(valueOf(a, "matmul"), valueOf(b, "matmul")));
}

/** x: [..., in], weight: [out, in], bias: [out] → [..., out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return asTensor(contractions.linear(valueOf(x, "linear"), valueOf(weight, "linear"), bias && valueOf(bias, "linear")));
}

/** Any sum of products in index notation. @example einsum("bij,bjk->bik", a, b) */
export function einsum(subscripts: string, ...tensors: readonly Tensor[]): Tensor {
  return asTensor(
    contractions.einsum(
      subscripts,
      tensors.map((item) => valueOf(item, "einsum")),
    ),
  );
}

/** x: [batch, in, …spatial], weight: [out, in / groups, …kernel], bias: [out]; one to three spatial dimensions. */
export function conv(x: Tensor, weight: Tensor, bias?: Tensor, options: contractions.ConvolutionOptions = {}): Tensor {
  return asTensor(contractions.convolution(valueOf(x, "conv"), valueOf(weight, "conv"), bias && valueOf(bias, "conv"), options));
}

/** x: [batch, in, …spatial], weight: [in, out / groups, …kernel], bias: [out]. */
export function convTranspose(x: Tensor, weight: Tensor, bias?: Tensor, options: contractions.TransposedConvolutionOptions = {}): Tensor {
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
  return asTensor(contractions.pool("max", valueOf(x, "maxPool"), kernelSize, options));
}

/** Mean of each window of [batch, channels, …spatial]; `countPadding: false` divides by the part inside the input. */
export function averagePool(
  x: Tensor,
  kernelSize: contractions.PerDimension,
  options: contractions.PoolingOptions & { readonly countPadding?: boolean } = {},
): Tensor {
  return asTensor(contractions.pool("average", valueOf(x, "averagePool"), kernelSize, options));
}

/** Rows of a table: weight [count, size], ids [...] → [..., size]. @throws InputError when an id is out of range */
export function embedding(weight: Tensor, ids: Tensor): Tensor {
  const rows = valueOf(ids, "embedding");
  operate.checkIds("embedding", rows, weight.shape[0] ?? 0, `rows of a table of shape ${operate.shapeText(weight.shape)}`);
  return asTensor(apply(gathers.embedding, [valueOf(weight, "embedding"), rows]));
}

/** ids [...] → [..., classes]: 1 at the class, 0 elsewhere. @throws InputError when an id is out of range */
export function oneHot(ids: Tensor, classes: number): Tensor {
  const value = valueOf(ids, "oneHot");
  operate.checkIds("oneHot", value, classes, "classes");
  return asTensor(apply(gathers.oneHot, [value], { classes }));
}

/** Adds slices of x to the positions along the axis that ids says, starting from zeros of the given extent. */
export function scatterAdd(x: Tensor, ids: Tensor, extent: number, axis = 0): Tensor {
  const value = valueOf(x, "scatterAdd");
  const along = operate.resolveAxis("scatterAdd", axis, value.rank);
  operate.checkIds("scatterAdd", valueOf(ids), extent, `axis ${axis} of the result`);
  return asTensor(
    apply(
      gathers.scatterAdd(value.rank, along),
      [valueOf(ids), value],
      {},
      { resultShape: value.shape.map((size, d) => (d === along ? extent : size)) },
    ),
  );
}

/** (x − mean) / √(variance + epsilon) · weight + bias, all broadcast. */
export function normalise(x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  return asTensor(
    apply(
      normalisations.normalise,
      [x, mean, variance, weight, bias].map((item) => valueOf(item, "normalise")),
      { epsilon },
    ),
  );
}

/** Normalises over the last dimensions, as many as weight and bias have. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  const axes = Array.from({ length: weight.rank }, (_, d) => x.rank - weight.rank + d);
  return asTensor(
    apply(
      normalisations.layerNorm,
      [x, weight, bias].map((item) => valueOf(item, "layerNorm")),
      { axes, epsilon },
    ),
  );
}

/** x [..., 2n, ...] → a · sigmoid(b) [..., n, ...] for the halves a and b along the axis. Dauphin et al. 2016. @throws ShapeError when the extent is odd */
export function glu(x: Tensor, axis = -1): Tensor {
  const [a, b] = halves("glu", x, axis);
  return a.mul(b.sigmoid());
}

/** x where positive, else slope · x with one slope for all, or one per channel of [batch, channels, …]. */
export function prelu<S extends Shape>(x: Tensor<S>, slope: Tensor): Tensor<S> {
  const weights = valueOf(slope, "prelu");
  const channels = x.rank < 2 ? 1 : (x.shape[1] as number);
  if (weights.size !== 1 && weights.size !== channels)
    throw new ShapeError(`prelu: expected one slope or ${channels}, got ${weights.size}: x is ${operate.shapeText(x.shape)}`);
  const spread = weights.size === 1 ? [] : [weights.size, ...x.shape.slice(2).fill(1)];
  return asTensor(apply(activations.prelu, [valueOf(x, "prelu"), operate.reshape(weights, spread)]));
}

/**
 * Normalises [batch, channels, …] over the positions and channels of each group, then scales and shifts each channel.
 * @param weight and bias [channels]
 * @throws ShapeError when the groups do not divide the channels
 */
export function groupNorm(x: Tensor, groups: number, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  const value = valueOf(x, "groupNorm");
  const [batch = 0, channels = 0] = value.shape;
  if (value.rank < 2 || !(groups > 0) || channels % groups !== 0)
    throw new ShapeError(
      `groupNorm: ${groups} groups do not divide the channels of [batch, channels, …]: x is ${operate.shapeText(x.shape)}`,
    );
  const inner = channels / groups;
  const grouped = operate.reshape(value, [batch, groups, inner, sizeOfShape(value.shape.slice(2))]);
  const [scale, shift] = [weight, bias].map((item) => operate.reshape(valueOf(item, "groupNorm"), [groups, inner, 1]));
  const y = apply(normalisations.layerNorm, [grouped, scale as typeof value, shift as typeof value], { axes: [2, 3], epsilon });
  return asTensor(operate.reshape(y, value.shape));
}

/** Divides by the root mean square over the last dimensions, as many as weight has. */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon = 1e-6): Tensor {
  const axes = Array.from({ length: weight.rank }, (_, d) => x.rank - weight.rank + d);
  return asTensor(apply(normalisations.rmsNorm, [valueOf(x, "rmsNorm"), valueOf(weight, "rmsNorm")], { axes, epsilon }));
}

/** x / (bias + alpha · mean of the squares of `size` neighbouring channels)^beta, for [batch, channels, …]. */
export function localResponseNorm(
  x: Tensor,
  size: number,
  options: { readonly alpha?: number; readonly beta?: number; readonly bias?: number } = {},
): Tensor {
  const value = valueOf(x, "localResponseNorm");
  const [batch = 0, channels = 0, ...spatial] = value.shape;
  if (value.rank < 2) throw new ShapeError(`localResponseNorm: expected [batch, channels, …], got shape ${operate.shapeText(x.shape)}`);
  if (!Number.isInteger(size) || size < 1) throw new InputError(`localResponseNorm: size must be a positive integer, got ${size}`);
  const flat = operate.reshape(value, [batch, channels, sizeOfShape(spatial)]);
  const { alpha = 1e-4, beta = 0.75, bias = 1 } = options;
  const attributes = { size, before: size >> 1, channels, alpha, beta, bias };
  return asTensor(operate.reshape(apply(normalisations.localResponseNorm, [flat], attributes), value.shape));
}

/** y[…, o] = Σ x1[…, i] · weight[o, i, j] · x2[…, j] + bias[o]. */
export function bilinear(x1: Tensor, x2: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [outputs = 0, left = 0, right = 0] = weight.shape;
  if (weight.rank !== 3 || x1.shape.at(-1) !== left || x2.shape.at(-1) !== right)
    throw new ShapeError(
      `bilinear: weight is [out, in1, in2] for x1 [..., in1] and x2 [..., in2], got ${[weight, x1, x2].map((item) => operate.shapeText(item.shape)).join(", ")}`,
    );
  const y = einsum("...oj,...j->...o", einsum("...i,oij->...oj", x1, weight), x2);
  return bias === undefined ? y : y.add(bias.reshape([outputs]));
}

/** [batch, channels, …] with other spatial extents. @throws InputError without a size or scale, or with both */
export function upsample(x: Tensor, options: resampling.UpsampleOptions): Tensor {
  return asTensor(resampling.upsample(valueOf(x, "upsample"), options));
}

/** Mean over `size` windows per spatial dimension that divide it as evenly as possible: output i covers ⌊i·n/size⌋ to ⌈(i+1)·n/size⌉. */
export function adaptiveAveragePool(x: Tensor, size: contractions.PerDimension): Tensor {
  return asTensor(resampling.adaptivePool("average", valueOf(x, "adaptiveAveragePool"), size));
}

/** Largest value over `size` windows per spatial dimension that divide it as evenly as possible. */
export function adaptiveMaxPool(x: Tensor, size: contractions.PerDimension): Tensor {
  return asTensor(resampling.adaptivePool("max", valueOf(x, "adaptiveMaxPool"), size));
}

/** Larger spatial dimensions. @throws ShapeError when reflect or circular padding reaches beyond the input */
export function padding(x: Tensor, amounts: resampling.PaddingAmounts, options: resampling.PaddingOptions = {}): Tensor {
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

/** A copy with its own memory. */
export function copy<S extends Shape>(x: Tensor<S>): Tensor<S> {
  return asTensor(apply(moves.copy, [valueOf(x, "copy")]));
}

/** Applies an op from the catalogue, or a user's, by its row. */
export function applyOp(op: Op, inputs: readonly Tensor[], attributes: Attributes = {}, resultShape?: Shape): Tensor {
  if (inputs.length !== op.formula.inputs.length)
    throw new InputError(`${op.name} takes ${op.formula.inputs.length} tensors (${op.formula.inputs.join(", ")}), got ${inputs.length}`);
  return asTensor(
    apply(
      op,
      inputs.map((item) => valueOf(item, op.name)),
      attributes,
      { resultShape, like },
    ),
  );
}

function halves(name: string, x: Tensor, axis: number): readonly [Tensor, Tensor] {
  const along = operate.resolveAxis(name, axis, valueOf(x, name).rank);
  const extent = x.shape[along] as number;
  if (extent % 2 !== 0)
    throw new ShapeError(`${name}: expected an even extent along axis ${axis}, got ${extent}: x is ${operate.shapeText(x.shape)}`);
  return x.split(extent / 2, along) as unknown as readonly [Tensor, Tensor];
}
