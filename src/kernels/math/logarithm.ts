// log, log1p and pow; pow carries log₂ to about 40 bits as a sum of two floats.

import type { FunctionBuilder } from "../language/builder.ts";
import type { Value, Variable } from "../language/language.ts";
import * as v from "../language/values.ts";
import { expPlus } from "./exponential.ts";
import type { MathFunction } from "./helpers.ts";
import { clamp, head, INFINITY, polynomial, roundToInteger, scale, signBit } from "./helpers.ts";

/** (log(1 + r) − r + r²/2) / r³ for √½ − 1 ≤ r ≤ √2 − 1: 2⁻³⁰ of log(1 + r). */
const LOG_TAIL = [0.333333126, -0.250000096, 0.200021186, -0.166679958, 0.142195525, -0.124055896, 0.118881629, -0.116756507, 0.0674663756];
/** 3·(atanh(s)/s − 1 − s²/3)/s⁴ in s² for |s| ≤ 0.1716. */
const ATANH_TAIL = [0.599999973, 0.428578109, 0.332775132, 0.292019055];
const ln2 = [0.693145751953125, 1.42860682e-6] as const;
const SQRT_HALF_BITS = 0x3f3504f3;

/** x = m·2ᵉ with √½ ≤ m < √2, for x > 0 (denormals too). */
function decomposed(k: FunctionBuilder, x: Variable): { m: Variable; e: Value } {
  const tiny = k.let(v.lt(x, 2 ** -126));
  const normal = v.select(tiny, v.mul(x, 2 ** 23), x);
  const bits = k.let(v.sub(v.bitsToInt(normal), SQRT_HALF_BITS));
  const e = v.sub(v.shiftRight(bits, 23), v.select(tiny, v.constant(bits.type, 23), 0));
  return { m: k.let(v.bitsToFloat(v.add(v.and(bits, 0x7fffff), SQRT_HALF_BITS))), e };
}

/** log(x) + extra, for finite x > 0. */
function logPlus(k: FunctionBuilder, x: Variable, extra: Value | undefined): Value {
  const { m, e } = decomposed(k, x);
  const exponent = k.let(v.convertToFloat(e));
  const r = k.let(v.sub(m, 1));
  const square = k.let(v.mul(r, r));
  let low = v.fma(exponent, ln2[1], v.mul(v.mul(square, r), polynomial(r, LOG_TAIL)));
  if (extra !== undefined) low = v.add(low, extra);
  low = v.fma(square, -0.5, low);
  return v.fma(exponent, ln2[0], v.add(r, low));
}

/** What log gives where it is not finite: log(0) = −∞, log(∞) = ∞, of negative numbers and NaN: NaN. */
function logEdges(x: Variable, value: Value): Value {
  const edge = v.select(v.eq(x, 0), v.constant(x.type, -INFINITY), v.select(v.eq(x, INFINITY), x, v.constant(x.type, Number.NaN)));
  return v.select(v.and(v.gt(x, 0), v.lt(x, INFINITY)), value, edge);
}

export const log: MathFunction = (k, x) => {
  const kept = k.let(x);
  return logEdges(kept, logPlus(k, kept, undefined));
};

/** log of u = 1 + x rounded, plus what the rounding lost: (x − (u − 1)) / u. */
export const log1p: MathFunction = (k, x) => {
  const kept = k.let(x);
  const u = k.let(v.add(kept, 1));
  const lost = v.select(v.ge(kept, 1), v.sub(1, v.sub(u, kept)), v.sub(kept, v.sub(u, 1)));
  const value = k.let(logEdges(u, logPlus(k, u, v.div(lost, u))));
  return v.select(v.lt(v.abs(kept), 2 ** -25), kept, value);
};

