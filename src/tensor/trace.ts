// Tracing: while a step is traced, ops add loop nests to a graph instead of computing, and their results stand for numbers to come.

import type { HostArray } from "../backends/backend.ts";
import { mapExpressions, transformScalar } from "../compiler/graph.ts";
import type { StepGraph, Update } from "../compiler/index.ts";
import type { AffineIndex, DType, Nest, Operand, Program, Scalar, Step } from "../formula/nest.ts";
import { typeOfDType } from "../formula/typing.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { wholeOf } from "./mapping.ts";
import { isRepeating } from "./repeat.ts";
import { captureSite, currentPass, currentScope } from "./tape.ts";
import type { Live, Value } from "./value.ts";

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

/**
 * Does something at every run of a step (counts an optimizer's steps), in order with live numbers. Outside a trace: now.
 * @param undo called when the run's guard refused to update the tensors
 */
export function onEachRun(effect: () => void, undo?: () => void): void {
  if (isRepeating()) return;
  if (current === undefined) effect();
  else current.effects.push({ kind: "effect", effect, undo });
}

/** Tells the trace that what it builds holds only as long as `read` gives the same (a layer's mode): else the step is traced again. */
export function dependsOn<T>(read: () => T): T {
  const value = read();
  current?.guards.push(() => Object.is(read(), value));
  return value;
}

/**
 * Checks a tensor's numbers: now where they are known; in a traced step at every run that brings other numbers; never for what a step
 * computes.
 */
export function whenKnown(given: Value, check: (data: HostArray) => void): void {
  const value = wholeOf(given);
  if (current === undefined) check(value.data);
  else current.check(value, check);
}

/** A live number's value in the run that is over. */
export type ReadLive = (number: number | Live) => number;

/** Takes numbers that were computed. */
export type Deliver = (data: HostArray, read: ReadLive) => void;

/** Hands over a tensor's numbers as they are here: now, or after every run of the step that is being traced. */
export function tap(given: Value, deliver: Deliver): void {
  const value = wholeOf(given);
  if (current === undefined) deliver(value.data, (number) => (typeof number === "number" ? number : number.read()));
  else current.tap(value, deliver);
}

/** Does something in the order of taps: now, or after every run of the step that is being traced. */
export function afterRun(effect: () => void): void {
  if (current === undefined) effect();
  else current.taps.push({ buffer: undefined, deliver: effect });
}

/** Runs a function as if nothing were traced: the tensors it makes come from outside of the step. */
export function outsideTrace<Result>(run: () => Result): Result {
  const before = current;
  current = undefined;
  try {
    return run();
  } finally {
    current = before;
  }
}

export function runTrace<Result>(trace: Trace, run: () => Result): Result {
  if (current !== undefined)
    throw new InputError("compile: a compiled function was called while another one is being traced", {
      hint: "call it outside, or pass the inner function uncompiled",
    });
  current = trace;
  try {
    return run();
  } finally {
    current = undefined;
  }
}

export type Effect =
  | { readonly kind: "effect"; readonly effect: () => void; readonly undo: (() => void) | undefined }
  | { readonly kind: "param"; readonly param: number; readonly read: () => number };

