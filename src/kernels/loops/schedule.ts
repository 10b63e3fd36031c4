// Canonical form of a nest: drops axes of extent 1, joins dimensions, merges axes that move together, folds constants.

import { LARGEST_INT } from "../../nest/addressable.ts";
import { foldCall } from "../../nest/fold.ts";
import { intervalOf } from "../../nest/interval.ts";
import type { AffineIndex, Axis, Index, Nest, Operand, Result, Scalar } from "../../nest/nest.ts";
import { affineIndicesOf, allScalars, findsPositions, resultsOf } from "../expressions/access.ts";

export interface CanonicalNest {
  readonly nest: Nest;
  /** For each operand of `nest`, the operand of the original nest that it is a view of. */
  readonly sources: readonly number[];
  /** Where the axis is that was to stay as it is. */
  readonly kept: number | undefined;
}

/**
 * The same computation with as few axes as possible. Pure.
 * @param kept an axis that is not merged with others; its extent is more than 1
 */
export function canonicalize(nest: Nest, kept?: number): CanonicalNest {
  const folded = mapNest(proveIndices(nest), foldConstants, (index) => index);
  const dropped = dropUnitAxes(folded);
  const before = kept === undefined ? 0 : folded.axes.slice(0, kept).filter(({ extent }) => extent === 1).length;
  const merged = mergeAxes(dropped, kept === undefined ? undefined : kept - before);
  return { ...joinDimensions(merged.nest), kept: merged.kept };
}

/** Applies `scalar` bottom-up to every expression and `index` to every index (after the expressions inside it). */
export function mapNest(nest: Nest, change: (scalar: Scalar) => Scalar, changeIndex: (index: AffineIndex) => AffineIndex): Nest {
  const seen = new Map<Scalar, Scalar>();
  const indexOf = (index: Index): Index => (index.kind === "affine" ? changeIndex(index) : { kind: "indirect", value: visit(index.value) });
  const visit = (scalar: Scalar): Scalar => {
    const known = seen.get(scalar);
    if (known !== undefined) return known;
    const result = change(inside(scalar));
    seen.set(scalar, result);
    return result;
  };
  const inside = (scalar: Scalar): Scalar => {
    switch (scalar.kind) {
      case "call":
        return { ...scalar, args: scalar.args.map(visit) };
      case "position":
        return { ...scalar, index: changeIndex(scalar.index) };
      case "load":
      case "inside":
        return { ...scalar, index: scalar.index.map(indexOf) };
      default:
        return scalar;
    }
  };
  const resultOf = <R extends Result>(result: R): R => ({
    ...result,
    body: visit(result.body),
    epilogue: result.epilogue && visit(result.epilogue),
    output: { ...result.output, index: result.output.index.map(indexOf) },
  });
  return {
    ...resultOf(nest),
    also: nest.also?.map(({ index, value }) => ({ index: index.map(changeIndex), value: visit(value) })),
    joined: nest.joined?.map(resultOf),
  };
}

/** What is known becomes a constant; a float is rounded as the machine would. */
export function foldConstants(scalar: Scalar): Scalar {
  if (scalar.kind === "position" && scalar.index.terms.length === 0) return { kind: "constant", value: scalar.index.offset, type: "int" };
  return foldCall(scalar, Math.fround);
}

/** Drops the checks of indices that interval analysis shows to be always inside. */
function proveIndices(nest: Nest): Nest {
  const { axes } = nest;
  const within = (index: Index, extent: number): boolean => {
    if (index.kind !== "affine" || index.divisor !== 1) return false;
    const [low, high] = intervalOf(index, axes);
    return low >= 0 && high < extent;
  };
  const proven = (access: readonly Index[], shape: readonly number[]) =>
    access.map((index, d) => (index.kind === "affine" && index.checked && within(index, shape[d]!) ? { ...index, checked: false } : index));
  const changed = mapNest(
    nest,
    (scalar) => {
      if (scalar.kind === "load") {
        const index = proven(scalar.index, nest.operands[scalar.operand]!.shape);
        // What an invalid read would give makes no difference where there is none.
        return { ...scalar, index, fill: index.every((item) => item.kind === "affine" && !item.checked) ? 0 : scalar.fill };
      }
      if (scalar.kind !== "inside") return scalar;
      const open = scalar.index
        .map((index, d) => ({ index, extent: scalar.extents[d]! }))
        .filter(({ index, extent }) => !within(index, extent));
      if (open.length === 0) return { kind: "constant", value: 1, type: "bool" };
      return { ...scalar, index: open.map(({ index }) => index), extents: open.map(({ extent }) => extent) };
    },
    (index) => index,
  );
  const withProven = <R extends Result>(result: R): R => {
    return { ...result, output: { ...result.output, index: proven(result.output.index, result.output.shape) } };
  };
  return { ...withProven(changed), joined: changed.joined?.map(withProven) };
}

function dropUnitAxes(nest: Nest): Nest {
  const kept = nest.axes.map((axis) => axis.extent !== 1);
  // A reduction keeps one axis, so that it stays a reduction.
  if (nest.reducer !== undefined && !kept.some((keep, axis) => keep && axis >= nest.free)) kept[nest.free] = true;
  return renumber(nest, kept);
}

/** Removes the axes that are not kept (every index is taken at their step 0). */
function renumber(nest: Nest, kept: readonly boolean[]): Nest {
  if (kept.every(Boolean)) return nest;
  let next = 0;
  const numbers = kept.map((keep) => (keep ? next++ : -1));
  const change = (index: AffineIndex): AffineIndex => ({
    ...index,
    terms: index.terms.flatMap((term) => (kept[term.axis] ? [{ ...term, axis: numbers[term.axis]! }] : [])),
  });
  return {
    ...mapNest(nest, (scalar) => scalar, change),
    axes: nest.axes.filter((_, axis) => kept[axis]),
    free: kept.filter((keep, axis) => keep && axis < nest.free).length,
  };
}

