// kasane train: makes or continues a run.

import { resolve } from "node:path";
import { explainFailure } from "../inspect/index.ts";
import { manualSeed } from "../tensor/index.ts";
import { type Callback, fit, TrainingError } from "../train/index.ts";
import { RunFolder } from "../train/node.ts";
import { InputError, UsageError } from "../util/errors.ts";
import { reasonOf } from "../util/schema.ts";
import { type RunConfig, readConfig } from "./config.ts";
import { type Interruptible, interruptible } from "./interrupt.ts";
import { checkSamples } from "./limits.ts";
import { lossOf, type Measured, metricsOf } from "./measures.ts";
import { type Architecture, buildModel, checkArchitecture, describeModel } from "./models.ts";
import { optimizerOf, usualRate } from "./optimizers.ts";
import { progress } from "./progress.ts";
import { reopen } from "./reopen.ts";
import { finish, interrupted } from "./report.ts";
import { nameOf } from "./run-name.ts";
import { scheduleOf } from "./schedules.ts";
import { defaults } from "./settings.ts";
import { loadSource, type Source, type SourceSpec } from "./sources.ts";
import { grouped, type Terminal } from "./terminal.ts";
import type { Run, TrainOptions } from "./training-run.ts";
import { version } from "./version.ts";
import { watching } from "./watch.ts";

/**
 * Milliseconds between two checkpoints: saving after every epoch of a tiny network would take longer than the epochs.
 */
const SAVE_INTERVAL = 2000;

/** @returns the exit code */
export async function train(terminal: Terminal, dataset: string | undefined, options: TrainOptions): Promise<number> {
  return interruptible(terminal, "stopping after this batch to save", async (interruption) => {
    const run = options.resume === undefined ? await begin(terminal, dataset, options) : await reopen(terminal, dataset, options);
    try {
      return await carryOut(terminal, run, { ...interruption, isWatched: options.watch === true });
    } finally {
      await run.folder.release();
    }
  });
}

interface Conduct extends Interruptible {
  readonly isWatched: boolean;
}

async function carryOut(terminal: Terminal, run: Run, { signal, received, isWatched }: Conduct): Promise<number> {
  const { folder, config, source, state } = run;
  manualSeed(config.seed);
  const model = buildModel(config.architecture);
  terminal.print(
    `${terminal.colors.bold(describeModel(config.architecture))}, ${grouped(model.parameters().reduce((sum, { size }) => sum + size, 0))} parameters`,
  );
  const watched = isWatched ? watching(terminal, model) : undefined;
  const metrics = metricsOf(config);
  const learningRate = scheduleOf(config.schedule, config.learningRate, config.epochs);
  try {
    const result = await fit(model, source.train, {
      loss: lossOf(config),
      optimizer: optimizerOf(config.optimizer, model, config.learningRate),
      epochs: config.epochs,
      batchSize: config.batchSize,
      validation: source.validation,
      metrics,
      seed: config.seed,
      signal,
      learningRate,
      recorder: watched?.recorder,
      callbacks: [progress(terminal, config.task, config.epochs), ...(watched === undefined ? [] : [watched.callback]), saver(folder)],
      ...(config.patience === undefined ? {} : { earlyStopping: { patience: config.patience } }),
      resume: state,
    });
    await folder.saveCheckpoint(result.state);
    await folder.saveModel(model.stateDict(), config.architecture);
    if (result.reason === "aborted") return interrupted(terminal, run, result, received());
    await finish(terminal, run, model, result);
    return 0;
  } catch (error) {
    if (error instanceof TrainingError && (await folder.has("checkpoint")))
      terminal.say(`the run up to its last saved epoch is in ${run.name}`);
    explainFailure(error);
  }
}

/** Keeps the folder up to date while training. */
function saver(folder: RunFolder): Callback {
  let saved = 0;
  return {
    async onEpochEnd(report, training) {
      await folder.appendMetrics(report);
      if (report.epoch > 1 && performance.now() - saved < SAVE_INTERVAL) return;
      await folder.saveCheckpoint(training.checkpoint());
      saved = performance.now();
    },
  };
}

