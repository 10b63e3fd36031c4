// Running sums of the loss and every metric over the batches of one epoch.

import type { HostArray, Tensor } from "../tensor/index.ts";
import { InputError } from "../util/errors.ts";
import { LossSum } from "./loss.ts";
import type { Metric } from "./metrics.ts";
import type { Scores } from "./types.ts";

export class Scoreboard<Name extends string = string> {
  readonly #metrics: readonly Metric[];
  readonly #loss: LossSum;
  readonly #sums: readonly Float64Array[];

  /** @param state what `state()` gave, to continue from */
  constructor(metrics: readonly Metric[], [loss = [], ...state]: readonly (readonly number[])[] = []) {
    const names = ["loss", ...metrics.map((metric) => metric.name)];
    const twice = names.find((name, n) => names.indexOf(name) !== n);
    if (twice !== undefined) throw new InputError(`metrics: two of them are named "${twice}"`);
    this.#metrics = metrics;
    const isOther = state.length !== metrics.length || state.some((sums, n) => sums.length !== metrics[n]?.sums);
    if (loss.length > 0 && (isOther || !LossSum.fits(loss)))
      throw new InputError(`resume: the saved state has other metrics than ${names.join(", ")}`, {
        hint: "give the same metrics in the same order",
      });
    this.#loss = new LossSum(loss);
    this.#sums = metrics.map(({ sums }, n) => Float64Array.from({ length: sums }, (_, place) => state[n]?.[place] ?? 0));
  }

  /** @param loss of the batch, with its account where it has one */
  add(loss: { readonly loss: number; readonly account?: HostArray | undefined }, prediction: Tensor, target: Tensor): void {
    this.#loss.add(loss.loss, target.shape[0] ?? 1, loss.account);
    this.#metrics.forEach((metric, n) => metric.add(this.#sums[n]!, prediction, target));
  }

  /** Of all samples so far. */
  get loss(): number {
    return this.#loss.value;
  }

  scores(): Scores<Name> {
    const entries = this.#metrics.map((metric, n): [string, number] => [metric.name, metric.value(this.#sums[n]!)]);
    return Object.fromEntries([["loss", this.loss], ...entries]) as Scores<Name>;
  }

  state(): number[][] {
    return [this.#loss.state(), ...this.#sums.map((sums) => [...sums])];
  }
}
