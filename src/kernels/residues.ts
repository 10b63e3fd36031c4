// Nests that read through exact quotients (gradients of strided pooling) become one plain nest per residue class of the strided axes.
import type { AffineIndex, FunctionName, Index, Nest, Reducer, Scalar } from "../formula/nest.ts";
import { affineIndicesOf, allScalars } from "./access.ts";
import { foldConstants, mapNest } from "./schedule.ts";

const mostClasses = 16;
/** Window positions written out per class. */
const mostTerms = 64;

/**
 * With i = s·i′ + r and the window positions as constants, (i − p + pad) / s is either i′ + a constant or never whole, so that no
 * remainder is left to compute and most window positions drop out. Undefined where that does not apply or would grow too large.
 */
export function splitResidues(nest: Nest): readonly Nest[] | undefined {
  const indices = allScalars(nest)
    .flatMap(affineIndicesOf)
    .filter((index) => index.divisor > 1);
  if (indices.length === 0 || nest.reducer === "argmax" || nest.reducer === "argmin") return undefined;
  const steps = nest.axes.map((_, axis) => indices.reduce((step, index) => lcm(step, stepOf(index, axis)), 1));
  const unrolled = [...nest.axes.keys()].filter((axis) => axis >= nest.free && steps[axis]! > 1);
  const classes = steps.slice(0, nest.free).reduce((product, step) => product * step, 1);
  const terms = unrolled.reduce((product, axis) => product * nest.axes[axis]!.extent, 1);
  if (classes === 1 || classes > mostClasses || terms > mostTerms || terms === 0) return undefined;
  const parts = [...product(steps.slice(0, nest.free))].map((residues) => classOf(nest, steps, residues, unrolled));
  const joined = join(nest, parts) ?? parts;
  const present = joined.filter((part) => part.axes.every((axis, number) => number >= part.free || axis.extent > 0));
  return present.length === 0 ? parts.slice(0, 1) : present;
}

/**
 * The classes as one nest that stores an element of each class at every step, so that what they share is computed once and their elements
 * interleave in memory; the last steps, which only some classes have, stay nests of their own. Undefined where something is left to reduce.
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
      const moved = substitute(map, (number) => (number === axis ? { factor: 1, offset: start } : undefined));
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
  const { body, epilogue, ...single } = substitute(nest, (axis) => (axis < nest.free ? undefined : { factor: 0, offset: 0 }));
  const map: Nest = { ...single, axes: nest.axes.slice(0, nest.free), reducer: undefined, body: epilogue ?? body, epilogue: undefined };
  return mapNest(
    map,
    (scalar) => (scalar.kind === "accumulator" ? body : scalar),
    (index) => index,
  );
}

/** The least number of steps of the axis that moves the index by a multiple of its divisor. */
function stepOf(index: AffineIndex, axis: number): number {
  const coefficient = index.terms.find((term) => term.axis === axis)?.coefficient ?? 0;
  return coefficient === 0 ? 1 : index.divisor / gcd(Math.abs(coefficient), index.divisor);
}

function classOf(nest: Nest, steps: readonly number[], residues: readonly number[], unrolled: readonly number[]): Nest {
  const strided = substitute(nest, (axis) => (axis < nest.free ? { factor: steps[axis]!, offset: residues[axis]! } : undefined));
  const axes = nest.axes.map((axis, number) =>
    number < nest.free ? { ...axis, extent: Math.max(0, Math.ceil((axis.extent - residues[number]!) / steps[number]!)) } : axis,
  );
  if (unrolled.length === 0) return { ...strided, axes };
  const bodies = [...product(unrolled.map((axis) => nest.axes[axis]!.extent))].map((positions) => {
    const constants = new Map(unrolled.map((axis, place) => [axis, positions[place]!]));
    return substitute(strided, (axis) => (constants.has(axis) ? { factor: 0, offset: constants.get(axis)! } : undefined)).body;
  });
  const body = combined(nest.reducer!, bodies);
  // The written-out axes stay as single steps: the nest remains a reduction.
  return { ...strided, body, axes: axes.map((axis, number) => (unrolled.includes(number) ? { ...axis, extent: 1 } : axis)) };
}

const combiners = { sum: "add", prod: "mul", max: "max", min: "min", argmax: "max", argmin: "min" } as const satisfies Record<
  Reducer,
  FunctionName
>;

function combined(reducer: Reducer, bodies: readonly Scalar[]): Scalar {
  const type = bodies[0]!.type;
  const neutral = reducer === "sum" ? 0 : reducer === "prod" ? 1 : undefined;
  const kept = type === "bool" ? bodies : bodies.filter((body) => body.kind !== "constant" || body.value !== neutral);
  if (kept.length === 0) return { kind: "constant", value: neutral ?? 0, type };
  return kept.reduce((a, b) => ({ kind: "call", fn: combiners[reducer], args: [a, b], type }));
}

/** Replaces axes by factor · axis + offset everywhere, divides quotients out where they become whole, and folds what becomes constant. */
function substitute(nest: Nest, change: (axis: number) => { readonly factor: number; readonly offset: number } | undefined): Nest {
  const moved = (index: AffineIndex): AffineIndex => {
    let { offset } = index;
    const terms = index.terms.flatMap((term) => {
      const given = change(term.axis);
      if (given === undefined) return [term];
      offset += term.coefficient * given.offset;
      return given.factor === 0 ? [] : [{ axis: term.axis, coefficient: term.coefficient * given.factor }];
    });
    const { divisor } = index;
    const whole = divisor > 1 && offset % divisor === 0 && terms.every((term) => term.coefficient % divisor === 0);
    if (!whole) return { ...index, terms, offset };
    return {
      ...index,
      terms: terms.map((term) => ({ ...term, coefficient: term.coefficient / divisor })),
      offset: offset / divisor,
      divisor: 1,
    };
  };
  const simplified = (scalar: Scalar): Scalar => {
    if (scalar.kind === "load" && scalar.index.some(neverWhole)) return { kind: "constant", value: scalar.fill, type: scalar.type };
    if (scalar.kind === "inside" && scalar.index.some(neverWhole)) return { kind: "constant", value: 0, type: "bool" };
    const folded = foldConstants(scalar);
    if (folded.kind === "call" && folded.fn === "select" && folded.args[0]!.kind === "constant")
      return folded.args[folded.args[0]!.value !== 0 ? 1 : 2]!;
    if (folded.kind === "call" && folded.fn === "select" && sameConstant(folded.args[1]!, folded.args[2]!)) return folded.args[1]!;
    return folded;
  };
  return mapNest(nest, simplified, moved);
}

/** Every step leaves the same non-zero remainder. */
function neverWhole(index: Index): boolean {
  if (index.kind !== "affine" || index.divisor === 1) return false;
  return index.terms.every((term) => term.coefficient % index.divisor === 0) && index.offset % index.divisor !== 0;
}

const sameConstant = (a: Scalar, b: Scalar): boolean => a.kind === "constant" && b.kind === "constant" && Object.is(a.value, b.value);

function* product(extents: readonly number[]): Generator<number[]> {
  const [first, ...rest] = extents;
  if (first === undefined) {
    yield [];
    return;
  }
  for (let i = 0; i < first; i++) for (const tail of product(rest)) yield [i, ...tail];
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const lcm = (a: number, b: number): number => (a / gcd(a, b)) * b;
