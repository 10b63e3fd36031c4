// A plain n-dimensional array: a row-major typed array with its shape, the currency between data sources and tensors.

import { InputError } from "../util/errors.ts";

/** The kinds of typed array that hold data. */
export type Storage = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Row-major values: the last axis is contiguous; `data.length` is the product of `shape` (1 for `[]`). */
export interface NdArray<T extends Storage = Storage> {
  readonly shape: readonly number[];
  readonly data: T;
}

/**
 * Pairs values with a shape after checking that they fit.
 *
 * @throws InputError when a dimension is not a non-negative integer or the product differs from `data.length`.
 */
export function ndArray<T extends Storage>(data: T, shape: readonly number[]): NdArray<T> {
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw new InputError(`shape: expected non-negative whole numbers, got [${shape.join(", ")}]`);
    }
  }
  const count = elementCount(shape);
  if (count !== data.length) {
    throw new InputError(`shape: [${shape.join(", ")}] holds ${count} values, but ${data.length} were given`);
  }
  return { shape: [...shape], data };
}

/** Number of values in an array of this shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** A zero-filled typed array of the same kind as `like`, in a buffer of its own. */
export function allocateLike<T extends Storage>(like: T, length: number): T {
  // A typed array's `constructor` is typed as Function; the four kinds of Storage share this signature.
  const Kind = like.constructor as new (length: number) => T;
  return new Kind(length);
}

/**
 * Copies the given rows (indices along the first axis) into a fresh array, in the given order.
 *
 * @throws InputError when an index is outside `0 … shape[0] - 1`.
 */
export function gatherRows<T extends Storage>(array: NdArray<T>, rows: ArrayLike<number>): NdArray<T> {
  const [rowCount = 0, ...rest] = array.shape;
  const width = elementCount(rest);
  const data = allocateLike(array.data, rows.length * width);
  for (let position = 0; position < rows.length; position++) {
    const row = rows[position] as number;
    if (!(row >= 0 && row < rowCount && Number.isInteger(row))) {
      throw new InputError(`row index: expected a whole number from 0 to ${rowCount - 1}, got ${row}`);
    }
    if (width === 1) {
      data[position] = array.data[row] as number;
    } else {
      data.set(array.data.subarray(row * width, (row + 1) * width), position * width);
    }
  }
  return { shape: [rows.length, ...rest], data };
}
