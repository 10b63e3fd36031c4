// The contraction engine: one kernel family for matrix products, einsum, convolutions and all their gradients.
import type { Nest } from "../../formula/nest.ts";
import type { Machine } from "../language.ts";
import { type ContractionPlan, planContraction } from "./plan.ts";

export { lowerContraction } from "./engine.ts";
export type { ContractionPlan } from "./plan.ts";

/** The plan for a nest that gains from packing and a register tile; undefined: the general lowering takes it. */
export function matchContraction(nest: Nest, _machine: Machine): ContractionPlan | undefined {
  return planContraction(nest);
}
