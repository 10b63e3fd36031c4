// The methods of a tensor that work element by element, each one line over an op.
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

export abstract class PointwiseTensor extends Value {
  /** The result of an op that takes nothing but this tensor. */
  protected applied(op: Op, attributes?: Attributes): Value {
    return apply(op, [this], attributes);
  }

  /** The result of an op of this tensor and another, or a number. */
  protected combined(op: Op, other: Value | number): Value {
    return apply(op, [this, operate.operand(other, this)]);
  }

  /** Beside integers a number beyond them compares as infinity does: floats would round the largest integers up to it. */
  protected compared(op: Op, other: Value | number): Value {
    const isBeyond = typeof other === "number" && Math.abs(other) > LARGEST_INT && !isFloat(this.dtype);
    return this.combined(op, isBeyond && !isHeldBy("int32", other) ? Math.sign(other) * Number.POSITIVE_INFINITY : other);
  }

  add(other: Value | number): Value {
    return this.combined(arithmetic.add, other);
  }
  sub(other: Value | number): Value {
    return this.combined(arithmetic.sub, other);
  }
  mul(other: Value | number): Value {
    return this.combined(arithmetic.mul, other);
  }
  div(other: Value | number): Value {
    return this.combined(arithmetic.div, other);
  }
  mod(other: Value | number): Value {
    return this.combined(arithmetic.mod, other);
  }
  pow(other: Value | number): Value {
    return this.combined(arithmetic.pow, other);
  }
  minimum(other: Value | number): Value {
    return this.combined(arithmetic.minimum, other);
  }
  maximum(other: Value | number): Value {
    return this.combined(arithmetic.maximum, other);
  }
  less(other: Value | number): Value {
    return this.compared(arithmetic.less, other);
  }
  lessEqual(other: Value | number): Value {
    return this.compared(arithmetic.lessEqual, other);
  }
  greater(other: Value | number): Value {
    return this.compared(arithmetic.greater, other);
  }
  greaterEqual(other: Value | number): Value {
    return this.compared(arithmetic.greaterEqual, other);
  }
  equal(other: Value | number): Value {
    return this.compared(arithmetic.equal, other);
  }
  notEqual(other: Value | number): Value {
    return this.compared(arithmetic.notEqual, other);
  }
  logicalAnd(other: Value | number): Value {
    return this.combined(arithmetic.logicalAnd, other);
  }
  logicalOr(other: Value | number): Value {
    return this.combined(arithmetic.logicalOr, other);
  }
  logicalNot(): Value {
    return this.applied(arithmetic.logicalNot);
  }

  neg(): Value {
    return this.applied(arithmetic.neg);
  }
  abs(): Value {
    return this.applied(arithmetic.abs);
  }
  sign(): Value {
    return this.applied(arithmetic.sign);
  }
  square(): Value {
    return this.applied(arithmetic.square);
  }
  sqrt(): Value {
    return this.applied(arithmetic.sqrt);
  }
  rsqrt(): Value {
    return this.applied(arithmetic.rsqrt);
  }
  reciprocal(): Value {
    return this.applied(arithmetic.reciprocal);
  }
  exp(): Value {
    return this.applied(arithmetic.exp);
  }
  expm1(): Value {
    return this.applied(arithmetic.expm1);
  }
  log(): Value {
    return this.applied(arithmetic.log);
  }
  log1p(): Value {
    return this.applied(arithmetic.log1p);
  }
  log2(): Value {
    return this.applied(arithmetic.log2);
  }
  sin(): Value {
    return this.applied(arithmetic.sin);
  }
  cos(): Value {
    return this.applied(arithmetic.cos);
  }
  tan(): Value {
    return this.applied(arithmetic.tan);
  }
  asin(): Value {
    return this.applied(arithmetic.asin);
  }
  acos(): Value {
    return this.applied(arithmetic.acos);
  }
  atan(): Value {
    return this.applied(arithmetic.atan);
  }
  sinh(): Value {
    return this.applied(arithmetic.sinh);
  }
  cosh(): Value {
    return this.applied(arithmetic.cosh);
  }
  tanh(): Value {
    return this.applied(activations.tanh);
  }
  erf(): Value {
    return this.applied(arithmetic.erf);
  }
  floor(): Value {
    return this.applied(arithmetic.floor);
  }
  ceil(): Value {
    return this.applied(arithmetic.ceil);
  }
  round(): Value {
    return this.applied(arithmetic.round);
  }
  trunc(): Value {
    return this.applied(arithmetic.trunc);
  }
  isNaN(): Value {
    return this.applied(arithmetic.isNaN_);
  }
  isFinite(): Value {
    return this.applied(arithmetic.isFinite_);
  }
  clip(low: number, high: number): Value {
    return this.applied(arithmetic.clip, { low, high });
  }
  sigmoid(): Value {
    return this.applied(activations.sigmoid);
  }
  relu(): Value {
    return this.applied(activations.relu);
  }
  softmax(axis: Axes = -1): Value {
    return this.applied(activations.softmax, { axes: operate.resolveAxes("softmax", axis, this.rank) });
  }
  logSoftmax(axis: Axes = -1): Value {
    return this.applied(activations.logSoftmax, { axes: operate.resolveAxes("logSoftmax", axis, this.rank) });
  }
}
