// Replaces axes of a nest by linear combinations of others, and simplifies what becomes constant.

import type { AffineIndex, Index, Nest, Scalar } from "../../nest/nest.ts";
import { foldConstants, mapNest } from "./schedule.ts";

/** What takes the place of an axis: offset + Σ coefficient · axis. */
export interface Linear {
  readonly terms: AffineIndex["terms"];
  readonly offset: number;
}

/** factor · axis + offset. */
export const scaled = (axis: number, factor: number, offset: number): Linear => ({
  terms: factor === 0 ? [] : [{ axis, coefficient: factor }],
  offset,
});

/**
 * Replaces axes everywhere (undefined: stays), divides quotients out where they become whole, and folds what becomes
 * constant.
 */
export function substitute(nest: Nest, change: (axis: number) => Linear | undefined): Nest {
  const moved = (index: AffineIndex): AffineIndex => {
    let { offset } = index;
    const sums = new Map<number, number>();
    const add = (axis: number, coefficient: number) => sums.set(axis, (sums.get(axis) ?? 0) + coefficient);
    for (const { axis, coefficient } of index.terms) {
      const given = change(axis) ?? scaled(axis, 1, 0);
      offset += coefficient * given.offset;
      for (const term of given.terms) add(term.axis, coefficient * term.coefficient);
    }
    const terms = [...sums]
      .filter(([, coefficient]) => coefficient !== 0)
      .sort(([a], [b]) => a - b)
      .map(([axis, coefficient]) => ({ axis, coefficient }));
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
  return mapNest(nest, (scalar) => simplified(scalar, neverWhole), moved);
}

/** The body where reads through the given indices fail. */
export function bodyWithout(nest: Nest, fails: (index: Index) => boolean): Scalar {
  return mapNest(
    { ...nest, epilogue: undefined },
    (scalar) => simplified(scalar, fails),
    (index) => index,
  ).body;
}

function simplified(scalar: Scalar, fails: (index: Index) => boolean): Scalar {
  if (scalar.kind === "load" && scalar.index.some(fails)) return { kind: "constant", value: scalar.fill, type: scalar.type };
  if (scalar.kind === "inside" && scalar.index.some(fails)) return { kind: "constant", value: 0, type: "bool" };
  const folded = foldConstants(scalar);
  if (folded.kind !== "call" || folded.fn !== "select") return folded;
  const [condition, one, other] = folded.args as readonly [Scalar, Scalar, Scalar];
  if (condition.kind === "constant") return condition.value !== 0 ? one : other;
  return sameConstant(one, other) ? one : folded;
}

/** Every step leaves the same non-zero remainder. */
function neverWhole(index: Index): boolean {
  if (index.kind !== "affine" || index.divisor === 1) return false;
  return index.terms.every((term) => term.coefficient % index.divisor === 0) && index.offset % index.divisor !== 0;
}

const sameConstant = (a: Scalar, b: Scalar): boolean => a.kind === "constant" && b.kind === "constant" && Object.is(a.value, b.value);
