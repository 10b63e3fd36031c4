// Tracing: ops add loop nests to a graph instead of computing; their results are tensors without numbers.

import type { HostArray } from "../../backends/backend.ts";
import { FUNCTION, requireKind } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { inOrder, whenArrived } from "../arrivals.ts";
import { type Complain, checkElements, type ElementRule } from "../element-rules.ts";
import type { Value } from "../value.ts";
import { wholeOf } from "../vmap/mapping.ts";
import { isRecomputing, noteSetting } from "./recompute.ts";
import { type Deliver, stayedInside, type Trace, unreadableWhileTraced } from "./trace-record.ts";
import type { LiveNumber } from "./traced-graph.ts";

let current: Trace | undefined;

export function currentTrace(): Trace | undefined {
  return current;
}

/**
 * A number for an attribute that must be read at every run. Outside a trace it is read at once.
 * @param read called in the order in which live numbers and effects were made
 */
export function live(read: () => number): number | LiveNumber {
  if (typeof read !== "function") requireKind("live", FUNCTION, read);
  return current === undefined ? read() : current.live(read);
}

/**
 * Does something at every run of a step (counts an optimizer's steps), in order with live numbers. Outside a trace:
 * now.
 * @param undo called when the run's guard refused to update the tensors
 */
export function onEachRun(effect: () => void, undo?: () => void): void {
  if (typeof effect !== "function") requireKind("onEachRun", FUNCTION, effect);
  if (isRecomputing()) return;
  if (current === undefined) effect();
  else current.effects.push({ kind: "effect", effect, undo });
}

/**
 * Tells the trace that what it builds holds only as long as `read` gives the same (a layer's mode): else the step is
 * traced again.
 */
export function dependsOn<T>(read: () => T): T {
  if (typeof read !== "function") requireKind("dependsOn", FUNCTION, read);
  const value = read();
  const isAsItWas = (): boolean => Object.is(read(), value);
  noteSetting(isAsItWas);
  current?.guards.push(isAsItWas);
  return value;
}

/**
 * What the elements of a tensor must be: checked now where they are known; in a traced step at every run that brings
 * other numbers, and at every run for what the step computes: then no tensor is updated in that run.
 * @throws what `complain` makes of the first element that breaks the rule, now or from the run
 */
export function requireElements(given: Value, rule: ElementRule, complain: Complain): void {
  const value = wholeOf(given);
  const check = (data: HostArray): void => checkElements(data, rule, complain);
  if (current !== undefined) current.check(value, check, { rule, complain });
  else if (value.isReadable || !value.hasNumbers) check(value.data);
  else throw unchecked();
}

/**
 * Checks a tensor's numbers as requireElements does, but never what a step computes: for what no rule about single
 * elements says.
 */
export function whenKnown(given: Value, check: (data: HostArray) => void): void {
  const value = wholeOf(given);
  if (current !== undefined) current.check(value, check);
  else if (value.isReadable || !value.hasNumbers) check(value.data);
}

/** Hands over a tensor's numbers as they are here: now, or after every run of the step that is being traced. */
export function tap(given: Value, deliver: Deliver): void {
  const value = wholeOf(given);
  if (current !== undefined) current.tap(value, deliver);
  else whenArrived(value, (data) => deliver(data, (number) => (typeof number === "number" ? number : number.read())));
}

/** Does something in the order of taps: now, or after every run of the step that is being traced. */
export function afterRun(effect: () => void): void {
  if (current === undefined) inOrder(effect);
  else current.taps.push({ buffer: undefined, deliver: effect });
}

function unchecked(): InputError {
  return new InputError("positions or labels were computed where reading takes time, and they are checked before they are used", {
    hint: "await their read() first, or compute with them in a compiled function, which checks them itself",
  });
}

/** Runs a function as if nothing were traced: the tensors it makes come from outside of the step. */
export function outsideTrace<Result>(run: () => Result): Result {
  const before = current;
  current = undefined;
  try {
    return run();
  } finally {
    current = before;
  }
}

export function runTrace<Result>(trace: Trace, run: () => Result): Result {
  // Compiled functions run uncompiled inside of others.
  if (current !== undefined) throw new Error("a trace begins while another one goes on");
  current = trace;
  try {
    return run();
  } finally {
    current = undefined;
  }
}

/** The error of reading numbers that do not exist yet, or that stayed inside a compiled step. */
export function unreadable(value: Value): InputError {
  if (current !== undefined) return unreadableWhileTraced();
  return stayedInside(
    "reads a tensor",
    value,
    "return it from the function (a gradient too: return weight.grad); while fit trains, a recorder sees it, and with compile: false it can be read",
  );
}

/** @throws InputError when `gradient` stayed inside a compiled function, where `what` would need its numbers now */
export function checkAtHand(gradient: Value | undefined, what: string, hint: string): void {
  if (current === undefined && gradient?.hasNumbers === false && gradient.mapping === undefined) throw stayedInside(what, gradient, hint);
}

let guarded: string | undefined;

/** Runs a compiled function with a guard as part of something else, whose other updates the guard cannot keep back. */
export function changingNothing<Result>(name: string, run: () => Result): Result {
  const before = guarded;
  guarded = name;
  try {
    return run();
  } finally {
    guarded = before;
  }
}

/** @throws InputError where no tensor may be assigned */
export function checkChangeable(): void {
  if (guarded === undefined) return;
  throw new InputError(
    `compile: "${guarded}" has a guard and assigns tensors, so it cannot be part of another compiled function, vmap() or checkpoint()`,
    { hint: "give the guard to the outer function, and call this one uncompiled there" },
  );
}
