// Resampling of untyped values: interpolation, adaptive pooling, padding, pixel shuffling.

import { sizeOfShape } from "../nest/evaluate.ts";
import * as moves from "../ops/moves.ts";
import * as reductions from "../ops/reductions.ts";
import * as ops from "../ops/resampling.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import { apply } from "./engine.ts";
import { pad, reduceAxes, reshape, take, transpose } from "./operate.ts";
import type { Value } from "./value.ts";
import type { PerDimension } from "./windows.ts";

/** How values between elements are found. */
export type Interpolation = "nearest" | "linear" | "cubic";

/** The new extents and how to fill them. */
export interface UpsampleOptions {
  /** The new extents. Either this or scale. */
  readonly size?: PerDimension;
  /** How many times larger; may be a fraction, the extent is rounded down. */
  readonly scale?: PerDimension;
  /**
   * "linear" is bilinear for images and trilinear for volumes; "cubic" has Keys' a = −0.75, as PyTorch has it. Default
   * "nearest".
   */
  readonly mode?: Interpolation;
  /**
   * Whether the first and last elements keep their places, instead of the borders of the image. Default false; not for
   * "nearest".
   */
  readonly alignCorners?: boolean;
}

/** What added elements hold. */
export type PaddingMode = "constant" | "reflect" | "replicate" | "circular";

/** What padding adds. */
export interface PaddingOptions {
  /**
   * "reflect" mirrors without repeating the border, "replicate" repeats the border, "circular" continues at the other
   * end. Default "constant".
   */
  readonly mode?: PaddingMode;
  /** Of the constant padding. Default 0. */
  readonly value?: number;
}

/**
 * How much to add to each of the last dimensions: one number for all spatial ones, or for each a number or a pair
 * before and after.
 */
export type PaddingAmounts = number | readonly (number | readonly [before: number, after: number])[];

/** For every output the inputs it reads, and how much each counts. */
interface Table {
  readonly taps: number;
  /** −1: none. */
  readonly ids: Int32Array;
  readonly weights: Float64Array;
}

/** A tensor may have up to 2 GiB. */
const MOST_TABULATED = 2 ** 29 - 1;

/** [batch, channels, …] with other spatial extents. */
export function upsample(x: Value, options: UpsampleOptions): Value {
  const { mode = "nearest", alignCorners = false } = options;
  checkSpatial("upsample", x);
  if (!Object.hasOwn(INTERPOLATIONS, mode))
    throw new InputError(`upsample: mode must be one of ${Object.keys(INTERPOLATIONS).join(", ")}, got ${JSON.stringify(mode)}`);
  if ((options.size === undefined) === (options.scale === undefined))
    throw new InputError(`upsample: expected either size or scale, got ${options.size === undefined ? "neither" : "both"}`);
  if (alignCorners && mode === "nearest") throw new InputError("upsample: alignCorners goes with the modes linear and cubic, got nearest");
  const spatial = x.shape.slice(2);
  const scales = options.scale === undefined ? undefined : positive("upsample", "scale", options.scale, spatial.length, false);
  const sizes =
    scales === undefined
      ? positive("upsample", "size", options.size as PerDimension, spatial.length, true)
      : spatial.map((extent, d) => Math.floor(extent * scales[d]!));
  if (sizes.some((size) => size < 1 || size >= 2 ** 31))
    throw new ShapeError(`upsample: the extents of ${shapeText(x.shape)} would become ${shapeText(sizes)}`, {
      hint: "give a scale that leaves at least one element, and fewer than 2³¹",
    });
  return sizes.reduce((value, size, d) => {
    const extent = spatial[d]!;
    const step = scales === undefined ? extent / size : 1 / scales[d]!;
    // As PyTorch: a fractional scale that leaves an extent as it is leaves the numbers too.
    if (size === extent && (mode === "linear" || step === 1)) return value;
    if (mode !== "nearest") return resample(value, d + 2, INTERPOLATIONS[mode](extent, size, step, alignCorners));
    requireTable(size, 1);
    // Of whole numbers: i · extent / size is exact where it is whole, i · (extent / size) need not be.
    const place = (i: number): number => (scales === undefined ? Math.floor((i * extent) / size) : Math.floor(i * step));
    return pick(
      value,
      d + 2,
      Array.from({ length: size }, (_, i) => Math.min(extent - 1, place(i))),
    );
  }, x);
}

