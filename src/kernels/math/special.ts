// erf, the floored remainder and the counter-based random generator.

import { erf as exactErf } from "../../nest/functions.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import { oneMinusExp } from "./exponential.ts";
import type { MathFunction } from "./helpers.ts";
import { head, polynomial, signBit, withSign } from "./helpers.ts";
import { byPieces } from "./pieces.ts";

/** −log(erfc t)/t − 1 for 0 ≤ t ≤ 3.95: 1 − e^(−t − t·P(t)) is within 2⁻²⁷ of erf. */
const ERFC_EXPONENT = [
  0.12837916612625122, 0.6366193890571594, 0.10277783125638962, -0.01915305852890015, -0.00016040675109252334, 0.00166703958529979,
  -0.0006328441668301821, 0.00011764349619625136, -9.256533303414471e-6,
];

/** 1 − e^−u, with which nothing cancels near 0; where |x| > 3.92 erf is 1 in float32, and the bound keeps NaN. */
const erfByExp: MathFunction = (k, x) => {
  const kept = k.let(x);
  const t = k.let(v.operation("pmin", [v.abs(kept), 3.95]));
  const u = k.let(v.fma(t, polynomial(t, ERFC_EXPONENT), t));
  return withSign(oneMinusExp(k, u), signBit(kept));
};

/** erf(x)/x is within 2⁻²⁸ in every interval. */
export const erf = byPieces({ exact: exactErf, end: 4, degree: 5 }, erfByExp);

/** x − y·⌊x/y⌋: the sign of the divisor. Exact while |x/y| < 2²³. */
export function floatMod(k: FunctionBuilder, a: Value, b: Value): Value {
  const x = k.let(v.isVector(b.type) ? v.splat(a) : a);
  const y = k.let(v.isVector(a.type) ? v.splat(b) : b);
  const q = k.let(v.trunc(v.div(x, y)));
  // q·y exactly, as the sum of four exact products of halves.
  const q0 = k.let(head(q));
  const y0 = k.let(head(y));
  const q1 = k.let(v.sub(q, q0));
  const y1 = k.let(v.sub(y, y0));
  const exact = v.sub(v.sub(v.sub(v.sub(x, v.mul(q0, y0)), v.mul(q0, y1)), v.mul(q1, y0)), v.mul(q1, y1));
  const rest = k.let(v.select(v.eq(q, 0), x, exact));
  // The quotient may be off by one where x/y was rounded; then the rest has the wrong sign or is too large.
  const magnitude = v.abs(y);
  const over = k.let(v.select(v.ge(v.abs(rest), magnitude), v.sub(rest, withSign(magnitude, signBit(rest))), rest));
  const wrong = v.and(v.ne(over, 0), v.ne(v.xor(signBit(over), signBit(y)), 0));
  return v.select(wrong, v.add(over, y), over);
}

/** Floored remainder of integers; 0 for a zero divisor. Lane by lane: no machine divides integer vectors. */
export function intMod(k: FunctionBuilder, a: Value, b: Value): Value {
  if (!v.isVector(a.type) && !v.isVector(b.type)) {
    const y = k.let(b);
    const safe = k.let(v.select(v.or(v.eq(y, 0), v.eq(y, -1)), v.i32(1), y));
    const rest = k.let(v.operation("remainder", [a, safe]));
    const wrong = v.and(v.ne(rest, 0), v.lt(v.xor(rest, safe), 0));
    return v.select(wrong, v.add(rest, safe), rest);
  }
  const x = k.let(v.splat(a));
  const y = k.let(v.splat(b));
  if (b.op === "constant" && b.value > 0 && Number.isInteger(Math.log2(b.value))) return v.and(x, b.value - 1);
  const result = k.let(x);
  for (let lane = 0; lane < k.machine.lanes; lane++) {
    k.set(result, v.replace(result, lane, intMod(k, v.extract(x, lane), v.extract(y, lane))));
  }
  return result;
}

/**
 * Philox2x32-10 (Salmon et al., SC'11): the top 24 bits of output `word` for counter words (counter, stream) under key
 * `seed`.
 */
export function uniform(k: FunctionBuilder, seed: Value, stream: Value, counter: Value, word: number): Value {
  const multiplier = 0xd256d193 | 0;
  const weyl = 0x9e3779b9 | 0;
  let c0: Value = k.let(counter);
  let c1: Value = k.let(stream);
  let key: Value = k.let(seed);
  for (let round = 0; round < 10; round++) {
    const before = c0;
    const high = v.operation("mulHighUnsigned", [before, v.constant(before.type, multiplier)]);
    c0 = k.let(v.xor(v.xor(high, key), c1));
    c1 = k.let(v.mul(before, v.constant(before.type, multiplier)));
    if (round < 9) key = k.let(v.add(key, v.constant(key.type, weyl)));
  }
  return v.mul(v.convertToFloat(v.shiftRightLogical(word === 0 ? c0 : c1, 8)), 2 ** -24);
}
