// Statistics of a tensor, as reductions that run with the step, and how their results are read.

import * as statistics from "../../ops/statistics.ts";
import { applyOp, where } from "../../tensor/functions/index.ts";
import type { HostArray, Tensor } from "../../tensor/types.ts";
import { checkArguments, NUMBER } from "../../util/arguments.ts";
import { HISTOGRAM } from "../kinds.ts";

/**
 * A description of a tensor's numbers. Everything but the counts is of the finite ones, and NaN where there are none.
 */
export interface Statistics {
  readonly count: number;
  readonly mean: number;
  /** Root of the mean squared distance from the mean. */
  readonly std: number;
  readonly min: number;
  readonly max: number;
  /** Root of the sum of squares. */
  readonly norm: number;
  readonly zeros: number;
  readonly nans: number;
  readonly infinities: number;
}

/** How many numbers lie in each of several equal intervals. */
export interface Histogram {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** Reductions of one tensor, and what their numbers say. */
export interface Measurement<Result> {
  readonly compute: () => readonly Tensor[];
  readonly read: (parts: readonly HostArray[]) => Result;
}

/** Something that can be measured of any tensor. */
export interface Measure<Result> {
  of(x: Tensor): Measurement<Result>;
}

type Shaped = Pick<Tensor, "shape" | "size">;

function measure<Result>(
  compute: (x: Tensor) => readonly Tensor[],
  read: (parts: readonly HostArray[], x: Shaped) => Result,
): Measure<Result> {
  return {
    of: (x) => {
      const { shape, size } = x;
      // Statistics are float32, whatever the numbers are stored as.
      return { compute: () => compute(x.dtype === "bfloat16" ? x.to("float32") : x), read: (parts) => read(parts, { shape, size }) };
    },
  };
}

const NOTHING = { mean: Number.NaN, std: Number.NaN, min: Number.NaN, max: Number.NaN, norm: Number.NaN };

/** Everything of `Statistics`. */
export const describe: Measure<Statistics> = measure(
  (x) => {
    const rows = inRows(x);
    // Each row is shifted by its first number, so that what it needs is in the row.
    const first = rows.slice(null, [0, 1]);
    const shift = where(first.isFinite(), first, 0);
    return [
      reduced(statistics.finiteSum, [rows, shift]),
      reduced(statistics.finiteSquares, [rows, shift]),
      reduced(statistics.finiteMin, [rows]),
      reduced(statistics.finiteMax, [rows]),
      reduced(statistics.countFinite, [rows]),
      reduced(statistics.countZeros, [rows]),
      reduced(statistics.countNaN, [rows]),
      shift,
    ];
  },
  (parts, { size }) => {
    const [sums, squares, mins, maxes, finites, zeros, nans, shifts] = parts as readonly [
      ...[HostArray, HostArray, HostArray, HostArray],
      ...[HostArray, HostArray, HostArray, HostArray],
    ];
    const count = total(finites);
    if (count === 0) return { ...NOTHING, count: size, zeros: total(zeros), nans: total(nans), infinities: size - total(nans) };
    const rows = Array.from(finites, (numbers, row) => {
      const [shift, sum, square] = [shifts[row]!, sums[row]!, squares[row]!];
      const offset = numbers === 0 ? 0 : sum / numbers;
      return { numbers, mean: shift + offset, spread: Math.max(0, square - offset * sum) };
    });
    const mean = rows.reduce((sum, row) => sum + row.numbers * row.mean, 0) / count;
    const spread = rows.reduce((sum, row) => sum + row.spread + row.numbers * (row.mean - mean) ** 2, 0);
    return {
      count: size,
      mean,
      std: Math.sqrt(spread / count),
      min: extreme(mins, Math.min),
      max: extreme(maxes, Math.max),
      norm: Math.sqrt(spread + count * mean * mean),
      zeros: total(zeros),
      nans: total(nans),
      infinities: size - count - total(nans),
    };
  },
);

/** The norm alone, in one pass; not finite where a number is not. */
export const norm: Measure<number> = measure(
  (x) => [inRows(x).square().sum(1)],
  ([squares]) => Math.sqrt(total(squares)),
);

/** For every unit (channel, or feature of a batch of vectors) the number of its outputs that are not 0. */
export const activeUnits: Measure<readonly number[]> = measure(
  (x) => [reduced(statistics.countZeros, [x], unitsOf(x.shape).others)],
  ([zeros = []], { size, shape }) => {
    const perUnit = size / unitsOf(shape).count;
    return Array.from(zeros, (count) => perUnit - count);
  },
);

/** How many numbers lie outside of [low, high]: saturated outputs of sigmoid or tanh. */
export function outside(low: number, high: number): Measure<number> {
  return measure(
    (x) => [reduced(statistics.countOutside, [inRows(x)], [1], { low, high })],
    ([counts]) => total(counts),
  );
}

/** How the finite numbers are spread from the smallest to the largest. */
export function histogram(bins: number): Measure<Histogram> {
  return measure(
    (x) => {
      const rows = inRows(x);
      const low = reduced(statistics.finiteMin, [rows]).min();
      const high = reduced(statistics.finiteMax, [rows]).max();
      const width = high.sub(low);
      const scale = width.greater(0).to("float32").mul(bins).div(width.maximum(1e-30));
      return [applyOp(statistics.histogram, [x, low, scale], { bins }), low, high];
    },
    ([counts = [], [low = 0] = [], [high = 0] = []]) => ({ low, high, counts: Array.from(counts) }),
  );
}

/**
 * The number below which a share of the finite numbers lies, between the edges of the histogram's intervals by straight
 * lines.
 */
export function percentile(histogram: Histogram, share: number): number {
  checkArguments("percentile", { histogram: [histogram, HISTOGRAM], share: [share, NUMBER] });
  const { low, high, counts } = histogram;
  const wanted = share * counts.reduce((a, b) => a + b, 0);
  const width = (high - low) / counts.length;
  let below = 0;
  for (const [bin, count] of counts.entries()) {
    if (below + count >= wanted && count > 0) return low + width * (bin + Math.max(0, wanted - below) / count);
    below += count;
  }
  return high;
}

/** The dimension that counts the units: the channels of images, the features of everything else. */
function unitsOf(shape: readonly number[]): { readonly count: number; readonly others: readonly number[] } {
  const axis = shape.length > 3 ? 1 : shape.length - 1;
  return { count: shape[axis] ?? 1, others: shape.map((_, d) => d).filter((d) => d !== axis) };
}

function reduced(op: Parameters<typeof applyOp>[0], inputs: readonly Tensor[], axes: readonly number[] = [1], numbers = {}): Tensor {
  return applyOp(op, inputs, { ...numbers, axes });
}

/** Fewest rows that keep several threads busy. */
const ROWS = 32;

/** [rows, columns] with the leading dimensions as rows: the parts a reduction is shared out in. */
function inRows(x: Tensor): Tensor {
  let rows = 1;
  for (const extent of x.shape) {
    if (rows >= ROWS || rows * extent === x.size) break;
    rows *= extent;
  }
  return x.reshape([rows, rows === 0 ? 0 : x.size / rows]);
}

function total(numbers: HostArray | undefined): number {
  let sum = 0;
  for (const number of numbers ?? []) sum += number;
  return sum;
}

function extreme(numbers: HostArray, pick: (a: number, b: number) => number): number {
  let found = numbers[0]!;
  for (const number of numbers) found = pick(found, number);
  return found;
}
