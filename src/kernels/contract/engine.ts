// Emits a contraction: by Winograd's algorithm or spreading where they apply, else one residue class after another.

import type { Nest } from "../../nest/nest.ts";
import type { ModuleBuilder } from "../language/builder.ts";
import type { Variable } from "../language/language.ts";
import { max, min, operation, sub } from "../language/values.ts";
import { entryParameters, functionName, type LoweredNest } from "../lowered.ts";
import { type LoweredClass, lowerClass } from "./class.ts";
import type { ContractionClass, ContractionPlan } from "./plan.ts";
import { canSpread, lowerSpread } from "./spread.ts";
import { canEmit, lowerWinograd } from "./winograd/engine.ts";
import { canEmitGradient, lowerGradient } from "./winograd/gradient.ts";
import { findGradientWindows, findWindows, paysOff } from "./winograd/plan.ts";
import { FLOPS_PER_WORK, phaseOf } from "./work.ts";

/** Writes the functions of a contraction into the module. */
export function lowerContraction(plan: ContractionPlan, module: ModuleBuilder): LoweredNest {
  const windows = findWindows(plan);
  if (windows !== undefined && canEmit(windows) && paysOff(windows, module.machine)) return lowerWinograd(windows, module);
  if (windows !== undefined && canSpread(windows, module.machine)) return lowerSpread(windows, module);
  const gradient = findGradientWindows(plan);
  if (gradient !== undefined && canEmitGradient(gradient) && paysOff(gradient, module.machine)) return lowerGradient(gradient, module);
  const planned = plan.classes.filter((part) => elementsOf(part) > 0);
  const clears = isMostlyZeros(plan.nest, planned);
  const classes = (clears ? planned.filter(hasProducts) : planned).map((part) => lowerClass(plan, part, module));
  const [only] = classes;
  const common = {
    scratchBytes: Math.max(64, ...classes.map((part) => part.scratchBytes)),
    clears,
    sequential: false,
    notes: classes.map((part) => part.note),
  };
  if (only?.partialSums !== undefined && classes.length === 1) {
    // What is left is to add up the parts of the sums.
    const { entry, slices, partialSums } = only;
    return { ...common, entry, slices, slicesPerCall: slices, work: partialSums.sharedBytes / 4, setup: 0, ...partialSums };
  }
  const slices = classes.reduce((sum, part) => sum + part.slices, 0);
  const setup = classes.reduce((sum, part) => sum + part.setup, 0);
  const entry = only !== undefined && classes.length === 1 ? only.entry : defineDispatch(plan, classes, module);
  return { ...common, ...phaseOf(entry, slices, plan.flops / FLOPS_PER_WORK, setup) };
}

const elementsOf = ({ batch, m, n }: ContractionClass): number => batch * m * n;
const hasProducts = ({ segments }: ContractionClass): boolean => segments.some(({ k }) => k > 0);

/**
 * Whether the output had better be cleared first, whole vectors at a time, because classes without products make up at
 * least half of it: each lies scattered over the output, an element here and there. A step that writes only a part of
 * its buffer must leave the rest alone.
 */
function isMostlyZeros({ output, epilogue }: Nest, planned: readonly ContractionClass[]): boolean {
  if (epilogue !== undefined || output.accumulate || output.inPlace === true) return false;
  const elements = (parts: readonly ContractionClass[]) => parts.reduce((sum, part) => sum + elementsOf(part), 0);
  const [all, multiplied] = [elements(planned), elements(planned.filter(hasProducts))];
  return multiplied > 0 && multiplied <= all / 2 && all === output.shape.reduce((product, extent) => product * extent, 1);
}

/** The function that hands each class its part of the slices. */
function defineDispatch(plan: ContractionPlan, classes: readonly LoweredClass[], module: ModuleBuilder): string {
  const parameters = entryParameters(plan.nest);
  return module.define(
    functionName(plan.nest, "contract"),
    parameters,
    (k, p) => {
      let first = 0;
      for (const { entry, slices } of classes) {
        const begin = k.let(max(sub(p.begin!, first), 0), "begin");
        const end = k.let(min(sub(p.end!, first), slices), "end");
        const own: { readonly [name: string]: Variable } = { ...p, begin, end };
        const others = Object.keys(parameters).map((name) => own[name]!);
        k.if(operation("lt", [begin, end]), () => k.call(entry, others));
        first += slices;
      }
    },
    true,
  );
}
