// Making tensors from numbers, typed arrays and shapes.

import type { HostArray } from "../backends/backend.ts";
import { roundToBfloat16 } from "../formula/bfloat16.ts";
import { allocate, sizeOfShape } from "../formula/evaluate.ts";
import { INTEGER_RANGES, isHeldBy } from "../formula/integers.ts";
import type { DType } from "../formula/nest.ts";
import { isFloat } from "../formula/typing.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import type { Shape } from "./shapes.ts";
import { fromData, isTensor, valueOf } from "./tensor.ts";
import type { NestedNumbers, Tensor } from "./types.ts";

/** How a new tensor is stored, and whether gradients reach it. */
export interface TensorOptions {
  /** Default: float32 for numbers, the array's own type for typed arrays, bool for booleans. bfloat16 rounds to the nearest number that it has. */
  readonly dtype?: DType;
  /** Records what is computed from it, so that backward() reaches it. */
  readonly requiresGrad?: boolean;
}

/** Booleans in lists of lists, all of one depth equally long. */
export type NestedBooleans = boolean | readonly NestedBooleans[];

type Nested = number | boolean | readonly Nested[];

/** The shape of nested arrays of numbers, one `number` per level. */
export type ShapeOf<Data> = Data extends number | boolean
  ? readonly []
  : Data extends readonly (infer Item)[]
    ? readonly [number, ...ShapeOf<Item>]
    : Shape;

/**
 * A tensor from nested arrays, a number, or a typed array with a shape.
 * @example tensor([[1, 2], [3, 4]])
 * @example tensor(new Float32Array(6), [2, 3])
 * @throws ShapeError when rows have different lengths or the shape does not fit
 */
export function tensor<const S extends Shape>(data: HostArray | readonly number[], shape: S, options?: TensorOptions): Tensor<S>;
export function tensor<Data extends NestedNumbers | NestedBooleans>(data: Data, options?: TensorOptions): Tensor<ShapeOf<Data>>;
export function tensor(data: HostArray, options?: TensorOptions): Tensor<readonly [number]>;
export function tensor(data: HostArray | Nested, second?: Shape | TensorOptions, third?: TensorOptions): Tensor {
  const given = Array.isArray(second) ? (second as Shape) : undefined;
  const options = (given === undefined ? (second as TensorOptions | undefined) : third) ?? {};
  if (ArrayBuffer.isView(data)) {
    const dtype = options.dtype ?? dtypeOf(data);
    return make(convert(data, dtype), given ?? [data.length], dtype, options);
  }
  const shape: number[] = [];
  const numbers: number[] = [];
  const isBool = collect(data as Nested, 0, shape, numbers);
  const dtype = options.dtype ?? (isBool ? "bool" : "float32");
  return make(convert(numbers, dtype), given ?? shape, dtype, options);
}

/** A tensor that requires a gradient, a weight: a copy of a tensor, or of numbers. @throws InputError for what is no float */
export function parameter<const S extends Shape>(value: Tensor<S>): Tensor<S>;
export function parameter<Data extends NestedNumbers>(data: Data): Tensor<ShapeOf<Data>>;
export function parameter(given: Tensor | NestedNumbers): Tensor {
  const value = isTensor(given) ? given : (tensor(given as readonly number[]) as Tensor);
  if (!isFloat(value.dtype))
    throw new InputError(`parameter: only floats can require a gradient, got ${value.dtype}`, { hint: 'convert it first: to("float32")' });
  const made = fromData(value.data.slice() as HostArray, value.shape, value.dtype);
  valueOf(made).requiresGrad = true;
  return made;
}

/**
 * A tensor of this shape with the same number everywhere.
 * @throws ShapeError for a shape that is none; InputError for a number that the dtype cannot hold
 */
export function full<const S extends Shape>(shape: S, value: number, options: TensorOptions = {}): Tensor<S> {
  const dtype = options.dtype ?? "float32";
  checkShape(shape);
  return make(allocate(dtype, sizeOfShape(shape)).fill(fitted(value, dtype, 0)), shape, dtype, options) as Tensor<S>;
}

/** A tensor of this shape with 0 everywhere; float32 unless `dtype` says otherwise. */
export function zeros<const S extends Shape>(shape: S, options?: TensorOptions): Tensor<S> {
  return full(shape, 0, options);
}

