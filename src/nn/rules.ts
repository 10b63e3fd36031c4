// Shape rules of layers as types: what a layer makes of a shape, or the sentence that says why it cannot.

import type { Add, Divide, Multiply } from "ts-arithmetic";
import type { Flatten, Reshape, Shape, ShapeMismatch, WindowCount } from "../tensor/shapes.ts";
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
interface AnyRule extends ShapeRule {
  readonly out: Shape;
}

export interface FlattenRule extends ShapeRule {
  readonly out: this["in"] extends Shape ? Flatten<this["in"]> : Shape;
}

/** [..., Inputs] → [..., Outputs]. */
export interface LinearRule<Inputs extends number, Outputs extends number, Kind extends string = "linear"> extends ShapeRule {
  readonly out: this["in"] extends readonly [...infer Batch extends number[], infer Last extends number]
    ? Same<Last, Inputs> extends true
      ? readonly [...Batch, Outputs]
      : ShapeMismatch<`${Kind}: expected ${Inputs} input features, got ${Last}`>
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
export interface ChannelsRule<Channels extends number, Kind extends string = "batchNorm"> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer _Batch extends number, infer Found extends number, ...infer _Rest extends number[]]
    ? Same<Found, Channels> extends true
      ? this["in"]
      : ShapeMismatch<`${Kind}: expected ${Channels} channels, got ${Found}`>
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

/** [N, C, …spatial] → [N, C, …sizes]. */
export interface AdaptiveRule<Sizes extends readonly number[]> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer Batch extends number, infer Channels extends number, ...infer Spatial extends number[]]
    ? Same<Spatial["length"], Sizes["length"]> extends true
      ? readonly [Batch, Channels, ...Sizes]
      : ShapeMismatch<`adaptive pooling: expected ${Sizes["length"]} spatial dimensions, got ${Spatial["length"]}`>
    : readonly [number, number, ...Sizes];
}

/** [N, …] → [N, …To]. */
export interface ReshapeRule<To extends Shape> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer Batch extends number, ...infer Rest extends number[]]
    ? Reshape<Rest, Filled<To>> extends infer Made
      ? Made extends Shape
        ? readonly [Batch, ...Made]
        : Made
      : never
    : readonly [number, ...Filled<To>];
}

/** The extent −1 is for the program to find out. */
type Filled<S extends Shape> = { readonly [D in keyof S]: S[D] extends -1 ? number : S[D] };

/** [..., 2n] → [..., n]. */
export interface HalfRule extends ShapeRule {
  readonly out: this["in"] extends readonly [...infer Batch extends number[], infer Last extends number]
    ? number extends Last
      ? this["in"]
      : Quotient<Last, 2> extends infer Half extends number
        ? readonly [...Batch, Half]
        : ShapeMismatch<`glu: expected an even extent along axis -1, got ${Last}`>
    : Shape;
}

/** [N, C, …spatial] → [N, C, …spatial + 2 · amount]; with one amount for all sides. */
export interface PaddingRule<Amounts> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer Batch extends number, infer Channels extends number, ...infer Spatial extends number[]]
    ? Amounts extends number
      ? readonly [Batch, Channels, ...{ readonly [D in keyof Spatial]: Sum<Spatial[D], Amounts, Amounts> }]
      : number extends Spatial["length"]
        ? Shape
        : { readonly [D in keyof this["in"]]: number }
    : Shape;
}

/** [N, C, …spatial] → [N, C, …sizes], or each extent times the scale. */
export interface UpsampleRule<Options> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer Batch extends number, infer Channels extends number, ...infer Spatial extends number[]]
    ? number extends Spatial["length"]
      ? Shape
      : readonly [Batch, Channels, ...{ readonly [D in keyof Spatial]: Upsampled<Spatial[D], Options, D> }]
    : Shape;
}

type Upsampled<Extent, Options, D> = Options extends { readonly size: infer Size }
  ? AsNumber<Pick1<Size, D>>
  : Options extends { readonly scale: infer Scale }
    ? Scaled<Extent, Pick1<Scale, D>>
    : number;

type Scaled<Extent, Scale> = Extent extends number
  ? Scale extends number
    ? number extends Extent | Scale
      ? number
      : `${Scale}` extends `${string}.${string}`
        ? number
        : Multiply<Extent, Scale>
    : number
  : number;

/** [N, C · factor², H, W] → [N, C, H · factor, W · factor]. */
export interface ShuffleRule<Factor extends number> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer N extends number, infer C extends number, infer H extends number, infer W extends number]
    ? Quotient<C, Multiply<Factor, Factor>> extends infer Channels extends number
      ? readonly [N, Channels, Scaled<H, Factor>, Scaled<W, Factor>]
      : ShapeMismatch<`pixelShuffle: expected a multiple of ${Multiply<Factor, Factor>} channels for blocks of ${Factor} × ${Factor}, got ${C}`>
    : Shape;
}

