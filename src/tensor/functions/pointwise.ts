// Activations and other functions of single elements, and softmax.

import * as activations from "../../ops/activations.ts";
import * as arithmetic from "../../ops/arithmetic.ts";
import type { Op } from "../../ops/op.ts";
import { ShapeError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import { apply } from "../engine.ts";
import * as operate from "../operate.ts";
import type { Shape } from "../shapes.ts";
import { asTensor, valueOf } from "../tensor.ts";
import type { Axes, Tensor } from "../types.ts";
import type { Attributes } from "../value.ts";

type Unary = <S extends Shape>(x: Tensor<S>) => Tensor<S>;

const unary = (op: Op): Unary => {
  const call: Unary = (x) => asTensor(apply(op, [valueOf(x, op.name)]));
  // Summaries and printed layers call the function by its name.
  return Object.defineProperty(call, "name", { value: op.name });
};

const withAttributes = <S extends Shape>(op: Op, x: Tensor<S>, attributes: Attributes): Tensor<S> =>
  asTensor(apply(op, [valueOf(x, op.name)], attributes));
/** 1 / (1 + exp(−x)), element by element. @function */
export const sigmoid: Unary = unary(activations.sigmoid);
/** Hyperbolic tangent, element by element. @function */
export const tanh: Unary = unary(activations.tanh);
/** max(x, 0), element by element; its gradient at 0 is 0. @function */
export const relu: Unary = unary(activations.relu);
/** min(max(x, 0), 6), element by element. @function */
export const relu6: Unary = unary(activations.relu6);
/**
 * 1.0507 · x where positive, else 1.0507 · 1.6733 · (exp(x) − 1), element by element. Klambauer et al. 2017.
 * @function
 */
export const selu: Unary = unary(activations.selu);
/** x · sigmoid(x), element by element; also called swish. Ramachandran et al. 2017. @function */
export const silu: Unary = unary(activations.silu);
/** log(1 + exp(x)) without overflow, element by element. @function */
export const softplus: Unary = unary(activations.softplus);
/** x / (1 + |x|), element by element. @function */
export const softsign: Unary = unary(activations.softsign);
/** log sigmoid(x) without overflow, element by element. @function */
export const logSigmoid: Unary = unary(activations.logSigmoid);
/** x / 6 + 1/2 kept between 0 and 1, element by element. @function */
export const hardSigmoid: Unary = unary(activations.hardSigmoid);
/** x · hardSigmoid(x), element by element. Howard et al. 2019. @function */
export const hardSwish: Unary = unary(activations.hardSwish);
/** x · tanh(softplus(x)), element by element. Misra 2020. @function */
export const mish: Unary = unary(activations.mish);
/** eˣ, element by element. @function */
export const exp: Unary = unary(arithmetic.exp);
/** Natural logarithm, element by element; −Infinity at 0, NaN below. @function */
export const log: Unary = unary(arithmetic.log);
/** Square root, element by element; NaN below 0. @function */
export const sqrt: Unary = unary(arithmetic.sqrt);
/** Absolute value, element by element. @function */
export const abs: Unary = unary(arithmetic.abs);
/** Sine of x in radians, element by element. @function */
export const sin: Unary = unary(arithmetic.sin);
/** Cosine of x in radians, element by element. @function */
export const cos: Unary = unary(arithmetic.cos);
/** Error function 2/√π ∫₀ˣ exp(−t²) dt, element by element. @function */
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

/**
 * exp(x) / Σ exp(x) along an axis (default the last one); the same shape.
 * @throws ShapeError when there is no such axis
 */
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

/**
 * x [..., 2n, ...] → a · sigmoid(b) [..., n, ...] for the halves a and b along the axis. Dauphin et al. 2016.
 * @throws ShapeError when the extent is odd
 */
export function glu(x: Tensor, axis = -1): Tensor {
  const [a, b] = halves("glu", x, axis);
  return a.mul(b.sigmoid());
}

/** x where positive, else slope · x with one slope for all, or one per channel of [batch, channels, …]. */
export function prelu<S extends Shape>(x: Tensor<S>, slope: Tensor): Tensor<S> {
  const weights = valueOf(slope, "prelu");
  const channels = x.rank < 2 ? 1 : x.shape[1]!;
  if (weights.size !== 1 && weights.size !== channels)
    throw new ShapeError(`prelu: expected one slope or ${channels}, got ${weights.size}: x is ${shapeText(x.shape)}`);
  const spread = weights.size === 1 ? [] : [weights.size, ...x.shape.slice(2).fill(1)];
  return asTensor(apply(activations.prelu, [valueOf(x, "prelu"), operate.reshape(weights, spread)]));
}

function halves(name: string, x: Tensor, axis: number): readonly [Tensor, Tensor] {
  const along = operate.resolveAxis(name, axis, valueOf(x, name).rank);
  const extent = x.shape[along]!;
  if (extent % 2 !== 0)
    throw new ShapeError(`${name}: expected an even extent along axis ${axis}, got ${extent}: x is ${shapeText(x.shape)}`);
  return x.split(extent / 2, along) as unknown as readonly [Tensor, Tensor];
}
