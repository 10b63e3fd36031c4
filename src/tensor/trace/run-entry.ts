// Runs a compiled program: its inputs and cells in, its results, checks and taps out; at once, or waited for.

import type { Backend, BackendBuffer, Cell, Executable, HostArray, StepTimer } from "../../backends/backend.ts";
import type { Plan } from "../../compiler/index.ts";
import type { Operand } from "../../nest/nest.ts";
import { copy } from "../../ops/moves.ts";
import { InputError } from "../../util/errors.ts";
import { withRecording } from "../autograd/tape.ts";
import { NONE } from "../element-rules.ts";
import { apply } from "../engine.ts";
import { type Observer, observer, observing } from "../observe.ts";
import { isTensor, valueOf } from "../tensor.ts";
import type { Tensor } from "../types.ts";
import type { Value } from "../value.ts";
import type { CompileArgument, CompiledStep, CompileResult } from "./compile-types.ts";
import type { Call, TracedFunction } from "./compiled-derivative.ts";
import { tensorsOf } from "./compiled-graph.ts";
import type { Effect, ElementCheck, Trace } from "./trace-record.ts";

/** One program of a compiled function. */
export interface Entry extends CompiledStep {
  readonly key: string;
  readonly trace: Trace;
  readonly executable: Executable;
  readonly plan: Plan;
  readonly backend: Backend;
  readonly cells: readonly { readonly value: Value; readonly operand: Operand; readonly written: boolean }[];
  readonly guards: readonly (() => boolean)[];
  readonly effects: readonly Effect[];
  readonly checks: Trace["checks"];
  /** What the program itself checks. */
  readonly elementChecks: readonly ElementCheck[];
  /** Every tensor from outside that was read, used by the program or not. */
  readonly found: readonly Value[];
  /** Undefined where no result is on the tape. */
  readonly derivable?: TracedFunction;
  /** The gradients that tensors from outside have after a run. */
  readonly gradients: readonly (readonly [value: Value, gradient: Value | undefined])[];
  /** The arguments' gradients after a run, by position. */
  readonly argumentGradients: readonly (readonly [position: number, gradient: Value])[];
  readonly isGuarded: boolean;
  /** Of the results, which may be views of their buffers. */
  readonly shapes: readonly (readonly number[])[];
  /** The results as they were traced, where there was an observer. */
  readonly watched: readonly Value[];
  /** The same for the arguments; undefined for those that are no tensors. */
  readonly watchedArguments: readonly (Value | undefined)[];
  readonly rebuild: (results: readonly Value[]) => CompileResult;
}

const NO_NUMBERS = new Float32Array();

/** A run on its way. */
interface Running {
  readonly inputs: readonly BackendBuffer[];
  readonly params: readonly number[];
  /** What the function gives. */
  readonly results: readonly BackendBuffer[];
  /** Numbers that are looked at after every run: of taps, of checks of elements, and of the guard. */
  readonly told: readonly BackendBuffer[];
  readonly watch: Observer | undefined;
}

function countTold({ trace, elementChecks, isGuarded }: Entry): number {
  return trace.tapped.length + 2 * elementChecks.length + (isGuarded ? 1 : 0);
}

/** @throws InputError where what is looked at after the run takes time to read */
export function runEntry(entry: Entry, args: readonly CompileArgument[], timer?: StepTimer): CompileResult {
  if (entry.backend.memory === "own" && countTold(entry) > 0)
    throw new InputError(
      `compile: "${entry.name}" has numbers that are looked at after every run (a guard, a check of labels, a recorder), and reading takes time on the backend ${entry.backend.name}`,
      { hint: "await it: await step.async(x, y)" },
    );
  const running = begin(entry, args, timer);
  return finish(entry, args, running, running.told as HostArray[]);
}

/** The same where reading takes time. */
export async function runInTime(entry: Entry, args: readonly CompileArgument[]): Promise<CompileResult> {
  if (entry.checks.length > 0)
    for (const waiting of args.filter(isTensor).map((arg) => valueOf(arg).fetch())) if (waiting !== undefined) await waiting;
  const running = begin(entry, args);
  const told = running.told.map((buffer) => (entry.backend.memory === "host" ? (buffer as HostArray) : readOnce(buffer as Cell)));
  return finish(entry, args, running, await Promise.all(told));
}

