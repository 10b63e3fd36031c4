// The benchmark's command line.

import { parseArgs } from "node:util";
import { availableBackends } from "kasane";
import { PEERS, type PeerName } from "./peers/index.ts";
import type { Workload } from "./workload.ts";

export interface Options {
  readonly workloads: readonly Workload[];
  readonly backend: string | undefined;
  /** Undefined: as many as the backend takes by itself. */
  readonly threads: number | undefined;
  readonly budgetMs: number;
  readonly json: boolean;
  readonly profile: boolean;
  readonly list: boolean;
  readonly help: boolean;
  /** Libraries to measure beside kasane, and where they are installed. */
  readonly with: readonly PeerName[];
  readonly peersFolder: string | undefined;
  /** Results to make a table of instead of measuring, and the file to put it into. */
  readonly table: readonly string[] | undefined;
  readonly into: string | undefined;
}

/** A mistake on the command line: one sentence, exit code 2. */
export class UsageError extends Error {}

export const HELP = `usage: npm run bench -- [--only NAME,…] [--backend NAME] [--threads N] [--budget MS]
                        [--with LIBRARY,… [--peers-dir DIR]] [--json] [--profile] [--list]
       npm run bench -- --table FILE,… [--into FILE.md]

  --only       names, or beginnings of names, separated by commas (gemm-, lenet, …)
  --backend    ${availableBackends().join(" or ")}
  --threads    how many kasane and the others use (default: KASANE_THREADS, else all processors)
  --budget     milliseconds of sampling per workload and library (1500)
  --with       ${PEERS.join(", ")}: measured in turn with kasane, with a column of ratios each
  --peers-dir  where those for Node are installed, itself or its subfolders (default: KASANE_PEERS)
  --profile    instead of whole runs, the time of every kernel
  --json       one JSON object on standard output: { machine, limits, results }
  --list       names and descriptions only
  --table      a Markdown table of the project's targets from files that --json wrote, and --into
               puts it between the marks in a document`;

export function readOptions(args: readonly string[], all: readonly Workload[]): Options {
  const values = parse(args);
  const budgetMs = Number(values.budget);
  if (!(budgetMs > 0 && Number.isFinite(budgetMs)))
    throw new UsageError(`--budget: expected a positive number of milliseconds, got ${values.budget}`);
  const threads = values.threads === undefined ? undefined : Number(values.threads);
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 64))
    throw new UsageError(`--threads: expected a whole number from 1 to 64, got ${values.threads}`);
  const names = availableBackends();
  if (values.backend !== undefined && !names.some((name) => name === values.backend))
    throw new UsageError(`--backend: expected ${names.join(" or ")}, got ${values.backend}`);
  if (values.into !== undefined && values.table === undefined)
    throw new UsageError("--into: says where the table goes; give it with --table FILE,…");
  return {
    workloads: choose(all, values.only),
    backend: values.backend,
    threads,
    budgetMs,
    json: values.json,
    profile: values.profile,
    list: values.list,
    help: values.help,
    with: listOf(values.with ?? "").map(peerNamed),
    peersFolder: values["peers-dir"] ?? (process.env.KASANE_PEERS || undefined),
    table: values.table === undefined ? undefined : listOf(values.table),
    into: values.into,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        backend: { type: "string" },
        threads: { type: "string" },
        budget: { type: "string", default: "1500" },
        with: { type: "string" },
        "peers-dir": { type: "string" },
        table: { type: "string" },
        into: { type: "string" },
        json: { type: "boolean", default: false },
        profile: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split("\n")[0]}; npm run bench -- --help shows the options`);
  }
}

function peerNamed(name: string): PeerName {
  const found = PEERS.find((peer) => peer === name);
  if (found === undefined) throw new UsageError(`--with: expected some of ${PEERS.join(", ")}, got ${name}`);
  return found;
}

/** A full name means just that workload; anything else, every workload that begins so. */
function choose(all: readonly Workload[], only: string | undefined): readonly Workload[] {
  if (only === undefined) return all;
  const wanted = listOf(only);
  const isExact = (name: string): boolean => all.some((workload) => workload.name === name);
  const matches = (workload: Workload, name: string): boolean => (isExact(name) ? workload.name === name : workload.name.startsWith(name));
  const unknown = wanted.filter((name) => !all.some((workload) => matches(workload, name)));
  if (wanted.length === 0 || unknown.length > 0)
    throw new UsageError(`--only: no workload is called or begins with '${unknown.join("', '")}'; npm run bench -- --list shows them all`);
  return all.filter((workload) => wanted.some((name) => matches(workload, name)));
}

function listOf(text: string): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
