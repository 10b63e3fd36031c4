// A plain n-dimensional array: a row-major typed array with its shape. Data sources make it, tensors are made from it.

import { type AnyNumberArray, allocate, dtypeOfArray, type NumberArray, toNumberArray } from "../nest/arrays.ts";
import { InputError } from "../util/errors.ts";
import { kindOf, textOf } from "../util/kind-of.ts";
import { shapeText } from "../util/shape-text.ts";

/** Arrays by name, all with the same length along the first axis. */
export type Fields = Readonly<Record<string, NdArray>>;

/** The kinds of typed array that hold data. */
export type Storage = NumberArray;

/** Row-major values: the last axis is contiguous; `data.length` is the product of `shape` (1 for `[]`). */
export interface NdArray<T extends Storage = Storage> {
  readonly shape: readonly number[];
  readonly data: T;
}

/**
 * Pairs values with a shape after checking that they fit. Typed arrays of other kinds are converted without loss: whole
 * numbers to Int32Array, beyond it to Float64Array, half precision to Float32Array.
 *
 * @throws InputError when a dimension is not a non-negative integer or the product differs from `data.length`, or
 * `data` holds no numbers.
 */
export function ndArray<T extends Storage>(data: T, shape: readonly number[]): NdArray<T>;
export function ndArray(data: AnyNumberArray, shape: readonly number[]): NdArray;
export function ndArray(given: AnyNumberArray, shape: readonly number[]): NdArray {
  const data = toNumberArray(given, "ndArray");
  if (!Array.isArray(shape))
    throw new InputError(`ndArray: expected a shape, got ${kindOf(shape)}`, { hint: "ndArray(data, [rows, columns])" });
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw new InputError(`ndArray: shape: expected non-negative whole numbers, got [${shape.map(textOf).join(", ")}]`);
    }
  }
  const count = elementCount(shape);
  if (count !== data.length) {
    throw new InputError(`ndArray: shape: ${shapeText(shape)} holds ${count} values, but ${data.length} were given`);
  }
  return { shape: [...shape], data };
}

/** Number of values in an array of this shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** A zero-filled typed array of the same kind as `like`, in a buffer of its own. */
export function allocateLike<T extends Storage>(like: T, length: number): T {
  // The kind of array follows from the dtype, which the compiler cannot know.
  return allocate(dtypeOfArray(like), length) as T;
}

/** The same array with its numbers in a kind that holds data. @throws InputError when it holds no numbers */
export function stored<A extends NdArray>(array: A, where: string): A {
  requireArray(where, array);
  const data = toNumberArray(array.data, where);
  // Same shape, same numbers: what else the array is, a tensor say, is kept where nothing had to be converted.
  return data === array.data ? array : ({ shape: array.shape, data } as NdArray as A);
}

/** @throws InputError for anything but numbers with their shape */
export function requireArray(where: string, array: unknown): asserts array is NdArray {
  const { shape, data } = Object(array) as Partial<NdArray>;
  if (!Array.isArray(shape) || data === undefined)
    throw new InputError(`${where}: expected numbers with their shape, got ${kindOf(array)}`);
}

/** Whether it has elements by number: a list, a typed array, or what is like one. */
export function isIndexed(value: unknown): value is ArrayLike<unknown> {
  return typeof value === "object" && value !== null && Number.isSafeInteger((value as { readonly length?: unknown }).length);
}

/** Whether the numbers can lie between whole ones. */
export function holdsFractions({ data }: NdArray): boolean {
  return { float32: true, float64: true, int32: false, uint8: false }[dtypeOfArray(data)];
}

/** Floats that hold what this kind of array does. */
export type FloatsOf<T extends Storage> = T extends Float32Array | Uint8Array ? Float32Array : Float64Array;

/** Float64 for results of arrays among which one holds more than float32 can, else float32. */
export function allocateFloats(length: number, ...from: readonly NdArray[]): Float32Array | Float64Array {
  const isSingle = from.every(({ data }) => ({ float32: true, float64: false, int32: false, uint8: true })[dtypeOfArray(data)]);
  return isSingle ? new Float32Array(length) : new Float64Array(length);
}

/**
 * Copies the given rows (indices along the first axis) into a fresh array, in the given order.
 *
 * @throws InputError when an index is outside `0 … shape[0] - 1`.
 */
export function gatherRows<T extends Storage>(array: NdArray<T>, rows: ArrayLike<number>): NdArray<T> {
  requireArray("gatherRows", array);
  if (!isIndexed(rows)) throw new InputError(`gatherRows: expected a list of row numbers, got ${kindOf(rows)}`);
  const [rowCount = 0, ...rest] = array.shape;
  const width = elementCount(rest);
  // Read once: a tensor's numbers are looked up at each reading.
  const source = array.data;
  const data = allocateLike(source, rows.length * width);
  for (let position = 0; position < rows.length; position++) {
    const row = rows[position]!;
    if (!(row >= 0 && row < rowCount && Number.isInteger(row))) {
      throw new InputError(`row index: expected a whole number from 0 to ${rowCount - 1}, got ${textOf(row)}`);
    }
    if (width === 1) {
      data[position] = source[row]!;
    } else {
      data.set(source.subarray(row * width, (row + 1) * width), position * width);
    }
  }
  return { shape: [rows.length, ...rest], data };
}
