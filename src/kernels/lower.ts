// From a loop nest to kernel functions: the dispatch between the contraction engine and the general lowering.

import { requireReach } from "../nest/addressable.ts";
import { byteLength } from "../nest/arrays.ts";
import type { Nest } from "../nest/nest.ts";
import { shapeText } from "../util/shape-text.ts";
import { lowerContraction, matchContraction } from "./contract/index.ts";
import { resultsOf } from "./expressions/access.ts";
import type { ModuleBuilder } from "./language/builder.ts";
import { lowerLoops, lowerRows, type Rows } from "./loops/general.ts";
import { entryRegions, type LoweredNest, requireSize } from "./lowered.ts";

/**
 * How the contraction engine plugs in (src/kernels/contract/index.ts exports exactly these two):
 *
 *   matchContraction(nest: Nest, machine: Machine): ContractionPlan | undefined
 *     the plan when the nest is a sum of products of floats that gains from packing and a register tile; undefined → general lowering
 *   lowerContraction(plan: ContractionPlan, module: ModuleBuilder): LoweredNest
 *     writes its functions (packing, micro-kernel, entry) into `module`
 *
 * It may use Evaluator (evaluator.ts) for packing loads through index maps and for epilogues:
 *
 *   const e = new Evaluator(k, nest, { operands: [in0, in1], outs: [out], params });
 *   e.bind([{ axis, value: i }, { axis: vectorAxis, value: j, vector: true }], () => {   // counters: i32; vector: lanes are j, j+1, …
 *     const x = e.evaluate(load);                            // vf32 when it depends on the vector axis, else f32 (splat() it)
 *     e.withAccumulator(acc, () => e.writeResults());         // epilogue of acc, stored through the output's index map
 *   });
 *
 * Loads are bounds-checked as the nest says; hoist(scalar) evaluates early what does not depend on axes that are still unbound.
 *
 * @param rows cuts the nest so; for nests that are no contractions and divide nothing
 */
export function lowerNest(nest: Nest, module: ModuleBuilder, rows?: Rows): LoweredNest {
  requireCountable(nest);
  const lowered = rows === undefined ? lowerWhole(nest, module) : lowerRows(nest, rows, module);
  const regions = entryRegions(nest, lowered);
  for (const { entry } of [...(lowered.before ?? []), lowered]) module.confine(entry, regions);
  return lowered;
}

/** What binding and fusing let through fits; what wrapped around would reach memory outside of the buffers. */
function requireCountable(nest: Nest): void {
  for (const operand of [...nest.operands, ...resultsOf(nest).map(({ output }) => output)])
    requireSize(byteLength(operand), `"${nest.name}": a tensor of shape ${shapeText(operand.shape)}`);
  for (const { body, epilogue, output, reducer } of resultsOf(nest)) {
    const { joined: _, ...loops } = nest;
    requireReach({ ...loops, body, epilogue, output, reducer });
  }
}

function lowerWhole(nest: Nest, module: ModuleBuilder): LoweredNest {
  const contraction = matchContraction(nest, module.machine);
  return contraction === undefined ? lowerLoops(nest, module) : lowerContraction(contraction, module);
}
