// Chooses vector axis, loop order, unrolling and slices of a nest with a small model of its memory accesses.

import { instructionsOf } from "../../nest/costs.ts";
import type { Nest, Scalar } from "../../nest/nest.ts";
import { accessOf, allScalars, childrenOf, findsPositions, type MemoryAccess, resultsOf } from "../expressions/access.ts";
import { Interner } from "../expressions/intern.ts";
import { readsVectors } from "../expressions/loads.ts";
import { contiguous, storesOf } from "../expressions/stores.ts";
import type { Machine } from "../language/language.ts";

export interface LoopPlan {
  /** The axis whose steps fill the lanes; undefined: everything is scalar. */
  readonly vector: number | undefined;
  /** Free axes as loops, outermost first; the vector axis last when it is free. */
  readonly free: readonly number[];
  /** Reduced axes as loops, outermost first; the vector axis last when it is reduced. Small ones are unrolled. */
  readonly reduced: readonly number[];
  readonly unrolled: ReadonlySet<number>;
  /** Vectors side by side along the vector axis. */
  readonly unroll: number;
  /** Scalar operations per step of the whole nest, roughly. */
  readonly cost: number;
}

/** @param first a free axis that is to be the outermost loop */
export function planLoops(nest: Nest, machine: Machine, first?: number): LoopPlan {
  const facts = factsOf(nest);
  const candidates = [undefined, ...[...nest.axes.keys()].filter((axis) => axis !== first)].map((axis) => ({
    axis,
    cost: vectorCost(nest, facts, axis, machine),
  }));
  const best = candidates.reduce((a, b) => (b.cost < a.cost ? b : a));
  const vector = best.cost === Number.POSITIVE_INFINITY ? undefined : best.axis;
  const { lanes } = machine;
  const free = range(0, nest.free).filter((axis) => axis !== vector);
  const output = facts.outputs[0]!.stores[0]!;
  free.sort((a, b) => Number(b === first) - Number(a === first) || weight(output, b) - weight(output, a) || a - b);
  let reduced = range(nest.free, nest.axes.length).filter((axis) => axis !== vector);
  const ordered = findsPositions(nest);
  const stride = (axis: number) => Math.max(0, ...facts.loads.map((access) => weight(access, axis)));
  if (!ordered) reduced.sort((a, b) => stride(b) - stride(a) || a - b);
  const unrolled = smallAxes(nest, reduced, facts.cost);
  if (!ordered) reduced = [...reduced.filter((axis) => !unrolled.has(axis)), ...reduced.filter((axis) => unrolled.has(axis))];
  if (vector !== undefined) (vector < nest.free ? free : reduced).push(vector);
  const extent = vector === undefined ? 1 : nest.axes[vector]!.extent;
  let unroll = 1;
  const most = mostVectors(nest, facts.cost, vector, machine);
  const inner = [...unrolled].reduce((product, axis) => product * nest.axes[axis]!.extent, 1);
  while (unroll * 2 <= most && unroll * 2 * lanes <= extent && unroll * 2 * inner <= 32) unroll *= 2;
  return { vector, free, reduced, unrolled, unroll, cost: facts.cost };
}

/** As many vectors side by side as hide latencies and find room in registers. */
function mostVectors(nest: Nest, cost: number, vector: number | undefined, { registers }: Machine): number {
  const isFree = vector !== undefined && vector < nest.free;
  // Long chains of operations in a map take turns; each keeps a handful of registers.
  if (nest.reducer === undefined) return cost <= 12 ? 4 : Math.min(4, registers / 8);
  const accumulators = resultsOf(nest).filter(({ reducer }) => reducer !== undefined).length;
  if (findsPositions(nest)) return isFree && accumulators === 1 ? 4 : 1;
  // A row of accumulators for sums over outer axes; four chains hide the latency of inner ones.
  const most = isFree ? registers / 2 / accumulators : Math.min(4, registers / 4 / accumulators);
  return Math.max(1, Math.floor(cost > 12 * accumulators ? Math.min(2, most) : most));
}

/** Small reduced axes (the window of a pooling) become straight code. */
function smallAxes(nest: Nest, reduced: readonly number[], cost: number): Set<number> {
  const small = new Set<number>();
  let product = 1;
  for (const axis of [...reduced].reverse()) {
    const extent = nest.axes[axis]!.extent;
    if (extent === 0 || extent > 5 || product * extent * Math.max(1, cost / 4) > 32) continue;
    small.add(axis);
    product *= extent;
  }
  return small;
}

