// Operations on untyped values, which the methods and functions of tensors call.

import { sizeOfShape } from "../nest/evaluate.ts";
import { isHeldBy } from "../nest/integers.ts";
import { isFloat } from "../nest/typing.ts";
import * as contractions from "../ops/contractions.ts";
import * as gathers from "../ops/gathers.ts";
import * as moves from "../ops/moves.ts";
import type { Op } from "../ops/op.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import { requireList } from "../util/lists.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { checkShape } from "./check-shape.ts";
import { apply } from "./engine.ts";
import { requireElements } from "./trace/trace.ts";
import type { Axes, ReduceOptions, SliceRange, SpreadOptions } from "./types.ts";
import { type Attributes, Value } from "./value.ts";

/**
 * The other operand of an arithmetic op as a tensor: numbers become scalars of a fitting dtype, a float where int32
 * does not hold them.
 */
export function operand(other: Value | number, like: Value): Value {
  if (typeof other !== "number") {
    if (other instanceof Value) return other;
    throw new InputError(`expected a tensor or a number, got ${kindOf(other)}`, {
      hint: "make a tensor with tensor([…])",
    });
  }
  const scalar = numberLike(other, like);
  scalar.isConstant = true;
  return scalar;
}

function numberLike(other: number, like: Value): Value {
  if (like.dtype === "float64") return like.make(Float64Array.of(other), [], "float64");
  const whole = isHeldBy("int32", other) && !isFloat(like.dtype);
  return whole ? like.make(Int32Array.of(other), [], "int32") : like.make(Float32Array.of(other), [], "float32");
}

const A_SHAPE = "a shape: a list of extents";

/** Non-negative axis numbers, sorted; all axes when undefined. */
export function resolveAxes(name: string, axes: Axes | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, d) => d);
  if (typeof axes !== "number") requireList(name, "an axis, or a list of axes", axes, `${name}(1), or ${name}([0, 1])`);
  return (typeof axes === "number" ? [axes] : [...axes]).map((axis) => resolveAxis(name, axis, rank)).sort((a, b) => a - b);
}

export function resolveAxis(name: string, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank)
    throw new ShapeError(`${name}: axis ${axis} does not exist: the tensor has ${rank} dimension${rank === 1 ? "" : "s"}`, {
      hint: rank === 0 ? "leave the axis out: a single number has none" : `axes go from ${-rank} to ${rank - 1}`,
    });
  return resolved;
}

const REDUCE: OptionNames<ReduceOptions> = { keepDims: true };

const SPREAD: OptionNames<SpreadOptions> = { ...REDUCE, correction: true };

export function reduceAxes(op: Op, value: Value, axes: Axes | undefined, options: ReduceOptions = {}): Value {
  return reduced(op, value, axes, checkOptions(op.name, options, REDUCE));
}

/** Variance and standard deviation. */
export function spreadAlong(op: Op, value: Value, axes: Axes | undefined, options: SpreadOptions = {}): Value {
  checkOptions(op.name, options, SPREAD);
  return reduced(op, value, axes, options, { correction: options.correction ?? 0 });
}

function reduced(op: Op, value: Value, axes: Axes | undefined, options: ReduceOptions, attributes: Attributes = {}): Value {
  const list = resolveAxes(op.name, axes, value.rank);
  const needsElement = op.name === "max" || op.name === "min" || op.name.startsWith("arg");
  if (needsElement && list.some((d) => value.shape[d] === 0))
    throw new ShapeError(`${op.name}: no elements to compare: the shape is ${shapeText(value.shape)}`);
  const kept = apply(op, [value], { ...attributes, axes: list });
  return options.keepDims
    ? kept
    : reshape(
        kept,
        value.shape.filter((_, d) => !list.includes(d)),
      );
}

export function reshape(value: Value, shape: readonly number[]): Value {
  requireList("reshape", A_SHAPE, shape, "x.reshape([2, -1])");
  const holes = shape.filter((extent) => extent === -1).length;
  const known = sizeOfShape(shape.filter((extent) => extent !== -1));
  if (holes > 1 || shape.some((extent) => !Number.isInteger(extent) || extent < -1))
    throw new ShapeError(`reshape: expected non-negative integers and at most one −1, got ${shapeText(shape)}`);
  const full = holes === 0 ? shape.slice() : shape.map((extent) => (extent === -1 ? value.size / known : extent));
  if (sizeOfShape(full) !== value.size || full.some((extent) => !Number.isInteger(extent)))
    throw new ShapeError(`reshape: ${value.size} elements of shape ${shapeText(value.shape)} do not fill ${shapeText(shape)}`);
  return apply(moves.reshape, [value], {}, { resultShape: full });
}

