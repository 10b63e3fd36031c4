// The error of a training whose loss or gradient is no longer a number.

import type { ErrorDetails } from "../util/errors.ts";
import { KasaneError } from "../util/errors.ts";

/** Where in a training something happened. */
export interface TrainingPlace {
  /** From 1. */
  readonly epoch: number;
  /** From 1, within the epoch. */
  readonly batch: number;
  readonly learningRate: number;
}

/** Training cannot go on; the model holds the weights from before the step that failed. */
export class TrainingError extends KasaneError {
  readonly place: TrainingPlace | undefined;

  constructor(value: number | string, place: TrainingPlace | ErrorDetails, what = "loss") {
    if (!("epoch" in place)) {
      super(String(value), place);
      return;
    }
    const { epoch, batch, learningRate } = place;
    super(`training stopped: expected a finite ${what}, got ${value} in epoch ${epoch}, batch ${batch}`, {
      hint:
        epoch === 1 && batch === 1
          ? "check the data for extreme values and the model's first layers; scale the inputs to about −1…1"
          : `a smaller learning rate (now ${learningRate}; a tenth of it is a good next try), inputs scaled to about −1…1, or clipped gradients`,
    });
    this.place = place;
  }
}
