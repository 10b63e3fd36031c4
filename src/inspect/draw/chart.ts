// The part that text and SVG charts share: curves, scales and axes.

import type { OptionNames } from "../../util/options.ts";

/** One curve. */
export interface Series {
  readonly name: string;
  /** Numbers that are not finite interrupt it. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What is drawn around the curves. */
export interface ChartOptions {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** Logarithmic x axis (of pictures; text has a row for each x). Default false. */
  readonly logX?: boolean;
  /** Logarithmic y axis: numbers of 0 or less are not drawn. Default false. */
  readonly logY?: boolean;
  /** Places on the x axis to mark. */
  readonly marks?: readonly { readonly x: number; readonly name: string }[];
}

export const CHART_OPTIONS: OptionNames<ChartOptions> = {
  ...{ title: true, xTitle: true, yTitle: true, logX: true, logY: true, marks: true },
};

export interface Axis {
  /** The numbers at its beginning and its end. */
  readonly from: number;
  readonly to: number;
  /** 0 at its beginning, 1 at its end; undefined for numbers that have no place. */
  share(value: number): number | undefined;
  /** Numbers to write beside it. */
  readonly ticks: readonly number[];
}

/** The axis of some numbers, of which those that are not finite do not count; with `zero` 0 is on it too. */
export function axisOf(values: readonly number[], { isLog = false, zero = false }: { isLog?: boolean; zero?: boolean } = {}): Axis {
  const scale = (value: number): number => (isLog ? Math.log10(value) : value);
  const back = (place: number): number => (isLog ? 10 ** place : place);
  const scaled = values.map(scale).filter(Number.isFinite);
  const [low, high] = scaled.length === 0 ? [0, 1] : extremes(zero && !isLog ? [0, ...scaled] : scaled);
  return {
    from: back(low),
    to: back(high),
    share(value) {
      const place = scale(value);
      if (!Number.isFinite(place)) return undefined;
      // Of equal numbers those that are 0 stand at the beginning.
      return high > low ? (place - low) / (high - low) : Number(!zero || isLog) / 2;
    },
    ticks: ticksOf(low, high, isLog).map(back),
  };
}

const MOST_TICKS = 12;

/** Whole powers of ten where there are two of them at least, else five equal parts. */
function ticksOf(low: number, high: number, isLog: boolean): number[] {
  if (low === high) return [low];
  const [first, last] = [Math.ceil(low), Math.floor(high)];
  if (!isLog || last <= first) return Array.from({ length: 6 }, (_, n) => low + (n * (high - low)) / 5);
  const step = Math.ceil((last - first + 1) / MOST_TICKS);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, n) => first + n * step);
}

function extremes(values: readonly number[]): [least: number, most: number] {
  return values.reduce<[number, number]>(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}

/** A number with a few digits: 0.012, 1200, 3.1e-9. */
export function short(value: number, digits = 3): string {
  const rounded = Number(value.toPrecision(digits));
  const isPlain = !Number.isFinite(rounded) || rounded === 0 || (Math.abs(rounded) >= 1e-5 && Math.abs(rounded) < 1e6);
  return isPlain ? String(rounded) : rounded.toExponential().replace("e+", "e");
}
