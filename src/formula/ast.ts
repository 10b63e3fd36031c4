// The syntax tree of the formula language: plain data, one shape per kind of node.

import type { FunctionName, Reducer } from "../nest/nest.ts";

/** A number: `1`, `0.5`, `pi`, `inf`. */
export interface NumberNode {
  readonly kind: "number";
  readonly value: number;
}

/** A bare name that is not a tensor: an axis used as a value, or an attribute. */
export interface NameNode {
  readonly kind: "name";
  readonly name: string;
}

/** `x[n, i*s + p - pad, ...]`; a bare tensor name is the access `x[...]`. */
export interface AccessNode {
  readonly kind: "access";
  readonly tensor: string;
  readonly indices: readonly IndexNode[];
}

/** A function of its arguments; operators are calls too (`a + b` is add). */
export interface CallNode {
  readonly kind: "call";
  readonly fn: FunctionName;
  readonly args: readonly Expression[];
}

/** `sum[i, j < k](body)`. `mean` is written as sum / count. */
export interface ReduceNode {
  readonly kind: "reduce";
  readonly reducer: Reducer;
  readonly axes: readonly BoundAxis[];
  readonly body: Expression;
}

/** `count[i, j]`: how many steps the axes take together (an int). */
export interface CountNode {
  readonly kind: "count";
  readonly axes: readonly BoundAxis[];
}

/** `position[i, j]`: the flat row-major position of the present step among the axes (an int). */
export interface PositionNode {
  readonly kind: "position";
  readonly axes: readonly BoundAxis[];
}

/** `inside(x[...])`: whether the access is within the tensor. */
export interface InsideNode {
  readonly kind: "inside";
  readonly access: AccessNode;
}

/** A node of a formula that has a value. */
export type Expression = NumberNode | NameNode | AccessNode | CallNode | ReduceNode | CountNode | PositionNode | InsideNode;

/** `...` or `...name`: zero or more axes, broadcast between the accesses that share the group. */
export interface EllipsisNode {
  readonly kind: "ellipsis";
  /** Empty for a plain `...`. */
  readonly group: string;
}

/** What may stand in one place of an index. */
export type IndexNode = Expression | EllipsisNode;

/** An axis a reduction (or the left side) introduces. */
export type BoundAxis =
  | {
      readonly kind: "axis";
      readonly name: string /** `p < k`: the extent; inferred when absent. */;
      readonly extent: Expression | undefined;
    }
  | EllipsisNode
  /** `@axes`: those axes of the plain ellipsis group that the attribute lists; the result keeps them with extent 1. */
  | { readonly kind: "list"; readonly attribute: string };

/** One line of a formula: a target, its index, and the expression that defines it. */
export interface Statement {
  readonly target: string;
  /** Index of the left side; plain axes may carry an extent (`y[i < n]`). */
  readonly indices: readonly IndexNode[];
  /** Extents given on the left side, by axis name. */
  readonly extents: Readonly<Record<string, Expression>>;
  /** `+=`: scatter-add; the target starts at zero. */
  readonly accumulate: boolean;
  readonly value: Expression;
  /**
   * Of statements made by the compiler: a tensor that has the extents of these axes, where windows alone would give
   * others.
   */
  readonly like?: AccessNode;
}

/**
 * Statements in order; the last one's target is the result. A target assigned by several adjacent statements is defined
 * piecewise.
 */
export interface Formula {
  readonly statements: readonly Statement[];
  /** Tensors read but never assigned, in order of appearance. */
  readonly inputs: readonly string[];
  /** Integer attributes that decide shapes or indices (each value compiles anew). */
  readonly sizes: readonly string[];
  /** Attributes that list axes (`@axes`). */
  readonly lists: readonly string[];
  /** Numbers read at run time without compiling anew. */
  readonly params: readonly string[];
  /**
   * Set on gradients. Their results are summed over broadcast axes, so a result need not equal the expression that
   * defines it. "partial": of a piecewise formula; an axis may then run over a part of a dimension it alone indexes
   * (the gradient of the whole is read to make that of a piece), where elsewhere the two must agree.
   */
  readonly derived?: "whole" | "partial";
}

/** The plain `...`. */
export const ELLIPSIS: EllipsisNode = { kind: "ellipsis", group: "" };

/** The node of a number. */
export function number(value: number): NumberNode {
  return { kind: "number", value };
}

/** The node of a name that stands without an index. */
export function name(text: string): NameNode {
  return { kind: "name", name: text };
}

/** The node of a function with its arguments. */
export function call(fn: FunctionName, ...args: readonly Expression[]): CallNode {
  return { kind: "call", fn, args };
}

/** Whether an access reads the whole tensor as `x[...]` does: one plain ellipsis as its index. */
export function isPlain(access: AccessNode): boolean {
  return access.indices.length === 1 && access.indices[0]?.kind === "ellipsis" && access.indices[0].group === "";
}

/**
 * Rebuilds an expression bottom-up; `replace` sees each node after its children. What does not change stays the same
 * object.
 */
export function transform(node: Expression, replace: (node: Expression) => Expression): Expression {
  return replace(mapChildren(node, (child) => transform(child, replace)));
}

/** The node with each child replaced; the same object where none changes. */
export function mapChildren(node: Expression, replace: (child: Expression) => Expression): Expression {
  switch (node.kind) {
    case "number":
    case "name":
    case "count":
    case "position":
      return node;
    case "access": {
      const indices = mapItems(node.indices, (item) => (item.kind === "ellipsis" ? item : replace(item)));
      return indices === node.indices ? node : { ...node, indices };
    }
    case "inside": {
      const access = mapChildren(node.access, replace) as AccessNode;
      return access === node.access ? node : { ...node, access };
    }
    case "call": {
      const args = mapItems(node.args, replace);
      return args === node.args ? node : { ...node, args };
    }
    case "reduce": {
      const body = replace(node.body);
      return body === node.body ? node : { ...node, body };
    }
  }
}

function mapItems<Item>(items: readonly Item[], replace: (item: Item) => Item): readonly Item[] {
  const mapped = items.map(replace);
  return mapped.every((item, place) => item === items[place]) ? items : mapped;
}

/** Visits every node of an expression, parents first. */
export function visit(node: Expression, see: (node: Expression) => void): void {
  see(node);
  for (const child of childrenOf(node)) visit(child, see);
}

/** The expressions directly inside a node, in the order of the text. */
export function childrenOf(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case "number":
    case "name":
    case "count":
    case "position":
      return [];
    case "access":
      return node.indices.filter((item): item is Expression => item.kind !== "ellipsis");
    case "inside":
      return node.access.indices.filter((item): item is Expression => item.kind !== "ellipsis");
    case "call":
      return node.args;
    case "reduce":
      return [node.body];
  }
}

/** The right side of a statement, its extents and its indices. */
export function expressionsOf(statement: Statement): Expression[] {
  const found: Expression[] = [statement.value, ...Object.values(statement.extents)];
  for (const index of statement.indices) if (index.kind !== "ellipsis") found.push(index);
  return found;
}

/** Every tensor an expression reads or asks the bounds of, in order of appearance. */
export function tensorsIn(node: Expression, see: (tensor: string) => void): void {
  visit(node, (child) => {
    if (child.kind === "access") see(child.tensor);
    if (child.kind === "inside") see(child.access.tensor);
  });
}

/** Whether two expressions (or lists of them) are structurally equal. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return typeof a === "number" && Number.isNaN(a) && Number.isNaN(b);
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}
