// Default training settings for each data set.

import type { ModelName } from "./models.ts";
import type { SourceSpec } from "./sources.ts";

export interface Settings {
  readonly model: ModelName;
  readonly hidden: readonly number[];
  readonly epochs: number;
  readonly batch: number;
  readonly optimizer: string;
  /** Of Adam; others have their own in optimizers.ts. */
  readonly learningRate: number;
  readonly schedule: string;
}

const IMAGES: Settings = {
  model: "cnn",
  hidden: [128],
  epochs: 8,
  batch: 32,
  optimizer: "adam",
  learningRate: 0.001,
  schedule: "cosineDecay",
};
const POINTS: Settings = {
  model: "mlp",
  hidden: [32, 32],
  epochs: 60,
  batch: 32,
  optimizer: "adam",
  learningRate: 0.01,
  schedule: "constant",
};

export const defaults: Readonly<Record<SourceSpec["kind"], Settings>> = {
  digits: IMAGES,
  mnist: IMAGES,
  moons: POINTS,
  spirals: { ...POINTS, hidden: [64, 64], epochs: 100 },
  xor: { ...POINTS, hidden: [16], epochs: 40 },
  // Four measurements, eight hidden units, two kinds: the textbook's network.
  wine: { ...POINTS, hidden: [8], epochs: 40 },
  csv: { ...POINTS, epochs: 50 },
};
