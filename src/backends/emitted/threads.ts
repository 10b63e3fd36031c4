// How many threads a backend may use: setThreads(), else KASANE_THREADS, else as many as the machine has processors for this process.
import { environment } from "../../util/environment.ts";
import { BackendError } from "../../util/errors.ts";

/** Beyond this, more threads rather wait for memory than compute. */
const most = 64;

/** Who runs programs, and what is worth sharing. Work is counted as in LoweredNest. */
export interface Team {
  readonly threads: number;
  /** Less work than this is not worth handing to another thread, */
  readonly leastPiece: number;
  /** and a program with less of it not worth waking one. */
  readonly leastProgram: number;
}

export function teamOf(threads: number): Team {
  return { threads, leastPiece: 60_000, leastProgram: 250_000 };
}

let set: number | undefined;

/** For backends made from now on. @throws BackendError for what is no number of threads */
export function wantThreads(count: number): void {
  if (!isCount(count)) throw new BackendError(`setThreads: expected a whole number from 1 to ${most}, got ${String(count)}`);
  set = count;
}

const isCount = (count: unknown): boolean => Number.isInteger(count) && (count as number) >= 1 && (count as number) <= most;

/** @throws BackendError when KASANE_THREADS is no number of threads */
export function wantedThreads(): number {
  if (set !== undefined) return set;
  const asked = environment("KASANE_THREADS");
  if (asked === undefined || asked === "") return Math.min(most, processors());
  const count = Number(asked);
  if (!isCount(count)) throw new BackendError(`KASANE_THREADS is a whole number from 1 to ${most}, got "${asked}"`);
  return count;
}

export const threadsInWords = (count: number): string => (count === 1 ? "one thread" : `${count} threads`);

interface Host {
  readonly process?: { getBuiltinModule?(name: "node:os"): { availableParallelism(): number } };
  readonly navigator?: { readonly hardwareConcurrency?: number };
}

function processors(): number {
  const { process, navigator } = globalThis as Host;
  return process?.getBuiltinModule?.("node:os").availableParallelism() ?? navigator?.hardwareConcurrency ?? 1;
}
