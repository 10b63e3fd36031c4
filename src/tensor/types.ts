// The public types of tensors: data, gradient and every method, with shapes checked by the compiler.

import type { HostArray } from "../backends/backend.ts";
import type { DType } from "../nest/nest.ts";
import type { NestedArrays, ShapedNumbers } from "./numbers.ts";
import type { AsShape, Broadcast, Fits, Flatten, MatMul, Reshape, Shape, TransposeLast } from "./shapes.ts";

export type { HostArray } from "../backends/backend.ts";
export type { DType } from "../nest/nest.ts";

/** Nested arrays of numbers, as deep as the tensor has dimensions. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** One axis or several; negative axes count from the last. Undefined: all. */
export type Axes = number | readonly number[];

/** What a reduction keeps. */
export interface ReduceOptions {
  /** Keeps reduced axes with extent 1. Default false. */
  readonly keepDims?: boolean;
}

/** How variances and standard deviations are taken. */
export interface SpreadOptions extends ReduceOptions {
  /** What is taken from the count that is divided by; 1 gives the unbiased estimate. Default 0. */
  readonly correction?: number;
}

/** A tensor in JSON. */
export interface TensorJson {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Row-major; NaN, Infinity and -Infinity are texts. */
  readonly data: readonly (number | string)[];
}

/**
 * Part of one dimension: a position (the dimension disappears), or [start, end) with a step; negative numbers count
 * from the end.
 */
export type SliceRange = number | readonly [start?: number | null, end?: number | null, step?: number] | null;

/** A tensor or a number that broadcasts. */
export type Operand<S extends Shape = Shape> = Tensor<S> | number;

