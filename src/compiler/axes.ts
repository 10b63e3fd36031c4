// Reorders the axes of a nest, and matches the axes of two nests that loop over the same elements.

import type { AffineIndex, Index, Nest } from "../nest/nest.ts";
import { mapExpressions, transformScalar } from "../nest/step-graph.ts";

/**
 * The same computation with axis a as number `order[a]`. Free axes stay free.
 * Not for argmax and argmin, which count the reduced axes in their order.
 */
export function reorderAxes(nest: Nest, order: readonly number[]): Nest {
  const moved = (index: AffineIndex): AffineIndex => ({
    ...index,
    terms: index.terms.map((term) => ({ ...term, axis: order[term.axis]! })).sort((a, b) => a.axis - b.axis),
  });
  const place = (index: Index): Index => (index.kind === "affine" ? moved(index) : index);
  const changed = mapExpressions(nest, (expression) =>
    transformScalar(expression, (node) => {
      if (node.kind === "load" || node.kind === "inside") return { ...node, index: node.index.map(place) };
      return node.kind === "position" ? { ...node, index: moved(node.index) } : node;
    }),
  );
  const axes = [...nest.axes];
  nest.axes.forEach((axis, number) => {
    axes[order[number]!] = axis;
  });
  return { ...changed, axes, output: { ...changed.output, index: changed.output.index.map(place) } };
}

/** The order that undoes an order. */
export function inverseOrder(order: readonly number[]): number[] {
  const inverse = order.slice();
  order.forEach((to, from) => {
    inverse[to] = from;
  });
  return inverse;
}

/** Two accesses of one tensor, in the loops of two nests. */
export interface Meeting {
  readonly own: readonly Index[];
  readonly other: readonly Index[];
}

/**
 * The order of a nest's axes in which its access is the other one; axes that say nothing pair up by their extents.
 * Undefined where there is none.
 */
export function orderMeeting(nest: Nest, other: Nest, { own, other: target }: Meeting): number[] | undefined {
  const order = new Map<number, number>();
  const pair = (from: number, to: number): boolean => {
    if (order.has(from) || [...order.values()].includes(to)) return order.get(from) === to;
    order.set(from, to);
    return nest.axes[from]?.extent === other.axes[to]?.extent;
  };
  const meets = own.every((index, dimension) => {
    const goal = target[dimension];
    if (index.kind !== "affine" || goal?.kind !== "affine" || index.terms.length !== goal.terms.length) return false;
    return index.terms.every((term) => {
      const found = goal.terms.filter(({ coefficient }) => coefficient === term.coefficient);
      return found.length === 1 && pair(term.axis, found[0]!.axis);
    });
  });
  if (!meets || nest.axes.length !== other.axes.length) return undefined;
  const taken = new Set(order.values());
  for (const [from, { extent }] of nest.axes.entries()) {
    if (order.has(from)) continue;
    const to = other.axes.findIndex((axis, number) => !taken.has(number) && axis.extent === extent);
    if (to < 0) return undefined;
    order.set(from, to);
    taken.add(to);
  }
  return nest.axes.map((_, axis) => order.get(axis)!);
}