/** hi + lo = log₂(m·2ᵉ), hi with 12 bits, lo a correction: together about 2⁻³⁵ relative. */
function log2Pair(k: FunctionBuilder, x: Variable): { hi: Variable; lo: Variable } {
  const { m, e } = decomposed(k, x);
  const exponent = k.let(v.convertToFloat(e));
  // s = (m − 1)/(m + 1) = s0 + s1
  const u = k.let(v.sub(m, 1));
  const w = k.let(v.add(m, 1));
  const inverse = k.let(v.div(1, w));
  const s = k.let(v.mul(u, inverse));
  const s0 = k.let(head(s));
  const w0 = k.let(head(w));
  const w1 = v.sub(m, v.sub(w0, 1));
  const s1 = k.let(v.mul(v.sub(v.sub(u, v.mul(s0, w0)), v.mul(s0, w1)), inverse));
  // log m = 2/3·s·(3 + s² + tail)
  const square = k.let(v.mul(s, s));
  const rest = k.let(v.fma(s1, v.add(s0, s), v.mul(v.mul(square, square), polynomial(square, ATANH_TAIL))));
  const exact = k.let(v.mul(s0, s0));
  const t0 = k.let(head(v.add(v.add(exact, 3), rest)));
  const t1 = v.sub(rest, v.sub(v.sub(t0, 3), exact));
  // p = s·t
  const product = k.let(v.mul(s0, t0));
  const correction = k.let(v.add(v.mul(s1, t0), v.mul(t1, s)));
  const p0 = k.let(head(v.add(product, correction)));
  const p1 = k.let(v.sub(correction, v.sub(p0, product)));
  // · 2/(3 ln 2), whose head has 12 bits
  const z0 = k.let(v.mul(p0, 0.961669921875));
  const z1 = k.let(v.add(v.mul(p0, 0.00012677204), v.mul(p1, 0.9617967)));
  const hi = k.let(head(v.add(v.add(z0, z1), exponent)));
  const lo = k.let(v.sub(z1, v.sub(v.sub(hi, exponent), z0)));
  return { hi, lo };
}

/** |x|^y by 2^(y·log₂|x|), then the sign and the edges of IEEE 754 (with pow(1, y) = pow(x, 0) = 1). */
export function pow(k: FunctionBuilder, base: Value, exponent: Value): Value {
  const x = k.let(v.isVector(exponent.type) ? v.splat(base) : base);
  const y = k.let(v.isVector(base.type) ? v.splat(exponent) : exponent);
  const magnitude = k.let(v.abs(x));
  const { hi, lo } = log2Pair(k, magnitude);
  const bounded = k.let(clamp(y, -(2 ** 33), 2 ** 33));
  const y0 = k.let(head(bounded));
  const main = k.let(v.mul(y0, hi));
  const minor = k.let(v.add(v.mul(v.sub(bounded, y0), hi), v.mul(bounded, lo)));
  const total = k.let(clamp(v.add(main, minor), -300, 200));
  // Where the clamp acted the correction is meaningless, and the result saturates anyway.
  const near = v.lt(v.abs(total), 200);
  const n = roundToInteger(k, total);
  const fraction = v.select(near, v.add(v.sub(main, n.float), minor), v.constant(x.type, 0));
  const { value, n: extra } = expPlus(k, v.mul(fraction, Math.LN2));
  const finite = scale(k, value, v.operation("min", [v.operation("max", [v.add(n.int, extra), -252]), 252]));

  const whole = k.let(v.eq(v.trunc(bounded), bounded));
  const odd = k.let(v.and(whole, v.ne(v.trunc(v.mul(bounded, 0.5)), v.mul(bounded, 0.5))));
  const zeroOrInfinite = v.or(v.eq(magnitude, 0), v.eq(magnitude, INFINITY));
  const vanishes = v.convertToInt(v.xor(v.eq(magnitude, 0), v.lt(y, 0)));
  const edge = v.select(v.ne(vanishes, 0), v.constant(x.type, 0), INFINITY);
  let result: Value = k.let(v.select(zeroOrInfinite, edge, finite));
  result = v.bitsToFloat(v.or(v.bitsToInt(result), v.select(odd, signBit(x), 0)));
  const undefinedHere = v.and(v.lt(x, 0), v.and(v.not(whole), v.lt(magnitude, INFINITY)));
  const invalid = v.or(undefinedHere, v.or(v.ne(x, x), v.ne(y, y)));
  const checked = v.select(invalid, v.constant(x.type, Number.NaN), result);
  return v.select(v.or(v.eq(y, 0), v.eq(x, 1)), v.constant(x.type, 1), checked);
}

/** x^c for a constant c: products and a root where those are accurate. */
export function powConstant(k: FunctionBuilder, x: Value, exponent: number): Value {
  if (exponent === 0) return v.constant(x.type, 1);
  const kept = k.let(x);
  if (exponent === 1) return kept;
  if (exponent === -1) return v.div(1, kept);
  if (exponent === 0.5) return v.select(v.eq(kept, -INFINITY), v.constant(x.type, INFINITY), v.sqrt(v.add(kept, 0)));
  if (exponent === -2) {
    // Not 1 / x²: that square overflows before the result is 0.
    const inverse = k.let(v.div(1, kept));
    return v.mul(inverse, inverse);
  }
  const square = v.mul(kept, kept);
  if (exponent === 2) return square;
  if (exponent === 3) return v.mul(square, kept);
  if (exponent === 4) {
    const twice = k.let(square);
    return v.mul(twice, twice);
  }
  return pow(k, kept, v.constant(x.type, exponent));
}
