// compile(fn): a whole step (forward, loss, backward, update) traced once, optimized as one graph, run as one call.

import { getBackend } from "../../backends/choose.ts";
import { bytesOn, printGraph } from "../../compiler/index.ts";
import { FUNCTION, requireKind } from "../../util/arguments.ts";
import { InputError, KasaneError } from "../../util/errors.ts";
import { isPromise } from "../../util/kind-of.ts";
import { checkOptions } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { currentPrecision } from "../autocast.ts";
import { isRecording } from "../autograd/tape.ts";
import { callSite, captureSite } from "../context.ts";
import { observer } from "../observe.ts";
import { asTensor, isTensor, like, valueOf } from "../tensor.ts";
import type { Tensor } from "../types.ts";
import type { Value } from "../value.ts";
import { runningLevels } from "../vmap/mapping.ts";
import type { CompileArgument, CompiledFunction, CompileOptions, CompileResult, KernelTime, Profile } from "./compile-types.ts";
import { TracedFunction } from "./compiled-derivative.ts";
import { compilePlanned, planTraced } from "./compiled-graph.ts";
import { isRecomputed } from "./recompute.ts";
import { type Entry, runEntry, runInTime } from "./run-entry.ts";
import { changingNothing, currentTrace, runTrace } from "./trace.ts";
import { leftOutside, Trace } from "./trace-record.ts";

type Traced = (...args: readonly CompileArgument[]) => CompileResult;

/** Kept per compiled function; beyond it the oldest goes. */
const MOST_ENTRIES = 32;

/**
 * A function that runs like `fn` but as one program. At the first call with new shapes `fn` is traced: it runs once on
 * tensors without numbers, and everything it does to tensors is recorded. Then:
 *
 * - Tensors from outside (parameters, optimizer state, running statistics) are read, and where assigned written, at
 *   every call. A tensor that `fn` itself makes from numbers is made once, at tracing.
 * - What `fn` does beside tensors (printing, counting) happens at tracing only; see live() and onEachRun().
 * - Gradients stay inside: after a call `weight.grad` is a tensor whose numbers cannot be read. Return it to read it,
 *   and begin with zeroGrad().
 * - Results are on the tape where they would be without compile(); their derivatives are compiled at the first need,
 *   and compute again what they need of the forward pass. In noGrad() there are none. Of a step that changes what its
 *   result depends on (training), backward() is refused.
 *
 * A compiled function called inside another one, inside vmap() or checkpoint() is computed as part of it. Parameters of
 * `fn` that are written without a type are tensors.
 * @throws InputError naming the line when `fn` reads numbers it computes, or numbers of tensors it assigns; reading
 * those of other tensors makes it traced anew whenever they change
 * @example const step = compile((x, t) => { optimizer.zeroGrad(); const loss = crossEntropy(net(x), t); loss.backward(); optimizer.step(); return loss; });
 */
export function compile<Args extends readonly CompileArgument[] = Tensor[], Result extends CompileResult = CompileResult>(
  fn: (...args: Args) => Result,
  options: CompileOptions = {},
): CompiledFunction<Args, Result> {
  requireKind("compile", FUNCTION, fn);
  checkOptions<CompileOptions>("compile", options, { name: true, guard: true, onPass: true });
  const entries: Entry[] = [];
  const name = options.name ?? (fn.name === "" ? "step" : fn.name);
  const entryFor = (args: Args): Entry => {
    const key = keyOf(name, args);
    let entry = entries.find((candidate) => candidate.key === key && candidate.guards.every((guard) => guard()));
    if (entry === undefined) {
      entry = build(name, key, fn as unknown as Traced, args, options);
      entries.push(entry);
      if (entries.length > MOST_ENTRIES) release(entries.shift()!);
    }
    return entry;
  };
  /** The program for these arguments, or what is called in its place. */
  const choose = (args: Args): Entry | (() => Result) => {
    if (currentTrace() !== undefined || runningLevels().length > 0 || isRecomputed()) return () => inner(name, fn, args, options);
    const entry = entryFor(args);
    // Who watches sees the backward pass too, op by op, where one may follow outside.
    return observer() !== undefined && entry.derivable?.remembers ? () => fn(...args) : entry;
  };
  const compiled = (...args: Args): Result => {
    const chosen = choose(args);
    return typeof chosen === "function" ? chosen() : (runEntry(chosen, args) as Result);
  };
  const profile = (...args: Args): Profile<Result> => {
    if (currentTrace() !== undefined) throw new InputError(`compile: "${name}" was profiled while another function is being traced`);
    const entry = entryFor(args);
    const kernels: KernelTime[] = [];
    const result = runEntry(entry, args, (unit, milliseconds) => {
      const { operations: steps } = entry.plan.units[unit]!;
      const nests = steps.map(({ nest }) => nest);
      const iterations = nests.reduce((sum, { axes }) => sum + axes.reduce((product, axis) => product * axis.extent, 1), 0);
      kernels.push({ name: nests.map(({ name }) => name).join(" · "), milliseconds, iterations, steps });
    });
    return { result: result as Result, kernels };
  };
  const later = async (...args: Args): Promise<Result> => {
    const chosen = choose(args);
    return typeof chosen === "function" ? chosen() : ((await runInTime(chosen, args)) as Result);
  };
  return Object.defineProperties(compiled, {
    async: { value: later },
    steps: { get: () => entries.slice() },
    profile: { value: profile },
  }) as CompiledFunction<Args, Result>;
}