async function begin(terminal: Terminal, dataset: string | undefined, options: TrainOptions): Promise<Run> {
  const seed = options.seed ?? 0;
  const data = sourceSpec(terminal, dataset, options, seed);
  const settings = defaults[data.kind];
  const optimizer = options.optimizer ?? settings.optimizer;
  const model = options.model ?? settings.model;
  if (options.hidden !== undefined && model === "linear")
    throw new UsageError("--hidden: a linear model has no hidden layers", { hint: "--model mlp" });
  const isImage = data.kind === "digits" || data.kind === "mnist";
  if (model === "cnn" && !isImage)
    throw new UsageError(`--model cnn needs images, ${data.kind} is a table`, { hint: "--model mlp or --model linear" });
  // The data first: a mistake in it should leave no empty folder behind.
  checkSamples(data.kind, data.samples);
  const source = await loadSource(data);
  const { loss, metric: metrics } = options;
  const measured = { loss, metrics };
  checkMeasures({ ...source, ...measured });
  const architecture: Architecture = {
    model,
    input: source.input,
    outputs: source.classNames?.length ?? 1,
    hidden: model === "linear" ? [] : (options.hidden ?? settings.hidden),
    activation: options.activation ?? "relu",
    dropout: options.dropout ?? 0,
  };
  const config: RunConfig = {
    format: "kasane run 1",
    version,
    created: new Date().toISOString(),
    data,
    ...configOf(source),
    architecture,
    ...measured,
    optimizer,
    learningRate: options.lr ?? usualRate(optimizer, settings.learningRate),
    schedule: options.schedule ?? settings.schedule,
    batchSize: options.batch ?? settings.batch,
    epochs: options.epochs ?? settings.epochs,
    seed,
    patience: options.patience,
  };
  checkFlag("--hidden", architecture.hidden.join(","), () => checkArchitecture(architecture));
  // What is written must be read again.
  readConfig(config, data.path ?? data.kind, "other data, or shorter names in them");
  const folder = await makeFolder(terminal, data.kind, options);
  await folder.writeConfig(config);
  await folder.writeMetrics([]);
  const name = nameOf(terminal, folder.path);
  terminal.print(
    `training on ${grouped(source.train.size)} samples of ${data.kind}, ${grouped(source.validation.size)} held out; run ${name}`,
  );
  return { folder, name, config, source };
}

/** @throws UsageError naming the flag */
function checkMeasures({ task, loss, metrics = [], classNames = [] }: Measured): void {
  if (loss !== undefined) checkFlag("--loss", loss, () => lossOf({ task, loss }));
  for (const metric of metrics) checkFlag("--metric", metric, () => metricsOf({ task, metrics: [metric], classNames }));
}

/** @throws UsageError naming the flag where the check fails */
function checkFlag(flag: string, text: string, run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new UsageError(`${flag} ${text}: ${reasonOf(error)}`, error.hint === undefined ? {} : { hint: error.hint });
  }
}

function configOf({ fingerprint, task, classNames, columnNames, targetName, standardizer, targetScale, train, validation }: Source) {
  const optional = { classNames, columnNames, targetName, standardizer, targetScale };
  const present = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<typeof optional>;
  return { fingerprint, task, ...(present as Pick<RunConfig, "classNames">), samples: { train: train.size, validation: validation.size } };
}

async function makeFolder({ host }: Terminal, kind: string, { out, force }: TrainOptions): Promise<RunFolder> {
  if (out === undefined) return RunFolder.createNumbered(resolve(host.cwd, "runs"), kind);
  try {
    return await RunFolder.create(resolve(host.cwd, out), { replace: force === true });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new UsageError(`--out ${out}: ${error.message.split("\n")[0]}`, error.hint === undefined ? {} : { hint: error.hint });
  }
}

function sourceSpec({ host }: Terminal, dataset: string | undefined, options: TrainOptions, seed: number): SourceSpec {
  const { csv, mnist, data, target, columns, separator, samples } = options;
  const given = [dataset, csv === undefined ? undefined : "--csv", mnist === undefined ? undefined : "--mnist"].filter(
    (name) => name !== undefined,
  );
  // `npm start` names digits itself; another source given after it wins.
  const named = dataset === "digits" && given.length > 1 ? given.slice(1) : given;
  if (named.length !== 1)
    throw new UsageError(named.length === 0 ? "train: expected a data set" : `train: expected one data set, got ${named.join(" and ")}`, {
      hint: `digits, moons, spirals, xor, wine, --csv FILE --target COLUMN, or --mnist FOLDER`,
    });
  const kind = (csv !== undefined ? "csv" : mnist !== undefined ? "mnist" : dataset) as SourceSpec["kind"];
  if (kind === "csv" && target === undefined) throw new UsageError("--csv: expected the column to predict", { hint: "--target COLUMN" });
  for (const [flag, value] of Object.entries({ target, columns, separator }))
    if (value !== undefined && kind !== "csv") throw new UsageError(`--${flag} belongs to --csv FILE, the data set is ${kind}`);
  if (data !== undefined && kind !== "wine")
    throw new UsageError(`--data belongs to the data set wine, not to ${kind}`, {
      hint: "--csv FILE --target COLUMN for tables, --mnist FOLDER for images",
    });
  const file = csv ?? mnist ?? data;
  return {
    kind,
    seed,
    samples,
    ...(file === undefined ? {} : { path: resolve(host.cwd, file) }),
    target,
    columns,
    ...(separator === undefined ? {} : { separator: separator === "\\t" ? "\t" : separator }),
  };
}
