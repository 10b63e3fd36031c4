// Shape rules of layers as types: what a layer makes of a shape, or the sentence that says why it cannot.

import type { Flatten, Shape, ShapeMismatch, WindowCount } from "../tensor/shapes.ts";
import type { Tensor } from "../tensor/types.ts";

/** A function of shapes: `out` is computed from `this["in"]`. */
export interface ShapeRule {
  readonly in: unknown;
  readonly out: unknown;
}

/** What the rule makes of a shape: a shape, or a ShapeMismatch. */
export type ApplyRule<Rule extends ShapeRule, S> = (Rule & { readonly in: S })["out"];

/** The shape stays. */
export interface SameRule extends ShapeRule {
  readonly out: this["in"];
}

/** Nothing is known about the result. */
export interface AnyRule extends ShapeRule {
  readonly out: Shape;
}

export interface FlattenRule extends ShapeRule {
  readonly out: this["in"] extends Shape ? Flatten<this["in"]> : Shape;
}

/** [..., Inputs] → [..., Outputs]. */
export interface LinearRule<Inputs extends number, Outputs extends number> extends ShapeRule {
  readonly out: this["in"] extends readonly [...infer Batch extends number[], infer Last extends number]
    ? Same<Last, Inputs> extends true
      ? readonly [...Batch, Outputs]
      : ShapeMismatch<`linear: expected ${Inputs} input features, got ${Last}`>
    : readonly [...number[], Outputs];
}

/** [N, Inputs, …spatial] → [N, Outputs, …windows] with as many spatial dimensions as `Windows` has. */
export interface ConvolutionRule<Inputs extends number, Outputs extends number, Windows extends readonly Window[]> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer Batch extends number, infer Channels extends number, ...infer Spatial extends number[]]
    ? Same<Channels, Inputs> extends true
      ? Slide<Spatial, Windows> extends infer Counts extends readonly number[]
        ? readonly [Batch, Outputs, ...Counts]
        : ShapeMismatch<`conv${Windows["length"]}d: expected ${Windows["length"]} spatial dimensions, got ${Spatial["length"]}`>
      : ShapeMismatch<`conv${Windows["length"]}d: expected ${Inputs} input channels, got ${Channels}`>
    : readonly [number, Outputs, ...Unknown<Windows>];
}

/** [N, C, …spatial] → [N, C, …windows]. */
export interface PoolingRule<Windows extends readonly Window[]> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer Batch extends number, infer Channels extends number, ...infer Spatial extends number[]]
    ? Slide<Spatial, Windows> extends infer Counts extends readonly number[]
      ? readonly [Batch, Channels, ...Counts]
      : ShapeMismatch<`pooling: expected ${Windows["length"]} spatial dimensions, got ${Spatial["length"]}`>
    : readonly [number, number, ...Unknown<Windows>];
}

/** [N, Channels, …] stays. */
export interface ChannelsRule<Channels extends number> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer _Batch extends number, infer Found extends number, ...infer _Rest extends number[]]
    ? Same<Found, Channels> extends true
      ? this["in"]
      : ShapeMismatch<`batchNorm: expected ${Channels} channels, got ${Found}`>
    : this["in"];
}

/** [N, C, …] → [N, C]. */
export interface GlobalPoolingRule extends ShapeRule {
  readonly out: this["in"] extends readonly [infer Batch extends number, infer Channels extends number, ...number[]]
    ? readonly [Batch, Channels]
    : readonly [number, number];
}

/** [...] → [..., Size]. */
export interface EmbeddingRule<Size extends number> extends ShapeRule {
  readonly out: this["in"] extends Shape ? readonly [...this["in"], Size] : Shape;
}

/** The steps one after another. */
export interface ChainRule<Steps extends readonly unknown[]> extends ShapeRule {
  readonly out: Chain<Steps, this["in"]>;
}

/** The rule of a layer, or of a plain function of tensors. */
export type RuleOf<Step> = Step extends { readonly shapes: infer Rule extends ShapeRule }
  ? Rule
  : Step extends <S extends Shape>(x: Tensor<S>) => Tensor<S>
    ? SameRule
    : AnyRule;

type Chain<Steps extends readonly unknown[], S> =
  S extends ShapeMismatch<string>
    ? S
    : Steps extends readonly [infer First, ...infer Rest]
      ? Chain<Rest, ApplyRule<RuleOf<First>, S>>
      : number extends Steps["length"]
        ? Shape
        : S;

/** The steps themselves when they fit together from an unknown input on; else the first that does not fit carries the sentence. */
export type FittingSteps<Steps extends readonly unknown[], S = Shape, Done extends readonly unknown[] = []> = Steps extends readonly [
  infer First,
  ...infer Rest,
]
  ? ApplyRule<RuleOf<First>, S> extends infer Next
    ? Next extends ShapeMismatch<infer Sentence>
      ? readonly [...Done, First & ShapeMismatch<Sentence>, ...Rest]
      : FittingSteps<Rest, Next, [...Done, First]>
    : never
  : readonly [...Done, ...Steps];

/** Kernel size, stride and padding of one dimension; padding "same" keeps the size when the stride is 1. */
export type Window = readonly [kernel: number, stride: number, padding: number | "same"];

/** The windows of a layer from its arguments; with a dilation or ceilMode nothing is known. */
export type Windows<Dimensions extends readonly unknown[], Kernel, Stride, Padding, Known = true> = {
  readonly [D in keyof Dimensions]: Known extends true
    ? readonly [
        AsNumber<Pick1<Kernel, D>>,
        AsNumber<Pick1<Stride, D>>,
        Pick1<Padding, D> extends "same" ? "same" : AsNumber<Pick1<Padding, D>>,
      ]
    : readonly [number, number, number];
};

type Pick1<Value, D> = Value extends readonly unknown[] ? (D extends keyof Value ? Value[D] : number) : Value;
type AsNumber<Value> = Value extends number ? Value : number;

type Unknown<Dimensions extends readonly unknown[]> = { readonly [D in keyof Dimensions]: number };

type Slide<
  Spatial extends readonly number[],
  All extends readonly Window[],
  Done extends readonly number[] = readonly [],
> = number extends Spatial["length"]
  ? Unknown<All>
  : Spatial extends readonly [infer Size extends number, ...infer Sizes extends number[]]
    ? All extends readonly [infer First extends Window, ...infer Rest extends readonly Window[]]
      ? Slide<Sizes, Rest, readonly [...Done, Count<Size, First>]>
      : false
    : All extends readonly []
      ? Done
      : false;

type Count<Size extends number, W extends Window> = W[2] extends number
  ? WindowCount<Size, W[0], W[1], W[2]>
  : W[1] extends 1
    ? number extends W[1]
      ? number
      : Size
    : number;

/** Two dimensions may be equal: they are, or one is unknown. */
type Same<A extends number, B extends number> = number extends A | B ? true : [A] extends [B] ? true : false;
