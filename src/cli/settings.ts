// What each data set is trained with when nothing else is asked for.

import type { ModelName } from "./models.ts";
import type { SourceSpec } from "./sources.ts";

export interface Settings {
  readonly model: ModelName;
  readonly hidden: readonly number[];
  readonly epochs: number;
  readonly batch: number;
  readonly optimizer: OptimizerName;
  readonly learningRate: number;
  readonly schedule: ScheduleName;
}

export const scheduleNames = ["constant", "cosine"] as const;
export type ScheduleName = (typeof scheduleNames)[number];

export const optimizerNames = ["sgd", "momentum", "adam", "adamw"] as const;
export type OptimizerName = (typeof optimizerNames)[number];

const images: Settings = { model: "cnn", hidden: [128], epochs: 8, batch: 32, optimizer: "adam", learningRate: 0.001, schedule: "cosine" };
const points: Settings = {
  model: "mlp",
  hidden: [32, 32],
  epochs: 60,
  batch: 32,
  optimizer: "adam",
  learningRate: 0.01,
  schedule: "constant",
};

export const defaults: Readonly<Record<SourceSpec["kind"], Settings>> = {
  digits: images,
  mnist: images,
  moons: points,
  spirals: { ...points, hidden: [64, 64], epochs: 100 },
  xor: { ...points, hidden: [16], epochs: 40 },
  // Four measurements, eight hidden units, two kinds: the textbook's network.
  wine: { ...points, hidden: [8], epochs: 40 },
  csv: { ...points, epochs: 50 },
};

/** Learning rates for optimizers other than the default one, whose usual values differ by powers of ten. */
export function defaultLearningRate(optimizer: OptimizerName, settings: Settings): number {
  if (optimizer === "adam" || optimizer === "adamw") return settings.learningRate;
  return optimizer === "sgd" ? 0.1 : 0.02;
}

/** The share of the learning rate that the last epoch of a cosine schedule keeps. */
const lastShare = 0.02;

/** The learning rate of each epoch; cosine: half a wave from the full rate down (Loshchilov & Hutter 2016). */
export function scheduleOf(name: ScheduleName, rate: number, epochs: number): ((epoch: number) => number) | undefined {
  if (name === "constant" || epochs === 1) return undefined;
  return (epoch) => rate * (lastShare + ((1 - lastShare) * (1 + Math.cos((Math.PI * (epoch - 1)) / (epochs - 1)))) / 2);
}
