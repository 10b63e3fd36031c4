// Finds the best epoch by one number, keeps its weights, and decides when to stop early.

import { isBetter } from "../util/rank.ts";
import type { Metric } from "./metrics.ts";
import type { BestEpoch, EarlyStopping, EpochReport, Model, Tensors, TrainingState } from "./types.ts";

export class BestKeeper {
  best: BestEpoch | undefined;
  bestModel: Tensors | undefined;
  readonly #monitor: string;
  readonly #better: Metric["better"];
  readonly #early: EarlyStopping | undefined;
  readonly #part: "validation" | "train";

  constructor(early: EarlyStopping | undefined, metrics: readonly Metric[], hasValidation: boolean, resume: TrainingState | undefined) {
    this.#early = early;
    this.#monitor = early?.monitor ?? "loss";
    this.#better = metrics.find(({ name }) => name === this.#monitor)?.better ?? "smaller";
    this.#part = hasValidation ? "validation" : "train";
    this.best = resume?.best;
    this.bestModel = resume?.bestModel;
  }

  consider(report: EpochReport, model: Model): void {
    const scores: Readonly<Record<string, number>> = report[this.#part] ?? report.train;
    const value = scores[this.#monitor]!;
    const margin = this.#early?.minimumChange ?? 0;
    // NaN is the best of nothing: its weights are not put back.
    if (!isBetter(value, this.best?.value ?? Number.NaN, this.#better, margin)) return;
    this.best = { epoch: report.epoch, monitor: `${this.#part} ${this.#monitor}`, value };
    if (this.#early !== undefined && this.#early.restoreBest !== false) this.bestModel = model.stateDict();
  }

  /** Whether so many epochs went by without improvement that training should stop. */
  exhausted(epochs: number): boolean {
    return this.#early !== undefined && epochs - (this.best?.epoch ?? 0) >= this.#early.patience;
  }
}
