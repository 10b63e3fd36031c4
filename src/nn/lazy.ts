// A layer that takes its sizes from its first input.

import { forkRandom, withOwnRandom } from "../tensor/random.ts";
import { outsideTrace } from "../tensor/trace/trace.ts";
import { InputError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import { type LayerState, stateOf } from "./call.ts";
import { type LayerMembers, makeLayer } from "./layer.ts";

/**
 * A layer built from the shape of its first input; from that call on it is the layer that `build` returned, under the
 * same names. Before, it has no parameters: `parameters()`, state dicts and optimizers made from them throw an error
 * that says so, so call the model once with a batch (also one of zeros). Its starting weights come from the seed and
 * the place where `lazy` was called, whenever that is.
 * @example const net = sequential(conv2d(1, 8, 3), relu, flatten(), lazy(([, features = 0]) => linear(features, 10))); net(batch);
 * @param build gets the shape of the first input, batch included
 * @throws InputError when build returns something else than a layer
 */
export function lazy<Built extends LayerMembers>(build: (shape: readonly number[]) => Built): Built {
  if (typeof build !== "function" || stateOf(build) !== undefined)
    throw new InputError("lazy: expected a function from the shape of the first input to a layer", {
      hint: "lazy(([, features = 0]) => linear(features, 10))",
    });
  const random = forkRandom();
  return makeLayer<Built>({
    kind: "lazy",
    decide(input, { chosen, forced }) {
      const made: unknown = outsideTrace(() => withOwnRandom(random, () => build(input)));
      const state = typeof made === "function" ? stateOf(made) : undefined;
      if (state === undefined || state.decide !== undefined)
        throw new InputError(`lazy: expected a layer with sizes for the first input of shape ${shapeText(input)}, got ${typeof made}`);
      for (const inner of (made as LayerMembers).namedLayers().values())
        Object.assign((stateOf(inner) as LayerState).mode, { chosen, forced });
      return state;
    },
    forward() {
      throw new InputError("lazy: called before its sizes were decided");
    },
  });
}