function release({ executable, derivable }: Entry): void {
  executable.free();
  derivable?.release();
}

/**
 * Computed as part of what runs. A guard keeps updates back, all or none of a run: a function with one, such as a loss,
 * may be a part as long as it updates nothing.
 */
function inner<Args extends readonly CompileArgument[], Result extends CompileResult>(
  name: string,
  fn: (...args: Args) => Result,
  args: Args,
  options: CompileOptions,
): Result {
  return options.guard === undefined ? fn(...args) : changingNothing(name, () => fn(...args));
}

/** What a trace holds for: shapes, dtypes, fixed arguments, whether ops are recorded, the precision, the backend. */
function keyOf(name: string, args: readonly CompileArgument[]): string {
  let key = `${getBackend().key}${isRecording()}${currentPrecision()}${observer()?.key ?? ""}`;
  args.forEach((arg, number) => {
    key += "|";
    if (isTensor(arg)) {
      const { signature, requiresGrad, node } = valueOf(arg);
      key += signature + (requiresGrad ? (node === undefined ? " leaf" : " computed") : "");
    } else if (typeof arg === "number") key += Object.is(arg, -0) ? "-0" : String(arg);
    else if (typeof arg === "string") key += JSON.stringify(arg);
    else if (arg === undefined || arg === null || typeof arg === "boolean") key += String(arg);
    else
      throw new InputError(
        `compile: argument ${number} of "${name}" is ${Array.isArray(arg) ? "an array" : `of type ${typeof arg}`}; arguments must be tensors, numbers, strings or booleans`,
        {
          hint: "pass every tensor as an argument of its own",
        },
      );
  });
  return key;
}

