// sin, cos, tan by reduction modulo π/2 in exact steps; asin, acos, atan.

import type { FunctionBuilder } from "../language/builder.ts";
import type { Value, Variable } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { MathFunction } from "./helpers.ts";
import { clamp, INFINITY, polynomial, roundToInteger, signBit, withSign } from "./helpers.ts";
import { reduceLarge } from "./large-angles.ts";

/** (sin r − r)/r³ and (cos r − 1 + r²/2)/r⁴ in r² for |r| ≤ π/4: 2⁻²⁸, 2⁻³³. */
const SIN_TAIL = [-0.166666539, 0.00833211304, -0.000195087414];
const COS_TAIL = [0.0416666444, -0.00138872515, 2.44256811e-5];
/** (asin x − x)/x³ in x² for |x| ≤ ½: 2⁻³². */
const ASIN_TAIL = [0.1666666, 0.0750050418, 0.0445169556, 0.0318077186, 0.0144385921, 0.037516482];
/** (atan x − x)/x³ in x² for |x| ≤ tan(π/8): 2⁻³⁰. */
const ATAN_TAIL = [-0.333333152, 0.199984715, -0.142435336, 0.105938154, -0.0607822544];

/** π/2 in parts of 24 bits (for machines that round a·b + c once) and of 16 bits (elsewhere). */
const WHOLE_PARTS = [1.5707963705062866, -4.371138828673793e-8, -1.7151245100058819e-15];
const SHORT_PARTS = [1.570770263671875, 2.6063062250614166e-5, 6.077094383272197e-11];

/** Up to here the products of q with the parts of π/2 are exact. */
const LARGE = 1e5;

/**
 * x = q·π/2 + r with |r| ≤ π/4. Without a fused multiply-add q is split into a multiple of 256 and a rest of 8 bits, so
 * that their products with 16-bit parts are exact. Where any lane is beyond their reach, those that are take the long
 * way.
 */
function quadrant(k: FunctionBuilder, x: Value): { q: Variable; r: Variable } {
  const kept = k.let(x);
  const n = roundToInteger(k, v.mul(kept, 0.636619772));
  let r: Value = kept;
  if (k.machine.fma === "fused" && v.isVector(kept.type)) {
    for (const part of WHOLE_PARTS) r = v.fma(n.float, -part, r);
  } else {
    const coarse = 1.5 * 2 ** 31;
    const high = k.let(v.sub(v.add(n.float, coarse), coarse));
    const low = k.let(v.sub(n.float, high));
    for (const part of SHORT_PARTS) r = v.sub(v.sub(r, v.mul(high, part)), v.mul(low, part));
  }
  const found = { q: k.let(n.int), r: k.let(clamp(r, -0.8, 0.8)) };
  const magnitude = k.let(v.abs(kept));
  const isLarge = k.let(v.and(v.gt(magnitude, LARGE), v.lt(magnitude, INFINITY)));
  k.if(v.operation("any", [isLarge]), () => {
    const large = reduceLarge(k, k.let(v.splat(kept)));
    for (const part of ["q", "r"] as const) {
      const wide = v.isVector(kept.type) ? large[part] : v.extract(large[part], 0);
      k.set(found[part], v.select(isLarge, wide, found[part]));
    }
  });
  return found;
}

function sinAndCos(k: FunctionBuilder, r: Variable): { sine: Variable; cosine: Variable } {
  const square = k.let(v.mul(r, r));
  return {
    sine: k.let(v.fma(v.mul(r, square), polynomial(square, SIN_TAIL), r)),
    cosine: k.let(v.fma(v.mul(square, square), polynomial(square, COS_TAIL), v.fma(square, -0.5, 1))),
  };
}

/** Sine of r + q·π/2: swaps with the cosine when q is odd, changes sign when q has bit 1. */
function turned(k: FunctionBuilder, q: Value, r: Variable): Value {
  const { sine, cosine } = sinAndCos(k, r);
  const chosen = v.select(v.eq(v.and(q, 1), 0), sine, cosine);
  return v.bitsToFloat(v.xor(v.bitsToInt(chosen), v.shiftLeft(v.and(q, 2), 30)));
}

