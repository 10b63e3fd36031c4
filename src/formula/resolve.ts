// Resolves the names of a parsed formula to tensors, axes, sizes, parameters and lists; checks the definition order.

import { type AccessNode, ELLIPSIS, type Expression, expressionsOf, type Formula, type Statement, tensorsIn, visit } from "./ast.ts";
import { errorAt } from "./lexer.ts";

/** Names that are no tensors. */
export interface ParseOptions {
  /** Names of attributes read as values at run time (learning rate, slope). All other bare names are tensors. */
  readonly params?: readonly string[];
  /** Names of integer attributes beyond those that appear inside an index. */
  readonly sizes?: readonly string[];
}

/** Where a name stands in the source. */
export interface SourcePosition {
  readonly text: string;
  readonly at: number;
  /** Number of the statement. */
  readonly statement: number;
}

/** Tells axes, attributes and tensors apart: bare names that are neither axes nor attributes are tensors. */
export function resolve(
  source: string,
  statements: readonly Statement[],
  options: ParseOptions,
  targets: readonly SourcePosition[],
  reads: readonly SourcePosition[],
): Formula {
  const sizes = new Set(options.sizes);
  const params = new Set(options.params);
  const lists = new Set<string>();
  const inputs = new Set<string>();
  const assigned = new Set<string>();
  const resolved = statements.map((statement) => {
    const axes = axesOf(statement, params, sizes);
    const asTensor = (node: Expression): Expression => {
      if (node.kind === "name" && !axes.has(node.name) && !params.has(node.name) && !sizes.has(node.name))
        return { kind: "access", tensor: node.name, indices: [ELLIPSIS] };
      return node;
    };
    const value = mapValues(statement.value, asTensor);
    // A bare name inside an index is an axis or a size, never a tensor; an access inside an index is an indirect index.
    const see = (node: Expression): void => {
      const access = node.kind === "inside" ? node.access : node;
      if (access.kind === "access" && !assigned.has(access.tensor)) inputs.add(access.tensor);
      if (node.kind === "reduce" || node.kind === "count" || node.kind === "position")
        for (const axis of node.axes) if (axis.kind === "list") lists.add(axis.attribute);
    };
    for (const index of statement.indices) if (index.kind !== "ellipsis") visit(index, see);
    visit(value, see);
    assigned.add(statement.target);
    return { ...statement, value };
  });
  resolved.forEach(({ target }, number) => {
    const first = targets.findIndex((place) => place.text === target);
    if (first < number && targets.slice(first, number).some((place) => place.text !== target))
      throw errorAt(source, targets[number]?.at ?? 0, `${target} is defined twice`, "pieces of one tensor must follow each other");
    if (!inputs.has(target)) return;
    const early = reads.find((place) => place.text === target && place.statement <= first);
    throw errorAt(source, early?.at ?? 0, `${target} is read before it is defined`);
  });
  const last = resolved[resolved.length - 1]!;
  const used = new Set<string>();
  for (const statement of resolved) for (const node of expressionsOf(statement)) tensorsIn(node, (tensor) => used.add(tensor));
  for (const { text, at } of targets)
    if (text !== last.target && !used.has(text))
      throw errorAt(source, at, `${text} is defined but never used`, `the last statement's target (${last.target}) is the result`);
  return {
    statements: resolved,
    inputs: [...inputs],
    sizes: [...sizes].filter((s) => !params.has(s)),
    lists: [...lists],
    params: [...params],
  };
}

/** The axes a statement introduces; names inside indices and extents that are not axes become sizes. */
function axesOf(statement: Statement, params: ReadonlySet<string>, sizes: Set<string>): Set<string> {
  const axes = new Set<string>();
  // Where the left side is not made of plain axes (a piece or a scatter), the axes come from the right side's plain
  // indices.
  const open = statement.accumulate || statement.indices.some((index) => index.kind !== "ellipsis" && index.kind !== "name");
  const inIndex = new Set<string>();
  const collectNames = (node: Expression): void => visit(node, (n) => n.kind === "name" && inIndex.add(n.name));
  for (const index of statement.indices) {
    if (index.kind === "name" && !sizes.has(index.name) && !params.has(index.name)) axes.add(index.name);
    else if (index.kind !== "ellipsis") {
      // y[ids[n]] += …: what an index of the left side is read at.
      for (const access of accessesIn(index))
        for (const inner of access.indices) if (inner.kind === "name" && !sizes.has(inner.name)) axes.add(inner.name);
      collectNames(index);
    }
  }
  for (const extent of Object.values(statement.extents)) collectNames(extent);
  visit(statement.value, (node) => {
    if (node.kind === "reduce" || node.kind === "count" || node.kind === "position")
      for (const axis of node.axes)
        if (axis.kind === "axis") {
          axes.add(axis.name);
          if (axis.extent) collectNames(axis.extent);
        }
    const access = node.kind === "access" ? node : node.kind === "inside" ? node.access : undefined;
    for (const index of access?.indices ?? []) {
      if (index.kind === "ellipsis") continue;
      if (open && index.kind === "name" && !sizes.has(index.name)) axes.add(index.name);
      else collectNames(index);
    }
  });
  for (const found of inIndex) if (!axes.has(found)) sizes.add(found);
  return axes;
}

function accessesIn(node: Expression): AccessNode[] {
  const found: AccessNode[] = [];
  visit(node, (child) => {
    if (child.kind === "access") found.push(child);
  });
  return found;
}

/** transform, but leaves names inside plain (affine) indices alone. */
function mapValues(node: Expression, asTensor: (node: Expression) => Expression): Expression {
  switch (node.kind) {
    case "name":
      return asTensor(node);
    case "call":
      return { ...node, args: node.args.map((arg) => mapValues(arg, asTensor)) };
    case "reduce":
      return { ...node, body: mapValues(node.body, asTensor) };
    default:
      return node;
  }
}
