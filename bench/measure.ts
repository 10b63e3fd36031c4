// Times work: after a warm-up, samples of at least 20 ms; the median is what is quoted. Libraries take turns, so that all meet the same machine.

import { cpus } from "node:os";
import type { Outcome } from "./agreement.ts";
import type { Prepared } from "./workload.ts";

/** What can do workloads: kasane, or another library in a process of its own. */
export interface Contestant {
  readonly name: string;
  /** Makes a workload ready and warm. @returns its first numbers, or why it cannot do it */
  prepare(workload: string, warmMs: number): Promise<Ready | { readonly skip: string }>;
  close(): void;
}

export interface Ready {
  readonly outcome: Outcome | undefined;
  /** Milliseconds per run, one number for every 20 ms or so. */
  sample(ms: number): Promise<readonly number[]>;
  /** Most bytes that weights, optimizer state and temporaries take at once, where that can be told, and scratch space of kernels if it is among them. */
  memory(): Promise<Memory | undefined>;
}

export interface Memory {
  readonly bytes: number;
  readonly scratchBytes?: number;
}

export interface Timing {
  readonly medianMs: number;
  readonly minMs: number;
  readonly samples: number;
}

const SAMPLE_MS = 20;
/** Turns of every contestant per workload. */
const TURNS = 5;

/** @param budgetMs of sampling, for each @returns the timing of each, in order */
export async function inTurn(ready: readonly Ready[], budgetMs: number): Promise<Timing[]> {
  const samples: number[][] = ready.map(() => []);
  for (let turn = 0; turn < TURNS; turn++)
    for (const [n, one] of ready.entries()) samples[n]?.push(...(await one.sample(budgetMs / TURNS)));
  return samples.map((times) => {
    const sorted = times.sort((a, b) => a - b);
    return { medianMs: sorted[sorted.length >> 1] as number, minMs: sorted[0] as number, samples: sorted.length };
  });
}

/** Runs until the code is fast. @returns runs per sample */
export function warm(work: Timed, ms: number): number {
  const end = performance.now() + ms;
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 2 || (performance.now() < end && n < 20_000); n++) best = Math.min(best, timed(work, 1));
  return Math.max(1, Math.ceil(SAMPLE_MS / best));
}

export function sample(work: Timed, inner: number, ms: number): number[] {
  // Other programs ran since: the first run only fetches code and data.
  work.run();
  const samples: number[] = [];
  const end = performance.now() + ms;
  do samples.push(timed(work, inner));
  while (performance.now() < end);
  return samples;
}

type Timed = Pick<Prepared, "run" | "lastMs">;

function timed({ run, lastMs }: Timed, inner: number): number {
  const start = performance.now();
  let counted = 0;
  for (let n = 0; n < inner; n++) {
    run();
    if (lastMs !== undefined) counted += lastMs();
  }
  return (lastMs === undefined ? performance.now() - start : counted) / inner;
}

/** Processors that other programs kept busy while `meanwhile` was called; above a tenth or so times are too long. */
export class Meter {
  #foreignMs = 0;
  #wallMs = 0;

  get foreignCpus(): number {
    return Math.max(0, this.#foreignMs / Math.max(1, this.#wallMs));
  }

  meanwhile<Result>(work: () => Result): Result {
    const [start, busy, own] = [performance.now(), busyMs(), process.cpuUsage()];
    const result = work();
    const { user, system } = process.cpuUsage(own);
    this.#foreignMs += busyMs() - busy - (user + system) / 1000;
    this.#wallMs += performance.now() - start;
    return result;
  }
}

function busyMs(): number {
  return cpus().reduce((total, { times }) => total + times.user + times.nice + times.sys + times.irq, 0);
}
