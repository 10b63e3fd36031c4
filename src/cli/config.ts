// The contents of a run's config.json, and reading it back: every field is checked before it is used.

import { stat } from "node:fs/promises";
import * as v from "valibot";
import type { StandardizerState } from "../data/index.ts";
import { reasonFor } from "../io/node.ts";
import { FileError, KasaneError } from "../util/errors.ts";
import {
  fields,
  finite,
  list,
  numberFrom,
  type Origin,
  oneOf,
  readAs,
  reasonOf,
  type Schema,
  text,
  understoodBy,
  whole,
  wrongField,
} from "../util/schema.ts";
import { checkSamples, MOST } from "./limits.ts";
import { lossOf, metricsOf } from "./measures.ts";
import { type Architecture, architectureSchema, checkArchitecture } from "./models.ts";
import { checkOptimizer } from "./optimizers.ts";
import { scheduleOf } from "./schedules.ts";
import { type SourceSpec, sourceKinds } from "./sources.ts";

export interface RunConfig {
  readonly format: "kasane run 1";
  readonly version: string;
  /** When the run began, in UTC. */
  readonly created: string;
  readonly data: SourceSpec;
  /** Of the data as it was; a changed file cannot be resumed on. */
  readonly fingerprint: string;
  readonly task: "classification" | "regression";
  readonly classNames?: readonly string[];
  readonly columnNames?: readonly string[];
  readonly targetName?: string;
  readonly standardizer?: StandardizerState;
  readonly targetScale?: StandardizerState;
  readonly samples: { readonly train: number; readonly validation: number };
  readonly architecture: Architecture;
  /** Names with their settings, as the flags take them. */
  readonly optimizer: string;
  readonly learningRate: number;
  readonly schedule: string;
  /** Undefined: the usual one of the task. */
  readonly loss?: string;
  /** Besides the usual ones. */
  readonly metrics?: readonly string[];
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
  /** Epochs without improvement before it stops and takes the best weights; undefined: all epochs. */
  readonly patience?: number;
}

const names = list(text, "a list of names", { least: 1, most: MOST.names });
const seed = whole(0, 0xffffffff);
const count = whole(1, MOST.samples);

const statistics: Schema<StandardizerState> = fields({
  mean: list(finite, "a list of numbers", { least: 1, most: MOST.names }),
  deviation: list(numberFrom(Number.MIN_VALUE, Number.MAX_VALUE), "a list of numbers above 0", { least: 1, most: MOST.names }),
});

const source: Schema<SourceSpec> = fields({
  kind: oneOf(sourceKinds),
  samples: v.optional(count),
  seed,
  path: v.optional(text),
  target: v.optional(text),
  separator: v.optional(text),
  columns: v.optional(names),
} satisfies Record<keyof SourceSpec, v.GenericSchema>);

const schema: Schema<RunConfig> = fields({
  format: oneOf(["kasane run 1"]),
  version: text,
  created: text,
  data: source,
  fingerprint: text,
  task: oneOf(["classification", "regression"]),
  classNames: v.optional(names),
  columnNames: v.optional(names),
  targetName: v.optional(text),
  standardizer: v.optional(statistics),
  targetScale: v.optional(statistics),
  samples: fields({ train: count, validation: count }),
  architecture: architectureSchema,
  optimizer: understoodBy(checkOptimizer),
  learningRate: numberFrom(0, Number.MAX_VALUE),
  schedule: understoodBy((schedule) => scheduleOf(schedule, 0.1, 10)),
  loss: v.optional(text),
  metrics: v.optional(list(text, "a list of names", { most: 100 })),
  batchSize: whole(1, MOST.batch),
  epochs: whole(1, MOST.epochs),
  seed,
  patience: v.optional(whole(1, MOST.epochs)),
} satisfies Record<keyof RunConfig, v.GenericSchema>);

/** @throws FileError naming the field that is not as a run of this version of kasane has it */
export function readConfig(value: unknown, where: string, hint?: string): RunConfig {
  const origin = { where, hint: hint ?? "train anew, or put config.json back as kasane train wrote it" };
  const config = readAs(schema, value, origin);
  for (const [field, expected, fits, got] of rulesOf(config)) if (!fits) throw wrongField(origin, field, expected, got);
  check(origin, "data.samples", () => checkSamples(config.data.kind, config.data.samples));
  check(origin, "architecture", () => checkArchitecture(config.architecture));
  check(origin, "loss", () => lossOf(config));
  check(origin, "metrics", () => metricsOf(config));
  return config;
}

/** What fields must be to one another. */
function* rulesOf(config: RunConfig): Generator<readonly [field: string, expected: string, fits: boolean, got: unknown]> {
  const { data, architecture, classNames, columnNames, standardizer, targetScale, task } = config;
  const { input, outputs } = architecture;
  const isTable = !["digits", "mnist"].includes(data.kind);
  const width = columnNames?.length;
  yield ["data.path", `the place of the ${data.kind} file`, !["csv", "mnist"].includes(data.kind) || data.path !== undefined, data.path];
  yield ["data.target", "the column to predict", data.kind !== "csv" || data.target !== undefined, data.target];
  if (task === "classification")
    yield ["classNames", `${outputs} names, as the model has outputs`, classNames?.length === outputs, classNames];
  else yield ["architecture.outputs", "1, for regression", outputs === 1, outputs];
  if (!isTable) {
    yield ["architecture.input", "[channels, height, width]", input.length === 3, input];
    return;
  }
  yield ["columnNames", "the columns of the table", width !== undefined, columnNames];
  yield ["architecture.input", `[${width}], the number of columns`, input.length === 1 && input[0] === width, input];
  for (const [field, scale, size] of [
    ["standardizer", standardizer, width],
    ["targetScale", targetScale, 1],
  ] as const) {
    if (scale === undefined) continue;
    yield [`${field}.mean`, `${size} numbers`, scale.mean.length === size, scale.mean];
    yield [`${field}.deviation`, `${size} numbers`, scale.deviation.length === size, scale.deviation];
  }
}

function check({ where, hint }: Origin, field: string, run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof KasaneError)) throw error;
    throw new FileError(`${where}: ${field}: ${reasonOf(error).replace(/^--?[\w-]+:? /, "")}`, { hint });
  }
}

/**
 * A run may come from somebody else: what it names as its data must be a file or a folder.
 * @throws FileError when it is not
 */
export async function checkDataPlace({ data: { path } }: RunConfig, where: string): Promise<void> {
  if (path === undefined) return;
  const found = await stat(path).catch((error: unknown) => {
    throw new FileError(`${where}: data.path: cannot read ${path}: ${reasonFor(error)}`, { hint: "put the data back", cause: error });
  });
  if (!found.isFile() && !found.isDirectory())
    throw new FileError(`${where}: data.path: expected a file or a folder, ${path} is a device or a pipe`, {
      hint: "train anew from a file",
    });
}
