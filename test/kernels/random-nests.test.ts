// Random loop nests (every index kind, dtype, reducer, odd and empty extents) on WebAssembly against the reference evaluator.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { AffineIndex, Axis, DType, FunctionName, Index, Nest, Operand, Reducer, Scalar, ScalarType } from "../../src/nest/nest.ts";
import { compare, programOfNest, tensor } from "./conformance.ts";
import { Source } from "./source.ts";

function interval(index: Pick<AffineIndex, "terms" | "offset">, axes: readonly Axis[]): [number, number] {
  let [low, high] = [index.offset, index.offset];
  for (const { axis, coefficient } of index.terms) {
    const reach = coefficient * Math.max(0, axes[axis]!.extent - 1);
    if (reach < 0) low += reach;
    else high += reach;
  }
  return [low, high];
}

class NestMaker {
  readonly #source: Source;
  readonly #axes: Axis[];
  readonly #free: number;
  readonly #operands: Operand[] = [];

  constructor(source: Source) {
    this.#source = source;
    const count = 1 + source.below(4);
    this.#axes = Array.from({ length: count }, (_, number) => ({
      name: "abcd"[number]!,
      extent: source.pick([1, 2, 3, 4, 5, 6, 7, 9, 12, 17, 0]),
    }));
    this.#free = source.below(count + 1);
  }

  make(): Nest {
    const source = this.#source;
    const reduces = this.#free < this.#axes.length;
    const type: ScalarType = source.pick(["float", "float", "int"]);
    // Long products would leave the range in which both sides are exact.
    const steps = this.#axes.slice(this.#free).reduce((product, axis) => product * axis.extent, 1);
    const others: readonly Reducer[] =
      type === "int" || steps > 9 ? ["max", "min", "argmax", "argmin"] : ["max", "min", "prod", "argmax", "argmin"];
    const reducer: Reducer | undefined = reduces ? source.pick(["sum", "sum", ...others]) : undefined;
    const body = this.#scalar(type, 3, this.#axes.length);
    const argument = reducer === "argmax" || reducer === "argmin";
    const accumulated: ScalarType = argument ? "int" : type;
    let epilogue: Scalar | undefined;
    if (reduces && source.chance(3)) {
      const other = this.#scalar(accumulated, 1, this.#free);
      epilogue = {
        kind: "call",
        fn: source.pick(["add", "sub", "max"]),
        args: [{ kind: "accumulator", type: accumulated }, other],
        type: accumulated,
      };
    }
    return {
      name: "random",
      axes: this.#axes,
      free: this.#free,
      reducer,
      body,
      epilogue,
      params: [
        { name: "p", type: "float" },
        { name: "q", type: "int" },
      ],
      output: this.#output(accumulated),
      operands: this.#operands,
    };
  }

  #output(type: ScalarType): Nest["output"] {
    const source = this.#source;
    const dtype: DType = type === "float" ? "float32" : source.pick(["int32", "uint8"]);
    const order = Array.from({ length: this.#free }, (_, axis) => axis);
    for (let i = order.length - 1; i > 0; i--) {
      const j = source.below(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    const accumulate = source.chance(4);
    const index: Index[] = [];
    const shape: number[] = [];
    order.forEach((axis, place) => {
      if (accumulate && place === 0 && source.chance(2)) {
        const extent = 1 + source.below(5);
        index.push({ kind: "indirect", value: this.#load("int", this.#free) });
        shape.push(extent);
        return;
      }
      if (accumulate && source.chance(4)) return;
      const coefficient = source.pick([1, 1, 1, 2, -1]);
      const extent = this.#axes[axis]!.extent;
      const offset = (coefficient < 0 ? Math.max(0, extent - 1) : 0) + source.pick([0, 0, 1]);
      const cut = source.chance(5) ? 1 : 0;
      shape.push(Math.max(0, Math.max(0, extent - 1) * Math.max(1, Math.abs(coefficient)) + 2 - cut * 2));
      index.push(this.#affine([{ axis, coefficient }], offset, 1, shape.at(-1)!));
    });
    return { dtype, shape, index, accumulate };
  }

  #affine(terms: AffineIndex["terms"], offset: number, divisor: number, dimension: number): AffineIndex {
    const [low, high] = interval({ terms, offset }, this.#axes);
    const inside = divisor === 1 && low >= 0 && high < dimension;
    return {
      kind: "affine",
      terms: [...terms].sort((a, b) => a.axis - b.axis),
      offset,
      divisor,
      checked: !inside || this.#source.chance(8),
    };
  }

  #randomTerms(axes: number): AffineIndex["terms"] {
    const source = this.#source;
    const chosen = new Map<number, number>();
    for (let i = 0; i < source.pick([1, 1, 1, 2, 0]); i++)
      if (axes > 0) chosen.set(source.below(axes), source.pick([1, 1, 1, 1, 2, -1, 3, -2]));
    return [...chosen].map(([axis, coefficient]) => ({ axis, coefficient }));
  }

  #load(type: ScalarType, axes: number, depth = 1): Scalar {
    const source = this.#source;
    const suited: readonly DType[] = type === "float" ? ["float32"] : type === "int" ? ["int32", "uint8"] : ["bool"];
    const dtype = source.pick(suited);
    const index: Index[] = [];
    const shape: number[] = [];
    for (let d = source.below(4); d > 0; d--) {
      if (depth > 0 && source.chance(7)) {
        index.push({ kind: "indirect", value: this.#load("int", axes, depth - 1) });
        shape.push(1 + source.below(6));
        continue;
      }
      const terms = this.#randomTerms(axes);
      const [low, high] = interval({ terms, offset: 0 }, this.#axes);
      const divisor = source.chance(6) ? source.pick([2, 3]) : 1;
      const exact = source.below(3) > 0;
      const offset = exact ? -low : -low + source.pick([-2, -1, 1]);
      const dimension = Math.max(0, Math.ceil((high - low + 1) / divisor) - (exact ? 0 : source.pick([0, 1, 2])));
      shape.push(dimension);
      index.push(this.#affine(terms, offset, divisor, dimension));
    }
    const operand = this.#operands.push({ dtype, shape }) - 1;
    return { kind: "load", operand, index, fill: type === "bool" ? source.pick([0, 1]) : source.pick([0, 0, -1, 7]), type };
  }

  #scalar(type: ScalarType, depth: number, axes: number): Scalar {
    const source = this.#source;
    if (depth === 0 || source.chance(4)) {
      const pickOf = source.below(8);
      if (pickOf === 0) return { kind: "constant", value: type === "bool" ? source.below(2) : source.below(7) - 3, type };
      if (pickOf === 1 && type === "float") return { kind: "param", param: 0, type: "float" };
      if (pickOf === 1 && type === "int") return { kind: "param", param: 1, type: "int" };
      if (pickOf === 2 && type === "int") {
        return {
          kind: "position",
          index: {
            kind: "affine",
            terms: [...this.#randomTerms(axes)].sort((a, b) => a.axis - b.axis),
            offset: 1,
            divisor: 1,
            checked: false,
          },
          type: "int",
        };
      }
      if (pickOf < 4 && type === "bool") {
        const extents = [source.below(8)];
        return {
          kind: "inside",
          index: [this.#affine(this.#randomTerms(axes), source.below(3) - 1, source.pick([1, 1, 2]), extents[0]!)],
          extents,
          type: "bool",
        };
      }
      return this.#load(type, axes);
    }
    const inner = (kind: ScalarType) => this.#scalar(kind, depth - 1, axes);
    const call = (fn: FunctionName, ...args: Scalar[]): Scalar => ({ kind: "call", fn, args, type });
    if (type === "bool") {
      const kind = source.pick<ScalarType>(["float", "int", "bool"]);
      const fn = source.pick<FunctionName>(["lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"]);
      if (fn === "not") return call(fn, inner("bool"));
      return fn === "and" || fn === "or" ? call(fn, inner("bool"), inner("bool")) : call(fn, inner(kind), inner(kind));
    }
    const choice = source.below(10);
    if (choice < 5) return call(source.pick<FunctionName>(["add", "sub", "mul", "min", "max"]), inner(type), inner(type));
    if (choice < 7) return call(source.pick<FunctionName>(["neg", "abs", "sign"]), inner(type));
    if (choice === 7)
      return call(
        type === "float" ? "float" : "int",
        inner(source.pick<ScalarType>(type === "float" ? ["int", "bool"] : ["float", "bool"])),
      );
    if (choice === 8 && type === "int") return call("mod", inner("int"), inner("int"));
    return call("select", inner("bool"), inner(type), inner(type));
  }
}

/** Small whole numbers: sums and products of them are exact in float32, so that results must agree to the bit. */
function dataFor({ dtype, shape }: Operand, seed: number) {
  const made = tensor(shape, dtype, undefined, seed);
  return dtype === "float32" ? made.data.map((x) => Math.floor(x * 5)) : made.data;
}

test("random nests equal the reference", () => {
  const runs = Number(process.env.KASANE_RUNS ?? 1500);
  fc.assert(
    fc.property(fc.array(fc.nat(5039), { minLength: 40, maxLength: 80 }), (numbers) => {
      const nest = new NestMaker(new Source(numbers)).make();
      const inputs = nest.operands.map((operand, number) => dataFor(operand, number + 3));
      const difference = compare(programOfNest(nest), inputs, [2.5, -3], 1e-5);
      expect(difference === "" ? "" : `${difference} in ${JSON.stringify(nest)}`).toBe("");
    }),
    { numRuns: runs, seed: Number(process.env.KASANE_SEED ?? 7) },
  );
});
