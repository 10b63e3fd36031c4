// Interval analysis of affine indices over their loops.

import type { AffineIndex, Axis } from "./nest.ts";

/** Smallest and largest value of the numerator over all iterations (empty axes count as one iteration). */
export function intervalOf({ terms, offset }: AffineIndex, axes: readonly Axis[]): readonly [low: number, high: number] {
  let [low, high] = [offset, offset];
  for (const { axis, coefficient } of terms) {
    const reach = coefficient * Math.max(0, axes[axis]!.extent - 1);
    if (reach < 0) low += reach;
    else high += reach;
  }
  return [low, high];
}
