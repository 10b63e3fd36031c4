// `npm run bench`: every workload beside the machine's own limits, measured in the same run. A table, or JSON with --json.

import { parseArgs } from "node:util";
import { availableBackends, getBackend, measureLimits, setBackend } from "kasane";
import { measure } from "./measure.ts";
import type { Workload } from "./workload.ts";
import { kernels } from "./workloads/kernels.ts";
import { steps } from "./workloads/steps.ts";

interface Result {
  readonly workload: string;
  readonly backend: string;
  readonly threads: number;
  readonly medianMs: number;
  readonly minMs: number;
  readonly samples: number;
  readonly gflops?: number;
  readonly gbps?: number;
  /** Share of the multiply-add peak, or of memory bandwidth, whichever bounds the workload. */
  readonly shareOfLimit?: number;
  readonly losses?: readonly number[];
}

const HELP = `usage: npm run bench -- [--only NAME,…] [--backend NAME] [--threads N] [--budget MS] [--json] [--list]

  --only      names or beginnings of names, separated by commas (gemm, conv3x3, lenet, …)
  --backend   ${availableBackends().join(" or ")}
  --threads   1 (the wasm backend runs on one thread)
  --budget    milliseconds of sampling per workload (1500)
  --json      one JSON object on standard output: { limits, results }
  --list      names and descriptions only`;

const all: readonly Workload[] = [...kernels, ...steps];

try {
  main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      only: { type: "string" }, backend: { type: "string" }, threads: { type: "string", default: "1" }, budget: { type: "string", default: "1500" },
      json: { type: "boolean", default: false }, list: { type: "boolean", default: false }, help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  const wanted = values.only?.split(",").map((name) => name.trim()).filter((name) => name !== "");
  const workloads = wanted === undefined ? all : all.filter((workload) => wanted.some((name) => workload.name === name || workload.name.startsWith(name)));
  const unknown = wanted?.filter((name) => !all.some((workload) => workload.name.startsWith(name))) ?? [];
  if (unknown.length > 0) fail(`no workload is called ${unknown.join(", ")}; --list shows them all`);
  if (values.threads !== "1") fail(`--threads: expected 1 (the wasm backend runs on one thread), got ${values.threads}`);
  const budget = Number(values.budget);
  if (!(budget > 0)) fail(`--budget: expected milliseconds, got ${values.budget}`);
  if (values.list) {
    for (const workload of workloads) process.stdout.write(`${workload.name.padEnd(24)} ${workload.what}\n`);
    return;
  }
  if (values.backend !== undefined) setBackend(values.backend as Parameters<typeof setBackend>[0]);
  const backend = getBackend();
  process.stderr.write(`${backend.description}\nNode ${process.version}; measuring the machine's limits …\n`);
  const limits = measureLimits();
  const peak = limits.find((limit) => limit.name === "fma-peak")?.value ?? Number.NaN;
  const bandwidth = Math.max(...limits.filter((limit) => limit.unit === "GB/s").map((limit) => limit.value));
  if (!values.json) {
    for (const limit of limits) process.stdout.write(`${limit.name.padEnd(24)} ${limit.value.toFixed(1).padStart(9)} ${limit.unit} (${limit.backend}, ${limit.threads} thread)\n`);
    process.stdout.write(`\n${"workload".padEnd(24)} ${"median ms".padStart(10)} ${"GFLOP/s".padStart(9)} ${"GB/s".padStart(7)} ${"of limit".padStart(9)}\n`);
  }
  const results: Result[] = [];
  for (const workload of workloads) {
    const result = runOne(workload, backend.name, budget, peak, bandwidth);
    results.push(result);
    if (!values.json) process.stdout.write(`${line(result)}\n`);
    else process.stderr.write(`${line(result)}\n`);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ limits, results })}\n`);
}

function runOne(workload: Workload, backend: string, budget: number, peak: number, bandwidth: number): Result {
  const { run, losses } = workload.prepare();
  const timing = measure(run, budget);
  const gflops = workload.flops === undefined ? undefined : workload.flops / timing.medianMs / 1e6;
  const gbps = workload.bytes === undefined ? undefined : workload.bytes / timing.medianMs / 1e6;
  const shares = [...(gflops === undefined ? [] : [gflops / peak]), ...(gbps === undefined ? [] : [gbps / bandwidth])];
  return {
    workload: workload.name, backend, threads: 1, medianMs: round(timing.medianMs), minMs: round(timing.minMs), samples: timing.samples,
    ...(gflops === undefined ? {} : { gflops: round(gflops) }),
    ...(gbps === undefined ? {} : { gbps: round(gbps) }),
    ...(shares.length === 0 ? {} : { shareOfLimit: round(Math.max(...shares)) }),
    ...(losses === undefined ? {} : { losses }),
  };
}

function line(result: Result): string {
  const cell = (value: number | undefined, digits: number, width: number): string => (value === undefined ? "" : value.toFixed(digits)).padStart(width);
  const share = result.shareOfLimit === undefined ? "" : `${(100 * result.shareOfLimit).toFixed(0)} %`;
  return `${result.workload.padEnd(24)} ${cell(result.medianMs, result.medianMs < 1 ? 4 : 2, 10)} ${cell(result.gflops, 1, 9)} ${cell(result.gbps, 1, 7)} ${share.padStart(9)}`;
}

function round(value: number): number {
  return Number(value.toPrecision(5));
}

function fail(message: string): never {
  throw Object.assign(new Error(message), { code: "ERR_PARSE_ARGS" });
}
