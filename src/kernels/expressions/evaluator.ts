// Emits the scalar expressions of a nest, as vectors along one axis or as scalars; common subexpressions once.

import type { Inside, Load, Nest, Result, Scalar } from "../../nest/nest.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { MemoryAccess } from "./access.ts";
import { accessOf, allScalars, childrenOf, insideOf, resultsOf } from "./access.ts";
import { writeCall } from "./calls.ts";
import { IndexWriter } from "./indices.ts";
import type { Info } from "./intern.ts";
import { Interner } from "./intern.ts";
import { LoadWriter } from "./loads.ts";
import type { BaseAddress, Binding, Shift } from "./scope.ts";
import { Scope } from "./scope.ts";
import { StoreWriter, storesOf } from "./stores.ts";

export type { Binding, Shift } from "./scope.ts";

/** Start addresses: one per operand of the nest, one per result, the params (4 bytes each). */
export interface Pointers {
  readonly operands: readonly Value[];
  readonly outs: readonly Value[];
  readonly params: Value;
  /** By result: it is read again soon and stays in the caches however large it is. */
  readonly keepsOutput?: readonly boolean[];
}

/** One result of the nest, as it is computed and written. */
interface Written {
  /** The epilogue, else the accumulator, else the body; then the values of `also`. */
  readonly values: readonly Scalar[];
  readonly stores: StoreWriter;
}

export class Evaluator {
  readonly #k: FunctionBuilder;
  readonly #nest: Nest;
  readonly #params: Value;
  readonly #interner = new Interner();
  /** By the number of the load. */
  readonly #accesses = new Map<number, MemoryAccess>();
  readonly #written: readonly Written[];
  readonly #scope: Scope;
  readonly #indices: IndexWriter;
  readonly #loads: LoadWriter;