/** [N, C, H · factor, W · factor] → [N, C · factor², H, W]. */
export interface UnshuffleRule<Factor extends number> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer N extends number, infer C extends number, infer H extends number, infer W extends number]
    ? Quotient<H, Factor> extends infer Height extends number
      ? Quotient<W, Factor> extends infer Width extends number
        ? readonly [N, Scaled<C, Multiply<Factor, Factor>>, Height, Width]
        : ShapeMismatch<`pixelUnshuffle: ${Factor} does not divide the extent ${W}`>
      : ShapeMismatch<`pixelUnshuffle: ${Factor} does not divide the extent ${H}`>
    : Shape;
}

/** What the body makes is added to what the shortcut makes: the two shapes are one. */
export interface ResidualRule<Body, Shortcut> extends ShapeRule {
  readonly out: Joined<ApplyRule<RuleOf<Body>, this["in"]>, ApplyRule<RuleOf<Shortcut>, this["in"]>>;
}

type Joined<Made, Kept> =
  Made extends ShapeMismatch<string>
    ? Made
    : Kept extends ShapeMismatch<string>
      ? Kept
      : Made extends Shape
        ? Kept extends Shape
          ? SameShape<Made, Kept> extends true
            ? Made
            : ShapeMismatch<`residual: the body makes [${Listed<Made>}] where the shortcut makes [${Listed<Kept>}]`>
          : Shape
        : Shape;

type SameShape<A extends Shape, B extends Shape> = number extends A["length"] | B["length"]
  ? true
  : A extends readonly [infer First extends number, ...infer Rest extends number[]]
    ? B extends readonly [infer Other extends number, ...infer Others extends number[]]
      ? Same<First, Other> extends true
        ? SameShape<Rest, Others>
        : false
      : false
    : B extends readonly []
      ? true
      : false;

type Listed<S extends Shape> = S extends readonly [infer First extends number, ...infer Rest extends number[]]
  ? Rest extends readonly []
    ? `${First}`
    : `${First}, ${Listed<Rest>}`
  : "";

/** Branches joined along the channels, or added up. */
export interface ParallelRule<Branches extends readonly unknown[], Join> extends ShapeRule {
  readonly out: Join extends "concat" ? Concatenated<Branches, this["in"]> : Added<Branches, this["in"]>;
}

type Added<Branches extends readonly unknown[], S> = Branches extends readonly [infer First, ...unknown[]]
  ? ApplyRule<RuleOf<First>, S>
  : Shape;

type Concatenated<Branches extends readonly unknown[], S, Channels extends number = 0> = Branches extends readonly [
  infer First,
  ...infer Rest,
]
  ? ApplyRule<RuleOf<First>, S> extends infer Made
    ? Made extends readonly [infer Batch extends number, infer Own extends number, ...infer Others extends number[]]
      ? Rest extends readonly []
        ? readonly [Batch, Sum<Channels, Own>, ...Others]
        : Concatenated<Rest, S, Sum<Channels, Own>>
      : Made extends ShapeMismatch<string>
        ? Made
        : Shape
    : never
  : Shape;

type Sum<A, B, C = 0> = A extends number
  ? B extends number
    ? C extends number
      ? number extends A | B | C
        ? number
        : Add<Add<A, B>, C>
      : number
    : number
  : number;

/** The quotient of a division that leaves nothing over, else undefined. */
type Quotient<A extends number, B extends number> = number extends A | B
  ? number
  : Divide<A, B> extends infer Q extends number
    ? `${Q}` extends `${string}.${string}`
      ? undefined
      : Q
    : number;

/** The layers one after another. */
export interface SequentialRule<Layers extends readonly unknown[]> extends ShapeRule {
  readonly out: Chain<Layers, this["in"]>;
}

/** The rule of a layer, or of a plain function of tensors. */
type RuleOf<Layer> = Layer extends { readonly shapes: infer Rule extends ShapeRule }
  ? Rule
  : Layer extends <S extends Shape>(x: Tensor<S>) => Tensor<S>
    ? SameRule
    : AnyRule;

type Chain<Layers extends readonly unknown[], S> =
  S extends ShapeMismatch<string>
    ? S
    : Layers extends readonly [infer First, ...infer Rest]
      ? Chain<Rest, ApplyRule<RuleOf<First>, S>>
      : number extends Layers["length"]
        ? Shape
        : S;

/**
 * The layers themselves when they fit together from an unknown input on; else the first that does not fit carries the
 * sentence.
 */
export type FittingLayers<Layers extends readonly unknown[], S = Shape, Done extends readonly unknown[] = []> = Layers extends readonly [
  infer First,
  ...infer Rest,
]
  ? ApplyRule<RuleOf<First>, S> extends infer Next
    ? Next extends ShapeMismatch<infer Sentence>
      ? readonly [...Done, First & ShapeMismatch<Sentence>, ...Rest]
      : FittingLayers<Rest, Next, [...Done, First]>
    : never
  : readonly [...Done, ...Layers];

/** Kernel size, stride and padding of one dimension; padding "same" keeps the size when the stride is 1. */
type Window = readonly [kernel: number, stride: number, padding: number | "same"];

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

/** The size of each dimension, from one number or as many. */
export type Sizes<Dimensions extends readonly unknown[], Size> = { readonly [D in keyof Dimensions]: AsNumber<Pick1<Size, D>> };

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
export type Same<A extends number, B extends number> = number extends A | B ? true : [A] extends [B] ? true : false;