/** [batch, channels, …] with these spatial extents: output i covers the inputs from ⌊i·n/size⌋ to ⌈(i+1)·n/size⌉. */
export function adaptivePool(kind: "max" | "average", x: Value, size: PerDimension): Value {
  const name = `adaptive${kind === "max" ? "Max" : "Average"}Pool`;
  checkSpatial(name, x);
  const spatial = x.shape.slice(2);
  const sizes = positive(name, "size", size, spatial.length, true);
  // Windows of one length that do not overlap are dimensions of their own.
  if (sizes.every((count, d) => spatial[d]! % count === 0)) {
    const parts = sizes.flatMap((count, d) => [count, spatial[d]! / count]);
    const divided = reshape(x, [...x.shape.slice(0, 2), ...parts]);
    return reduceAxes(
      kind === "max" ? reductions.max : reductions.mean,
      divided,
      sizes.map((_, d) => 3 + 2 * d),
    );
  }
  // The last dimension first: of equal elements, the first in row-major order gets the gradient, as in ordinary
  // pooling.
  return sizes.reduceRight((value, count, d) => {
    const table = windows(spatial[d]!, count);
    return kind === "max" ? resampleMax(value, d + 2, table) : resample(value, d + 2, table);
  }, x);
}

/** Larger last dimensions. */
export function padding(x: Value, amounts: PaddingAmounts, options: PaddingOptions): Value {
  const { mode = "constant", value = 0 } = options;
  if (typeof amounts === "number") checkSpatial("padding", x);
  const pairs = (typeof amounts === "number" ? x.shape.slice(2).map(() => amounts) : amounts).map((amount) =>
    typeof amount === "number" ? ([amount, amount] as const) : amount,
  );
  if (pairs.length > x.rank)
    throw new ShapeError(`padding: ${pairs.length} amounts for a tensor of ${x.rank} dimensions: x is ${shapeText(x.shape)}`);
  for (const pair of pairs)
    if (pair.length !== 2 || pair.some((amount) => !Number.isInteger(amount) || amount < 0))
      throw new InputError(`padding: amounts must be integers of at least 0, got ${JSON.stringify(pair)}`);
  if (mode === "constant") return pad(x, pairs, value);
  if (!Object.hasOwn(SOURCES, mode))
    throw new InputError(`padding: mode must be one of constant, ${Object.keys(SOURCES).join(", ")}, got ${JSON.stringify(mode)}`);
  const { reach, source } = SOURCES[mode];
  return pairs.reduce((padded, [before, after], n) => {
    const d = x.rank - pairs.length + n;
    const extent = x.shape[d]!;
    if (before === 0 && after === 0) return padded;
    if (Math.max(before, after) > reach(extent))
      throw new ShapeError(
        `padding: ${mode} padding of dimension ${d} can be at most ${reach(extent)}, got [${before}, ${after}]: x is ${shapeText(x.shape)}`,
      );
    return pick(
      padded,
      d,
      Array.from({ length: before + extent + after }, (_, i) => source(i - before, extent)),
    );
  }, x);
}

