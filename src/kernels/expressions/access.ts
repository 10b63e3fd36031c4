// Addresses of loads and stores: affine parts as coefficients of the axes, other parts as checked coordinates.

import type { AffineIndex, Index, Inside, Nest, Operand, Result, Scalar } from "../../nest/nest.ts";
import { type Element, elementBytes, elementOf } from "./elements.ts";

/** A coordinate that must be computed and checked at run time. */
export interface Check {
  readonly index: Index;
  readonly dimension: number;
  /** Elements between neighbours of this dimension. */
  readonly stride: number;
  /** True when the coordinate is already in the access's linear part, so that only its range is to be checked. */
  readonly linear: boolean;
}

export const insideOf = (index: Index, dimension: number): Inside => ({
  kind: "inside",
  index: [index],
  extents: [dimension],
  type: "bool",
});

export interface MemoryAccess {
  /** Elements per step of each axis; no zeros. */
  readonly terms: ReadonlyMap<number, number>;
  readonly offset: number;
  readonly checks: readonly Check[];
  readonly element: Element;
  /** Bytes per element. */
  readonly size: number;
  /**
   * Some axis moves the address down, so that address parts may lie below the buffer: then nothing is left to constant
   * offsets.
   */
  readonly descends: boolean;
}

export function accessOf(operand: Operand, index: readonly Index[]): MemoryAccess {
  const terms = new Map<number, number>();
  const checks: Check[] = [];
  let offset = 0;
  let stride = 1;
  for (let d = index.length - 1; d >= 0; d--) {
    const item = index[d]!;
    const dimension = operand.shape[d]!;
    const linear = item.kind === "affine" && item.divisor === 1;
    if (linear) {
      offset += item.offset * stride;
      for (const { axis, coefficient } of item.terms) {
        const sum = (terms.get(axis) ?? 0) + coefficient * stride;
        if (sum === 0) terms.delete(axis);
        else terms.set(axis, sum);
      }
    }
    if (!linear || item.checked) checks.push({ index: item, dimension, stride, linear });
    stride *= dimension;
  }
  const element = elementOf(operand.dtype);
  return { terms, offset, checks, element, size: elementBytes[element], descends: [...terms.values()].some((step) => step < 0) };
}

/** The sub-expressions of a scalar: arguments, and values that indices are computed from. */
export function childrenOf(scalar: Scalar): readonly Scalar[] {
  switch (scalar.kind) {
    case "call":
      return scalar.args;
    case "load":
    case "inside":
      return scalar.index.flatMap((index) => (index.kind === "indirect" ? [index.value] : []));
    default:
      return [];
  }
}

/** The affine indices that a scalar itself (not its children) is made of. */
export function affineIndicesOf(scalar: Scalar): readonly AffineIndex[] {
  switch (scalar.kind) {
    case "position":
      return [scalar.index];
    case "load":
    case "inside":
      return scalar.index.filter((index): index is AffineIndex => index.kind === "affine");
    default:
      return [];
  }
}

/** What a nest's loops compute, its own result first. */
export function resultsOf(nest: Nest): readonly [Result, ...Result[]] {
  return [nest, ...(nest.joined ?? [])];
}

/** Whether some result is the position of an extremum, for which the order of the reduced axes matters. */
export function findsPositions(nest: Nest): boolean {
  return resultsOf(nest).some(({ reducer }) => reducer === "argmax" || reducer === "argmin");
}

/** Every expression of a nest: bodies, epilogues, values that indices are computed from. */
export function allScalars(nest: Nest): Scalar[] {
  const found = new Set<Scalar>();
  const visit = (scalar: Scalar) => {
    if (found.has(scalar)) return;
    found.add(scalar);
    childrenOf(scalar).forEach(visit);
  };
  for (const { body, epilogue, output } of resultsOf(nest)) {
    visit(body);
    if (epilogue !== undefined) visit(epilogue);
    for (const index of output.index) if (index.kind === "indirect") visit(index.value);
  }
  for (const store of nest.also ?? []) visit(store.value);
  return [...found];
}
