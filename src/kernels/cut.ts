// Long reductions to few results, cut: parts of a reduced axis are reduced at the same time, then their results in order.
import type { AffineIndex, Axis, DType, Nest, Operand, ScalarType } from "../formula/nest.ts";
import { mapNest } from "./schedule.ts";

/** A reduction in two phases. */
export interface CutReduction {
  /** Write different elements of `aside`: equal parts, and what is left of the axis. */
  readonly parts: readonly Nest[];
  readonly aside: Operand;
  /** Reads `aside` as one operand more than the original has. */
  readonly last: Nest;
}

/**
 * Pure; which parts there are depends on the shape alone, and so do the bits of the result. Not for argmax and argmin, which would need
 * both what a part found and where.
 * @param axis a reduced one
 * @param length steps per part, fewer than the axis has
 */
export function cutReduction(nest: Nest, axis: number, length: number): CutReduction {
  const { free, axes, body, operands } = nest;
  const { extent, name } = axes[axis]!;
  const whole = Math.floor(extent / length);
  const rest = extent - whole * length;
  const count = whole + (rest > 0 ? 1 : 0);
  const aside: Operand = { dtype: stored[body.type], shape: [count, ...axes.slice(0, free).map((each) => each.extent)] };
  const index = (axis: number, offset = 0): AffineIndex => {
    return { kind: "affine", terms: [{ axis, coefficient: 1 }], offset, divisor: 1, checked: false };
  };
  const partsFrom = (from: number, parts: number, steps: number): Nest => ({
    ...part(nest, axis, { name, extent: steps }, parts, length, from * length),
    output: { ...aside, index: aside.shape.map((_, d) => index(d, d === 0 ? from : 0)), accumulate: false },
  });
  const results = aside.shape.map((_, d) => index(d === 0 ? free : d - 1));
  return {
    parts: [partsFrom(0, whole, length), ...(rest > 0 ? [partsFrom(whole, 1, rest)] : [])],
    aside,
    last: {
      ...nest,
      operands: [...operands, aside],
      axes: [...axes.slice(0, free), { name: "part", extent: count }],
      body: { kind: "load", operand: operands.length, index: results, fill: 0, type: body.type },
    },
  };
}

const stored = { float: "float32", int: "int32", bool: "bool" } as const satisfies Record<ScalarType, DType>;

/** The reduction over steps offset + length · part + [0, extent of `steps`) of the axis, with the part as a free axis before all others. */
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
  const changed = mapNest({ ...nest, epilogue: undefined }, (scalar) => scalar, moved);
  const axes = nest.axes.map((each, number) => (number === axis ? steps : each));
  return { ...changed, axes: [{ name: "part", extent: parts }, ...axes], free: nest.free + 1 };
}
