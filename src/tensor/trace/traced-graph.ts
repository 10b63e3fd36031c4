// Builds the graph of a trace: buffers, loop nests over them, and numbers given at every run.

import type { StepGraph, Update } from "../../compiler/index.ts";
import type { AffineIndex, Nest, Operand, Operation, Program, Scalar } from "../../nest/nest.ts";
import { mapExpressions, transformScalar } from "../../nest/step-graph.ts";
import { typeOfDType } from "../../nest/typing.ts";
import { InputError } from "../../util/errors.ts";

/** A number read anew at every run of a compiled step: learning rate, bias correction, random stream. */
export class LiveNumber {
  readonly read: () => number;

  constructor(read: () => number) {
    this.read = read;
  }
}

/** Conditions of one step: it reads that many buffers, and a kernel takes no number of them. */
const MOST_CONDITIONS = 16;

export class TracedGraph {
  readonly #operands: Operand[] = [];
  readonly #operations: Operation[] = [];
  readonly #params: { name: string; type: "float" | "int" }[] = [];
  readonly #constants = new Map<number, number>();
  readonly #liveParams = new Map<LiveNumber, number>();
  #repetition = 0;
  #repetitions = 0;

  /** A new buffer. */
  buffer(operand: Operand): number {
    return this.#operands.push(operand) - 1;
  }

  /** A new buffer that always holds this number. */
  constant(operand: Operand, number: number): number {
    const buffer = this.buffer(operand);
    this.#constants.set(buffer, number);
    return buffer;
  }

  /** A new live number, and which param of the step it is. */
  live(read: () => number): { readonly number: LiveNumber; readonly param: number } {
    const number = new LiveNumber(read);
    const param = this.#params.push({ name: `live${this.#params.length}`, type: "float" }) - 1;
    this.#liveParams.set(number, param);
    return { number, param };
  }

  paramOf(number: LiveNumber): number | undefined {
    return this.#liveParams.get(number);
  }

