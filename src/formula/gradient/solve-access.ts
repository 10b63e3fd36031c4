// Solves e(o, r) = m for loop axes, so that a gradient reads by index; what cannot be solved becomes a scatter.

import type { FunctionName } from "../../nest/nest.ts";
import { mentions, solveFor } from "../affine.ts";
import {
  type AccessNode,
  type BoundAxis,
  call,
  type Expression,
  type IndexNode,
  name,
  number,
  type Statement,
  transform,
  visit,
} from "../ast.ts";
import { simplify } from "../simplify.ts";
import type { Contribution } from "./contribution.ts";

/** An access of the input, with what reaches it. */
interface InputAccess {
  readonly access: AccessNode;
  readonly adjoint: Expression;
  /** The axes of the reductions around it. */
  readonly scope: readonly BoundAxis[];
  readonly statement: Statement;
  /** The upstream gradient where the statement writes. */
  readonly upstream: AccessNode;
  /** Names of attributes: they are no axes. */
  readonly attributes: ReadonlySet<string>;
  /** See Formula.derived. */
  readonly partial: boolean;
}

type Solved = Omit<Contribution, "before">;

/**
 * Turns "add the adjoint to gx[indices]" into "gx[m] = Σ adjoint" by solving indices = m for loop axes; scatters where
 * that is impossible.
 */
export function solveAccess(given: InputAccess): Solved {
  const { access, adjoint, scope, statement, attributes } = given;
  const left = new Set(statement.indices.flatMap((index) => (index.kind === "name" ? [index.name] : [])));
  const extents = new Map<string, Expression | undefined>();
  const groups = new Set<string>();
  for (const index of statement.indices) if (index.kind === "ellipsis") groups.add(index.group);
  for (const statementIndex of statement.indices)
    if (statementIndex.kind !== "ellipsis" && statementIndex.kind !== "name")
      visit(statementIndex, (node) => node.kind === "name" && !attributes.has(node.name) && left.add(node.name));
  for (const axis of left) extents.set(axis, undefined);
  for (const axis of scope) {
    if (axis.kind === "axis") extents.set(axis.name, axis.extent);
    else if (axis.kind === "ellipsis") groups.add(axis.group);
  }
  const plainLeft = new Set(statement.indices.flatMap((index) => (index.kind === "name" ? [index.name] : [])));
  const used = new Set<string>([...extents.keys(), ...attributes]);
  let value = adjoint;
  let upstream: Expression = { kind: "inside", access: given.upstream };
  let pending = access.indices.slice();
  const free = new Set<string>();
  const eliminated = new Set<string>();
  const target: IndexNode[] = [];
  for (let d = 0; d < pending.length; d++) {
    const index = pending[d]!;
    if (index.kind === "ellipsis") {
      groups.delete(index.group);
      target.push(index);
      continue;
    }
    if (index.kind === "name" && extents.has(index.name) && !free.has(index.name)) {
      free.add(index.name);
      target.push(index);
      continue;
    }
    const axis = [...plainLeft].find((candidate) => !free.has(candidate) && !eliminated.has(candidate) && mentions(index, candidate));
    const m = freshAxis(used);
    const solution = axis === undefined ? undefined : solveFor(index, axis, name(m));
    if (axis === undefined || solution === undefined || countsWith(adjoint, axis)) return scatter(given);
    used.add(m);
    const replace = (node: Expression): Expression => substitute(node, axis, solution);
    // The upstream gradient is read at the solution, where an index out of range or not divisible reads 0.
    value = replace(value);
    upstream = replace(upstream);
    pending = pending.map((item) => (item.kind === "ellipsis" ? item : replace(item)));
    eliminated.add(axis);
    free.add(m);
    target.push(name(m));
  }
  const summed: BoundAxis[] = [...groups].map((group) => ({ kind: "ellipsis", group }) as const);
  for (const [axis, extent] of extents)
    if (!free.has(axis) && !eliminated.has(axis)) summed.push({ kind: "axis", name: axis, extent: extent ?? statement.extents[axis] });
  // Where that product is 0 · f(0), f may be infinite at what is read beyond the other tensors: 1 / w[h - 1] at h = 0.
  if ((eliminated.size > 0 || given.partial) && !isFiniteAtZero(value)) value = call("select", upstream, value, number(0));
  const total: Expression = summed.length === 0 ? value : { kind: "reduce", reducer: "sum", axes: summed, body: value };
  return { indices: target, scatter: false, extents: {}, value: total };
}

function scatter({ access, adjoint, scope, statement }: InputAccess): Solved {
  const extents: Record<string, Expression> = { ...statement.extents };
  for (const axis of scope) if (axis.kind === "axis" && axis.extent) extents[axis.name] = axis.extent;
  return { indices: access.indices, scatter: true, extents, value: adjoint };
}

const FINITE_AT_ZERO: ReadonlySet<FunctionName> = new Set<FunctionName>([
  "add",
  "sub",
  "mul",
  "neg",
  "min",
  "max",
  "abs",
  "sign",
  "lt",
  "le",
  "gt",
  "ge",
  "eq",
  "ne",
  "and",
  "or",
  "not",
  "select",
  "float",
  "int",
  "bool",
]);

/** Whether an expression is finite wherever the tensors it reads are finite or 0. */
function isFiniteAtZero(node: Expression): boolean {
  if (node.kind === "reduce") return isFiniteAtZero(node.body);
  if (node.kind !== "call") return true;
  const divisor = node.fn === "div" ? node.args[1] : undefined;
  const safe = FINITE_AT_ZERO.has(node.fn) || (divisor?.kind === "number" && divisor.value !== 0);
  return safe && node.args.every(isFiniteAtZero);
}

/**
 * Whether an axis takes part in a position or count among several, which cannot be rewritten by a solution for the
 * axis.
 */
function countsWith(node: Expression, axis: string): boolean {
  let found = false;
  visit(node, (child) => {
    if ((child.kind === "position" || child.kind === "count") && child.axes.some((bound) => bound.kind === "axis" && bound.name === axis))
      found = true;
  });
  return found;
}

function substitute(node: Expression, axis: string, value: Expression): Expression {
  return simplify(transform(node, (child) => (child.kind === "name" && child.name === axis ? value : child)));
}

/** A name for an axis of the input that is not an axis of the forward formula. */
function freshAxis(used: ReadonlySet<string>): string {
  const names = ["h", "v", "u", "r", "m", "l"];
  for (let round = 0; ; round++)
    for (const letter of names) {
      const candidate = round === 0 ? letter : `${letter}${round}`;
      if (!used.has(candidate)) return candidate;
    }
}
