// Entering and leaving a vmap: splits a batch into examples, and stacks them again.

import * as moves from "../../ops/moves.ts";
import { makeOp } from "../../ops/op.ts";
import * as reductions from "../../ops/reductions.ts";
import { withRecording } from "../autograd/tape.ts";
import { apply, recordPull, tellSame, view } from "../engine.ts";
import { broadcastTo, reshape } from "../operate.ts";
import type { Level, Value } from "../value.ts";
import { levelsOf, mapped, runningLevels } from "./mapping.ts";

const border = makeOp("move", "vmap", "y = x", { doc: { en: "One example of a batch that vmap maps over, or the batch again." } });

/** One example of a tensor whose first dimension counts them. */
export function enterLevel(all: Value, level: Level): Value {
  const one = withRecording(false, () => mapAt(all, level));
  return recordPull(border, [all], one, (upstream) => [leaveLevel(upstream, level)]);
}

/** All examples, along a first dimension; one that is the same for all is repeated. */
export function leaveLevel(one: Value, level: Level): Value {
  if (!levelsOf(one).includes(level)) return broadcastTo(one, [level.size, ...one.shape]);
  // A tensor of its own: the whole of an input is that input.
  const all = withRecording(false, () => {
    const whole = wholeAt(one, level);
    return view(whole, whole.shape);
  });
  tellSame(border, one, all);
  return recordPull(border, [one], all, (upstream) => [enterLevel(upstream, level)]);
}

/** The levels of vmaps that are over, over which a gradient is mapped but not the tensor it belongs to. */
export function endedLevels(gradient: Value, value: Value): Level[] {
  if (gradient.mapping === undefined) return [];
  const kept = [...levelsOf(value), ...runningLevels()];
  return levelsOf(gradient).filter((level) => !kept.includes(level));
}

/** All examples used the tensor: their gradients add up. */
export function sumOfExamples(gradient: Value, value: Value): Value {
  return endedLevels(gradient, value).reduce((sum, level) => {
    const all = leaveLevel(sum, level);
    return reshape(apply(reductions.sum, [all], { axes: [0] }), all.shape.slice(1));
  }, gradient);
}

function mapAt(all: Value, level: Level): Value {
  const { mapping } = all;
  if (mapping === undefined || mapping.level.number < level.number) return mapped(all, level);
  return mapped(mapAt(swap(mapping.whole), level), mapping.level);
}

function wholeAt(one: Value, level: Level): Value {
  const mapping = one.mapping as NonNullable<Value["mapping"]>;
  return mapping.level === level ? mapping.whole : mapped(swap(wholeAt(mapping.whole, level)), mapping.level);
}

/** The first two dimensions exchanged. */
function swap(value: Value): Value {
  return apply(moves.transpose([1, 0, ...Array.from({ length: value.rank - 2 }, (_, d) => d + 2)]), [value]);
}
