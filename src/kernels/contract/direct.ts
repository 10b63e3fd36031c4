// For few rows: reads the columns of a windowed operand in place, or from a padded copy, instead of packing them.

import { type Element, elementBytes, readElement } from "../expressions/elements.ts";
import type { FunctionBuilder, ModuleBuilder } from "../language/builder.ts";
import type { Machine, Value } from "../language/language.ts";
import { add, advance, at, constant, i32, mul } from "../language/values.ts";
import { type AccessDimension, type AffineAccess, rangeOf } from "./access.ts";
import type { ContractionClass, ContractionPlan } from "./plan.ts";

/** One dimension of the padded copy: steps [first, first + count) come from the operand, the others are 0. */
interface StageDimension {
  /** Index in the operand of step 0, before the batch axes' part. */
  readonly low: number;
  readonly first: number;
  readonly count: number;
  readonly pitch: number;
  readonly sourcePitch: number;
}

/** A copy of the part of B that one batch index reads, with its padding. */
export interface Stage {
  /** Outermost first. */
  readonly dimensions: readonly StageDimension[];
  /** Of the operand; the copy is float32. */
  readonly element: Element;
  readonly bytes: number;
  /** Elements per step of the batch axes in the operand. */
  readonly strides: readonly number[];
}

/** A class whose columns are rows of whole vectors, every one contiguous in B. */
export interface DirectColumns {
  /** With outer columns moved among the batch axes. */
  readonly plan: ContractionPlan;
  /** Its B is the copy, if there is one. */
  readonly part: ContractionClass;
  /** Steps of the innermost column axis; its rows are as long as the next multiple of a vector. */
  readonly limit: number;
  readonly stage: Stage | undefined;
}

/** Rows up to which packing would cost too much: a packed vector is used once per tile of rows. */
const MOST_ROWS = 48;
/** Fewer columns per batch index than this, and the work around them shows. */
const LEAST_COLUMNS = 64;
/**
 * Packing a vector costs about as much as multiplying it by this many rows: so much may be computed in vain at the end
 * of rows.
 */
const PACKING_ROWS = 8;

/** undefined when B is better packed (or read in place as a plain matrix). */
export function directColumns(plan: ContractionPlan, part: ContractionClass, machine: Machine): DirectColumns | undefined {
  const segments = part.segments.filter((segment) => segment.k > 0);
  const [segment] = segments;
  if (segment === undefined || segments.length > 1 || part.m > MOST_ROWS) return undefined;
  const { b } = segment;
  const moving = plan.roles.n.filter((axis) => part.extents[axis]! > 1);
  const innermost = moving.at(-1);
  if (innermost === undefined) return undefined;
  const limit = part.extents[innermost]!;
  const padded = Math.ceil(limit / machine.lanes) * machine.lanes;
  if (padded / limit > 1 + PACKING_ROWS / part.m || !isRow(b, innermost)) return undefined;
  // Windows only: in a plain matrix the columns and K do not share a dimension.
  const shared = b.dimensions.some(
    ({ steps }) => moving.some((axis) => steps[axis] !== 0) && plan.roles.k.some((axis) => steps[axis] !== 0),
  );
  if (!shared) return undefined;
  const outer: number[] = [];
  let columns = moving.reduce((product, axis) => product * part.extents[axis]!, 1);
  for (const axis of moving.slice(0, -1)) {
    const fewer = columns / part.extents[axis]!;
    if (fewer < LEAST_COLUMNS || b.checks.some((check) => check.steps[axis] !== 0)) break;
    outer.push(axis);
    columns = fewer;
  }
  const inner = moving.slice(outer.length);
  const roles = { ...plan.roles, batch: [...plan.roles.batch, ...outer], n: inner };
  const outerSize = outer.reduce((product, axis) => product * part.extents[axis]!, 1);
  let access: AffineAccess = b;
  let stage: Stage | undefined;
  if (b.checks.length > 0) {
    const staged = stageOf(b, plan.elements.b, segment.extents, new Set([...inner, ...plan.roles.k]));
    if (staged.stage.bytes > machine.caches[1] / 2 || staged.stage.bytes > columns * segment.k) return undefined;
    ({ access, stage } = staged);
  }
  const n = (columns / limit) * padded;
  const direct: ContractionClass = { ...part, batch: part.batch * outerSize, n, segments: [{ ...segment, b: access }] };
  return { plan: { ...plan, roles }, part: direct, limit, stage };
}

