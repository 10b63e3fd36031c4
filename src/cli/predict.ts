// kasane predict: applies a trained network to new inputs.

import { basename, resolve } from "node:path";
import { classFinder } from "../data/files/table.ts";
import type { NdArray } from "../data/index.ts";
import { numericColumns, parseCsv, readIdxFile, Standardizer } from "../data/index.ts";
import { readBytes } from "../io/node.ts";
import { dtypeOfArray } from "../nest/arrays.ts";
import type { Layer } from "../nn/index.ts";
import { softmax } from "../tensor/index.ts";
import { predict as compute, predictedClasses } from "../train/index.ts";
import { decimalOf } from "../util/decimal.ts";
import { FileError, InputError, UsageError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import { quoted } from "../util/shell.ts";
import type { RunConfig } from "./config.ts";
import { imageLines } from "./image.ts";
import { openFolder, sourceOf, trainedModel } from "./run-parts.ts";
import type { Terminal } from "./terminal.ts";
import { grouped, pad, percent, table } from "./terminal.ts";

export interface PredictOptions {
  readonly input?: readonly (readonly number[])[];
  readonly sample?: readonly number[];
}

interface Inputs {
  /** As the model takes them: scaled, [n, …]. */
  readonly x: NdArray;
  /** What each is, where that is known: class indices, or numbers in the data's own unit. */
  readonly actual?: ArrayLike<number>;
  /** How each is called: "row 1", "sample 7". */
  readonly names: readonly string[];
}

interface Prediction {
  readonly input: string;
  readonly class?: string;
  readonly probabilities?: Readonly<Record<string, number>>;
  readonly value?: number;
  readonly actual?: string | number;
}

/** Rows printed for people; --json has them all. */
const MOST_ROWS = 40;

/** @returns the exit code */
export async function predict(terminal: Terminal, name: string, file: string | undefined, options: PredictOptions): Promise<number> {
  const ways = [file, options.input, options.sample].filter((way) => way !== undefined).length;
  if (ways !== 1)
    throw new UsageError(`predict: expected one of a file, --input and --sample, got ${ways === 0 ? "none" : "several"}`, {
      hint: `${terminal.host.self} predict ${quoted(name)} --sample 0`,
    });
  const { folder, config } = await openFolder(terminal.host.cwd, name);
  const model = await trainedModel(folder, config, name);
  const path = file === undefined ? undefined : resolve(terminal.host.cwd, file);
  const inputs = options.sample
    ? await fromSamples(config, options.sample, name)
    : options.input
      ? fromValues(config, options.input)
      : await fromFile(config, path as string);
  const predictions = config.task === "classification" ? await classify(config, model, inputs) : await estimate(config, model, inputs);
  if (options.sample && config.architecture.input.length === 3) showImages(terminal, config, inputs, predictions);
  else showTable(terminal, config, predictions);
  terminal.result({ run: name, predictions, ...accuracyOf(predictions) });
  return 0;
}

async function classify({ classNames = [] }: RunConfig, model: Layer, { x, actual, names }: Inputs): Promise<Prediction[]> {
  const probabilities = softmax(await compute(model, x));
  const found = predictedClasses(probabilities);
  const [, classes = 0] = probabilities.shape;
  return names.map((input, n) => {
    const row = probabilities.data.slice(n * classes, (n + 1) * classes);
    const best = found[n]!;
    if (best < 0)
      throw new InputError(`the model gives no number for ${input}: its largest output is NaN`, {
        hint: "look for values in the input that are not finite; kasane doctor RUN looks for weights that are not",
      });
    return {
      input,
      class: classNames[best]!,
      probabilities: Object.fromEntries(Array.from(row, (p, c) => [classNames[c]!, p])),
      ...(actual === undefined ? {} : { actual: classNames[actual[n] as number]! }),
    };
  });
}

async function estimate({ targetScale }: RunConfig, model: Layer, { x, actual, names }: Inputs): Promise<Prediction[]> {
  const outputs = await compute(model, x);
  const scaled: NdArray = { shape: [names.length, 1], data: outputs.data };
  const values = targetScale === undefined ? scaled : new Standardizer(targetScale).invert(scaled);
  return names.map((input, n) => ({
    input,
    value: values.data[n]!,
    ...(actual === undefined ? {} : { actual: actual[n]! }),
  }));
}

async function fromSamples(config: RunConfig, positions: readonly number[], run: string): Promise<Inputs> {
  const { validation, fingerprint, targetScale } = await sourceOf(config, run);
  if (fingerprint !== config.fingerprint)
    throw new FileError(
      `${config.data.path ?? run}: the data is no longer what ${run} was trained on, so its held-out samples are unknown`,
      { hint: "put the same files back, or give a file or --input" },
    );
  const wrong = positions.find((position) => position >= validation.size);
  if (wrong !== undefined) throw new UsageError(`--sample: expected numbers from 0 to ${validation.size - 1}, got ${wrong}`);
  const { x, y } = validation.gather(positions);
  const actual = targetScale === undefined ? y.data : new Standardizer(targetScale).invert(y).data;
  return { x, actual, names: positions.map((position) => `sample ${position}`) };
}

function fromValues(config: RunConfig, rows: readonly (readonly number[])[]): Inputs {
  const names = config.columnNames;
  if (names === undefined)
    throw new UsageError("--input: this run takes images, not rows of numbers", { hint: "an IDX file, or --sample N" });
  const wrong = rows.find((row) => row.length !== names.length);
  if (wrong !== undefined) throw new UsageError(`--input: expected ${names.length} numbers (${names.join(", ")}), got ${wrong.length}`);
  return {
    x: scale(config, { shape: [rows.length, names.length], data: Float64Array.from(rows.flat()) }),
    names: rows.map((_, n) => `row ${n + 1}`),
  };
}

async function fromFile(config: RunConfig, path: string): Promise<Inputs> {
  const bytes = await readBytes(path, { pipes: true });
  if (config.columnNames === undefined) return fromImages(config, bytes, path);
  const { separator } = config.data;
  const text = parseCsv(bytes, { name: basename(path), separator });
  const x = scale(config, numericColumns(text, config.columnNames));
  const names = text.rows.map(({ line }) => `line ${line}`);
  const target = text.columnNames.indexOf(config.targetName ?? "");
  if (target === -1) return { x, names };
  const cells = text.rows.map((row) => row.cells[target]!);
  const classOf = classFinder(config.classNames ?? []);
  const actual = cells.map((cell) => (config.task === "classification" ? (classOf(cell) ?? -1) : decimalOf(cell)));
  // Empty or unknown targets are what a person wants predicted: then nothing is compared.
  return actual.every((value) => Number.isFinite(value) && (config.task === "regression" || value >= 0)) && !cells.includes("")
    ? { x, names, actual }
    : { x, names };
}

async function fromImages(config: RunConfig, bytes: Uint8Array<ArrayBuffer>, path: string): Promise<Inputs> {
  const images = await readIdxFile(bytes, basename(path));
  const [channels, height, width] = config.architecture.input as [number, number, number];
  const [count, ...size] = images.shape;
  if (count === undefined || size.join() !== (channels === 1 ? [height, width] : [channels, height, width]).join())
    throw new FileError(`${path}: expected images of ${height} × ${width}, got shape ${shapeText(images.shape)}`, {
      hint: "give the file with the images, not the labels",
    });
  const isByte = dtypeOfArray(images.data) === "uint8";
  const data = Float32Array.from(images.data as ArrayLike<number>, (value) => (isByte ? value / 255 : value));
  return { x: { shape: [count, channels, height, width], data }, names: Array.from({ length: count }, (_, n) => `image ${n}`) };
}

function scale({ standardizer }: RunConfig, x: NdArray): NdArray {
  return standardizer === undefined ? x : new Standardizer(standardizer).apply(x);
}

/** A share right, or a mean distance, where the answers are known. */
function accuracyOf(predictions: readonly Prediction[]): object {
  if (predictions.some(({ actual }) => actual === undefined)) return {};
  if (predictions[0]?.class === undefined)
    return {
      meanAbsoluteError:
        predictions.reduce((sum, { value, actual }) => sum + Math.abs(Number(value) - Number(actual)), 0) / predictions.length,
    };
  return { accuracy: predictions.filter((item) => item.class === item.actual).length / predictions.length };
}

function showImages(terminal: Terminal, { architecture }: RunConfig, { x }: Inputs, predictions: readonly Prediction[]): void {
  const size = architecture.input.reduce((product, extent) => product * extent, 1);
  const [, height = 1, width = 1] = architecture.input;
  for (const [n, prediction] of predictions.slice(0, MOST_ROWS).entries()) {
    const picture = imageLines(Array.from(x.data.slice(n * size, n * size + height * width)), width);
    const right = prediction.class === prediction.actual;
    const said = `${prediction.input}: ${terminal.colors.bold(String(prediction.class))}`;
    terminal.print(right ? `${said}, which is right` : `${said}, but it is ${prediction.actual}`);
    const bars = probabilityLines(terminal, prediction);
    const blank = Math.max(0, Math.floor((picture.length - bars.length) / 2));
    picture.forEach((line, row) => terminal.print(`${line}  ${bars[row - blank] ?? ""}`.trimEnd()));
  }
  left(terminal, predictions.length);
}

function probabilityLines({ width, colors }: Terminal, { probabilities = {} }: Prediction): string[] {
  const entries = Object.entries(probabilities)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 5);
  const room = Math.max(4, Math.min(24, width - 30 - 24));
  return entries.map(
    ([name, p]) => `${pad(name, 8, "right")} ${pad(percent(p), 9, "right")} ${colors.cyan("█".repeat(Math.round(room * p)))}`,
  );
}

