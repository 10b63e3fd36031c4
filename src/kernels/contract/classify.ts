// Recognizes a sum of products of two tensors and sorts its axes into batch, rows (M), columns (N) and summed (K).

import type { AffineIndex, Load, Nest, Scalar } from "../../nest/nest.ts";
import { accessOf, affineIndices, identity } from "./access.ts";

/** The body as scale · left · right. */
export interface Product {
  readonly loads: readonly [Load, Load];
  /** Without loads and loop counters; undefined: 1. */
  readonly scale: Scalar | undefined;
}

/** Axis numbers of a nest by role, outermost first. A (rows, K) is packed by rows, B (K, columns) by columns. */
export interface Roles {
  /** Position of A's load in the product; B's is the other. */
  readonly rows: 0 | 1;
  readonly batch: readonly number[];
  readonly m: readonly number[];
  readonly n: readonly number[];
  readonly k: readonly number[];
}

/** The two loads and the constant factor of a nest's body; undefined when it is anything else than their product. */
export function productOf(body: Scalar): Product | undefined {
  const loads: Load[] = [];
  let scale: Scalar | undefined;
  const multiply = (factor: Scalar) => {
    scale = scale === undefined ? factor : { kind: "call", fn: "mul", args: [scale, factor], type: "float" };
  };
  const one: Scalar = { kind: "constant", value: 1, type: "float" };
  const take = (node: Scalar): boolean => {
    if (node.type !== "float") return false;
    if (isUniform(node)) {
      multiply(node);
      return true;
    }
    if (node.kind === "load") return loads.push(node) <= 2;
    if (node.kind !== "call") return false;
    const [a, b] = node.args as [Scalar, Scalar];
    if (node.fn === "mul") return take(a) && take(b);
    if (node.fn === "neg") {
      multiply({ kind: "constant", value: -1, type: "float" });
      return take(a);
    }
    if (node.fn === "div" && isUniform(b)) {
      multiply({ kind: "call", fn: "div", args: [one, b], type: "float" });
      return take(a);
    }
    return false;
  };
  if (!take(body) || loads.length !== 2) return undefined;
  return { loads: loads as unknown as [Load, Load], scale };
}

/** Chooses roles so that the output's contiguous axis is among the columns; undefined when an index is indirect. */
export function rolesOf(nest: Nest, [left, right]: readonly [Load, Load]): Roles | undefined {
  const out = affineIndices(nest.output.index);
  const indices = [affineIndices(left.index), affineIndices(right.index)];
  if (out === undefined || indices[0] === undefined || indices[1] === undefined) return undefined;
  const extents = nest.axes.map((axis) => axis.extent);
  const plain = identity(extents);
  const stepsOf = (list: readonly AffineIndex[], shape: readonly number[]) =>
    accessOf(
      list.map((index) => ({ ...index, divisor: 1 })),
      shape,
      plain,
    ).strides.map(Math.abs);
  const outSteps = stepsOf(out, nest.output.shape);
  const uses = indices.map((list) => new Set(list!.flatMap((index) => index.terms.map((term) => term.axis))));
  const free = nest.axes.flatMap((_, axis) => (axis < nest.free ? [axis] : [])).sort((a, b) => outSteps[b]! - outSteps[a]!);
  const only = (side: number) => free.filter((axis) => uses[side]!.has(axis) && !uses[1 - side]!.has(axis));
  const sides = [only(0), only(1)];
  const rows = chooseRows(sides, extents, outSteps);
  const rowSteps = stepsOf(indices[rows]!, nest.operands[(rows === 0 ? left : right).operand]!.shape);
  const reduced = nest.axes.flatMap((_, axis) => (axis < nest.free ? [] : [axis])).sort((a, b) => rowSteps[b]! - rowSteps[a]!);
  return {
    rows,
    batch: free.filter((axis) => uses[0]!.has(axis) === uses[1]!.has(axis)),
    m: sides[rows]!,
    n: sides[1 - rows]!,
    k: reduced,
  };
}

/**
 * Contiguous output columns decide, unless they are so few that most of a vector would be wasted; then the longer side
 * is columns.
 */
function chooseRows(sides: readonly (readonly number[])[], extents: readonly number[], outSteps: readonly number[]): 0 | 1 {
  const sizes = sides.map((axes) => axes.reduce((product, axis) => product * extents[axis]!, 1));
  const contiguous = sides.findIndex((axes) => axes.some((axis) => outSteps[axis] === 1 && extents[axis]! > 1));
  const longer = sizes[0]! > sizes[1]! ? 0 : 1;
  if (contiguous === -1) return longer === 0 ? 1 : 0;
  const columns = sizes[contiguous]! <= 2 && sizes[1 - contiguous]! >= 8 ? 1 - contiguous : contiguous;
  return columns === 0 ? 1 : 0;
}

/** True when the value is the same at every step: constants, params and functions of them. */
function isUniform(node: Scalar): boolean {
  if (node.kind === "constant" || node.kind === "param") return true;
  return node.kind === "call" && node.args.every(isUniform);
}
