// Reads other libraries' times: { workload: { name: milliseconds } }, this benchmark's own --json output, or a peer harness's results.

import { readFileSync } from "node:fs";
import { UsageError } from "./options.ts";

/** Median milliseconds by workload, then by library. */
export type Peers = ReadonlyMap<string, Readonly<Record<string, number>>>;

type Json = Readonly<Record<string, unknown>>;

/** @throws UsageError when the file cannot be read or holds no times */
export function readPeers(file: string, names: readonly string[] | undefined): Peers {
  const peers = new Map<string, Record<string, number>>();
  const add = (workload: string, name: string, ms: unknown): void => {
    if (typeof ms !== "number" || !(ms > 0) || (names !== undefined && !names.includes(name))) return;
    peers.set(workload, { ...peers.get(workload), [name]: ms });
  };
  const content = parse(file);
  if (Array.isArray(content.results))
    for (const result of content.results.filter(isRecord))
      add(String(result.workload), `${result.backend}-${result.threads}t`, result.medianMs);
  else if (typeof content.peer === "string" && isRecord(content.results)) {
    const name = typeof content.threads === "number" ? `${content.peer}-${content.threads}t` : content.peer;
    for (const [workload, result] of Object.entries(content.results)) add(workload, name, median(result));
  } else
    for (const [workload, row] of Object.entries(isRecord(content.rows) ? content.rows : content))
      if (isRecord(row)) for (const [name, value] of Object.entries(row)) add(workload, name, median(value));
  if (peers.size === 0)
    throw new UsageError(
      `--peers: expected { workload: { name: milliseconds } } in ${file}, found no times${names === undefined ? "" : ` of ${names.join(", ")}`}`,
    );
  return peers;
}

function median(value: unknown): unknown {
  return isRecord(value) ? (value.median_ms ?? value.medianMs) : value;
}

function parse(file: string): Json {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`--peers: ${file} cannot be read as JSON: ${(error as Error).message}`);
  }
  if (!isRecord(content)) throw new UsageError(`--peers: expected a JSON object in ${file}`);
  return content;
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
