// Recognizes 3×3 convolutions of stride 1, and their gradients, that Winograd's algorithm computes with fewer products.

import type { Machine } from "../../language/language.ts";
import type { AccessDimension, AffineAccess } from "../access.ts";
import type { ContractionClass, ContractionPlan, Segment } from "../plan.ts";
import { SIZE } from "./transforms.ts";

/** One dimension that the filter's window moves along. */
interface WindowDimension {
  /** Outputs along it. */
  readonly outputs: number;
  /**
   * Of the image: its extent, elements from one to the next, and the index that the first output's window begins at.
   */
  readonly extent: number;
  readonly pitch: number;
  readonly low: number;
  /** Axis of the outputs, and of the filter's taps. */
  readonly axis: number;
  readonly tapAxis: number;
  readonly taps: number;
  /** Elements of the filter from one tap to the next in the window's order; of the output from one to the next. */
  readonly tap: number;
}

/** One axis of channels or images: its number (undefined: one step) and extent. */
export interface PlainAxis {
  readonly axis: number | undefined;
  readonly extent: number;
}

export interface WinogradPlan {
  readonly plan: ContractionPlan;
  readonly part: ContractionClass;
  readonly segment: Segment;
  /** Operand numbers and accesses; the filter's base is that of its window's first tap. */
  readonly image: { readonly operand: number; readonly access: AffineAccess; readonly base: number };
  readonly filter: { readonly operand: number; readonly access: AffineAccess; readonly base: number };
  readonly rows: WindowDimension;
  readonly columns: WindowDimension;
  readonly images: PlainAxis;
  readonly inputs: PlainAxis;
  readonly outputs: PlainAxis;
}

/**
 * The gradient of such a convolution by its filters: what arrives at the outputs, times windows of the image, summed
 * over both.
 */
export interface WinogradGradientPlan {
  readonly plan: ContractionPlan;
  readonly part: ContractionClass;
  readonly image: { readonly operand: number; readonly access: AffineAccess; readonly base: number };
  readonly upstream: { readonly operand: number; readonly access: AffineAccess };
  readonly rows: Omit<WindowDimension, "tap">;
  readonly columns: Omit<WindowDimension, "tap">;
  /** Axes of the filter's rows and columns. */
  readonly taps: readonly [number, number];
  readonly images: PlainAxis;
  readonly inputs: PlainAxis;
  readonly outputs: PlainAxis;
}

/** Smaller convolutions are not worth the transforms, nor the rounding. */
const LEAST_PRODUCTS = 2e6;

/** What the axes mean when a contraction is such a convolution; undefined otherwise. */
export function findWindows(plan: ContractionPlan): WinogradPlan | undefined {
  const sides = sidesOf(plan);
  if (sides === undefined || plan.nest.output.inPlace === true) return undefined;
  const { part, segment, moves } = sides;
  for (const { image, imageAt, other: filter, otherAt: filterAt, own, others } of sides.ways) {
    if (filter.checks.length > 0) continue;
    const [free, summed] = [own.filter(moves), plan.roles.k.filter(moves)];
    const found = image.dimensions.flatMap((dimension) => windowOf(dimension, free, summed, segment, filter) ?? []);
    const [rows, columns] = found;
    if (rows === undefined || columns === undefined || found.length > 2) continue;
    const plain = (axes: readonly number[], without: readonly number[]) => plainAxis(axes, without, segment);
    const images = plain(free, [rows.axis, columns.axis]);
    const inputs = plain(summed, [rows.tapAxis, columns.tapAxis]);
    const outputs = plain(others.filter(moves), []);
    const windows = image.dimensions.filter(({ checked }) => checked);
    if (images === undefined || inputs === undefined || outputs === undefined || windows.some((d) => !found.some(({ of }) => of === d)))
      continue;
    const start = (access: AffineAccess, low: number) => access.base + low;
    return {
      plan,
      part,
      segment,
      image: { operand: imageAt, access: image, base: start(image, -rows.start * rows.pitch - columns.start * columns.pitch) },
      filter: { operand: filterAt, access: filter, base: start(filter, rows.first + columns.first) },
      rows,
      columns,
      images,
      inputs,
      outputs,
    };
  }
  return undefined;
}

interface FoundWindow extends WindowDimension {
  readonly of: AccessDimension;
  /** The index at step 0 of both axes. */
  readonly start: number;
  /** Elements of the filter from its base to the tap of the window's first place. */
  readonly first: number;
}

function windowOf(
  dimension: AccessDimension,
  free: readonly number[],
  summed: readonly number[],
  { extents }: Segment,
  filter: AffineAccess,
): FoundWindow | undefined {
  const { steps, base, extent, pitch } = dimension;
  const axes = free.filter((axis) => steps[axis] !== 0);
  const tapAxes = summed.filter((axis) => steps[axis] !== 0);
  const [axis, tapAxis] = [axes[0], tapAxes[0]];
  if (axis === undefined || tapAxis === undefined || axes.length > 1 || tapAxes.length > 1) return undefined;
  const step = steps[tapAxis]!;
  if (steps[axis] !== 1 || Math.abs(step) !== 1) return undefined;
  const taps = extents[tapAxis]!;
  const back = step < 0 ? taps - 1 : 0;
  const stride = filter.strides[tapAxis]!;
  return {
    of: dimension,
    outputs: extents[axis]!,
    extent,
    pitch,
    low: base - back,
    axis,
    tapAxis,
    taps,
    start: base,
    first: back * stride,
    tap: step * stride,
  };
}