/**
 * A dense array of numbers with a shape. Every operation computes at once; what is computed from a tensor that requires
 * a gradient is recorded, and `backward()` differentiates it. `S` is the shape as a type; `number` is a dimension the
 * compiler does not know.
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
  /**
   * What `JSON.stringify` writes: dtype, shape and numbers, which `tensor(JSON.parse(text))` reads back; NaN and
   * infinities are texts.
   */
  toJSON(): TensorJson;
  /** The elements as text, in nested brackets; of more than 1000 the middle is left out. */
  toString(): string;

  /**
   * Adds the gradient of this tensor to every parameter it was computed from.
   * @throws InputError without an output gradient unless this is a single number
   */
  backward(gradient?: Tensor, options?: { readonly createGraph?: boolean }): void;
  /** Keeps the gradient of this intermediate tensor when backward() passes. */
  retainGrad(): this;
  /** @deprecated Use retainGrad. */
  keepGrad(): this;
  /** Forgets the gradient. */
  zeroGrad(): void;
  /** The same numbers without history. */
  detach(): Tensor<S>;
  /** A copy with its own memory; gradients flow through. */
  clone(): Tensor<S>;
  /**
   * Replaces the numbers of a leaf in place (parameters, running statistics), by those of a tensor of the same shape
   * and dtype, or by numbers as `tensor` takes them, which are converted.
   * @throws ShapeError when shape or dtype differ
   */
  assign(value: Tensor | NestedNumbers | NestedArrays | ShapedNumbers): void;

  // Numbers come first: of several overloads the compiler explains the last.
  /** Sum with a number, element by element. */
  add<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  /** Sum element by element; shapes broadcast. @throws ShapeError when they do not fit */
  add<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  /** Difference with a number, element by element. */
  sub<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  /** Difference element by element; shapes broadcast. @throws ShapeError when they do not fit */
  sub<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  /** Product with a number, element by element. */
  mul<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  /** Product element by element; shapes broadcast. @throws ShapeError when they do not fit */
  mul<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  /** Quotient with a number, element by element. */
  div<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  /** Quotient element by element; shapes broadcast. @throws ShapeError when they do not fit */
  div<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  /** Remainder with the sign of the divisor; on wasm and x64 exact while the quotient is below 2²³. */
  mod(other: Operand): Tensor;
  /** Power with a number, element by element. */
  pow<A extends Shape>(this: Tensor<A>, other: number): Tensor<A>;
  /** Power element by element; shapes broadcast. @throws ShapeError when they do not fit */
  pow<A extends Shape, B extends Shape>(this: Tensor<A>, other: Tensor<B> & Fits<Broadcast<A, B>>): Tensor<AsShape<Broadcast<A, B>>>;
  /** The smaller of each two elements; shapes broadcast. */
  minimum(other: Operand): Tensor;
  /** The larger of each two elements; shapes broadcast. */
  maximum(other: Operand): Tensor;
  /** Bool: where this < other. */
  less(other: Operand): Tensor;
  /** Bool: where this ≤ other. */
  lessEqual(other: Operand): Tensor;
  /** Bool: where this > other. */
  greater(other: Operand): Tensor;
  /** Bool: where this ≥ other. */
  greaterEqual(other: Operand): Tensor;
  /** Bool: where the two are equal. */
  equal(other: Operand): Tensor;
  /** Bool: where the two differ. */
  notEqual(other: Operand): Tensor;
  /** Bool: where both are not 0. */
  logicalAnd(other: Operand): Tensor;
  /** Bool: where one of them is not 0. */
  logicalOr(other: Operand): Tensor;
  /** Bool: where this is 0. */
  logicalNot(): Tensor<S>;

  /** −x. */
  neg(): Tensor<S>;
  /** |x|. */
  abs(): Tensor<S>;
  /** −1, 0 or 1. */
  sign(): Tensor<S>;
  /** x². */
  square(): Tensor<S>;
  /** √x; NaN below 0. */
  sqrt(): Tensor<S>;
  /** 1 / √x. */
  rsqrt(): Tensor<S>;
  /** 1 / x. */
  reciprocal(): Tensor<S>;
  /** eˣ. */
  exp(): Tensor<S>;
  /** eˣ − 1, exact near 0. */
  expm1(): Tensor<S>;
  /** Natural logarithm. */
  log(): Tensor<S>;
  /** log(1 + x), exact near 0. */
  log1p(): Tensor<S>;
  /** Logarithm to base 2. */
  log2(): Tensor<S>;
  /** Sine of x in radians. */
  sin(): Tensor<S>;
  /** Cosine of x in radians. */
  cos(): Tensor<S>;
  /** Tangent of x in radians. */
  tan(): Tensor<S>;
  /** Arc sine in radians. */
  asin(): Tensor<S>;
  /** Arc cosine in radians. */
  acos(): Tensor<S>;
  /** Arc tangent in radians. */
  atan(): Tensor<S>;
  /** Hyperbolic sine. */
  sinh(): Tensor<S>;
  /** Hyperbolic cosine. */
  cosh(): Tensor<S>;
  /** Hyperbolic tangent. */
  tanh(): Tensor<S>;
  /** Error function. */
  erf(): Tensor<S>;
  /** The next integer towards −∞. */
  floor(): Tensor<S>;
  /** The next integer towards ∞. */
  ceil(): Tensor<S>;
  /** Halves go to the even neighbour. */
  round(): Tensor<S>;
  /** The next integer towards 0. */
  trunc(): Tensor<S>;
  /** Bool: where x is NaN. */
  isNaN(): Tensor<S>;
  /** Bool: where x is neither NaN nor infinite. */
  isFinite(): Tensor<S>;
  /** x kept between low and high. */
  clip(low: number, high: number): Tensor<S>;

  /** 1 / (1 + exp(−x)). */
  sigmoid(): Tensor<S>;
  /** max(x, 0). */
  relu(): Tensor<S>;
  /** exp(x) / Σ exp(x) along an axis; default the last one. */
  softmax(axis?: Axes): Tensor<S>;
  /** log softmax(x) along an axis, without overflow; default the last one. */
  logSoftmax(axis?: Axes): Tensor<S>;

  /** Sum of all elements. */
  sum(): Tensor<readonly []>;
  /** Sum along the axes; undefined: of all elements. */
  sum(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  /** Mean of all elements. */
  mean(): Tensor<readonly []>;
  /** Mean along the axes; undefined: of all elements. */
  mean(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  /** Largest element of all elements. */
  max(): Tensor<readonly []>;
  /** Largest element along the axes; undefined: of all elements. */
  max(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  /** Smallest element of all elements. */
  min(): Tensor<readonly []>;
  /** Smallest element along the axes; undefined: of all elements. */
  min(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  /** Product of all elements. */
  prod(): Tensor<readonly []>;
  /** Product along the axes; undefined: of all elements. */
  prod(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  /** correction 0 divides by the count, 1 by the count less one. */
  variance(axes?: Axes, options?: SpreadOptions): Tensor;
  /** Root of the variance; its gradient is 0 where all elements are equal. */
  std(): Tensor<readonly []>;
  /** The same along the axes; correction 0 divides by the count, 1 by the count less one. */
  std(axes: Axes | undefined, options?: SpreadOptions): Tensor;
  /**
   * Euclidean length √Σx² of all elements. Its gradient is 0 where all are 0; that of `x.square().sum().sqrt()` is NaN
   * there.
   */
  norm(): Tensor<readonly []>;
  /** The same along the axes. */
  norm(axes: Axes | undefined, options?: ReduceOptions): Tensor;
  /** Position of the first largest element along the axes (row-major over several); default over all. */
  argmax(axes?: Axes, options?: ReduceOptions): Tensor;
  /** Position of the first smallest element along the axes (row-major over several); default over all. */
  argmin(axes?: Axes, options?: ReduceOptions): Tensor;
  /** log Σ exp(x) along the axes, without overflow; default over all. */
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
  /** Part of the tensor, one range per dimension from the first on. @throws ShapeError when a range does not fit */
  slice(...ranges: readonly SliceRange[]): Tensor;
  /** The order of the elements reversed along the axes. */
  flip(axes: Axes): Tensor;
  /** Pairs of numbers of elements to add before and after, for the last dimensions. */
  pad(amounts: readonly (readonly [before: number, after: number])[], value?: number): Tensor;
  /**
   * Repeated along dimensions of extent 1, and along new ones in front, up to this shape.
   * @throws ShapeError when it does not fit
   */
  broadcastTo<const To extends Shape>(shape: To): Tensor<To>;
  /**
   * Parts along an axis (default 0): of this size each, the last one maybe smaller, or of these sizes.
   * @throws ShapeError when sizes do not add up
   */
  split(sizes: number | readonly number[], axis?: number): Tensor[];
  /** Whole slices along an axis at the given positions. @throws InputError when one is out of range */
  take(ids: Tensor | readonly number[], axis?: number): Tensor;
  /** At every position, the element along the axis that ids says. @throws InputError when one is out of range */
  gather(ids: Tensor, axis?: number): Tensor;

  /**
   * The same numbers in another dtype (floats to integers toward zero); gradients flow between floats, not to or from
   * integers.
   */
  to(dtype: DType): Tensor<S>;
}

/** A type of the public surface with the value behind every tensor, shapes unknown. */
type Erased<T, V> = T extends Tensor
  ? V
  : T extends readonly Tensor[]
    ? readonly V[]
    : T extends (...inputs: infer Inputs extends readonly unknown[]) => infer Result
      ? (...inputs: { [N in keyof Inputs]: Erased<Inputs[N], V> }) => Erased<Result, V>
      : T;

/** What a class of values `V` must have to be what `Tensor` says, method by method. */
export type TensorMembers<V> = { [Name in keyof Tensor]: Erased<Tensor[Name], V> };
