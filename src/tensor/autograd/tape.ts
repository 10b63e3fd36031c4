// The tape: whether ops are recorded, and in which order.

import { FUNCTION, requireKind } from "../../util/arguments.ts";
import { withPass } from "../context.ts";
import type { Value } from "../value.ts";

let recording = true;

export function isRecording(): boolean {
  return recording;
}

/** Runs a function without recording: nothing inside can be differentiated. */
export function noGrad<Result>(run: () => Result): Result {
  if (typeof run !== "function") requireKind("noGrad", FUNCTION, run);
  return withRecording(false, run);
}

export function withRecording<Result>(on: boolean, run: () => Result): Result {
  const before = recording;
  recording = on;
  try {
    return run();
  } finally {
    recording = before;
  }
}

/** Runs a function that changes parameters or their gradients: nothing inside can be differentiated. */
export function updating<Result>(run: () => Result): Result {
  return withPass("update", () => noGrad(run));
}

let nodes = 0;

/** The number of the next tape node. */
export function nextOrder(): number {
  return nodes++;
}

export function needsTape(inputs: readonly Value[]): boolean {
  if (!recording) return false;
  for (const input of inputs) if (input.requiresGrad) return true;
  return false;
}
