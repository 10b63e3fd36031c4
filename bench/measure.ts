// Times one workload: warm-up, then samples of at least 20 ms; the median is what is quoted.

import { cpus } from "node:os";

export interface Timing {
  readonly medianMs: number;
  readonly minMs: number;
  readonly samples: number;
  /** Processors that other programs kept busy meanwhile; above a tenth or so the median is too high. */
  readonly foreignCpus: number;
}

/** @param budgetMs about how long to sample after the warm-up */
export function measure(run: () => unknown, budgetMs = 1500): Timing {
  const warmUntil = performance.now() + Math.min(600, budgetMs / 2);
  let one = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 2 || (performance.now() < warmUntil && n < 20_000); n++) one = Math.min(one, timed(run, 1));
  const inner = Math.max(1, Math.ceil(20 / one));
  const samples: number[] = [];
  const meter = startMeter();
  const start = performance.now();
  while (samples.length < 5 || (performance.now() - start < budgetMs && samples.length < 60)) samples.push(timed(run, inner));
  const foreignCpus = meter();
  samples.sort((a, b) => a - b);
  return { medianMs: samples[samples.length >> 1] as number, minMs: samples[0] as number, samples: samples.length, foreignCpus };
}

function timed(run: () => unknown, inner: number): number {
  const start = performance.now();
  for (let n = 0; n < inner; n++) run();
  return (performance.now() - start) / inner;
}

/** What the machine's processors did since, less what this process did. */
function startMeter(): () => number {
  const [start, busy, own] = [performance.now(), busyMs(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(own);
    return Math.max(0, (busyMs() - busy - (user + system) / 1000) / (performance.now() - start));
  };
}

function busyMs(): number {
  return cpus().reduce((total, { times }) => total + times.user + times.nice + times.sys + times.irq, 0);
}
