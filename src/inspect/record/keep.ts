// Chooses which training steps are recorded, and which few of them are kept with all their numbers.

import { isNumber } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { textOf } from "../../util/kind-of.ts";
import { bytesOf, type Recording } from "./recording.ts";

/** Which steps, counted from 0: every so many, those of a list, or those that a function picks. */
export type StepSelector = number | readonly number[] | ((step: number) => boolean);

/** Which steps are recorded with every number, and how many of these recordings stay. */
export interface KeepOptions {
  readonly steps: StepSelector;
  /** How many recordings are kept; of more the oldest go. Default 4. */
  readonly most?: number;
  /** Bytes of memory for the recordings together; of more the oldest go, but never the newest. Default 1 GiB. */
  readonly bytes?: number;
}

/** A step with every number. */
export interface KeptStep {
  readonly step: number;
  /** As `record` makes it: for `explainElement`, `RunCursor`, `replay`, `graphOf`. */
  readonly recording: Recording;
  /** The memory its numbers take: parameters before and after, every activation, every gradient. */
  readonly bytes: number;
}

export function picks(which: StepSelector, step: number): boolean {
  if (typeof which === "number") return step % which === 0;
  return typeof which === "function" ? which(step) : which.includes(step);
}

/** Keeps recordings within limits. */
export class Keeper {
  readonly #options: KeepOptions | undefined;
  readonly #recordings: KeptStep[] = [];

  /** @throws InputError for limits that leave nothing */
  constructor(options: KeepOptions | undefined) {
    for (const name of ["most", "bytes"] as const) {
      const limit = options?.[name];
      if (limit !== undefined && !(isNumber(limit) && limit > 0))
        throw new InputError(`Recorder: keep.${name} must be above 0, got ${textOf(limit)}`);
    }
    this.#options = options;
  }

  get recordings(): readonly KeptStep[] {
    return this.#recordings;
  }

  wants(step: number): boolean {
    return this.#options !== undefined && picks(this.#options.steps, step);
  }

  /** @returns what the step gave */
  add<Result>(step: number, recording: Recording<Result>): Result {
    const { most = 4, bytes = 2 ** 30 } = this.#options ?? {};
    const kept = this.#recordings;
    kept.push({ step, recording, bytes: bytesOf(recording) });
    const taken = (): number => kept.reduce((total, one) => total + one.bytes, 0);
    while (kept.length > 1 && (kept.length > most || taken() > bytes)) kept.shift();
    return recording.result;
  }

  clear(): void {
    this.#recordings.length = 0;
  }
}
