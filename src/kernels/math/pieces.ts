// Odd functions as x · P(|x|), one polynomial per interval, with coefficients looked up in vectors.

import type { FunctionBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import { clamp, type MathFunction } from "./helpers.ts";

/** Intervals, and lanes of the machines whose look-ups they fit. */
const INTERVALS = 16;

/** 1.5 · 2²³: what is added to it is rounded to an integer, which is then in the low bits. */
const MAGIC = 12582912;

/** An odd function, defined in double precision, that is ±1 (in single precision) beyond `end`. */
interface Sigmoidal {
  readonly exact: (x: number) => number;
  readonly end: number;
  readonly degree: number;
}

/**
 * f(x)/x around the middles of intervals: one table per power of the distance from there, with an entry per interval.
 */
interface Pieces {
  readonly centers: readonly number[];
  readonly tables: readonly (readonly number[])[];
}

/** The function by pieces where the machine looks up one of 16 numbers per lane, as something else elsewhere. */
export function byPieces(f: Sigmoidal, otherwise: MathFunction): MathFunction {
  let made: Pieces | undefined;
  return (k, x) => {
    if (k.machine.lanes !== INTERVALS) return otherwise(k, x);
    made ??= piecesOf(f);
    // A scalar gives what each lane of a vector of it does.
    return v.isVector(x.type) ? evaluated(k, x, f.end, made) : v.extract(evaluated(k, v.splat(x), f.end, made), 0);
  };
}

/** A NaN stays one: it passes the clamp and makes the distance NaN. */
function evaluated(k: FunctionBuilder, x: Value, end: number, { centers, tables }: Pieces): Value {
  const kept = k.let(clamp(x, -end, end));
  const magnitude = k.let(v.abs(kept));
  const interval = k.let(v.bitsToInt(v.fma(magnitude, (INTERVALS - 1) / end, MAGIC)));
  const [highest, ...lower] = tables.map((table) => v.lookup(v.laneFloats(table), interval)).reverse() as [Value, ...Value[]];
  const distance = k.let(v.sub(magnitude, v.lookup(v.laneFloats(centers), interval)));
  return v.mul(
    kept,
    lower.reduce((sum, coefficient) => v.fma(sum, distance, coefficient), highest),
  );
}

function piecesOf({ exact, end, degree }: Sigmoidal): Pieces {
  const width = end / (INTERVALS - 1);
  const quotient = (x: number): number => (Math.abs(x) < 1e-9 ? exact(1e-9) / 1e-9 : exact(x) / x);
  const centers = Array.from({ length: INTERVALS }, (_, n) => centerNear(n * width, quotient));
  const pieces = centers.map((center, n) => {
    const [low, high] = [Math.max(0, (n - 0.5) * width), Math.min(end, (n + 0.5) * width)];
    return interpolated(quotient, low, high, center, degree);
  });
  return { centers, tables: Array.from({ length: degree + 1 }, (_, power) => pieces.map((piece) => piece[power]!)) };
}

/**
 * The first single-precision number from x on where f nearly is one too: then the sum's first coefficient adds no error
 * (S. Gal, "Computing elementary functions: a new approach for achieving high accuracy and good performance", 1986).
 */
function centerNear(x: number, f: (x: number) => number): number {
  for (let n = 0; ; n++) {
    const center = Math.fround(x + n * 2 ** -14);
    const value = f(center);
    if (Math.abs(Math.fround(value) / value - 1) < 2 ** -30) return center;
  }
}

/**
 * The polynomial in x − center through f's values at Chebyshev's points of an interval, near the best there is; from
 * the constant up.
 */
function interpolated(f: (x: number) => number, low: number, high: number, center: number, degree: number): number[] {
  const points = Array.from({ length: degree + 1 }, (_, n) => {
    return (low + high + (high - low) * Math.cos((Math.PI * (n + 0.5)) / (degree + 1))) / 2 - center;
  });
  // Newton's divided differences, expanded from the innermost bracket out.
  const differences = points.map((point) => f(center + point));
  for (let order = 1; order <= degree; order++)
    for (let n = degree; n >= order; n--) differences[n] = (differences[n]! - differences[n - 1]!) / (points[n]! - points[n - order]!);
  let polynomial: number[] = [];
  for (let n = degree; n >= 0; n--) {
    const product = [differences[n]!, ...polynomial];
    polynomial.forEach((coefficient, power) => {
      product[power] = product[power]! - coefficient * points[n]!;
    });
    polynomial = product;
  }
  return polynomial;
}
