// Splits nests with exact quotients (gradients of strided pooling) into one plain nest per residue class.

import type { AffineIndex, FunctionName, Nest, Reducer, Scalar } from "../../nest/nest.ts";
import { affineIndicesOf, allScalars } from "../expressions/access.ts";
import { classExtent, classSteps, combinations } from "../residues.ts";
import { mapNest } from "./schedule.ts";
import { scaled, substitute } from "./substitute.ts";
import { unfold } from "./unfold.ts";

const MOST_CLASSES = 16;
/** Window positions written out per class. */
const MOST_TERMS = 64;

/** The nest in parts that divide as little as possible; undefined where it divides nothing or that cannot be helped. */
export function splitQuotients(nest: Nest): readonly Nest[] | undefined {
  return unfold(nest)?.flatMap((part) => splitResidues(part) ?? [part]) ?? splitResidues(nest);
}

/**
 * With i = s·i′ + r and the window positions as constants, (i − p + pad) / s is either i′ + a constant or never whole,
 * so that no remainder is left to compute and most window positions drop out. Undefined where that does not apply or
 * would grow too large.
 */
function splitResidues(nest: Nest): readonly Nest[] | undefined {
  const indices = allScalars(nest)
    .flatMap(affineIndicesOf)
    .filter((index) => index.divisor > 1);
  if (indices.length === 0 || nest.reducer === "argmax" || nest.reducer === "argmin") return undefined;
  const steps = classSteps(nest.axes.length, indices);
  const unrolled = [...nest.axes.keys()].filter((axis) => axis >= nest.free && steps[axis]! > 1);
  const classes = steps.slice(0, nest.free).reduce((product, step) => product * step, 1);
  const terms = unrolled.reduce((product, axis) => product * nest.axes[axis]!.extent, 1);
  if (classes === 1 || classes > MOST_CLASSES || terms > MOST_TERMS || terms === 0) return undefined;
  const parts = combinations(steps.slice(0, nest.free)).map((residues) => classOf(nest, steps, residues, unrolled));
  const joined = join(nest, parts) ?? parts;
  const present = joined.filter((part) => part.axes.every((axis, number) => number >= part.free || axis.extent > 0));
  return present.length === 0 ? parts.slice(0, 1) : present;
}

/**
 * The classes as one nest that stores an element of each class at every step, so that what they share is computed once
 * and their elements interleave in memory; the last steps, which only some classes have, stay nests of their own.
 * Undefined where something is left to reduce.
 */
function join(nest: Nest, classes: readonly Nest[]): readonly Nest[] | undefined {
  const maps = classes.map(withoutReduction);
  const plain = nest.output.index.every((index) => index.kind === "affine" && !index.checked && index.divisor === 1);
  if (!plain || nest.output.inPlace === true || maps.some((map) => map === undefined)) return undefined;
  const whole = maps as Nest[];
  const common = nest.axes.slice(0, nest.free).map((_, axis) => Math.min(...whole.map(({ axes }) => axes[axis]!.extent)));
  const [first, ...others] = whole.map((map) => ({ ...map, axes: map.axes.map((axis, number) => ({ ...axis, extent: common[number]! })) }));
  const also = others.map(({ body, output }) => ({ value: body, index: output.index as readonly AffineIndex[] }));
  const edges = common.flatMap((start, axis) =>
    whole.flatMap((map) => {
      const rest = map.axes[axis]!.extent - start;
      if (rest === 0) return [];
      const moved = substitute(map, (number) => (number === axis ? scaled(axis, 1, start) : undefined));
      const extents = map.axes.map(({ extent }, number) => (number < axis ? common[number]! : number === axis ? rest : extent));
      return [{ ...moved, axes: map.axes.map((given, number) => ({ ...given, extent: extents[number]! })) }];
    }),
  );
  return [{ ...first!, also }, ...edges];
}

/** A nest whose reductions have one step each as a map; undefined for others. */
function withoutReduction(nest: Nest): Nest | undefined {
  if (nest.reducer === undefined) return nest;
  if (nest.body.type === "bool" || nest.axes.slice(nest.free).some((axis) => axis.extent !== 1)) return undefined;
  const { body, epilogue, ...single } = substitute(nest, (axis) => (axis < nest.free ? undefined : scaled(axis, 0, 0)));
  const map: Nest = { ...single, axes: nest.axes.slice(0, nest.free), reducer: undefined, body: epilogue ?? body, epilogue: undefined };
  return mapNest(
    map,
    (scalar) => (scalar.kind === "accumulator" ? body : scalar),
    (index) => index,
  );
}

function classOf(nest: Nest, steps: readonly number[], residues: readonly number[], unrolled: readonly number[]): Nest {
  const strided = substitute(nest, (axis) => (axis < nest.free ? scaled(axis, steps[axis]!, residues[axis]!) : undefined));
  const axes = nest.axes.map((axis, number) =>
    number < nest.free ? { ...axis, extent: classExtent(axis.extent, steps[number]!, residues[number]!) } : axis,
  );
  if (unrolled.length === 0) return { ...strided, axes };
  const bodies = combinations(unrolled.map((axis) => nest.axes[axis]!.extent)).map((positions) => {
    const constants = new Map(unrolled.map((axis, place) => [axis, positions[place]!]));
    return substitute(strided, (axis) => (constants.has(axis) ? scaled(axis, 0, constants.get(axis)!) : undefined)).body;
  });
  const body = combined(nest.reducer!, bodies);
  // The written-out axes stay as single steps: the nest remains a reduction.
  return { ...strided, body, axes: axes.map((axis, number) => (unrolled.includes(number) ? { ...axis, extent: 1 } : axis)) };
}

const COMBINERS = { sum: "add", prod: "mul", max: "max", min: "min", argmax: "max", argmin: "min" } as const satisfies Record<
  Reducer,
  FunctionName
>;

function combined(reducer: Reducer, bodies: readonly Scalar[]): Scalar {
  const type = bodies[0]!.type;
  const neutral = reducer === "sum" ? 0 : reducer === "prod" ? 1 : undefined;
  const kept = type === "bool" ? bodies : bodies.filter((body) => body.kind !== "constant" || body.value !== neutral);
  if (kept.length === 0) return { kind: "constant", value: neutral ?? 0, type };
  return kept.reduce((a, b) => ({ kind: "call", fn: COMBINERS[reducer], args: [a, b], type }));
}
