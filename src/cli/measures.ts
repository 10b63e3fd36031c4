// The losses and metrics of the command line: those of the library that take one prediction and one target.

import { absoluteError, crossEntropy, huber, meanSquaredError, multiClassHingeLoss, smoothL1 } from "../nn/index.ts";
import { noGrad, type Tensor, zeros } from "../tensor/index.ts";
import type { Loss, Metric } from "../train/index.ts";
import * as train from "../train/index.ts";
import { InputError } from "../util/errors.ts";
import { type Choices, choose, type Settings } from "./choices.ts";

export type Task = "classification" | "regression";

type MakeLoss = (settings: Settings) => Loss;
type MakeMetric = (settings: Settings, classes: number) => Metric;

/** A loss with options, which its settings are. */
const withOptions =
  <Options>(loss: (prediction: never, target: never, options: Options) => unknown): MakeLoss =>
  (settings) =>
  (prediction, target) =>
    (loss as (...inputs: readonly unknown[]) => ReturnType<Loss>)(prediction, target, settings);

export const lossChoices: Readonly<Record<Task, Choices<MakeLoss>>> = {
  classification: {
    crossEntropy: { settings: { labelSmoothing: "number" }, make: withOptions(crossEntropy) },
    multiClassHingeLoss: { settings: { margin: "number" }, make: withOptions(multiClassHingeLoss) },
  },
  regression: {
    meanSquaredError: { settings: {}, make: withOptions(meanSquaredError) },
    absoluteError: { settings: {}, make: withOptions(absoluteError) },
    huber: { settings: { delta: "number" }, make: withOptions(huber) },
    smoothL1: { settings: { beta: "number" }, make: withOptions(smoothL1) },
  },
};

const AVERAGE = { settings: { average: ["macro", "micro"] } } as const;

export const metricChoices: Readonly<Record<Task, Choices<MakeMetric>>> = {
  classification: {
    accuracy: { settings: {}, make: () => train.accuracy() },
    topK: { settings: { k: "number" }, make: ({ k = 2 }) => train.topK(k as number) },
    precision: { ...AVERAGE, make: (settings, classes) => train.precision(classes, settings) },
    recall: { ...AVERAGE, make: (settings, classes) => train.recall(classes, settings) },
    f1Score: { ...AVERAGE, make: (settings, classes) => train.f1Score(classes, settings) },
    intersectionOverUnion: { ...AVERAGE, make: (settings, classes) => train.intersectionOverUnion(classes, settings) },
    crossEntropy: { settings: {}, make: () => train.crossEntropy() },
    perplexity: { settings: {}, make: () => train.perplexity() },
  },
  regression: {
    meanAbsoluteError: { settings: {}, make: () => train.meanAbsoluteError() },
    meanSquaredError: { settings: {}, make: () => train.meanSquaredError() },
    rSquared: { settings: {}, make: () => train.rSquared() },
  },
};

const USUAL: Readonly<Record<Task, { readonly loss: string; readonly metrics: readonly string[] }>> = {
  classification: { loss: "crossEntropy", metrics: ["accuracy"] },
  regression: { loss: "meanSquaredError", metrics: ["meanAbsoluteError", "rSquared"] },
};

/** What a run measures itself by: its task, and what was asked for besides the usual. */
export interface Measured {
  readonly task: Task;
  readonly loss?: string;
  readonly metrics?: readonly string[];
  /** Of classification. */
  readonly classNames?: readonly string[];
}

/** @throws InputError for names and settings that do not exist or are out of range, or belong to the other task */
export function lossOf({ task, loss = USUAL[task].loss }: Measured): Loss {
  const { make, settings } = chooseFor(lossChoices, task, loss);
  const made = make(settings);
  // A loss looks at its settings when it is called: before data are read and a folder is made.
  if (Object.keys(settings).length > 0) noGrad(() => made(zeros([1, 2]), sampleTargets[task]()));
  return made;
}

const sampleTargets: Readonly<Record<Task, () => Tensor>> = {
  classification: () => zeros([1], { dtype: "int32" }),
  regression: () => zeros([1, 2]),
};

/** The usual ones, which the reports show, and then those asked for. @throws InputError as lossOf */
export function metricsOf({ task, metrics = [], classNames = [] }: Measured): readonly Metric[] {
  const all = [...USUAL[task].metrics, ...metrics].map((metric) => {
    const { make, settings } = chooseFor(metricChoices, task, metric);
    return make(settings, classNames.length);
  });
  return [...new Map(all.map((metric) => [metric.name, metric])).values()];
}

function chooseFor<Make>(choices: Readonly<Record<Task, Choices<Make>>>, task: Task, chosen: string): ReturnType<typeof choose<Make>> {
  const other: Task = task === "classification" ? "regression" : "classification";
  const name = chosen.split(":")[0]!;
  if (choices[task][name] === undefined && choices[other][name] !== undefined)
    throw new InputError(`${name} is for ${other}, this is ${task}: expected one of ${Object.keys(choices[task]).join(", ")}`);
  return choose(choices[task], chosen);
}
