// Compares a workload's first losses or outputs with the ones PyTorch computes from the same numbers (agreement.json).

import { readFileSync } from "node:fs";
import type { Tensor } from "kasane";

/** Losses of the first steps, or the first outputs and the mean magnitude of each result. */
export type Outcome = { readonly losses: readonly number[] } | { readonly results: readonly Excerpt[] };

export interface Excerpt {
  readonly first: readonly number[];
  readonly meanMagnitude: number;
}

export interface Agreement {
  readonly with: string;
  /** Largest difference over the largest magnitude of what is compared. */
  readonly relativeDifference: number;
  readonly compared: number;
  /** The first losses of both, where the workload trains. */
  readonly losses?: readonly number[];
  readonly expectedLosses?: readonly number[];
}

interface Reference {
  readonly source: string;
  readonly workloads: Readonly<Record<string, { readonly losses?: readonly number[]; readonly results?: readonly Excerpt[] }>>;
}

// Compiled programs lie in build/bench/.
const FILE = new URL("../../bench/agreement.json", import.meta.url);
const SHOWN = 3;
let reference: Reference | undefined;

export function excerpt(result: Tensor): Excerpt {
  const { data } = result;
  let total = 0;
  for (const value of data) total += Math.abs(Number(value));
  return { first: [...data.slice(0, 4)].map(Number), meanMagnitude: total / data.length };
}

export function agreement(workload: string, outcome: Outcome | undefined): Agreement | undefined {
  reference ??= JSON.parse(readFileSync(FILE, "utf8")) as Reference;
  const expected = reference.workloads[workload];
  if (expected === undefined || outcome === undefined) return undefined;
  if ("losses" in outcome) {
    const expectedLosses = expected.losses ?? [];
    const compared = Math.min(outcome.losses.length, expectedLosses.length);
    return {
      with: reference.source,
      relativeDifference: difference(outcome.losses.slice(0, compared), expectedLosses.slice(0, compared)),
      compared,
      losses: outcome.losses.slice(0, SHOWN),
      expectedLosses: expectedLosses.slice(0, SHOWN),
    };
  }
  const pairs = outcome.results.map((result, number) => [result, expected.results?.[number]] as const);
  const differences = pairs.map(([result, other]) =>
    other === undefined
      ? Number.NaN
      : Math.max(difference(result.first, other.first, other.meanMagnitude), difference([result.meanMagnitude], [other.meanMagnitude])),
  );
  return { with: reference.source, relativeDifference: Math.max(...differences), compared: pairs.length * 5 };
}

function difference(values: readonly number[], expected: readonly number[], scale = 0): number {
  const magnitude = Math.max(scale, ...expected.map(Math.abs));
  return Math.max(...values.map((value, number) => Math.abs(value - (expected[number] ?? Number.NaN)))) / magnitude;
}
