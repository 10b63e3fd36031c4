// Lowers one nest without divided indices: plan, slices, and the function that runs them.

import type { Nest } from "../../nest/nest.ts";
import { Evaluator } from "../expressions/evaluator.ts";
import type { ModuleBuilder } from "../language/builder.ts";
import type { Variable } from "../language/language.ts";
import { entryParameters, type LoweredNest, nameOf, outNames } from "../lowered.ts";
import type { LoopContext } from "./context.ts";
import { hoistAll, outerLoops, writeFree } from "./loops.ts";
import { type LoopPlan, planLoops } from "./plan.ts";
import { canonicalize } from "./schedule.ts";
import { planSlices, ranges, WORK_PER_CALL } from "./slices.ts";
import { planTranspose, writeTransposed } from "./transpose.ts";

/** A free axis whose steps make up the slices. */
export interface Rows {
  readonly axis: number;
  readonly perSlice: number;
  /** By result: what one slice writes is read again soon. */
  readonly keepsOutput: readonly boolean[];
}

/** @param rows cuts the nest so */
export function lowerPart(original: Nest, module: ModuleBuilder, exported: boolean, rows?: Rows): LoweredNest {
  const { nest, sources, kept } = canonicalize(original, rows?.axis);
  const plan = planLoops(nest, module.machine, kept);
  const turned = planTranspose(nest, plan, module.machine);
  const transpose = kept === undefined || turned?.outer[0] === kept ? turned : undefined;
  const slicing = planSlices(nest, plan, transpose, module.machine.lanes, rows?.perSlice);
  const entry = module.define(
    nameOf(nest),
    entryParameters(original),
    (k, parameters) => {
      const p = parameters as Readonly<Record<string, Variable>>;
      const operands = sources.map((source) => p[`in${source}`]!);
      const outs = outNames(nest).map((name) => p[name]!);
      const e = new Evaluator(k, nest, { operands, outs, params: p.params!, keepsOutput: rows?.keepsOutput });
      const context: LoopContext = { k, e, nest, plan };
      if (nest.axes.some((axis, number) => number < nest.free && axis.extent === 0)) return;
      hoistAll(context);
      if (transpose === undefined) {
        ranges(k, slicing, p.begin!, p.end!, (first, second) => writeFree(context, plan.free, [first, second]));
      } else {
        ranges(k, slicing, p.begin!, p.end!, (first) => {
          outerLoops(context, transpose.outer, [first], () =>
            writeTransposed(context, transpose, transpose.outer.length === 0 ? first : undefined),
          );
        });
      }
    },
    exported,
  );
  const { slices, perSlice } = slicing;
  const slicesPerCall = Math.max(1, Math.min(slices, Math.floor(WORK_PER_CALL / Math.max(1, perSlice))));
  const notes = describe(nest, plan, transpose !== undefined);
  return { entry, scratchBytes: 0, slices, slicesPerCall, work: perSlice * slices, setup: 0, sequential: nest.output.accumulate, notes };
}

function describe(nest: Nest, plan: LoopPlan, transposed: boolean): string[] {
  const names = (axes: readonly number[]) => axes.map((axis) => `${nest.axes[axis]!.name}<${nest.axes[axis]!.extent}`).join(" ");
  const how = plan.vector === undefined ? "scalar" : `vector along ${nest.axes[plan.vector]!.name}, ${plan.unroll} side by side`;
  const reduced = plan.reduced.length === 0 ? "" : `; ${nest.reducer} over ${names(plan.reduced)}`;
  return [`for ${names(plan.free) || "one point"}${reduced}; ${how}${transposed ? "; transposed in registers" : ""}`];
}
