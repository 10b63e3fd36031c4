// The gradient contribution of one tensor access, and which contributions can be one formula.

import { call, type Expression, type IndexNode, isPlain, isSame, type Statement } from "../ast.ts";

/** One access of the input: gx[target] (+)= Σ over axes of the adjoint. */
export interface Contribution {
  /** Statements that must run first (argmax of a pooling window, …). */
  readonly before: readonly Statement[];
  readonly indices: readonly IndexNode[];
  readonly scatter: boolean;
  /** Extents the loop axes of a scatter were given. */
  readonly extents: Readonly<Record<string, Expression>>;
  readonly value: Expression;
}

/** Contributions to all axes at once (pointwise) are one expression; others stay formulas of their own. */
export function merge(contributions: readonly Contribution[]): Contribution[] {
  const merged: Contribution[] = [];
  for (const contribution of contributions) {
    const twin = merged.findIndex(
      (other) =>
        !other.scatter && !contribution.scatter && sameIndices(other, contribution) && isPointwise(other) && isPointwise(contribution),
    );
    const other = merged[twin];
    if (other === undefined) merged.push(contribution);
    else
      merged[twin] = {
        ...other,
        before: [
          ...other.before,
          ...contribution.before.filter((statement) => !other.before.some((known) => known.target === statement.target)),
        ],
        value: call("add", other.value, contribution.value),
      };
  }
  return merged;
}

function sameIndices(a: Contribution, b: Contribution): boolean {
  return isSame(a.indices, b.indices);
}

function isPointwise(contribution: Contribution): boolean {
  return isPlain({ kind: "access", tensor: "", indices: contribution.indices }) && contribution.value.kind !== "reduce";
}