function showTable(terminal: Terminal, config: RunConfig, predictions: readonly Prediction[]): void {
  const known = predictions.every(({ actual }) => actual !== undefined);
  const rows = predictions.slice(0, MOST_ROWS).map(({ input, class: name, value, probabilities = {}, actual }) => {
    const top = Object.entries(probabilities)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 3)
      .map(([label, p]) => `${label} ${percent(p)}`);
    return [
      input,
      name ?? Number(value).toPrecision(5),
      ...(known ? [String(typeof actual === "number" ? Number(actual.toPrecision(5)) : actual)] : []),
      top.join(", "),
    ];
  });
  const columns = [
    "input",
    config.targetName ?? "class",
    ...(known ? ["actual"] : []),
    config.task === "classification" ? "probabilities" : "",
  ];
  for (const line of table(
    columns.map((title) => ({ title, side: "left" as const })),
    rows,
    terminal.colors.bold,
  ))
    terminal.print(line);
  left(terminal, predictions.length);
  const measured = accuracyOf(predictions) as { accuracy?: number; meanAbsoluteError?: number };
  if (measured.accuracy !== undefined && predictions.length > 1)
    terminal.print(`right: ${percent(measured.accuracy)} of ${grouped(predictions.length)}`);
  if (measured.meanAbsoluteError !== undefined) terminal.print(`mean error: ${measured.meanAbsoluteError.toPrecision(4)}`);
}

function left(terminal: Terminal, count: number): void {
  if (count > MOST_ROWS) terminal.print(`… and ${grouped(count - MOST_ROWS)} more; --json has them all`);
}
