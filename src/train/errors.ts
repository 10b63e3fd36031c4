// The error of a training whose loss or gradient is not finite.

import type { Optimizer } from "../optim/index.ts";
import type { ErrorDetails } from "../util/errors.ts";
import { KasaneError } from "../util/errors.ts";
import type { Model } from "./types.ts";

/** Where in a training something happened. */
export interface TrainingPlace {
  /** From 1. */
  readonly epoch: number;
  /** From 1, within the epoch. */
  readonly batch: number;
  readonly learningRate: number;
}

/** A step that failed, to look into: its numbers are those of the failure. */
export interface FailedStep {
  readonly model: Model;
  readonly optimizer: Optimizer;
  /**
   * Runs its forward and backward pass again, op by op, on the same batch with the same random numbers; moves no
   * weight.
   */
  readonly run: () => unknown;
}

/** Training cannot continue; the model holds the weights from before the step that failed. */
export class TrainingError extends KasaneError {
  static override readonly name: string = "TrainingError";
  readonly place: TrainingPlace | undefined;
  /** The step that failed; whereNotFinite() of kasane/inspect finds the op in it where the number was born. */
  declare readonly step: FailedStep | undefined;
  readonly #value: number | string;
  readonly #what: string;

  constructor(
    value: number | string,
    place: TrainingPlace | ErrorDetails,
    { what = "loss", step, reason }: { readonly what?: string; readonly step?: FailedStep; readonly reason?: string } = {},
  ) {
    const isPlace = "epoch" in place;
    super(isPlace ? messageOf(value, place, what, reason) : String(value), isPlace ? { hint: hintFor(place) } : place);
    this.place = isPlace ? place : undefined;
    [this.#value, this.#what] = [value, what];
    // Printed errors show what belongs to them; the step is a batch and a model.
    Object.defineProperty(this, "step", { value: step, enumerable: false });
  }

  /** The same error, saying also why. */
  because(reason: string): TrainingError {
    if (this.place === undefined) return this;
    const { step } = this;
    const made = new TrainingError(this.#value, this.place, { what: this.#what, reason, step });
    const frames = this.stack?.split("\n").filter((line) => /^\s+at /.test(line)) ?? [];
    made.stack = [`${made.name}: ${made.message}`, ...frames].join("\n");
    return made;
  }
}

function messageOf(value: number | string, { epoch, batch }: TrainingPlace, what: string, reason: string | undefined): string {
  const head = `training stopped: expected a finite ${what}, got ${value} in epoch ${epoch}, batch ${batch}`;
  return reason === undefined ? head : `${head}\n${reason}`;
}

function hintFor({ epoch, batch, learningRate }: TrainingPlace): string {
  return epoch === 1 && batch === 1
    ? "check the data for extreme values and the model's first layers; scale the inputs to about −1…1"
    : `a smaller learning rate (now ${learningRate}; a tenth of it is a good next try), inputs scaled to about −1…1, or clipped gradients`;
}
