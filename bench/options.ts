// The benchmark's command line.

import { parseArgs } from "node:util";
import { availableBackends } from "kasane";
import type { Workload } from "./workload.ts";

export interface Options {
  readonly workloads: readonly Workload[];
  readonly backend: string | undefined;
  readonly budgetMs: number;
  readonly json: boolean;
  readonly profile: boolean;
  readonly list: boolean;
  readonly help: boolean;
  /** A file of other libraries' times, and the names wanted from it. */
  readonly peers: { readonly file: string; readonly names: readonly string[] | undefined } | undefined;
}

/** A mistake on the command line: one sentence, exit code 2. */
export class UsageError extends Error {}

export const HELP = `usage: npm run bench -- [--only NAME,…] [--backend NAME] [--threads N]
                        [--budget MS] [--peers FILE [--peer NAME,…]] [--json] [--profile] [--list]

  --only      names, or beginnings of names, separated by commas (gemm-, lenet, …)
  --backend   ${availableBackends().join(" or ")}
  --threads   1 (every backend here runs on one thread)
  --budget    milliseconds of sampling per workload (1500)
  --peers     JSON with other libraries' times; adds a column of ratios for each
  --peer      only these libraries of that file
  --profile   instead of whole runs, the time of every kernel
  --json      one JSON object on standard output: { limits, results }
  --list      names and descriptions only`;

export function readOptions(args: readonly string[], all: readonly Workload[]): Options {
  const values = parse(args);
  const { threads, budget, backend, peers: file } = values;
  if (threads !== "1") throw new UsageError(`--threads: expected 1 (every backend here runs on one thread), got ${threads}`);
  const budgetMs = Number(budget);
  if (!(budgetMs > 0 && Number.isFinite(budgetMs)))
    throw new UsageError(`--budget: expected a positive number of milliseconds, got ${budget}`);
  const names = availableBackends();
  if (backend !== undefined && !names.some((name) => name === backend))
    throw new UsageError(`--backend: expected ${names.join(" or ")}, got ${backend}`);
  if (values.peer !== undefined && file === undefined)
    throw new UsageError("--peer: chooses libraries of a file; give it with --peers FILE");
  return {
    workloads: choose(all, values.only),
    backend,
    budgetMs,
    json: values.json,
    profile: values.profile,
    list: values.list,
    help: values.help,
    peers: file === undefined ? undefined : { file, names: values.peer === undefined ? undefined : listOf(values.peer) },
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        backend: { type: "string" },
        threads: { type: "string", default: "1" },
        budget: { type: "string", default: "1500" },
        peers: { type: "string" },
        peer: { type: "string" },
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
