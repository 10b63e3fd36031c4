// Functions of tensors beyond the methods: activations, joining, products, convolutions, pooling, choosing, and users' own ops.

import * as activations from "../ops/activations.ts";
import * as arithmetic from "../ops/arithmetic.ts";
import * as gathers from "../ops/gathers.ts";
import * as moves from "../ops/moves.ts";
import * as normalisations from "../ops/normalisations.ts";
import type { Op } from "../ops/op.ts";
import { InputError } from "../util/errors.ts";
import * as contractions from "./contractions.ts";
import { apply } from "./engine.ts";
import * as operate from "./operate.ts";
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

export const sigmoid: Unary = unary(activations.sigmoid);
export const tanh: Unary = unary(activations.tanh);
export const relu: Unary = unary(activations.relu);
export const relu6: Unary = unary(activations.relu6);
export const selu: Unary = unary(activations.selu);
export const silu: Unary = unary(activations.silu);
export const softplus: Unary = unary(activations.softplus);
export const softsign: Unary = unary(activations.softsign);
export const logSigmoid: Unary = unary(activations.logSigmoid);
export const hardSigmoid: Unary = unary(activations.hardSigmoid);
export const hardSwish: Unary = unary(activations.hardSwish);
export const exp: Unary = unary(arithmetic.exp);
export const log: Unary = unary(arithmetic.log);
export const sqrt: Unary = unary(arithmetic.sqrt);
export const abs: Unary = unary(arithmetic.abs);
export const sin: Unary = unary(arithmetic.sin);
export const cos: Unary = unary(arithmetic.cos);
export const erf: Unary = unary(arithmetic.erf);

export function leakyRelu<S extends Shape>(x: Tensor<S>, slope = 0.01): Tensor<S> {
  return withAttributes(activations.leakyRelu, x, { slope });
}

export function elu<S extends Shape>(x: Tensor<S>, alpha = 1): Tensor<S> {
  return withAttributes(activations.elu, x, { alpha });
}

/** @param approximate "none" uses the error function, "tanh" its tanh approximation */
export function gelu<S extends Shape>(x: Tensor<S>, approximate: "none" | "tanh" = "none"): Tensor<S> {
  return withAttributes(approximate === "tanh" ? activations.geluTanh : activations.gelu, x, {});
}

export function hardtanh<S extends Shape>(x: Tensor<S>, low = -1, high = 1): Tensor<S> {
  return withAttributes(activations.hardtanh, x, { low, high });
}

export function softmax<S extends Shape>(x: Tensor<S>, axis: Axes = -1): Tensor<S> {
  return withAttributes(activations.softmax, x, { axes: operate.resolveAxes("softmax", axis, x.rank) });
}

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