/** [batch, channels · factor^d, …] → [batch, channels, … · factor]: channels become the pixels of a block. */
export function pixelShuffle(x: Value, factor: number): Value {
  const [batch, channels, spatial, blocks] = shuffled("pixelShuffle", x, factor);
  const block = factor ** spatial.length;
  if (channels % block !== 0)
    throw new ShapeError(
      `pixelShuffle: expected a multiple of ${block} channels for blocks of ${blocks.join(" × ")}, got ${channels}: x is ${shapeText(x.shape)}`,
    );
  const parts = reshape(x, [batch, channels / block, ...blocks, ...spatial]);
  const dims = spatial.length;
  const order = [0, 1, ...spatial.flatMap((_, d) => [2 + dims + d, 2 + d])];
  return reshape(apply(moves.transpose(order), [parts]), [batch, channels / block, ...spatial.map((extent) => extent * factor)]);
}

/** [batch, channels, … · factor] → [batch, channels · factor^d, …]: the inverse of pixelShuffle. */
export function pixelUnshuffle(x: Value, factor: number): Value {
  const [batch, channels, spatial, blocks] = shuffled("pixelUnshuffle", x, factor);
  if (spatial.some((extent) => extent % factor !== 0))
    throw new ShapeError(`pixelUnshuffle: ${factor} does not divide the extents of ${shapeText(x.shape)}`);
  const smaller = spatial.map((extent) => extent / factor);
  const parts = reshape(x, [batch, channels, ...smaller.flatMap((extent) => [extent, factor])]);
  const order = [0, 1, ...smaller.map((_, d) => 3 + 2 * d), ...smaller.map((_, d) => 2 + 2 * d)];
  return reshape(transpose(parts, order), [batch, channels * sizeOfShape(blocks), ...smaller]);
}

const INTERPOLATIONS = {
  nearest: undefined,
  /** Two neighbours by their distances. */
  linear: (extent: number, size: number, step: number, aligned: boolean): Table =>
    tabulate(size, 2, (i) => {
      const place = Math.max(0, aligned ? alignedPlace(i, extent, size) : (i + 0.5) * step - 0.5);
      const first = Math.min(Math.floor(place), extent - 1);
      const share = Math.min(place - first, 1);
      return [
        [first, 1 - share],
        [Math.min(first + 1, extent - 1), share],
      ];
    }),
  /** Four neighbours by Keys' cubic convolution, a = −0.75. Keys 1981. */
  cubic: (extent: number, size: number, step: number, aligned: boolean): Table =>
    tabulate(size, 4, (i) => {
      const place = aligned ? alignedPlace(i, extent, size) : (i + 0.5) * step - 0.5;
      const first = Math.floor(place);
      return [-1, 0, 1, 2].map((offset) => [
        Math.min(extent - 1, Math.max(0, first + offset)),
        cubicWeight(Math.abs(place - first - offset)),
      ]);
    }),
} as const;

const SOURCES = {
  reflect: {
    reach: (extent: number) => extent - 1,
    source: (i: number, extent: number) => (i < 0 ? -i : i >= extent ? 2 * (extent - 1) - i : i),
  },
  replicate: {
    reach: (extent: number) => (extent === 0 ? 0 : Number.POSITIVE_INFINITY),
    source: (i: number, extent: number) => Math.min(extent - 1, Math.max(0, i)),
  },
  circular: { reach: (extent: number) => extent, source: (i: number, extent: number) => (i + extent) % extent },
} as const satisfies Record<
  Exclude<PaddingMode, "constant">,
  { reach: (extent: number) => number; source: (i: number, extent: number) => number }
>;

function alignedPlace(i: number, extent: number, size: number): number {
  return size === 1 ? 0 : (i * (extent - 1)) / (size - 1);
}

function cubicWeight(distance: number): number {
  const a = -0.75;
  return distance <= 1
    ? ((a + 2) * distance - (a + 3)) * distance * distance + 1
    : ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
}

