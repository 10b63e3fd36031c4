// Finds the tensors and layers in a function's result, with their names.

import { isLayer } from "../../nn/call.ts";
import { isTensor } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/types.ts";

/** What a tensor that is all a function gave is called. */
export const ALONE = "result";

/** Tensors in records and lists: "loss", "0", "heads.left". */
export function tensorsByName(result: unknown): ReadonlyMap<string, Tensor> {
  if (isTensor(result)) return new Map([[ALONE, result]]);
  const found = new Map<string, Tensor>();
  visit(result, "", (value, name) => {
    if (isTensor(value)) found.set(name, value);
  });
  return found;
}

/**
 * Parameters and buffers of the layers in them: those of one layer by their own names, of several behind the name of
 * each.
 */
export function parametersByName(result: unknown): ReadonlyMap<string, Tensor> {
  const layers = new Map<string, ReturnType<typeof named>>();
  visit(result, "", (value, name) => {
    if (isLayer(value)) layers.set(name, named(value));
  });
  return new Map(
    [...layers].flatMap(([layer, members]) =>
      members.map(([name, tensor]) => [layers.size === 1 ? name : `${layer}.${name}`, tensor] as const),
    ),
  );
}

function named(layer: { namedParameters(): Iterable<[string, Tensor]>; namedBuffers(): Iterable<[string, Tensor]> }): [string, Tensor][] {
  return [...layer.namedParameters(), ...layer.namedBuffers()];
}

/** Everything in plain records, modules and lists; not what is inside objects of a class. */
function visit(value: unknown, name: string, see: (value: unknown, name: string) => void, depth = 0): void {
  see(value, name);
  if (typeof value !== "object" || value === null || isTensor(value) || depth > 8) return;
  const prototype = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return;
  for (const [key, inner] of Object.entries(value)) visit(inner, name === "" ? key : `${name}.${key}`, see, depth + 1);
}