  /** Make it where the pointers are known and no axis is bound yet. */
  constructor(k: FunctionBuilder, nest: Nest, pointers: Pointers) {
    if (nest.axes.length > 31) throw new Error(`kernels: "${nest.name}" has more than 31 axes`);
    this.#k = k;
    this.#nest = nest;
    this.#params = pointers.params;
    const results = resultsOf(nest).map((result) => ({ result, values: valuesOf(result) }));
    for (const { result, values } of results) {
      const roots = result.reducer === undefined ? values : [result.body, ...values];
      for (const root of roots) this.#interner.of(root).uses++;
      for (const index of result.output.index) if (index.kind === "indirect") this.#interner.of(index.value).uses++;
    }
    const starts = new Map<MemoryAccess, BaseAddress>();
    for (const scalar of allScalars(nest)) {
      const info = this.#interner.of(scalar);
      if (scalar.kind !== "load" || this.#accesses.has(info.id)) continue;
      const access = accessOf(nest.operands[scalar.operand]!, scalar.index);
      this.#accesses.set(info.id, access);
      starts.set(access, { base: pointers.operands[scalar.operand]!, offset: access.offset * access.size });
    }
    const stores = results.map(({ result }) => storesOf(result));
    stores.forEach((accesses, number) => {
      for (const access of accesses) starts.set(access, { base: pointers.outs[number]!, offset: access.offset * access.size });
    });
    this.#scope = new Scope(k, this.#interner, starts);
    this.#indices = new IndexWriter(k, this.#scope, this.#interner, (scalar) => this.evaluate(scalar));
    this.#loads = new LoadWriter(k, this.#scope, this.#interner, this.#indices);
    this.#written = results.map(({ result, values }, number) => {
      const keeps = pointers.keepsOutput?.[number] === true;
      return { values, stores: new StoreWriter(k, result.output, stores[number]!, this.#scope, this.#indices, this.#loads, keeps) };
    });
  }

  /** What is stored: of every result the epilogue, else the accumulator, else the body; then the values of `also`. */
  values(): readonly (readonly Scalar[])[] {
    return this.#written.map(({ values }) => values);
  }

  /** Within `write` the given axes have the given counters; addresses that depend on them are advanced here, once. */
  bind(bindings: readonly Binding[], write: () => void): void {
    this.#scope.bind(bindings, write);
  }

  /**
   * Within `write` axes bound before are `by` further, and are vectors or not as said: unrolled neighbours share one
   * address.
   */
  shifted(shifts: readonly Shift[], write: () => void): void {
    this.#scope.shifted(shifts, write);
  }

  /** Within `write` the accumulator of the epilogue is `value`. */
  withAccumulator(value: Value, write: () => void): void {
    this.#scope.withAccumulator(value, write);
  }

  /** Within `write` the given range checks hold for every lane, so that they cost nothing. */
  assuming(insides: readonly Inside[], write: () => void): void {
    this.#scope.assuming(insides, write);
  }

  /** Within `write`, `scalar` (usually a load) has the given value. */
  withValue(scalar: Scalar, value: Value, write: () => void): void {
    this.#scope.withValue(scalar, value, write);
  }

  /**
   * The value at the present counters: a vector when it depends on the vector axis, else usually a scalar.
   * Consume it at once: it is an expression over memory and counters, not a copy.
   */
  evaluate(scalar: Scalar): Value {
    const info = this.#interner.of(scalar);
    const known = this.#scope.known(info);
    if (known !== undefined) return known;
    const value = this.#compute(scalar, info);
    // The variable of a call holds what the call wrote statements for.
    const cheap = value.op === "constant" || value.op === "lanes" || (value.op === "variable" && scalar.kind !== "call");
    if ((info.uses <= 1 && scalar.kind !== "inside") || cheap) return value;
    return this.#scope.keep(info, value);
  }

  /** As `evaluate`, for a value that does not depend on the vector axis: always a scalar. */
  evaluateScalar(scalar: Scalar): Value {
    return v.firstLane(this.evaluate(scalar));
  }

  /**
   * Evaluates now what neither an unbound axis nor `vectorAxis` can change, splatted where a vector along `vectorAxis`
   * will use it.
   */
  hoist(scalar: Scalar, vectorAxis?: number): void {
    const bound = this.#scope.boundAxes() & ~(vectorAxis === undefined ? 0 : 1 << vectorAxis);
    const seen = new Set<string>();
    const visit = (node: Scalar, wide: boolean) => {
      const info = this.#interner.of(node);
      // Expressions share parts: as trees they may be far larger than they are.
      const visited = `${info.id} ${wide}`;
      if (seen.has(visited)) return;
      seen.add(visited);
      const trivial = node.kind === "constant" || node.kind === "accumulator";
      if (trivial || this.#scope.known(info) !== undefined) return;
      const accumulates = info.usesAccumulator && this.#scope.accumulator() === undefined;
      if ((info.axes & ~bound) === 0 && !accumulates) {
        const value = this.evaluate(node);
        const splat = wide && !v.isVector(value.type) ? v.splat(value) : value;
        this.#scope.remember(info, splat.op === "constant" ? splat : this.#k.let(splat, "h"));
        return;
      }
      const vector = vectorAxis !== undefined && (info.axes & (1 << vectorAxis)) !== 0;
      for (const child of childrenOf(node)) visit(child, vector && node.kind === "call");
      const access = this.#accesses.get(info.id);
      if (node.kind !== "load" || access === undefined) return;
      for (const { index, dimension } of access.checks) visit(insideOf(index, dimension), false);
      this.#settle(access, bound);
    };
    visit(scalar, false);
  }

  /**
   * Decides an access' checks now, when no axis still to come can change them, and keeps a pointer that is safe either
   * way.
   */
  #settle(access: MemoryAccess, bound: number): void {
    const open = access.checks.some(
      ({ index, dimension }) => (this.#interner.of(insideOf(index, dimension)).axes & ~bound) !== 0 || dimension === 0,
    );
    if (access.checks.length === 0 || open || access.descends || this.#scope.settled(access) !== undefined) return;
    const { address, valid } = this.#indices.address(access);
    this.#scope.settle(access, { base: this.#k.let(address.base, "p"), offset: address.offset }, valid ?? v.bool(true));
  }

  #compute(scalar: Scalar, info: Info): Value {
    switch (scalar.kind) {
      case "constant":
        if (scalar.type === "bool") return v.bool(scalar.value !== 0);
        return scalar.type === "float" ? v.f32(scalar.value) : v.i32(scalar.value);
      case "param": {
        const address = v.at(this.#params, undefined, scalar.param * 4);
        return scalar.type === "float" ? v.loadAs("f32", "f32", address) : v.loadAs("i32", "i32", address);
      }
      case "accumulator": {
        const value = this.#scope.accumulator();
        if (value === undefined) throw new Error(`kernels: the accumulator of "${this.#nest.name}" is read before it is known`);
        return value;
      }
      case "position":
        return this.#indices.affine(scalar.index);
      case "inside":
        return this.#indices.inside(scalar);
      case "load":
        return this.#load(scalar, info);
      case "call":
        return writeCall(
          this.#k,
          scalar,
          scalar.args.map((arg) => this.evaluate(arg)),
        );
    }
  }

  #load(load: Load, info: Info): Value {
    const access = this.#accesses.get(info.id);
    if (access === undefined) throw new Error(`kernels: a load that "${this.#nest.name}" does not contain`);
    return this.#loads.write(load, access, ({ index, dimension }) => this.evaluate(insideOf(index, dimension)));
  }

  /**
   * Stores what the present point gives for some results, through their index maps (adding, when the nest accumulates),
   * cast to their types.
   */
  writeResults(results: readonly number[] = [...this.#written.keys()]): void {
    this.prepareResults(results)();
  }

  /** Evaluates what the present point gives for some results; what it returns stores them, at this point. */
  prepareResults(results: readonly number[]): () => void {
    const isAlone = results.length === this.#written.length && results.length === 1;
    const prepared = results.map((result) => {
      const { values, stores } = this.#written[result]!;
      const ready = stores.prepared(
        values.map((value) => this.evaluate(value)),
        isAlone,
      );
      return () => stores.write(ready);
    });
    return () => {
      for (const write of prepared) write();
    };
  }
}

function valuesOf({ reducer, body, epilogue, also = [] }: Result & Pick<Nest, "also">): readonly Scalar[] {
  const isPosition = reducer === "argmax" || reducer === "argmin";
  const own: Scalar = epilogue ?? (reducer === undefined ? body : { kind: "accumulator", type: isPosition ? "int" : body.type });
  return [own, ...also.map(({ value }) => value)];
}
