// Penalties on large weights, added to a loss: L1, L2 and elastic net.

import { listOfTensors } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/types.ts";
import { InputError } from "../../util/errors.ts";
import type { LayerMembers } from "../layer.ts";

/** A layer: its weights with two dimensions or more, so no biases and norms; or tensors. */
export type Penalized = Pick<LayerMembers, "parameters"> | Iterable<Tensor>;

/** @deprecated Use Penalized. */
export type Penalised = Penalized;

/**
 * strength · Σ|w|: drives weights to 0. Tibshirani 1996.
 * @throws InputError when the strength is negative or there are no weights
 */
export function l1(of: Penalized, strength: number): Tensor {
  return penalty("l1", of, strength, (w) => w.abs().sum());
}

/**
 * strength · Σw², whose gradient is 2 · strength · w: PyTorch's weight_decay of SGD is twice the strength. Hoerl &
 * Kennard 1970.
 * @throws InputError when the strength is negative or there are no weights
 */
export function l2(of: Penalized, strength: number): Tensor {
  return penalty("l2", of, strength, (w) => w.square().sum());
}

/**
 * strength · Σ(share · |w| + (1 − share) · w²). Zou & Hastie 2005.
 * @throws InputError when the strength is negative, the share not in [0, 1], or there are no weights
 */
export function elasticNet(of: Penalized, strength: number, share = 0.5): Tensor {
  if (!(share >= 0 && share <= 1)) throw new InputError(`elasticNet: share must be in [0, 1], got ${share}`);
  return penalty("elasticNet", of, strength, (w) =>
    w
      .abs()
      .mul(share)
      .add(w.square().mul(1 - share))
      .sum(),
  );
}

function penalty(name: string, of: Penalized, strength: number, measure: (weight: Tensor) => Tensor): Tensor {
  if (!(strength >= 0)) throw new InputError(`${name}: the strength must not be negative, got ${strength}`);
  const weights = weightsOf(name, of);
  if (weights.length === 0) throw new InputError(`${name}: expected at least one weight, got none`);
  return weights
    .map(measure)
    .reduce((a, b) => a.add(b))
    .mul(strength);
}

function weightsOf(name: string, of: Penalized): readonly Tensor[] {
  const given = Object(of) as Partial<Pick<LayerMembers, "parameters">>;
  if (typeof given.parameters === "function") return given.parameters().filter(({ rank }) => rank >= 2);
  return listOfTensors(name, of, "a layer or a list of weights", `${name}(net, 1e-4)`);
}
