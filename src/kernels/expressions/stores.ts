// Emits writes of results: whole vectors, interleaved results, one element, or lane by lane.

import type { Nest, Result } from "../../nest/nest.ts";
import { isFloat } from "../../nest/typing.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { MemoryAccess } from "./access.ts";
import { accessOf } from "./access.ts";
import { readElement, writeElement } from "./elements.ts";
import type { IndexWriter } from "./indices.ts";
import type { LoadWriter } from "./loads.ts";
import type { Binding, Scope } from "./scope.ts";

/** The accesses of all elements that a free step writes: the output's own, then those of `also`. */
export function storesOf({ output, also = [] }: Result & Pick<Nest, "also">): MemoryAccess[] {
  return [output.index, ...also.map(({ index }) => index)].map((index) => accessOf(output, index));
}

/**
 * Stores that fill memory without gaps along the axis, by their numbers in order of address: one that is contiguous, or
 * as many with neighbouring elements as there are elements between the steps of each. Undefined when they do not.
 */
export function contiguous(stores: readonly MemoryAccess[], axis: number): readonly (readonly number[])[] | undefined {
  const groups: number[][] = [];
  const open = new Set(stores.keys());
  while (open.size > 0) {
    const [first] = [...open].sort((a, b) => stores[a]!.offset - stores[b]!.offset) as [number];
    const { offset } = stores[first]!;
    const stride = stores[first]!.terms.get(axis) ?? 0;
    if (stride < 1 || stride > MOST_INTERLEAVED) return undefined;
    const group: number[] = [];
    for (let step = 0; step < stride; step++) {
      const found = [...open].find((number) => stores[number]!.offset === offset + step && alike(stores[number]!, stores[first]!));
      if (found === undefined) return undefined;
      open.delete(found);
      group.push(found);
    }
    groups.push(group);
  }
  return groups;
}

const MOST_INTERLEAVED = 4;

function alike(a: MemoryAccess, b: MemoryAccess): boolean {
  return a.terms.size === b.terms.size && [...a.terms].every(([axis, step]) => b.terms.get(axis) === step);
}

export class StoreWriter {
  readonly #k: FunctionBuilder;
  readonly #output: Nest["output"];
  readonly #scope: Scope;
  readonly #indices: IndexWriter;
  readonly #loads: LoadWriter;
  readonly #stores: readonly MemoryAccess[];
  readonly #streams: boolean;

  constructor(
    k: FunctionBuilder,
    output: Nest["output"],
    stores: readonly MemoryAccess[],
    scope: Scope,
    indices: IndexWriter,
    loads: LoadWriter,
    keeps: boolean,
  ) {
    this.#k = k;
    this.#output = output;
    this.#stores = stores;
    this.#scope = scope;
    this.#indices = indices;
    this.#loads = loads;
    const { shape, accumulate, inPlace } = output;
    const bytes = shape.reduce((product, extent) => product * extent, stores[0]!.size);
    this.#streams = !keeps && !accumulate && inPlace !== true && bytes >= (k.machine.streamed ?? Number.POSITIVE_INFINITY);
  }

  /**
   * One value per store, of any type, as what is stored; in variables unless it is stored at once.
   * Vectors along the vector axis, or the same for all lanes.
   */
  prepared(values: readonly Value[], isAlone: boolean): readonly Value[] {
    return values.map((value) => {
      const stored = this.#converted(value);
      const isSettled = isAlone && values.length === 1;
      return isSettled || stored.op === "variable" || stored.op === "constant" ? stored : this.#k.let(stored, "w");
    });
  }

