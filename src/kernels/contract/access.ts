// Affine accesses of a contraction, as flat strides and bounds checks per axis, after exact divisions are removed.

import type { AffineIndex, Index } from "../../nest/nest.ts";

/** base + Σ steps[axis] · axis must lie in [0, extent) for the access to be valid. */
interface Check {
  readonly base: number;
  readonly steps: readonly number[];
  readonly extent: number;
}

/** One dimension of the tensor: its index is base + Σ steps[axis] · axis, its neighbours are `pitch` elements apart. */
export interface AccessDimension {
  readonly base: number;
  readonly steps: readonly number[];
  readonly extent: number;
  readonly pitch: number;
  readonly checked: boolean;
}

/** Where a tensor is read or written: element base + Σ strides[axis] · axis, valid when all checks hold. */
export interface AffineAccess {
  readonly base: number;
  readonly strides: readonly number[];
  readonly checks: readonly Check[];
  /** Outermost first. */
  readonly dimensions: readonly AccessDimension[];
}

/** Elements from one step of the axis to the next; 0 where there is no such axis. */
export const strideOf = (access: AffineAccess, axis: number | undefined): number => (axis === undefined ? 0 : access.strides[axis]!);

/** For each axis of the nest: axis = factor · step + residue with step in [0, extent). */
export interface Substitution {
  readonly factors: readonly number[];
  readonly residues: readonly number[];
  readonly extents: readonly number[];
}

/** All indices as affine ones; undefined when one is indirect. */
export function affineIndices(indices: readonly Index[]): readonly AffineIndex[] | undefined {
  return indices.every((index) => index.kind === "affine") ? indices : undefined;
}

/** The substitution that leaves every axis as it is. */
export function identity(extents: readonly number[]): Substitution {
  return { factors: extents.map(() => 1), residues: extents.map(() => 0), extents };
}

/** Flattens the indices of a dense row-major tensor. The substitution must make every division exact at every step. */
export function accessOf(indices: readonly AffineIndex[], shape: readonly number[], axes: Substitution): AffineAccess {
  const count = axes.extents.length;
  const strides: number[] = new Array(count).fill(0);
  const checks: Check[] = [];
  const dimensions: AccessDimension[] = [];
  let base = 0;
  let pitch = 1;
  for (let dimension = shape.length - 1; dimension >= 0; dimension--) {
    const index = indices[dimension]!;
    const extent = shape[dimension]!;
    const steps: number[] = new Array(count).fill(0);
    let start = index.offset;
    for (const { axis, coefficient } of index.terms) {
      steps[axis]! += (coefficient * axes.factors[axis]!) / index.divisor;
      start += coefficient * axes.residues[axis]!;
    }
    start /= index.divisor;
    const [low, high] = rangeOf(start, steps, axes.extents);
    const checked = low < 0 || high >= extent;
    if (checked) checks.push({ base: start, steps, extent });
    dimensions.unshift({ base: start, steps, extent, pitch, checked });
    base += start * pitch;
    for (let axis = 0; axis < count; axis++) strides[axis]! += steps[axis]! * pitch;
    pitch *= extent;
  }
  return { base, strides, checks, dimensions };
}

/** Smallest and largest value of base + Σ steps · axis. */
export function rangeOf(base: number, steps: readonly number[], extents: readonly number[]): [number, number] {
  let low = base;
  let high = base;
  steps.forEach((step, axis) => {
    const reach = step * (extents[axis]! - 1);
    if (reach < 0) low += reach;
    else high += reach;
  });
  return [low, high];
}