export function transpose(value: Value, permutation?: readonly number[]): Value {
  const { rank } = value;
  if (permutation === undefined && rank < 2)
    throw new ShapeError(`transpose: expected at least two dimensions, got shape ${shapeText(value.shape)}`);
  if (permutation !== undefined) requireList("transpose", "a list of all axes in their new order", permutation, "x.transpose([1, 0])");
  const order = permutation ?? [...Array.from({ length: rank - 2 }, (_, d) => d), rank - 1, rank - 2];
  const resolved = order.map((axis) => resolveAxis("transpose", axis, rank));
  if (new Set(resolved).size !== rank || order.length !== rank)
    throw new ShapeError(`transpose: expected each of the ${rank} axes once, got ${shapeText(order)}`);
  return resolved.every((axis, d) => axis === d) ? reshape(value, value.shape) : apply(moves.transpose(resolved), [value]);
}

export function slice(value: Value, ranges: readonly SliceRange[]): Value {
  if (ranges.length > value.rank) throw new ShapeError(`slice: ${ranges.length} ranges for a tensor of shape ${shapeText(value.shape)}`);
  const attributes: Record<string, number> = {};
  const shape: number[] = [];
  value.shape.forEach((extent, d) => {
    const { start, count, step } = resolveRange(ranges[d] ?? null, extent, d);
    attributes[`start${d}`] = start;
    attributes[`step${d}`] = step;
    attributes[`extent${d}`] = count;
    if (typeof ranges[d] !== "number") shape.push(count);
  });
  return reshape(apply(moves.slice(value.rank), [value], attributes), shape);
}

function resolveRange(range: SliceRange, extent: number, d: number): { start: number; count: number; step: number } {
  if (range === null) return { start: 0, count: extent, step: 1 };
  if (typeof range === "number") {
    const place = range < 0 ? range + extent : range;
    if (!Number.isInteger(place) || place < 0 || place >= extent)
      throw new ShapeError(`slice: position ${range} is outside dimension ${d} of extent ${extent}`);
    return { start: place, count: 1, step: 1 };
  }
  const [from, to, step = 1] = range;
  if (!Number.isInteger(step) || step === 0) throw new ShapeError(`slice: the step must be an integer other than 0, got ${step}`);
  const clamp = (position: number, low: number, high: number): number =>
    Math.min(high, Math.max(low, position < 0 ? position + extent : position));
  const start = from == null ? (step > 0 ? 0 : extent - 1) : clamp(from, step > 0 ? 0 : -1, step > 0 ? extent : extent - 1);
  const end = to == null ? (step > 0 ? extent : -1) : clamp(to, step > 0 ? 0 : -1, step > 0 ? extent : extent - 1);
  if (!Number.isInteger(start) || !Number.isInteger(end)) throw new ShapeError(`slice: expected integers, got [${from}, ${to}]`);
  const count = Math.max(0, Math.ceil((end - start) / step));
  return { start: count === 0 ? 0 : start, count, step: count <= 1 ? 1 : step };
}

export function flip(value: Value, axes: Axes): Value {
  const chosen = resolveAxes("flip", axes, value.rank);
  return slice(
    value,
    value.shape.map((_, d): SliceRange => (chosen.includes(d) ? [null, null, -1] : null)),
  );
}

export function pad(value: Value, amounts: readonly (readonly [number, number])[], fill: number): Value {
  requireList("pad", "a list of pairs [before, after], one for each dimension", amounts, "x.pad([[1, 1], [0, 2]])");
  for (const pair of amounts) requireList("pad", "a pair [before, after] for each dimension", pair, "x.pad([[1, 1], [0, 2]])");
  if (amounts.length > value.rank) throw new ShapeError(`pad: ${amounts.length} pairs for a tensor of shape ${shapeText(value.shape)}`);
  const attributes: Record<string, number> = { value: fill };
  value.shape.forEach((extent, d) => {
    const [before, after] = amounts[d - (value.rank - amounts.length)] ?? [0, 0];
    if (!Number.isInteger(before) || !Number.isInteger(after) || extent + before + after < 0)
      throw new ShapeError(`pad: [${before}, ${after}] does not fit dimension ${d} of extent ${extent}`);
    attributes[`low${d}`] = before;
    attributes[`extent${d}`] = extent + before + after;
  });
  return apply(moves.pad(value.rank), [value], attributes);
}

export function broadcastTo(value: Value, shape: readonly number[]): Value {
  requireList("broadcastTo", A_SHAPE, shape, "x.broadcastTo([2, 3])");
  checkShape(shape);
  const offset = shape.length - value.rank;
  if (offset < 0 || value.shape.some((extent, d) => extent !== 1 && extent !== shape[d + offset]))
    throw new ShapeError(`broadcastTo: ${shapeText(value.shape)} cannot be repeated to ${shapeText(shape)}`);
  return apply(moves.broadcastTo, [value], {}, { resultShape: shape.slice() });
}

