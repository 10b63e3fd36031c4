// Cuts the loops of a nest into slices, and finds the loop ranges of given slices.

import type { Nest } from "../../nest/nest.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { LoopPlan } from "./plan.ts";
import type { TransposePlan } from "./transpose.ts";

/** Element operations per slice at least, and per call from outside. */
const WORK_PER_SLICE = 2048;
export const WORK_PER_CALL = 300_000;

export interface Range {
  readonly from: Value;
  readonly to: Value;
}

/** Slices are blocks of the first loop, or (few long steps) all blocks of the second for each step of the first. */
export interface Slicing {
  readonly slices: number;
  /** Work of one slice, element operations. */
  readonly perSlice: number;
  readonly first: { readonly grain: number; readonly extent: number } | undefined;
  readonly second: { readonly grain: number; readonly extent: number; readonly blocks: number } | undefined;
}

export function planSlices(nest: Nest, plan: LoopPlan, transpose: TransposePlan | undefined, lanes: number, perSlice?: number): Slicing {
  const rows = transpose?.rows;
  const order = transpose === undefined ? plan.free : [...transpose.outer, transpose.rows];
  const total = nest.axes.reduce((product, axis) => product * axis.extent, plan.cost);
  const [a, b] = order;
  if (total === 0 || a === undefined) return { slices: 1, perSlice: total, first: undefined, second: undefined };
  const grainOf = (axis: number, extent: number, work: number) => {
    const unit = axis === plan.vector ? lanes * plan.unroll : axis === rows ? Math.max(16, lanes) : 1;
    const steps = Math.ceil(WORK_PER_SLICE / Math.max(1, work / extent));
    return Math.min(Math.ceil(steps / unit) * unit, Math.ceil(extent / unit) * unit);
  };
  const extent = nest.axes[a]!.extent;
  if (perSlice !== undefined) {
    const slices = Math.ceil(extent / perSlice);
    return { slices, perSlice: total / slices, first: { grain: perSlice, extent }, second: undefined };
  }
  if (b !== undefined && rows === undefined && total / extent > WORK_PER_CALL && extent < 64) {
    const inner = nest.axes[b]!.extent;
    const grain = grainOf(b, inner, total / extent);
    const blocks = Math.ceil(inner / grain);
    const slices = extent * blocks;
    return { slices, perSlice: total / slices, first: { grain: 1, extent }, second: { grain, extent: inner, blocks } };
  }
  const grain = grainOf(a, extent, total);
  const slices = Math.ceil(extent / grain);
  return { slices, perSlice: total / slices, first: { grain, extent }, second: undefined };
}

/** Turns the slices [begin, end) into ranges of the first (and second) loop. */
export function ranges(
  k: FunctionBuilder,
  slicing: Slicing,
  begin: Value,
  end: Value,
  write: (first?: Range, second?: Range) => void,
): void {
  const { first, second, slices } = slicing;
  if (first === undefined) {
    write();
  } else if (second !== undefined) {
    k.loop(begin, end, 1, (slice) => {
      const step = k.let(v.operation("divideUnsigned", [slice, second.blocks]), "step");
      const from = k.let(v.mul(v.sub(slice, v.mul(step, second.blocks)), second.grain), "from");
      const to = k.let(v.min(v.add(from, second.grain), second.extent), "to");
      write({ from: step, to: k.let(v.add(step, 1)) }, { from, to });
    });
  } else if (slices === 1) {
    write({ from: v.i32(0), to: v.i32(first.extent) });
  } else {
    const from = k.let(v.mul(begin, first.grain), "from");
    const to = k.let(v.min(v.mul(end, first.grain), first.extent), "to");
    write({ from, to });
  }
}
