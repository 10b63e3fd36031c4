// Residue classes: with axis = step · i + residue, an exact quotient becomes affine, or is never whole.

import type { AffineIndex } from "../nest/nest.ts";

/** Of every axis the least number of steps that moves each index by a multiple of its divisor. */
export function classSteps(axes: number, indices: readonly AffineIndex[]): number[] {
  const steps = new Array<number>(axes).fill(1);
  for (const { terms, divisor } of indices)
    for (const { axis, coefficient } of terms)
      steps[axis] = leastCommonMultiple(steps[axis]!, divisor / greatestCommonDivisor(divisor, coefficient));
  return steps;
}

/** How many numbers below the extent leave the residue. */
export function classExtent(extent: number, step: number, residue: number): number {
  return Math.max(0, Math.ceil((extent - residue) / step));
}

/** Every list of numbers, each below the given one in its place; the last counts fastest. */
export function combinations(limits: readonly number[]): number[][] {
  return limits.reduce<number[][]>((heads, limit) => heads.flatMap((head) => Array.from({ length: limit }, (_, n) => [...head, n])), [[]]);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : greatestCommonDivisor(b, a % b);
}

function leastCommonMultiple(a: number, b: number): number {
  return (a / greatestCommonDivisor(a, b)) * b;
}
