// Checks that every index, element number and byte offset of a nest fits in an int32, as kernels count them.

import { ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import { intervalOf } from "./interval.ts";
import type { AffineIndex, Axis, Index, Nest, Scalar } from "./nest.ts";

/** The largest int32. Sizes, steps, elements and places are counted in int32. */
export const LARGEST_INT = 2147483647;

/** Bytes of the widest element that kernels read. */
const WIDEST = 4;

/**
 * What a checked index is made of: vectors go on beyond the end of an axis, by up to 64 steps, and must not come back
 * to where the check lets them through.
 */
const LARGEST_FACTOR = 2 ** 24;
const LARGEST_CHECKED = 2 ** 30;

/**
 * What of a nest kernels cannot count, in words; undefined when they can count everything.
 *
 * An access that needs no check lies inside its tensor. One that does is computed before it is checked: no sum over
 * some of its axes may wrap around.
 */
export function beyondReach(nest: Nest): string | undefined {
  const seen = new Set<Scalar>();
  const ofScalar = (scalar: Scalar): string | undefined => {
    if (seen.has(scalar)) return undefined;
    seen.add(scalar);
    switch (scalar.kind) {
      case "call":
        return first(scalar.args, ofScalar);
      case "position":
        return ofIndex(scalar.index, nest.axes, false);
      case "load":
        return ofAccess(scalar.index, nest.operands[scalar.operand]?.shape ?? []);
      case "inside":
        return ofAccess(scalar.index, scalar.extents);
      default:
        return undefined;
    }
  };
  const ofAccess = (index: readonly Index[], shape: readonly number[]): string | undefined => {
    const values = first(index, (item) => (item.kind === "indirect" ? ofScalar(item.value) : undefined));
    return values ?? ofPlaces(index, shape, nest.axes);
  };
  const { body, epilogue, output, axes, free, reducer } = nest;
  const steps = axes.slice(free).reduce((product, axis) => product * axis.extent, 1);
  if ((reducer === "argmax" || reducer === "argmin") && steps > LARGEST_INT) return `${reducer} over ${steps} elements`;
  return ofScalar(body) ?? (epilogue && ofScalar(epilogue)) ?? ofAccess(output.index, output.shape);
}

/** @throws ShapeError naming the op and what of it kernels cannot count */
export function requireReach(nest: Nest): void {
  const beyond = beyondReach(nest);
  if (beyond !== undefined)
    throw new ShapeError(`${nest.name}: ${beyond} is more than places are counted to, in 32 bits`, {
      hint: "use smaller strides, dilations, paddings and offsets",
    });
}

function ofPlaces(index: readonly Index[], shape: readonly number[], axes: readonly Axis[]): string | undefined {
  let stride = WIDEST;
  let [least, most] = [0, 0];
  for (let d = index.length - 1; d >= 0; d--) {
    const item = index[d]!;
    if (item.kind === "affine") {
      const beyond = ofIndex(item, axes, item.checked);
      if (beyond !== undefined) return `${beyond} into a tensor of shape ${shapeText(shape)}`;
      if (item.checked && item.divisor === 1) {
        const [low, high] = spanOf(item, axes);
        least += low * stride;
        most += high * stride;
      }
    }
    stride *= shape[d]!;
  }
  if (isWithin(least) && isWithin(most)) return undefined;
  return `an access from ${least} to ${most} bytes beside the start of a tensor of shape ${shapeText(shape)}`;
}

function ofIndex(index: AffineIndex, axes: readonly Axis[], isChecked: boolean): string | undefined {
  const { terms, offset, divisor } = index;
  const steps = terms.map(({ coefficient }) => coefficient);
  const factor = steps.find((step) => !isWithin(step, isChecked ? LARGEST_FACTOR : LARGEST_INT));
  const number = factor ?? [offset, divisor].find((value) => !isWithin(value));
  if (number !== undefined) return `the ${number} in an index`;
  const [low, high] = spanOf(index, axes);
  const most = isChecked ? LARGEST_CHECKED : LARGEST_INT;
  return isWithin(low, most) && isWithin(high, most) ? undefined : `an index from ${low} to ${high}`;
}

/** The least and the greatest sum of some of an index's parts. */
function spanOf(index: AffineIndex, axes: readonly Axis[]): readonly [number, number] {
  const [low, high] = intervalOf({ ...index, offset: 0 }, axes);
  return [low + Math.min(0, index.offset), high + Math.max(0, index.offset)];
}

/** False also for NaN. */
const isWithin = (value: number, most = LARGEST_INT): boolean => Math.abs(value) <= most;

function first<Item, Found>(items: readonly Item[], find: (item: Item) => Found | undefined): Found | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
