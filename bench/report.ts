// The results as lines of a table.

import type { Limit } from "kasane";
import type { Agreement } from "./agreement.ts";

/** What --json prints. */
export interface Report {
  readonly machine: string;
  readonly date: string;
  /** Of the backend. */
  readonly description: string;
  /** Name and version of the other libraries, by column. */
  readonly libraries: Readonly<Record<string, string>>;
  readonly limits: readonly Limit[];
  readonly results: readonly Result[];
}

export interface Result {
  readonly workload: string;
  readonly backend: string;
  readonly threads: number;
  readonly medianMs: number;
  readonly minMs: number;
  readonly samples: number;
  readonly foreignCpus: number;
  readonly gflops?: number;
  readonly gbps?: number;
  /** Share of the multiply-add peak, or of memory bandwidth, whichever bounds the workload. */
  readonly shareOfLimit?: number;
  readonly agreement?: Agreement;
  /** Memory for weights, state and temporaries. */
  readonly bytes?: number;
  /** Of it, what kernels use while they run; other libraries do not tell theirs. */
  readonly scratchBytes?: number;
  readonly peers?: Readonly<Record<string, PeerResult>>;
  /** What took turns with it in this process, and its median over that one's. */
  readonly over?: { readonly workload: string; readonly medianMs: number; readonly ratio: number };
}

export type PeerResult =
  | { readonly skipped: string }
  | {
      readonly medianMs: number;
      readonly minMs: number;
      readonly samples: number;
      /** Their median over ours. */
      readonly ratio: number;
      /** Of their first numbers from PyTorch's. */
      readonly difference?: number;
      readonly bytes?: number;
    };

/** Busier than this, the median says little. */
const NOISY = 0.1;
/** Further from PyTorch's numbers than this, it is not the same work. */
const ELSEWHERE = 1e-2;
/** What a library answers that was not given the workload. */
const NOT_WRITTEN = "not written for it";
const NAME = 22;

export const limitLine = (limit: Limit): string =>
  `${limit.name.padEnd(NAME)}${limit.value.toFixed(1).padStart(10)} ${limit.unit} (${limit.backend}, ${limit.threads} thread${limit.threads === 1 ? "" : "s"})`;

export function header(peers: readonly string[]): string {
  const cells = [
    "workload".padEnd(NAME),
    "median ms".padStart(10),
    "best ms".padStart(10),
    "GFLOP/s".padStart(9),
    "GB/s".padStart(7),
    "of limit".padStart(10),
    "vs PyTorch".padStart(12),
  ];
  return [...cells, ...peers.map((name) => name.padStart(WIDTH))].join("");
}

export function line(result: Result, peers: readonly string[]): string {
  const { medianMs, minMs, gflops, gbps, shareOfLimit, agreement } = result;
  const cells = [
    result.workload.padEnd(NAME),
    `${result.foreignCpus > NOISY ? "~" : ""}${milliseconds(medianMs)}`.padStart(10),
    milliseconds(minMs).padStart(10),
    number(gflops, 1).padStart(9),
    number(gbps, 1).padStart(7),
    (shareOfLimit === undefined ? "" : `${(100 * shareOfLimit).toFixed(0)} %`).padStart(10),
    (agreement === undefined ? "" : agreement.relativeDifference.toExponential(0)).padStart(12),
  ];
  return [...cells, ...peers.map((name) => ratio(result.peers?.[name]).padStart(WIDTH))].join("").trimEnd();
}

function ratio(peer: PeerResult | undefined): string {
  if (peer === undefined || "skipped" in peer) return "-";
  return `${milliseconds(peer.medianMs)} (${peer.ratio.toPrecision(3)}×)`;
}

/** What the columns mean, memory, the losses beside PyTorch's, and why a library has no time. */
export function footnotes(results: readonly Result[], peers: readonly string[]): string[] {
  const lines: string[] = [];
  const trained = results.filter(({ agreement }) => agreement?.losses !== undefined);
  if (trained.length > 0) lines.push("", `first losses${" ".repeat(NAME - 12)}${"kasane".padEnd(30)}${trained[0]?.agreement?.with}`);
  const text = (losses: readonly number[] | undefined): string => (losses ?? []).map((loss) => loss.toFixed(6)).join("  ");
  for (const { workload, agreement } of trained)
    lines.push(`${workload.padEnd(NAME)}${text(agreement?.losses).padEnd(30)}${text(agreement?.expectedLosses)}`);
  lines.push(...memoryLines(results, peers));
  for (const { workload, over } of results)
    if (over !== undefined)
      lines.push(`${workload} takes ${over.ratio.toPrecision(3)} × ${over.workload} (${milliseconds(over.medianMs)} ms), in turns`);
  for (const { workload, peers: others = {} } of results)
    for (const [name, peer] of Object.entries(others)) {
      if ("skipped" in peer && peer.skipped !== NOT_WRITTEN) lines.push(`${workload}: no ${name}: ${peer.skipped}`);
      else if ("ratio" in peer && (peer.difference ?? 0) > ELSEWHERE)
        lines.push(`${workload}: ${name} computes other numbers, by ${peer.difference}`);
    }
  if (results.some(({ agreement }) => agreement !== undefined))
    lines.push("", "vs PyTorch: largest relative difference of the first losses or outputs.");
  if (peers.length > 0) lines.push("Columns with ×: the other library's median, and it over ours; above 1, kasane is faster.");
  if (results.some(({ foreignCpus }) => foreignCpus > NOISY))
    lines.push("~ other programs were using the machine; measure again when it is quiet.");
  return lines;
}

/** Of what trains: where lasting state and temporaries both count. */
function memoryLines(results: readonly Result[], peers: readonly string[]): string[] {
  const trained = results.filter(({ bytes, agreement }) => bytes !== undefined && agreement?.losses !== undefined);
  if (trained.length === 0) return [];
  const cell = (bytes: number | undefined): string => (bytes === undefined ? "-" : `${(bytes / 1e6).toFixed(2)}`).padStart(WIDTH);
  const theirs = (peer: PeerResult | undefined): number | undefined => (peer === undefined || "skipped" in peer ? undefined : peer.bytes);
  return [
    "",
    `${"peak memory, MB".padEnd(NAME)}${["kasane", "without scratch", ...peers].map((name) => name.padStart(WIDTH)).join("")}`,
    ...trained.map(({ workload, bytes = 0, scratchBytes = 0, peers: others }) =>
      [workload.padEnd(NAME), cell(bytes), cell(bytes - scratchBytes), ...peers.map((name) => cell(theirs(others?.[name])))].join(""),
    ),
  ];
}

const milliseconds = (ms: number): string => ms.toFixed(ms < 1 ? 4 : 2);

const WIDTH = 17;

function number(value: number | undefined, digits: number): string {
  return value === undefined ? "" : value.toFixed(digits);
}
