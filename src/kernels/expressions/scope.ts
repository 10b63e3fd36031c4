// What is known while an expression is emitted: loop counters, moving addresses, values kept in variables.

import type { Inside, Scalar } from "../../nest/nest.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { Check, MemoryAccess } from "./access.ts";
import { insideOf } from "./access.ts";
import type { Info, Interner } from "./intern.ts";

export interface Binding {
  readonly axis: number;
  /** The axis' counter, i32. Constants make unrolled code. */
  readonly value: Value;
  /** Lanes hold value, value + 1, … Only one axis may be bound so at a time. */
  readonly vector?: boolean;
  /** Of a vector binding: only so many lanes are steps of the axis; the others compute something harmless. */
  readonly count?: number;
  /** Of a vector binding: the value is a multiple of the lanes. */
  readonly aligned?: boolean;
}

export interface Shift {
  readonly axis: number;
  readonly by: number;
  readonly vector: boolean;
  readonly count?: number;
}

/** base + offset bytes. */
export interface BaseAddress {
  readonly base: Value;
  readonly offset: number;
}

interface Layer {
  readonly bindings: ReadonlyMap<number, Binding>;
  /** Bits of the axes bound here. */
  readonly axes: number;
  /** Expression → its value, valid while this layer is innermost or below. */
  readonly memo: Map<number, Value>;
  /** Access → its address at the axes bound so far. */
  readonly places: Map<MemoryAccess, BaseAddress>;
  /** Whole vectors read from memory, by address: strided neighbours share them. */
  readonly vectors: Map<string, Value>;
  /**
   * Accesses whose checks are settled: their place is safe to read, and what is read counts where the condition holds.
   */
  readonly settled: Map<MemoryAccess, Value>;
  /** Set in a layer that evaluates one lane of the vector axis as a scalar. */
  readonly lane: number | undefined;
  readonly accumulator: Value | undefined;
  /** Numbers of range checks that hold here for every lane. */
  readonly holding: ReadonlySet<number>;
  /** Values were given from outside (withValue): nothing computed from them may be kept further out. */
  readonly given: boolean;
  /** The block it was opened in: values set in an inner block are not kept here. */
  readonly block: object;
}

const nothing: ReadonlySet<number> = new Set();

/** Layers, innermost last. Each method that takes `write` opens one for as long as `write` runs. */
export class Scope {
  readonly #k: FunctionBuilder;
  readonly #interner: Interner;
  readonly #layers: Layer[] = [];

  /** @param starts where each access begins when no axis is bound */
  constructor(k: FunctionBuilder, interner: Interner, starts: ReadonlyMap<MemoryAccess, BaseAddress>) {
    this.#k = k;
    this.#interner = interner;
    this.#layers.push({ ...this.#layer(), places: new Map(starts) });
  }

