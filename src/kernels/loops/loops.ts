// Emits loops over a nest's free axes, vectorized along one, with a map or a reduction inside.

import { resultsOf } from "../expressions/access.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { LoopContext } from "./context.ts";
import { interiorOf } from "./interior.ts";
import { writeReduction } from "./reduce.ts";
import type { Range } from "./slices.ts";

export function hoistAll({ e, nest, plan }: LoopContext): void {
  const free = plan.vector !== undefined && plan.vector < nest.free ? plan.vector : undefined;
  const values = e.values();
  resultsOf(nest).forEach(({ reducer, body }, number) => {
    if (nest.reducer !== undefined) e.hoist(body, plan.vector);
    if (nest.reducer === undefined || reducer !== undefined) for (const value of values[number]!) e.hoist(value, free);
  });
}

/** Scalar loops over `axes`, each hoisting what it fixes. */
export function outerLoops(context: LoopContext, axes: readonly number[], given: readonly (Range | undefined)[], write: () => void): void {
  const { k, e, nest } = context;
  const [axis, ...rest] = axes;
  if (axis === undefined) {
    write();
    return;
  }
  const range = given[0];
  k.loop(range?.from ?? 0, range?.to ?? nest.axes[axis]!.extent, 1, (i) => {
    e.bind([{ axis, value: i }], () => {
      hoistAll(context);
      if (rest.length > 0) outerLoops(context, rest, given.slice(1), write);
      else awayFromBorders(context, axis, i, write);
    });
  });
}

/** Runs without range checks along a scalar axis where no border is near it: most rows of a padded image. */
function awayFromBorders({ k, e, nest }: LoopContext, axis: number, step: Value, write: () => void): void {
  const interior = interiorOf(nest, axis, Math.ceil(nest.axes[axis]!.extent * 0.75));
  if (interior === undefined) {
    write();
    return;
  }
  const { from, to, insides } = interior;
  k.if(v.ltUnsigned(v.sub(step, from), to - from), () => e.assuming(insides, write), write);
}

/** Loops over the free axes in order, then the map or reduction at each point (or vector of points). */
export function writeFree(context: LoopContext, order: readonly number[], given: readonly (Range | undefined)[]): void {
  const { nest, plan } = context;
  const last = order.at(-1);
  const vectorized = last !== undefined && last === plan.vector;
  const scalars = vectorized ? order.slice(0, -1) : order;
  outerLoops(context, scalars, given, () => {
    if (!vectorized) {
      writePoints(context, []);
      return;
    }
    const range = given[scalars.length] ?? { from: v.i32(0), to: v.i32(nest.axes[last]!.extent) };
    vectorLoop(context, last, range);
  });
}

/**
 * Full vectors, `unroll` at a time, then one at a time. The last one steps back to overlap its neighbour, so that
 * nothing is scalar; where that is impossible (fewer steps than lanes, or doing an element twice would be wrong) a
 * partial vector ends the row. Where borders make range checks necessary, the middle of the row runs without them.
 */
function vectorLoop(context: LoopContext, axis: number, range: Range): void {
  const { k, e, nest, plan } = context;
  const { lanes } = k.machine;
  const { extent } = nest.axes[axis]!;
  const isOnce = resultsOf(nest).some(({ output }) => output.accumulate || output.inPlace === true);
  const overlaps = extent >= lanes && !isOnce;
  const full = overlaps ? range.to : minimum(range.to, extent - (extent % lanes));
  const bind = (value: Value, unroll: number, aligned: boolean, count?: number) => {
    e.bind([{ axis, value, vector: true, count, aligned }], () => {
      writePoints(
        context,
        Array.from({ length: unroll }, (_, u) => u * lanes),
      );
    });
  };
  const singles = (from: Value, to: Value) => {
    const even = extent % lanes === 0 || !overlaps;
    k.loop(from, to, lanes, (i) => bind(even ? i : settled(k, minimum(i, extent - lanes)), 1, even));
  };
  /** Full vectors from `from` while they end by `to`; gives where they end. */
  const blocks = (from: Value, to: Value, unroll: number): Value => {
    const step = lanes * unroll;
    const stop = settled(k, v.add(from, v.and(v.max(v.sub(to, from), 0), -step)));
    k.loop(from, stop, step, (i) => bind(i, unroll, true));
    return stop;
  };
  const middle = overlaps ? interiorOf(nest, axis, 2 * lanes) : undefined;
  if (middle === undefined) {
    singles(plan.unroll > 1 ? blocks(range.from, full, plan.unroll) : range.from, full);
  } else {
    const border = settled(k, v.min(full, middle.from));
    const left = settled(k, v.add(range.from, v.and(v.max(v.add(v.sub(border, range.from), lanes - 1), 0), -lanes)));
    singles(range.from, border);
    let right = left;
    e.assuming(middle.insides, () => {
      const to = settled(k, v.min(full, middle.to));
      right = blocks(left, to, plan.unroll);
      if (plan.unroll > 1) right = blocks(right, to, 1);
    });
    singles(right, full);
  }
  const rest = extent % lanes;
  if (overlaps || rest === 0) return;
  const partial = () => bind(v.i32(extent - rest), 1, true, rest);
  if (range.to.op === "constant") partial();
  else k.if(v.eq(range.to, extent), partial);
}

const settled = (k: FunctionBuilder, value: Value): Value => (value.op === "constant" || value.op === "variable" ? value : k.let(value));

const minimum = (a: Value, b: number): Value => v.min(a, b);

/** The map or reduction at the present point; with `shifts`, at several vectors of points along the vector axis. */
function writePoints(context: LoopContext, shifts: readonly number[]): void {
  const { k, e, nest, plan } = context;
  if (nest.reducer !== undefined) {
    writeReduction(context, shifts);
    return;
  }
  hoistAll(context);
  if (shifts.length <= 1) {
    e.writeResults();
    return;
  }
  const pieces = shifts.map((by) => () => e.shifted([{ axis: plan.vector!, by, vector: true }], () => e.writeResults()));
  // Elements that several steps add to are added to in order.
  if (nest.output.accumulate) for (const write of pieces) write();
  else k.interleave(pieces);
}
