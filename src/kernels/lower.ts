// From a loop nest to kernel functions: the dispatch between the contraction engine and the general lowering.
import type { Nest } from "../formula/nest.ts";
import type { ModuleBuilder } from "./builder.ts";
import { lowerContraction, matchContraction } from "./contract/index.ts";
import type { ValueType } from "./language.ts";
import { lowerLoops } from "./loops.ts";

/**
 * One nest, lowered. `entry` is a function of the module with the parameters of `entryParameters(nest)`:
 *
 *   in0: pointer … inN: pointer   one per operand of the nest, the start of a dense buffer in this machine's memory
 *   out: pointer                  the output buffer
 *   params: pointer               the program's params, 4 bytes each (float: f32, int: i32)
 *   scratch: pointer              `scratchBytes` bytes, 64-byte aligned, contents undefined, kept only within one call
 *   begin: i32, end: i32          which of the `slices` to do: 0 ≤ begin < end ≤ slices
 *
 * All buffers and the scratch are 64-byte aligned and disjoint, with at least 128 readable bytes before and after each, so full vectors
 * may be read past an end; never written. Slices are independent (different threads may run different ones at the same time, each with
 * its own scratch; no slice depends on another or writes what another writes with a different value).
 * The caller runs [0, slices) in calls of about `slicesPerCall` slices: V8 has no on-stack replacement for wasm, so a function becomes
 * fast only when it is called again after tier-up; aim at 20 µs to 1 ms of work per call.
 */
export interface LoweredNest {
  readonly entry: string;
  readonly scratchBytes: number;
  readonly slices: number;
  readonly slicesPerCall: number;
  /** Slices must run in order on one thread (scatter-add: two may add to one element). */
  readonly sequential?: boolean;
  /** Lines for listings: loop order, vector axis, tile. */
  readonly notes: readonly string[];
}

/** Parameters of an entry, by name, in order. */
export function entryParameters(nest: Nest): { readonly [name: string]: ValueType } {
  const operands = nest.operands.map((_, position) => [`in${position}`, "pointer"] as const);
  const rest = { out: "pointer", params: "pointer", scratch: "pointer", begin: "i32", end: "i32" } as const;
  return { ...Object.fromEntries(operands), ...rest };
}

/**
 * How the contraction engine plugs in (src/kernels/contract/index.ts exports exactly these two):
 *
 *   matchContraction(nest: Nest, machine: Machine): ContractionPlan | undefined
 *     the plan when the nest is a float32 sum of products that gains from packing and a register tile; undefined → general lowering
 *   lowerContraction(plan: ContractionPlan, module: ModuleBuilder): LoweredNest
 *     writes its functions (packing, micro-kernel, entry) into `module`
 *
 * It may use Evaluator (evaluator.ts) for packing loads through index maps and for epilogues:
 *
 *   const e = new Evaluator(k, nest, { operands: [in0, in1], out, params });
 *   e.bind([{ axis, value: i }, { axis: vectorAxis, value: j, vector: true }], () => {   // counters: i32; vector: lanes are j, j+1, …
 *     const x = e.evaluate(load);                            // vf32 when it depends on the vector axis, else f32 (splat() it)
 *     e.withAccumulator(acc, () => e.write(e.result(), count)); // epilogue of acc, stored through the output's index map
 *   });
 *
 * Loads are bounds-checked as the nest says; hoist(scalar) evaluates early what does not depend on axes that are still unbound.
 */
export function lowerNest(nest: Nest, module: ModuleBuilder): LoweredNest {
  const contraction = matchContraction(nest, module.machine);
  return contraction === undefined ? lowerLoops(nest, module) : lowerContraction(contraction, module);
}
