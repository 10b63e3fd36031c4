// exp, expm1, sinh, cosh, tanh and their float32 polynomials (minimax fits; comments give relative errors).

import type { FunctionBuilder } from "../language/builder.ts";
import type { Value, Variable } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { MathFunction } from "./helpers.ts";
import { clamp, polynomial, powerOfTwo, roundToInteger, signBit, withSign } from "./helpers.ts";
import { byPieces } from "./pieces.ts";

/** (eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2: eʳ − 1 within 2⁻³¹. */
const EXP_TAIL = [0.500000005, 0.166666664, 0.0416663487, 0.0083333916, 0.00139416527, 0.000198459807];

/** (tanh(x)/x − 1)/x² in x² for |x| ≤ 0.625: 2⁻³². */
const TANH_TAIL = [-0.333333308, 0.13333206, -0.0539467633, 0.0217007044, -0.00817740082, 0.00214296396];

/** ln 2 in two parts; the first has 15 bits, so that n · first is exact for |n| ≤ 2⁹. */
const LN2 = [0.693145751953125, 1.42860682e-6] as const;
const log2e = Math.LOG2E;

/** x = n·ln 2 + r; gives n and eʳ − 1 = r + r²·P(r). */
function reduced(k: FunctionBuilder, x: Value): { n: Value; r: Variable; tail: Value } {
  const kept = k.let(x);
  const n = roundToInteger(k, v.mul(kept, log2e));
  const r = k.let(v.fma(n.float, -LN2[1], v.fma(n.float, -LN2[0], kept)));
  return { n: n.int, r, tail: v.mul(v.mul(r, r), polynomial(r, EXP_TAIL)) };
}

/** (eʳ − 1 − r)/r² again, for eʳ within 2⁻²⁷: one term less. */
const SHORT_TAIL = [0.49999998, 0.166665387, 0.0416672212, 0.00836718093, 0.00138823998];
/** (1 − e⁻ʳ − r)/r². */
const negatedTail = SHORT_TAIL.map((c, n) => (n % 2 === 0 ? -c : c));

/**
 * 2·eʳ · 2ⁿ⁻¹, where n falls out of the sum that rounds x/ln 2: with 2²³ + 2²² + 126 added, its low bits are n − 1 +
 * 127, an exponent. Below e⁻⁸⁷ that leaves the normal exponents: where a lane is there, its power is made 2⁶⁴ times as
 * large and the product as much smaller.
 */
export const exp: MathFunction = (k, x) => {
  const magic = 12582912 + 126;
  const kept = k.let(v.operation("pmin", [x, 89]));
  const shifted = k.let(v.fma(kept, log2e, magic));
  const n = k.let(v.sub(shifted, magic));
  const r = k.let(v.fma(n, -LN2[1], v.fma(n, -LN2[0], kept)));
  const double = k.let(v.add(r, r));
  const twice = k.let(v.add(v.fma(v.mul(double, r), polynomial(r, SHORT_TAIL), double), 2));
  const power = k.let(v.shiftLeft(v.bitsToInt(shifted), 23));
  const result = k.let(v.mul(twice, v.bitsToFloat(power)));
  const isTiny = k.let(v.lt(kept, -86.9));
  k.if(v.operation("any", [isTiny]), () => {
    const larger = v.bitsToFloat(v.add(power, 64 << 23));
    const tiny = v.select(v.lt(kept, -103.98), v.constant(kept.type, 0), v.mul(v.mul(twice, larger), 2 ** -64));
    k.set(result, v.select(isTiny, tiny, result));
  });
  return result;
};

/** 1 − e⁻ᵘ for 0 ≤ u ≤ 80, or NaN: with u = r − n·ln 2, 2ⁿ·(1 − e⁻ʳ) + (1 − 2ⁿ), exact where n = 0. */
export function oneMinusExp(k: FunctionBuilder, u: Value): Value {
  const magic = 12582912 + 127;
  const kept = k.let(u);
  const shifted = k.let(v.fma(kept, -log2e, magic));
  const n = k.let(v.sub(shifted, magic));
  const r = k.let(v.fma(n, LN2[1], v.fma(n, LN2[0], kept)));
  const power = k.let(v.bitsToFloat(v.shiftLeft(v.bitsToInt(shifted), 23)));
  return v.fma(power, v.fma(v.mul(r, r), polynomial(r, negatedTail), r), v.sub(1, power));
}

/** eˣ for the small x that `pow` needs, already known not to be NaN or far out. */
export const expPlus = (k: FunctionBuilder, x: Value): { value: Value; n: Value } => {
  const { n, r, tail } = reduced(k, x);
  return { value: v.add(v.add(tail, r), 1), n };
};

/** 2·(2ⁿ⁻¹·p + (2ⁿ⁻¹ − ½)): no overflow in 2ⁿ, and exact where n = 0. */
export const expm1: MathFunction = (k, x) => {
  const kept = k.let(x);
  const { n, r, tail } = reduced(k, clamp(kept, -30, 89));
  const p = k.let(v.add(tail, r));
  const half = k.let(powerOfTwo(v.sub(n, 1)));
  const result = v.mul(v.fma(half, p, v.sub(half, 0.5)), 2);
  return v.select(v.eq(kept, 0), kept, result);
};

const tanhByExp: MathFunction = (k, x) => {
  const kept = k.let(x);
  const magnitude = k.let(v.abs(kept));
  const square = k.let(v.mul(kept, kept));
  const small = v.fma(v.mul(kept, square), polynomial(square, TANH_TAIL), kept);
  // Above 10 tanh is 1 in float32; the clamp keeps NaN.
  const e = exp(k, v.mul(clamp(magnitude, 0, 10), 2));
  const large = withSign(v.sub(1, v.div(2, v.add(e, 1))), signBit(kept));
  return v.select(v.lt(magnitude, 0.625), v.select(v.eq(kept, 0), kept, small), large);
};

/** tanh(x)/x is within 2⁻²⁶ in every interval. */
export const tanh = byPieces({ exact: Math.tanh, end: 9.3125, degree: 7 }, tanhByExp);

/** Above 88, e^|x| overflows before sinh and cosh do: there (e^(|x|/2))² / 2 in the right order. */
function huge(k: FunctionBuilder, magnitude: Value): Value {
  const root = k.let(exp(k, v.mul(magnitude, 0.5)));
  return v.mul(v.mul(root, 0.5), root);
}

export const sinh: MathFunction = (k, x) => {
  const kept = k.let(x);
  const magnitude = k.let(v.abs(kept));
  const e = k.let(expm1(k, magnitude));
  const usual = v.mul(v.add(e, v.div(e, v.add(e, 1))), 0.5);
  return withSign(v.select(v.gt(magnitude, 88), huge(k, magnitude), usual), signBit(kept));
};

export const cosh: MathFunction = (k, x) => {
  const magnitude = k.let(v.abs(x));
  const e = k.let(exp(k, magnitude));
  return v.select(v.gt(magnitude, 88), huge(k, magnitude), v.mul(v.add(e, v.div(1, e)), 0.5));
};
