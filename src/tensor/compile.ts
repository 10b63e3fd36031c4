// compile(fn): a whole step (forward, loss, backward, update) traced once, optimised as one graph, run as one call.

import type { Backend, HostArray, StepExecutable } from "../backends/backend.ts";
import { backendFor } from "../backends/choose.ts";
import { type MemoryPlan, optimise, planMemory, printGraph, type StepGraph } from "../compiler/index.ts";
import type { Operand } from "../formula/nest.ts";
import { InputError, KasaneError } from "../util/errors.ts";
import { callSite, isRecording } from "./tape.ts";
import { asTensor, isTensor, like, valueOf } from "./tensor.ts";
import { runTrace, Trace } from "./trace.ts";
import type { Tensor } from "./types.ts";
import type { Value } from "./value.ts";

/** Tensors are inputs; numbers, strings and booleans are fixed at tracing, and another one traces anew. */
export type CompileArgument = Tensor | number | string | boolean | undefined | null;

export type CompileResult = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>> | undefined | void;

export interface CompileOptions {
  /** For listings and errors. Default: the function's name. */
  readonly name?: string;
  /**
   * Picks a single number of the result: in a run where it is not finite, no tensor is updated, so that a step with a NaN loss
   * leaves weights and optimizer state as they were.
   */
  readonly guard?: (result: never) => Tensor;
  /** Shown the graph after tracing ("trace") and after every pass. */
  readonly onPass?: (name: string, graph: StepGraph) => void;
}

export interface CompiledStep {
  readonly graph: StepGraph;
  readonly memory: MemoryPlan;
  /** Milliseconds of tracing and compiling. */
  readonly compileMs: number;
  readonly listing: () => string;
}

export interface CompiledFunction<Args extends readonly CompileArgument[], Result extends CompileResult> {
  (...args: Args): Result;
  /** What was compiled so far, one for each combination of shapes and modes. */
  readonly steps: readonly CompiledStep[];
}

interface Entry extends CompiledStep {
  readonly trace: Trace;
  readonly executable: StepExecutable;
  readonly backend: Backend;
  readonly cells: readonly { readonly value: Value; readonly operand: Operand; readonly written: boolean }[];
  readonly guards: readonly (() => boolean)[];
  readonly rebuild: (results: readonly Value[]) => CompileResult;
}

/** Kept per compiled function; beyond it the oldest goes. */
const MOST_ENTRIES = 32;

/**
 * A function that runs like `fn` but as one program. At the first call with new shapes `fn` is traced: it runs once on tensors without numbers,
 * and everything it does to tensors is recorded. Tensors from outside (parameters, optimizer state, running statistics) are read, and where
 * assigned written, at every call. What `fn` does beside tensors (printing, counting) happens at tracing only.
 * @throws InputError naming the line when `fn` reads a tensor's numbers
 * @example const step = compile((x, t) => { optimizer.zeroGrad(); const loss = crossEntropy(net(x), t); loss.backward(); optimizer.step(); return loss; });
 */
export function compile<Args extends readonly CompileArgument[], Result extends CompileResult>(fn: (...args: Args) => Result, options: CompileOptions = {}): CompiledFunction<Args, Result> {
  const entries = new Map<string, Entry[]>();
  const name = options.name ?? (fn.name === "" ? "step" : fn.name);
  const compiled = (...args: Args): Result => {
    const key = args.map((arg) => (isTensor(arg) ? valueOf(arg).signature : JSON.stringify(arg) ?? "undefined")).join("|") + String(isRecording());
    const known = entries.get(key) ?? [];
    let entry = known.find((candidate) => candidate.guards.every((guard) => guard()));
    if (entry === undefined) {
      entry = build(name, fn as unknown as (...args: readonly CompileArgument[]) => CompileResult, args, options);
      if (steps(entries).length >= MOST_ENTRIES) entries.delete(entries.keys().next().value as string);
      entries.set(key, [...known.filter((other) => other !== entry), entry]);
    }
    return runEntry(entry, args) as Result;
  };
  return Object.defineProperty(compiled, "steps", { get: () => steps(entries) }) as CompiledFunction<Args, Result>;
}

function steps(entries: ReadonlyMap<string, readonly Entry[]>): Entry[] {
  return [...entries.values()].flat();
}

