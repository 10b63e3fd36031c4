// Recomputation: runs a function again with the same random numbers and without side effects.

import type { LiveNumber } from "./traced-graph.ts";

/** Where a random op takes its numbers from. */
export interface Stream {
  readonly seed: number | LiveNumber;
  readonly stream: number | LiveNumber;
}

/** What a run drew, and the settings it read (a layer's mode), each with whether it still is as it was. */
export interface Noted {
  readonly drawn: Stream[];
  readonly settings: (() => boolean)[];
}

/** What a run noted, and how far a repetition is. */
interface Draws extends Noted {
  /** The next of them to draw again; undefined while they are noted. */
  next: number | undefined;
}

let open: readonly Draws[] = [];

/** Runs a function, noting what it draws and which settings it reads. */
export function noteRun<Result>(noted: Noted, run: () => Result): Result {
  return withDraws({ ...noted, next: undefined }, run);
}

/** Runs it again with the same draws; lasting effects (moved statistics, counted steps) are left out. */
export function recompute<Result>(noted: Noted, run: () => Result): Result {
  return withDraws({ ...noted, next: 0 }, run);
}

/** What runs now reads a setting. */
export function noteSetting(isAsItWas: () => boolean): void {
  for (const { settings, next } of open) if (next === undefined) settings.push(isAsItWas);
}

/** Whether something is done again, and has had its lasting effects. */
export function isRecomputing(): boolean {
  return open.some(({ next }) => next !== undefined);
}

/** Whether something runs that is, or will be, done again. */
export function isRecomputed(): boolean {
  return open.length > 0;
}

/** The next stream of random numbers: that of the run which is repeated, else a new one. */
export function draw(fresh: () => Stream): Stream {
  let place = open.length - 1;
  while (place >= 0 && open[place]?.next === undefined) place--;
  const repeated = open[place];
  const found = repeated?.next === undefined ? fresh() : (repeated.drawn[repeated.next++] ?? fresh());
  for (const { drawn } of open.slice(place + 1)) drawn.push(found);
  return found;
}

function withDraws<Result>(draws: Draws, run: () => Result): Result {
  const before = open;
  open = [...open, draws];
  try {
    return run();
  } finally {
    open = before;
  }
}
