// What a user sees of a tensor: its data, its gradient, and every method, with shapes checked by the compiler where they are known.

import type { HostArray } from "../backends/backend.ts";
import type { DType } from "../formula/nest.ts";
import type { AsShape, Broadcast, Fits, Flatten, MatMul, Reshape, Shape, TransposeLast } from "./shapes.ts";

export type { HostArray } from "../backends/backend.ts";
export type { DType } from "../formula/nest.ts";

/** Nested arrays of numbers, as deep as the tensor has dimensions. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** One axis or several; negative axes count from the last. Undefined: all. */
export type Axes = number | readonly number[];

export interface ReduceOptions {
  /** Keeps reduced axes with extent 1. Default false. */
  readonly keepDims?: boolean;
}

/** Part of one dimension: a position (the dimension disappears), or [start, end) with a step; negative numbers count from the end. */
export type SliceRange = number | readonly [start?: number | null, end?: number | null, step?: number] | null;

/** A tensor or a number that broadcasts. */
export type Operand<S extends Shape = Shape> = Tensor<S> | number;

/**
 * A dense array of numbers with a shape. Every operation computes at once; what is computed from a tensor that requires a gradient is
 * recorded, and `backward()` differentiates it. `S` is the shape as a type; `number` stands for a dimension the compiler does not know.
 */
export interface Tensor<out S extends Shape = Shape> {
  readonly shape: S;
  readonly dtype: DType;
  /** Number of elements. */
  readonly size: number;
  /** Number of dimensions. */
  readonly rank: number;
  /** The numbers in row-major order: the tensor's own memory, not a copy; bool is stored as 0 and 1. */
  readonly data: HostArray;
  readonly requiresGrad: boolean;
  /** The gradient that backward() added up here; undefined before. */
  readonly grad: Tensor<S> | undefined;

  /** The numbers, on backends where reading takes time too. */
  read(): Promise<HostArray>;
  /** The only number of a tensor of one element. @throws InputError when it has more or none */
  item(): number;
  /** Nested arrays of the numbers. */
  toArray(): NestedNumbers;
  toString(): string;

  /** Adds the gradient of this tensor to every parameter it was computed from. @throws InputError without an output gradient unless this is a single number */
  backward(gradient?: Tensor, options?: { readonly createGraph?: boolean }): void;
  /** Keeps the gradient of this intermediate tensor when backward() passes. */
  keepGrad(): this;
  zeroGrad(): void;
  /** The same numbers without history. */
  detach(): Tensor<S>;
  /** A copy with its own memory; gradients flow through. */
  clone(): Tensor<S>;
  /** Replaces the numbers of a leaf in place (parameters, running statistics). @throws ShapeError when shape or dtype differ */
  assign(value: Tensor): void;

  // Numbers come first: of several overloads the compiler explains the last.
  add<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  add<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  sub<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  sub<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  mul<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  mul<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  div<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  div<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  /** Remainder with the sign of the divisor. */
  mod(other: Operand): Tensor;
  pow<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  pow<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  minimum(other: Operand): Tensor;
  maximum(other: Operand): Tensor;
  less(other: Operand): Tensor;
  lessEqual(other: Operand): Tensor;
  greater(other: Operand): Tensor;
  greaterEqual(other: Operand): Tensor;
  equal(other: Operand): Tensor;
  notEqual(other: Operand): Tensor;
  logicalAnd(other: Operand): Tensor;
  logicalOr(other: Operand): Tensor;
  logicalNot(): Tensor<S>;

  neg(): Tensor<S>;
  abs(): Tensor<S>;
  sign(): Tensor<S>;
  square(): Tensor<S>;
  sqrt(): Tensor<S>;
  rsqrt(): Tensor<S>;
  reciprocal(): Tensor<S>;
  exp(): Tensor<S>;
  expm1(): Tensor<S>;
  log(): Tensor<S>;
  log1p(): Tensor<S>;
  log2(): Tensor<S>;
  sin(): Tensor<S>;
  cos(): Tensor<S>;
  tan(): Tensor<S>;
  asin(): Tensor<S>;
  acos(): Tensor<S>;
  atan(): Tensor<S>;
  sinh(): Tensor<S>;
  cosh(): Tensor<S>;
  tanh(): Tensor<S>;
  erf(): Tensor<S>;
  floor(): Tensor<S>;
  ceil(): Tensor<S>;
  /** Halves go to the even neighbour. */
  round(): Tensor<S>;
  trunc(): Tensor<S>;
  isNaN(): Tensor<S>;
  isFinite(): Tensor<S>;
  clip(low: number, high: number): Tensor<S>;

  sigmoid(): Tensor<S>;
  relu(): Tensor<S>;
  softmax(axis?: Axes): Tensor<S>;
  logSoftmax(axis?: Axes): Tensor<S>;

  sum(): Tensor<readonly []>;
  sum(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  mean(): Tensor<readonly []>;
  mean(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  max(): Tensor<readonly []>;
  max(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  min(): Tensor<readonly []>;
  min(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  prod(): Tensor<readonly []>;
  prod(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  /** correction 0 divides by the count, 1 by the count less one. */
  variance(axes?: Axes, options?: ReduceOptions & { readonly correction?: number }): Tensor;
  argmax(axes?: Axes, options?: ReduceOptions): Tensor;
  argmin(axes?: Axes, options?: ReduceOptions): Tensor;
  logSumExp(axes?: Axes, options?: ReduceOptions): Tensor;

  /** Product with a matrix, batch of matrices or vector. */
  matmul<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<MatMul<A, B>>): Tensor<AsShape<MatMul<A, B>>>;

  /** The same elements under another shape; one dimension may be −1 (what is left). */
  reshape<A extends Shape, const To extends Shape>(this: Tensor<A>, shape: To & Fits<Reshape<A, To>>): Tensor<To>;
  /** All dimensions but the first become one. */
  flatten<A extends Shape>(this: Tensor<A>): Tensor<Flatten<A>>;
  /** Exchanges the last two dimensions. */
  transpose<A extends Shape>(this: Tensor<A>): Tensor<TransposeLast<A>>;
  /** Reorders the dimensions: result dimension d is dimension permutation[d]. */
  transpose(permutation: readonly number[]): Tensor;
  /** Adds a dimension of extent 1. */
  unsqueeze(axis: number): Tensor;
  /** Drops dimensions of extent 1: all, or the given ones. */
  squeeze(axes?: Axes): Tensor;
  slice(...ranges: readonly SliceRange[]): Tensor;
  flip(axes: Axes): Tensor;
  /** Pairs of numbers of elements to add before and after, for the last dimensions. */
  pad(amounts: readonly (readonly [before: number, after: number])[], value?: number): Tensor;
  broadcastTo<const To extends Shape>(shape: To): Tensor<To>;
  split(sizes: number | readonly number[], axis?: number): Tensor[];
  /** Whole slices along an axis at the given positions. @throws InputError when one is out of range */
  take(ids: Tensor | readonly number[], axis?: number): Tensor;
  /** At every position, the element along the axis that ids says. @throws InputError when one is out of range */
  gather(ids: Tensor, axis?: number): Tensor;

  /** The same numbers in another dtype; no gradient flows to or from integers. */
  to(dtype: DType): Tensor<S>;
}
