// How many threads a backend may use: KASANE_THREADS, else as many as the machine has processors for this process.
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

/** @throws BackendError when KASANE_THREADS is no number of threads */
export function wantedThreads(): number {
  const asked = environment("KASANE_THREADS");
  if (asked === undefined || asked === "") return Math.min(most, processors());
  const count = Number(asked);
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw new BackendError(`KASANE_THREADS is a whole number from 1 to ${most}, got "${asked}"`);
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
