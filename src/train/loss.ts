// The loss of a batch with totals and counts, so that losses of several batches add up to that of all samples.

import { type LossTerms, type Term, termsOf } from "../nn/losses/terms.ts";
import { gradientsOf } from "../tensor/autograd/backward.ts";
import { withRecording } from "../tensor/autograd/tape.ts";
import { full, type HostArray, noGrad, stack, type Tensor, where, zeros } from "../tensor/index.ts";
import { observing } from "../tensor/observe.ts";
import { asTensor, isTensor, valueOf } from "../tensor/tensor.ts";
import { recompute } from "../tensor/trace/recompute.ts";
import { InputError } from "../util/errors.ts";
import { isPromise, kindOf } from "../util/kind-of.ts";
import { shapeText } from "../util/shape-text.ts";
import type { Loss } from "./types.ts";

/** The loss of a batch. */
export type BatchLoss = {
  /** One number; 0 where no sample of the batch counts. */
  readonly loss: Tensor;
  /**
   * What it is made of, where it is more than a mean over samples that all count the same: a rest, then of every mean
   * and sum by how much the loss grows with it, its total, its count, and 1 for a sum.
   */
  readonly account?: Tensor;
};

/** Numbers in an account for each mean or sum. */
const PER_TERM = 4;

/** The loss of a prediction. @throws InputError when it is not one number */
export function lossOf(loss: Loss, prediction: Tensor, target: Tensor): BatchLoss {
  if (typeof loss !== "function")
    throw new InputError(`expected a loss, a function of prediction and target, got ${kindOf(loss)}`, { hint: "loss: crossEntropy" });
  const found = termsOf(() => oneNumber(loss(prediction, target)), quotient);
  return accountOf(found, indexOfOwn(found), () => slopesOf(loss, prediction, target));
}

/** One of several parts of a batch that are computed one after another. */
export interface MicroBatch {
  readonly prediction: Tensor;
  readonly target: Tensor;
}

/** What the means of a whole batch are divided by, for the parts of it. */
export type Wholes = readonly Tensor[];

/** @param first the prediction of the first part, instead of those to come: counts depend on the targets alone */
export function wholesOf(loss: Loss, first: Tensor, targets: readonly Tensor[]): Wholes {
  const [target] = targets as readonly [Tensor];
  const perSample = (first.shape[0] ?? 1) / (target.shape[0] ?? 1);
  const countsOf = (part: Tensor): Tensor[] => {
    const rows = (part.shape[0] ?? 1) * perSample;
    const prediction = rows === first.shape[0] ? first : first.slice([0, rows]);
    return recomputed(() => noGrad(() => termsOf(() => oneNumber(loss(prediction, part))))).terms.flatMap(({ count }) => count ?? []);
  };
  const counts = countsOf(target);
  return counts.length === 0
    ? counts
    : targets.slice(1).reduce((sums, part) => countsOf(part).map((count, n) => count.add(sums[n]!)), counts);
}

/**
 * The losses of the parts of a batch, of which the gradients are taken part by part: those of all are those of the
 * whole batch.
 * @param parts computed one by one, when asked for
 * @param samples how many there are in all parts
 */
export function lossOfParts(
  loss: Loss,
  parts: Iterable<MicroBatch>,
  samples: number,
  wholes: Wholes,
  take: (loss: Tensor) => void,
): BatchLoss {
  let total: Tensor | undefined;
  let terms: Term[] = [];
  let own: number | undefined;
  let last: MicroBatch | undefined;
  for (const part of parts) {
    const share = (part.target.shape[0] ?? 1) / samples;
    const found = termsOf(
      () => oneNumber(loss(part.prediction, part.target)),
      (sum, count, n) => quotient(sum, wholes[n] ?? count).div(share),
    );
    own = indexOfOwn(found);
    const value = own !== undefined && !isMean(found.terms[own]!) ? found.value : found.value.mul(share);
    take(value);
    total = total === undefined ? value.detach() : total.add(value.detach());
    terms = found.terms.map((term, n) => ({ ...term, total: terms[n]?.total.add(term.total.detach()) ?? term.total.detach() }));
    last = { ...part, prediction: part.prediction.detach() };
  }
  const value = total as Tensor;
  const { prediction, target } = last as MicroBatch;
  let mean = 0;
  const ofBatch = terms.map((term) => (isMean(term) ? { ...term, count: wholes[mean++] ?? term.count } : term));
  return accountOf({ value, terms: ofBatch }, own, () => slopesOf(loss, prediction, target));
}

/** Where a batch has no sample that counts, NaN, with which a step stops; else the number itself. */
export function whereCounted(number: Tensor, { account }: BatchLoss): Tensor {
  if (account === undefined) return number;
  const part = (at: number): Tensor => account.slice(at).reshape([]);
  const nothing = partsThatCount(account.size).reduce((before, at) => before.logicalAnd(part(at).equal(0)), part(0).equal(0));
  return where(nothing, Number.NaN, number) as Tensor;
}

/** Whether no sample of a batch counts, by its account. */
export function isUncounted(account: HostArray | undefined): boolean {
  return account !== undefined && account[0] === 0 && partsThatCount(account.length).every((at) => account[at] === 0);
}

/**
 * Where an account of so many numbers has the count of each mean, and whether it is a sum; what is not 0 there counts,
 * as a rest does.
 */
