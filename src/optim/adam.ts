// Adam and its relatives: AdamW, AMSGrad, Adamax, NAdam, RAdam.

import * as updates from "../ops/updates.ts";
import type { LiveNumber } from "../tensor/trace/traced-graph.ts";
import type { Tensor } from "../tensor/types.ts";
import { declareOptimizer, type MakeOptimizer, rule, type UpdateContext } from "./optimizer.ts";

/** Settings of Adam and its relatives. */
export interface AdamOptions {
  /** Default 0.001 (Adamax and NAdam: 0.002). */
  readonly learningRate?: number;
  /** Memory of the mean gradient. Default 0.9. */
  readonly beta1?: number;
  /** Memory of the mean squared gradient. Default 0.999. */
  readonly beta2?: number;
  /** Keeps the division finite. Default 1e-8. */
  readonly epsilon?: number;
  /**
   * adamW: shrinks the weight by rate · weightDecay, default 0.01. The others: added to the gradient as weightDecay ·
   * w, default 0.
   */
  readonly weightDecay?: number;
}

const SHARES = ["beta1", "beta2"] as const;
const NOT_NEGATIVE = ["epsilon", "weightDecay"] as const;
const DEFAULTS = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
const REMEMBERED = ["firstMoment", "secondMoment"];

/**
 * m ← β₁m + (1 − β₁)g, s ← β₂s + (1 − β₂)g², w ← w − rate · m̂ / (√ŝ + ε) with m̂ = m / (1 − β₁ᵗ), ŝ = s / (1 − β₂ᵗ).
 * Kingma & Ba 2014.
 * @throws InputError when an option is out of range
 * @function
 */
export const adam: MakeOptimizer<AdamOptions> = declareOptimizer({
  ...{ kind: "adam", defaults: DEFAULTS, shares: SHARES, notNegative: NOT_NEGATIVE, remembered: REMEMBERED, momentum: "beta1" },
  update: (context) => adamStep(context, moments(context, context.settings.weightDecay), 0),
});

/**
 * Adam that shrinks weights apart from the gradient: w ← w · (1 − rate · weightDecay) before Adam's step. Loshchilov &
 * Hutter 2017.
 * @throws InputError when an option is out of range
 * @function
 */
export const adamW: MakeOptimizer<AdamOptions> = declareOptimizer({
  ...{
    kind: "adamW",
    defaults: { ...DEFAULTS, weightDecay: 0.01 },
    shares: SHARES,
    notNegative: NOT_NEGATIVE,
    remembered: REMEMBERED,
    momentum: "beta1",
  },
  update: (context) => adamStep(context, moments(context, 0), context.settings.weightDecay),
});

/**
 * Adam that divides by the largest mean square so far, so that its steps never grow again. Reddi et al. 2018.
 * @throws InputError when an option is out of range
 * @function
 */
export const amsGrad: MakeOptimizer<AdamOptions> = declareOptimizer({
  ...{
    kind: "amsGrad",
    defaults: DEFAULTS,
    shares: SHARES,
    notNegative: NOT_NEGATIVE,
    remembered: [...REMEMBERED, "largestSecondMoment"],
    momentum: "beta1",
  },
  update(context) {
    const { first, second } = moments(context, context.settings.weightDecay);
    const largest = context.state("largestSecondMoment");
    largest.assign(largest.maximum(second));
    adamStep(context, { first, second: largest }, 0);
  },
});

/**
 * m as Adam, u ← max(β₂u, |g| + ε), w ← w − rate / (1 − β₁ᵗ) · m / u. Kingma & Ba 2014, section 7.
 * @throws InputError when an option is out of range
 * @function
 */
export const adamax: MakeOptimizer<AdamOptions> = declareOptimizer({
  ...{
    kind: "adamax",
    defaults: { ...DEFAULTS, learningRate: 2e-3 },
    shares: SHARES,
    notNegative: NOT_NEGATIVE,
    remembered: ["firstMoment", "largestGradient"],
  },
  update({ weight, gradient, rate, state, at, settings: { beta1, beta2, epsilon, weightDecay: decay } }) {
    const [first, largest] = [state("firstMoment"), state("largestGradient")];
    first.assign(rule(updates.adamFirst, [first, gradient, weight], { beta1, fresh1: 1 - beta1, decay }));
    largest.assign(rule(updates.adamaxNorm, [largest, gradient, weight], { beta2, decay, epsilon }));
    const correction1 = at((steps) => 1 - beta1 ** steps);
    weight.assign(rule(updates.adamaxStep, [weight, first, largest], { rate, correction1 }));
  },
});

/** Settings of NAdam. */
export interface NAdamOptions extends AdamOptions {
  /** How fast the momentum grows to β₁. Default 0.004. */
  readonly momentumDecay?: number;
}

/**
 * Adam with Nesterov's look ahead: w ← w − rate · ((1 − μₜ)g / (1 − Πμ) + μₜ₊₁m / (1 − μₜ₊₁Πμ)) / (√ŝ + ε) with μₜ =
 * β₁(1 − ½ · 0.96^(t·ψ)). Dozat 2016, as PyTorch defines it.
 * @throws InputError when an option is out of range
 * @function
 */
