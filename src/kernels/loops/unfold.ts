// Nests with exact quotients of a large divisor (large strides): each strided axis becomes a window and a place in it.

import type { AffineIndex, Axis, Nest, Reducer, ScalarType } from "../../nest/nest.ts";
import { affineIndicesOf, allScalars } from "../expressions/access.ts";
import { bodyWithout, type Linear, substitute } from "./substitute.ts";

/** Smaller divisors are left to residue classes, whose elements interleave in registers. */
const LEAST_DIVISOR = 5;
const MOST_PIECES = 36;

/**
 * A free axis and the reduced axis whose difference is divided: (free − reduced + offset) / divisor. Where the quotient
 * is not whole, the body is the reducer's identity.
 */
interface Pair {
  readonly free: number;
  readonly reduced: number;
  readonly divisor: number;
  /** In [0, divisor). */
  readonly offset: number;
}

/** Windows `first` … and places `from` … of an axis, at which a position of the window has so many candidates. */
interface Piece {
  readonly first: number;
  readonly windows: number;
  readonly from: number;
  readonly places: number;
  readonly candidates: number;
}

/**
 * With h + offset = s·i + r, 0 ≤ r < s, the window positions p for which (h − p + offset) / s is whole are p = r + s·t,
 * and the quotient is i − t: with i and r as axes instead of h, and t instead of p, nothing is divided, and a stride as
 * large as the window leaves one candidate. How many candidates there are depends on r, and the ends of h may cut
 * windows, hence several nests. Undefined where that does not apply.
 */
export function unfold(nest: Nest): readonly Nest[] | undefined {
  if (nest.reducer === undefined || nest.reducer === "argmax" || nest.reducer === "argmin" || nest.also !== undefined) return undefined;
  if (nest.axes.some(({ extent }) => extent === 0)) return undefined;
  const pair = pairOf(nest);
  if (pair === undefined) return undefined;
  const pieces = piecesOf(pair, nest.axes[pair.free]!.extent, nest.axes[pair.reduced]!.extent);
  const nests = pieces.flatMap((piece) => {
    const part = pieceOf(nest, pair, piece);
    return unfold(part) ?? [part];
  });
  return nests.length > MOST_PIECES ? undefined : nests;
}

/** The first axes to unfold: all quotients with either are of their difference, by the same divisor. */
function pairOf(nest: Nest): Pair | undefined {
  const divided = [...new Set(allScalars(nest).flatMap(affineIndicesOf))].filter((index) => index.divisor > 1);
  for (const { divisor, offset, terms } of divided) {
    const free = terms.find((term) => term.axis < nest.free)?.axis;
    const reduced = terms.find((term) => term.axis >= nest.free)?.axis;
    if (divisor < LEAST_DIVISOR || free === undefined || reduced === undefined) continue;
    const fits = (index: AffineIndex): boolean => {
      const of = (axis: number) => index.terms.find((term) => term.axis === axis)?.coefficient;
      const [a, b] = [of(free), of(reduced)];
      if (a === undefined && b === undefined) return true;
      return index.terms.length === 2 && a === 1 && b === -1 && index.divisor === divisor && (index.offset - offset) % divisor === 0;
    };
    if (!divided.every(fits)) continue;
    // Positions without an exact quotient are left out only where they add nothing.
    const body = bodyWithout(
      nest,
      (index) => index.kind === "affine" && index.divisor > 1 && index.terms.some(({ axis }) => axis === free),
    );
    if (body.kind !== "constant" || body.value !== identityOf(nest.reducer!, body.type)) continue;
    return { free, reduced, divisor, offset: ((offset % divisor) + divisor) % divisor };
  }
  return undefined;
}

function piecesOf({ divisor, offset }: Pair, extent: number, window: number): Piece[] {
  const end = extent + offset;
  const whole = Math.floor(end / divisor);
  const tail = end % divisor;
  const firstWhole = offset > 0 ? 1 : 0;
  const rows = [
    { first: 0, windows: firstWhole, from: offset, to: Math.min(divisor, end) },
    { first: firstWhole, windows: whole - firstWhole, from: 0, to: divisor },
    { first: whole, windows: tail > 0 && whole >= firstWhole ? 1 : 0, from: 0, to: tail },
  ];
  const more = window % divisor;
  const places = [
    { from: 0, to: more, candidates: Math.ceil(window / divisor) },
    { from: more, to: divisor, candidates: Math.floor(window / divisor) },
  ];
  return rows.flatMap(({ first, windows, from, to }) =>
    places.flatMap((range) => {
      const [start, stop] = [Math.max(from, range.from), Math.min(to, range.to)];
      return windows > 0 && stop > start ? [{ first, windows, from: start, places: stop - start, candidates: range.candidates }] : [];
    }),
  );
}

function pieceOf(nest: Nest, { free, reduced, divisor, offset }: Pair, piece: Piece): Nest {
  const moved = (axis: number): number => (axis > free ? axis + 1 : axis);
  const change = (axis: number): Linear => {
    const place = { axis: free + 1, coefficient: 1 };
    if (axis === free) return { terms: [{ axis: free, coefficient: divisor }, place], offset: piece.first * divisor + piece.from - offset };
    if (axis === reduced) return { terms: [place, { axis: moved(reduced), coefficient: divisor }], offset: piece.from };
    return { terms: [{ axis: moved(axis), coefficient: 1 }], offset: 0 };
  };
  const none = piece.candidates === 0;
  const axes = nest.axes.flatMap((axis, number): Axis[] => {
    if (number === free)
      return [
        { ...axis, extent: piece.windows },
        { name: `${axis.name}_place`, extent: piece.places },
      ];
    if (number >= nest.free && none) return [{ ...axis, extent: 1 }];
    return [number === reduced ? { ...axis, extent: piece.candidates } : axis];
  });
  const changed = substitute(nest, change);
  const { type } = nest.body;
  const body = none ? ({ kind: "constant", value: identityOf(nest.reducer!, type), type } as const) : changed.body;
  return { ...changed, body, axes, free: nest.free + 1 };
}

function identityOf(reducer: Reducer, type: ScalarType): number {
  if (reducer === "sum") return 0;
  if (reducer === "prod") return 1;
  const most = type === "float" ? Number.POSITIVE_INFINITY : type === "int" ? 2 ** 31 - 1 : 1;
  return reducer === "min" ? most : type === "float" ? -most : type === "int" ? -most - 1 : 0;
}
