// The tree of an expression with numbers filled in: what a formula did for one element, every part with its value.

import type { FunctionName, Reducer, ScalarType } from "./nest.ts";

/** A constant, a parameter, a position or a count. */
export interface FilledValue {
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

/** A reduction written out; terms in the middle of a long one are left out. */
export interface FilledChain {
  readonly kind: "chain";
  readonly reducer: Reducer;
  /** In order, a jump of `place` from one to the next being a gap; or by size, the largest first. */
  readonly terms: readonly FilledTerm[];
  /** Where the terms are by size: what a sum's others come to. */
  readonly rest?: number;
  /** All terms that lie inside of the tensors, shown or not. */
  readonly count: number;
  /** Further terms that lie in the padding and change nothing. */
  readonly outside: number;
  /** Over all terms, with nothing left out and nothing rounded. */
  readonly value: number;
  readonly type: ScalarType;
}

export interface FilledTerm {
  /** Among the `count` terms. */
  readonly place: number;
  readonly term: Filled;
}

export type Filled = FilledValue | FilledRead | FilledCall | FilledChoice | FilledChain;

/** The terms of a chain with the gaps between them, for printing. */
export function termsAndGaps(chain: FilledChain): readonly (FilledTerm | { readonly gap: number; readonly together?: number })[] {
  if (chain.rest !== undefined) {
    const { terms, count, rest, reducer } = chain;
    const others = { gap: count - terms.length, ...(reducer === "sum" ? { together: rest } : {}) };
    return others.gap === 0 ? terms : [...terms, others];
  }
  const items: (FilledTerm | { gap: number })[] = [];
  let next = 0;
  for (const item of chain.terms) {
    if (item.place > next) items.push({ gap: item.place - next });
    items.push(item);
    next = item.place + 1;
  }
  if (next < chain.count) items.push({ gap: chain.count - next });
  return items;
}

const OPPOSITE: Partial<Record<FunctionName, FunctionName>> = { lt: "ge", ge: "lt", gt: "le", le: "gt", eq: "ne", ne: "eq" };

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
