// The linear maps of Winograd's F(4, 3): four outputs of a three-tap filter from six products instead of twelve.

import type { FunctionBuilder } from "../../language/builder.ts";
import type { Value, Variable } from "../../language/language.ts";
import { add, constant, fma, mul, sub } from "../../language/values.ts";

/** Outputs per tile, taps, and products (= inputs) per tile, in each direction. */
export const SIZE = { outputs: 4, taps: 3, products: 6 } as const;

/**
 * Interpolation at 0, ±1/√2, ±√2 and ∞ (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, with
 * the points of Alam et al., "Winograd Convolution for Deep Neural Networks: Efficient Point Selection", 2022). The
 * usual 0, ±1, ±2, ∞ have two to ten times the rounding error.
 */
const a = Math.SQRT1_2;
const b = Math.SQRT2;
/** a², b²; a²·b² is 1. */
const [a2, b2] = [0.5, 2];

const c = (value: number): Value => constant("vf32", value);

/** One dimension of a transform: from its inputs to the outputs asked for, in vectors. */
export type Transform = (k: FunctionBuilder, inputs: readonly Variable[]) => Variable[];

/**
 * Six inputs to products 1 … 4; does not need the first and the last input's outer terms, so it holds few registers.
 */
export const innerInput: Transform = (k, [, d1, d2, d3, d4]) => {
  const pair = (square: number, root: number) => {
    const even = k.let(fma(d2!, c(-square), d4!), "even");
    const odd = k.let(fma(d1!, c(-square), d3!), "odd");
    return [k.let(fma(odd, c(root), even), "t"), k.let(fma(odd, c(-root), even), "t")];
  };
  return [...pair(b2, a), ...pair(a2, b)];
};

/** Six inputs to the product at 0 (first five inputs) or at ∞ (last five). */
export const outerInput = (k: FunctionBuilder, first: Value, third: Value, fifth: Value): Variable =>
  k.let(fma(third, c(-(a2 + b2)), add(first, fifth)), "t");

/** Three taps to six products. */
export const filter: Transform = (k, [g0, g1, g2]) => {
  const pair = (square: number, root: number, scale: number) => {
    const even = k.let(mul(fma(g2!, c(square), g0!), c(1 / scale)), "even");
    return [k.let(fma(g1!, c(root / scale), even), "u"), k.let(fma(g1!, c(-root / scale), even), "u")];
  };
  return [g0!, ...pair(a2, a, 2 * a2 * (a2 - b2)), ...pair(b2, b, 2 * b2 * (b2 - a2)), g2!];
};

/** Six products to four outputs. */
export const output: Transform = (k, [m0, m1, m2, m3, m4, m5]) => {
  const [sumA, differenceA] = [k.let(add(m1!, m2!), "s"), k.let(sub(m1!, m2!), "d")];
  const [sumB, differenceB] = [k.let(add(m3!, m4!), "s"), k.let(sub(m3!, m4!), "d")];
  return [
    k.let(add(add(m0!, sumA), sumB), "y"),
    k.let(fma(differenceB, c(b), mul(differenceA, c(a))), "y"),
    k.let(fma(sumB, c(b2), mul(sumA, c(a2))), "y"),
    k.let(fma(differenceB, c(b * b2), fma(differenceA, c(a * a2), m5!)), "y"),
  ];
};

/** The transpose of `output`: four upstream gradients to six products. */
export const upstream: Transform = (k, [y0, y1, y2, y3]) => {
  const pair = (square: number, root: number) => {
    const even = k.let(fma(y2!, c(square), y0!), "even");
    const odd = k.let(mul(fma(y3!, c(square), y1!), c(root)), "odd");
    return [k.let(add(even, odd), "m"), k.let(sub(even, odd), "m")];
  };
  return [y0!, ...pair(a2, a), ...pair(b2, b), y3!];
};

/** The transpose of `filter`: six sums of products to the gradient of three taps. */
export const taps: Transform = (k, [u0, u1, u2, u3, u4, u5]) => {
  const [scaleA, scaleB] = [1 / (2 * a2 * (a2 - b2)), 1 / (2 * b2 * (b2 - a2))];
  const [sumA, sumB] = [k.let(add(u1!, u2!), "s"), k.let(add(u3!, u4!), "s")];
  const [differenceA, differenceB] = [k.let(sub(u1!, u2!), "d"), k.let(sub(u3!, u4!), "d")];
  return [
    k.let(fma(sumB, c(scaleB), fma(sumA, c(scaleA), u0!)), "g"),
    k.let(fma(differenceB, c(b * scaleB), mul(differenceA, c(a * scaleA))), "g"),
    k.let(fma(sumB, c(b2 * scaleB), fma(sumA, c(a2 * scaleA), u5!)), "g"),
  ];
};
