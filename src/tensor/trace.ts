// Tracing: while a step is traced, ops add loop nests to a graph instead of computing, and their results stand for numbers to come.

import type { StepGraph, Update } from "../compiler/index.ts";
import type { HostArray } from "../backends/backend.ts";
import type { AffineIndex, DType, Nest, Operand, Program, Scalar, ScalarType, Step } from "../formula/nest.ts";
import { typeOfDType } from "../formula/typing.ts";
import { mapExpressions, transformScalar } from "../compiler/graph.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import type { Value } from "./value.ts";

/** A number read anew at every run of a compiled step: learning rate, bias correction, random stream. */
export class LiveNumber {
  readonly read: () => number;

  constructor(read: () => number) {
    this.read = read;
  }
}

/** One traced value: the buffer that will hold its numbers. */
const buffers = new WeakMap<Value, { readonly trace: Trace; readonly buffer: number }>();

let current: Trace | undefined;

export function currentTrace(): Trace | undefined {
  return current;
}

/**
 * A number for an attribute that must be read at every run. Outside a trace it is read at once.
 * @param read called in the order in which live numbers and effects were made
 */
export function live(read: () => number): number | LiveNumber {
  return current === undefined ? read() : current.live(read);
}

/** Does something at every run of a step (counts an optimizer's steps), in order with live numbers. Outside a trace: now. */
export function onEachRun(effect: () => void): void {
  if (current === undefined) effect();
  else current.effects.push({ kind: "effect", effect });
}

/** Tells the trace that what it builds holds only as long as `read` gives the same (a layer's mode): else the step is traced again. */
export function dependsOn<T>(read: () => T): T {
  const value = read();
  current?.guards.push(() => Object.is(read(), value));
  return value;
}

/**
 * Checks a tensor's numbers: now where they are known; for an argument of a traced step at every run; never for what a step computes.
 */
export function whenKnown(value: Value, check: (data: HostArray) => void): void {
  if (value.hasNumbers) check(value.data);
  else current?.checkInput(value, check);
}

export function runTrace<Result>(trace: Trace, run: () => Result): Result {
  if (current !== undefined) throw new InputError("compile: a compiled function was called while another one is being traced", { hint: "call it outside, or pass the inner function uncompiled" });
  current = trace;
  try {
    return run();
  } finally {
    current = undefined;
  }
}

export type Effect = { readonly kind: "effect"; readonly effect: () => void } | { readonly kind: "param"; readonly param: number; readonly read: () => number };

export class Trace {
  readonly name: string;
  readonly effects: Effect[] = [];
  readonly guards: (() => boolean)[] = [];
  /** Checks of the numbers of arguments, at every run. */
  readonly checks: { readonly input: number; readonly check: (data: HostArray) => void }[] = [];
  /** Tensors from outside: their numbers are read, and if assigned written, at every run. */
  readonly cells: Value[] = [];
  readonly #operands: Operand[] = [];
  readonly #inputs: number[] = [];
  readonly #cellBuffers: number[] = [];
  readonly #steps: Step[] = [];
  readonly #params: { name: string; type: "float" | "int" }[] = [];
  readonly #constants = new Map<number, number>();
  readonly #updates = new Map<Value, number>();
  readonly #liveParams = new Map<LiveNumber, number>();
  readonly #captured = new Map<Value, number>();

  constructor(name: string) {
    this.name = name;
  }

