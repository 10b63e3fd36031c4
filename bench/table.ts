// Markdown from files that --json wrote: the project's targets and what was reached, then every workload.

import { readFileSync, writeFileSync } from "node:fs";
import { UsageError } from "./options.ts";
import type { PeerResult, Report, Result } from "./report.ts";
import { GOALS, type Target } from "./targets.ts";

/** All results of one workload on one backend, by threads. */
type Row = ReadonlyMap<number, Result>;

/** @throws UsageError when a file holds no results */
export function tableOf(files: readonly string[]): string {
  const reports = files.map(readReport);
  const rows = rowsOf(reports.flatMap(({ results }) => results));
  return [...heads(reports), "", ...targets(rows), ...memory(rows), "", "### Every workload", "", ...everything(rows)].join("\n");
}

const [BEGIN, END] = ["<!-- results: written by npm run bench -- --table -->", "<!-- end of results -->"];

/** Puts the table between the marks of a document. @throws UsageError when it has none */
export function putTable(table: string, file: string): void {
  const text = read(file, "--into");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new UsageError(`--into: expected the lines ${BEGIN} and ${END} in ${file}`);
  writeFileSync(file, `${text.slice(0, begin)}${BEGIN}\n\n${table}\n\n${text.slice(end)}`);
}

function heads(reports: readonly Report[]): string[] {
  const unique = (lines: readonly string[]): string[] => [...new Set(lines)];
  const limits = new Map<string, string[]>();
  // Of several measurements the highest is nearest to what the machine can do.
  const best = new Map<string, number>();
  for (const limit of reports.flatMap(({ limits: list }) => list)) {
    const key = `${limit.backend}|${limit.threads}|${limit.name}|${limit.unit}`;
    best.set(key, Math.max(best.get(key) ?? 0, limit.value));
  }
  for (const [key, value] of best) {
    const [backend, threads, name, unit] = key.split("|") as [string, string, string, string];
    const column = `${backend}, ${threads} thread${threads === "1" ? "" : "s"}`;
    limits.set(column, [...(limits.get(column) ?? []), `${name} ${value.toFixed(0)} ${unit}`]);
  }
  return [
    ...unique(reports.map(({ machine, date }) => `${machine}, ${date}.`)),
    ...unique(reports.map(({ description }) => description)).map((line) => `- ${line}`),
    ...[...limits].map(([column, parts]) => `- limits, ${column}: ${parts.join(", ")}`),
    ...unique(reports.flatMap(({ libraries }) => Object.entries(libraries).map(([name, version]) => `- ${name}: ${version}`))),
  ];
}

function rowsOf(results: readonly Result[]): Map<string, Map<number, Result>> {
  const rows = new Map<string, Map<number, Result>>();
  for (const result of results) {
    const key = `${result.backend} ${result.workload}`;
    rows.set(key, (rows.get(key) ?? new Map<number, Result>()).set(result.threads, result));
  }
  return rows;
}

function targets(rows: ReadonlyMap<string, Row>): string[] {
  const known = GOALS.flatMap((goal) => {
    const row = rows.get(`${goal.backend} ${goal.workload}`);
    return row === undefined ? [] : [{ goal, row }];
  });
  const threads = threadCounts(known.map(({ row }) => row));
  return [
    ...markdownHead(["workload", "backend", ...threads.map(threadsTitle), "of limit", "best other, ms", "ratio", "target", "reached"]),
    ...known.map(({ goal, row }) => {
      const last = mostThreads(row);
      const compared = goal.targets.map(({ than }) => than).filter((than) => than !== "limit" && than !== "GFLOP/s");
      const others = compared.map((than) => bestOf(last, than));
      return markdown([
        `\`${goal.workload}\``,
        goal.backend,
        ...threads.map((count) => milliseconds(row.get(count)?.medianMs)),
        last.shareOfLimit === undefined ? "" : percent(last.shareOfLimit),
        others.map((other) => (other === undefined ? "-" : `${other.name} ${milliseconds(other.ms)}`)).join("; "),
        others.map((other) => (other === undefined ? "-" : `${other.ratio.toPrecision(3)}×`)).join("; "),
        goal.targets.map(sentence).join("; "),
        goal.targets.map((target) => verdict(target, last)).join("; "),
      ]);
    }),
  ];
}

