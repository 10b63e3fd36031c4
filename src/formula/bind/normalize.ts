// Rewrites statements into the form of a loop nest: at most one reduction each, with a pointwise epilogue.

import {
  type AccessNode,
  type BoundAxis,
  childrenOf,
  type EllipsisNode,
  type Expression,
  type Formula,
  type IndexNode,
  type ReduceNode,
  type Statement,
  visit,
} from "../ast.ts";

const cache = new WeakMap<Formula, Formula>();

/**
 * Equal in value; reductions inside reductions, and all but one beside each other, become statements of their own (t0,
 * t1, …).
 */
export function normalize(formula: Formula): Formula {
  let result = cache.get(formula);
  if (result === undefined) {
    const names = new Set<string>(formula.inputs);
    for (const statement of formula.statements) names.add(statement.target);
    const fresh = (): string => {
      for (let n = 0; ; n++) {
        const candidate = `t${n}`;
        if (names.has(candidate)) continue;
        names.add(candidate);
        return candidate;
      }
    };
    const attributes = new Set([...formula.sizes, ...formula.params]);
    const statements = formula.statements.flatMap((statement) => flatten(statement, attributes, fresh));
    result = { ...formula, statements };
    cache.set(formula, result);
  }
  return result;
}

/** The one outermost reduction of a normalized statement. */
export function reductionOf(value: Expression): ReduceNode | undefined {
  let found: ReduceNode | undefined;
  visit(value, (node) => {
    if (node.kind === "reduce") found ??= node;
  });
  return found;
}

function flatten(statement: Statement, attributes: ReadonlySet<string>, fresh: () => string): Statement[] {
  const before: Statement[] = [];
  const hoist = (reduction: ReduceNode): AccessNode => {
    const target = fresh();
    const indices = freeIndices(reduction, attributes);
    const like: AccessNode = statement.like ?? { kind: "access", tensor: statement.target, indices: statement.indices };
    const own: Statement = { target, indices, extents: pick(statement.extents, indices), accumulate: false, value: reduction, like };
    before.push(...flatten(own, attributes, fresh));
    return { kind: "access", tensor: target, indices };
  };
  let root: ReduceNode | undefined;
  const outside = accessesOutside(statement.value);
  const walk = (node: Expression, inside: boolean): Expression => {
    if (node.kind === "reduce") {
      const list = node.axes.some((axis) => axis.kind === "list");
      const keep =
        !inside &&
        root === undefined &&
        !statement.accumulate &&
        !(list && outside) &&
        node.reducer !== "argmax" &&
        node.reducer !== "argmin";
      const alone = node === statement.value && !statement.accumulate;
      if (keep || alone) {
        root = node;
        return { ...node, body: walk(node.body, true) };
      }
      return hoist(node);
    }
    if (node.kind === "call") return { ...node, args: node.args.map((arg) => walk(arg, inside)) };
    // A loop nest's accumulator is no index: it is complete only when the loop is over, and then differs from lane to
    // lane.
    if (node.kind === "access") return { ...node, indices: node.indices.map(walkIndex) };
    if (node.kind === "inside") return { ...node, access: { ...node.access, indices: node.access.indices.map(walkIndex) } };
    return node;
  };
  const walkIndex = (index: IndexNode): IndexNode => (index.kind === "ellipsis" ? index : walk(index, true));
  const value = walk(statement.value, false);
  return [...before, { ...statement, value }];
}

function accessesOutside(node: Expression): boolean {
  if (node.kind === "reduce") return false;
  return node.kind === "access" || childrenOf(node).some(accessesOutside);
}

/** What a reduction's value varies over: ellipsis groups, then axes, that its body uses and it does not bind itself. */
export function freeIndices(reduction: ReduceNode, attributes: ReadonlySet<string>): IndexNode[] {
  const groups = new Map<string, EllipsisNode>();
  const axes = new Set<string>();
  const bound = new Set<string>();
  const own = (axis: BoundAxis): void => {
    if (axis.kind === "axis") bound.add(axis.name);
    if (axis.kind === "ellipsis") bound.add(`...${axis.group}`);
  };
  reduction.axes.forEach(own);
  visit(reduction.body, (node) => {
    if (node.kind === "reduce") node.axes.forEach(own);
    const access = node.kind === "access" ? node : node.kind === "inside" ? node.access : undefined;
    for (const index of access?.indices ?? [])
      if (index.kind === "ellipsis" && !bound.has(`...${index.group}`)) groups.set(index.group, index);
    if (node.kind === "name" && !attributes.has(node.name)) axes.add(node.name);
  });
  return [...groups.values(), ...[...axes].filter((axis) => !bound.has(axis)).map((axis) => ({ kind: "name", name: axis }) as const)];
}

/** The extents given for those of the indices that are plain axes. */
export function pick(extents: Readonly<Record<string, Expression>>, indices: readonly IndexNode[]): Record<string, Expression> {
  const kept: Record<string, Expression> = {};
  for (const index of indices) {
    const extent = index.kind === "name" ? extents[index.name] : undefined;
    if (index.kind === "name" && extent) kept[index.name] = extent;
  }
  return kept;
}