  bind(bindings: readonly Binding[], write: () => void): void {
    const layer = this.#layer({ bindings });
    // Accesses that move alike share a pointer.
    const advanced = new Map<string, Value>();
    for (const access of this.#root().places.keys()) {
      const before = this.place(access);
      let { offset } = before;
      let moved: Value = v.i32(0);
      for (const { axis, value } of bindings) {
        const bytes = (access.terms.get(axis) ?? 0) * access.size;
        if (bytes === 0) continue;
        if (value.op === "constant") offset += value.value * bytes;
        else moved = v.add(moved, v.scaled(value, bytes));
      }
      if (moved.op === "constant" && offset === before.offset) continue;
      if (access.descends) moved = v.add(moved, offset);
      const still = moved.op === "constant" && moved.value === 0;
      const steps = bindings.map(({ axis }) => (access.terms.get(axis) ?? 0) * access.size);
      const key = `${before.base.op === "variable" ? before.base.id : "?"} ${access.descends ? offset : ""} ${steps.join()}`;
      const known = before.base.op === "variable" ? advanced.get(key) : undefined;
      const base = still ? before.base : (known ?? this.#k.let(v.advance(before.base, moved), "p"));
      if (!still) advanced.set(key, base);
      layer.places.set(access, { base, offset: access.descends ? 0 : offset });
    }
    this.#within(layer, write);
  }

  shifted(shifts: readonly Shift[], write: () => void): void {
    const bindings = shifts.map(({ axis, by, vector, count }) => {
      const before = this.#binding(axis);
      return { axis, value: v.add(before.value, by), vector, count, aligned: before.aligned === true && by % this.#k.machine.lanes === 0 };
    });
    const layer = this.#layer({ bindings });
    for (const access of this.#root().places.keys()) {
      const steps = shifts.reduce((sum, { axis, by }) => sum + by * (access.terms.get(axis) ?? 0), 0);
      if (steps === 0) continue;
      const before = this.place(access);
      layer.places.set(access, { base: before.base, offset: before.offset + steps * access.size });
    }
    this.#within(layer, write);
  }

  withAccumulator(accumulator: Value, write: () => void): void {
    this.#within(this.#layer({ accumulator }), write);
  }

  withValue(scalar: Scalar, value: Value, write: () => void): void {
    const layer = this.#layer({ given: true });
    layer.memo.set(this.#interner.of(scalar).id, value);
    this.#within(layer, write);
  }

  assuming(insides: readonly Inside[], write: () => void): void {
    const numbers = insides.flatMap(({ index, extents }) => index.map((item, d) => this.#interner.of(insideOf(item, extents[d]!)).id));
    this.#within(this.#layer({ holding: new Set(numbers) }), write);
  }

  /** Within `write` one lane of a vector binding is a scalar. */
  inLane(lanes: Binding, lane: number, write: () => void): void {
    this.#within(this.#layer({ bindings: [{ axis: lanes.axis, value: v.add(lanes.value, lane) }], lane }), write);
  }

  holds(index: Check["index"], dimension: number): boolean {
    if (this.#layers.every((layer) => layer.holding.size === 0)) return false;
    const { id } = this.#interner.of(insideOf(index, dimension));
    return this.#layers.some((layer) => layer.holding.has(id));
  }

  counter(axis: number): Value {
    return this.#binding(axis).value;
  }

  #binding(axis: number): Binding {
    const found = this.#layers.findLast((layer) => layer.bindings.has(axis))?.bindings.get(axis);
    if (found === undefined) throw new Error(`kernels: axis ${axis} is used before it is bound`);
    return found;
  }

  /** The innermost vector binding, unless one lane of it is being evaluated. */
  vector(): Binding | undefined {
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

  accumulator(): Value | undefined {
    return this.#layers.findLast((layer) => layer.accumulator !== undefined)?.accumulator;
  }

  boundAxes(): number {
    return this.#layers.reduce((bits, layer) => bits | layer.axes, 0);
  }

  place(access: MemoryAccess): BaseAddress {
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

  /** Where the access' buffer begins (and its constant offset). */
  start(access: MemoryAccess): BaseAddress {
    return this.#root().places.get(access)!;
  }

  settle(access: MemoryAccess, place: BaseAddress, valid: Value): void {
    const layer = this.#layers.at(-1)!;
    layer.places.set(access, place);
    layer.settled.set(access, valid);
  }

  settled(access: MemoryAccess): Value | undefined {
    return this.#layers.findLast((layer) => layer.settled.has(access))?.settled.get(access);
  }

  /** The value kept for an expression, if nothing it depends on changed since. */
  known(info: Info): Value | undefined {
    for (let depth = this.#layers.length - 1; depth >= 0; depth--) {
      const layer = this.#layers[depth]!;
      const value = layer.memo.get(info.id);
      // A splat kept for vector use and found while a single lane is evaluated is a scalar there.
      if (value !== undefined) return this.#layers.some(({ lane }) => lane !== undefined) ? v.firstLane(value) : value;
      if ((layer.axes & info.axes) !== 0) return undefined;
      if (layer.accumulator !== undefined && info.usesAccumulator) return undefined;
    }
    return undefined;
  }

  /** Keeps a value in a variable, known to the outermost layer of this block in which it means the same. */
  keep(info: Info, value: Value): Value {
    const kept = this.#k.let(value);
    const block = this.#k.currentBlock();
    let depth = this.#layers.length - 1;
    if (this.#layers[depth]!.block !== block) return kept;
    for (; depth > 0; depth--) {
      const { axes, lane, accumulator, given, holding } = this.#layers[depth]!;
      const depends = (axes & info.axes) !== 0 || (accumulator !== undefined && info.usesAccumulator);
      if (depends || lane !== undefined || given || holding.size > 0 || this.#layers[depth - 1]!.block !== block) break;
    }
    this.#layers[depth]!.memo.set(info.id, kept);
    return kept;
  }

  /** Remembers a value for the innermost layer. */
  remember(info: Info, value: Value): void {
    this.#layers.at(-1)!.memo.set(info.id, value);
  }

  /** A vector read from memory, read once per block and address. */
  sharedVector(key: string, read: () => Value): Value {
    const block = this.#k.currentBlock();
    const layer = this.#layers.find((candidate) => candidate.block === block);
    if (layer === undefined) return read();
    let value = layer.vectors.get(key);
    if (value === undefined) {
      value = this.#k.let(read(), "s");
      layer.vectors.set(key, value);
    }
    return value;
  }

  #root(): Layer {
    return this.#layers[0]!;
  }

  #layer(
    given: { bindings?: readonly Binding[]; lane?: number; accumulator?: Value; holding?: ReadonlySet<number>; given?: boolean } = {},
  ): Layer {
    const bindings = given.bindings ?? [];
    return {
      bindings: new Map(bindings.map((binding) => [binding.axis, binding])),
      axes: bindings.reduce((bits, binding) => bits | (1 << binding.axis), 0),
      memo: new Map(),
      places: new Map(),
      vectors: new Map(),
      settled: new Map(),
      lane: given.lane,
      accumulator: given.accumulator,
      holding: given.holding ?? nothing,
      given: given.given ?? false,
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
