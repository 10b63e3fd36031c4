// Emits reads of operands: whole vectors of neighbours, one value for all lanes, or lane by lane.

import type { Load } from "../../nest/nest.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import { type Address, SLACK, type Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { Check, MemoryAccess } from "./access.ts";
import { asType, readElement } from "./elements.ts";
import type { IndexWriter } from "./indices.ts";
import type { Interner } from "./intern.ts";
import type { Binding, Scope } from "./scope.ts";

/** Elements between lanes at most for lanes to be picked out of whole vectors. */
const MOST_APART = 4;

/**
 * Whether lanes `along` elements apart are read as whole vectors. All vectors together must stay within reach of the
 * first lane, which alone may be valid, or, where every lane is, of the last.
 */
export function readsVectors(along: number, checked: boolean, { lanes, size }: { readonly lanes: number; readonly size: number }): boolean {
  if (along === 1) return true;
  if (along === -1) return !checked;
  return along > 1 && along <= MOST_APART && (!checked || (along * lanes - 1) * size <= SLACK);
}

export class LoadWriter {
  readonly #k: FunctionBuilder;
  readonly #scope: Scope;
  readonly #interner: Interner;
  readonly #indices: IndexWriter;

  constructor(k: FunctionBuilder, scope: Scope, interner: Interner, indices: IndexWriter) {
    this.#k = k;
    this.#scope = scope;
    this.#interner = interner;
    this.#indices = indices;
  }

  /** @param condition evaluates a range check with lanes */
  write(load: Load, access: MemoryAccess, condition: (check: Check) => Value): Value {
    const lanes = this.#scope.vector();
    if (lanes === undefined || !this.#varies(load, access, lanes.axis)) return asType(this.#scalar(load, access), load.type);
    const along = access.terms.get(lanes.axis) ?? 0;
    const checks = access.checks.filter(
      (check) => this.dependsOn(check.index, lanes.axis) && !(check.linear && this.#scope.holds(check.index, check.dimension)),
    );
    const regular = readsVectors(along, checks.length > 0, { lanes: this.#k.machine.lanes, size: access.size });
    if (!regular || checks.length > 1 || checks.some((check) => !check.linear))
      return asType(this.#gathered(load, access, lanes), load.type);
    const [check] = checks;
    const { address, valid } = this.#indices.address(access, check && { check, axis: lanes.axis });
    const value = this.#vector(access, address, along, valid === undefined && check === undefined, lanes.count);
    const mask = check && condition(check);
    const both = valid === undefined ? mask : mask === undefined ? valid : v.and(valid, mask);
    return asType(both === undefined ? value : v.select(both, value, load.fill), load.type);
  }

  dependsOn(index: Check["index"], axis: number): boolean {
    if (index.kind === "indirect") return (this.#interner.of(index.value).axes & (1 << axis)) !== 0;
    return index.terms.some((term) => term.axis === axis);
  }

  #varies(load: Load, access: MemoryAccess, axis: number): boolean {
    return (this.#interner.of(load).axes & (1 << axis)) !== 0 || access.terms.has(axis);
  }

  #scalar(load: Load, access: MemoryAccess): Value {
    const { address, valid } = this.#indices.address(access);
    const value = readElement(access.element, address, "scalar");
    return valid === undefined ? value : v.select(valid, value, load.fill);
  }

  /** One scalar load per lane; lanes that are no steps of the axis repeat the last one. */
  #gathered(load: Load, access: MemoryAccess, lanes: Binding): Value {
    const count = lanes.count ?? this.#k.machine.lanes;
    let result: Value | undefined;
    for (let lane = 0; lane < count; lane++) {
      this.#scope.inLane(lanes, lane, () => {
        const value = this.#scalar(load, access);
        result = this.#k.let(result === undefined ? v.splat(value) : v.replace(result, lane, value), "g");
      });
    }
    return result!;
  }

  #vector(access: MemoryAccess, address: Address, along: number, share: boolean, count: number | undefined): Value {
    const { lanes } = this.#k.machine;
    const order = (source: (lane: number) => number) => Array.from({ length: lanes }, (_, lane) => source(lane));
    const read = (place: Address) => readElement(access.element, place, "vector");
    if (along === 1) return read(address);
    if (along === -1) {
      const start: Address = { ...address, offset: address.offset - (lanes - 1) * access.size };
      const whole = this.#k.let(read(start), "r");
      return v.shuffle(
        whole,
        whole,
        order((lane) => lanes - 1 - lane),
      );
    }
    // Every second (third, fourth) element: neighbours at other distances read the same vectors.
    const phase = share ? Math.max(0, address.offset / access.size) % along : 0;
    const element = (lane: number) => along * lane + phase;
    const vectors = Math.ceil((element((count ?? lanes) - 1) + 1) / lanes);
    const parts = Array.from({ length: vectors }, (_, part) => {
      const place = { ...address, offset: address.offset + (part * lanes - phase) * access.size };
      if (!share || place.base.op !== "variable") return this.#k.let(read(place), "r");
      return this.#scope.sharedVector(`${place.base.id} ${place.offset} ${access.element}`, () => read(place));
    });
    const [first, second = first, ...others] = parts as [Value, ...Value[]];
    const early = v.shuffle(
      first,
      second,
      order((lane) => element(lane) % (2 * lanes)),
    );
    return others.reduce((picked, part, number) => {
      const start = (number + 2) * lanes;
      const isHere = (lane: number) => element(lane) >= start && element(lane) < start + lanes;
      return v.shuffle(
        picked,
        part,
        order((lane) => (isHere(lane) ? lanes + element(lane) - start : lane)),
      );
    }, early);
  }
}
