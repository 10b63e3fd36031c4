// Stochastic gradient descent, with optional momentum.

import * as updates from "../ops/updates.ts";
import { InputError } from "../util/errors.ts";
import { declareOptimizer, type Optimizer, type ParametersFor, rule } from "./optimizer.ts";

/** Settings of stochastic gradient descent. */
export interface SgdOptions {
  readonly learningRate: number;
  /** Share of the velocity that stays from step to step. Default 0. */
  readonly momentum?: number;
  /** Share of the gradient that does not enter the velocity. Default 0. */
  readonly dampening?: number;
  /** Looks ahead along the velocity; needs momentum and no dampening. Default false. */
  readonly nesterov?: boolean;
  /** Adds this times the weight to the gradient (L2 regularization). Default 0. */
  readonly weightDecay?: number;
}

/**
 * w ← w − rate · g; with momentum v ← momentum · v + (1 − dampening) · g (v ← g at the first step), w ← w − rate · v.
 * The rules are rows of the catalogue (sgd, sgdDecay, sgdVelocity, sgdMomentum, sgdNesterov), as PyTorch defines them;
 * Sutskever et al. 2013.
 * @throws InputError when an option is out of range
 * @function
 */
export const sgd: <Given>(parameters: Given & ParametersFor<Given, SgdOptions>, options: SgdOptions) => Optimizer =
  declareOptimizer<SgdOptions>({
    kind: "sgd",
    defaults: { learningRate: Number.NaN, momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 },
    shares: ["momentum"],
    notNegative: ["weightDecay"],
    check({ momentum, dampening, nesterov }) {
      if (!(dampening >= 0 && dampening <= 1)) throw new InputError(`sgd: dampening must be in [0, 1], got ${dampening}`);
      if (nesterov && (momentum === 0 || dampening !== 0))
        throw new InputError(`sgd: nesterov needs a momentum and no dampening, got momentum ${momentum} and dampening ${dampening}`);
    },
    remembered: ["velocity"],
    momentum: "momentum",
    update({ weight, gradient, rate, momentum, state, at, settings: { dampening, nesterov, weightDecay: decay } }) {
      if (momentum === 0) {
        const moved =
          decay === 0 ? rule(updates.sgd, [weight, gradient], { rate }) : rule(updates.sgdDecay, [weight, gradient], { rate, decay });
        weight.assign(moved);
        return;
      }
      const velocity = state("velocity");
      const damped = dampening === 0 ? 0 : at((steps) => (steps === 1 ? 0 : dampening));
      velocity.assign(rule(updates.sgdVelocity, [velocity, gradient, weight], { momentum, dampening: damped, decay }));
      weight.assign(
        nesterov
          ? rule(updates.sgdNesterov, [weight, gradient, velocity], { rate, momentum, decay })
          : rule(updates.sgdMomentum, [weight, velocity], { rate }),
      );
    },
  });
