// Shape rules of layers over sequences as types.

import type { Multiply } from "ts-arithmetic";
import type { Shape, ShapeMismatch } from "../tensor/shapes.ts";
import type { Same, ShapeRule } from "./rules.ts";

/**
 * [batch, time, Inputs] → [batch, time, Hidden · Directions], or what is known at the end: [batch, Hidden ·
 * Directions].
 */
export interface RecurrentRule<
  Kind extends string,
  Inputs extends number,
  Hidden extends number,
  Directions extends number,
  Returns extends "sequence" | "last",
> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer Batch extends number, infer Time extends number, infer Features extends number]
    ? Same<Features, Inputs> extends true
      ? Outcome<Batch, Time, Product<Hidden, Directions>, Returns>
      : ShapeMismatch<`${Kind}: expected ${Inputs} input features, got ${Features}`>
    : Ranked<this["in"]> extends true
      ? ShapeMismatch<`${Kind}: expected [batch, time, features], got ${Rank<this["in"]>} dimensions`>
      : Outcome<number, number, Product<Hidden, Directions>, Returns>;
}

type Outcome<Batch extends number, Time extends number, Size extends number, Returns> = Returns extends "last"
  ? "sequence" extends Returns
    ? Shape
    : readonly [Batch, Size]
  : readonly [Batch, Time, Size];

type Product<A extends number, B extends number> = number extends A | B ? number : Multiply<A, B>;

/** Whether the number of dimensions is known. */
type Ranked<S> = S extends Shape ? (number extends S["length"] ? false : true) : false;
type Rank<S> = S extends Shape ? S["length"] : number;

/** [batch, tokens, Size] stays. */
export interface TokensRule<Kind extends string, Size extends number> extends ShapeRule {
  readonly out: this["in"] extends readonly [infer _Batch extends number, infer _Tokens extends number, infer Features extends number]
    ? Same<Features, Size> extends true
      ? this["in"]
      : ShapeMismatch<`${Kind}: expected ${Size} features, got ${Features}`>
    : Ranked<this["in"]> extends true
      ? ShapeMismatch<`${Kind}: expected [batch, tokens, features], got ${Rank<this["in"]>} dimensions`>
      : readonly [number, number, Size];
}
