// Prints the end of a training: its result, its folder, and what to do next.

import stringWidth from "string-width";
import { getBackend } from "../backends/choose.ts";
import type { Layer } from "../nn/index.ts";
import { type ConfusionMatrix, evaluate, type FitResult, type Scores } from "../train/index.ts";
import { quoted } from "../util/shell.ts";
import type { RunConfig } from "./config.ts";
import { confusionLines } from "./confusion.ts";
import { harmless } from "./harmless.ts";
import { EXIT_CODES, type Interruption } from "./interrupt.ts";
import { lossOf, metricsOf } from "./measures.ts";
import { describeModel } from "./models.ts";
import { lossText } from "./progress.ts";
import { duration, grouped, percent, type Terminal } from "./terminal.ts";
import type { Run } from "./training-run.ts";

/** What summary.json holds and --json prints. */
export interface RunSummary {
  readonly run: string;
  readonly epochs: number;
  readonly seconds: number;
  readonly train: Scores & { readonly samples: number };
  readonly validation: Scores & { readonly samples: number };
  readonly data: string;
  readonly model: string;
  readonly parameters: number;
  readonly backend: string;
  readonly stopped: FitResult["reason"];
  readonly best?: FitResult["best"];
  /** [actual][predicted] on the held-out samples. */
  readonly confusion?: readonly (readonly number[])[];
  readonly classNames?: readonly string[];
}

/** Measures the finished model, writes the summary and says everything. */
export async function finish(terminal: Terminal, run: Run, model: Layer, result: FitResult): Promise<void> {
  const { folder, config, source } = run;
  const measure = { loss: lossOf(config), metrics: metricsOf(config) };
  const train = await evaluate(model, source.train, measure);
  const validation = await evaluate(model, source.validation, { ...measure, confusion: config.task === "classification" });
  const summary: RunSummary = {
    run: run.name,
    epochs: result.epochs,
    seconds: Math.round(1000 * result.seconds) / 1000,
    train: { ...train.scores, samples: train.samples },
    validation: { ...validation.scores, samples: validation.samples },
    data: config.data.kind,
    model: describeModel(config.architecture),
    parameters: model.parameters().reduce((sum, { size }) => sum + size, 0),
    backend: getBackend().name,
    stopped: result.reason,
    best: result.best,
    ...(validation.confusion === undefined ? {} : { confusion: validation.confusion.counts, classNames: validation.confusion.classNames }),
  };
  const plain = resultLines(summary, config, validation.confusion, 80, (text) => text);
  await folder.writeSummary(summary, `${harmless(plain.join("\n"), false)}\n`);
  const { colors, host } = terminal;
  terminal.print();
  for (const line of resultLines(summary, config, validation.confusion, terminal.width, colors.bold)) terminal.print(line);
  terminal.print();
  terminal.print(`The run is in ${colors.bold(run.name)} (weights: model.safetensors). What to try next:`);
  for (const [command, what] of suggestions(host.self, run)) {
    const line = `  ${command}   # ${what}`;
    terminal.print(`  ${colors.cyan(what !== "" && stringWidth(line) <= terminal.width ? line.trimStart() : command)}`);
  }
  terminal.result(summary);
}

/** Says how to go on after Ctrl-C. @returns the exit code */
export function interrupted(terminal: Terminal, run: Run, result: FitResult, signal: Interruption): number {
  const { epochs, batches } = result;
  const command = `${terminal.host.self} train --resume ${quoted(run.name)}`;
  const place = batches > 0 ? `in epoch ${epochs + 1} after ${grouped(batches)} batches` : `after epoch ${epochs}`;
  terminal.print(`Stopped ${place}. Everything is saved in ${terminal.colors.bold(run.name)}; go on with the very same numbers:`);
  terminal.print(`  ${terminal.colors.cyan(command)}`);
  terminal.result({ run: run.name, epochs, batches, seconds: result.seconds, interrupted: signal, resume: command });
  return EXIT_CODES[signal];
}

