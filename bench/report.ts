// The results as lines of a table.

import type { Limit } from "kasane";
import type { Agreement } from "./agreement.ts";

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
  readonly peers?: Readonly<Record<string, number>>;
}

/** Busier than this, the median says little. */
const NOISY = 0.1;
const NAME = 20;

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
  return [...cells, ...peers.map((name) => name.padStart(width(name)))].join("");
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
  const ratios = peers.map((name) => {
    const ms = result.peers?.[name];
    return (ms === undefined ? "-" : `${(ms / medianMs).toPrecision(3)}×`).padStart(width(name));
  });
  return [...cells, ...ratios].join("").trimEnd();
}

/** What the columns mean, and the losses beside PyTorch's. */
export function footnotes(results: readonly Result[], peers: readonly string[]): string[] {
  const lines: string[] = [];
  const trained = results.filter(({ agreement }) => agreement?.losses !== undefined);
  if (trained.length > 0) lines.push("", `first losses${" ".repeat(NAME - 12)}${"kasane".padEnd(30)}${trained[0]?.agreement?.with}`);
  const text = (losses: readonly number[] | undefined): string => (losses ?? []).map((loss) => loss.toFixed(6)).join("  ");
  for (const { workload, agreement } of trained)
    lines.push(`${workload.padEnd(NAME)}${text(agreement?.losses).padEnd(30)}${text(agreement?.expectedLosses)}`);
  if (results.some(({ agreement }) => agreement !== undefined))
    lines.push("", "vs PyTorch: largest relative difference of the first losses or outputs.");
  if (peers.length > 0) lines.push("Columns with ×: the other library's time over ours; above 1, kasane is faster.");
  if (results.some(({ foreignCpus }) => foreignCpus > NOISY))
    lines.push("~ other programs were using the machine; measure again when it is quiet.");
  return lines;
}

const milliseconds = (ms: number): string => ms.toFixed(ms < 1 ? 4 : 2);

function width(name: string): number {
  return Math.max(9, name.length + 2);
}

function number(value: number | undefined, digits: number): string {
  return value === undefined ? "" : value.toFixed(digits);
}
