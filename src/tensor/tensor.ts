// The tensor class: numbers, gradients, and methods, each one line over an op.

import type { HostArray } from "../backends/backend.ts";
import { arrayKind, requireDType } from "../nest/arrays.ts";
import { sizeOfShape } from "../nest/evaluate.ts";
import { isHeldBy } from "../nest/integers.ts";
import type { DType, ScalarType } from "../nest/nest.ts";
import { typeOfDType } from "../nest/typing.ts";
import * as arithmetic from "../ops/arithmetic.ts";
import * as moves from "../ops/moves.ts";
import type { Op } from "../ops/op.ts";
import * as reductions from "../ops/reductions.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { nonFiniteAsText } from "../util/json.ts";
import { kindOf } from "../util/kind-of.ts";
import { requireList } from "../util/lists.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { backward, gradientsOf } from "./autograd/backward.ts";
import { needsTape, withRecording } from "./autograd/tape.ts";
import { apply } from "./engine.ts";
import { formatTensor, nest } from "./format.ts";
import { type NestedArrays, readNumbers, type ShapedNumbers, storage } from "./numbers.ts";
import { observer } from "./observe.ts";
import * as operate from "./operate.ts";
import { PointwiseTensor } from "./pointwise-tensor.ts";
import type { Shape } from "./shapes.ts";
import { isRecomputing } from "./trace/recompute.ts";
import { checkChangeable, currentTrace, unreadable } from "./trace/trace.ts";
import type { Axes, NestedNumbers, ReduceOptions, SliceRange, SpreadOptions, Tensor, TensorJson, TensorMembers } from "./types.ts";
import { type Numbers, Value } from "./value.ts";

class DenseTensor extends PointwiseTensor implements TensorMembers<Value> {
  make(numbers: Numbers | undefined, shape: readonly number[], dtype: DType): DenseTensor {
    return new DenseTensor(numbers, shape, dtype);
  }

  protected unreadable(): Error {
    if (this.mapping !== undefined)
      return new InputError("vmap: the numbers of a tensor were read inside vmap, where it stands for every example at once", {
        hint: "return the tensor and read it outside; choose between values with where(condition, a, b) instead of if",
      });
    return unreadable(this);
  }

  override get data(): HostArray {
    currentTrace()?.readNumbers(this);
    return this.numbers();
  }

  get grad(): Value | undefined {
    currentTrace()?.touchGradient(this, "read");
    return this.gradient;
  }

  read(): Promise<HostArray> {
    return this.fetch() ?? Promise.resolve(this.data);
  }

  item(): number {
    if (this.size !== 1)
      throw new InputError(`item: expected a tensor of one element, got shape ${shapeText(this.shape)}`, {
        hint: "reduce it first (sum, mean), or read data",
      });
    return this.data[0]!;
  }

  toArray(): NestedNumbers {
    return nest(this.data, this.shape);
  }

  override toString(): string {
    if (this.hasNumbers && !this.isReadable) return `tensor ${this.dtype} ${shapeText(this.shape)}, not read yet`;
    return formatTensor(this.data, this.shape, this.dtype);
  }

