// The mode of a layer: training or evaluation, temporary overrides, and freezing.

import type { Tensor } from "../tensor/types.ts";

/** The mode of one layer. */
export interface LayerMode {
  /** What train() and eval() said last. */
  chosen: boolean;
  /** What a training set in its place; train() and eval() end it. */
  forced: boolean | undefined;
  /** Frozen: the weights whose gradients freeze() ended. */
  frozen: readonly Tensor[] | undefined;
}

let everywhere: boolean | undefined;

export function newMode(): LayerMode {
  return { chosen: true, forced: undefined, frozen: undefined };
}

/** Frozen layers never train. */
export function isTraining({ chosen, forced, frozen }: LayerMode): boolean {
  return frozen === undefined && (everywhere ?? forced ?? chosen);
}

/** Runs a function, not an async one, with all layers in evaluation mode; their own modes stay as they are. */
export function evaluating<Result>(run: () => Result): Result {
  const before = everywhere;
  everywhere = false;
  try {
    return run();
  } finally {
    everywhere = before;
  }
}

/** Runs a step with these layers in training mode. */
export function trainingAll<Result>(modes: readonly LayerMode[], run: () => Result): Result {
  const before = modes.map(({ forced }) => forced);
  for (const mode of modes) mode.forced = true;
  try {
    return run();
  } finally {
    modes.forEach((mode, n) => {
      mode.forced = before[n];
    });
  }
}
