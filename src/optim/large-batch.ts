// LARS and LAMB: optimizers for large batches, whose step size follows the norm of each layer's weights.

import * as updates from "../ops/updates.ts";
import { where } from "../tensor/functions/index.ts";
import type { Tensor } from "../tensor/types.ts";
import { type AdamOptions, moments } from "./adam.ts";
import { declareOptimizer, type MakeOptimizer, rule } from "./optimizer.ts";

/** Settings of LARS. */
export interface LarsOptions {
  /** Default 0.1. */
  readonly learningRate?: number;
  /** Share of the velocity that stays from step to step. Default 0.9. */
  readonly momentum?: number;
  /** Adds this times the weight to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** How large a step may be beside the weights. Default 0.001. */
  readonly trust?: number;
}

/**
 * λ = trust · ‖w‖ / (‖g‖ + weightDecay · ‖w‖), 1 where either norm is 0; v ← momentum · v + rate · λ · (g + weightDecay
 * · w), w ← w − v. Norms are of each whole parameter. You, Gitman & Ginsburg 2017.
 * @throws InputError when an option is out of range
 * @function
 */
export const lars: MakeOptimizer<LarsOptions> = declareOptimizer({
  kind: "lars",
  defaults: { learningRate: 0.1, momentum: 0.9, weightDecay: 0, trust: 0.001 },
  shares: ["momentum"],
  notNegative: ["weightDecay", "trust"],
  remembered: ["velocity"],
  update({ weight, gradient, rate, state, settings: { momentum, weightDecay: decay, trust } }) {
    const [weightNorm, gradientNorm] = [norm(weight), norm(gradient)];
    const ratio = ratioOf(weightNorm.mul(trust), gradientNorm.add(weightNorm.mul(decay)), weightNorm.mul(gradientNorm));
    const velocity = state("velocity");
    velocity.assign(rule(updates.larsVelocity, [velocity, ratio, gradient, weight], { momentum, rate, decay }));
    weight.assign(weight.sub(velocity));
  },
});

/**
 * Adam's direction r = m̂ / (√ŝ + ε) + weightDecay · w, scaled to the weights: w ← w − rate · ‖w‖ / ‖r‖ · r; the ratio
 * is 1 where either norm is 0. Norms are of each whole parameter. You et al. 2020.
 * @throws InputError when an option is out of range
 * @function
 */
export const lamb: MakeOptimizer<AdamOptions> = declareOptimizer({
  kind: "lamb",
  defaults: { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-6, weightDecay: 0 },
  shares: ["beta1", "beta2"],
  notNegative: ["epsilon", "weightDecay"],
  remembered: ["firstMoment", "secondMoment"],
  update(context) {
    const { weight, rate, at } = context;
    const { beta1, beta2, epsilon, weightDecay: shrink } = context.settings;
    const { first, second } = moments(context, 0);
    const correction1 = at((steps) => 1 - beta1 ** steps);
    const correction2 = at((steps) => 1 - beta2 ** steps);
    const direction = rule(updates.lambDirection, [first, second, weight], { correction1, correction2, epsilon, shrink });
    const [weightNorm, directionNorm] = [norm(weight), norm(direction)];
    const ratio = ratioOf(weightNorm, directionNorm, weightNorm.mul(directionNorm));
    weight.assign(rule(updates.scaledStep, [weight, ratio, direction], { rate }));
  },
});

/** √Σx² of a whole tensor. */
export function norm(x: Tensor): Tensor {
  return x.norm();
}

/** a / b, and 1 where the condition is 0. */
function ratioOf(a: Tensor, b: Tensor, condition: Tensor): Tensor {
  const holds = condition.greater(0);
  return where(holds, a.div(where(holds, b, 1)), 1);
}