  toJSON(): TensorJson {
    const data = Array.from(this.data, (value) => nonFiniteAsText("", value) as number | string);
    return { dtype: this.dtype, shape: this.shape, data };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  backward(gradient?: Value, options: { readonly createGraph?: boolean } = {}): void {
    if (gradient !== undefined && !(gradient instanceof Value))
      throw new InputError(`backward: expected the gradient of the tensor, a tensor, got ${kindOf(gradient)}`, {
        hint: "backward(), backward(tensor([…])), or with options backward(undefined, { createGraph: true })",
      });
    checkOptions<typeof options>("backward", options, { createGraph: true });
    backward(this, gradient, options);
  }

  retainGrad(): this {
    this.retainsGrad = true;
    return this;
  }

  keepGrad(): this {
    return this.retainGrad();
  }

  zeroGrad(): void {
    currentTrace()?.touchGradient(this, "reset");
    this.gradient = undefined;
  }

  detach(): Value {
    return withRecording(false, () => operate.reshape(this, this.shape));
  }

  clone(): Value {
    return needsTape([this]) || currentTrace() !== undefined || this.mapping !== undefined
      ? this.applied(moves.copy)
      : this.make(this.isReadable ? (this.data.slice() as HostArray) : this.share(), this.shape, this.dtype);
  }

  assign(given: Value | NestedNumbers | NestedArrays | ShapedNumbers): void {
    if (isRecomputing()) return;
    const value = given instanceof Value ? given : numbersFor(this, given);
    if (value.signature !== this.signature)
      throw new ShapeError(`assign: expected ${this.dtype} ${shapeText(this.shape)}, got ${value.dtype} ${shapeText(value.shape)}`);
    if (this.node !== undefined)
      throw new InputError("assign: only leaves can be assigned; this tensor was computed", {
        hint: "assign to the parameter, or use detach()",
      });
    if (this.mapping !== undefined || value.mapping !== undefined)
      throw new InputError("assign: inside vmap a tensor cannot be assigned what differs between examples", {
        hint: "return the new numbers, or put layers that keep statistics into eval mode: net.eval()",
      });
    const trace = currentTrace();
    checkChangeable();
    observer()?.assigned?.(this, value);
    if (trace === undefined) this.replace(value.share());
    else trace.assign(this, value);
  }

  sum(axes?: Axes, options?: ReduceOptions): Value {
    return operate.reduceAxes(reductions.sum, this, axes, options);
  }
  mean(axes?: Axes, options?: ReduceOptions): Value {
    return operate.reduceAxes(reductions.mean, this, axes, options);
  }
  max(axes?: Axes, options?: ReduceOptions): Value {
    return operate.reduceAxes(reductions.max, this, axes, options);
  }
  min(axes?: Axes, options?: ReduceOptions): Value {
    return operate.reduceAxes(reductions.min, this, axes, options);
  }
  prod(axes?: Axes, options?: ReduceOptions): Value {
    return operate.reduceAxes(reductions.prod, this, axes, options);
  }
  argmax(axes?: Axes, options?: ReduceOptions): Value {
    return operate.reduceAxes(reductions.argmax, this, axes, options);
  }
  argmin(axes?: Axes, options?: ReduceOptions): Value {
    return operate.reduceAxes(reductions.argmin, this, axes, options);
  }
  logSumExp(axes?: Axes, options?: ReduceOptions): Value {
    return operate.reduceAxes(reductions.logSumExp, this, axes, options);
  }
  variance(axes?: Axes, options?: SpreadOptions): Value {
    return operate.spreadAlong(reductions.variance, this, axes, options);
  }
  std(axes?: Axes, options?: SpreadOptions): Value {
    return operate.spreadAlong(reductions.std, this, axes, options);
  }
  norm(axes?: Axes, options?: ReduceOptions): Value {
    return operate.reduceAxes(reductions.norm, this, axes, options);
  }

  matmul(other: Value): Value {
    return operate.matmul(this, valueOf(asTensor(other), "matmul"));
  }

  reshape(shape: readonly number[]): Value {
    return operate.reshape(this, shape);
  }
  flatten(): Value {
    if (this.rank === 0) throw new ShapeError("flatten: expected at least one dimension, got a single number");
    return operate.reshape(this, [this.shape[0]!, sizeOfShape(this.shape.slice(1))]);
  }
  transpose(permutation?: readonly number[]): Value {
    return operate.transpose(this, permutation);
  }
  unsqueeze(axis: number): Value {
    return operate.unsqueeze(this, axis);
  }
  squeeze(axes?: Axes): Value {
    return operate.squeeze(this, axes);
  }
  slice(...ranges: readonly SliceRange[]): Value {
    return operate.slice(this, ranges);
  }
  flip(axes: Axes): Value {
    return operate.flip(this, axes);
  }
  pad(amounts: readonly (readonly [number, number])[], value = 0): Value {
    return operate.pad(this, amounts, value);
  }
  broadcastTo(shape: readonly number[]): Value {
    return operate.broadcastTo(this, shape);
  }
  split(sizes: number | readonly number[], axis = 0): Value[] {
    return operate.split(this, sizes, axis);
  }
  take(ids: Value | readonly number[], axis = 0): Value {
    return operate.take(this, toIds(ids), axis);
  }
  gather(ids: Value, axis = -1): Value {
    return operate.gather(this, valueOf(asTensor(ids), "gather"), axis);
  }

  to(dtype: DType): Value {
    if (dtype === this.dtype) return this;
    requireDType(dtype);
    return apply(conversions[typeOfDType(dtype)], [this], {}, { dtype });
  }
}

/** Numbers as a tensor of the target's dtype; a flat array fills its shape. */
function numbersFor(target: Value, given: NestedNumbers | NestedArrays | ShapedNumbers): Value {
  const { data, shape, dtype } = readNumbers(given, target.dtype);
  return target.make(data, arrayKind(given) !== undefined && data.length === target.size ? target.shape : shape, dtype);
}

/** What stands between the types of expressions; the dtype says how the result is stored. */
const conversions = {
  float: arithmetic.toFloat,
  int: arithmetic.toInt,
  bool: arithmetic.toBool,
} as const satisfies Record<ScalarType, Op>;

/** Numbers that are no int32 stay what they are, for the check to name them. */
function toIds(ids: Value | readonly number[]): Value {
  if (ids instanceof Value) return ids;
  requireList("take", "ids: a tensor or a list of numbers", ids, "x.take([0, 2])");
  const areHeld = ids.every((id) => isHeldBy("int32", id));
  return areHeld
    ? new DenseTensor(Int32Array.from(ids), [ids.length], "int32")
    : new DenseTensor(Float64Array.from(ids), [ids.length], "float64");
}

/** The public face of a value. */
export function asTensor<S extends Shape = Shape>(value: Value): Tensor<S> {
  return value as Value & Tensor<S>;
}

/** The value behind a tensor. @throws InputError when it is not a tensor */
export function valueOf(tensor: Tensor, name = "this function"): Value {
  if (tensor instanceof Value) return tensor;
  throw new InputError(`${name}: expected a tensor, got ${kindOf(tensor)}`, {
    hint: "make one with tensor([…])",
  });
}

/** Whether a value is a tensor of this library; what others made of one, by copying or wrapping, is not. */
export function isTensor(candidate: unknown): candidate is Tensor {
  return candidate instanceof Value && Value.isWhole(candidate);
}

/** A list of tensors, gone through once. @throws InputError for anything else: "name: expected …, got …" */
export function listOfTensors(name: string, given: unknown, expected: string, hint: string): readonly Tensor[] {
  const list: readonly unknown[] | undefined = Object(given)[Symbol.iterator] === undefined ? undefined : [...(given as Iterable<unknown>)];
  const wrong = list === undefined ? given : list.find((each) => !isTensor(each));
  if (list === undefined || wrong !== undefined) throw new InputError(`${name}: expected ${expected}, got ${kindOf(wrong)}`, { hint });
  return list as readonly Tensor[];
}

/**
 * A tensor around an array, which it owns from now on.
 * @throws InputError for an array of another kind than the dtype is stored in
 */
export function fromData<const S extends Shape>(data: HostArray, shape: S, dtype: DType): Tensor<S> {
  requireDType(dtype);
  if (sizeOfShape(shape) !== data.length) throw new ShapeError(`tensor: ${data.length} numbers do not fill shape ${shapeText(shape)}`);
  return asTensor<S>(new DenseTensor(storage(data, dtype), shape, dtype));
}

/** A value to give the tensor class to ops without inputs. */
export const like: Value = new DenseTensor(new Float32Array(0), [0], "float32");

/**
 * The gradients of one result by several tensors, without touching their `grad`.
 * @throws InputError when the result depends on none of them
 */
export function gradients(
  result: Tensor,
  inputs: readonly Tensor[],
  options: { readonly upstream?: Tensor; readonly createGraph?: boolean } = {},
): Tensor[] {
  checkOptions<typeof options>("gradients", options, { upstream: true, createGraph: true });
  const found = gradientsOf(
    valueOf(result),
    inputs.map((input) => valueOf(input)),
    options.upstream && valueOf(options.upstream),
    options,
  );
  return found.map((gradient, n) => {
    if (gradient === undefined) throw new InputError(`gradients: the result does not depend on input ${n}`);
    return asTensor(gradient);
  });
}
