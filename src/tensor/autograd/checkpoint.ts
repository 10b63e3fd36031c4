// checkpoint(fn): recompute. Activations are dropped after the forward pass and computed again in the backward pass.

import { makeOp } from "../../ops/op.ts";
import { FUNCTION, requireKind } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { autocast, currentPrecision } from "../autocast.ts";
import { recordPull } from "../engine.ts";
import { concatenate, reshape, slice } from "../operate.ts";
import { asTensor } from "../tensor.ts";
import { type Noted, noteRun, recompute } from "../trace/recompute.ts";
import { currentTrace } from "../trace/trace.ts";
import { rebuild, type TensorTree, valuesOf } from "../tree.ts";
import type { Value } from "../value.ts";
import { runningLevels, withLevels } from "../vmap/mapping.ts";
import { withFound } from "./as-found.ts";
import { gradientsOf } from "./backward.ts";
import { noteReads } from "./found.ts";
import { isRecording, nextOrder, withRecording } from "./tape.ts";

const again = makeOp("move", "checkpoint", "y = x", { doc: { en: "Computed again where the backward pass needs what is inside." } });

/**
 * Recompute: the same function, but its intermediate results are dropped, and computed again in the backward pass: less
 * memory for more time (Chen et al. 2016, https://arxiv.org/abs/1604.06174). Gradients reach its arguments and every
 * parameter it uses. The second run draws the same random numbers and tensors as they were, moves no running statistics
 * and counts nothing; a layer's mode must still be the same. Works in compile(), where the memory plan shrinks, in
 * vmap(), and inside itself. Results of several dtypes are computed again once for each dtype.
 * @throws InputError when `fn` gives anything but tensors
 * @example const block = checkpoint((x: Tensor) => layers(x));
 */
export function checkpoint<Args extends readonly unknown[], Result extends TensorTree>(
  fn: (...args: Args) => Result,
): (...args: Args) => Result {
  requireKind("checkpoint", FUNCTION, fn);
  return (...args) => {
    if (!isRecording()) return fn(...args);
    const start = nextOrder();
    const noted: Noted = { drawn: [], settings: [] };
    const levels = runningLevels();
    const precision = currentPrecision();
    const { result, found } = noteReads(() => noteRun(noted, () => fn(...args)));
    const results = valuesOf(result, "checkpoint: the function's result");
    const inside = [...results.keys()].filter((place) => isInside(results[place]!, start));
    if (inside.length === 0) return result;
    const made = new Map<number, Value>();
    for (const places of byDType(inside, results)) {
      const values = places.map((place) => results[place]!);
      const outside = outsideOf(values, start);
      const whole = recordPull(
        again,
        outside,
        withRecording(false, () => joined(values)),
        (upstream) => {
          const createGraph = isRecording();
          checkSettings(noted);
          const repeated = withRecording(true, () => {
            const second = withLevels(levels, () =>
              computedAgain(() => withFound(found, () => recompute(noted, () => autocast(precision, () => fn(...args))))),
            );
            const tensors = valuesOf(second, "checkpoint");
            return joined(places.map((place) => tensors[place]!));
          });
          return gradientsOf(repeated, outside, upstream, { createGraph, stops: true });
        },
      );
      separated(whole, values).forEach((part, n) => {
        made.set(places[n]!, part);
      });
    }
    return rebuild(
      result,
      results.map((value, place) => asTensor(made.get(place) ?? value)),
    ) as Result;
  };
}

function checkSettings({ settings }: Noted): void {
  if (settings.every((isAsItWas) => isAsItWas())) return;
  throw new InputError("checkpoint: a setting that the function reads (a layer's mode) changed between the forward and the backward pass", {
    hint: "call backward() before train() or eval()",
  });
}

function computedAgain<Result>(run: () => Result): Result {
  const trace = currentTrace();
  return trace === undefined ? run() : trace.again(run);
}

function isInside(value: Value, start: number): boolean {
  return value.requiresGrad && value.node !== undefined && value.node.order > start;
}

/** What requires a gradient and was there before, among all that the results were made from. */
function outsideOf(results: readonly Value[], start: number): Value[] {
  const seen = new Set<Value>(results);
  const outside: Value[] = [];
  const waiting = [...results];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop())
    for (const input of value.node?.inputs ?? []) {
      if (!input.requiresGrad || seen.has(input)) continue;
      seen.add(input);
      (isInside(input, start) ? waiting : outside).push(input);
    }
  return outside;
}

/** Places of results in groups of one dtype each, which can be joined. */
function byDType(places: readonly number[], results: readonly Value[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const place of places) {
    const { dtype } = results[place]!;
    const group = groups.get(dtype);
    if (group === undefined) groups.set(dtype, [place]);
    else group.push(place);
  }
  return [...groups.values()];
}

/** Several results of one dtype as one, so that one second run serves them all. */
function joined(values: readonly Value[]): Value {
  const [first] = values as readonly [Value];
  if (values.length === 1) return reshape(first, first.shape);
  return concatenate(
    values.map((value) => reshape(value, [value.size])),
    0,
  );
}

function separated(whole: Value, like: readonly Value[]): Value[] {
  if (like.length === 1) return [whole];
  let start = 0;
  return like.map(({ size, shape }) => {
    start += size;
    return reshape(slice(whole, [[start - size, start]]), shape);
  });
}
