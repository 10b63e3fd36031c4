// The precision a layer computes in: that of its weights.

import { stateOf } from "./call.ts";
import { layersIn } from "./layer.ts";

/** Whether a layer has weights, and none of them of float64. Layers whose sizes are not decided yet have none. */
export function isOfSinglePrecision(layer: object): boolean {
  const state = stateOf(layer);
  const weights = state === undefined ? [] : layersIn(state).flatMap(([, { parameters }]) => [...parameters.values()]);
  return weights.length > 0 && weights.every(({ dtype }) => dtype !== "float64");
}
