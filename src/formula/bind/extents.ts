// Finds the extent of every axis of a statement: from plain indices, given bounds, broadcasting groups and windows.

import { LARGEST_INT } from "../../nest/addressable.ts";
import { FormulaError, ShapeError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import { linearIn } from "../affine.ts";
import { type AccessNode, type BoundAxis, type Expression, type Statement, visit } from "../ast.ts";
import type { Binding } from "./binding.ts";
import { sizeOf } from "./sizes.ts";

export interface Extents {
  readonly axes: ReadonlyMap<string, number>;
  /** Broadcast shape of every ellipsis group. */
  readonly groups: ReadonlyMap<string, readonly number[]>;
}

interface Known {
  readonly value: number;
  readonly from: string;
}

/** The parts of a tensor's shape before, in and after the access's ellipsis. */
export function splitShape(
  access: AccessNode,
  shape: readonly number[],
  opName: string,
): { before: number; group: readonly number[]; name: string | undefined } {
  const place = access.indices.findIndex((index) => index.kind === "ellipsis");
  const explicit = access.indices.filter((index) => index.kind !== "ellipsis").length;
  const ellipsis = access.indices[place];
  const fits = place < 0 ? shape.length === explicit : shape.length >= explicit;
  if (!fits) {
    const wanted = place < 0 ? `${explicit}` : `at least ${explicit}`;
    throw new ShapeError(
      `${opName}: ${access.tensor} must have ${wanted} dimension${explicit === 1 ? "" : "s"}, got shape ${shapeText(shape)}`,
    );
  }
  if (place < 0) return { before: shape.length, group: [], name: undefined };
  return {
    before: place,
    group: shape.slice(place, place + shape.length - explicit),
    name: ellipsis?.kind === "ellipsis" ? ellipsis.group : "",
  };
}

export function accessesOf(expression: Expression): AccessNode[] {
  const found: AccessNode[] = [];
  visit(expression, (node) => {
    if (node.kind === "access") found.push(node);
    if (node.kind === "inside") found.push(node.access);
  });
  return found;
}

export function findExtents(
  statement: Statement,
  shapes: ReadonlyMap<string, readonly number[]>,
  binding: Binding,
  resultShape: readonly number[] | undefined,
  partial = false,
): Extents {
  const known = new Map<string, Known>();
  /**
   * In a partial formula the axes whose extent is given or that of the result; for others the smallest tensor counts.
   */
  const fixed = new Set<string>();
  const groups = new Map<string, { shape: number[]; from: string }>();
  const accesses = accessesOf(statement.value);
  for (const index of statement.indices) if (index.kind !== "ellipsis") accesses.push(...accessesOf(index));
  const axes = axisNames(statement);

  const learn = (axis: string, value: number, from: string): void => {
    const before = known.get(axis);
    if (before === undefined || (partial && !fixed.has(axis) && value < before.value)) known.set(axis, { value, from });
    else if (before.value !== value && !partial) throw disagreement(binding, axis, before, { value, from });
  };
  const read = (access: AccessNode, shape: readonly number[]): void => {
    const { before, group, name } = splitShape(access, shape, binding.name);
    const from = `${access.tensor} is ${shapeText(shape)}`;
    access.indices.forEach((index, place) => {
      if (index.kind !== "name" || !axes.has(index.name)) return;
      const d = place < before || name === undefined ? place : place - 1 + group.length;
      learn(index.name, shape[d]!, from);
    });
    if (name !== undefined) joinGroup(groups, name, group, from, binding.name);
  };

  for (const [axis, extent] of givenExtents(statement)) {
    known.set(axis, { value: sizeOf(extent, binding), from: `${axis} is given` });
    fixed.add(axis);
  }
  for (const access of accesses) read(access, shapes.get(access.tensor)!);
  const plain = statement.indices.every((index) => index.kind === "ellipsis" || index.kind === "name");
  if (resultShape !== undefined && plain) {
    const target: AccessNode = { kind: "access", tensor: statement.target, indices: statement.indices };
    const { before, group, name } = splitShape(target, resultShape, binding.name);
    statement.indices.forEach((index, place) => {
      if (index.kind !== "name") return;
      const d = place < before || name === undefined ? place : place - 1 + group.length;
      const value = resultShape[d]!;
      const from = `${statement.target} must be ${shapeText(resultShape)}`;
      if (partial) known.set(index.name, { value, from });
      else learn(index.name, value, from);
    });
    if (name !== undefined) joinGroup(groups, name, group, `${statement.target} must be ${shapeText(resultShape)}`, binding.name);
  }
  const { like } = statement;
  const likeShape = like && shapes.get(like.tensor);
  if (like && likeShape?.length === like.indices.length)
    like.indices.forEach((index, d) => {
      if (index.kind === "name" && axes.has(index.name) && !known.has(index.name))
        known.set(index.name, { value: likeShape[d]!, from: `${like.tensor} is ${shapeText(likeShape)}` });
    });
  for (const axis of axes)
    if (!known.has(axis)) known.set(axis, { value: windowExtent(axis, accesses, shapes, known, axes, binding), from: "" });
  for (const [axis, { value }] of known)
    if (!Number.isInteger(value) || value < 0 || value > LARGEST_INT)
      throw new ShapeError(`${binding.name}: the extent of axis ${axis} must be an integer from 0 to ${LARGEST_INT}, got ${value}`);
  return {
    axes: new Map([...known].map(([axis, { value }]) => [axis, value])),
    groups: new Map([...groups].map(([name, group]) => [name, group.shape])),
  };
}

/**
 * Every axis a statement names: on the left, in reductions and, for pieces and scatters, in plain indices on the right.
 */
export function axisNames(statement: Statement): Set<string> {
  const axes = new Set<string>(Object.keys(statement.extents));
  const open = statement.accumulate || statement.indices.some((index) => index.kind !== "ellipsis" && index.kind !== "name");
  for (const index of statement.indices) if (index.kind === "name") axes.add(index.name);
  visit(statement.value, (node) => {
    if (node.kind === "reduce" || node.kind === "count" || node.kind === "position")
      for (const axis of node.axes) if (axis.kind === "axis") axes.add(axis.name);
    if (open && node.kind === "access") for (const index of node.indices) if (index.kind === "name") axes.add(index.name);
  });
  for (const index of statement.indices)
    if (index.kind !== "ellipsis")
      for (const access of accessesOf(index)) for (const inner of access.indices) if (inner.kind === "name") axes.add(inner.name);
  return axes;
}

function givenExtents(statement: Statement): [string, Expression][] {
  const given: [string, Expression][] = Object.entries(statement.extents);
  visit(statement.value, (node) => {
    if (node.kind !== "reduce" && node.kind !== "count" && node.kind !== "position") return;
    for (const axis of node.axes as readonly BoundAxis[]) if (axis.kind === "axis" && axis.extent) given.push([axis.name, axis.extent]);
  });
  return given;
}

function joinGroup(
  groups: Map<string, { shape: number[]; from: string }>,
  name: string,
  shape: readonly number[],
  from: string,
  opName: string,
): void {
  const joined = groups.get(name);
  if (joined === undefined) {
    groups.set(name, { shape: shape.slice(), from });
    return;
  }
  const rank = Math.max(joined.shape.length, shape.length);
  const result: number[] = [];
  for (let d = 1; d <= rank; d++) {
    const a = joined.shape[joined.shape.length - d] ?? 1;
    const b = shape[shape.length - d] ?? 1;
    if (a !== b && a !== 1 && b !== 1)
      throw new ShapeError(`${opName}: cannot broadcast dimensions ${a} and ${b}: ${joined.from}, ${from}`, {
        hint: "dimensions are matched from the last one; each pair must be equal or one of them 1",
      });
    result.unshift(a === 1 ? b : a);
  }
  groups.set(name, { shape: result, from: joined.from.includes(from) ? joined.from : `${joined.from}, ${from}` });
}

function disagreement(binding: Binding, axis: string, a: Known, b: Known): ShapeError {
  const label = binding.axisNames?.[axis];
  const what = label === undefined ? `axis ${axis}: ${a.value} and ${b.value} differ` : `${label}s ${a.value} and ${b.value} differ`;
  return new ShapeError(`${binding.name}: ${what}: ${a.from}, ${b.from}`);
}

/**
 * Extent of an output axis that only appears inside windows (i·stride + p·dilation − padding): the largest for which
 * every step's window lies within the dimension, extended on the far side by as much as the first window overhangs on
 * the near side.
 */
function windowExtent(
  axis: string,
  accesses: readonly AccessNode[],
  shapes: ReadonlyMap<string, readonly number[]>,
  known: ReadonlyMap<string, Known>,
  axes: ReadonlySet<string>,
  binding: Binding,
): number {
  for (const access of accesses) {
    const shape = shapes.get(access.tensor)!;
    const { before, group, name } = splitShape(access, shape, binding.name);
    for (const [place, index] of access.indices.entries()) {
      if (index.kind === "ellipsis") continue;
      const parts = linearIn(index, axis);
      if (parts === undefined || (parts.coefficient.kind === "number" && parts.coefficient.value === 0)) continue;
      const size = shape[place < before || name === undefined ? place : place - 1 + group.length]!;
      const range = rangeOf(parts.rest, known, axes, binding);
      if (range === undefined) continue;
      const stride = sizeOf(parts.coefficient, binding);
      if (stride === 0)
        throw new ShapeError(`${binding.name}: axis ${axis} moves by 0 elements a step, so its extent cannot be inferred`, {
          hint: "use a stride of at least 1",
        });
      // A negative stride walks from the far side: then the near side is the end of the dimension.
      const overhang = Math.max(0, stride > 0 ? -range[0] : range[1] - (size - 1));
      const room = stride > 0 ? size - 1 - range[1] : range[0];
      const extent = Math.floor((room + overhang) / Math.abs(stride)) + 1;
      if (extent < 1) {
        const window = range[1] - range[0] + 1;
        throw new ShapeError(
          `${binding.name}: a window of ${window} does not fit into ${size} with padding ${overhang}: ${access.tensor} is ${shapeText(shape)}`,
          { hint: "use a smaller kernel, more padding or a larger input" },
        );
      }
      return extent;
    }
  }
  throw new FormulaError(`${binding.name}: the extent of axis ${axis} cannot be inferred`, {
    hint: `index a tensor with it alone, or give it: [${axis} < 3]`,
  });
}

function rangeOf(
  node: Expression,
  known: ReadonlyMap<string, Known>,
  axes: ReadonlySet<string>,
  binding: Binding,
): [number, number] | undefined {
  if (node.kind === "name" && axes.has(node.name)) {
    const extent = known.get(node.name);
    return extent && [0, extent.value - 1];
  }
  if (node.kind === "number" || node.kind === "name") {
    const value = sizeOf(node, binding);
    return [value, value];
  }
  if (node.kind !== "call") return undefined;
  const parts = node.args.map((arg) => rangeOf(arg, known, axes, binding));
  const [a, b] = parts;
  if (!a) return undefined;
  if (node.fn === "neg") return [-a[1], -a[0]];
  if (!b) return undefined;
  if (node.fn === "add") return [a[0] + b[0], a[1] + b[1]];
  if (node.fn === "sub") return [a[0] - b[1], a[1] - b[0]];
  if (node.fn !== "mul") return undefined;
  const products = [a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]];
  return [Math.min(...products), Math.max(...products)];
}
