// How many threads a backend may use: setThreads(), else KASANE_THREADS, else one per processor.

import { environment } from "../../util/environment.ts";
import { BackendError } from "../../util/errors.ts";
import { processors } from "./processors.ts";

/** Beyond this, more threads rather wait for memory than compute. */
const MOST = 64;

/** Who runs programs, and what is worth sharing. Work is counted as in LoweredNest. */
export interface Team {
  readonly threads: number;
  /** How many of them compute at first, before others are tried; all of them when left out. */
  readonly beginWith?: number;
  /** Less work than this is not worth handing to another thread, */
  readonly leastPiece: number;
  /** and a program with less of it not worth waking one. */
  readonly leastProgram: number;
}

export function teamOf(threads: number): Team {
  return { threads, leastPiece: 60_000, leastProgram: 250_000 };
}

/** As many as are wanted; of more than there are processors, the rest only if that turns out faster. */
export function wantedTeam(): Team {
  const wanted = wantedThreads();
  return { ...teamOf(wanted), beginWith: Math.min(wanted, processors()) };
}

let set: number | undefined;

/** For backends made from now on. @throws BackendError for what is no number of threads */
export function wantThreads(count: number): void {
  if (!isCount(count)) throw new BackendError(`setThreads: expected a whole number from 1 to ${MOST}, got ${String(count)}`);
  set = count;
}

const isCount = (count: unknown): boolean => Number.isInteger(count) && (count as number) >= 1 && (count as number) <= MOST;

/** @throws BackendError when KASANE_THREADS is no number of threads */
export function wantedThreads(): number {
  if (set !== undefined) return set;
  const asked = environment("KASANE_THREADS");
  if (asked === undefined || asked === "") return Math.min(MOST, processors());
  const count = Number(asked);
  if (!isCount(count)) throw new BackendError(`KASANE_THREADS is a whole number from 1 to ${MOST}, got "${asked}"`);
  return count;
}

export const threadsInWords = (count: number): string => (count === 1 ? "one thread" : `${count} threads`);

/**
 * Those that compute: before the first shared program, as many as are wanted; then, those that came and are of use.
 * @param useful how many are no slower together than fewer
 * @param helpers how many came beside the calling thread, and why no more
 */
export function teamInWords({ threads }: Team, useful: number, helpers: { readonly joined?: number; readonly obstacle?: string }): string {
  const came = helpers.joined === undefined ? threads : Math.min(threads, 1 + helpers.joined);
  const there = Math.min(came, useful);
  if (there === threads) return threadsInWords(threads);
  const missing = helpers.obstacle === undefined ? " so far" : `: ${helpers.obstacle}`;
  return `${threadsInWords(there)} of ${threads}${useful < came ? ": more are of no use here" : missing}`;
}
