// Means, medians, and the noise of a loss curve, which tells a change from chance.

import { ranking } from "../../util/rank.ts";

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let n = 0; n < values.length; n++) sum += values[n]!;
  return sum / values.length;
}

/** The middle of some numbers, NaN above all others; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.slice().sort(ranking("smaller"));
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/**
 * The deviation of single losses around their trend: from their second differences, in which a steady trend cancels, by
 * the middle one, which a few hard batches do not move. 0 for fewer than three.
 */
export function deviationOf(losses: readonly number[]): number {
  const bends = losses.slice(2).map((loss, n) => Math.abs(losses[n]! - 2 * losses[n + 1]! + loss));
  // A normal variable's deviation is 1.48 times the middle of its distances from its mean; a second difference has six
  // times its variance.
  return bends.length === 0 ? 0 : (1.4826 * median(bends)) / Math.sqrt(6);
}

/** The standard error of the mean difference of two courses over the same batches, whose hardness is common to both. */
export function errorOfDifference(first: readonly number[], second: readonly number[]): number {
  return deviationOf(first.map((loss, n) => loss - second[n]!)) / Math.sqrt(Math.max(1, first.length));
}
