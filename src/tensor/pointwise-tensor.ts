// The methods of a tensor that work element by element: tables of the ops that they apply.

import { LARGEST_INT } from "../nest/addressable.ts";
import { isHeldBy } from "../nest/integers.ts";
import { isFloat } from "../nest/typing.ts";
import * as activations from "../ops/activations.ts";
import * as arithmetic from "../ops/arithmetic.ts";
import type { Op } from "../ops/op.ts";
import { apply } from "./engine.ts";
import * as operate from "./operate.ts";
import type { Axes } from "./types.ts";
import { type Attributes, Value } from "./value.ts";

/** Methods that take nothing. */
const ELEMENTWISE = {
  logicalNot: arithmetic.logicalNot,
  neg: arithmetic.neg,
  abs: arithmetic.abs,
  sign: arithmetic.sign,
  square: arithmetic.square,
  sqrt: arithmetic.sqrt,
  rsqrt: arithmetic.rsqrt,
  reciprocal: arithmetic.reciprocal,
  exp: arithmetic.exp,
  expm1: arithmetic.expm1,
  log: arithmetic.log,
  log1p: arithmetic.log1p,
  log2: arithmetic.log2,
  sin: arithmetic.sin,
  cos: arithmetic.cos,
  tan: arithmetic.tan,
  asin: arithmetic.asin,
  acos: arithmetic.acos,
  atan: arithmetic.atan,
  sinh: arithmetic.sinh,
  cosh: arithmetic.cosh,
  tanh: activations.tanh,
  erf: arithmetic.erf,
  floor: arithmetic.floor,
  ceil: arithmetic.ceil,
  round: arithmetic.round,
  trunc: arithmetic.trunc,
  isNaN: arithmetic.isNaN_,
  isFinite: arithmetic.isFinite_,
  sigmoid: activations.sigmoid,
  relu: activations.relu,
} as const satisfies Readonly<Record<string, Op>>;

/** Methods that take a tensor or a number. */
const COMBINED = {
  add: arithmetic.add,
  sub: arithmetic.sub,
  mul: arithmetic.mul,
  div: arithmetic.div,
  mod: arithmetic.mod,
  pow: arithmetic.pow,
  minimum: arithmetic.minimum,
  maximum: arithmetic.maximum,
  logicalAnd: arithmetic.logicalAnd,
  logicalOr: arithmetic.logicalOr,
} as const satisfies Readonly<Record<string, Op>>;

/** The same, where the other number may be beyond all integers. */
const COMPARED = {
  less: arithmetic.less,
  lessEqual: arithmetic.lessEqual,
  greater: arithmetic.greater,
  greaterEqual: arithmetic.greaterEqual,
  equal: arithmetic.equal,
  notEqual: arithmetic.notEqual,
} as const satisfies Readonly<Record<string, Op>>;

type Methods = Readonly<
  Record<keyof typeof ELEMENTWISE, () => Value> & Record<keyof typeof COMBINED | keyof typeof COMPARED, (other: Value | number) => Value>
>;

abstract class Pointwise extends Value {
  /** The result of an op that takes nothing but this tensor. */
  applied(op: Op, attributes?: Attributes): Value {
    return apply(op, [this], attributes);
  }

  /** The result of an op of this tensor and another, or a number. */
  combined(op: Op, other: Value | number): Value {
    return apply(op, [this, operate.operand(other, this)]);
  }

  /**
   * Beside integers a number beyond them compares as infinity does: floats would round the largest integers up to it.
   */
  compared(op: Op, other: Value | number): Value {
    const isBeyond = typeof other === "number" && Math.abs(other) > LARGEST_INT && !isFloat(this.dtype);
    return this.combined(op, isBeyond && !isHeldBy("int32", other) ? Math.sign(other) * Number.POSITIVE_INFINITY : other);
  }

  clip(low: number, high: number): Value {
    return this.applied(arithmetic.clip, { low, high });
  }
  softmax(axis: Axes = -1): Value {
    return this.applied(activations.softmax, { axes: operate.resolveAxes("softmax", axis, this.rank) });
  }
  logSoftmax(axis: Axes = -1): Value {
    return this.applied(activations.logSoftmax, { axes: operate.resolveAxes("logSoftmax", axis, this.rank) });
  }
}

/** A value with a method for every row of the tables. */
export const PointwiseTensor = Pointwise as unknown as abstract new (...given: ConstructorParameters<typeof Value>) => Pointwise & Methods;

type Method = (this: Pointwise, other: Value | number) => Value;

function define(rows: Readonly<Record<string, Op>>, methodOf: (op: Op) => Method): void {
  for (const [name, op] of Object.entries(rows))
    Object.defineProperty(Pointwise.prototype, name, { value: methodOf(op), writable: true, configurable: true });
}

define(
  ELEMENTWISE,
  (op) =>
    function () {
      return this.applied(op);
    },
);
define(
  COMBINED,
  (op) =>
    function (other) {
      return this.combined(op, other);
    },
);
define(
  COMPARED,
  (op) =>
    function (other) {
      return this.compared(op, other);
    },
);
