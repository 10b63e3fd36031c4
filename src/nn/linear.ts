// The fully connected layer.

import * as functions from "../tensor/functions/index.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";
import { checkCount, checkFeatures } from "./checks.ts";
import { fansOf, heNormal, type Start, start, zeros } from "./init.ts";
import { makeLayer, type ShapedLayer } from "./layer.ts";
import type { LinearRule } from "./rules.ts";

/** How a layer with weights starts. */
export interface WeightOptions {
  /** Default heNormal(): most networks put ReLU or a relative behind a layer, and its variance is right for those. */
  readonly init?: Start;
  /** Default true. */
  readonly bias?: boolean;
  /** Default zeros(): the random weights already tell the outputs apart. */
  readonly biasInit?: Start;
}

export const WEIGHT_OPTIONS: OptionNames<WeightOptions> = { init: true, bias: true, biasInit: true };

/**
 * Fully connected: [..., inputs] → [..., outputs], y = x Wᵀ + b with weight [outputs, inputs] and bias [outputs].
 * @throws InputError when a size is not a positive integer
 */
export function linear<const Inputs extends number, const Outputs extends number>(
  inputs: Inputs,
  outputs: Outputs,
  options: WeightOptions = {},
): ShapedLayer<LinearRule<Inputs, Outputs>> {
  checkOptions("linear", options, WEIGHT_OPTIONS);
  checkCount("linear", "inputs", inputs);
  checkCount("linear", "outputs", outputs);
  const shape = [outputs, inputs];
  const fans = fansOf(shape);
  const weight = start("linear weight", options.init ?? heNormal(), shape, fans);
  const bias = options.bias === false ? undefined : start("linear bias", options.biasInit ?? zeros(), [outputs], fans);
  return makeLayer({
    kind: "linear",
    settings: { inputs, outputs },
    parameters: { weight, bias },
    forward(_state, x) {
      checkFeatures("linear", "input features", x, x.rank - 1, inputs);
      return functions.linear(x, weight, bias);
    },
  });
}