/** Merges axes a (outer) and b (inner) where every index moves by extent(b) times as much along a as along b. */
function mergeAxes(nest: Nest, fixed: number | undefined): { nest: Nest; kept: number | undefined } {
  let current = nest;
  let kept = fixed;
  for (;;) {
    const pair = mergeablePair(current, kept);
    if (pair === undefined) return { nest: current, kept };
    const [outer, inner] = pair;
    if (kept !== undefined && outer < kept) kept--;
    const extent = current.axes[outer]!.extent * current.axes[inner]!.extent;
    const name = `${current.axes[outer]!.name}${current.axes[inner]!.name}`;
    const axes: Axis[] = current.axes.map((axis, number) => (number === inner ? { name, extent } : axis));
    current = renumber(
      { ...current, axes },
      axes.map((_, number) => number !== outer),
    );
  }
}

function mergeablePair(nest: Nest, kept: number | undefined): readonly [number, number] | undefined {
  const lists = coefficients(nest);
  const ordered = findsPositions(nest);
  for (let outer = 0; outer < nest.axes.length; outer++) {
    for (let inner = 0; inner < nest.axes.length; inner++) {
      if (inner === outer || inner === kept || outer === kept || outer < nest.free !== inner < nest.free) continue;
      // The position that argmax gives counts the reduced axes in their order.
      if (ordered && outer >= nest.free && inner !== outer + 1) continue;
      const extent = nest.axes[inner]!.extent;
      const merged = extent * nest.axes[outer]!.extent;
      if (merged === 0 || merged > LARGEST_INT) continue;
      if (lists.every((terms) => (terms.get(outer) ?? 0) === extent * (terms.get(inner) ?? 0))) return [outer, inner];
    }
  }
  return undefined;
}

/** The coefficients that must agree for a merge: neighbouring dimensions without checks count as one, flattened. */
function coefficients(nest: Nest): ReadonlyMap<number, number>[] {
  const of = (index: AffineIndex) => new Map(index.terms.map((term) => [term.axis, term.coefficient]));
  const flattened = (operand: Operand, access: readonly Index[]) =>
    runs(operand, access).flatMap(({ index }) => (index.kind === "affine" ? [of(index)] : []));
  const inBody = allScalars(nest).flatMap((scalar) =>
    scalar.kind === "load" ? flattened(nest.operands[scalar.operand]!, scalar.index) : affineIndicesOf(scalar).map(of),
  );
  const outputs = resultsOf(nest).map(({ output }) => [output, output.index] as const);
  const further = (nest.also ?? []).map(({ index }) => [nest.output, index] as const);
  return [...inBody, ...[...outputs, ...further].flatMap(([output, index]) => flattened(output, index))];
}

/** The dimensions of an access, with neighbouring unchecked ones flattened into one. */
function runs(operand: Operand, access: readonly Index[]): { index: Index; extent: number }[] {
  const result: { index: Index; extent: number }[] = [];
  access.forEach((index, d) => {
    const extent = operand.shape[d]!;
    const last = result.at(-1);
    const plain = (item: Index): item is AffineIndex => item.kind === "affine" && !item.checked && item.divisor === 1;
    if (last === undefined || !plain(index) || !plain(last.index)) {
      result.push({ index, extent });
      return;
    }
    last.index = sum(last.index, extent, index);
    last.extent *= extent;
  });
  return result;
}

/** factor · a + b. */
function sum(a: AffineIndex, factor: number, b: AffineIndex): AffineIndex {
  const terms = new Map(a.terms.map((term) => [term.axis, term.coefficient * factor]));
  for (const { axis, coefficient } of b.terms) terms.set(axis, (terms.get(axis) ?? 0) + coefficient);
  const sorted = [...terms].filter(([, coefficient]) => coefficient !== 0).sort(([x], [y]) => x - y);
  return { ...b, terms: sorted.map(([axis, coefficient]) => ({ axis, coefficient })), offset: a.offset * factor + b.offset };
}

/** Every access gets a view of its operand with the fewest dimensions; equal views are one operand. */
function joinDimensions(nest: Nest): Omit<CanonicalNest, "kept"> {
  const operands: Operand[] = [];
  const sources: number[] = [];
  const views = new Map<string, number>();
  const view = (source: number, shape: readonly number[]): number => {
    const key = `${source} ${shape.join()}`;
    let number = views.get(key);
    if (number === undefined) {
      number = operands.push({ dtype: nest.operands[source]!.dtype, shape }) - 1;
      sources.push(source);
      views.set(key, number);
    }
    return number;
  };
  const changed = mapNest(
    nest,
    (scalar) => {
      if (scalar.kind !== "load") return scalar;
      const parts = runs(nest.operands[scalar.operand]!, scalar.index);
      const operand = view(
        scalar.operand,
        parts.map((part) => part.extent),
      );
      return { ...scalar, operand, index: parts.map((part) => part.index) };
    },
    (index) => index,
  );
  const flattened = <R extends Result>(result: R): R => {
    const parts = runs(result.output, result.output.index);
    return { ...result, output: { ...result.output, shape: parts.map((part) => part.extent), index: parts.map((part) => part.index) } };
  };
  const also = changed.also?.map(({ index, value }) => ({
    index: runs(changed.output, index).map((part) => part.index as AffineIndex),
    value,
  }));
  return { nest: { ...flattened(changed), operands, also, joined: changed.joined?.map(flattened) }, sources };
}
