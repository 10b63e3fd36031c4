// Shapes as types, gradually: literal dimensions are checked by the compiler, `number` dimensions pass.

import type { Add, Divide, Multiply, Subtract } from "ts-arithmetic";

/** Extents of the dimensions, outermost first; literal numbers where the compiler knows them. */
export type Shape = readonly number[];

/** A type no tensor has: put on an argument, it makes the compiler print the sentence there. */
export interface ShapeMismatch<Sentence extends string> {
  readonly __shape: Sentence;
}

type Dimension<A extends number, B extends number> = A extends 1
  ? B
  : B extends 1
    ? A
    : number extends A
      ? B
      : number extends B
        ? A
        : [A] extends [B]
          ? [B] extends [A]
            ? A
            : never
          : never;

type BroadcastReversed<A extends Shape, B extends Shape, Out extends Shape = readonly []> = A extends readonly [
  ...infer AI extends number[],
  infer AL extends number,
]
  ? B extends readonly [...infer BI extends number[], infer BL extends number]
    ? [Dimension<AL, BL>] extends [never]
      ? ShapeMismatch<`cannot broadcast dimensions ${AL} and ${BL}`>
      : BroadcastReversed<AI, BI, readonly [Dimension<AL, BL>, ...Out]>
    : readonly [...A, ...Out]
  : readonly [...B, ...Out];

/** The shape two tensors have together after broadcasting. */
export type Broadcast<A extends Shape, B extends Shape> = number extends A["length"]
  ? Shape
  : number extends B["length"]
    ? Shape
    : BroadcastReversed<A, B>;

/** The shape of a matrix product; a mismatch of literal inner dimensions is a sentence. */
export type MatMul<A extends Shape, B extends Shape> = A extends readonly [
  ...infer Batch extends number[],
  infer M extends number,
  infer K extends number,
]
  ? B extends readonly [infer K2 extends number, infer N extends number]
    ? number extends K
      ? readonly [...Batch, M, N]
      : number extends K2
        ? readonly [...Batch, M, N]
        : [K] extends [K2]
          ? readonly [...Batch, M, N]
          : ShapeMismatch<`matmul: inner dimensions ${K} and ${K2} differ`>
    : Shape
  : Shape;

/** `unknown` when the result is a shape, else the sentence: intersect an argument's type with it. */
export type Fits<Result> = Result extends ShapeMismatch<infer Sentence> ? ShapeMismatch<Sentence> : unknown;

/** The type itself when it is a shape, else any shape. */
export type AsShape<Result> = Result extends Shape ? Result : Shape;

/** How many elements a shape has; `number` when a dimension is unknown. */
export type ElementCount<S extends Shape, Total extends number = 1> = number extends S["length"]
  ? number
  : S extends readonly [infer Head extends number, ...infer Tail extends number[]]
    ? number extends Head
      ? number
      : ElementCount<Tail, Multiply<Total, Head>>
    : Total;

/** Reshape keeps the number of elements where both are known. */
export type Reshape<From extends Shape, To extends Shape> =
  number extends ElementCount<From>
    ? To
    : number extends ElementCount<To>
      ? To
      : [ElementCount<From>] extends [ElementCount<To>]
        ? To
        : ShapeMismatch<`reshape: ${ElementCount<From>} elements do not fill ${ElementCount<To>}`>;

/** [a, b, c] → [a, b·c]. */
export type Flatten<S extends Shape> = number extends S["length"]
  ? readonly [number, number]
  : S extends readonly [infer Batch extends number, ...infer Rest extends number[]]
    ? readonly [Batch, ElementCount<Rest>]
    : readonly [number, number];

/** The last two dimensions exchanged. */
export type TransposeLast<S extends Shape> = S extends readonly [
  ...infer Batch extends number[],
  infer M extends number,
  infer N extends number,
]
  ? readonly [...Batch, N, M]
  : Shape;

type WholePart<N extends number> = `${N}` extends `${infer Whole extends number}.${string}` ? Whole : N;

/** ⌊(size + 2·padding − kernel) / stride⌋ + 1. */
export type WindowCount<Size extends number, Kernel extends number, Stride extends number, Padding extends number> = number extends
  | Size
  | Kernel
  | Stride
  | Padding
  ? number
  : Add<WholePart<Divide<Subtract<Add<Size, Multiply<2, Padding>>, Kernel>, Stride>>, 1>;
