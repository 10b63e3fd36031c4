// Index values and range checks as kernel values: affine sums of counters, exact quotients, conditions per lane.

import type { AffineIndex, Inside, Scalar } from "../../nest/nest.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Address, Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { Check, MemoryAccess } from "./access.ts";
import { insideOf } from "./access.ts";
import type { Info, Interner } from "./intern.ts";
import type { Scope } from "./scope.ts";

/** A range check along the vector axis that the caller makes per lane. */
export interface LaneCheck {
  readonly check: Check;
  readonly axis: number;
}

export class IndexWriter {
  readonly #k: FunctionBuilder;
  readonly #scope: Scope;
  readonly #interner: Interner;
  readonly #evaluate: (scalar: Scalar) => Value;

  constructor(k: FunctionBuilder, scope: Scope, interner: Interner, evaluate: (scalar: Scalar) => Value) {
    this.#k = k;
    this.#scope = scope;
    this.#interner = interner;
    this.#evaluate = evaluate;
  }

  /** Σ coefficient · counter + offset (the divisor is the caller's), with lanes when it depends on the vector axis. */
  affine(index: AffineIndex): Value {
    const lanes = this.#scope.vector();
    const scalar = this.#affineScalar(index);
    const along = lanes === undefined ? 0 : (index.terms.find((term) => term.axis === lanes.axis)?.coefficient ?? 0);
    if (along === 0) return scalar;
    const steps = Array.from({ length: this.#k.machine.lanes }, (_, lane) => lane * along);
    return v.add(scalar, v.laneConstants(steps));
  }

  /** True where every index is in its range: a mask when some index depends on the vector axis. */
  inside({ index, extents }: Inside): Value {
    let all: Value | undefined;
    index.forEach((item, d) => {
      const condition = this.#within(item, extents[d]!);
      if (condition !== undefined) all = all === undefined ? condition : v.and(all, condition);
    });
    return all ?? v.bool(true);
  }

  #within(index: Check["index"], extent: number): Value | undefined {
    if (this.#scope.holds(index, extent)) return undefined;
    if (index.kind === "indirect") return v.ltUnsigned(this.#evaluate(index.value), extent);
    const { divisor } = index;
    if (!index.checked && divisor === 1) return undefined;
    const total = this.#k.let(this.affine(index), "x");
    if (divisor === 1) return v.ltUnsigned(total, extent);
    if (v.isVector(total.type)) return this.#dividedLanes(total, divisor, extent);
    return wholeAndWithin(total, divisor, extent);
  }

  /** total / divisor is whole and in [0, extent): by shifts, or lane by lane. */
  #dividedLanes(total: Value, divisor: number, extent: number): Value {
    if (v.isPowerOfTwo(divisor)) {
      return v.and(v.eq(v.and(total, divisor - 1), 0), v.ltUnsigned(v.shiftRight(total, Math.log2(divisor)), extent));
    }
    const flags = this.#k.let(v.constant("vi32", 0), "d");
    for (let lane = 0; lane < this.#k.machine.lanes; lane++) {
      const one = this.#k.let(v.extract(total, lane));
      this.#k.set(flags, v.replace(flags, lane, v.convertToInt(wholeAndWithin(one, divisor, extent))));
    }
    return v.ne(flags, 0);
  }

  /**
   * The address at the present counters and the condition under which it may be used. When the condition fails the
   * address is the buffer's start, so that reading is harmless. With a lane check, the address is kept to vectors that
   * touch the buffer.
   */
  address(access: MemoryAccess, lane?: LaneCheck): { readonly address: Address; readonly valid: Value | undefined } {
    const place = this.#scope.place(access);
    const plain = v.at(place.base, undefined, place.offset);
    if (access.checks.length === 0) return { address: plain, valid: undefined };
    const settled = this.#scope.settled(access);
    if (settled !== undefined) {
      const always = settled.op === "constant" && settled.value !== 0;
      return { address: plain, valid: always ? undefined : settled };
    }
    let valid: Value | undefined;
    let moved: Value = v.i32(place.offset);
    for (const check of access.checks) {
      if (check === lane?.check || (check.linear && this.#scope.holds(check.index, check.dimension))) continue;
      const condition = this.#scalarCondition(insideOf(check.index, check.dimension));
      valid = valid === undefined ? condition : v.and(valid, condition);
      if (!check.linear) moved = v.add(moved, v.scaled(this.#coordinate(check.index), check.stride * access.size));
    }
    if (valid !== undefined) valid = this.#k.let(valid, "ok");
    const exact = v.advance(place.base, moved);
    const near = lane === undefined ? undefined : this.#touches(lane);
    const safe = near === undefined ? valid : valid === undefined ? near : v.and(valid, near);
    return { address: v.at(safe === undefined ? exact : v.select(safe, exact, this.#scope.start(access).base)), valid };
  }

  /**
   * Some lane is inside: first + reach ≥ 0 and first < dimension (for an ascending index), as one unsigned comparison.
   */
  #touches({ check, axis }: LaneCheck): Value {
    const index = check.index as AffineIndex;
    const step = index.terms.find((term) => term.axis === axis)!.coefficient;
    const reach = step * (this.#k.machine.lanes - 1);
    const first = this.#affineScalar(index);
    return reach >= 0 ? v.ltUnsigned(v.add(first, reach), check.dimension + reach) : v.ltUnsigned(first, check.dimension - reach);
  }

  /** A condition that does not depend on the vector axis, as a scalar bool. */
  #scalarCondition(inside: Inside): Value {
    const info: Info = this.#interner.of(inside);
    const value = v.firstLane(this.#scope.known(info) ?? this.inside(inside));
    if (value.op === "variable" || value.op === "constant") return value;
    return this.#scope.keep(info, value);
  }

  /** The coordinate that a check is about, as a scalar. */
  #coordinate(index: Check["index"]): Value {
    if (index.kind === "indirect") return v.firstLane(this.#evaluate(index.value));
    return v.quotient(this.#affineScalar(index), index.divisor);
  }

  #affineScalar(index: AffineIndex): Value {
    let total: Value = v.i32(0);
    for (const { axis, coefficient } of index.terms) total = v.add(total, v.scaled(this.#scope.counter(axis), coefficient));
    return v.add(total, index.offset);
  }
}

function wholeAndWithin(total: Value, divisor: number, extent: number): Value {
  return v.and(v.eq(v.operation("remainder", [total, divisor]), 0), v.ltUnsigned(v.quotient(total, divisor), extent));
}
