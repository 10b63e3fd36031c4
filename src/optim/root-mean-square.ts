// Optimizers that divide the gradient by the root of its squares: RMSprop, AdaGrad, AdaDelta.

import * as updates from "../ops/updates.ts";
import { declareOptimizer, type MakeOptimizer, rule } from "./optimizer.ts";

/** Settings of RMSprop. */
export interface RmsPropOptions {
  /** Default 0.01. */
  readonly learningRate?: number;
  /** Memory of the mean squared gradient. Default 0.99. */
  readonly alpha?: number;
  /** Keeps the division finite. Default 1e-8. */
  readonly epsilon?: number;
  /** Adds this times the weight to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** Share of the velocity that stays from step to step. Default 0. */
  readonly momentum?: number;
  /** Divides by the deviation of the gradient in place of its root mean square. Default false. */
  readonly centered?: boolean;
}

/**
 * s ← αs + (1 − α)g², w ← w − rate · g / (√s + ε); centered: √v with the variance v of the gradient about its running
 * mean; with momentum along a velocity. Hinton 2012, Graves 2013, as PyTorch defines it.
 * @throws InputError when an option is out of range
 * @function
 */
export const rmsProp: MakeOptimizer<RmsPropOptions> = declareOptimizer({
  kind: "rmsProp",
  defaults: { learningRate: 0.01, alpha: 0.99, epsilon: 1e-8, weightDecay: 0, momentum: 0, centered: false },
  shares: ["alpha", "momentum"],
  notNegative: ["epsilon", "weightDecay"],
  remembered: ["secondMoment", "variance", "firstMoment", "velocity"],
  update({ weight, gradient, rate, state, settings: { alpha, epsilon, weightDecay: decay, momentum, centered } }) {
    const squares = state(centered ? "variance" : "secondMoment");
    if (centered) {
      const first = state("firstMoment");
      squares.assign(rule(updates.rmsVariance, [squares, gradient, weight, first], { alpha, fresh: 1 - alpha, decay }));
      first.assign(rule(updates.adamFirst, [first, gradient, weight], { beta1: alpha, fresh1: 1 - alpha, decay }));
    } else squares.assign(rule(updates.adamSecond, [squares, gradient, weight], { beta2: alpha, fresh2: 1 - alpha, decay }));
    let direction = rule(updates.rmsDirection, [gradient, weight, squares], { decay, epsilon });
    if (momentum > 0) {
      const velocity = state("velocity");
      velocity.assign(rule(updates.sgdVelocity, [velocity, direction, weight], { momentum }));
      direction = velocity;
    }
    weight.assign(rule(updates.sgdMomentum, [weight, direction], { rate }));
  },
});

/** Settings of AdaGrad. */
export interface AdaGradOptions {
  /** Default 0.01. */
  readonly learningRate?: number;
  /** The rate of step t is learningRate / (1 + (t − 1) · learningRateDecay). Default 0. */
  readonly learningRateDecay?: number;
  /** Keeps the division finite. Default 1e-10. */
  readonly epsilon?: number;
  /** Adds this times the weight to the gradient. Default 0. */
  readonly weightDecay?: number;
}

/**
 * s ← s + g², w ← w − rate · g / (√s + ε): weights that seldom have a gradient take larger steps. Duchi et al. 2011.
 * @throws InputError when an option is out of range
 * @function
 */
export const adaGrad: MakeOptimizer<AdaGradOptions> = declareOptimizer({
  kind: "adaGrad",
  defaults: { learningRate: 0.01, learningRateDecay: 0, epsilon: 1e-10, weightDecay: 0 },
  notNegative: ["learningRateDecay", "epsilon", "weightDecay"],
  remembered: ["squaresSum"],
  update({ weight, gradient, state, at, settings: { learningRateDecay, epsilon, weightDecay: decay } }) {
    const squares = state("squaresSum");
    squares.assign(rule(updates.squaresSum, [squares, gradient, weight], { decay }));
    const direction = rule(updates.rmsDirection, [gradient, weight, squares], { decay, epsilon });
    const rate = at((steps, start) => start / (1 + (steps - 1) * learningRateDecay));
    weight.assign(rule(updates.sgdMomentum, [weight, direction], { rate }));
  },
});

/** Settings of AdaDelta. */
export interface AdaDeltaOptions {
  /** Default 1: the rule finds its own size. */
  readonly learningRate?: number;
  /** Memory of the mean squares. Default 0.9. */
  readonly rho?: number;
  /** Added to both mean squares before the root. Default 1e-6. */
  readonly epsilon?: number;
  /** Adds this times the weight to the gradient. Default 0. */
  readonly weightDecay?: number;
}

/**
 * s ← ρs + (1 − ρ)g², d = √(a + ε) / √(s + ε) · g, a ← ρa + (1 − ρ)d², w ← w − rate · d. Zeiler 2012.
 * @throws InputError when an option is out of range
 * @function
 */
export const adaDelta: MakeOptimizer<AdaDeltaOptions> = declareOptimizer({
  kind: "adaDelta",
  defaults: { learningRate: 1, rho: 0.9, epsilon: 1e-6, weightDecay: 0 },
  shares: ["rho"],
  notNegative: ["epsilon", "weightDecay"],
  remembered: ["secondMoment", "squaredSteps"],
  update({ weight, gradient, rate, state, settings: { rho, epsilon, weightDecay: decay } }) {
    const [second, steps] = [state("secondMoment"), state("squaredSteps")];
    second.assign(rule(updates.adamSecond, [second, gradient, weight], { beta2: rho, fresh2: 1 - rho, decay }));
    const direction = rule(updates.adaDeltaDirection, [steps, second, gradient, weight], { decay, epsilon });
    steps.assign(rule(updates.adamSecond, [steps, direction, weight], { beta2: rho, fresh2: 1 - rho, decay: 0 }));
    weight.assign(rule(updates.sgdMomentum, [weight, direction], { rate }));
  },
});
