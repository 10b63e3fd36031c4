// Averages of weights over training: exponential moving averages and plain means.

import * as updates from "../ops/updates.ts";
import { updating } from "../tensor/autograd/tape.ts";
import { zeros } from "../tensor/create.ts";
import { live, onEachRun } from "../tensor/trace/trace.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import { shapeText } from "../util/shape-text.ts";
import { rule } from "./optimizer.ts";

/** Averages of a model's weights over its training. */
export interface WeightAverages {
  /** How many updates are in the averages. */
  readonly updates: number;
  /** Takes the present weights in; after every optimizer step, also inside a compiled one. */
  update(): void;
  /** Exchanges weights and averages: the model computes with the averages until the next call. */
  swap(): void;
  /** Copies of the averages by name, and the number of updates, for saving. */
  stateDict(): AveragesState;
  /**
   * Continues from a saved state.
   * @throws InputError or ShapeError when it belongs to other weights; nothing is changed then
   */
  loadStateDict(state: AveragesState): void;
}

/** Averages of weights with their count, for a checkpoint. */
export interface AveragesState {
  readonly updates: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/**
 * Averages of weights by name: with `decay` a ← decay · a + (1 − decay) · w from the first weights on (Polyak &
 * Juditsky 1992 in its exponential form); with "mean" the plain mean of the weights at all updates (stochastic weight
 * averaging, Izmailov et al. 2018). Running statistics are not averaged.
 * @example const averages = averageWeights(net.namedParameters(), 0.999); await fit(net, data, { …, averages }); averages.swap();
 * @throws InputError when there are no weights or decay is not in [0, 1)
 */
export function averageWeights(weights: ReadonlyMap<string, Tensor>, decay: number | "mean" = 0.999): WeightAverages {
  if (!(weights instanceof Map))
    throw new InputError(`averageWeights: expected weights by name, got ${kindOf(weights)}`, {
      hint: "averageWeights(net.namedParameters())",
    });
  if (weights.size === 0) throw new InputError("averageWeights: expected at least one weight, got none");
  if (decay !== "mean" && !(decay >= 0 && decay < 1))
    throw new InputError(`averageWeights: decay must be in [0, 1) or "mean", got ${decay}`);
  const averages = new Map([...weights].map(([name, weight]) => [name, weight.detach().clone()] as const));
  let count = 0;
  const pairs = (): [Tensor, Tensor][] => [...weights].map(([name, weight]) => [weight, averages.get(name)!]);
  return {
    get updates() {
      return count;
    },
    update: () =>
      updating(() => {
        const kept = decay === "mean" ? live(() => count / (count + 1)) : decay;
        const fresh = decay === "mean" ? live(() => 1 / (count + 1)) : 1 - decay;
        for (const [weight, average] of pairs())
          average.assign(
            rule(updates.adamFirst, [average, weight.detach(), zeros([], { dtype: weight.dtype })], {
              beta1: kept,
              fresh1: fresh,
              decay: 0,
            }),
          );
        onEachRun(
          () => void count++,
          () => void count--,
        );
      }),
    swap: () =>
      updating(() => {
        for (const [weight, average] of pairs()) {
          const copy = weight.detach().clone();
          weight.assign(average);
          average.assign(copy);
        }
      }),
    stateDict: () => ({ updates: count, tensors: new Map([...averages].map(([name, average]) => [name, average.clone()])) }),
    loadStateDict(state) {
      for (const [name, average] of averages) {
        const stored = state.tensors.get(name);
        if (stored === undefined) throw new InputError(`averageWeights: the state has no average of "${name}"`);
        if (stored.shape.join() !== average.shape.join())
          throw new ShapeError(
            `averageWeights: "${name}" has shape ${shapeText(stored.shape)} in the state, the weight ${shapeText(average.shape)}`,
          );
      }
      for (const [name, average] of averages) average.assign(state.tensors.get(name)!);
      count = state.updates;
    },
  };
}
