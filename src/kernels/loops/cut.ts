// Cuts long reductions with few results: parts of a reduced axis first, then their results in order.

import type { AffineIndex, Axis, DType, Nest, Operand, Result, ScalarType } from "../../nest/nest.ts";
import { resultsOf } from "../expressions/access.ts";
import { mapNest } from "./schedule.ts";

/** A nest of reductions in two phases. */
export interface CutReduction {
  /** Write different elements of `partials`: equal parts, and what is left of the axis. */
  readonly parts: readonly Nest[];
  /** By result: what its parts come to; undefined for what is written at every step, which the parts do. */
  readonly partials: readonly (Operand | undefined)[];
  /** Reads the partials as operands after those of the original, and has the results that are reductions. */
  readonly last: Nest;
}

/**
 * Pure; which parts there are depends on the shape alone, and so do the bits of the result. Not for argmax and argmin,
 * which would need both what a part found and where.
 * @param axis a reduced one
 * @param length steps per part, fewer than the axis has
 */
export function cutReduction(nest: Nest, axis: number, length: number): CutReduction {
  const { free, axes, operands } = nest;
  const { extent, name } = axes[axis]!;
  const whole = Math.floor(extent / length);
  const rest = extent - whole * length;
  const count = whole + (rest > 0 ? 1 : 0);
  const index = (axis: number, offset = 0): AffineIndex => {
    return { kind: "affine", terms: [{ axis, coefficient: 1 }], offset, divisor: 1, checked: false };
  };
  const results = resultsOf(nest);
  const shape = [count, ...axes.slice(0, free).map((each) => each.extent)];
  const partials = results.map(({ reducer, body }) => (reducer === undefined ? undefined : { dtype: STORED[body.type], shape }));
  const partsFrom = (from: number, parts: number, steps: number): Nest => {
    const moved = part(nest, axis, { name, extent: steps }, parts, length, from * length);
    const [own, ...joined] = resultsOf(moved).map((result, number): Result => {
      const partial = partials[number];
      if (partial === undefined) return result;
      return {
        ...result,
        epilogue: undefined,
        output: { ...partial, index: shape.map((_, d) => index(d, d === 0 ? from : 0)), accumulate: false },
      };
    });
    return withResults(moved, own!, joined);
  };
  const complete = results.filter(({ reducer }) => reducer !== undefined);
  const [own, ...joined] = complete.map(
    (result, number): Result => ({
      ...result,
      body: {
        kind: "load",
        operand: operands.length + number,
        index: shape.map((_, d) => index(d === 0 ? free : d - 1)),
        fill: 0,
        type: result.body.type,
      },
    }),
  );
  const last: Nest = {
    ...nest,
    operands: [...operands, ...partials.filter((partial) => partial !== undefined)],
    axes: [...axes.slice(0, free), { name: "part", extent: count }],
  };
  return {
    parts: [partsFrom(0, whole, length), ...(rest > 0 ? [partsFrom(whole, 1, rest)] : [])],
    partials,
    last: withResults(last, own!, joined),
  };
}

function withResults(nest: Nest, { reducer, body, epilogue, output }: Result, joined: readonly Result[]): Nest {
  const { joined: _, ...rest } = nest;
  return { ...rest, reducer, body, epilogue, output, ...(joined.length > 0 ? { joined } : {}) };
}

const STORED = { float: "float32", int: "int32", bool: "bool" } as const satisfies Record<ScalarType, DType>;

/**
 * The reduction over steps offset + length · part + [0, extent of `steps`) of the axis, with the part as a free axis
 * before all others.
 */
function part(nest: Nest, axis: number, steps: Axis, parts: number, length: number, offset: number): Nest {
  const moved = (index: AffineIndex): AffineIndex => {
    const step = index.terms.find((term) => term.axis === axis)?.coefficient ?? 0;
    const terms = index.terms.map((term) => ({ ...term, axis: term.axis + 1 }));
    return {
      ...index,
      terms: step === 0 ? terms : [{ axis: 0, coefficient: step * length }, ...terms],
      offset: index.offset + step * offset,
    };
  };
  const changed = mapNest(nest, (scalar) => scalar, moved);
  const axes = nest.axes.map((each, number) => (number === axis ? steps : each));
  return { ...changed, axes: [{ name: "part", extent: parts }, ...axes], free: nest.free + 1 };
}
