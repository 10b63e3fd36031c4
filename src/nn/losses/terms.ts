// Reports totals and counts of the means in a loss, so that losses of several batches add up exactly.

import { noteRun } from "../../tensor/trace/recompute.ts";
import type { Tensor } from "../../tensor/types.ts";

/** A mean over samples that count differently, or a sum, that a loss took of a batch. */
export interface Term {
  /** What the loss went on with. */
  readonly value: Tensor;
  readonly total: Tensor;
  /** What the total is divided by, which does not depend on the predictions; undefined: nothing, it is a sum. */
  readonly count: Tensor | undefined;
}

/** A loss with what it took. */
export interface LossTerms {
  readonly value: Tensor;
  readonly terms: readonly Term[];
}

/** The value of the n-th mean, given its total and count. */
export type Divide = (total: Tensor, count: Tensor, n: number) => Tensor;

interface Listener {
  readonly terms: Term[];
  readonly divide: Divide;
}

let listener: Listener | undefined;

/**
 * Runs a loss and gives what it took on the way; `divide` decides what replaces a mean. A compiled loss is computed as
 * part of what calls it: its program would tell its means once, when it is traced.
 */
export function termsOf(run: () => Tensor, divide: Divide = (total, count) => total.div(count)): LossTerms {
  const before = listener;
  const terms: Term[] = [];
  listener = { terms, divide };
  try {
    return { value: noteRun({ drawn: [], settings: [] }, run), terms };
  } finally {
    listener = before;
  }
}

/**
 * The mean of losses by what their samples count. Means over samples that all count the same need no account: their
 * share is that of the samples.
 */
export function meanTerm(total: Tensor, count: Tensor): Tensor {
  if (listener === undefined) return total.div(count);
  const value = listener.divide(total, count, listener.terms.filter((term) => term.count !== undefined).length);
  listener.terms.push({ value, total, count });
  return value;
}

/** A sum of losses. */
export function sumTerm(total: Tensor): Tensor {
  listener?.terms.push({ value: total, total, count: undefined });
  return total;
}