function sentence({ than, least }: Target): string {
  if (than === "limit") return `${percent(least)} of limit`;
  return than === "GFLOP/s" ? `${least} GFLOP/s` : `${least} × ${than}`;
}

function verdict({ than, least }: Target, result: Result): string {
  const reached = than === "limit" ? result.shareOfLimit : than === "GFLOP/s" ? result.gflops : bestOf(result, than)?.ratio;
  if (reached === undefined) return "not measured";
  return reached >= least ? "yes" : `${percent(reached / least)} of it`;
}

/** The faster of a library's configurations. */
function bestOf({ peers = {} }: Result, library: string): { name: string; ms: number; ratio: number } | undefined {
  const found = Object.entries(peers).flatMap(([name, peer]: [string, PeerResult]) =>
    (name === library || name.startsWith(`${library}-`)) && !("skipped" in peer) ? [{ name, ms: peer.medianMs, ratio: peer.ratio }] : [],
  );
  return found.sort((a, b) => a.ms - b.ms)[0];
}

function memory(rows: ReadonlyMap<string, Row>): string[] {
  const result = [...rows].filter(([key]) => key.endsWith(" convnet-cifar")).map(([, row]) => mostThreads(row));
  return result.flatMap(({ backend, bytes, scratchBytes = 0, peers = {} }) => {
    const others = Object.entries(peers).flatMap(([name, peer]) =>
      "bytes" in peer && peer.bytes !== undefined ? [`${name} ${megabytes(peer.bytes)}`] : [],
    );
    return bytes === undefined
      ? []
      : [
          "",
          `Peak memory of the \`convnet-cifar\` step: ${[`${backend} ${megabytes(bytes - scratchBytes)}`, ...others].join(", ")}; scratch space of kernels, which the others do not tell: ${megabytes(scratchBytes)}.`,
        ];
  });
}

function everything(rows: ReadonlyMap<string, Row>): string[] {
  const names = [...new Set([...rows.keys()].map((key) => key.slice(key.indexOf(" ") + 1)))];
  const columns = ["wasm", "x64"].flatMap((backend) =>
    threadCounts([...rows].filter(([key]) => key.startsWith(`${backend} `)).map(([, row]) => row)).map((threads) => ({ backend, threads })),
  );
  return [
    ...markdownHead(["workload", ...columns.flatMap(({ backend, threads }) => [`${backend}, ${threadsTitle(threads)}`, "rate"])]),
    ...names.map((name) =>
      markdown([
        `\`${name}\``,
        ...columns.flatMap(({ backend, threads }) => {
          const result = rows.get(`${backend} ${name}`)?.get(threads);
          return [milliseconds(result?.medianMs), result === undefined ? "" : rate(result)];
        }),
      ]),
    ),
  ];
}

function rate({ gflops, gbps, shareOfLimit }: Result): string {
  const rates = [...(gflops === undefined ? [] : [`${digits(gflops)} GFLOP/s`]), ...(gbps === undefined ? [] : [`${digits(gbps)} GB/s`])];
  return rates.length === 0 ? "" : `${rates[0]}${shareOfLimit === undefined ? "" : ` (${percent(shareOfLimit)})`}`;
}

const digits = (value: number): string => value.toFixed(value < 10 ? 1 : 0);
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const milliseconds = (ms: number | undefined): string => (ms === undefined ? "" : ms < 1 ? ms.toPrecision(2) : ms.toPrecision(3));
const threadsTitle = (count: number): string => `${count} thread${count === 1 ? "" : "s"}, ms`;
const threadCounts = (rows: readonly Row[]): number[] => [...new Set(rows.flatMap((row) => [...row.keys()]))].sort((a, b) => a - b);
const mostThreads = (row: Row): Result => row.get(Math.max(...row.keys())) as Result;
const markdown = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const markdownHead = (titles: readonly string[]): string[] => [
  markdown(titles),
  markdown(titles.map((title) => (/ms$|rate|ratio|limit$/.test(title) ? "---:" : "---"))),
];

function readReport(file: string): Report {
  let report: Partial<Report>;
  try {
    report = JSON.parse(read(file, "--table")) as Partial<Report>;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--table: ${file} cannot be read as JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(report?.results) || !Array.isArray(report.limits)) throw new UsageError(`--table: ${file} is not what --json writes`);
  return report as Report;
}

function read(file: string, option: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${option}: ${file} cannot be read: ${(error as Error).message}`);
  }
}
