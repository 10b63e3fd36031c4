// The contraction engine: one kernel family for matrix products, einsum, convolutions and all their gradients.

import type { Nest } from "../../nest/nest.ts";
import type { Machine } from "../language/language.ts";
import type { AffineAccess } from "./access.ts";
import { directColumns } from "./direct.ts";
import { type ContractionClass, type ContractionPlan, isWritten, planContraction } from "./plan.ts";

export { lowerContraction } from "./engine.ts";
export type { ContractionPlan } from "./plan.ts";
export { defineTileProbe, tileCandidates } from "./probe.ts";

/**
 * Below this many operations per batch index, tables and tiles cost more than the products (measured on 3×3×3 … 8×8×8).
 */
const LEAST_FLOPS = 1024;

/** The plan for a nest that gains from packing and a register tile; undefined: the general lowering takes it. */
export function matchContraction(nest: Nest, machine: Machine): ContractionPlan | undefined {
  const plan = planContraction(nest);
  if (plan === undefined) return undefined;
  // Segments of K are added up in the output.
  if (isWritten(nest) && plan.classes.some((part) => part.segments.length > 1)) return undefined;
  const [largest] = [...plan.classes].sort((a, b) => workOf(b) - workOf(a));
  if (largest === undefined || plan.flops < LEAST_FLOPS * largest.batch) return undefined;
  return reusesRegisters(plan, largest, machine) ? plan : undefined;
}

function workOf({ m, n, segments }: ContractionClass): number {
  return segments.reduce((sum, segment) => sum + m * n * segment.k, m * n);
}

/**
 * With one row or one column (matrix times vector) nothing that was packed would be read twice, and with a few steps of
 * K there is little to reuse; a convolution to one channel gains while its columns need no packing. A few dot products
 * along contiguous vectors are what the general lowering does best. The numbers are where the two were measured to
 * break even.
 */
function reusesRegisters(plan: ContractionPlan, part: ContractionClass, machine: Machine): boolean {
  const { m, n } = part;
  const k = part.segments.reduce((sum, segment) => sum + segment.k, 0);
  if (n === 1 || m * n <= 4 || k < 4) return false;
  if (m === 1) return n >= 64 && k >= 32 && directColumns(plan, part, machine) !== undefined;
  if (m > 4 && n > 3) return true;
  return !part.segments.every(({ a, b, extents }) => [a, b].every((access) => isDot(access, plan.roles.k, extents)));
}

function isDot(access: AffineAccess, depth: readonly number[], extents: readonly number[]): boolean {
  return access.checks.length === 0 && depth.some((axis) => access.strides[axis] === 1 && extents[axis]! >= 16);
}