  /** Adds a bound program. @returns the buffer of its result */
  add(program: Program, inputs: readonly number[], params: readonly (number | LiveNumber)[], origins: Operation["origins"]): number {
    const numbers = program.buffers.map((operand, number) => inputs[number] ?? this.buffer(operand));
    for (const operation of program.operations) {
      const nest = this.#withParams(operation.nest, params);
      this.#operations.push({
        nest,
        reads: operation.reads.map((read) => numbers[read]!),
        writes: numbers[operation.writes]!,
        clear: operation.clear,
        origins,
        ...(this.#repetition === 0 ? {} : { again: this.#repetition }),
      });
    }
    return numbers[program.result]!;
  }

  /** What the function adds is computed in its place, although it was computed before. */
  again<Result>(run: () => Result): Result {
    const before = this.#repetition;
    this.#repetition = ++this.#repetitions;
    try {
      return run();
    } finally {
      this.#repetition = before;
    }
  }

  /**
   * The graph with all updates at once at its end, and then the results: what is read from an overwritten cell is kept
   * apart.
   * @param given a buffer of one number: when it is not finite at a run, no cell is updated in that run; it becomes the
   * last result
   * @param conditions buffers of one number each: neither is a cell updated when one of them is another number; then
   * the last result is NaN
   */
  finish(
    ends: Pick<StepGraph, "name" | "inputs" | "cells" | "updates" | "results">,
    given: number | undefined,
    conditions: { readonly buffers: readonly number[]; readonly number: number } = { buffers: [], number: 0 },
  ): StepGraph {
    let guard = given;
    for (let first = 0; first < conditions.buffers.length; first += MOST_CONDITIONS)
      guard = this.#conditioned(guard, conditions.buffers.slice(first, first + MOST_CONDITIONS), conditions.number);
    const assigned = ends.updates.filter(({ cell, from }) => cell !== from);
    const overwritten = new Set(assigned.map(({ cell }) => cell));
    const lasting = (buffer: number): number => (overwritten.has(buffer) || this.#constants.has(buffer) ? this.#copy(buffer) : buffer);
    const results = ends.results.map(lasting);
    const updates = assigned.map(
      ({ cell, from }): Update => ({ cell, from: guard === undefined ? lasting(from) : this.#guarded(cell, from, guard) }),
    );
    if (guard !== undefined) results.push(lasting(guard));
    // Copies, since a derivative goes on with the same graph.
    const params = this.#params.slice();
    const operations = this.#operations.map((operation) => ({ ...operation, nest: { ...operation.nest, params } }));
    const [inputs, cells, buffers] = [ends.inputs.slice(), ends.cells.slice(), this.#operands.slice()];
    return { ...ends, inputs, cells, buffers, updates, results, params, constants: new Map(this.#constants), operations };
  }

  /** A buffer that is `from` where the guard is finite, else the cell's old numbers. */
  #guarded(cell: number, from: number, guard: number): number {
    return this.#map("guard", this.#operands[cell]!, [from, cell, guard], ([fresh, old, number]) => {
      const finite: Scalar = { kind: "call", fn: "isfinite", args: [number as Scalar], type: "bool" };
      return { kind: "call", fn: "select", args: [finite, fresh as Scalar, old as Scalar], type: (fresh as Scalar).type };
    });
  }

  /** The guard (0 without one) while all buffers hold this number, else NaN. */
  #conditioned(guard: number | undefined, buffers: readonly number[], number: number): number {
    const reads = guard === undefined ? buffers : [...buffers, guard];
    return this.#map("guard", { dtype: "float32", shape: [] }, reads, (loads) => {
      const fine = loads.slice(0, buffers.length).map((load): Scalar => {
        const wanted: Scalar = { kind: "constant", value: number, type: "int" };
        return { kind: "call", fn: "eq", args: [load, wanted], type: "bool" };
      });
      const all = fine.reduce((a, b): Scalar => ({ kind: "call", fn: "and", args: [a, b], type: "bool" }));
      const otherwise: Scalar = { kind: "constant", value: 0, type: "float" };
      const value = guard === undefined ? otherwise : loads.at(-1)!;
      return { kind: "call", fn: "select", args: [all, value, { kind: "constant", value: Number.NaN, type: "float" }], type: "float" };
    });
  }

  /** A copy of a cell or a known number, made first of all, so that later operations may write into the cell. */
  #copy(buffer: number): number {
    const copied = this.#map("copy", this.#operands[buffer]!, [buffer], ([load]) => load as Scalar);
    this.#operations.unshift(this.#operations.pop()!);
    return copied;
  }

  /** Adds a pointwise nest over buffers of one shape, or of one element. */
  #map(name: string, target: Operand, reads: readonly number[], body: (loads: readonly Scalar[]) => Scalar): number {
    const operands = reads.map((buffer) => this.#operands[buffer]!);
    const axes = target.shape.map((extent, d) => ({ name: `...${d}`, extent }));
    const index = (whole: boolean, rank: number): AffineIndex[] =>
      Array.from({ length: rank }, (_, d) => ({
        kind: "affine",
        terms: whole ? [{ axis: d, coefficient: 1 }] : [],
        offset: 0,
        divisor: 1,
        checked: false,
      }));
    const loads = operands.map((operand, number): Scalar => {
      const whole = operand.shape.join() === target.shape.join();
      return { kind: "load", operand: number, index: index(whole, operand.shape.length), fill: 0, type: typeOfDType(operand.dtype) };
    });
    const output = { ...target, index: index(true, axes.length), accumulate: false };
    const nest: Nest = {
      name,
      operands,
      params: [],
      axes,
      free: axes.length,
      reducer: undefined,
      body: body(loads),
      epilogue: undefined,
      output,
    };
    const buffer = this.buffer(target);
    this.#operations.push({ nest, reads, writes: buffer, clear: false });
    return buffer;
  }

  /** Numbers given at tracing become constants; live ones become params of the step. */
  #withParams(nest: Nest, params: readonly (number | LiveNumber)[]): Nest {
    if (nest.params.length === 0) return nest;
    return mapExpressions(nest, (expression) =>
      transformScalar(expression, (node): Scalar => {
        if (node.kind !== "param") return node;
        const given = params[node.param] as number | LiveNumber;
        if (!(given instanceof LiveNumber)) return { kind: "constant", value: given, type: node.type };
        const param = this.#liveParams.get(given);
        if (param === undefined) throw new InputError("compile: a live number from another trace is used here");
        this.#params[param]!.type = node.type;
        return { ...node, param };
      }),
    );
  }
}
