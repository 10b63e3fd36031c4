// Sets a model's mode for training or measuring, and restores it.

import { isLayer, stateOf } from "../nn/call.ts";
import { evaluating, type LayerMode, trainingAll } from "../nn/mode.ts";
import type { Model } from "./types.ts";

/** What can be measured: a layer, or a function that has a mode like one. */
export type Measured = Pick<Model, "eval"> & { readonly training?: boolean; train?(on?: boolean): unknown };

/** Runs a function, not an async one, with the model in evaluation mode. */
export function inEvaluation<Result>(model: Measured, run: () => Result): Result {
  if (isLayer(model)) return evaluating(run);
  const wasTraining = model.training === true;
  model.eval();
  try {
    return run();
  } finally {
    if (wasTraining) model.train?.();
  }
}

/**
 * Runs a step of a training. Layers that the user put into evaluation mode or froze stay so, unless the whole model is
 * in evaluation mode: then all of it trains for the time of the step.
 */
export function inTraining<Result>(model: Model, run: () => Result): Result {
  const state = stateOf(model);
  if (state === undefined || (state.mode.forced ?? state.mode.chosen)) return run();
  return trainingAll(modesOf(model), run);
}

/** Leaves a trained model in evaluation mode, until the next training, train() or eval(). */
export function settle(model: Model): void {
  for (const mode of modesOf(model)) mode.forced = false;
}

/** Ends that. */
export function unsettle(model: Model): void {
  for (const mode of modesOf(model)) mode.forced = undefined;
}

/** Of the model and all layers inside. */
export function modesOf(model: Model): LayerMode[] {
  return [...model.namedLayers().values()].flatMap((inner) => stateOf(inner)?.mode ?? []);
}
