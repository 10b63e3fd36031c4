// Expression trees with numbers filled in: what a formula computed for one element, every part with its value.

import type { FunctionName, Reducer, ScalarType } from "../nest/nest.ts";

/** A constant, a parameter, a position or a count. */
interface FilledValue {
  readonly kind: "value";
  readonly value: number;
  readonly type: ScalarType;
}

/** An element of a tensor. */
export interface FilledRead {
  readonly kind: "read";
  readonly tensor: string;
  /** One per dimension; outside of the tensor, or not whole, where `inside` is false. */
  readonly coordinates: readonly number[];
  /** False for padding: the value is then the identity of the enclosing reduction. */
  readonly inside: boolean;
  readonly value: number;
  readonly type: ScalarType;
  /** How those coordinates came about that are read from a tensor themselves (a class, a token). */
  readonly chosenBy?: readonly Filled[];
}

export interface FilledCall {
  readonly kind: "call";
  readonly fn: FunctionName;
  readonly args: readonly Filled[];
  readonly value: number;
  readonly type: ScalarType;
}

/** A select: only the branch taken was evaluated. */
export interface FilledChoice {
  readonly kind: "choice";
  readonly condition: Filled;
  readonly chosen: Filled;
  readonly value: number;
  readonly type: ScalarType;
}

/** By their place in the reduction, or the largest first. */
export type TermOrder = "position" | "size";

/** A reduction written out; of a long one some terms are left out. */
export interface FilledChain {
  readonly kind: "chain";
  readonly reducer: Reducer;
  readonly order: TermOrder;
  /**
   * By position: a jump of `place` from one to the next is a gap. By size: what is left out is no larger than the last.
   */
  readonly terms: readonly FilledTerm[];
  /** All terms that lie inside of the tensors, shown or not. */
  readonly count: number;
  /** Further terms that lie in the padding and change nothing. */
  readonly outside: number;
  /** Over all terms, with nothing left out and nothing rounded. */
  readonly value: number;
  readonly type: ScalarType;
  /** What the terms left out come to together; only for sums and products that leave some out. */
  readonly rest?: number;
  /** The terms are partial sums (each a chain) by one axis of the reduction; they are written as single numbers. */
  readonly grouped?: true;
}

/** One step of an axis: `i = 7`. Axes of a group of dimensions are called `...0`, `...1`. */
export interface AxisStep {
  readonly name: string;
  readonly step: number;
}

export interface FilledTerm {
  /** Among the `count` terms. */
  readonly place: number;
  /** Where the reduction stood. */
  readonly at: readonly AxisStep[];
  readonly term: Filled;
}

export type Filled = FilledValue | FilledRead | FilledCall | FilledChoice | FilledChain;

/** Terms that are left out. */
export interface Gap {
  readonly gap: number;
  /** "together 0.0123", "none larger": printers put it behind the count; empty for a gap in the middle. */
  readonly note: "together" | "none larger" | "none smaller" | "";
}

/** The terms of a chain with the gaps between them, for printing. */
export function termsAndGaps(chain: FilledChain): readonly (FilledTerm | Gap)[] {
  const items: (FilledTerm | Gap)[] = [];
  if (chain.order === "size") {
    const gap = chain.count - chain.terms.length;
    const downward = chain.reducer === "min" || chain.reducer === "argmin";
    const note = chain.rest !== undefined ? "together" : downward ? "none smaller" : "none larger";
    return gap > 0 ? [...chain.terms, { gap, note }] : chain.terms;
  }
  let next = 0;
  for (const item of chain.terms) {
    if (item.place > next) items.push({ gap: item.place - next, note: "" });
    items.push(item);
    next = item.place + 1;
  }
  if (next < chain.count) items.push({ gap: chain.count - next, note: "" });
  return items;
}

/** `i=7`, `c=0, p=1`: which term of a reduction this is; empty where the terms stand in order. */
export function placeLabel(chain: FilledChain, item: FilledTerm): readonly AxisStep[] {
  return chain.order === "size" || chain.grouped ? item.at : [];
}

const OPPOSITE: Partial<Record<FunctionName, FunctionName>> = { lt: "ge", ge: "lt", gt: "le", le: "gt", eq: "ne", ne: "eq" };

/**
 * Digits beyond the usual that a sum's or difference's operands need, so that one sees what is left of them: 1 −
 * 0.99998.
 */
export function cancelledDigits(fn: FunctionName, args: readonly { readonly value?: unknown }[], value: unknown): number {
  if ((fn !== "sub" && fn !== "add") || typeof value !== "number" || value === 0) return 0;
  const largest = Math.max(...args.map((arg) => (typeof arg.value === "number" ? Math.abs(arg.value) : 0)));
  const lost = Math.log10(largest / Math.abs(value));
  return Number.isFinite(lost) && lost >= 1 ? Math.min(12, Math.ceil(lost)) : 0;
}

/** The condition of a choice as it holds: a comparison that failed is turned round, anything else negated. */
export function reasonOf(choice: FilledChoice): Filled {
  const { condition } = choice;
  if (condition.value !== 0) return condition;
  const opposite = condition.kind === "call" ? OPPOSITE[condition.fn] : undefined;
  // With a NaN both a < b and a >= b fail, so only "not" is true.
  if (condition.kind === "call" && opposite && !condition.args.some((arg) => Number.isNaN(arg.value)))
    return { ...condition, fn: opposite, value: 1 };
  return { kind: "call", fn: "not", args: [condition], value: 1, type: "bool" };
}

/** What a note at the end of a line says about padding; empty when nothing lies outside. */
export function outsideNote(filled: Filled): string {
  const chain = chainOf(filled);
  if (filled.kind === "read" && !filled.inside) return "outside of the tensor";
  return chain && chain.outside > 0 ? `${chain.outside} more in the padding` : "";
}

export function chainOf(filled: Filled): FilledChain | undefined {
  if (filled.kind === "chain") return filled;
  if (filled.kind === "choice") return chainOf(filled.condition) ?? chainOf(filled.chosen);
  if (filled.kind !== "call") return undefined;
  for (const arg of filled.args) {
    const found = chainOf(arg);
    if (found) return found;
  }
  return undefined;
}