export const nAdam: MakeOptimizer<NAdamOptions> = declareOptimizer({
  kind: "nAdam",
  defaults: { ...DEFAULTS, learningRate: 2e-3, momentumDecay: 4e-3 },
  shares: SHARES,
  notNegative: [...NOT_NEGATIVE, "momentumDecay"],
  remembered: REMEMBERED,
  update(context) {
    const { weight, gradient, at } = context;
    const { beta1, beta2, epsilon, weightDecay: decay, momentumDecay } = context.settings;
    const { first, second } = moments(context, decay);
    const momentum = (step: number): number => beta1 * (1 - 0.5 * 0.96 ** (step * momentumDecay));
    const product = (steps: number): number => productOf(momentum, `${beta1} ${momentumDecay}`, steps);
    const now = at((steps, rate) => (rate * (1 - momentum(steps))) / (1 - product(steps)));
    const next = at((steps, rate) => (rate * momentum(steps + 1)) / (1 - product(steps + 1)));
    const correction2 = at((steps) => 1 - beta2 ** steps);
    weight.assign(rule(updates.nAdamStep, [weight, gradient, first, second], { now, next, decay, correction2, epsilon }));
  },
});

/**
 * Adam whose denominator enters only once its variance is known: ρₜ = ρ∞ − 2tβ₂ᵗ / (1 − β₂ᵗ) with ρ∞ = 2 / (1 − β₂) −
 * 1; up to ρₜ = 5 a step of momentum, then Adam's times √((ρₜ − 4)(ρₜ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρₜ)). Liu et al. 2020.
 * @throws InputError when an option is out of range
 * @function
 */
export const rAdam: MakeOptimizer<AdamOptions> = declareOptimizer({
  ...{ kind: "rAdam", defaults: DEFAULTS, shares: SHARES, notNegative: NOT_NEGATIVE, remembered: REMEMBERED },
  update(context) {
    const { weight, at } = context;
    const { beta1, beta2, epsilon, weightDecay } = context.settings;
    const { first, second } = moments(context, weightDecay);
    const limit = 2 / (1 - beta2) - 1;
    const length = (steps: number): number => limit - (2 * steps * beta2 ** steps) / (1 - beta2 ** steps);
    const rectified = at((steps, rate) => {
      const now = length(steps);
      if (now <= 5) return 0;
      const variance = ((now - 4) * (now - 2) * limit) / ((limit - 4) * (limit - 2) * now);
      return (rate * Math.sqrt(variance * (1 - beta2 ** steps))) / (1 - beta1 ** steps);
    });
    const plain = at((steps, rate) => (length(steps) > 5 ? 0 : rate / (1 - beta1 ** steps)));
    weight.assign(rule(updates.rAdamStep, [weight, first, second], { rectified, plain, epsilon }));
  },
});

interface Moments {
  readonly first: Tensor;
  readonly second: Tensor;
}

/** Moves both moments on. */
export function moments(context: UpdateContext<AdamOptions>, decay: number): Moments {
  const { weight, gradient, state, settings } = context;
  const { beta2 } = settings;
  const [first, second] = [state("firstMoment"), state("secondMoment")];
  first.assign(rule(updates.adamFirst, [first, gradient, weight], { ...firstShares(context), decay }));
  second.assign(rule(updates.adamSecond, [second, gradient, weight], { beta2, fresh2: 1 - beta2, decay }));
  return { first, second };
}

/** β₁ and 1 − β₁, constants unless β₁ is scheduled. */
function firstShares({ momentum, at, settings }: UpdateContext<AdamOptions>): { beta1: number | LiveNumber; fresh1: number | LiveNumber } {
  if (typeof momentum === "number") return { beta1: settings.beta1, fresh1: 1 - settings.beta1 };
  return { beta1: momentum, fresh1: at((_steps, _rate, beta1) => 1 - beta1) };
}

function adamStep({ weight, rate, at, settings }: UpdateContext<AdamOptions>, { first, second }: Moments, shrink: number): void {
  const { beta2, epsilon } = settings;
  const correction1 = at((steps, _rate, beta1) => 1 - beta1 ** steps);
  const correction2 = at((steps) => 1 - beta2 ** steps);
  weight.assign(rule(updates.adamStep, [weight, first, second], { rate, shrink, correction1, correction2, epsilon }));
}

/**
 * Products of NAdam's momenta over the steps so far, by its settings: every step asks for the next one. They end where
 * they are 0 to every digit.
 */
const products = new Map<string, number[]>();

function productOf(momentum: (step: number) => number, settings: string, count: number): number {
  const known = products.get(settings) ?? [1];
  products.set(settings, known);
  while (known.length <= count && known.at(-1)! > 0) known.push(known.at(-1)! * momentum(known.length));
  return known[count] ?? 0;
}