function partsThatCount(size: number): number[] {
  return Array.from({ length: (size - 1) / PER_TERM }, (_, n) => [PER_TERM * n + 3, PER_TERM * n + 4]).flat();
}

/**
 * The loss of all samples of several batches, as if they were one, of running sums: plain numbers that a checkpoint
 * stores.
 */
export class LossSum {
  /**
   * The rest times samples, the samples, and of every mean and sum: slope times samples, total, count, and 1 for a sum.
   */
  readonly #sums: number[];

  constructor(state: readonly number[] = []) {
    this.#sums = state.length === 0 ? [0, 0] : [...state];
  }

  /** Whether numbers can be those of `state()`. */
  static fits(state: readonly number[]): boolean {
    return state.length >= 2 && (state.length - 2) % PER_TERM === 0;
  }

  add(loss: number, samples: number, account: HostArray = new Float64Array([loss])): void {
    const sums = this.#sums;
    sums[0]! += account[0]! * samples;
    sums[1]! += samples;
    for (let at = 1; at < account.length; at += PER_TERM) {
      const [slope, total, count, isSum] = account.subarray(at, at + PER_TERM) as unknown as [number, number, number, number];
      const own = at + 1;
      sums[own] = (sums[own] ?? 0) + slope * samples;
      sums[own + 1] = (sums[own + 1] ?? 0) + total;
      sums[own + 2] = (sums[own + 2] ?? 0) + count;
      sums[own + 3] = isSum;
    }
  }

  get value(): number {
    const [rest, samples] = this.#sums as [number, number];
    let value = rest;
    for (let at = 2; at < this.#sums.length; at += PER_TERM) {
      const [slopes, total, count, isSum] = this.#sums.slice(at, at + PER_TERM) as [number, number, number, number];
      value += slopes * (isSum === 1 ? total : total / count);
    }
    return value / samples;
  }

  state(): number[] {
    return [...this.#sums];
  }
}

/** 0 where nothing counts. */
function quotient(total: Tensor, count: Tensor): Tensor {
  const nothing = count.equal(0);
  return where(nothing, 0, total.div(where(nothing, 1, count)));
}

function isMean(term: Term): term is Term & { readonly count: Tensor } {
  return term.count !== undefined;
}

/** The mean or sum that the loss is. */
function indexOfOwn({ value, terms }: LossTerms): number | undefined {
  const found = terms.findIndex((term) => valueOf(term.value) === valueOf(value));
  return found < 0 ? undefined : found;
}

/** @param own the term that the loss itself is @param slopes by how much it grows with each of its means */
function accountOf({ value, terms }: LossTerms, own: number | undefined, slopes: () => readonly Tensor[]): BatchLoss {
  if (own !== undefined) return withAccount(value, [terms[own]!], [1]);
  const means = terms.filter(isMean);
  return means.length === 0 ? { loss: value } : withAccount(value, means, slopes());
}

function withAccount(value: Tensor, terms: readonly Term[], slopes: readonly (Tensor | number)[]): BatchLoss {
  const { dtype } = value;
  const number = (given: Tensor | number): Tensor => (isTensor(given) ? given.detach().reshape([]).to(dtype) : full([], given, { dtype }));
  const loss = number(value);
  const isAll = slopes.length === 1 && slopes[0] === 1;
  const inTerms = terms.map((term, n) =>
    isMean(term) ? quotient(number(term.total), number(term.count)).mul(number(slopes[n] ?? 0)) : number(0),
  );
  const rest = isAll ? zeros([], { dtype }) : inTerms.reduce((left, part) => left.sub(part), loss);
  const numbers = terms.flatMap((term, n) => [
    number(slopes[n] ?? 0),
    number(term.total),
    number(term.count ?? 0),
    number(isMean(term) ? 0 : 1),
  ]);
  return { loss: value, account: noGrad(() => stack([rest, ...numbers])) };
}

/** By how much a loss that is put together grows with each of its means. */
function slopesOf(loss: Loss, prediction: Tensor, target: Tensor): Tensor[] {
  return recomputed(() =>
    withRecording(true, () => {
      const leaves: Tensor[] = [];
      const { value } = termsOf(
        () => loss(prediction.detach(), target),
        (total, count) => {
          const leaf = quotient(total, count).detach();
          valueOf(leaf).requiresGrad = true;
          leaves.push(leaf);
          return leaf;
        },
      );
      const inside = leaves.map((leaf) => valueOf(leaf));
      const found = valueOf(value).requiresGrad ? gradientsOf(valueOf(value), inside, undefined, { stops: true }) : [];
      return leaves.map((leaf, n) => (found[n] === undefined ? zeros([], { dtype: leaf.dtype }) : asTensor(found[n])));
    }),
  );
}

/** Runs a loss once more, unwatched and without what lasts. */
function recomputed<Result>(run: () => Result): Result {
  return recompute({ drawn: [], settings: [] }, () => observing(undefined, run));
}

function oneNumber(value: unknown): Tensor {
  if (!isTensor(value))
    throw new InputError(`the loss must give a tensor of one number, it gave ${kindOf(value)}`, {
      hint: isPromise(value) ? "a loss that is not async, nor waits for anything" : "return what crossEntropy(prediction, target) gives",
    });
  if (value.size !== 1)
    throw new InputError(`fit: the loss must be one number, got shape ${shapeText(value.shape)}`, {
      hint: "take its mean over the batch",
    });
  return value;
}
