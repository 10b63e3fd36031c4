// The interior of an axis: where range checks hold for every lane and window position, and can be left out.

import type { AffineIndex, Inside, Nest } from "../../nest/nest.ts";
import { allScalars } from "../expressions/access.ts";

export interface Interior {
  /** Steps [from, to) of the axis. */
  readonly from: number;
  readonly to: number;
  /** The checks that hold there. */
  readonly insides: readonly Inside[];
}

/** Undefined when nothing is checked along the axis or the interior has fewer steps than `least`. */
export function interiorOf(nest: Nest, axis: number, least: number): Interior | undefined {
  const insides: Inside[] = [];
  let [from, to] = [0, nest.axes[axis]!.extent];
  const take = (index: AffineIndex, extent: number) => {
    const along = index.terms.find((term) => term.axis === axis)?.coefficient ?? 0;
    if (along <= 0 || index.divisor !== 1 || !index.checked) return;
    let [low, high] = [index.offset, index.offset];
    for (const term of index.terms) {
      if (term.axis === axis) continue;
      const reach = term.coefficient * Math.max(0, nest.axes[term.axis]!.extent - 1);
      if (reach < 0) low += reach;
      else high += reach;
    }
    const first = Math.max(0, Math.ceil(-low / along));
    const end = Math.floor((extent - 1 - high) / along) + 1;
    // A check that cuts too much away is left as it is.
    if (Math.min(to, end) - Math.max(from, first) < least) return;
    [from, to] = [Math.max(from, first), Math.min(to, end)];
    insides.push({ kind: "inside", index: [index], extents: [extent], type: "bool" });
  };
  for (const scalar of allScalars(nest)) {
    if (scalar.kind !== "load" && scalar.kind !== "inside") continue;
    const extents = scalar.kind === "load" ? nest.operands[scalar.operand]!.shape : scalar.extents;
    scalar.index.forEach((index, d) => {
      if (index.kind === "affine") take(index, extents[d]!);
    });
  }
  return insides.length === 0 ? undefined : { from, to, insides };
}
