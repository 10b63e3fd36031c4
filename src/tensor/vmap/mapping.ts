// The running vmaps and their tensors: one example outside, the whole batch inside.

import type { Level, Value } from "../value.ts";

let running: readonly Level[] = [];
let levels = 0;

/** The vmaps that run now, outermost first. */
export function runningLevels(): readonly Level[] {
  return running;
}

export function newLevel(size: number): Level {
  return { number: levels++, size };
}

/** Runs a function inside exactly these vmaps. */
export function withLevels<Result>(inside: readonly Level[], run: () => Result): Result {
  const before = running;
  running = inside;
  try {
    return run();
  } finally {
    running = before;
  }
}

/** One example of `whole`, whose first dimension counts the examples. An inner level always lies above an outer one. */
export function mapped(whole: Value, level: Level): Value {
  const one = whole.make(undefined, whole.shape.slice(1), whole.dtype);
  one.mapping = { level, whole };
  return one;
}

/** The innermost level among those that inputs are mapped over, and others given. */
export function innermost(inputs: readonly Value[], others: readonly Level[]): Level | undefined {
  let found = others[others.length - 1];
  for (const { mapping } of inputs)
    if (mapping !== undefined && (found === undefined || mapping.level.number > found.number)) found = mapping.level;
  return found;
}

/** Every level a tensor is mapped over, innermost first. */
export function levelsOf(value: Value): Level[] {
  const found: Level[] = [];
  for (let { mapping } = value; mapping !== undefined; mapping = mapping.whole.mapping) found.push(mapping.level);
  return found;
}

/** The tensor without levels: all examples of all of them. */
export function wholeOf(value: Value): Value {
  return value.mapping === undefined ? value : wholeOf(value.mapping.whole);
}
