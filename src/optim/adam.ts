// Adam, and AdamW with decoupled weight decay.

import * as updates from "../ops/updates.ts";
import { live } from "../tensor/trace.ts";
import {
  checkSettings,
  makeOptimizer,
  type Optimizer,
  type OptimizerSettings,
  type ParameterGroup,
  type Parameters,
  remembered,
  rule,
} from "./optimizer.ts";

export interface AdamOptions {
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Memory of the mean gradient. Default 0.9. */
  readonly beta1?: number;
  /** Memory of the mean squared gradient. Default 0.999. */
  readonly beta2?: number;
  /** Keeps the division finite. Default 1e-8. */
  readonly epsilon?: number;
  /** adam: added to the gradient as weightDecay · w, default 0. adamW: shrinks the weight by rate · weightDecay, default 0.01. */
  readonly weightDecay?: number;
}

/**
 * m ← β₁m + (1 − β₁)g, s ← β₂s + (1 − β₂)g², w ← w − rate · m̂ / (√ŝ + ε) with m̂ = m / (1 − β₁ᵗ), ŝ = s / (1 − β₂ᵗ). Kingma & Ba 2014.
 * @throws InputError when an option is out of range
 */
export function adam(parameters: Parameters | readonly ParameterGroup<AdamOptions>[], options: AdamOptions = {}): Optimizer {
  return adamLike("adam", parameters, options, 0);
}

/**
 * Adam that shrinks weights apart from the gradient: w ← w · (1 − rate · weightDecay) before Adam's step. Loshchilov & Hutter 2017.
 * @throws InputError when an option is out of range
 */
export function adamW(parameters: Parameters | readonly ParameterGroup<AdamOptions>[], options: AdamOptions = {}): Optimizer {
  return adamLike("adamW", parameters, options, 0.01);
}

function adamLike(
  kind: "adam" | "adamW",
  parameters: Parameters | readonly ParameterGroup<AdamOptions>[],
  options: AdamOptions,
  weightDecay: number,
): Optimizer {
  return makeOptimizer<AdamOptions>({
    kind,
    parameters,
    defaults: { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay },
    options,
    remembered: ["firstMoment", "secondMoment"],
    check: (settings) => checkSettings(kind, settings, ["beta1", "beta2"], ["epsilon", "weightDecay"]),
    update(slot, gradient, settings, learningRate) {
      const { beta1, beta2, epsilon, weightDecay } = settings as Required<AdamOptions> & OptimizerSettings;
      const [decay, shrink] = kind === "adam" ? [weightDecay, 0] : [0, weightDecay];
      const weight = slot.parameter;
      const rate = live(learningRate);
      const correction1 = live(() => 1 - beta1 ** (slot.steps + 1));
      const correction2 = live(() => 1 - beta2 ** (slot.steps + 1));
      const [first, second] = [remembered(slot, "firstMoment"), remembered(slot, "secondMoment")];
      first.assign(rule(updates.adamFirst, [first, gradient, weight], { beta1, fresh1: 1 - beta1, decay }));
      second.assign(rule(updates.adamSecond, [second, gradient, weight], { beta2, fresh2: 1 - beta2, decay }));
      weight.assign(rule(updates.adamStep, [weight, first, second], { rate, shrink, correction1, correction2, epsilon }));
    },
  });
}