function windows(extent: number, size: number): Table {
  const start = (i: number): number => Math.floor((i * extent) / size);
  const end = (i: number): number => Math.ceil(((i + 1) * extent) / size);
  requireTable(size, Math.ceil(extent / size) + 1);
  let longest = 0;
  for (let i = 0; i < size; i++) longest = Math.max(longest, end(i) - start(i));
  return tabulate(size, longest, (i) =>
    Array.from({ length: end(i) - start(i) }, (_, p) => [start(i) + p, 1 / (end(i) - start(i))] as const),
  );
}

/** @throws ShapeError for extents whose tables would be larger than any tensor may be */
function requireTable(size: number, taps: number): void {
  if (size * taps > MOST_TABULATED) throw new ShapeError(`resampling: an extent of ${size} is more than can be computed at once`);
}

function tabulate(size: number, taps: number, row: (i: number) => readonly (readonly [id: number, weight: number])[]): Table {
  requireTable(size, taps);
  const ids = new Int32Array(size * taps).fill(-1);
  const weights = new Float64Array(size * taps);
  for (let i = 0; i < size; i++)
    row(i).forEach(([id, weight], p) => {
      // An element of weight 0 is not read: it may be NaN.
      ids[i * taps + p] = weight === 0 ? -1 : id;
      weights[i * taps + p] = weight;
    });
  return { taps, ids, weights };
}

function resample(x: Value, d: number, { taps, ids, weights }: Table): Value {
  const shape = [ids.length / taps, taps];
  const dtype = x.dtype === "float64" ? "float64" : "float32";
  const numbers = dtype === "float64" ? weights : Float32Array.from(weights);
  return along(x, d, (flat) => apply(ops.resample, [flat, x.make(ids, shape, "int32"), x.make(numbers, shape, dtype)]));
}

function resampleMax(x: Value, d: number, { taps, ids }: Table): Value {
  return along(x, d, (flat) => apply(ops.resampleMax, [flat, x.make(ids, [ids.length / taps, taps], "int32")]));
}

function pick(x: Value, d: number, ids: readonly number[]): Value {
  return take(x, x.make(Int32Array.from(ids), [ids.length], "int32"), d);
}

/** Runs a row over [outer, extent, inner] along dimension d. */
function along(x: Value, d: number, run: (flat: Value) => Value): Value {
  const size = (from: number, to: number): number => sizeOfShape(x.shape.slice(from, to));
  const flat = reshape(x, [size(0, d), x.shape[d]!, size(d + 1, x.rank)]);
  const y = run(flat);
  return reshape(y, [...x.shape.slice(0, d), y.shape[1]!, ...x.shape.slice(d + 1)]);
}

function shuffled(name: string, x: Value, factor: number): [batch: number, channels: number, spatial: number[], blocks: number[]] {
  checkSpatial(name, x);
  if (!Number.isInteger(factor) || factor < 1) throw new InputError(`${name}: factor must be a positive integer, got ${factor}`);
  const [batch, channels, ...spatial] = x.shape as [number, number, ...number[]];
  return [batch, channels, spatial, spatial.map(() => factor)];
}

function checkSpatial(name: string, x: Value): void {
  if (x.rank < 3 || x.rank > 5)
    throw new ShapeError(`${name}: expected [batch, channels, …] with one to three spatial dimensions, got shape ${shapeText(x.shape)}`);
  if (x.shape.slice(2).some((extent) => extent === 0))
    throw new ShapeError(`${name}: expected at least one element in every spatial dimension, got shape ${shapeText(x.shape)}`);
}

function positive(name: string, what: string, value: PerDimension, dims: number, whole: boolean): readonly number[] {
  const values = typeof value === "number" ? Array.from({ length: dims }, () => value) : value;
  if (
    !Array.isArray(values) ||
    values.length !== dims ||
    values.some((item) => !(item > 0 && Number.isFinite(item)) || (whole && !Number.isInteger(item)))
  )
    throw new InputError(
      `${name}: ${what} must be ${whole ? "a positive integer" : "a positive number"}, or ${dims} of them, got ${typeof value === "number" ? value : JSON.stringify(value)}`,
    );
  return values;
}
