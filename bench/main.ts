// `npm run bench`: every workload beside the machine's own limits and other libraries, measured in the same run. A table, or JSON with --json.

import { cpus } from "node:os";
import { getBackend, type Limit, measureLimits, setBackend } from "kasane";
import { agreement } from "./agreement.ts";
import { prepareOwn } from "./kasane.ts";
import { inTurn, type Ready, type Timing } from "./measure.ts";
import { HELP, type Options, readOptions, UsageError } from "./options.ts";
import { findPeers } from "./peers/index.ts";
import type { PeerProcess } from "./peers/process.ts";
import { profileOf } from "./profile.ts";
import { footnotes, header, limitLine, line, type PeerResult, type Report, type Result } from "./report.ts";
import { putTable, tableOf } from "./table.ts";
import type { Workload } from "./workload.ts";
import { compilations } from "./workloads/compiling.ts";
import { inference } from "./workloads/inference.ts";
import { kernels } from "./workloads/kernels.ts";
import { memory } from "./workloads/memory.ts";
import { sequences } from "./workloads/sequences.ts";
import { steps } from "./workloads/steps.ts";

const all: readonly Workload[] = [...kernels, ...memory, ...steps, ...sequences, ...inference, ...compilations];

// A reader that has seen enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await main(readOptions(process.argv.slice(2), all));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function main(options: Options): Promise<void> {
  const { workloads, budgetMs, json } = options;
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  if (options.help) return print(HELP);
  if (options.list) {
    for (const { name, what } of workloads) print(`${name.padEnd(22)} ${what}`);
    return;
  }
  if (options.table !== undefined) {
    const table = tableOf(options.table);
    return options.into === undefined ? print(table) : putTable(table, options.into);
  }
  if (options.threads !== undefined) process.env.KASANE_THREADS = String(options.threads);
  if (options.backend !== undefined) setBackend(options.backend as Parameters<typeof setBackend>[0]);
  const { name: backend, description, threads } = getBackend();
  if (options.profile) {
    print(`${description}\nNode ${process.version}`);
    for (const workload of workloads) print(profileOf(workload, budgetMs));
    return;
  }
  const names = workloads.map(({ name }) => name);
  // With fewer threads than were asked for, the others get those that kasane was to have.
  const found = await findPeers(options.with, { threads: options.threads ?? threads, folder: options.peersFolder, workloads: names });
  for (const sentence of found.missing) say(sentence);
  say(`${description}\nNode ${process.version}; measuring the machine's limits …`);
  const limits = measureLimits([...new Set([1, threads])]).map((limit) => ({ ...limit, value: round(limit.value) }));
  const show = json ? say : print;
  for (const limit of limits) show(limitLine(limit));
  for (const { peer, version } of found.peers) show(`${peer.name}: ${version}`);
  const peers = found.peers.map(({ peer }) => peer);
  const columns = peers.map(({ name }) => name);
  show(`\n${header(columns)}`);
  const results: Result[] = [];
  for (const workload of workloads) {
    const result = await measured(workload, backend, threads, budgetMs, limits, peers);
    results.push(result);
    show(line(result, columns));
  }
  for (const peer of peers) peer.close();
  for (const note of footnotes(results, columns)) show(note);
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} processors, Node ${process.versions.node}`;
  const libraries = Object.fromEntries(found.peers.map(({ peer, version }) => [peer.name, version]));
  const report: Report = { machine, date: new Date().toISOString().slice(0, 10), description, libraries, limits, results };
  if (json) print(JSON.stringify(report));
}

async function measured(
  workload: Workload,
  backend: string,
  threads: number,
  budgetMs: number,
  limits: readonly Limit[],
  peers: readonly PeerProcess[],
): Promise<Result> {
  const { name, flops, bytes } = workload;
  const warmMs = Math.min(600, budgetMs / 2);
  const own = prepareOwn(workload, warmMs);
  const ready: { readonly peer: string; readonly ready: Ready }[] = [];
  const skipped: Record<string, PeerResult> = {};
  for (const peer of peers) {
    const answer = await peer.prepare(name, warmMs);
    if ("skip" in answer) skipped[peer.name] = { skipped: answer.skip };
    else ready.push({ peer: peer.name, ready: answer });
  }
  const baseline = all.find((other) => other.name === workload.baseline);
  const plain = baseline === undefined ? [] : [prepareOwn(baseline, warmMs)];
  const timings = await inTurn([own, ...ready.map((one) => one.ready), ...plain], budgetMs);
  const timing = timings[0] as Timing;
  const plainMs = (timings.at(-1) as Timing).medianMs;
  const over = baseline && { workload: baseline.name, medianMs: round(plainMs), ratio: round(timing.medianMs / plainMs) };
  const others: Record<string, PeerResult> = { ...skipped };
  for (const [n, one] of ready.entries()) {
    const theirs = timings[n + 1] as Timing;
    const compared = agreement(name, one.ready.outcome);
    others[one.peer] = {
      ...rounded(theirs),
      ratio: round(theirs.medianMs / timing.medianMs),
      ...(compared === undefined ? {} : { difference: round(compared.relativeDifference) }),
      ...(await one.ready.memory().catch(() => undefined)),
    };
  }
  const rate = (work: number): number => round(work / timing.medianMs / 1e6);
  // The interpreter has no limit of its own: it is shown beside the machine's.
  const onSo = limits.filter((limit) => limit.threads === threads);
  const ofOwn = onSo.filter((limit) => limit.backend === backend);
  const best = (unit: Limit["unit"]): number =>
    Math.max(...(ofOwn.length > 0 ? ofOwn : onSo).filter((limit) => limit.unit === unit).map((limit) => limit.value));
  const shares = [
    ...(flops === undefined ? [] : [rate(flops) / best("GFLOP/s")]),
    ...(bytes === undefined ? [] : [rate(bytes) / best("GB/s")]),
  ];
  return {
    workload: name,
    backend,
    threads,
    ...rounded(timing),
    foreignCpus: round(own.meter.foreignCpus),
    ...given("gflops", flops && rate(flops)),
    ...given("gbps", bytes && rate(bytes)),
    ...given("shareOfLimit", shares.length === 0 ? undefined : round(Math.max(...shares))),
    ...given("agreement", agreement(name, own.outcome)),
    ...(await own.memory()),
    ...given("peers", peers.length === 0 ? undefined : others),
    ...given("over", over),
  };
}

function rounded({ medianMs, minMs, samples }: Timing): Timing {
  return { medianMs: round(medianMs), minMs: round(minMs), samples };
}

function given<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [key in Name]: Value });
}

function round(value: number): number {
  return Number(value.toPrecision(5));
}
