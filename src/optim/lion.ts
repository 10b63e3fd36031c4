// Lion: steps by the sign of the momentum.

import * as updates from "../ops/updates.ts";
import { declareOptimizer, type MakeOptimizer, rule } from "./optimizer.ts";

/** Settings of Lion. */
export interface LionOptions {
  /** Default 0.0001: a tenth to a third of what Adam would take. */
  readonly learningRate?: number;
  /** Share of the momentum in the direction of a step. Default 0.9. */
  readonly beta1?: number;
  /** Memory of the momentum. Default 0.99. */
  readonly beta2?: number;
  /** Shrinks the weight by rate · weightDecay. Default 0. */
  readonly weightDecay?: number;
}

/**
 * w ← w · (1 − rate · weightDecay) − rate · sign(β₁m + (1 − β₁)g), m ← β₂m + (1 − β₂)g. Chen et al. 2023.
 * @throws InputError when an option is out of range
 * @function
 */
export const lion: MakeOptimizer<LionOptions> = declareOptimizer({
  kind: "lion",
  defaults: { learningRate: 1e-4, beta1: 0.9, beta2: 0.99, weightDecay: 0 },
  shares: ["beta1", "beta2"],
  notNegative: ["weightDecay"],
  remembered: ["firstMoment"],
  update({ weight, gradient, rate, state, settings: { beta1, beta2, weightDecay: shrink } }) {
    const first = state("firstMoment");
    const moved = rule(updates.lionStep, [weight, first, gradient], { rate, shrink, beta1, fresh1: 1 - beta1 });
    first.assign(rule(updates.adamFirst, [first, gradient, weight], { beta1: beta2, fresh1: 1 - beta2, decay: 0 }));
    weight.assign(moved);
  },
});
