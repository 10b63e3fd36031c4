// Writes the scalar expressions of a nest into a kernel function, as vectors along one axis or as scalars, each shared value once.
import type { AffineIndex, Inside, Load, Nest, Scalar } from "../formula/nest.ts";
import type { Access } from "./access.ts";
import { accessOf, childrenOf } from "./access.ts";
import type { FunctionBuilder } from "./builder.ts";
import { writeCall } from "./calls.ts";
import type { Info } from "./intern.ts";
import { Interner } from "./intern.ts";
import type { Address, Value } from "./language.ts";
import * as v from "./values.ts";

/** Start addresses: one per operand of the nest, the output, the params (4 bytes each). */
export interface Pointers {
  readonly operands: readonly Value[];
  readonly out: Value;
  readonly params: Value;
}

export interface Binding {
  readonly axis: number;
  /** The axis' counter, i32. Constants make unrolled code. */
  readonly value: Value;
  /** Lanes hold value, value + 1, … Only one axis may be bound so at a time. */
  readonly vector?: boolean;
  /** Of a vector binding: only so many lanes are steps of the axis; the others compute something harmless. */
  readonly count?: number;
}

interface Layer {
  readonly bindings: ReadonlyMap<number, Binding>;
  /** Bits of the axes bound here. */
  readonly axes: number;
  /** Expression → its value, valid while this layer is innermost or below. */
  readonly memo: Map<number, Value>;
  /** Access → its address at the axes bound so far. */
  readonly places: Map<Access, Place>;
  /** Whole vectors read from memory, by address: strided neighbours share them. */
  readonly vectors: Map<string, Value>;
  /** Set in a layer that evaluates one lane of the vector axis as a scalar. */
  readonly lane: number | undefined;
  readonly accumulator: Value | undefined;
  /** Accesses whose checks are settled: their place is safe to read, and what is read counts where the condition holds. */
  readonly settled: Map<Access, Value>;
  /** Numbers of range checks that hold here for every lane. */
  readonly holding: ReadonlySet<number>;
  /** Set where a value was given from outside (withValue). */
  given: boolean;
  /** The block it was opened in: values set in an inner block are not kept here. */
  readonly block: object;
}

interface Place {
  readonly base: Value;
  readonly offset: number;
}

/** Readable bytes that the memory plan guarantees on both sides of every buffer. */
const slack = 128;

export class Evaluator {
  readonly #k: FunctionBuilder;
  readonly #nest: Nest;
  readonly #pointers: Pointers;
  readonly #interner = new Interner();
  readonly #accesses = new Map<number, Access>();
  readonly #output: Access;
  readonly #layers: Layer[] = [];
  readonly #result: Scalar;

