// Dropout layers: of elements, of whole channels, and for SELU. In eval mode all of them change nothing.

import * as random from "../tensor/random.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { checkRank, refuseTensor, SPATIAL } from "./checks.ts";
import { makeLayer, type ShapedLayer } from "./layer.ts";
import type { SameRule } from "./rules.ts";

/**
 * In training, sets each element to 0 with the given probability and scales the others by 1 / (1 − probability); else
 * changes nothing. Srivastava et al. 2014.
 */
export function dropout(probability = 0.5): ShapedLayer<SameRule> {
  return dropping("dropout", probability, random.dropout);
}

/**
 * Dropout of whole channels of [batch, channels, length]: neighbours tell too much of each other for elements to be
 * dropped alone. Tompson et al. 2015 (spatial dropout).
 */
export function dropout1d(probability = 0.5): ShapedLayer<SameRule> {
  return dropping("dropout1d", probability, random.channelDropout, 1);
}

/** Dropout of whole channels of [batch, channels, height, width]. Tompson et al. 2015 (spatial dropout). */
export function dropout2d(probability = 0.5): ShapedLayer<SameRule> {
  return dropping("dropout2d", probability, random.channelDropout, 2);
}

/** Dropout of whole channels of [batch, channels, depth, height, width]. Tompson et al. 2015 (spatial dropout). */
export function dropout3d(probability = 0.5): ShapedLayer<SameRule> {
  return dropping("dropout3d", probability, random.channelDropout, 3);
}

/**
 * Dropout between layers with selu: what is dropped takes SELU's lowest value, and mean 0 and variance 1 are kept.
 * Klambauer et al. 2017.
 */
export function alphaDropout(probability = 0.5): ShapedLayer<SameRule> {
  return dropping("alphaDropout", probability, random.alphaDropout);
}

function dropping(
  kind: string,
  probability: number,
  drop: (x: Tensor, probability: number) => Tensor,
  dims?: number,
): ShapedLayer<SameRule> {
  refuseTensor(kind, probability);
  if (!(probability >= 0 && probability < 1)) throw new InputError(`${kind}: the probability must be in [0, 1), got ${probability}`);
  return makeLayer<ShapedLayer<SameRule>>({
    kind,
    settings: { probability },
    forward(state, x: Tensor) {
      if (dims !== undefined) checkRank(kind, x, [dims + 2], `[batch, channels, ${SPATIAL[dims]}]`);
      return state.training && probability > 0 ? drop(x, probability) : x;
    },
  });
}
