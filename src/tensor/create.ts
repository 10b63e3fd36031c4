// Creates tensors from numbers, typed arrays and shapes.

import type { HostArray } from "../backends/backend.ts";
import { type AnyNumberArray, allocate, arrayKind } from "../nest/arrays.ts";
import { sizeOfShape } from "../nest/evaluate.ts";
import type { DType } from "../nest/nest.ts";
import { isFloat } from "../nest/typing.ts";
import { InputError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";
import { withRecording } from "./autograd/tape.ts";
import { checkShape } from "./check-shape.ts";
import { converted, fitted, type NestedArrays, type NestedBooleans, readNumbers, type ShapedNumbers } from "./numbers.ts";
import type { Shape } from "./shapes.ts";
import { fromData, isTensor, valueOf } from "./tensor.ts";
import { currentTrace } from "./trace/trace.ts";
import type { NestedNumbers, Tensor } from "./types.ts";

export type { NestedArrays, NestedBooleans, ShapedNumbers } from "./numbers.ts";

/** How a new tensor is stored, and whether gradients reach it. */
export interface TensorOptions {
  /**
   * Default: float32 for numbers, the array's own type for typed arrays, bool for booleans. bfloat16 rounds to the
   * nearest number that it has.
   */
  readonly dtype?: DType;
  /** Records what is computed from it, so that backward() reaches it. */
  readonly requiresGrad?: boolean;
}

/** The shape of nested arrays of numbers, one `number` per level. */
export type ShapeOf<Data> = Data extends number | boolean
  ? readonly []
  : Data extends AnyNumberArray
    ? readonly [number]
    : Data extends readonly (infer Item)[]
      ? readonly [number, ...ShapeOf<Item>]
      : Shape;

/**
 * A tensor from nested arrays, a number, a typed array with a shape, or numbers that have one: a tensor (copied,
 * without history), an ndArray, an entry of a file. Typed arrays of kinds that tensors are not stored in are converted:
 * whole numbers to int32 (beyond it to float64), half precision to float32.
 * @example tensor([[1, 2], [3, 4]])
 * @example tensor(new Float32Array(6), [2, 3])
 * @throws ShapeError when rows have different lengths or the shape does not fit; InputError for what holds no numbers
 */
export function tensor<const S extends Shape>(
  data: AnyNumberArray | readonly number[] | ShapedNumbers,
  shape: S,
  options?: TensorOptions,
): Tensor<S>;
export function tensor<S extends Shape>(data: Tensor<S>, options?: TensorOptions): Tensor<S>;
export function tensor(data: ShapedNumbers, options?: TensorOptions): Tensor;
export function tensor<Data extends NestedNumbers | NestedBooleans | NestedArrays>(
  data: Data,
  options?: TensorOptions,
): Tensor<ShapeOf<Data>>;
export function tensor(data: AnyNumberArray, options?: TensorOptions): Tensor<readonly [number]>;
export function tensor(
  data: NestedNumbers | NestedBooleans | NestedArrays | ShapedNumbers | Tensor,
  second?: Shape | TensorOptions,
  third?: TensorOptions,
): Tensor {
  const given = Array.isArray(second) ? (second as Shape) : undefined;
  const options = (given === undefined ? (second as TensorOptions | undefined) : third) ?? {};
  if (given === undefined && second !== undefined && (typeof second !== "object" || arrayKind(second) !== undefined))
    throw new InputError(`tensor: expected a shape or options after the numbers, got ${kindOf(second)}`, {
      hint: "tensor(data, [2, 3])",
    });
  if (isTensor(data)) return copied(data, given, options);
  const numbers = readNumbers(data, options.dtype);
  return make(numbers.data, given ?? numbers.shape, numbers.dtype, options);
}

/** The tensor's numbers in a leaf of their own. */
function copied(source: Tensor, shape: Shape = source.shape, options: TensorOptions): Tensor {
  const { dtype, mapping, isReadable } = valueOf(source);
  if (currentTrace() === undefined && mapping === undefined && isReadable) {
    const wanted = options.dtype ?? dtype;
    return make(converted(source.data.slice() as HostArray, wanted), shape, wanted, options);
  }
  // What a step computes has no numbers yet: the copy is a part of the step. And what takes time to read is copied
  // where it is.
  const copy = withRecording(false, () =>
    source
      .clone()
      .reshape(shape)
      .to(options.dtype ?? dtype),
  );
  return requiring(copy, options);
}

/** A tensor that requires a gradient, with numbers of its own: a weight. Takes what `tensor` takes. */
export function parameter<S extends Shape>(value: Tensor<S>): Tensor<S>;
export function parameter(value: ShapedNumbers): Tensor;
export function parameter<Data extends NestedNumbers | NestedArrays>(value: Data): Tensor<ShapeOf<Data>>;
export function parameter(value: AnyNumberArray): Tensor<readonly [number]>;
export function parameter(value: Tensor | ShapedNumbers | NestedNumbers | NestedArrays): Tensor {
  const given = isTensor(value) ? value : readNumbers(value);
  const { dtype, shape } = given;
  if (!isFloat(dtype))
    throw new InputError(`parameter: only floats can require a gradient, got ${dtype}`, {
      hint: isTensor(value) ? 'convert it first: to("float32")' : 'parameter(tensor(numbers, { dtype: "float32" }))',
    });
  // What takes time to read is copied where it is.
  const isFar = isTensor(given) && currentTrace() === undefined && !valueOf(given).isReadable;
  const copy = isFar ? withRecording(false, () => given.clone()) : fromData(given.data.slice() as HostArray, shape, dtype);
  return requiring(copy, { requiresGrad: true });
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

/** 0, 1, … below end. @example arange(4) // [0, 1, 2, 3] */
export function arange(end: number, options?: TensorOptions): Tensor<readonly [number]>;
/** start, start + step, … below end (above it for a negative step). */
export function arange(start: number, end: number, step?: number, options?: TensorOptions): Tensor<readonly [number]>;
export function arange(first: number, second?: number | TensorOptions, step = 1, last?: TensorOptions): Tensor<readonly [number]> {
  const [start, end] = typeof second === "number" ? [first, second] : [0, first];
  const options = typeof second === "object" ? second : last;
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

const TENSOR: OptionNames<TensorOptions> = { dtype: true, requiresGrad: true };

function make(data: HostArray, shape: Shape, dtype: DType, options: TensorOptions): Tensor {
  checkOptions<TensorOptions>("tensor", options, TENSOR);
  checkShape(shape);
  return requiring(fromData(data, shape.slice(), dtype), options);
}

function requiring(made: Tensor, { requiresGrad }: TensorOptions): Tensor {
  if (!requiresGrad) return made;
  if (!isFloat(made.dtype)) throw new InputError(`tensor: only floats can require a gradient, got ${made.dtype}`);
  valueOf(made).requiresGrad = true;
  return made;
}