/** What the axes mean when a contraction is the gradient of such a convolution by its filters; undefined otherwise. */
export function findGradientWindows(plan: ContractionPlan): WinogradGradientPlan | undefined {
  const sides = sidesOf(plan);
  if (sides === undefined) return undefined;
  const { part, segment, moves } = sides;
  for (const { image, imageAt, other, otherAt, own, others } of sides.ways) {
    if (other.checks.length > 0) continue;
    const [free, summed] = [own.filter(moves), plan.roles.k.filter(moves)];
    const found = image.dimensions.flatMap((dimension) => windowOf(dimension, summed, free, segment, part.output) ?? []);
    const [rows, columns] = found;
    if (rows === undefined || columns === undefined || found.length > 2) continue;
    if (image.dimensions.some((dimension) => dimension.checked && !found.some(({ of }) => of === dimension))) continue;
    const images = plainAxis(summed, [rows.axis, columns.axis], segment);
    const inputs = plainAxis(free, [rows.tapAxis, columns.tapAxis], segment);
    const outputs = plainAxis(others.filter(moves), [], segment);
    // Taps in the window's order lie side by side in the filters.
    if (images === undefined || inputs === undefined || outputs === undefined || rows.tap !== SIZE.taps || columns.tap !== 1) continue;
    return {
      plan,
      part,
      image: { operand: imageAt, access: image, base: image.base - rows.start * rows.pitch - columns.start * columns.pitch },
      upstream: { operand: otherAt, access: other },
      rows,
      columns,
      taps: [rows.tapAxis, columns.tapAxis],
      images,
      inputs,
      outputs,
    };
  }
  return undefined;
}

/** Both ways to see the only segment of a contraction's only class: either operand may be the image. */
function sidesOf(plan: ContractionPlan) {
  const [part] = plan.classes;
  if (part === undefined || plan.classes.length > 1 || part.batch > 1 || plan.nest.output.accumulate) return undefined;
  const segments = part.segments.filter((segment) => segment.k > 0);
  const [segment] = segments;
  if (segment === undefined || segments.length > 1) return undefined;
  const ways = [
    { image: segment.b, imageAt: plan.b, other: segment.a, otherAt: plan.a, own: plan.roles.n, others: plan.roles.m },
    { image: segment.a, imageAt: plan.a, other: segment.b, otherAt: plan.b, own: plan.roles.m, others: plan.roles.n },
  ] as const;
  return { part, segment, ways, moves: (axis: number) => segment.extents[axis]! > 1 };
}

/** The one axis that is left; undefined when there are several. */
function plainAxis(axes: readonly number[], without: readonly number[], { extents }: Segment): PlainAxis | undefined {
  const rest = axes.filter((axis) => !without.includes(axis));
  return rest.length > 1 ? undefined : { axis: rest[0], extent: rest[0] === undefined ? 1 : extents[rest[0]]! };
}

/**
 * Cycles, estimated for 16 lanes on a core with one multiply-add per cycle: transforms of one tile's channels (a
 * vector) with their copies, of one input's filters for a vector of outputs (and of the way to memory and back, where
 * all of them together are more than the caches hold), and how much of the peak the products of each way reach.
 */
const COST = { input: 250, output: 250, filter: 250, filterInMemory: 600, direct: 0.8, products: 0.85 } as const;

/** Bytes that the unfinished sums of a gradient by filters may take. */
const MOST_SUMS = 12 * 2 ** 20;

/** Whether the fewer products pay for the transforms. */
export function paysOff(
  found: WinogradPlan | WinogradGradientPlan,
  { lanes, winograd = true, streamed = Number.POSITIVE_INFINITY }: Machine,
): boolean {
  const { rows, columns, images, inputs, outputs } = found;
  if (!winograd || rows.taps !== SIZE.taps || columns.taps !== SIZE.taps) return false;
  const products = rows.outputs * columns.outputs * images.extent * inputs.extent * outputs.extent * SIZE.taps ** 2;
  if (products < LEAST_PRODUCTS) return false;
  const tiles = images.extent * Math.ceil(rows.outputs / SIZE.outputs) * Math.ceil(columns.outputs / SIZE.outputs);
  const vectors = (count: number) => Math.ceil(count / lanes);
  const direct = products / lanes / COST.direct;
  const multiplied = (SIZE.products ** 2 * tiles * inputs.extent * vectors(outputs.extent)) / COST.products;
  const transformed = tiles * (vectors(inputs.extent) * COST.input + vectors(outputs.extent) * COST.output);
  // The gradient's sums go through memory instead of filters.
  if ("upstream" in found && SIZE.products ** 2 * outputs.extent * inputs.extent * 4 > MOST_SUMS) return false;
  const leavesCaches = SIZE.products ** 2 * outputs.extent * inputs.extent * 4 > streamed;
  const filters = vectors(outputs.extent) * inputs.extent * (COST.filter + (leavesCaches ? COST.filterInMemory : 0));
  return multiplied + transformed + filters < 0.85 * direct;
}
