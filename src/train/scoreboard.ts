// Running sums of the loss and every metric over the batches of one epoch.

import type { Tensor } from "../tensor/index.ts";
import { InputError } from "../util/errors.ts";
import type { Metric } from "./metrics.ts";
import type { Scores } from "./types.ts";

export class Scoreboard<Name extends string = string> {
  readonly #metrics: readonly Metric[];
  /** First the loss times samples and the samples, then the sums of each metric. */
  readonly #sums: readonly Float64Array[];

  /** @param state what `state()` gave, to go on with */
  constructor(metrics: readonly Metric[], state?: readonly (readonly number[])[]) {
    const names = ["loss", ...metrics.map((metric) => metric.name)];
    const twice = names.find((name, n) => names.indexOf(name) !== n);
    if (twice !== undefined) throw new InputError(`metrics: two of them are named "${twice}"`);
    this.#metrics = metrics;
    const lengths = [2, ...metrics.map((metric) => metric.sums)];
    if (state !== undefined && state.length > 0 && (state.length !== lengths.length || state.some((sums, n) => sums.length !== lengths[n])))
      throw new InputError(`resume: the saved state has other metrics than ${names.join(", ")}`, {
        hint: "give the same metrics in the same order",
      });
    this.#sums = lengths.map((length, n) => Float64Array.from({ length }, (_, place) => state?.[n]?.[place] ?? 0));
  }

  /** @param loss the mean over the batch */
  add(loss: number, prediction: Tensor, target: Tensor): void {
    const samples = target.shape[0] ?? 1;
    const [total] = this.#sums as [Float64Array];
    total[0]! += loss * samples;
    total[1]! += samples;
    this.#metrics.forEach((metric, n) => metric.add(this.#sums[n + 1] as Float64Array, prediction, target));
  }

  /** Mean loss per sample so far. */
  get loss(): number {
    const [total] = this.#sums as [Float64Array];
    return total[0]! / total[1]!;
  }

  scores(): Scores<Name> {
    const entries = this.#metrics.map((metric, n): [string, number] => [metric.name, metric.value(this.#sums[n + 1] as Float64Array)]);
    return Object.fromEntries([["loss", this.loss], ...entries]) as Scores<Name>;
  }

  state(): number[][] {
    return this.#sums.map((sums) => [...sums]);
  }
}
