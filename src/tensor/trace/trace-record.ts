// The record of one trace: buffers of tensors, changes of tensors, and conditions that later runs must meet.

import type { HostArray } from "../../backends/backend.ts";
import type { StepGraph, Update } from "../../compiler/index.ts";
import type { DType, Operand, Program } from "../../nest/nest.ts";
import { InputError, ShapeError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import { captureSite, currentPass, currentScope } from "../context.ts";
import { type Complain, type ElementRule, NONE, programOfElement, programOfRule } from "../element-rules.ts";
import type { Live, Value } from "../value.ts";
import { isRecomputing } from "./recompute.ts";
import { type LiveNumber, TracedGraph } from "./traced-graph.ts";

/** The names of the functions in which tensors without numbers were made. */
const makers = new WeakMap<Value, string>();

/** A live number's value in the run that is over. */
export type ReadLive = (number: number | Live) => number;

/** Where a run leaves the position of the first element that breaks a rule (NONE: no one does), and that element. */
export interface ElementCheck {
  readonly first: number;
  readonly found: number;
  readonly complain: Complain;
}

/** Takes numbers that were computed. */
export type Deliver = (data: HostArray, read: ReadLive) => void;

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
  readonly #graph = new TracedGraph();
  /**
   * The buffers of traced values. Kept here, so that a value which outlives the trace (a gradient) does not keep it.
   */
  readonly #buffers = new WeakMap<Value, number>();
  readonly #inputs: number[] = [];
  readonly #cellBuffers: number[] = [];
  readonly #updates = new Map<Value, number>();
  /** Tensors that hold other numbers for a while. */
  readonly #lent = new Map<Value, number>();
  readonly #captured = new Map<Value, number>();
  /** Tensors from outside whose numbers were read: the trace holds for these only. */
  readonly #numbersRead = new Set<Value>();
  /** Lets the step check what it moves itself; called when all it does is known. */
  readonly #checkedOutside: (() => void)[] = [];
  /** What the step checks of what it computes, by buffer and rule. */
  readonly #elementChecks = new Map<string, ElementCheck>();
  /** Gradients of tensors from outside as they were before the trace. */
  readonly #gradients = new Map<Value, Value | undefined>();

  constructor(name: string) {
    this.name = name;
  }

  /** A tensor that stands for an argument of the step. */
  input(value: Value, make: (shape: readonly number[], dtype: DType) => Value): Value {
    const buffer = this.#graph.buffer({ dtype: value.dtype, shape: value.shape });
    this.#inputs.push(buffer);
    const argument = this.standFor(make(value.shape, value.dtype), buffer);
    argument.requiresGrad = value.requiresGrad;
    return argument;
  }

  /**
   * What comes from outside is checked on the host, before a run; what the step computes by the step itself, where
   * there is a rule.
   */
  check(value: Value, check: (data: HostArray) => void, watch?: { readonly rule: ElementRule; readonly complain: Complain }): void {
    const buffer = this.bufferOf(value);
    const input = this.#inputs.indexOf(buffer);
    if (input >= 0) {
      this.checks.push((inputs) => check(inputs[input]!));
      return;
    }
    const [outside] = [...this.#captured].find(([, captured]) => captured === buffer) ?? [];
    if (outside === undefined) {
      // What is computed again was checked before.
      if (watch !== undefined && !isRecomputing()) this.#watch(buffer, value, watch.rule, watch.complain);
      return;
    }
    check(outside.numbers());
    this.#checkedOutside.push(() => {
      if (watch !== undefined && this.#updates.has(outside)) this.#watch(buffer, value, watch.rule, watch.complain);
    });
    let { version } = outside;
    this.checks.push(() => {
      // What the step itself puts there it checks itself.
      if (outside.version === version || this.#updates.has(outside)) return;
      check(outside.numbers());
      version = outside.version;
    });
  }

  /** Lets the step find the first element of a buffer that breaks a rule. */
  #watch(buffer: number, value: Value, rule: ElementRule, complain: Complain): void {
    const key = `${buffer} ${JSON.stringify(rule)}`;
    if (value.size === 0 || this.#elementChecks.has(key)) return;
    const elements: Operand = { dtype: value.dtype, shape: [value.size] };
    const find = programOfRule(elements, rule);
    const first = this.#graph.add(find, [buffer], [], undefined);
    const found = this.#graph.add(programOfElement(elements, find.buffers[find.result]!), [buffer, first], [], undefined);
    this.#elementChecks.set(key, { first, found, complain });
  }

  /**
   * The numbers that `finish` hands back last, but for the guard: for every check where it is first broken, and by
   * what.
   */
  get elementChecks(): readonly ElementCheck[] {
    return [...this.#elementChecks.values()];
  }

  /**
   * The numbers of a tensor are read by the function itself, which may branch on them: other numbers need another
   * trace.
   */
  readNumbers(value: Value): void {
    if (value.isConstant || !value.hasNumbers || this.#numbersRead.has(value)) return;
    if (this.#updates.has(value)) throw unreadableWhileTraced();
    this.#numbersRead.add(value);
    const { version } = value;
    this.guards.push(() => value.version === version);
  }

  /**
   * The gradient of a tensor is about to be read, or forgotten. A step that reads it before it makes one holds for this
   * gradient only.
   * @throws InputError when the gradient stayed inside an earlier compiled step
   */
  touchGradient(value: Value, how: "read" | "reset"): void {
    if (this.#gradients.has(value) || this.isTraced(value)) return;
    const before = value.gradient;
    this.#gradients.set(value, before);
    if (how === "reset") return;
    if (before !== undefined && !before.hasNumbers)
      throw stayedInside("backward adds to the gradient", before, `call zeroGrad() in "${this.name}" before backward()`);
    this.guards.push(() => value.gradient === before);
  }

  /**
   * The gradients a run leaves on tensors from outside; those it computes stay inside, as tensors without numbers. The
   * present ones come back.
   */
  takeGradients(): readonly (readonly [value: Value, gradient: Value | undefined])[] {
    const left = [...this.#gradients.keys()].map((value) => [value, value.gradient && leftOutside(value.gradient)] as const);
    for (const [value, before] of this.#gradients) value.gradient = before;
    // The previous trace's gradients are among them: kept, each trace would keep the one before it.
    this.#gradients.clear();
    return left;
  }

  live(read: () => number): LiveNumber {
    const { number, param } = this.#graph.live(read);
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
    const read = inputs.map((input) => this.bufferOf(input));
    const origin = { op: program.name, scope: currentScope(), pass: currentPass(), site: captureSite() };
    const result = this.#graph.add(program, read, params, [origin]);
    const { shape, dtype } = program.buffers[program.result]!;
    return this.standFor(make(shape, dtype), result);
  }

  /** What the function adds to the graph is computed in its place, although it was computed before. */
  again<Result>(run: () => Result): Result {
    return this.#graph.again(run);
  }

  /** Whether the step assigned a tensor from outside. */
  isUpdated(value: Value): boolean {
    return this.#updates.has(value);
  }

  /** A tensor from outside stands for what another one holds, for a while; gives what ends that. */
  lend(value: Value, other: Value): () => void {
    const before = this.#lent.get(value);
    this.#lent.set(value, this.bufferOf(other));
    return () => {
      if (before === undefined) this.#lent.delete(value);
      else this.#lent.set(value, before);
    };
  }

  /** The same buffer under another shape. */
  view(input: Value, made: Value): Value {
    return this.standFor(made, this.bufferOf(input));
  }

  /** From now on the tensor stands for other numbers; at the end of every run it holds them. */
  assign(target: Value, value: Value): void {
    this.bufferOf(target);
    if (!this.#captured.has(target))
      throw new InputError("assign: inside compile() only tensors from outside the function can be assigned");
    if (this.#numbersRead.has(target))
      throw new InputError("assign: the compiled function reads this tensor's numbers itself, so it cannot change them too", {
        hint: "keep to tensor operations: where(condition, a, b) instead of if",
      });
    this.#updates.set(target, this.bufferOf(value));
  }

  /** The buffers whose numbers are handed out after a run. */
  get tapped(): readonly number[] {
    return this.taps.flatMap(({ buffer }) => (buffer === undefined ? [] : [buffer]));
  }

  tap(value: Value, deliver: Deliver): void {
    this.taps.push({ buffer: this.bufferOf(value), deliver });
  }

  /** The live numbers of a run, given its params. */
  liveOf(params: readonly number[]): ReadLive {
    return (number) => {
      if (typeof number === "number") return number;
      const param = this.#graph.paramOf(number as LiveNumber);
      return param === undefined ? number.read() : params[param]!;
    };
  }

  isTraced(value: Value): boolean {
    return this.#buffers.has(value);
  }

  /**
   * The results of the graph: those given, then what is tapped, then what checks found, then the guard: not finite also
   * where a rule is broken.
   * @param guard a single number, handed back after the results: when it is not finite at a run, no tensor is updated
   * in that run
   */
  finish(results: readonly Value[], guard?: Value): StepGraph {
    const updates = [...this.#updates].map(([value, from]): Update => ({ cell: this.#captured.get(value)!, from }));
    for (const checkMoved of this.#checkedOutside) checkMoved();
    const { elementChecks } = this;
    const seen = elementChecks.flatMap(({ first, found }) => [first, found]);
    const handedBack = [...results.map((value) => this.bufferOf(value)), ...this.tapped, ...seen];
    const ends = { name: this.name, inputs: this.#inputs, cells: this.#cellBuffers, updates, results: handedBack };
    return this.#graph.finish(ends, guard && this.bufferOf(guard), { buffers: elementChecks.map(({ first }) => first), number: NONE });
  }

  /** The graph of what has become of some inputs, after the trace: nothing is assigned, tapped or guarded by it. */
  graphOf(inputs: readonly Value[], results: readonly Value[]): StepGraph {
    const ends = { name: this.name, inputs: inputs.map((value) => this.bufferOf(value)), cells: this.#cellBuffers, updates: [] };
    return this.#graph.finish({ ...ends, results: results.map((value) => this.bufferOf(value)) }, undefined);
  }

  /** Lets a tensor stand for a buffer. */
  standFor(value: Value, buffer: number): Value {
    this.#buffers.set(value, buffer);
    makers.set(value, this.name);
    return value;
  }

  /** The buffer that holds a tensor's present numbers. */
  bufferOf(value: Value): number {
    const updated = this.#lent.get(value) ?? this.#updates.get(value);
    if (updated !== undefined) return updated;
    const traced = this.#buffers.get(value);
    if (traced !== undefined) return traced;
    if (!value.hasNumbers)
      throw new ShapeError("compile: a tensor from another trace is used here", {
        hint: "return it from the compiled function it was made in",
      });
    let buffer = this.#captured.get(value);
    if (buffer !== undefined) return buffer;
    const operand = { dtype: value.dtype, shape: value.shape };
    if (value.isConstant && value.size === 1) buffer = this.#graph.constant(operand, value.numbers()[0]!);
    else {
      buffer = this.#graph.buffer(operand);
      this.cells.push(value);
      this.#cellBuffers.push(buffer);
    }
    this.#captured.set(value, buffer);
    return buffer;
  }
}

/** The error of needing numbers that a compiled function kept. */
export function stayedInside(what: string, value: Value, hint: string): InputError {
  const maker = makers.get(value) ?? "a compiled function";
  return new InputError(
    `${what} of shape ${shapeText(value.shape)}, whose numbers stay inside "${maker}", which runs as one compiled program`,
    { hint },
  );
}

/**
 * What stands for a traced tensor where a run leaves it outside: without its tape, which would keep the whole trace.
 */
export function leftOutside(value: Value): Value {
  if (value.hasNumbers) return value;
  const left = value.make(undefined, value.shape, value.dtype);
  makers.set(left, makers.get(value) ?? "");
  return left;
}

/** The error of reading numbers that do not exist yet. */
export function unreadableWhileTraced(): InputError {
  return new InputError("compile: the numbers of a tensor were read while the function is being traced, before they exist", {
    hint: "return the tensor and read it outside; choose between values with where(condition, a, b) instead of if",
  });
}
