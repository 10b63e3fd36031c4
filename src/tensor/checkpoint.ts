// checkpoint(fn): activations are forgotten in the forward pass and computed again in the backward pass.

import { makeOp } from "../ops/op.ts";
import { InputError } from "../util/errors.ts";
import { gradientsOf } from "./backward.ts";
import { recordPull } from "./engine.ts";
import { runningLevels, withLevels } from "./mapping.ts";
import { concatenate, reshape, slice } from "./operate.ts";
import { noteDraws, repeatDraws, type Stream } from "./repeat.ts";
import { isRecording, nextOrder, withRecording } from "./tape.ts";
import { asTensor } from "./tensor.ts";
import { currentTrace } from "./trace.ts";
import { rebuild, type TensorTree, valuesOf } from "./tree.ts";
import type { Value } from "./value.ts";

const again = makeOp("move", "checkpoint", "y = x", { doc: { en: "Computed again where the backward pass needs what is inside." } });

/**
 * The same function, but what it computes on the way is forgotten, and computed once more when a backward pass comes by: memory for time
 * (Chen et al. 2016, https://arxiv.org/abs/1604.06174). Gradients reach its arguments and every parameter it uses. The second run draws the same
 * random numbers, moves no running statistics and counts nothing; what it reads beside its arguments (numbers, a layer's mode) must still be the same.
 * Works in compile(), where the memory plan shrinks, in vmap(), and inside itself.
 * @throws InputError when `fn` gives anything but tensors
 * @example const block = checkpoint((x: Tensor) => layers(x));
 */
export function checkpoint<Args extends readonly unknown[], Result extends TensorTree>(
  fn: (...args: Args) => Result,
): (...args: Args) => Result {
  return (...args) => {
    if (!isRecording()) return fn(...args);
    const start = nextOrder();
    const drawn: Stream[] = [];
    const levels = runningLevels();
    const result = noteDraws(drawn, () => fn(...args));
    const results = valuesOf(result, "checkpoint: the function's result");
    const places = [...results.keys()].filter((place) => isInside(results[place] as Value, start));
    const made = places.map((place) => results[place] as Value);
    if (made.length === 0) return result;
    const outside = outsideOf(made, start);
    const whole = recordPull(
      again,
      outside,
      withRecording(false, () => joined(made)),
      (upstream) => {
        const createGraph = isRecording();
        const repeated = withRecording(true, () => {
          const second = withLevels(levels, () => computedAgain(() => repeatDraws(drawn, () => fn(...args))));
          const tensors = valuesOf(second, "checkpoint");
          return joined(places.map((place) => tensors[place] as Value));
        });
        return gradientsOf(repeated, outside, upstream, { createGraph, stops: true });
      },
    );
    const parts = separated(whole, made);
    return rebuild(
      result,
      results.map((value, place) => asTensor(places.includes(place) ? (parts[places.indexOf(place)] as Value) : value)),
    ) as Result;
  };
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

/** Several results as one, so that one second run serves them all. */
function joined(values: readonly Value[]): Value {
  const [first] = values as readonly [Value];
  if (values.length === 1) return reshape(first, first.shape);
  if (values.some(({ dtype }) => dtype !== first.dtype))
    throw new InputError(`checkpoint: results must have one dtype, got ${values.map(({ dtype }) => dtype).join(", ")}`);
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
