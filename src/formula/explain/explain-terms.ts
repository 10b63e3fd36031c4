// Chooses the terms of a reduction that an explanation shows: the first and last, or the largest.

import { identityOf } from "../../nest/identity.ts";
import type { Reducer, ScalarType } from "../../nest/nest.ts";
import type { AxisStep, Filled, FilledChain, FilledTerm, TermOrder } from "../filled.ts";

/** A term that may be shown; its tree is built only if it is. */
interface Candidate {
  readonly place: number;
  readonly value: number;
  /** The caller's own name for the term. */
  readonly key: number;
}

/** Takes the values of all terms in order and gives the chain with those that are kept. */
export class TermPicker {
  readonly #reducer: Reducer;
  readonly #type: ScalarType;
  readonly #order: TermOrder;
  readonly #most: number;
  /** By position: how many are kept from the start. */
  readonly #first: number;
  readonly #kept: Candidate[] = [];
  #tail: Candidate[] = [];
  #best: Candidate | undefined;
  #total: number;
  #rest: number;
  #count = 0;
  #outside = 0;

  /** @param type of the terms */
  constructor(reducer: Reducer, type: ScalarType, order: TermOrder, most: number) {
    this.#reducer = reducer;
    this.#type = type;
    this.#order = order;
    this.#most = most;
    this.#first = order === "size" ? most : Math.ceil(most / 2);
    this.#total = identityOf(reducer, type);
    this.#rest = reducer === "prod" ? 1 : 0;
  }

  /** A term in the padding, which changes nothing. */
  offerOutside(): void {
    this.#outside++;
  }

  offer(value: number, key: number): void {
    const candidate = { place: this.#count++, value, key };
    const reducer = this.#reducer;
    if (reducer === "sum") this.#total += value;
    else if (reducer === "prod") this.#total *= value;
    else this.#compare(candidate);
    if (this.#order === "size") this.#insert(candidate);
    else if (this.#kept.length < this.#first) this.#kept.push(candidate);
    else {
      this.#tail.push(candidate);
      if (this.#tail.length > this.#most - this.#first) this.#leaveOut(this.#tail.shift()!);
    }
  }

  /** @param build gives the tree of a term that is kept, and where the reduction stood */
  chain(build: (key: number) => { readonly at: readonly AxisStep[]; readonly term: Filled }): FilledChain {
    const reducer = this.#reducer;
    const isArg = reducer === "argmax" || reducer === "argmin";
    const candidates = [...this.#kept, ...this.#tail];
    // What is shown whole reads best as the formula has it.
    const isWhole = candidates.length === this.#count;
    if (isWhole) candidates.sort((a, b) => a.place - b.place);
    // The winner of a max is shown even when it stands in the middle.
    const best = this.#best;
    if (best !== undefined && !candidates.includes(best)) candidates.splice(this.#first, 0, best);
    const isAdded = reducer === "sum" || reducer === "prod";
    return {
      kind: "chain",
      reducer,
      order: isWhole ? "position" : this.#order,
      terms: candidates.map(({ place, key }): FilledTerm => ({ place, ...build(key) })),
      count: this.#count,
      outside: this.#outside,
      value: isArg ? (best?.place ?? 0) : this.#total,
      type: isArg || this.#type === "bool" ? "int" : this.#type,
      ...(isAdded && !isWhole ? { rest: this.#rest } : {}),
    };
  }

  #compare(candidate: Candidate): void {
    const { value } = candidate;
    const downward = this.#reducer === "min" || this.#reducer === "argmin";
    const better = downward ? value < this.#total : value > this.#total;
    if (Number.isNaN(this.#total) || !(this.#best === undefined || better || Number.isNaN(value))) return;
    this.#total = value;
    this.#best = candidate;
  }

  /** Among the largest, before those that are smaller; of equals the first comes first. */
  #insert(candidate: Candidate): void {
    const kept = this.#kept;
    let place = kept.length;
    while (place > 0 && this.#isLarger(candidate, kept[place - 1]!)) place--;
    if (place < this.#most) kept.splice(place, 0, candidate);
    else this.#leaveOut(candidate);
    if (kept.length > this.#most) this.#leaveOut(kept.pop()!);
  }

  #isLarger(a: Candidate, b: Candidate): boolean {
    const [x, y] = [this.#size(a.value), this.#size(b.value)];
    // What makes a result NaN is what a person looks for.
    return x > y || (Number.isNaN(x) && !Number.isNaN(y));
  }

  /** What orders terms: how much they add, by how much they multiply, or how close they come to winning. */
  #size(value: number): number {
    if (this.#reducer === "sum") return Math.abs(value);
    if (this.#reducer === "prod") return Math.abs(Math.log(Math.abs(value)));
    return this.#reducer === "min" || this.#reducer === "argmin" ? -value : value;
  }

  #leaveOut({ value }: Candidate): void {
    if (this.#reducer === "sum") this.#rest += value;
    else if (this.#reducer === "prod") this.#rest *= value;
  }
}
