// What config.json of a run holds, and reading it back.

import type { StandardizerState } from "../data/index.ts";
import { FileError } from "../util/errors.ts";
import type { Architecture } from "./models.ts";
import type { SourceSpec } from "./sources.ts";

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

/** @throws FileError when it is not the configuration of a run */
export function readConfig(value: unknown, where: string): RunConfig {
  const config = (typeof value === "object" && value !== null ? value : {}) as Partial<RunConfig>;
  const complete =
    config.format === "kasane run 1" &&
    [config.data, config.architecture, config.samples].every((part) => typeof part === "object" && part !== null) &&
    [config.learningRate, config.batchSize, config.epochs, config.seed].every((part) => typeof part === "number");
  if (!complete)
    throw new FileError(`${where}: expected the config.json of a run of this version of kasane, it is another file or was edited`, {
      hint: "train anew",
    });
  return config as RunConfig;
}
