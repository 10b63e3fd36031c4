// Layers one after another.

import { isTensor } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { callPart, type Part } from "./call.ts";
import { type Layer, makeLayer, type ShapedLayer } from "./layer.ts";
import type { ChainRule, FittingSteps } from "./rules.ts";

/** A layer or a plain function from tensor to tensor; a method type, see Layer. */
export type Step = { call(x: Tensor): Tensor }["call"];

/**
 * The steps one after another: each gets the result of the one before. Steps are layers or plain functions; their names are
 * "0", "1", …, or the keys of a record. The compiler checks that literal sizes fit together.
 * @example const net = sequential(flatten(), linear(784, 128), relu, linear(128, 10)); net(x)
 * @throws InputError when a step is not a function, or returns something else than a tensor
 */
export function sequential<const Steps extends readonly Step[]>(...steps: Steps & FittingSteps<Steps>): ShapedLayer<ChainRule<Steps>>;
export function sequential(steps: Readonly<Record<string, Step>>): Layer;
export function sequential(...given: readonly unknown[]): unknown {
  const [first] = given;
  const named = given.length === 1 && typeof first === "object" && first !== null && !isTensor(first);
  const parts = named ? Object.entries(first) : given.map((step, number): [string, unknown] => [String(number), step]);
  for (const [name, part] of parts)
    if (typeof part !== "function")
      throw new InputError(
        `sequential: expected step ${name} to be a layer or a function, got ${isTensor(part) ? "a tensor" : part === null ? "null" : typeof part}`,
      );
  return makeLayer<Layer>({
    kind: "sequential",
    parts: parts as [string, Part][],
    forward(state, x) {
      let value: unknown = x;
      for (const [name, part] of state.parts) {
        value = callPart(part, [value], name);
        if (!isTensor(value)) {
          const hint = typeof value === "function" ? { hint: `call it where the model is built: ${part.name || "step"}()` } : {};
          throw new InputError(
            `sequential: step ${name}${part.name === "" || part.name === name ? "" : ` (${part.name})`} returned ${typeof value === "function" ? "a layer or function" : typeof value}, expected a tensor`,
            hint,
          );
        }
      }
      return value;
    },
  });
}