/** The axis walks the last dimension, and only that, one element at a time. */
function isRow(access: AffineAccess, axis: number): boolean {
  return access.dimensions.every((dimension, position) => dimension.steps[axis] === (position === access.dimensions.length - 1 ? 1 : 0));
}

function stageOf(
  b: AffineAccess,
  element: Element,
  extents: readonly number[],
  moving: ReadonlySet<number>,
): { access: AffineAccess; stage: Stage } {
  const dimensions: StageDimension[] = [];
  const strides: number[] = extents.map(() => 0);
  let base = 0;
  let pitch = 1;
  for (const { base: start, steps, extent, pitch: sourcePitch, checked } of [...b.dimensions].reverse()) {
    const own = steps.map((step, axis) => (moving.has(axis) ? step : 0));
    const [low, high] = rangeOf(start, own, extents);
    const size = high - low + 1;
    const first = checked ? Math.max(0, -low) : 0;
    const end = checked ? Math.min(size, extent - low) : size;
    dimensions.unshift({ low, first, count: Math.max(0, end - first), pitch, sourcePitch });
    base += (start - low) * pitch;
    own.forEach((step, axis) => {
      strides[axis]! += step * pitch;
    });
    pitch *= size;
  }
  const kept: AccessDimension[] = [];
  return {
    access: { base, strides, checks: [], dimensions: kept },
    stage: { dimensions, element, bytes: pitch * 4, strides: b.strides },
  };
}

/** Defines stage(source, origin, to): copies one batch index's part of B; the padding has been zeroed before. */
export function defineStage(module: ModuleBuilder, name: string, { dimensions, element }: Stage): string {
  return module.define(name, { source: "pointer", origin: "i32", to: "pointer" }, (k, { source, origin, to }) => {
    if (dimensions.some(({ count }) => count === 0)) return;
    const begin = dimensions.reduce((sum, { low, first, sourcePitch }) => sum + (low + first) * sourcePitch, 0) * elementBytes[element];
    const target = dimensions.reduce((sum, { first, pitch }) => sum + first * pitch, 0) * 4;
    copy(k, dimensions, element, k.let(advance(source, add(origin, begin)), "from"), k.let(advance(to, target), "to"));
  });
}

function copy(k: FunctionBuilder, dimensions: readonly StageDimension[], element: Element, from: Value, to: Value): void {
  const size = elementBytes[element];
  const [outermost, ...rest] = dimensions;
  if (outermost === undefined) {
    k.store(at(to), readElement(element, at(from), "scalar"));
    return;
  }
  if (rest.length > 0) {
    k.loop(0, outermost.count, 1, (i) => {
      const [source, target] = [mul(i, outermost.sourcePitch * size), mul(i, outermost.pitch * 4)];
      copy(k, rest, element, k.let(advance(from, source), "from"), k.let(advance(to, target), "to"));
    });
    return;
  }
  const { lanes } = k.machine;
  const whole = Math.floor(outermost.count / lanes) * lanes;
  const read = (index: Value | undefined, skipped: number) => readElement(element, at(from, index, skipped * size), "vector");
  k.loop(0, whole, lanes, (i) => k.store(at(to, mul(i, 4)), read(mul(i, size), 0)));
  const left = outermost.count - whole;
  if (left > 0) k.storePartial(at(to, undefined, whole * 4), read(undefined, whole), i32(left));
}

/** Zeroes an area of scratch, a multiple of 64 bytes. */
export function zeroArea(k: FunctionBuilder, area: Value, bytes: number): void {
  k.loop(0, bytes, k.machine.lanes * 4, (i) => k.store(at(area, i), constant("vf32", 0)));
}