  /** Writes what was prepared at this point. Adds when the nest accumulates. */
  write(converted: readonly Value[]): void {
    const lanes = this.#scope.vector();
    const groups = lanes === undefined || this.#checkedAlong(lanes.axis) ? undefined : contiguous(this.#stores, lanes.axis);
    if (lanes === undefined || groups === undefined) {
      this.#stores.forEach((access, number) => {
        this.#apart(access, converted[number]!, lanes);
      });
      return;
    }
    for (const group of groups) {
      const vectors = this.#interleaved(group.map((number) => v.splat(converted[number]!)));
      const access = this.#stores[group[0]!]!;
      const streams = this.#streams && lanes.count === undefined && lanes.aligned === true && this.#aligned(access, lanes.axis);
      vectors.forEach((vector, number) => {
        const skipped = number * this.#k.machine.lanes;
        const count = lanes.count === undefined ? undefined : Math.min(this.#k.machine.lanes, lanes.count * group.length - skipped);
        if (count === undefined || count > 0) this.#store(access, vector, count, skipped, streams);
      });
    }
  }

  /** Whole vectors along the axis begin at multiples of their size. */
  #aligned({ terms, offset, size, checks }: MemoryAccess, axis: number): boolean {
    const { lanes } = this.#k.machine;
    const others = [...terms].every(([term, step]) => term === axis || step % lanes === 0);
    return size === 4 && checks.length === 0 && others && offset % lanes === 0;
  }

  #checkedAlong(axis: number): boolean {
    return this.#stores.some((access) => access.checks.some((check) => this.#loads.dependsOn(check.index, axis)));
  }

  /** Neither contiguous nor interleaved with others. */
  #apart(access: MemoryAccess, value: Value, lanes: Binding | undefined): void {
    if (lanes === undefined || (!access.terms.has(lanes.axis) && !this.#checkedAlong(lanes.axis))) {
      this.#store(access, v.firstLane(value), undefined, 0);
      return;
    }
    const kept = this.#k.let(v.splat(value));
    for (let lane = 0; lane < (lanes.count ?? this.#k.machine.lanes); lane++) {
      this.#scope.inLane(lanes, lane, () => this.#store(access, v.extract(kept, lane), undefined, 0));
    }
  }

  /** a₀ b₀ … a₁ b₁ … of vectors a, b, …, as as many vectors. */
  #interleaved(vectors: readonly Value[]): readonly Value[] {
    if (vectors.length === 1) return vectors;
    const [first, ...rest] = vectors.map((vector) => (vector.op === "variable" ? vector : this.#k.let(vector, "w")));
    const { lanes } = this.#k.machine;
    return vectors.map((_, number) => {
      const at = Array.from({ length: lanes }, (_, lane) => number * lanes + lane);
      let merged: Value = first!;
      rest.forEach((vector, position) => {
        const [from, count] = [position + 1, vectors.length];
        const sources = at.map((place, lane) => {
          const step = Math.floor(place / count);
          if (place % count === from) return lanes + step;
          // Lanes of the vectors before this one were put in place by the first shuffle.
          return position === 0 ? step : lane;
        });
        merged = this.#k.let(v.shuffle(merged, vector, sources), "w");
      });
      return merged;
    });
  }

  /** @param skipped elements from the access' place */
  #store(access: MemoryAccess, value: Value, count: number | undefined, skipped: number, streams = false): void {
    const k = this.#k;
    const { accumulate, dtype } = this.#output;
    const { address, valid } = this.#indices.address(access);
    const store = () => {
      const start = access.checks.length === 0 ? address : v.at(k.let(address.base, "p"), undefined, address.offset);
      const place = { ...start, offset: start.offset + skipped * access.size };
      let total = value;
      if (accumulate) total = v.add(readElement(access.element, place, v.isVector(value.type) ? "vector" : "scalar"), value);
      if (accumulate && dtype === "bool") total = v.convertToInt(v.ne(total, 0));
      if (dtype === "uint8") total = v.max(v.min(total, 255), 0);
      if (streams) k.storeStreaming(place, total);
      else writeElement(k, access.element, place, total, count === undefined ? undefined : v.i32(count));
    };
    if (valid === undefined) store();
    else k.if(valid, store);
  }

  #converted(value: Value): Value {
    const { dtype } = this.#output;
    const element = v.elementType(value.type);
    if (isFloat(dtype)) return element === "f32" ? value : v.convertToFloat(value);
    if (dtype !== "bool") return element === "i32" ? value : v.convertToInt(value);
    return v.convertToInt(element === "bool" ? value : v.ne(value, 0));
  }
}
