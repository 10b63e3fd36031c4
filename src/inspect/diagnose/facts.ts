// Facts about model, data and predictions that rules read.

import { holdsFractions } from "../../data/array.ts";
import { Dataset } from "../../data/index.ts";
import { noGrad, type Tensor, tensor } from "../../tensor/index.ts";
import { type Loss, type Model, predict, type Samples } from "../../train/index.ts";
import { statisticsOf } from "../draw/graph.ts";
import type { DataFacts, DuplicateFacts, FeatureFacts, OutputFacts, ParameterFacts } from "./evidence.ts";

export function parameterFacts(model: Model): ParameterFacts[] {
  return [...model.namedParameters()].map(([name, { shape, requiresGrad, data }]) => ({
    name,
    shape,
    trainable: requiresGrad,
    std: statisticsOf(data).std,
  }));
}

/** Columns one by one; of images and sequences all numbers together. */
export function dataFacts({ fields: { x, y }, columnNames, size: samples }: Dataset<Samples>): DataFacts {
  const features = featuresOf(x, (column) => columnNames?.[column] ?? `input ${column}`, "an input");
  if (!isClasses(y)) return { samples, features, targets: featuresOf(y, (column) => `target ${column}`, "a target") };
  return { samples, features, classes: classCounts(y) };
}

/** Samples of each class. */
export function classCounts({ data }: Pick<Samples["y"], "data">): number[] {
  const counts: number[] = [];
  for (const label of data) {
    while (counts.length <= label) counts.push(0);
    counts[label] = counts[label]! + 1;
  }
  return counts;
}

function featuresOf({ shape, data }: Samples["x"], nameOf: (column: number) => string, nameOfAll: string): FeatureFacts[] {
  const measured = (name: string, numbers: Samples["x"]["data"]): FeatureFacts => {
    const { mean, std } = statisticsOf(numbers);
    return { name, mean, std };
  };
  const [count = 0, width = 0, ...more] = shape;
  if (more.length > 0 || width > 1024 || shape.length === 1) return [measured(nameOfAll, data)];
  return Array.from({ length: width }, (_, column) =>
    measured(
      nameOf(column),
      Float64Array.from({ length: count }, (_, row) => data[row * width + column]!),
    ),
  );
}

/** Whether targets are class numbers, one for each sample. */
export function isClasses(y: Samples["y"]): boolean {
  return y.shape.length === 1 && !holdsFractions(y);
}

/** All samples, or so many of them from everywhere, with their numbers in the data. */
export function spread(data: Dataset<Samples>, most: number): { readonly data: Dataset<Samples>; readonly numbers: ArrayLike<number> } {
  const count = Math.min(data.size, most);
  const numbers = Int32Array.from({ length: count }, (_, n) => Math.floor((n * data.size) / count));
  return { data: count === data.size ? data : data.subset(numbers), numbers };
}

/** What the model gives for some samples, its shape for one among it. */
export async function outputsOf(
  model: Model,
  data: Dataset<Samples>,
  loss: Loss,
): Promise<{ readonly shape: readonly number[]; readonly facts: OutputFacts }> {
  const { x, y } = spread(data, SAMPLE).data.fields;
  const output = await predict(model, x);
  return { shape: output.shape.slice(1), facts: outputFacts(loss, output, y) };
}

/** Enough samples to see what kind of numbers a model gives. */
const SAMPLE = 256;

function outputFacts(loss: Loss, output: Tensor, y: Samples["y"]): OutputFacts {
  const { rows, elements } = probabilityRows(output);
  const target = tensor(y);
  const lossOf = (prediction: Tensor): number => {
    try {
      return noGrad(() => loss(prediction, target)).item();
    } catch {
      return Number.NaN;
    }
  };
  const [own, shifted] = [lossOf(output), lossOf(output.add(3))];
  // Softmax is the function that the same number added to every class does not change.
  const takesSoftmax = rows && Math.abs(own - shifted) < 1e-3 * Math.max(1e-3, Math.abs(own));
  // A sigmoid of its own takes any number; a loss of probabilities refuses these, or is not finite.
  const [low, high] = [-30, 30].map((value) => lossOf(output.mul(0).add(value)));
  const takesSigmoid = elements && !rows && [low, high].every(Number.isFinite) && isLogistic(lossOf, output);
  return { probabilities: rows ? "softmax" : elements ? "sigmoid" : "none", squashedAgain: takesSoftmax || takesSigmoid };
}

