// `npm run bench`: every workload beside the machine's own limits, measured in the same run. A table, or JSON with --json.

import { getBackend, type Limit, measureLimits, setBackend } from "kasane";
import { agreement } from "./agreement.ts";
import { measure } from "./measure.ts";
import { HELP, type Options, readOptions, UsageError } from "./options.ts";
import { type Peers, readPeers } from "./peers.ts";
import { profileOf } from "./profile.ts";
import { footnotes, header, limitLine, line, type Result } from "./report.ts";
import type { Workload } from "./workload.ts";
import { inference } from "./workloads/inference.ts";
import { kernels } from "./workloads/kernels.ts";
import { memory } from "./workloads/memory.ts";
import { sequences } from "./workloads/sequences.ts";
import { steps } from "./workloads/steps.ts";

const all: readonly Workload[] = [...kernels, ...memory, ...steps, ...sequences, ...inference];

// A reader that has seen enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  main(readOptions(process.argv.slice(2), all));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

function main({ workloads, backend: wanted, budgetMs, json, profile, list, help, peers: source }: Options): void {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  if (help) {
    print(HELP);
    return;
  }
  if (list) {
    for (const { name, what } of workloads) print(`${name.padEnd(20)} ${what}`);
    return;
  }
  const peers: Peers = source === undefined ? new Map() : readPeers(source.file, source.names);
  const columns = [...new Set(workloads.flatMap(({ name }) => Object.keys(peers.get(name) ?? {})))];
  if (wanted !== undefined) setBackend(wanted as Parameters<typeof setBackend>[0]);
  const backend = getBackend();
  if (profile) {
    print(`${backend.description}\nNode ${process.version}`);
    for (const workload of workloads) print(profileOf(workload, budgetMs));
    return;
  }
  say(`${backend.description}\nNode ${process.version}; measuring the machine's limits …`);
  const limits = measureLimits().map((limit) => ({ ...limit, value: round(limit.value) }));
  const show = json ? say : print;
  for (const limit of limits) show(limitLine(limit));
  show(`\n${header(columns)}`);
  const results = workloads.map((workload) => {
    const result = runOne(workload, backend.name, budgetMs, limits, peers);
    show(line(result, columns));
    return result;
  });
  for (const note of footnotes(results, columns)) show(note);
  if (json) print(JSON.stringify({ limits, results }));
}

function runOne(workload: Workload, backend: string, budgetMs: number, limits: readonly Limit[], peers: Peers): Result {
  const { name, flops, bytes } = workload;
  const { run, outcome } = workload.prepare();
  const timing = measure(run, budgetMs);
  const rate = (work: number): number => round(work / timing.medianMs / 1e6);
  // The interpreter has no limit of its own: it is shown beside the machine's.
  const own = limits.some((limit) => limit.backend === backend)
    ? limits.filter((limit) => limit.backend === backend && limit.threads === getBackend().threads)
    : limits;
  const best = (unit: Limit["unit"]): number => Math.max(...own.filter((limit) => limit.unit === unit).map((limit) => limit.value));
  const shares = [
    ...(flops === undefined ? [] : [rate(flops) / best("GFLOP/s")]),
    ...(bytes === undefined ? [] : [rate(bytes) / best("GB/s")]),
  ];
  const compared = agreement(name, outcome);
  const others = peers.get(name);
  return {
    workload: name,
    backend,
    threads: getBackend().threads,
    medianMs: round(timing.medianMs),
    minMs: round(timing.minMs),
    samples: timing.samples,
    foreignCpus: round(timing.foreignCpus),
    ...(flops === undefined ? {} : { gflops: rate(flops) }),
    ...(bytes === undefined ? {} : { gbps: rate(bytes) }),
    ...(shares.length === 0 ? {} : { shareOfLimit: round(Math.max(...shares)) }),
    ...(compared === undefined ? {} : { agreement: compared }),
    ...(others === undefined ? {} : { peers: others }),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(5));
}