function build(name: string, fn: (...args: readonly CompileArgument[]) => CompileResult, args: readonly CompileArgument[], options: CompileOptions): Entry {
  const start = performance.now();
  const trace = new Trace(name);
  try {
    const traced = args.map((arg) => (isTensor(arg) ? asTensor(trace.input(valueOf(arg), (shape, dtype) => like.make(undefined, shape, dtype))) : arg));
    const result = runTrace(trace, () => fn(...traced));
    const { values, rebuild } = flatten(result);
    const graph = trace.finish(values, options.guard && valueOf(options.guard(result as never)));
    options.onPass?.("trace", graph);
    const optimised = dropUnusedCells(optimise(graph, options.onPass), trace.cells);
    const backend = backendFor(optimised.graph.buffers);
    const executable = backend.compileStep(optimised.graph);
    const written = new Set([...graph.updates.map((update) => update.cell)]);
    const frozen = trace.cells.map((value) => [value, value.requiresGrad] as const);
    return {
      trace, executable, backend, rebuild,
      graph: optimised.graph,
      memory: planMemory(optimised.graph),
      cells: optimised.cells.map(({ value, buffer }) => ({ value, operand: graph.buffers[buffer] as Operand, written: written.has(buffer) })),
      guards: [...trace.guards, () => frozen.every(([value, flag]) => value.requiresGrad === flag)],
      compileMs: performance.now() - start,
      listing: () => `${printGraph(optimised.graph)}\n\n${executable.listing()}`,
    };
  } catch (error) {
    if (!(error instanceof KasaneError) || error.where !== undefined) throw error;
    const site = callSite(error.stack);
    throw site === undefined ? error : error.at(site);
  } finally {
    // Gradients made at tracing stand for numbers that nobody will see.
    for (const value of trace.cells) if (value.gradient !== undefined && !value.gradient.hasNumbers) value.gradient = undefined;
  }
}

function runEntry(entry: Entry, args: readonly CompileArgument[]): CompileResult {
  const inputs = args.filter(isTensor).map((arg) => valueOf(arg).data);
  for (const { input, check } of entry.trace.checks) check(inputs[input] as HostArray);
  const params = new Array<number>(entry.graph.params.length).fill(0);
  for (const effect of entry.trace.effects) {
    if (effect.kind === "effect") effect.effect();
    else params[effect.param] = effect.read();
  }
  const cells = entry.cells.map(({ value, operand }) => value.cell(entry.backend, () => entry.backend.makeCell(operand)));
  const results = entry.executable.run(inputs, cells, params);
  for (const { value, written } of entry.cells) if (written) value.settle();
  const made = results.map((data, number) => {
    const { shape, dtype } = entry.graph.buffers[entry.graph.results[number] as number] as Operand;
    return like.make(data, shape, dtype);
  });
  return entry.rebuild(made);
}

/** Cells that no step needs any more need no memory. */
function dropUnusedCells(graph: StepGraph, values: readonly Value[]): { graph: StepGraph; cells: { value: Value; buffer: number }[] } {
  const used = new Set<number>([...graph.results, ...graph.updates.flatMap((update) => [update.cell, update.from])]);
  for (const step of graph.steps) for (const buffer of [...step.reads, step.writes]) used.add(buffer);
  const cells = graph.cells.map((buffer, number) => ({ buffer, value: values[number] as Value })).filter(({ buffer }) => used.has(buffer));
  return { graph: { ...graph, cells: cells.map(({ buffer }) => buffer) }, cells };
}

function flatten(result: CompileResult): { values: Value[]; rebuild: (results: readonly Value[]) => CompileResult } {
  if (result === undefined) return { values: [], rebuild: () => undefined };
  if (isTensor(result)) {
    const { shape } = result;
    return { values: [valueOf(result)], rebuild: ([value]) => asTensor(shaped(value as Value, shape)) };
  }
  if (typeof result !== "object") throw new InputError(`compile: the function must return tensors, an array or a record of tensors, got ${typeof result}`);
  const keys = Object.keys(result);
  const list = keys.map((key) => (result as Record<string, Tensor>)[key] as Tensor);
  const wrong = list.findIndex((item) => !isTensor(item));
  if (wrong >= 0) throw new InputError(`compile: the function must return tensors; '${keys[wrong]}' is ${typeof list[wrong]}`);
  const shapes = list.map((item) => item.shape);
  const wrap = (values: readonly Value[]): Tensor[] => values.map((value, n) => asTensor(shaped(value, shapes[n] as readonly number[])));
  return {
    values: list.map((item) => valueOf(item)),
    rebuild: (values) => (Array.isArray(result) ? wrap(values) : Object.fromEntries(wrap(values).map((item, n) => [keys[n] as string, item]))),
  };
}

/** Results may be views of their buffer under another shape. */
function shaped(value: Value, shape: readonly number[]): Value {
  return value.shape.join() === shape.join() ? value : value.make(value.data, shape, value.dtype);
}
