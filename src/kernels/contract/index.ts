// The contraction engine: one kernel family for matrix products, einsum, convolutions and all their gradients.
import type { Nest } from "../../formula/nest.ts";
import type { Machine } from "../language.ts";
import { type ContractionPlan, planContraction } from "./plan.ts";

export { lowerContraction } from "./engine.ts";
export type { ContractionPlan } from "./plan.ts";
export { defineTileProbe, tileCandidates } from "./probe.ts";

/** Below this many operations per batch index, tables and tiles cost more than the products (measured on 3×3×3 … 8×8×8). */
const leastFlops = 1024;

/** The plan for a nest that gains from packing and a register tile; undefined: the general lowering takes it. */
export function matchContraction(nest: Nest, _machine: Machine): ContractionPlan | undefined {
  const plan = planContraction(nest);
  return plan?.classes.some(({ batch, m, n }) => reusesRegisters(m, n) && plan.flops / batch >= leastFlops) ? plan : undefined;
}

/** With one row or one column (matrix times vector, depthwise convolution) nothing that was packed would be read twice. */
function reusesRegisters(m: number, n: number): boolean {
  return m > 1 && n > 1 && m * n > 4;
}