/**
 * Whether the loss of logits x is log(1 + e^x) − t·x: its sum at x and −x then grows by exactly |x| from one far number
 * to another.
 */
function isLogistic(lossOf: (prediction: Tensor) => number, output: Tensor): boolean {
  const both = (value: number): number => lossOf(output.mul(0).add(value)) + lossOf(output.mul(0).sub(value));
  return Math.abs(both(40) - both(20) - 20) < 1e-2;
}

/** Whether outputs are probabilities: every row sums to 1, or every number lies between 0 and 1. */
export function probabilityRows(output: Tensor): { readonly rows: boolean; readonly elements: boolean } {
  const { data, shape } = output;
  const elements = data.length > 0 && data.every((value: number) => value >= 0 && value <= 1);
  const [count = 0, classes = 0] = shape;
  if (!elements || classes < 2) return { rows: false, elements };
  const inner = data.length / (count * classes);
  for (let sample = 0; sample < count; sample++)
    for (let at = 0; at < inner; at++) {
      let sum = 0;
      for (let k = 0; k < classes; k++) sum += data[(sample * classes + k) * inner + at]!;
      if (Math.abs(sum - 1) > 1e-3) return { rows: false, elements };
    }
  return { rows: true, elements };
}

/** How many of the held-out samples are training samples, too. */
export function duplicateFacts(train: Dataset<Samples>, held: Dataset<Samples>): DuplicateFacts {
  const { x } = train.fields;
  const known = new Map(rowKeys(x).map((key, sample) => [key, sample]));
  const pairs = rowKeys(held.fields.x).flatMap((key, sample) => {
    const same = known.get(key);
    return same === undefined ? [] : [{ held: sample, train: same }];
  });
  return { samples: held.size, found: pairs.length, byChance: 1 - Math.exp(-train.size * chanceOfEqualRows(x)), pairs: pairs.slice(0, 64) };
}

function rowKeys({ shape, data }: Samples["x"]): string[] {
  const [count = 0] = shape;
  const width = data.length / count;
  return Array.from({ length: count }, (_, row) => data.slice(row * width, (row + 1) * width).join());
}

/**
 * The probability that two rows drawn anew are equal, were their columns independent: columns of few different values
 * make it large.
 */
function chanceOfEqualRows({ shape, data }: Samples["x"]): number {
  const [count = 0] = shape;
  const width = data.length / count;
  let chance = 1;
  for (let column = 0; column < width && chance > 1e-12; column++) {
    const counts = new Map<number, number>();
    for (let row = 0; row < count; row++) {
      const value = data[row * width + column]!;
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    // Of pairs of different rows: all different gives 0, where rows are copies of others they count too.
    let equal = 0;
    for (const times of counts.values()) equal += (times / count) ** 2;
    chance *= equal;
  }
  return chance;
}

/** The parts of a training's data, with the number that each training sample has in the whole. */
export interface Parts {
  readonly train: Dataset<Samples>;
  readonly held: Dataset<Samples> | undefined;
  /** Undefined: the training samples are the data, in their order. */
  readonly numbers: ArrayLike<number> | undefined;
}

/** Splits as fit does. */
export function partsOf(data: Dataset<Samples>, validation: Dataset<Samples> | number | undefined, seed: number): Parts {
  if (typeof validation !== "number") return { train: data, held: validation, numbers: undefined };
  const number = { data: Int32Array.from({ length: data.size }, (_, n) => n), shape: [data.size] };
  const numbered = new Dataset({ y: data.fields.y, number }, { allowNonFinite: true });
  const parts = numbered.split(1 - validation, { seed, stratify: data.classNames !== undefined });
  const [train, held] = parts.map(({ fields }) => fields.number.data) as [Int32Array, Int32Array];
  return { train: data.subset(train), held: data.subset(held), numbers: train };
}
