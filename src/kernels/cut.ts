// Long reductions to few results, cut: parts of the outermost reduced axis are reduced at the same time, then their results in order.
import type { AffineIndex, DType, Nest, Operand, Scalar, ScalarType } from "../formula/nest.ts";
import { mapNest } from "./schedule.ts";

/** A reduction in two phases. Operands beyond the original's are the results of the parts, in the order of `aside`. */
export interface CutReduction {
  /** Per buffer of `aside` the nests that write it: equal parts, and what is left of the axis. */
  readonly parts: readonly (readonly Nest[])[];
  readonly aside: readonly Operand[];
  readonly last: Nest;
}

/**
 * Pure; which parts there are depends on the shape alone, and so do the bits of the result.
 * @param axis a reduced one; the first for argmax and argmin, whose positions are counted in the order of the axes
 * @param length steps per part, fewer than the axis has
 */
export function cutReduction(nest: Nest, axis: number, length: number): CutReduction {
  const { free, axes, reducer, operands } = nest;
  const { extent } = axes[axis]!;
  const whole = Math.floor(extent / length);
  const rest = extent - whole * length;
  const count = whole + (rest > 0 ? 1 : 0);
  const isArgument = reducer === "argmax" || reducer === "argmin";
  const shape = [count, ...axes.slice(0, free).map((each) => each.extent)];
  const type: ScalarType = nest.body.type;
  const results: Operand = { dtype: stored[type], shape };
  // Of an extremum's position both are needed: where it is, and how large.
  const aside = isArgument ? [{ dtype: "int32", shape } as const, results] : [results];
  const inner = axes.slice(free).reduce((product, each, number) => (number + free === axis ? product : product * each.extent), 1);
  const accumulator: Scalar = { kind: "accumulator", type: isArgument ? "int" : type };
  const parts = aside.map((output, number): readonly Nest[] => {
    const position = isArgument && number === 0;
    const by = position || !isArgument ? reducer : reducer === "argmax" ? "max" : "min";
    const before = (terms: AffineIndex["terms"], offset: number): Scalar => ({
      kind: "call",
      fn: "add",
      args: [accumulator, { kind: "position", index: { ...affine(terms), offset }, type: "int" }],
      type: "int",
    });
    const equal: Nest = {
      ...part(nest, axis, { name: axes[axis]!.name, extent: length }, whole, length, 0),
      reducer: by,
      epilogue: position ? before([{ axis: 0, coefficient: length * inner }], 0) : undefined,
      output: { ...output, index: shape.map((_, d) => affine([{ axis: d, coefficient: 1 }])), accumulate: false },
    };
    if (rest === 0) return [equal];
    const left: Nest = {
      ...part(nest, axis, { name: axes[axis]!.name, extent: rest }, 1, length, whole * length),
      reducer: by,
      epilogue: position ? before([], whole * length * inner) : undefined,
      output: { ...equal.output, index: equal.output.index.map((index, d) => (d === 0 ? { ...affine([]), offset: whole } : index)) },
    };
    return [equal, left];
  });
  const load = (number: number, first: Nest["output"]["index"][number]): Scalar => ({
    kind: "load",
    operand: operands.length + number,
    index: [first, ...shape.slice(1).map((_, d) => affine([{ axis: d, coefficient: 1 }]))],
    fill: 0,
    type: aside[number]!.dtype === "int32" ? "int" : type,
  });
  const body = load(aside.length - 1, affine([{ axis: free, coefficient: 1 }]));
  const found = isArgument ? load(0, { kind: "indirect", value: accumulator }) : accumulator;
  const last = mapNest(
    { ...nest, axes: [...axes.slice(0, free), { name: "part", extent: count }], body: { kind: "constant", value: 0, type } },
    (scalar) => (scalar.kind === "accumulator" ? found : scalar),
    (index) => index,
  );
  return {
    parts,
    aside,
    last: { ...last, operands: [...operands, ...aside], body, epilogue: last.epilogue ?? (isArgument ? found : undefined) },
  };
}

const stored = { float: "float32", int: "int32", bool: "bool" } as const satisfies Record<ScalarType, DType>;

const affine = (terms: AffineIndex["terms"]): AffineIndex => ({ kind: "affine", terms, offset: 0, divisor: 1, checked: false });

/** The nest's reduction over steps offset + length · part + [0, extent of `steps`) of the axis, with the part as a free axis before all others. */
function part(nest: Nest, axis: number, steps: Nest["axes"][number], count: number, length: number, offset: number): Nest {
  const moved = (index: AffineIndex): AffineIndex => {
    const along = index.terms.find((term) => term.axis === axis)?.coefficient ?? 0;
    const terms = index.terms.map((term) => ({ ...term, axis: term.axis + 1 }));
    return {
      ...index,
      terms: along === 0 ? terms : [{ axis: 0, coefficient: along * length }, ...terms],
      offset: index.offset + along * offset,
    };
  };
  const changed = mapNest({ ...nest, epilogue: undefined }, (scalar) => scalar, moved);
  const axes = nest.axes.map((each, number) => (number === axis ? steps : each));
  return { ...changed, axes: [{ name: "part", extent: count }, ...axes], free: nest.free + 1 };
}