async function readOnce(cell: Cell): Promise<HostArray> {
  const numbers = await cell.read();
  cell.free();
  return numbers;
}

function begin(entry: Entry, args: readonly CompileArgument[], timer?: StepTimer): Running {
  const { backend } = entry;
  const given = args.filter(isTensor).map((arg) => valueOf(arg));
  if (entry.checks.length > 0) {
    const arrays = given.map(({ data }) => data);
    for (const check of entry.checks) check(arrays);
  }
  const inputs = given.map((value) => value.bufferFor(backend));
  // Before anything counts: a run that finds no room for its tensors leaves everything as it was.
  for (const { value, operand, written } of entry.cells) {
    value.reserve(backend, () => backend.makeCell(operand));
    if (written && value.isSharedOn(backend)) value.adopt(copyOf(value));
  }
  const params = new Array<number>(entry.graph.params.length).fill(0);
  for (const effect of entry.effects) {
    if (effect.kind === "effect") effect.effect();
    else params[effect.param] = effect.read();
  }
  const cells = entry.cells.map(({ value, operand }) => value.cell(backend, () => backend.makeCell(operand)));
  const results = entry.executable.run(inputs, cells, params, timer);
  for (const { value, written } of entry.cells) if (written) value.settle();
  return { inputs, params, told: results.splice(results.length - countTold(entry)), results, watch: observer() };
}

/** In memory that no other tensor shares. */
function copyOf(value: Value): Value {
  return observing(undefined, () => withRecording(false, () => apply(copy, [value])));
}

function finish(
  entry: Entry,
  args: readonly CompileArgument[],
  { inputs, params, results, watch }: Running,
  told: readonly HostArray[],
): CompileResult {
  const { trace, elementChecks } = entry;
  if (entry.isGuarded && !Number.isFinite(told.at(-1)?.[0])) undo(entry.effects);
  const tapped = told.slice(0, trace.tapped.length);
  const seen = told.slice(tapped.length);
  elementChecks.forEach(({ complain }, number) => {
    const [position] = seen[2 * number]!;
    if (position !== NONE) throw complain(seen[2 * number + 1]?.[0] as number, position as number);
  });
  const read = trace.liveOf(params);
  for (const [value, gradient] of entry.gradients) value.gradient = gradient;
  for (const [position, gradient] of entry.argumentGradients) valueOf(args[position] as Tensor).gradient = gradient;
  const made = tensorsOf(entry.graph, results, entry.backend, entry.shapes);
  entry.derivable?.record(made, entry.derivable.remembers ? callOf(entry, args, inputs, params) : undefined);
  const result = entry.rebuild(made);
  let next = 0;
  for (const { buffer, deliver } of trace.taps) deliver(buffer === undefined ? NO_NUMBERS : tapped[next++]!, read);
  entry.watchedArguments.forEach((inside, number) => {
    if (inside !== undefined) watch?.returned?.(inside, valueOf(args[number] as Tensor));
  });
  entry.watched.forEach((inside, number) => watch?.returned?.(inside, made[number] as Value));
  return result;
}

/** No tensor was updated: what counts the updates goes back too, the last first. */
function undo(effects: readonly Effect[]): void {
  for (const effect of effects.slice().reverse()) if (effect.kind === "effect") effect.undo?.();
}

/** What derivatives of this run need of it. */
function callOf(entry: Entry, args: readonly CompileArgument[], data: readonly BackendBuffer[], params: readonly number[]): Call {
  // What is remembered stays as it is.
  if (entry.backend.memory === "own") for (const arg of args) if (isTensor(arg)) valueOf(arg).share();
  return {
    given: args.filter(isTensor).map((arg) => valueOf(arg)),
    data,
    params,
    versions: entry.found.map(({ version }) => version),
    held: entry.found.map(({ atHand }) => atHand),
  };
}
