// Splits axes of a contraction into residue classes, so that divided indices become affine and no zeros are multiplied.

import type { AffineIndex } from "../../nest/nest.ts";
import { classExtent, classSteps, combinations } from "../residues.ts";
import type { Substitution } from "./access.ts";

/** One class of the free axes, with the parts of the reduced axes that contribute to it (none: the sum is empty). */
export interface ResidueClass {
  readonly free: Substitution;
  /** Each covers free and reduced axes; the free part equals `free`. */
  readonly segments: readonly Substitution[];
}

/** More classes than this and the contraction is left to the general lowering. */
const LIMIT = 64;

/**
 * A strided convolution's gradient reads gy at (m + p − d·k) / s. Writing m = s·m' + r and k = f·k' + q turns the steps
 * with an exact division into affine ones, one class per residue of the free axes; all other steps read the fill 0 and
 * are skipped.
 * @param extents of all axes, free ones first
 * @param indices every index of both operands
 * @returns undefined when there would be too many classes
 */
export function residueClasses(
  extents: readonly number[],
  free: number,
  indices: readonly AffineIndex[],
): readonly ResidueClass[] | undefined {
  const divided = indices.filter((index) => index.divisor > 1);
  const factors = classSteps(extents.length, divided);
  const product = (list: readonly number[]) => list.reduce((total, factor) => total * factor, 1);
  if (product(factors.slice(0, free)) > LIMIT || product(factors) > LIMIT * LIMIT) return undefined;
  const classes: ResidueClass[] = [];
  for (const head of combinations(factors.slice(0, free))) {
    const freeExtents = shrink(extents.slice(0, free), factors, head);
    // A class without steps writes nothing, unless the whole nest writes nothing.
    if (freeExtents.some((extent, axis) => extent === 0 && extents[axis]! > 0)) continue;
    const segments: Substitution[] = [];
    for (const tail of combinations(factors.slice(free))) {
      const residues = [...head, ...tail];
      if (!divided.every((index) => dividesExactly(index, residues))) continue;
      const all = shrink(extents, factors, residues);
      if (all.slice(free).some((extent) => extent === 0)) continue;
      segments.push({ factors, residues, extents: all });
    }
    classes.push({ free: { factors: factors.slice(0, free), residues: head, extents: freeExtents }, segments });
  }
  return classes;
}

function dividesExactly({ terms, offset, divisor }: AffineIndex, residues: readonly number[]): boolean {
  const value = terms.reduce((sum, { axis, coefficient }) => sum + coefficient * residues[axis]!, offset);
  return value % divisor === 0;
}

function shrink(extents: readonly number[], factors: readonly number[], residues: readonly number[]): number[] {
  return extents.map((extent, axis) => classExtent(extent, factors[axis]!, residues[axis]!));
}