  /** Define it where the pointers are known and no axis is bound yet. */
  constructor(k: FunctionBuilder, nest: Nest, pointers: Pointers) {
    if (nest.axes.length > 31) throw new Error(`kernels: "${nest.name}" has more than 31 axes`);
    this.#k = k;
    this.#nest = nest;
    this.#pointers = pointers;
    this.#output = accessOf(nest.output, nest.output.index);
    this.#result = resultOf(nest);
    const roots = nest.reducer === undefined ? [this.#result] : [nest.body, this.#result];
    for (const root of roots) this.#interner.of(root).uses++;
    for (const index of nest.output.index) if (index.kind === "indirect") this.#interner.of(index.value).uses++;
    const layer = this.#layer([], undefined, undefined);
    for (const scalar of allScalars(nest)) {
      const info = this.#interner.of(scalar);
      if (scalar.kind !== "load" || this.#accesses.has(info.id)) continue;
      const access = accessOf(nest.operands[scalar.operand]!, scalar.index);
      this.#accesses.set(info.id, access);
      layer.places.set(access, { base: pointers.operands[scalar.operand]!, offset: access.offset * access.size });
    }
    layer.places.set(this.#output, { base: pointers.out, offset: this.#output.offset * this.#output.size });
    this.#layers.push(layer);
  }

  /** What is stored: the epilogue, else the accumulator, else the body. */
  result(): Scalar {
    return this.#result;
  }

  /** Within `write` the given axes have the given counters; addresses that depend on them are advanced here, once. */
  bind(bindings: readonly Binding[], write: () => void): void {
    const layer = this.#layer(bindings, undefined, undefined);
    for (const access of [...this.#accesses.values(), this.#output]) {
      const before = this.#place(access);
      let { offset } = before;
      let moved: Value = v.i32(0);
      for (const { axis, value } of bindings) {
        const bytes = (access.terms.get(axis) ?? 0) * access.size;
        if (bytes === 0) continue;
        if (value.op === "constant") offset += value.value * bytes;
        else moved = v.add(moved, scaled(value, bytes));
      }
      if (moved.op === "constant" && offset === before.offset) continue;
      if (access.descends) {
        moved = v.add(moved, offset);
        offset = 0;
      }
      const still = moved.op === "constant" && moved.value === 0;
      layer.places.set(access, { base: still ? before.base : this.#k.let(v.advance(before.base, moved), "p"), offset });
    }
    this.#within(layer, write);
  }

  /** Within `write` axes bound before are `by` further, and are vectors or not as said: unrolled neighbours share one address. */
  shifted(
    shifts: readonly { readonly axis: number; readonly by: number; readonly vector: boolean; readonly count?: number }[],
    write: () => void,
  ): void {
    const bindings = shifts.map(({ axis, by, vector, count }) => ({ axis, value: v.add(this.#counter(axis), by), vector, count }));
    const layer = this.#layer(bindings, undefined, undefined);
    for (const access of [...this.#accesses.values(), this.#output]) {
      const steps = shifts.reduce((sum, { axis, by }) => sum + by * (access.terms.get(axis) ?? 0), 0);
      if (steps === 0) continue;
      const before = this.#place(access);
      layer.places.set(access, { base: before.base, offset: before.offset + steps * access.size });
    }
    this.#within(layer, write);
  }

  /** Within `write` the accumulator of the epilogue is `value`. */
  withAccumulator(value: Value, write: () => void): void {
    this.#within(this.#layer([], undefined, value), write);
  }

  /** Within `write` the given range checks hold for every lane, so that they cost nothing. */
  assuming(insides: readonly Inside[], write: () => void): void {
    const numbers = insides.flatMap(({ index, extents }) => index.map((item, d) => this.#interner.of(insideOf(item, extents[d]!)).id));
    this.#within(this.#layer([], undefined, undefined, new Set(numbers)), write);
  }

  #holds(index: Check["index"], dimension: number): boolean {
    const { id } = this.#interner.of(insideOf(index, dimension));
    return this.#layers.some((layer) => layer.holding.has(id));
  }

  /** Within `write`, `scalar` (usually a load) has the given value. */
  withValue(scalar: Scalar, value: Value, write: () => void): void {
    const layer = this.#layer([], undefined, undefined);
    layer.memo.set(this.#interner.of(scalar).id, value);
    layer.given = true;
    this.#within(layer, write);
  }

  /**
   * The value at the present counters: a vector when it depends on the vector axis, else usually a scalar.
   * Consume it at once: it is an expression over memory and counters, not a copy.
   */
  evaluate(scalar: Scalar): Value {
    const info = this.#interner.of(scalar);
    const known = this.#known(info);
    if (known !== undefined) return known;
    const value = this.#written(scalar, info);
    const cheap = value.op === "constant" || value.op === "variable" || value.op === "lanes";
    if ((info.uses <= 1 && scalar.kind !== "inside") || cheap) return value;
    return this.#keep(info, value);
  }

  /** Keeps a value in a variable, known to the outermost layer of this block in which it means the same. */
  #keep(info: Info, value: Value): Value {
    const kept = this.#k.let(value);
    const block = this.#k.currentBlock();
    let depth = this.#layers.length - 1;
    if (this.#layers[depth]!.block !== block) return kept;
    for (; depth > 0; depth--) {
      const layer = this.#layers[depth]!;
      const changes =
        (layer.axes & info.axes) !== 0 || layer.lane !== undefined || (layer.accumulator !== undefined && info.usesAccumulator);
      if (changes || this.#layers[depth - 1]!.block !== block) break;
    }
    this.#layers[depth]!.memo.set(info.id, kept);
    return kept;
  }

  /** As `evaluate`, for a value that does not depend on the vector axis: always a scalar. */
  evaluateScalar(scalar: Scalar): Value {
    return scalarOf(this.evaluate(scalar));
  }

  /** Evaluates now what neither an unbound axis nor `vectorAxis` can change, splatted where a vector along `vectorAxis` will use it. */
  hoist(scalar: Scalar, vectorAxis?: number): void {
    const bound = this.#boundAxes() & ~(vectorAxis === undefined ? 0 : 1 << vectorAxis);
    const visit = (node: Scalar, wide: boolean) => {
      const info = this.#interner.of(node);
      const trivial = node.kind === "constant" || node.kind === "accumulator";
      if (trivial || this.#known(info) !== undefined) return;
      const accumulates = info.usesAccumulator && this.#accumulator() === undefined;
      if ((info.axes & ~bound) === 0 && !accumulates) {
        const value = this.evaluate(node);
        const splat = wide && value.type !== "pointer" && !v.isVector(value.type) ? v.splat(value) : value;
        this.#layers.at(-1)!.memo.set(info.id, splat.op === "constant" ? splat : this.#k.let(splat, "h"));
        return;
      }
      const vector = vectorAxis !== undefined && (info.axes & (1 << vectorAxis)) !== 0;
      for (const child of childrenOf(node)) visit(child, vector && node.kind === "call");
      if (node.kind !== "load") return;
      for (const check of this.#checksOf(node)) visit(check, false);
      this.#settle(node, bound);
    };
    visit(scalar, false);
  }

  /** Decides a load's checks now, when no axis still to come can change them, and keeps a pointer that is safe either way. */
  #settle(load: Load, bound: number): void {
    const access = this.#accesses.get(this.#interner.of(load).id);
    const open = access?.checks.some(
      (check) => (this.#interner.of(insideOf(check.index, check.dimension)).axes & ~bound) !== 0 || check.dimension === 0,
    );
    if (access === undefined || access.checks.length === 0 || open || access.descends || this.#settled(access) !== undefined) return;
    const { address, valid } = this.#address(access);
    const layer = this.#layers.at(-1)!;
    layer.places.set(access, { base: this.#k.let(address.base, "p"), offset: address.offset });
    layer.settled.set(access, valid ?? v.bool(true));
  }

  #settled(access: Access): Value | undefined {
    return this.#layers.findLast((layer) => layer.settled.has(access))?.settled.get(access);
  }

  /** Stores a value through the output's index map (adding, when the nest accumulates), cast to the output's type. */
  write(value: Value): void {
    const access = this.#output;
    const lanes = this.#vectorBinding();
    const along = lanes === undefined ? 0 : this.#dependsOnVector(access, lanes.axis);
    if (lanes === undefined || along === 0) {
      this.#store(access, scalarOf(this.#converted(value)), undefined);
      return;
    }
    const plain = access.checks.every((check) => !this.#checkDependsOn(check.index, lanes.axis));
    if (access.terms.get(lanes.axis) === 1 && plain) {
      const stored = this.#converted(value);
      this.#store(access, v.isVector(stored.type) ? stored : v.splat(stored), lanes.count);
      return;
    }
    const stored = this.#k.let(this.#converted(v.isVector(value.type) ? value : v.splat(value)));
    const count = lanes.count ?? this.#k.machine.lanes;
    for (let lane = 0; lane < count; lane++) {
      this.#inLane(lanes, lane, () => this.#store(access, v.extract(stored, lane), undefined));
    }
  }

  #store(access: Access, value: Value, count: number | undefined): void {
    const { address, valid } = this.#address(access);
    const k = this.#k;
    const wide = v.isVector(value.type);
    const store = () => {
      const type = value.type as "f32" | "i32" | "vf32" | "vi32";
      const place = access.checks.length === 0 ? address : v.at(k.let(address.base, "p"), undefined, address.offset);
      let total = value;
      if (this.#nest.output.accumulate) {
        const before = v.loadAs(type, access.memory, place);
        total = v.add(before, value);
        if (this.#nest.output.dtype === "bool") total = v.convertToInt(v.ne(total, 0));
      }
      if (wide && count !== undefined) k.storePartial(place, total, v.i32(count), access.memory);
      else k.store(place, total, access.memory);
    };
    if (valid === undefined) store();
    else k.if(valid, store);
  }

  #converted(value: Value): Value {
    const { dtype } = this.#nest.output;
    const element = v.elementType(value.type);
    if (dtype === "float32") return element === "f32" ? value : v.convertToFloat(value);
    if (dtype !== "bool") return element === "i32" ? value : v.convertToInt(value);
    return v.convertToInt(element === "bool" ? value : v.ne(value, 0));
  }

  #written(scalar: Scalar, info: Info): Value {
    switch (scalar.kind) {
      case "constant":
        if (scalar.type === "bool") return v.bool(scalar.value !== 0);
        return scalar.type === "float" ? v.f32(scalar.value) : v.i32(scalar.value);
      case "param": {
        const address = v.at(this.#pointers.params, undefined, scalar.param * 4);
        return scalar.type === "float" ? v.loadAs("f32", "f32", address) : v.loadAs("i32", "i32", address);
      }
      case "accumulator": {
        const value = this.#accumulator();
        if (value === undefined) throw new Error(`kernels: the accumulator of "${this.#nest.name}" is read before it is known`);
        return value;
      }
      case "position":
        return this.#affine(scalar.index);
      case "inside":
        return this.#inside(scalar);
      case "load":
        return this.#load(scalar, this.#accesses.get(info.id) ?? accessOf(this.#nest.operands[scalar.operand]!, scalar.index));
      case "call": {
        const args = scalar.args.map((arg) => this.evaluate(arg));
        return writeCall(this.#k, scalar, args);
      }
    }
  }

  #load(load: Load, access: Access): Value {
    const lanes = this.#vectorBinding();
    const fill = load.fill;
    if (lanes === undefined || !this.#loadIsVector(load, access, lanes.axis)) {
      return this.#typed(load, this.#loadScalar(access, load));
    }
    const along = access.terms.get(lanes.axis) ?? 0;
    const { lanes: width } = this.#k.machine;
    const laneChecks = access.checks.filter(
      (check) => this.#checkDependsOn(check.index, lanes.axis) && !this.#holds(check.index, check.dimension),
    );
    const affine = laneChecks.every((check) => check.linear);
    const reach = (2 * width - 1) * access.size;
    const contiguous = along === 1 || (along === -1 && laneChecks.length === 0) || (along === 2 && reach <= slack);
    if (!affine || !contiguous || laneChecks.length > 1) return this.#typed(load, this.#gathered(load, lanes));
    const { address, valid } = this.#address(access, laneChecks[0] && { check: laneChecks[0], along, axis: lanes.axis });
    const value = this.#vector(access, address, along, valid === undefined && laneChecks.length === 0);
    const mask = laneChecks.map((check) => this.evaluate(insideOf(check.index, check.dimension)))[0];
    const condition = valid === undefined ? mask : mask === undefined ? valid : v.and(valid, mask);
    return this.#typed(load, condition === undefined ? value : v.select(condition, value, fill));
  }

  #loadScalar(access: Access, load: Load): Value {
    const { address, valid } = this.#address(access);
    const value = v.loadAs(access.memory === "f32" ? "f32" : "i32", access.memory, address);
    return valid === undefined ? value : v.select(valid, value, load.fill);
  }

  /** One scalar load per lane. */
  #gathered(load: Load, lanes: Binding): Value {
    const valid = lanes.count ?? this.#k.machine.lanes;
    let result: Value = v.constant("vf32", 0);
    for (let lane = 0; lane < this.#k.machine.lanes; lane++) {
      this.#inLane(lanes, Math.min(lane, valid - 1), () => {
        const value = this.#loadScalar(this.#accesses.get(this.#interner.of(load).id)!, load);
        if (lane === 0) result = this.#k.let(v.splat(value), "g");
        else if (lane < valid) result = this.#k.let(v.replace(result, lane, value), "g");
      });
    }
    return result;
  }

  #vector(access: Access, address: Address, along: number, share: boolean): Value {
    const { lanes } = this.#k.machine;
    const type = access.memory === "f32" ? "vf32" : "vi32";
    const read = (place: Address) => {
      if (!share || place.base.op !== "variable" || along !== 2) return v.loadAs(type, access.memory, place);
      const key = `${place.base.id} ${place.offset} ${access.memory}`;
      const block = this.#k.currentBlock();
      const layer = this.#layers.find((candidate) => candidate.block === block);
      if (layer === undefined) return v.loadAs(type, access.memory, place);
      let value = layer.vectors.get(key);
      if (value === undefined) {
        value = this.#k.let(v.loadAs(type, access.memory, place), "s");
        layer.vectors.set(key, value);
      }
      return value;
    };
    if (along === 1) return read(address);
    if (along === -1) {
      const start: Address = { ...address, offset: address.offset - (lanes - 1) * access.size };
      const whole = this.#k.let(read(start), "r");
      return v.shuffle(
        whole,
        whole,
        Array.from({ length: lanes }, (_, lane) => lanes - 1 - lane),
      );
    }
    // Every second element: neighbours at an odd distance read the same two vectors.
    const odd = share && address.offset >= access.size && (address.offset / access.size) % 2 === 1 ? 1 : 0;
    const start = address.offset - odd * access.size;
    const [low, high] = [0, lanes].map((skip) => read({ ...address, offset: start + skip * access.size }));
    return v.shuffle(
      low!,
      high!,
      Array.from({ length: lanes }, (_, lane) => 2 * lane + odd),
    );
  }

  /** From what lies in memory to the type the expression has. */
  #typed(load: Load, value: Value): Value {
    const { dtype } = this.#nest.operands[load.operand]!;
    if (dtype === "float32") return load.type === "float" ? value : load.type === "int" ? v.convertToInt(value) : v.ne(value, 0);
    if (load.type === "bool") return v.ne(value, 0);
    return load.type === "float" ? v.convertToFloat(value) : value;
  }

  /**
   * The address at the present counters and the condition under which it may be used. When the condition fails the address is the
   * buffer's start, so that reading is harmless. `lane`: a range check along the vector axis that the caller does per lane; the
   * address is kept to vectors that touch the buffer.
   */
  #address(
    access: Access,
    lane?: { check: Access["checks"][number]; along: number; axis: number },
  ): { address: Address; valid: Value | undefined } {
    const place = this.#place(access);
    if (access.checks.length === 0) return { address: v.at(place.base, undefined, place.offset), valid: undefined };
    const settled = this.#settled(access);
    if (settled !== undefined) {
      const always = settled.op === "constant" && settled.value !== 0;
      return { address: v.at(place.base, undefined, place.offset), valid: always ? undefined : settled };
    }
    let valid: Value | undefined;
    let moved: Value = v.i32(0);
    for (const check of access.checks) {
      if (check === lane?.check) continue;
      if (check.linear && this.#holds(check.index, check.dimension)) continue;
      const condition = this.#scalarCondition(insideOf(check.index, check.dimension));
      valid = valid === undefined ? condition : v.and(valid, condition);
      if (!check.linear) moved = v.add(moved, scaled(this.#coordinate(check.index), check.stride * access.size));
    }
    if (valid !== undefined) valid = this.#k.let(valid, "ok");
    let touches: Value | undefined = valid;
    if (lane !== undefined) {
      const { check, axis } = lane;
      const index = check.index as AffineIndex;
      const step = index.terms.find((term) => term.axis === axis)!.coefficient;
      const reach = step * (this.#k.machine.lanes - 1);
      const first = this.#affineScalar(index);
      // Some lane is inside: first + reach ≥ 0 and first < dimension (step > 0), as one unsigned comparison.
      const near = reach >= 0 ? v.ltUnsigned(v.add(first, reach), check.dimension + reach) : v.ltUnsigned(first, check.dimension - reach);
      touches = touches === undefined ? near : v.and(touches, near);
    }
    const start = this.#layers[0]!.places.get(access)!.base;
    const exact = v.advance(place.base, v.add(moved, place.offset));
    if (touches === undefined) return { address: v.at(exact), valid };
    return { address: v.at(v.select(touches, exact, start)), valid };
  }

  /** A condition that does not depend on the vector axis, as a scalar bool. */
  #scalarCondition(inside: Inside): Value {
    const info = this.#interner.of(inside);
    const value = scalarOf(this.#known(info) ?? this.#inside(inside));
    if (value.op === "variable" || value.op === "constant") return value;
    return this.#keep(info, value);
  }

  #inside({ index, extents }: Inside): Value {
    let all: Value | undefined;
    index.forEach((item, d) => {
      const extent = extents[d]!;
      let condition: Value;
      if (this.#holds(item, extent)) return;
      if (item.kind === "indirect") {
        condition = v.ltUnsigned(this.evaluate(item.value), extent);
      } else if (!item.checked && item.divisor === 1) {
        return;
      } else {
        const total = this.#k.let(this.#affine(item), "x");
        if (item.divisor === 1) condition = v.ltUnsigned(total, extent);
        else if (v.isVector(total.type)) condition = this.#dividedLanes(total, item.divisor, extent);
        else
          condition = v.and(v.eq(v.operation("remainder", [total, item.divisor]), 0), v.ltUnsigned(quotient(total, item.divisor), extent));
      }
      all = all === undefined ? condition : v.and(all, condition);
    });
    return all ?? v.bool(true);
  }

  /** total / divisor is whole and in [0, extent): by shifts, or lane by lane. */
  #dividedLanes(total: Value, divisor: number, extent: number): Value {
    if (isPowerOfTwo(divisor)) {
      return v.and(v.eq(v.and(total, divisor - 1), 0), v.ltUnsigned(v.shiftRight(total, Math.log2(divisor)), extent));
    }
    const flags = this.#k.let(v.constant("vi32", 0), "d");
    for (let lane = 0; lane < this.#k.machine.lanes; lane++) {
      const one = this.#k.let(v.extract(total, lane));
      const whole = v.and(v.eq(v.operation("remainder", [one, divisor]), 0), v.ltUnsigned(quotient(one, divisor), extent));
      this.#k.set(flags, v.replace(flags, lane, v.convertToInt(whole)));
    }
    return v.ne(flags, 0);
  }

  /** The coordinate that a check is about, as a scalar. */
  #coordinate(index: Check["index"]): Value {
    if (index.kind === "indirect") return this.evaluateScalar(index.value);
    return quotient(this.#affineScalar(index), index.divisor);
  }

  /** Σ coefficient · counter + offset (the divisor is the caller's), with lanes when it depends on the vector axis. */
  #affine(index: AffineIndex): Value {
    const lanes = this.#vectorBinding();
    const scalar = this.#affineScalar(index);
    const along = lanes === undefined ? 0 : (index.terms.find((term) => term.axis === lanes.axis)?.coefficient ?? 0);
    if (along === 0) return scalar;
    const steps = Array.from({ length: this.#k.machine.lanes }, (_, lane) => lane * along);
    return v.add(scalar, v.laneConstants(steps));
  }

  #affineScalar(index: AffineIndex): Value {
    let total: Value = v.i32(0);
    for (const { axis, coefficient } of index.terms) total = v.add(total, scaled(this.#counter(axis), coefficient));
    return v.add(total, index.offset);
  }

  #counter(axis: number): Value {
    for (let depth = this.#layers.length - 1; depth >= 0; depth--) {
      const found = this.#layers[depth]!.bindings.get(axis);
      if (found !== undefined) return found.value;
    }
    throw new Error(`kernels: axis ${this.#nest.axes[axis]?.name} of "${this.#nest.name}" is used before it is bound`);
  }

  /** The memoised value, if no axis it depends on was bound since. */
  #known(info: Info): Value | undefined {
    for (let depth = this.#layers.length - 1; depth >= 0; depth--) {
      const layer = this.#layers[depth]!;
      const value = layer.memo.get(info.id);
      if (value !== undefined) return this.#asLane(value);
      if ((layer.axes & info.axes) !== 0) return undefined;
      if (layer.accumulator !== undefined && info.usesAccumulator) return undefined;
    }
    return undefined;
  }

  /** A hoisted splat found while evaluating a single lane is a scalar there. */
  #asLane(value: Value): Value {
    return this.#lane() === undefined ? value : scalarOf(value);
  }

  #place(access: Access): Place {
    let shift = 0;
    for (let depth = this.#layers.length - 1; depth >= 0; depth--) {
      const layer = this.#layers[depth]!;
      if (layer.lane !== undefined) {
        for (const axis of layer.bindings.keys()) shift += layer.lane * (access.terms.get(axis) ?? 0) * access.size;
      }
      const place = layer.places.get(access);
      if (place !== undefined) return shift === 0 ? place : { base: place.base, offset: place.offset + shift };
    }
    throw new Error("kernels: an access outside the nest");
  }

  #inLane(lanes: Binding, lane: number, write: () => void): void {
    const value = v.add(lanes.value, lane);
    this.#within(this.#layer([{ axis: lanes.axis, value }], lane, undefined), write);
  }

  /** The innermost vector binding, unless one lane of it is being evaluated. */
  #vectorBinding(): Binding | undefined {
    let rebound = 0;
    for (let depth = this.#layers.length - 1; depth >= 0; depth--) {
      const layer = this.#layers[depth]!;
      if (layer.lane !== undefined) return undefined;
      for (const binding of layer.bindings.values()) {
        if (binding.vector === true && (rebound & (1 << binding.axis)) === 0) return binding;
      }
      rebound |= layer.axes;
    }
    return undefined;
  }

  #lane(): number | undefined {
    return this.#layers.findLast((layer) => layer.lane !== undefined)?.lane;
  }

  #accumulator(): Value | undefined {
    return this.#layers.findLast((layer) => layer.accumulator !== undefined)?.accumulator;
  }

  #boundAxes(): number {
    return this.#layers.reduce((bits, layer) => bits | layer.axes, 0);
  }

  #loadIsVector(load: Load, access: Access, axis: number): boolean {
    return (this.#interner.of(load).axes & (1 << axis)) !== 0 || access.terms.has(axis);
  }

  #dependsOnVector(access: Access, axis: number): number {
    const checked = access.checks.some((check) => this.#checkDependsOn(check.index, axis));
    return access.terms.get(axis) ?? (checked ? 1 : 0);
  }

  #checkDependsOn(index: Check["index"], axis: number): boolean {
    if (index.kind === "indirect") return (this.#interner.of(index.value).axes & (1 << axis)) !== 0;
    return index.terms.some((term) => term.axis === axis);
  }

  #checksOf(load: Load): Inside[] {
    const access = this.#accesses.get(this.#interner.of(load).id);
    return (access?.checks ?? []).map((check) => insideOf(check.index, check.dimension));
  }

  #layer(
    bindings: readonly Binding[],
    lane: number | undefined,
    accumulator: Value | undefined,
    holding: ReadonlySet<number> = new Set(),
  ): Layer {
    return {
      bindings: new Map(bindings.map((binding) => [binding.axis, binding])),
      axes: bindings.reduce((bits, binding) => bits | (1 << binding.axis), 0),
      memo: new Map(),
      places: new Map(),
      vectors: new Map(),
      lane,
      accumulator,
      settled: new Map(),
      holding,
      given: false,
      block: this.#k.currentBlock(),
    };
  }

  #within(layer: Layer, write: () => void): void {
    this.#layers.push(layer);
    try {
      write();
    } finally {
      this.#layers.pop();
    }
  }
}

type Check = Access["checks"][number];

function resultOf(nest: Nest): Scalar {
  if (nest.epilogue !== undefined) return nest.epilogue;
  if (nest.reducer === undefined) return nest.body;
  const arg = nest.reducer === "argmax" || nest.reducer === "argmin";
  return { kind: "accumulator", type: arg ? "int" : nest.body.type };
}

const insideOf = (index: Check["index"], dimension: number): Inside => ({
  kind: "inside",
  index: [index],
  extents: [dimension],
  type: "bool",
});

/** One lane of a value that is the same in all lanes (hoisted for vector use), or a scalar as it is. */
function scalarOf(value: Value): Value {
  if (!v.isVector(value.type)) return value;
  if (value.op === "constant") return v.constant(v.elementType(value.type), value.value);
  return value.type === "mask" ? v.ne(v.extract(v.convertToInt(value), 0), 0) : v.extract(value, 0);
}

const isPowerOfTwo = (number: number): boolean => Number.isInteger(Math.log2(number));

function scaled(value: Value, factor: number): Value {
  if (value.op === "constant" || factor === 1) return v.mul(value, factor);
  return factor > 1 && isPowerOfTwo(factor) ? v.shiftLeft(value, Math.log2(factor)) : v.mul(value, factor);
}

function quotient(total: Value, divisor: number): Value {
  if (divisor === 1) return total;
  return isPowerOfTwo(divisor) ? v.shiftRight(total, Math.log2(divisor)) : v.operation("divide", [total, divisor]);
}

function allScalars(nest: Nest): Scalar[] {
  const found = new Set<Scalar>();
  const visit = (scalar: Scalar) => {
    if (found.has(scalar)) return;
    found.add(scalar);
    childrenOf(scalar).forEach(visit);
  };
  visit(nest.body);
  if (nest.epilogue !== undefined) visit(nest.epilogue);
  for (const index of nest.output.index) if (index.kind === "indirect") visit(index.value);
  return [...found];
}

export { allScalars };
