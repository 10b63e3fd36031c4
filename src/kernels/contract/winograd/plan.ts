// Recognises 3×3 convolutions of stride 1, and gradients of them by their input, that Winograd's algorithm does in fewer products.
import type { Machine } from "../../language.ts";
import type { Access, AccessDimension } from "../access.ts";
import type { ContractionClass, ContractionPlan, Segment } from "../plan.ts";
import { size } from "./transforms.ts";

/** One dimension that the filter's window moves along. */
export interface WindowDimension {
  /** Outputs along it. */
  readonly outputs: number;
  /** Of the image: its extent, elements from one to the next, and the index that the first output's window begins at. */
  readonly extent: number;
  readonly pitch: number;
  readonly low: number;
  /** Axis of the outputs. */
  readonly axis: number;
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
  readonly image: { readonly operand: number; readonly access: Access; readonly base: number };
  readonly filter: { readonly operand: number; readonly access: Access; readonly base: number };
  readonly rows: WindowDimension;
  readonly columns: WindowDimension;
  readonly images: PlainAxis;
  readonly inputs: PlainAxis;
  readonly outputs: PlainAxis;
}

/** Smaller convolutions are not worth the transforms, nor the rounding. */
const leastProducts = 2e6;

/** What the axes mean when a contraction is such a convolution; undefined otherwise. */
export function findWindows(plan: ContractionPlan): WinogradPlan | undefined {
  const [part] = plan.classes;
  if (part === undefined || plan.classes.length > 1 || part.batch > 1) return undefined;
  const segments = part.segments.filter((segment) => segment.k > 0);
  const [segment] = segments;
  if (segment === undefined || segments.length > 1) return undefined;
  if (plan.nest.output.accumulate || plan.nest.output.inPlace === true) return undefined;
  const sides = [
    { image: segment.b, imageAt: plan.b, filter: segment.a, filterAt: plan.a, own: plan.roles.n, others: plan.roles.m },
    { image: segment.a, imageAt: plan.a, filter: segment.b, filterAt: plan.b, own: plan.roles.m, others: plan.roles.n },
  ];
  const moves = (axis: number) => segment.extents[axis]! > 1;
  for (const { image, imageAt, filter, filterAt, own, others } of sides) {
    if (filter.checks.length > 0) continue;
    const [free, summed] = [own.filter(moves), plan.roles.k.filter(moves)];
    const found = image.dimensions.flatMap((dimension) => windowOf(dimension, free, summed, segment, filter) ?? []);
    const [rows, columns] = found;
    if (rows === undefined || columns === undefined || found.length > 2) continue;
    const plain = (axes: readonly number[], without: readonly number[]): PlainAxis | undefined => {
      const rest = axes.filter((axis) => !without.includes(axis));
      return rest.length > 1 ? undefined : { axis: rest[0], extent: rest[0] === undefined ? 1 : segment.extents[rest[0]]! };
    };
    const images = plain(free, [rows.axis, columns.axis]);
    const inputs = plain(summed, [rows.summed, columns.summed]);
    const outputs = plain(others.filter(moves), []);
    const windows = image.dimensions.filter(({ checked }) => checked);
    if (images === undefined || inputs === undefined || outputs === undefined || windows.some((d) => !found.some(({ of }) => of === d)))
      continue;
    const start = (access: Access, low: number) => access.base + low;
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
  readonly summed: number;
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
  filter: Access,
): FoundWindow | undefined {
  const { steps, base, extent, pitch } = dimension;
  const axes = free.filter((axis) => steps[axis] !== 0);
  const tapAxes = summed.filter((axis) => steps[axis] !== 0);
  const [axis, tapAxis] = [axes[0], tapAxes[0]];
  if (axis === undefined || tapAxis === undefined || axes.length > 1 || tapAxes.length > 1) return undefined;
  const step = steps[tapAxis]!;
  if (steps[axis] !== 1 || Math.abs(step) !== 1 || extents[tapAxis] !== size.taps) return undefined;
  const back = step < 0 ? size.taps - 1 : 0;
  const stride = filter.strides[tapAxis]!;
  return {
    of: dimension,
    outputs: extents[axis]!,
    extent,
    pitch,
    low: base - back,
    axis,
    summed: tapAxis,
    start: base,
    first: back * stride,
    tap: step * stride,
  };
}

/**
 * Cycles, estimated for 16 lanes on a core with one multiply-add per cycle: transforms of one tile's channels (a vector) with their
 * copies, of one input's filters for a vector of outputs, and how much of the peak the products of each way reach.
 */
const cost = { input: 250, output: 250, filter: 250, direct: 0.8, products: 0.85 } as const;

/** Whether the fewer products pay for the transforms. */
export function paysOff({ rows, columns, images, inputs, outputs }: WinogradPlan, { lanes }: Machine): boolean {
  const products = rows.outputs * columns.outputs * images.extent * inputs.extent * outputs.extent * size.taps ** 2;
  if (products < leastProducts) return false;
  const tiles = images.extent * Math.ceil(rows.outputs / size.outputs) * Math.ceil(columns.outputs / size.outputs);
  const vectors = (count: number) => Math.ceil(count / lanes);
  const direct = products / lanes / cost.direct;
  const multiplied = (size.products ** 2 * tiles * inputs.extent * vectors(outputs.extent)) / cost.products;
  const transformed = tiles * (vectors(inputs.extent) * cost.input + vectors(outputs.extent) * cost.output);
  return multiplied + transformed + vectors(outputs.extent) * inputs.extent * cost.filter < 0.85 * direct;
}