export class Trace {
  readonly name: string;
  readonly effects: Effect[] = [];
  readonly guards: (() => boolean)[] = [];
  /** Done before every run, with the arguments' numbers: throws where they are not what the step expects. */
  readonly checks: ((inputs: readonly HostArray[]) => void)[] = [];
  /** What is done after a run, in the order of asking, each with the numbers of a buffer or none. */
  readonly taps: { readonly buffer: number | undefined; readonly deliver: Deliver }[] = [];
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
  /** Tensors from outside whose numbers were read: the trace holds for these only. */
  readonly #numbersRead = new Set<Value>();
  /** Gradients of tensors from outside as they were before the trace. */
  readonly #gradients = new Map<Value, Value | undefined>();

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
    const argument = this.#name(make(value.shape, value.dtype), buffer);
    argument.requiresGrad = value.requiresGrad;
    return argument;
  }

  check(value: Value, check: (data: HostArray) => void): void {
    const traced = buffers.get(value);
    if (traced?.trace === this) {
      const input = this.#inputs.indexOf(traced.buffer);
      const viewed = [...this.#captured].find(([, buffer]) => buffer === traced.buffer)?.[0];
      if (input >= 0) this.checks.push((inputs) => check(inputs[input] as HostArray));
      else if (viewed !== undefined) this.check(viewed, check);
      return;
    }
    if (!value.hasNumbers || this.#updates.has(value)) return;
    check(value.numbers());
    let { version } = value;
    this.checks.push(() => {
      // What the step itself puts there is not checked.
      if (value.version === version || this.#updates.has(value)) return;
      check(value.numbers());
      version = value.version;
    });
  }

  /** The numbers of a tensor are read by the function itself, which may branch on them: other numbers need another trace. */
  readNumbers(value: Value): void {
    if (value.isConstant || !value.hasNumbers || this.#numbersRead.has(value)) return;
    if (this.#updates.has(value)) throw unreadable();
    this.#numbersRead.add(value);
    const { version } = value;
    this.guards.push(() => value.version === version);
  }

  /**
   * The gradient of a tensor is about to be read, or forgotten. A step that reads it before it makes one holds for this gradient only.
   * @throws InputError when the gradient stayed inside an earlier compiled step
   */
  touchGradient(value: Value, how: "read" | "reset"): void {
    if (this.#gradients.has(value) || buffers.get(value)?.trace === this) return;
    const before = value.gradient;
    this.#gradients.set(value, before);
    if (how === "reset") return;
    if (before !== undefined && !before.hasNumbers)
      throw new InputError(
        `compile: the gradient of a tensor of shape [${value.shape.join(", ")}] was made in an earlier run and did not leave it`,
        { hint: "call zeroGrad() in the compiled function before backward()" },
      );
    this.guards.push(() => value.gradient === before);
  }

  /** The gradients a run leaves on tensors from outside; those it computes stay inside, as tensors without numbers. */
  takeGradients(): readonly (readonly [value: Value, gradient: Value | undefined])[] {
    const left = [...this.#gradients.keys()].map((value) => [value, value.gradient] as const);
    for (const [value, before] of this.#gradients) value.gradient = before;
    return left;
  }

  live(read: () => number): LiveNumber {
    const number = new LiveNumber(read);
    const param = this.#params.push({ name: `live${this.#params.length}`, type: "float" }) - 1;
    this.#liveParams.set(number, param);
    this.effects.push({ kind: "param", param, read });
    return number;
  }

  /** Adds a bound program; gives the tensor of its result. */
  run(
    program: Program,
    inputs: readonly Value[],
    params: readonly (number | LiveNumber)[],
    make: (shape: readonly number[], dtype: DType) => Value,
  ): Value {
    const numbers = program.buffers.map((operand, number) =>
      number < inputs.length ? this.#read(inputs[number] as Value) : this.#buffer(operand),
    );
    const origins = [{ op: program.name, scope: currentScope(), pass: currentPass(), site: captureSite() }];
    for (const step of program.steps) {
      const nest = this.#withParams(step.nest, params);
      this.#steps.push({
        nest,
        reads: step.reads.map((read) => numbers[read] as number),
        writes: numbers[step.writes] as number,
        clear: step.clear,
        origins,
        ...(this.#repetition === 0 ? {} : { again: this.#repetition }),
      });
    }
    const { shape, dtype } = program.buffers[program.result] as Operand;
    return this.#name(make(shape, dtype), numbers[program.result] as number);
  }

  #repetition = 0;
  #repetitions = 0;

  /** What the function adds to the graph is computed in its place, although it was computed before. */
  again<Result>(run: () => Result): Result {
    const before = this.#repetition;
    this.#repetition = ++this.#repetitions;
    try {
      return run();
    } finally {
      this.#repetition = before;
    }
  }

  /** The same buffer under another shape. */
  view(input: Value, made: Value): Value {
    return this.#name(made, this.#read(input));
  }

  /** From now on the tensor stands for other numbers; at the end of every run it holds them. */
  assign(target: Value, value: Value): void {
    this.#read(target);
    if (!this.#captured.has(target))
      throw new InputError("assign: inside compile() only tensors from outside the function can be assigned");
    if (this.#numbersRead.has(target))
      throw new InputError("assign: the compiled function reads this tensor's numbers itself, so it cannot change them too", {
        hint: "keep to tensor operations: where(condition, a, b) instead of if",
      });
    this.#updates.set(target, this.#read(value));
  }

  /** The buffers whose numbers are handed out after a run. */
  get tapped(): readonly number[] {
    return this.taps.flatMap(({ buffer }) => (buffer === undefined ? [] : [buffer]));
  }

  tap(value: Value, deliver: Deliver): void {
    this.taps.push({ buffer: this.#read(value), deliver });
  }

  /** The live numbers of a run, given its params. */
  liveOf(params: readonly number[]): ReadLive {
    return (number) => {
      if (typeof number === "number") return number;
      const param = this.#liveParams.get(number as LiveNumber);
      return param === undefined ? number.read() : (params[param] as number);
    };
  }

  isTraced(value: Value): boolean {
    return buffers.get(value)?.trace === this;
  }

  /** The results of the graph: those given, then what is tapped, then the guard. @param guard a single number, handed back after the results: when it is not finite at a run, no tensor is updated in that run */
  finish(results: readonly Value[], guard?: Value): StepGraph {
    const assigned = [...this.#updates]
      .map(([value, from]): Update => ({ cell: this.#captured.get(value) as number, from }))
      .filter(({ cell, from }) => cell !== from);
    const overwritten = new Set(assigned.map(({ cell }) => cell));
    // At the end of a run all updates happen at once, then the results are taken: what is read from an overwritten cell is kept apart.
    const lasting = (buffer: number): number => (overwritten.has(buffer) || this.#constants.has(buffer) ? this.#copy(buffer) : buffer);
    const handedBack = [...results.map((value) => this.#read(value)), ...this.tapped];
    const resultBuffers = handedBack.map(lasting);
    const guardBuffer = guard && this.#read(guard);
    const updates = assigned.map(
      ({ cell, from }): Update => ({ cell, from: guardBuffer === undefined ? lasting(from) : this.#guarded(cell, from, guardBuffer) }),
    );
    if (guardBuffer !== undefined) resultBuffers.push(lasting(guardBuffer));
    const params = this.#params;
    const steps = this.#steps.map((step) => ({ ...step, nest: { ...step.nest, params } }));
    return {
      name: this.name,
      buffers: this.#operands,
      inputs: this.#inputs,
      cells: this.#cellBuffers,
      updates,
      results: resultBuffers,
      params,
      constants: this.#constants,
      steps,
    };
  }

  /** A buffer that is `from` where the guard is finite, else the cell's old numbers. */
  #guarded(cell: number, from: number, guard: number): number {
    return this.#map("guard", cell, [from, cell, guard], ([fresh, old, number]) => {
      const finite: Scalar = { kind: "call", fn: "isfinite", args: [number as Scalar], type: "bool" };
      return { kind: "call", fn: "select", args: [finite, fresh as Scalar, old as Scalar], type: (fresh as Scalar).type };
    });
  }

  /** A copy of a cell or a known number, made first of all, so that later steps may write into the cell. */
  #copy(buffer: number): number {
    const copied = this.#map("copy", buffer, [buffer], ([load]) => load as Scalar);
    this.#steps.unshift(this.#steps.pop() as Step);
    return copied;
  }

  /** Adds a pointwise nest over buffers of one shape, or of one element. */
  #map(name: string, like: number, reads: readonly number[], body: (loads: readonly Scalar[]) => Scalar): number {
    const target = this.#operands[like] as Operand;
    const operands = reads.map((buffer) => this.#operands[buffer] as Operand);
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
    const buffer = this.#buffer(target);
    this.#steps.push({ nest, reads, writes: buffer, clear: false });
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
    if (!value.hasNumbers)
      throw new ShapeError("compile: a tensor from another trace is used here", {
        hint: "return it from the compiled function it was made in",
      });
    let buffer = this.#captured.get(value);
    if (buffer !== undefined) return buffer;
    buffer = this.#buffer({ dtype: value.dtype, shape: value.shape });
    this.#captured.set(value, buffer);
    if (value.isConstant && value.size === 1) this.#constants.set(buffer, value.numbers()[0] as number);
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

/** The error of reading numbers that do not exist yet, or that stayed inside a compiled step. */
export function unreadable(): InputError {
  if (current === undefined)
    return new InputError("compile: the numbers of this tensor stay inside the compiled function it was made in", {
      hint: "return the tensor (also a gradient: return weight.grad) from the function; before backward() outside, call zeroGrad()",
    });
  return new InputError("compile: the numbers of a tensor were read while the function is being traced, before they exist", {
    hint: "return the tensor and read it outside; choose between values with where(condition, a, b) instead of if",
  });
}
