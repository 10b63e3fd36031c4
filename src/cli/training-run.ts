// A run that is about to train, and the options that `kasane train` takes.

import type { TrainingState } from "../train/index.ts";
import type { RunFolder } from "../train/node.ts";
import type { RunConfig } from "./config.ts";
import type { ActivationName, ModelName } from "./models.ts";
import type { Source } from "./sources.ts";

export interface TrainOptions {
  readonly csv?: string;
  readonly target?: string;
  readonly columns?: readonly string[];
  readonly separator?: string;
  readonly mnist?: string;
  readonly data?: string;
  readonly model?: ModelName;
  readonly hidden?: readonly number[];
  readonly activation?: ActivationName;
  readonly dropout?: number;
  readonly epochs?: number;
  readonly batch?: number;
  readonly lr?: number;
  /** Names with their settings: "adamW:weightDecay=0.1". */
  readonly optimizer?: string;
  readonly schedule?: string;
  readonly loss?: string;
  readonly metric?: readonly string[];
  readonly patience?: number;
  readonly seed?: number;
  readonly samples?: number;
  readonly out?: string;
  /** A folder, or true for the one --out names. */
  readonly resume?: string | true;
  readonly force?: boolean;
  /** Tells the layers' gradients and what looks wrong after every epoch. */
  readonly watch?: boolean;
}

/** A run that is about to train. */
export interface Run {
  readonly folder: RunFolder;
  /** The folder as the user would write it. */
  readonly name: string;
  readonly config: RunConfig;
  readonly source: Source;
  readonly state?: TrainingState;
}
