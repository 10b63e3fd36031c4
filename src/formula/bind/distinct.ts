// Checks that every loop step of a statement writes its own element: otherwise the element has no single value.

import type { AffineIndex, Axis, Index } from "../../nest/nest.ts";

/** Steps that are tried one by one where no rule tells. */
const MOST_TRIED = 2 ** 16;

/**
 * The axes of which several steps write one element; undefined where all elements differ, and where data decides (ids).
 * @param free the axes that walk over the output, the first of `axes`
 */
export function repeatingAxes(index: readonly Index[], axes: readonly Axis[], free: number): readonly Axis[] | undefined {
  if (!index.every((item) => item.kind === "affine")) return undefined;
  const open = new Set(Array.from({ length: free }, (_, axis) => axis).filter((axis) => axes[axis]!.extent > 1));
  // A dimension that tells its axes apart leaves fewer for the others.
  for (let before = -1; before !== open.size; ) {
    before = open.size;
    for (const item of index) {
      const own = termsOf(item, open);
      if (tellsApart(own, axes)) for (const { axis } of own) open.delete(axis);
    }
  }
  if (open.size === 0 || differ(index, axes, [...open])) return undefined;
  return [...open].map((axis) => axes[axis]!);
}

function termsOf(item: AffineIndex, open: ReadonlySet<number>): AffineIndex["terms"] {
  return item.terms.filter(({ axis, coefficient }) => coefficient !== 0 && open.has(axis));
}

/** Like digits of a number: each step of a term is longer than all shorter ones together reach. */
function tellsApart(terms: AffineIndex["terms"], axes: readonly Axis[]): boolean {
  let reach = 0;
  for (const { axis, coefficient } of [...terms].sort((a, b) => Math.abs(a.coefficient) - Math.abs(b.coefficient))) {
    if (Math.abs(coefficient) <= reach) return false;
    reach += Math.abs(coefficient) * (axes[axis]!.extent - 1);
  }
  return true;
}

/** Tries all steps of some axes; false also where they are too many. */
function differ(index: readonly AffineIndex[], axes: readonly Axis[], open: readonly number[]): boolean {
  const steps = open.reduce((product, axis) => product * axes[axis]!.extent, 1);
  if (steps > MOST_TRIED) return false;
  const coefficients = index.map(({ terms }) => open.map((axis) => terms.find((term) => term.axis === axis)?.coefficient ?? 0));
  const seen = new Set<string>();
  for (let step = 0; step < steps; step++) {
    let rest = step;
    const place = open.map((axis) => {
      const { extent } = axes[axis]!;
      const at = rest % extent;
      rest = (rest - at) / extent;
      return at;
    });
    seen.add(coefficients.map((row) => row.reduce((sum, coefficient, n) => sum + coefficient * place[n]!, 0)).join());
  }
  return seen.size === steps;
}