interface Facts {
  readonly loads: readonly MemoryAccess[];
  /** Per load: axes that take part in an indirect or divided coordinate. */
  readonly irregular: readonly number[];
  /**
   * Per result where it is written, and at how many steps of the loops: at all, or only when its reduction is complete.
   */
  readonly outputs: readonly { readonly stores: readonly MemoryAccess[]; readonly isReduced: boolean }[];
  readonly outputIrregular: number;
  /** Scalar operations of body and epilogue. */
  readonly cost: number;
}

function factsOf(nest: Nest): Facts {
  const interner = new Interner();
  const unique = new Map(allScalars(nest).map((scalar) => [interner.of(scalar).id, scalar]));
  const loads = [...unique.values()].filter((scalar) => scalar.kind === "load");
  const accesses = loads.map((load) => accessOf(nest.operands[load.operand]!, load.index));
  const irregular = (access: MemoryAccess) => {
    let axes = 0;
    for (const { index, linear } of access.checks) {
      if (index.kind === "indirect") axes |= interner.of(index.value).axes;
      else if (!linear) for (const term of index.terms) axes |= 1 << term.axis;
    }
    return axes;
  };
  const outputs = resultsOf(nest).map((result) => ({ stores: storesOf(result), isReduced: result.reducer !== undefined }));
  const cost = [...unique.values()].reduce((sum, scalar) => sum + costOf(scalar), 1);
  return { loads: accesses, irregular: accesses.map(irregular), outputs, outputIrregular: irregular(outputs[0]!.stores[0]!), cost };
}

/** Scalar operations of one node, roughly. */
export function costOf(scalar: Scalar): number {
  if (scalar.kind === "call") return instructionsOf(scalar.fn);
  if (scalar.kind === "load") return 1 + 3 * scalar.index.filter((index) => index.kind === "indirect" || index.checked).length;
  return childrenOf(scalar).length;
}

/** Time per step of the nest in units of one vector operation; infinite where the axis cannot fill lanes. */
function vectorCost(nest: Nest, facts: Facts, axis: number | undefined, machine: Machine): number {
  const { loads, irregular, outputs, cost } = facts;
  const output = outputs[0]!.stores[0]!;
  if (axis === undefined) return cost + loads.length + outputs.reduce((sum, { stores }) => sum + stores.length, 0);
  const { lanes } = machine;
  const { extent } = nest.axes[axis]!;
  const bit = 1 << axis;
  const isReduced = axis >= nest.free;
  if (extent < 2) return Number.POSITIVE_INFINITY;
  if (isReduced && findsPositions(nest) && axis !== nest.axes.length - 1) return Number.POSITIVE_INFINITY;
  const touched = output.terms.has(axis) || (facts.outputIrregular & bit) !== 0;
  if (!isReduced && nest.output.accumulate && !touched) return Number.POSITIVE_INFINITY;
  let total = cost;
  loads.forEach((access, position) => {
    const along = access.terms.get(axis) ?? 0;
    const laneChecks = access.checks.filter(
      ({ index }) => index.kind === "affine" && index.terms.some((term) => term.axis === axis),
    ).length;
    const gathers =
      (irregular[position]! & bit) !== 0 ||
      laneChecks > 1 ||
      (along === 0 ? laneChecks > 0 : !readsVectors(along, laneChecks > 0, { lanes, size: access.size }));
    total += gathers ? 3 * lanes : Math.abs(along) + 4 * laneChecks;
  });
  const steps = Math.ceil(extent / lanes) * lanes;
  const turns = range(nest.free, nest.axes.length).reduce((product, other) => product * nest.axes[other]!.extent, 1);
  const outputChecks = output.checks.some(({ index }) => index.kind === "affine" && index.terms.some((term) => term.axis === axis));
  for (const { stores, isReduced: isLate } of outputs) {
    if (isReduced && isLate) continue;
    const scatters = (facts.outputIrregular & bit) !== 0 || outputChecks || contiguous(stores, axis) === undefined;
    total += ((scatters ? 3 * lanes : 1) * stores.length) / (isLate ? Math.max(1, turns) : 1);
  }
  const perStep = (total * steps) / extent / lanes;
  const late = outputs.filter((each) => each.isReduced).length;
  return isReduced ? perStep + (10 * late) / Math.max(1, turns) : perStep;
}

const weight = (access: MemoryAccess, axis: number): number => Math.abs(access.terms.get(axis) ?? 0);

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