  /** A new buffer of the graph. */
  #buffer(operand: Operand): number {
    return this.#operands.push(operand) - 1;
  }

  /** A tensor that stands for an argument of the step. */
  input(value: Value, make: (shape: readonly number[], dtype: DType) => Value): Value {
    const buffer = this.#buffer({ dtype: value.dtype, shape: value.shape });
    this.#inputs.push(buffer);
    return this.#name(make(value.shape, value.dtype), buffer);
  }

  checkInput(value: Value, check: (data: HostArray) => void): void {
    const traced = buffers.get(value);
    const input = traced?.trace === this ? this.#inputs.indexOf(traced.buffer) : -1;
    if (input >= 0) this.checks.push({ input, check });
  }

  live(read: () => number): LiveNumber {
    const number = new LiveNumber(read);
    const param = this.#params.push({ name: `live${this.#params.length}`, type: "float" }) - 1;
    this.#liveParams.set(number, param);
    this.effects.push({ kind: "param", param, read });
    return number;
  }

  /** Adds a bound program; gives the tensor of its result. */
  run(program: Program, inputs: readonly Value[], params: readonly (number | LiveNumber)[], make: (shape: readonly number[], dtype: DType) => Value): Value {
    const numbers = program.buffers.map((operand, number) => (number < inputs.length ? this.#read(inputs[number] as Value) : this.#buffer(operand)));
    for (const step of program.steps) {
      const nest = this.#withParams(step.nest, params);
      this.#steps.push({ nest, reads: step.reads.map((read) => numbers[read] as number), writes: numbers[step.writes] as number, clear: step.clear });
    }
    const { shape, dtype } = program.buffers[program.result] as Operand;
    return this.#name(make(shape, dtype), numbers[program.result] as number);
  }

  /** The same buffer under another shape. */
  view(input: Value, made: Value): Value {
    return this.#name(made, this.#read(input));
  }

  /** From now on the tensor stands for other numbers; at the end of every run it holds them. */
  assign(target: Value, value: Value): void {
    this.#read(target);
    if (!this.#captured.has(target)) throw new InputError("assign: inside compile() only tensors from outside the function can be assigned");
    this.#updates.set(target, this.#read(value));
  }

  isTraced(value: Value): boolean {
    return buffers.get(value)?.trace === this;
  }

  /** @param guard a single number: when it is not finite at a run, no tensor is updated in that run */
  finish(results: readonly Value[], guard?: Value): StepGraph {
    const resultBuffers = results.map((value) => this.#read(value));
    const guardBuffer = guard && this.#read(guard);
    const updates: Update[] = [...this.#updates].map(([value, from]) => {
      const cell = this.#captured.get(value) as number;
      return { cell, from: guardBuffer === undefined ? from : this.#guarded(cell, from, guardBuffer) };
    });
    const params = this.#params;
    const steps = this.#steps.map((step) => ({ ...step, nest: { ...step.nest, params } }));
    return { name: this.name, buffers: this.#operands, inputs: this.#inputs, cells: this.#cellBuffers, updates, results: resultBuffers, params, constants: this.#constants, steps };
  }

  /** A buffer that is `from` where the guard is finite, else the cell's old numbers. */
  #guarded(cell: number, from: number, guard: number): number {
    const operand = this.#operands[cell] as Operand;
    const axes = operand.shape.map((extent, d) => ({ name: `...${d}`, extent }));
    const type = typeOfDType(operand.dtype);
    const index = (terms: boolean, rank: number): AffineIndex[] =>
      Array.from({ length: rank }, (_, d) => ({ kind: "affine", terms: terms ? [{ axis: d, coefficient: 1 }] : [], offset: 0, divisor: 1, checked: false }));
    const load = (number: number, all: boolean, rank: number, of: ScalarType): Scalar => ({ kind: "load", operand: number, index: index(all, rank), fill: 0, type: of });
    const finite: Scalar = { kind: "call", fn: "isfinite", args: [load(0, false, (this.#operands[guard] as Operand).shape.length, "float")], type: "bool" };
    const rank = operand.shape.length;
    const nest: Nest = {
      name: "guard", operands: [this.#operands[guard] as Operand, operand, operand], params: [], axes, free: axes.length, reducer: undefined,
      body: { kind: "call", fn: "select", args: [finite, load(1, true, rank, type), load(2, true, rank, type)], type },
      epilogue: undefined, output: { ...operand, index: index(true, rank), accumulate: false },
    };
    const buffer = this.#buffer(operand);
    this.#steps.push({ nest, reads: [guard, from, cell], writes: buffer, clear: false });
    return buffer;
  }

  #name(value: Value, buffer: number): Value {
    buffers.set(value, { trace: this, buffer });
    return value;
  }

  /** The buffer that holds a tensor's present numbers. */
  #read(value: Value): number {
    const updated = this.#updates.get(value);
    if (updated !== undefined) return updated;
    const traced = buffers.get(value);
    if (traced?.trace === this) return traced.buffer;
    if (!value.hasNumbers) throw new ShapeError("compile: a tensor from another trace is used here", { hint: "return it from the compiled function it was made in" });
    let buffer = this.#captured.get(value);
    if (buffer !== undefined) return buffer;
    buffer = this.#buffer({ dtype: value.dtype, shape: value.shape });
    this.#captured.set(value, buffer);
    if (value.isConstant && value.size === 1) this.#constants.set(buffer, value.data[0] as number);
    else {
      this.cells.push(value);
      this.#cellBuffers.push(buffer);
    }
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
        (this.#params[param] as { type: string }).type = node.type;
        return { ...node, param };
      }),
    );
  }
}

/** The error of reading numbers that do not exist yet. */
export function unreadable(): InputError {
  return new InputError("compile: the numbers of a tensor were read while the function is being traced, before they exist", {
    hint: "return the tensor and read it outside; choose between values with where(condition, a, b) instead of if",
  });
}

export type { HostArray };
