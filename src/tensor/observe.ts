// Observers of tensors: they see applied ops, complete gradients, and tensors that take new numbers.

import type { Program } from "../nest/nest.ts";
import type { Op } from "../ops/op.ts";
import type { Pass } from "./context.ts";
import type { Attributes, TapeNode, Value } from "./value.ts";

/** One application of an op, after it was computed or, while a step is traced, written down. */
export interface Application {
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly output: Value;
  /** Names of the layers and composites it ran in, outermost first. */
  readonly scope: readonly string[];
  /** Its stack is the place in the user's program. */
  readonly site: { readonly stack?: string };
  readonly pass: Pass;
  /** What ran for one example; undefined for another view of the same numbers. */
  readonly program: Program | undefined;
  /** What ran: the same for all examples of the vmaps around it at once, on tensors as `wholeOf` gives them. */
  readonly ran: Program | undefined;
  /** In a backward pass: what it is the gradient of. */
  readonly of: TapeNode | undefined;
}

/**
 * Sees everything while it observes. In a compiled function it sees the trace, with tensors without numbers; `tap()` of
 * trace.ts brings their numbers at every run.
 */
export interface Observer {
  /** Part of the key of compiled functions: observers with other taps need another key. */
  readonly key: string;
  applied?(application: Application): void;
  /** The gradient of a tensor is complete: of leaves and of everything between them and the result. */
  differentiated?(value: Value, gradient: Value): void;
  assigned?(target: Value, value: Value): void;
  /** After a run of a compiled function: the tensor that one inside stood for at tracing, an argument or a result. */
  returned?(inside: Value, outside: Value): void;
}

let current: Observer | undefined;

/** Who watches now. */
export function observer(): Observer | undefined {
  return current;
}

/** Makes `watching` the only observer from now on. @returns a function that restores the one before */
export function watchTensors(watching: Observer): () => void {
  const before = current;
  current = watching;
  return () => {
    current = before;
  };
}

/** Runs a function with `watching` as the only observer; undefined: with none. */
export function observing<Result>(watching: Observer | undefined, run: () => Result): Result {
  const before = current;
  current = watching;
  try {
    return run();
  } finally {
    current = before;
  }
}

/** Several observers as one: each sees everything, in order. */
export function together(...observers: readonly Observer[]): Observer {
  return {
    key: observers.map(({ key }) => key).join(" + "),
    applied: (application) => {
      for (const one of observers) one.applied?.(application);
    },
    differentiated: (value, gradient) => {
      for (const one of observers) one.differentiated?.(value, gradient);
    },
    assigned: (target, value) => {
      for (const one of observers) one.assigned?.(target, value);
    },
    returned: (inside, outside) => {
      for (const one of observers) one.returned?.(inside, outside);
    },
  };
}