export const sin: MathFunction = (k, x) => {
  const kept = k.let(x);
  const { q, r } = quadrant(k, kept);
  return v.select(v.eq(kept, 0), kept, turned(k, q, r));
};

export const cos: MathFunction = (k, x) => {
  const { q, r } = quadrant(k, x);
  return turned(k, k.let(v.add(q, 1)), r);
};

export const tan: MathFunction = (k, x) => {
  const kept = k.let(x);
  const { q, r } = quadrant(k, kept);
  const { sine, cosine } = sinAndCos(k, r);
  const even = k.let(v.eq(v.and(q, 1), 0));
  const ratio = v.div(v.select(even, sine, v.neg(cosine)), v.select(even, cosine, sine));
  return v.select(v.eq(kept, 0), kept, ratio);
};

/** asin of t, and √((1 − |x|)/2) instead of |x| when |x| > ½. */
function arc(k: FunctionBuilder, x: Variable): { magnitude: Variable; large: Variable; value: Variable } {
  const magnitude = k.let(v.abs(x));
  const large = k.let(v.gt(magnitude, 0.5));
  const square = k.let(v.select(large, v.mul(v.sub(1, magnitude), 0.5), v.mul(magnitude, magnitude)));
  const t = k.let(v.select(large, v.sqrt(square), magnitude));
  return { magnitude, large, value: k.let(v.fma(v.mul(t, square), polynomial(square, ASIN_TAIL), t)) };
}

const HALF_PI = [1.57079637, -4.37113883e-8] as const;

export const asin: MathFunction = (k, x) => {
  const kept = k.let(x);
  const { large, value } = arc(k, kept);
  const result = v.select(large, v.add(v.sub(HALF_PI[0], v.mul(value, 2)), HALF_PI[1]), value);
  return withSign(result, signBit(kept));
};

/** acos x = 2·asin √((1 − x)/2) for x > ½, π − that of −x for x < −½, π/2 − asin x between. */
export const acos: MathFunction = (k, x) => {
  const kept = k.let(x);
  const { large, value } = arc(k, kept);
  const positive = k.let(v.ge(kept, 0));
  const twice = k.let(v.mul(value, 2));
  const far = v.select(positive, twice, v.add(v.sub(2 * HALF_PI[0], twice), 2 * HALF_PI[1]));
  const signed = v.select(positive, v.neg(value), value);
  return v.select(large, far, v.add(v.add(signed, HALF_PI[1]), HALF_PI[0]));
};

/** atan x = π/4 + atan((x − 1)/(x + 1)) = π/2 − atan(1/x), whichever brings the argument below tan(π/8). */
export const atan: MathFunction = (k, x) => {
  const kept = k.let(x);
  const magnitude = k.let(v.abs(kept));
  const far = k.let(v.gt(magnitude, 2.41421356));
  const middle = k.let(v.gt(magnitude, 0.414213562));
  const numerator = v.select(far, v.constant(kept.type, -1), v.select(middle, v.sub(magnitude, 1), magnitude));
  const denominator = v.select(far, magnitude, v.select(middle, v.add(magnitude, 1), 1));
  const t = k.let(v.div(numerator, denominator));
  const square = k.let(v.mul(t, t));
  const turn = v.select(far, v.constant(kept.type, HALF_PI[0]), v.select(middle, v.constant(kept.type, HALF_PI[0] / 2), 0));
  const turnLow = v.select(far, v.constant(kept.type, HALF_PI[1]), v.select(middle, v.constant(kept.type, HALF_PI[1] / 2), 0));
  const value = v.add(v.add(v.fma(v.mul(t, square), polynomial(square, ATAN_TAIL), turnLow), t), turn);
  return withSign(value, signBit(kept));
};
