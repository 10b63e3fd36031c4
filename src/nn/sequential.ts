// Layers one after another.

import { isTensor } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { callPart, type LayerOrFunction } from "./call.ts";
import { type Layer, makeLayer, type ShapedLayer } from "./layer.ts";
import type { FittingLayers, SequentialRule } from "./rules.ts";

/** A layer or a plain function from tensor to tensor; a method type, see Layer. */
export type UnaryLayer = { call(x: Tensor): Tensor }["call"];

/** @deprecated Use UnaryLayer. */
export type Step = UnaryLayer;

/**
 * The layers, or plain functions, one after another: each gets the result of the one before. Their names are
 * "0", "1", …, or the keys of a record. The compiler checks that literal sizes fit together.
 * @example const net = sequential(flatten(), linear(784, 128), relu, linear(128, 10)); net(x)
 * @throws InputError when one is not a function, or returns something else than a tensor
 */
export function sequential<const Layers extends readonly UnaryLayer[]>(
  ...layers: Layers & FittingLayers<Layers>
): ShapedLayer<SequentialRule<Layers>>;
export function sequential(layers: Readonly<Record<string, UnaryLayer>>): Layer;
export function sequential(...given: readonly unknown[]): unknown {
  const [first] = given;
  const named = given.length === 1 && typeof first === "object" && first !== null && !isTensor(first);
  const parts = named ? Object.entries(first) : given.map((layer, number): [string, unknown] => [String(number), layer]);
  for (const [name, part] of parts)
    if (typeof part !== "function")
      throw new InputError(
        `sequential: expected a layer or a function as layer ${name}, got ${isTensor(part) ? "a tensor" : part === null ? "null" : typeof part}`,
      );
  return makeLayer<Layer>({
    kind: "sequential",
    parts: parts as [string, LayerOrFunction][],
    forward(state, x) {
      let value: unknown = x;
      for (const [name, part] of state.parts) {
        value = callPart(part, [value], name);
        if (!isTensor(value)) {
          const hint = typeof value === "function" ? { hint: `call it where the model is built: ${part.name || "layer"}()` } : {};
          throw new InputError(
            `sequential: layer ${name}${part.name === "" || part.name === name ? "" : ` (${part.name})`} returned ${typeof value === "function" ? "a layer or function" : typeof value}, expected a tensor`,
            hint,
          );
        }
      }
      return value;
    },
  });
}
