// Helpers of vector math: polynomials, splitting floats, sign and exponent bits, exact products.

import type { FunctionBuilder } from "../language/builder.ts";
import type { Value, Variable } from "../language/language.ts";
import * as v from "../language/values.ts";

/** A function of one float, written for scalars and vectors alike. */
export type MathFunction = (k: FunctionBuilder, x: Value) => Value;

/** c₀ + c₁x + c₂x² + … by Horner's rule. `x` is a variable. */
export function polynomial(x: Value, coefficients: readonly number[]): Value {
  const type = x.type;
  return coefficients.reduceRight<Value | undefined>((sum, c) => (sum === undefined ? v.constant(type, c) : v.fma(sum, x, c)), undefined)!;
}

/**
 * Adding and subtracting 1.5 · 2²³ rounds |x| < 2²² to the nearest integer; the low bits of the sum are that integer.
 */
export function roundToInteger(k: FunctionBuilder, x: Value): { float: Variable; int: Value } {
  const magic = 12582912;
  const shifted = k.let(v.add(x, magic));
  return { float: k.let(v.sub(shifted, magic)), int: v.sub(v.bitsToInt(shifted), 0x4b400000) };
}

/** 2ⁿ for −126 ≤ n ≤ 127. */
export const powerOfTwo = (n: Value): Value => v.bitsToFloat(v.shiftLeft(v.add(n, 127), 23));

/** y · 2ⁿ for −252 ≤ n ≤ 254 in two factors, so that results may be denormal or infinite. */
export function scale(k: FunctionBuilder, y: Value, n: Value): Value {
  const whole = k.let(n);
  const half = k.let(v.shiftRight(whole, 1));
  return v.mul(v.mul(y, powerOfTwo(half)), powerOfTwo(v.sub(whole, half)));
}

/** x with its low 12 mantissa bits cleared: products of two such heads are exact. */
export const head = (x: Value): Value => v.bitsToFloat(v.and(v.bitsToInt(x), -4096));

export const signBit = (x: Value): Value => v.and(v.bitsToInt(x), -2147483648);

/** magnitude (≥ 0) with the given sign bit. */
export const withSign = (magnitude: Value, sign: Value): Value => v.bitsToFloat(v.or(v.bitsToInt(magnitude), sign));

/** x limited to [low, high]; NaN stays. */
export const clamp = (x: Value, low: number, high: number): Value => v.operation("pmax", [v.operation("pmin", [x, high]), low]);

export const INFINITY = Number.POSITIVE_INFINITY;