/** A tensor of this shape with 1 everywhere; float32 unless `dtype` says otherwise. */
export function ones<const S extends Shape>(shape: S, options?: TensorOptions): Tensor<S> {
  return full(shape, 1, options);
}

/** start, start + step, … below end (above it for a negative step). */
export function arange(start: number, end: number, step = 1, options: TensorOptions = {}): Tensor<readonly [number]> {
  if (step === 0 || !Number.isFinite((end - start) / step))
    throw new InputError(`arange: expected finite numbers and a step other than 0, got ${start}, ${end}, ${step}`);
  const count = Math.max(0, Math.ceil((end - start) / step));
  return tensor(
    Array.from({ length: count }, (_, n) => start + n * step),
    [count],
    options,
  );
}

/** `count` numbers evenly spaced from start to end, both included. */
export function linspace(start: number, end: number, count: number, options: TensorOptions = {}): Tensor<readonly [number]> {
  if (!Number.isInteger(count) || count < 1) throw new InputError(`linspace: the count must be a positive integer, got ${count}`);
  return tensor(
    Array.from({ length: count }, (_, n) => (count === 1 ? start : start + ((end - start) * n) / (count - 1))),
    [count],
    options,
  );
}

/** The identity matrix. */
export function eye(size: number, options: TensorOptions = {}): Tensor<readonly [number, number]> {
  checkShape([size, size]);
  const numbers = new Float32Array(size * size);
  for (let n = 0; n < size; n++) numbers[n * size + n] = 1;
  return tensor(numbers, [size, size], { dtype: "float32", ...options });
}

function make(data: HostArray, shape: Shape, dtype: DType, options: TensorOptions): Tensor {
  checkShape(shape);
  const made = fromData(data, shape.slice(), dtype);
  if (options.requiresGrad) {
    if (!isFloat(dtype)) throw new InputError(`tensor: only floats can require a gradient, got ${dtype}`);
    valueOf(made).requiresGrad = true;
  }
  return made;
}

function checkShape(shape: Shape): void {
  if (shape.some((extent) => !Number.isInteger(extent) || extent < 0))
    throw new ShapeError(`expected a shape of non-negative integers, got [${shape.join(", ")}]`);
}

/** Flattens nested arrays; true when they hold booleans. */
function collect(data: Nested, depth: number, shape: number[], numbers: number[]): boolean {
  if (typeof data === "number" || typeof data === "boolean") {
    if (depth !== shape.length)
      throw new ShapeError(`tensor: expected an array of ${shape[depth]} at depth ${depth}, got the number ${data}`);
    numbers.push(Number(data));
    return typeof data === "boolean";
  }
  if (!Array.isArray(data)) throw new InputError(`tensor: expected numbers, got ${data === null ? "null" : typeof data}`);
  if (numbers.length === 0 && shape.length === depth) shape.push(data.length);
  else if (shape.length <= depth) throw new ShapeError(`tensor: expected a number at depth ${depth}, got an array of ${data.length}`);
  else if (shape[depth] !== data.length)
    throw new ShapeError(`tensor: rows differ in length: expected ${shape[depth]} at depth ${depth}, got ${data.length}`);
  let isBool = data.length > 0;
  for (const item of data as readonly Nested[]) isBool = collect(item, depth + 1, shape, numbers) && isBool;
  return isBool;
}

/** The number as the dtype stores it. @throws InputError when an integer type cannot hold it */
function fitted(value: number, dtype: DType, position: number): number {
  if (dtype === "bool") return Number(value !== 0);
  if (dtype === "bfloat16") return roundToBfloat16(value);
  if (dtype !== "int32" && dtype !== "uint8") return value;
  if (isHeldBy(dtype, value)) return value;
  const [low, high] = INTEGER_RANGES[dtype];
  throw new InputError(`tensor: ${dtype} holds whole numbers from ${low} to ${high}, got ${value} at position ${position}`);
}

function dtypeOf(data: ArrayBufferView): DType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Uint8Array) return "uint8";
  throw new InputError(`tensor: expected Float32Array, Float64Array, Int32Array or Uint8Array, got ${data.constructor.name}`);
}

function convert(data: HostArray | readonly number[], dtype: DType): HostArray {
  if (ArrayBuffer.isView(data) && dtypeOf(data) === dtype) return data;
  const target = allocate(dtype, data.length);
  for (let n = 0; n < data.length; n++) {
    const value = data[n] as number;
    target[n] = fitted(value, dtype, n);
  }
  return target;
}