function build(name: string, key: string, fn: Traced, args: readonly CompileArgument[], options: CompileOptions): Entry {
  const start = performance.now();
  const trace = new Trace(name);
  let gradients: Entry["gradients"] = [];
  try {
    const traced = args.map((arg) =>
      isTensor(arg) ? asTensor(trace.input(valueOf(arg), (shape, dtype) => like.make(undefined, shape, dtype))) : arg,
    );
    let result: CompileResult;
    try {
      result = runTrace(trace, () => fn(...traced));
    } finally {
      gradients = trace.takeGradients();
    }
    const { values, rebuild } = flatten(result);
    const graph = trace.finish(values, options.guard && guardOf(options.guard(result as never)));
    options.onPass?.("trace", graph);
    const planned = planTraced(graph, trace.cells, options.onPass);
    const { backend, plan } = planned;
    const { memory } = plan;
    const executable = compilePlanned(planned);
    const written = new Set(graph.updates.map((update) => update.cell));
    const cellBytes = planned.cells.reduce((total, { operand }) => total + bytesOn(backend.facts, operand), 0);
    const frozen = trace.cells.map((value) => [value, value.requiresGrad] as const);
    return {
      name,
      key,
      trace,
      traced: graph,
      executable,
      plan,
      backend,
      gradients,
      rebuild,
      argumentGradients: argumentGradients(args, traced),
      isGuarded: options.guard !== undefined || trace.elementChecks.length > 0,
      shapes: values.map(({ shape }) => shape),
      watched: observer() === undefined ? [] : values,
      watchedArguments: observer() === undefined ? [] : traced.map((arg) => (isTensor(arg) ? valueOf(arg) : undefined)),
      graph: plan.graph,
      memory,
      scratchBytes: executable.workBytes === 0 ? 0 : executable.workBytes - memory.bytes,
      bytes: cellBytes + executable.workBytes,
      cells: planned.cells.map(({ value, operand, buffer }) => ({ value, operand, written: written.has(buffer) })),
      effects: trace.effects.slice(),
      checks: trace.checks.slice(),
      elementChecks: trace.elementChecks,
      found: trace.cells.slice(),
      ...derivable(trace, traced, values),
      guards: [...trace.guards, () => frozen.every(([value, flag]) => value.requiresGrad === flag)],
      compileMs: performance.now() - start,
      listing: (part) => (part === undefined ? `${printGraph(plan.graph)}\n\n` : "") + executable.listing(part),
    };
  } catch (error) {
    if (!(error instanceof KasaneError) || error.where !== undefined) throw error;
    const site = callSite(error.stack);
    throw site === undefined ? error : error.at(site);
  }
}

/** What was traced, where results are on the tape: their derivatives are made from it. */
function derivable(trace: Trace, traced: readonly CompileArgument[], results: readonly Value[]): Pick<Entry, "derivable"> {
  if (!results.some(({ requiresGrad }) => requiresGrad)) return {};
  const inputs = traced.filter(isTensor).map((arg) => valueOf(arg));
  return { derivable: new TracedFunction(trace, inputs, results, captureSite()) };
}

function guardOf(tensor: Tensor): Value {
  const guard = valueOf(tensor, "compile: guard");
  if (guard.size !== 1) throw new InputError(`compile: the guard must be one number, got shape ${shapeText(guard.shape)}`);
  return guard;
}

/** @throws InputError when an argument that was computed with a tape got a gradient, which cannot flow on outside */
function argumentGradients(args: readonly CompileArgument[], traced: readonly CompileArgument[]): Entry["argumentGradients"] {
  return args.flatMap((arg, position) => {
    const gradient = isTensor(arg) ? valueOf(traced[position] as Tensor).gradient : undefined;
    if (gradient === undefined) return [];
    if (valueOf(arg as Tensor).node !== undefined)
      throw new InputError(
        `compile: backward() reached argument ${position}, which was itself computed from tensors that require gradients; they would get none`,
        {
          hint: "compute it inside the compiled function, or pass its detach()",
        },
      );
    return [[position, leftOutside(gradient)] as const];
  });
}

function flatten(result: CompileResult): { values: Value[]; rebuild: (results: readonly Value[]) => CompileResult } {
  if (result === undefined) return { values: [], rebuild: () => undefined };
  if (isTensor(result)) return { values: [valueOf(result)], rebuild: ([value]) => asTensor(value as Value) };
  if (isPromise(result))
    throw new InputError("compile: the function must not be async: what it does after waiting cannot be traced", {
      hint: "await before calling the compiled function",
    });
  if (typeof result !== "object" || result === null)
    throw new InputError(
      `compile: the function must return tensors, an array or a record of tensors, got ${result === null ? "null" : typeof result}`,
      { hint: "numbers come out as tensors: return the tensor, and read it with item() outside" },
    );
  const keys = Object.keys(result);
  const list = keys.map((key) => (result as Record<string, Tensor>)[key]!);
  const wrong = list.findIndex((item) => !isTensor(item));
  if (wrong >= 0) throw new InputError(`compile: the function must return tensors; '${keys[wrong]}' is ${typeof list[wrong]}`);
  const wrap = (values: readonly Value[]): Tensor[] => values.map((value) => asTensor(value));
  return {
    values: list.map((item) => valueOf(item)),
    rebuild: (values) => (Array.isArray(result) ? wrap(values) : Object.fromEntries(wrap(values).map((item, n) => [keys[n]!, item]))),
  };
}