function resultLines(
  summary: RunSummary,
  config: RunConfig,
  confusion: ConfusionMatrix | undefined,
  width: number,
  bold: (text: string) => string,
): string[] {
  const { train, validation } = summary;
  const { epoch, monitor, value } = summary.best ?? { epoch: 0, monitor: "", value: 0 };
  const more = metricsOf(config)
    .slice(metricsOf({ ...config, metrics: [] }).length)
    .map(({ name }) => `${name} ${scoreText(validation, name)}, on the training samples ${scoreText(train, name)}`);
  const time = `${summary.epochs} epoch${summary.epochs === 1 ? "" : "s"} in ${duration(summary.seconds)} on ${summary.backend}`;
  const best = epoch === 0 ? "" : `; lowest ${monitor.replace("validation", "held-out")} in epoch ${epoch}: ${lossText(value)}`;
  const early = summary.stopped === "no improvement" ? ["stopped early: no improvement; the weights are those of the best epoch"] : [];
  if (config.task === "regression") {
    const scale = config.targetScale?.deviation[0] ?? 1;
    const error = (scores: Scores): string =>
      `mean error ${(scale * Number(scores.meanAbsoluteError)).toPrecision(4)}, R² ${Number(scores.rSquared).toFixed(4)}`;
    return [
      bold(`held out: ${error(validation)} (${grouped(validation.samples)} samples)`),
      `training: ${error(train)} (${grouped(train.samples)} samples)`,
      ...more,
      time + best,
      ...early,
    ];
  }
  const lines = [
    bold(
      `accuracy on ${grouped(validation.samples)} held-out samples: ${percent(Number(validation.accuracy))} (loss ${lossText(validation.loss)})`,
    ),
    `accuracy on the ${grouped(train.samples)} training samples: ${percent(Number(train.accuracy))} (loss ${lossText(train.loss)})`,
    ...more,
    time + best,
    ...early,
  ];
  if (confusion === undefined) return lines;
  const mistakes = confusion.mistakes(3).map(({ actual, predicted, count }) => `${actual} taken for ${predicted} (${count})`);
  const note = mistakes.length === 0 ? "no mistakes" : `most frequent mistakes: ${mistakes.join(", ")}`;
  return [
    ...lines,
    "",
    "held-out samples: what they are (rows), what they were taken for (columns)",
    ...confusionLines(confusion, width, bold),
    note,
  ];
}

function scoreText(scores: Scores, name: string): string {
  return Number((scores as Readonly<Record<string, number>>)[name]).toPrecision(4);
}

/** Columns of which a line on the command line can still be read. */
const MOST_TYPED = 12;

/** Commands, each with what it is for. */
function suggestions(self: string, { name, config }: Run): (readonly [command: string, what: string])[] {
  const run = quoted(name);
  const { kind } = config.data;
  const isImage = kind === "digits" || kind === "mnist";
  const values = isImage ? [] : (config.standardizer?.mean ?? []).map((mean) => Number(mean.toPrecision(3)));
  const isTyped = values.length > 0 && values.length <= MOST_TYPED;
  return [
    [`${self} predict ${run} ${isTyped ? `--input=${values.join(",")}` : "--sample 0"}`, ""],
    [`${self} summary ${run}`, ""],
    [`${self} train ${dataFlags(config)} --model linear`, isImage ? "how far without hidden layers" : "how far a straight line goes"],
    [`${self} explain ${run} --at "output[0, 0]"`, "where a number comes from"],
    [`${self} doctor ${run}`, "what looks wrong, if anything"],
  ];
}

/** What names the very same data on the command line. */
function dataFlags({ data: { kind, path, target, columns, separator, samples }, seed }: RunConfig): string {
  const isNamed = kind !== "csv" && kind !== "mnist";
  const flags: Readonly<Record<string, string | number | undefined>> = {
    [kind === "wine" ? "data" : kind]: path,
    target,
    columns: columns?.join(","),
    separator: separator === "\t" ? "\\t" : separator,
    samples,
    seed: seed === 0 ? undefined : seed,
  };
  const given = Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag} ${quoted(String(value))}`]));
  return [...(isNamed ? [kind] : []), ...given].join(" ");
}
