// In which precision a layer computes: that of its weights.

import type { Tensor } from "../tensor/types.ts";
import { type LayerState, stateOf } from "./call.ts";

/** Whether a layer has weights, and none of them of float64. Layers whose sizes are not decided yet have none. */
export function isOfSinglePrecision(layer: object): boolean {
  const state = stateOf(layer);
  const weights = state === undefined ? [] : weightsOf(state);
  return weights.length > 0 && weights.every(({ dtype }) => dtype !== "float64");
}

function weightsOf(state: LayerState): Tensor[] {
  const inside = [...state.parts.values()].flatMap((part) => {
    const inner = stateOf(part);
    return inner === undefined ? [] : weightsOf(inner);
  });
  return [...state.parameters.values(), ...inside];
}
