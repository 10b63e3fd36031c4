// Payne–Hanek reduction of large angles modulo π/2: the needed bits of 2/π times the mantissa, in integers.

import type { FunctionBuilder } from "../language/builder.ts";
import type { Value, Variable } from "../language/language.ts";
import * as v from "../language/values.ts";

/** The first 224 bits of 2/π behind the point. */
const TWO_OVER_PI = 0xa2f9836e_4e441529_fc2757d1_f534ddc0_db629599_3c439041_fe5163abn;

/**
 * The biased exponent of 1: the window of bits for the numbers from there on begins with the table, 25 zeros before the
 * point's bits.
 */
const FIRST = 127;
const words = Array.from({ length: 7 }, (_, n) => Number(BigInt.asIntN(32, TWO_OVER_PI >> BigInt(25 + 32 * (6 - n)))));

const QUARTER_TURN = [1.5707963705062866, -4.371138828673793e-8] as const;

export interface Reduced {
  /** Quarter turns, modulo 4. */
  readonly q: Value;
  /** What is left, at most π/4 in size. */
  readonly r: Value;
}

/**
 * x = q·π/2 + r for the lanes of a vector that hold a finite |x| ≥ 1; others get anything. With x = m·2ᵉ and a whole m
 * of 24 bits, the bits of 2/π that are worth whole turns times m are left out, and those beyond the next 96: r is
 * within 2⁻⁷⁰ before it is rounded, and no number of single precision comes closer to a multiple of π/2 than 2⁻³⁰. M.
 * H. Payne and R. N. Hanek, "Radian reduction for trigonometric functions", 1983.
 */
export function reduceLarge(k: FunctionBuilder, x: Variable): Reduced {
  const bits = k.let(v.bitsToInt(x));
  const mantissa = k.let(v.or(v.and(bits, 0x7fffff), 0x800000));
  const place = k.let(v.sub(v.and(v.shiftRightLogical(bits, 23), 0xff), FIRST));
  const word = k.let(v.shiftRight(place, 5));
  const within = k.let(v.and(place, 31));
  // Lanes shift by different amounts: by a product with a power of two.
  const power = k.let(
    v.select(v.eq(within, 31), v.constant("vi32", -2147483648), v.convertToInt(v.bitsToFloat(v.shiftLeft(v.add(within, 127), 23)))),
  );
  const raw = [0, 1, 2, 3].map((n) => k.let(v.lookup(table(k.machine.lanes, n), word)));
  const window = [0, 1, 2].map((n) => k.let(v.or(v.mul(raw[n]!, power), high(raw[n + 1]!, power))));
  // mantissa · window modulo whole turns: the first word holds two bits of quarter turns and their fraction.
  const middle = k.let(v.mul(mantissa, window[1]!));
  const low = k.let(v.add(middle, high(mantissa, window[2]!)));
  const carry = v.select(v.ltUnsigned(low, middle), v.constant("vi32", 1), 0);
  const first = k.let(v.add(v.add(v.mul(mantissa, window[0]!), high(mantissa, window[1]!)), carry));
  // To the nearest quarter; the size of what is left as 30 + 32 bits, complemented where it is negative.
  const nearest = k.let(v.add(first, 0x20000000));
  const rest = k.let(v.sub(first, v.and(nearest, -1073741824)));
  const negative = k.let(v.shiftRight(rest, 31));
  const whole = k.let(v.xor(rest, negative));
  const coarse = k.let(v.mul(v.convertToFloat(v.and(whole, -256)), 2 ** -30));
  const fineBits = v.or(v.shiftLeft(v.and(whole, 255), 23), v.shiftRightLogical(v.xor(low, negative), 9));
  const fine = v.mul(v.convertToFloat(fineBits), 2 ** -53);
  const size = v.fma(coarse, QUARTER_TURN[0], v.fma(coarse, QUARTER_TURN[1], v.mul(fine, QUARTER_TURN[0])));
  const sign = v.xor(v.and(negative, -2147483648), v.and(bits, -2147483648));
  const r = v.bitsToFloat(v.xor(v.bitsToInt(size), sign));
  const quarters = k.let(v.shiftRightLogical(nearest, 30));
  return { q: v.select(v.lt(bits, 0), v.sub(0, quarters), quarters), r };
}

const high = (a: Value, b: Value): Value => v.operation("mulHighUnsigned", [a, b]);

/** Word n + i of the bits for the index i, which is 0 to 3 and counts modulo the lanes. */
function table(lanes: number, n: number): Value {
  return v.laneConstants(Array.from({ length: lanes }, (_, i) => words[n + (i % 4)]!));
}