export function concatenate(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (first === undefined) throw new InputError("concatenate: expected at least one tensor, got none");
  const along = resolveAxis("concatenate", axis, first.rank);
  const shape = first.shape.slice();
  const attributes: Record<string, number> = {};
  let total = 0;
  values.forEach((value, number) => {
    if (value.rank !== first.rank || value.shape.some((extent, d) => d !== along && extent !== first.shape[d]))
      throw new ShapeError(
        `concatenate: all dimensions but ${along} must agree: tensor 0 is ${shapeText(first.shape)}, tensor ${number} is ${shapeText(value.shape)}`,
      );
    attributes[`offset${number}`] = total;
    total += value.shape[along]!;
  });
  shape[along] = total;
  return values.length === 1
    ? reshape(first, shape)
    : apply(moves.concatenate(first.rank, along, values.length), values, attributes, { resultShape: shape });
}

export function stack(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (first === undefined) throw new InputError("stack: expected at least one tensor, got none");
  const along = resolveAxis("stack", axis, first.rank + 1);
  return concatenate(
    values.map((value) => unsqueeze(value, along)),
    along,
  );
}

export function split(value: Value, sizes: number | readonly number[], axis: number): Value[] {
  if (typeof sizes !== "number") requireList("split", "the size of each part, or a list of sizes", sizes, "x.split(2), or x.split([1, 3])");
  const along = resolveAxis("split", axis, value.rank);
  const extent = value.shape[along]!;
  const parts =
    typeof sizes === "number"
      ? Array.from({ length: Math.ceil(extent / Math.max(1, sizes)) }, (_, n) => Math.min(sizes, extent - n * sizes))
      : [...sizes];
  const total = parts.reduce((a, b) => a + b, 0);
  if (total !== extent || parts.some((part) => !Number.isInteger(part) || part < 0))
    throw new ShapeError(`split: parts ${shapeText(parts)} do not add up to ${extent}, the extent of axis ${axis}`);
  let start = 0;
  return parts.map((part) => {
    const piece = slice(
      value,
      value.shape.map((_, d): SliceRange => (d === along ? [start, start + part] : null)),
    );
    start += part;
    return piece;
  });
}

export function unsqueeze(value: Value, axis: number): Value {
  const along = resolveAxis("unsqueeze", axis, value.rank + 1);
  return reshape(value, [...value.shape.slice(0, along), 1, ...value.shape.slice(along)]);
}

export function squeeze(value: Value, axes: Axes | undefined): Value {
  const chosen = axes === undefined ? undefined : resolveAxes("squeeze", axes, value.rank);
  const wrong = chosen?.find((d) => value.shape[d] !== 1);
  if (wrong !== undefined)
    throw new ShapeError(`squeeze: dimension ${wrong} has extent ${value.shape[wrong]}, not 1: the shape is ${shapeText(value.shape)}`);
  return reshape(
    value,
    value.shape.filter((extent, d) => (chosen ? !chosen.includes(d) : extent !== 1)),
  );
}

export function take(value: Value, ids: Value, axis: number): Value {
  const along = resolveAxis("take", axis, value.rank);
  checkIds("take", ids, value.shape[along]!, `dimension ${along} of ${shapeText(value.shape)}`);
  const flat = reshape(ids, [ids.size]);
  const taken = apply(gathers.take(value.rank, along), [value, flat]);
  return reshape(taken, [...value.shape.slice(0, along), ...ids.shape, ...value.shape.slice(along + 1)]);
}

export function gather(value: Value, ids: Value, axis: number): Value {
  const along = resolveAxis("gather", axis, value.rank);
  if (ids.rank !== value.rank)
    throw new ShapeError(`gather: ids must have as many dimensions as the tensor: ${shapeText(ids.shape)} and ${shapeText(value.shape)}`);
  if (ids.shape.some((extent, d) => d !== along && extent !== value.shape[d]))
    throw new ShapeError(
      `gather: ids must agree with the tensor in all dimensions but ${along}: ${shapeText(ids.shape)} and ${shapeText(value.shape)}`,
      { hint: "slice the tensor first where ids cover less of it" },
    );
  checkIds("gather", ids, value.shape[along]!, `dimension ${along} of ${shapeText(value.shape)}`);
  return apply(gathers.gatherAlong(value.rank, along), [value, ids]);
}

/** @throws InputError naming the first id that is not an integer in [0, extent) and where it stands */
export function checkIds(name: string, ids: Value, extent: number, of: string): void {
  requireElements(
    ids,
    { least: 0, most: extent - 1, whole: true },
    (id, n) => new InputError(`${name}: expected ids from 0 to ${extent - 1} (${of}), got ${id} at position ${n}`),
  );
}

/** Leading dimensions broadcast; a vector counts as one row or column. */
export function matmul(a: Value, b: Value): Value {
  if (a.rank === 0 || b.rank === 0)
    throw new ShapeError(`matmul: expected matrices or vectors, got shapes ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
  const left = a.rank === 1 ? reshape(a, [1, ...a.shape]) : a;
  const right = b.rank === 1 ? reshape(b, [...b.shape, 1]) : b;
  const product = apply(contractions.matmul, [left, right]);
  if (a.rank > 1 && b.rank > 1) return product;
  const shape = product.shape.slice();
  if (b.rank === 1) shape.pop();
  if (a.rank === 1) shape.splice(shape.length - (b.rank === 1 ? 1 : 2), 1);
  return reshape(product, shape);
}
