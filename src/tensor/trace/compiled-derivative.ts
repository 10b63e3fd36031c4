// The derivative of a compiled function: made from its trace's tape, compiled on first use, differentiable again.

import type { BackendBuffer, Executable, HostArray } from "../../backends/backend.ts";
import { getBackend } from "../../backends/choose.ts";
import type { StepGraph } from "../../compiler/index.ts";
import type { DType } from "../../nest/nest.ts";
import { makeOp, type Op } from "../../ops/op.ts";
import { InputError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import { currentPrecision } from "../autocast.ts";
import { gradientsOf } from "../autograd/backward.ts";
import { isRecording, nextOrder, withRecording } from "../autograd/tape.ts";
import { observing } from "../observe.ts";
import { like } from "../tensor.ts";
import type { Level, Value } from "../value.ts";
import { enterLevel, leaveLevel } from "../vmap/examples.ts";
import { levelsOf, newLevel, withLevels } from "../vmap/mapping.ts";
import { compilePlanned, type Planned, planTraced, tensorsOf, type UsedCell } from "./compiled-graph.ts";
import { currentTrace, runTrace } from "./trace.ts";
import type { Trace } from "./trace-record.ts";

/** What one run worked with: a derivative is that of the run, not of what is there later. */
export interface Call {
  /** The tensors that were given, and the numbers they held. */
  readonly given: readonly Value[];
  readonly data: readonly BackendBuffer[];
  /** The live numbers. */
  readonly params: readonly number[];
  /** By number of the cell: which numbers it held, and these where they were at hand. */
  readonly versions: readonly number[];
  readonly held: readonly (HostArray | undefined)[];
}

/** Which derivative of a function: by which result, for which upstream, and whether it has derivatives too. */
interface Wanted {
  readonly result: number;
  /** Of the upstream gradient. */
  readonly dtype: DType;
  /** How many examples each vmap around it has, outermost first. */
  readonly sizes: readonly number[];
  readonly createGraph: boolean;
}

/** Where the tape of a result leaves the trace. */
interface Ends {
  /** Inputs and tensors from outside that require a gradient. */
  readonly values: readonly Value[];
  /** The function itself changed one of them. */
  readonly isGone: boolean;
}

/** What was traced as a function of its inputs, which stand for what is given, and of cells. */
export class TracedFunction {
  readonly name: string;
  /** Whether any result can be differentiated after a run, which must be remembered then. */
  readonly remembers: boolean;
  readonly #trace: Trace;
  readonly #inputs: readonly Value[];
  readonly #results: readonly Value[];
  /** By result, what it depends on. */
  readonly #ends: readonly (Ends | undefined)[];
  readonly #op: Op;
  readonly #site: { readonly stack?: string };
  readonly #derivatives = new Map<string, Derivative>();

  constructor(trace: Trace, inputs: readonly Value[], results: readonly Value[], site: { readonly stack?: string }) {
    this.name = trace.name;
    this.#trace = trace;
    this.#inputs = inputs;
    this.#ends = results.map((result) => {
      if (!result.requiresGrad) return undefined;
      const values = endsOf(result, inputs);
      return { values, isGone: values.some((end) => trace.isUpdated(end)) };
    });
    this.remembers = this.#ends.some((ends) => ends?.isGone === false);
    // A step that trains keeps no tape.
    this.#results = this.remembers ? results : [];
    this.#op = { ...COMPILED, name: trace.name };
    this.#site = site;
  }

  /** Puts the results of a run on the tape. @param call undefined where none of them can be differentiated any more */
  record(results: readonly Value[], call: Call | undefined): void {
    results.forEach((output, result) => {
      const ends = this.#ends[result];
      if (ends === undefined) return;
      const isGone = call === undefined || ends.isGone;
      output.requiresGrad = true;
      output.node = {
        op: this.#op,
        inputs: isGone ? [] : ends.values.map((end) => call.given[this.#inputs.indexOf(end)] ?? end),
        attributes: {},
        output,
        scope: [],
        site: this.#site,
        order: nextOrder(),
        pull: isGone ? () => this.#refuse() : (upstream) => this.#pull(result, call, upstream),
      };
    });
  }

  /** Gives the memory of compiled derivatives back; they are compiled again when they are needed. */
  release(): void {
    for (const derivative of this.#derivatives.values()) derivative.release();
  }

  #refuse(): never {
    throw new InputError(`backward: the compiled function "${this.name}" itself changed the tensors that its result depends on`, {
      hint: INSIDE,
    });
  }

  #pull(result: number, call: Call, upstream: Value): (Value | undefined)[] {
    if (currentTrace() !== undefined)
      throw new InputError(`backward: a result of the compiled function "${this.name}" is differentiated inside another one`, {
        hint: "call both inside the same compiled function; or pass the result's detach()",
      });
    const levels = levelsOf(upstream);
    const createGraph = isRecording();
    const whole = levels.reduce(leaveLevel, upstream);
    const sizes = levels.map(({ size }) => size).reverse();
    const found = this.#derivative({ result, dtype: whole.dtype, sizes, createGraph }).run(call, whole);
    return found.map((gradient) => gradient && levels.reduceRight(enterLevel, gradient));
  }

  #derivative(wanted: Wanted): Derivative {
    const { result, dtype, sizes, createGraph } = wanted;
    const key = [getBackend().key, currentPrecision(), result, dtype, sizes, createGraph].join("|");
    let found = this.#derivatives.get(key);
    if (found === undefined) {
      found = this.#derive(wanted);
      this.#derivatives.set(key, found);
    }
    return found;
  }

  /** The trace goes on where it ended: with the backward pass of one result. */
  #derive({ result, dtype, sizes, createGraph }: Wanted): Derivative {
    const trace = this.#trace;
    const { values: ends } = this.#ends[result]!;
    const root = this.#results[result]!;
    const given = like.make(undefined, [...sizes, ...root.shape], dtype);
    given.requiresGrad = createGraph;
    const backward = (): Derivative => {
      const whole = trace.input(given, (extents, stored) => like.make(undefined, extents, stored));
      const levels = sizes.map(newLevel);

      const gradients = withLevels(levels, () => {
        const one = levels.reduce(enterLevel, whole);
        return gradientsOf(root, ends, one, { createGraph, stops: true }).map((gradient) => gradient && out(gradient, levels));
      });
      const present = gradients.filter((gradient) => gradient !== undefined);
      const inputs = [...this.#inputs, whole];
      const traced = new TracedFunction(trace, inputs, present, this.#site);
      return new Derivative(
        traced,
        trace,
        trace.graphOf(inputs, present),
        gradients.map((gradient) => gradient?.shape),
      );
    };
    return observing(undefined, () => runTrace(trace, () => withRecording(createGraph, backward)));
  }
}

/** All examples of a gradient, of the outermost vmap first. */
function out(gradient: Value, levels: readonly Level[]): Value {
  return levels.reduceRight(leaveLevel, gradient);
}

const INSIDE = "call backward() inside it, before they change; detach() the result where no gradient is wanted";
const BEFORE = "call backward() before the tensor changes; call the function again; or pass the tensor's clone() as an argument";

const COMPILED = makeOp("move", "compiled", "y = x", { doc: { en: "A function that was compiled as a whole." } });

/**
 * A backward pass as a program of its own: of what the function was given, its cells, and the gradient of one result.
 */
class Derivative {
  readonly #traced: TracedFunction;
  readonly #trace: Trace;
  readonly #planned: Planned;
  readonly #shapes: readonly (readonly number[] | undefined)[];
  #executable: Executable | undefined;

  constructor(traced: TracedFunction, trace: Trace, graph: StepGraph, shapes: readonly (readonly number[] | undefined)[]) {
    this.#traced = traced;
    this.#trace = trace;
    this.#planned = planTraced(graph, trace.cells);
    this.#shapes = shapes;
  }

  /** The gradients, as `ends` of the function has what they are by. */
  run(call: Call, upstream: Value): (Value | undefined)[] {
    const data = [...call.data, upstream.bufferFor(this.#planned.backend)];
    const params = this.#params(call);
    const { backend, plan } = this.#planned;
    const cells = this.#planned.cells.map((cell) => this.#asFound(cell, call).cell(backend, () => backend.makeCell(cell.operand)));
    this.#executable ??= compilePlanned(this.#planned);
    const results = this.#executable.run(data, cells, params);
    const present = this.#shapes.filter((shape) => shape !== undefined);
    const made = tensorsOf(plan.graph, results, backend, present);
    this.#traced.record(made, { ...call, given: [...call.given, upstream], data, params });
    let next = 0;
    return this.#shapes.map((shape) => (shape === undefined ? undefined : made[next++]));
  }

  release(): void {
    this.#executable?.free();
    this.#executable = undefined;
    this.#traced.release();
  }

  /** Those of the run, and what the backward pass alone asks for. */
  #params(call: Call): number[] {
    const params = [...call.params];
    for (const effect of this.#trace.effects)
      if (effect.kind === "param" && effect.param >= call.params.length && effect.param < this.#planned.plan.graph.params.length)
        params[effect.param] = effect.read();
    return params;
  }

  /** A tensor with the numbers that the run found in the cell. */
  #asFound({ value, number }: UsedCell, { versions, held }: Call): Value {
    const then = versions[number];
    const data = held[number];
    // The numbers that the run began with are gone.
    if (this.#trace.isUpdated(value)) throw this.#changedMeanwhile(value, "itself changed", INSIDE);
    if (then === undefined || then === value.version) return value;
    if (data === undefined) throw this.#changedMeanwhile(value, "was called before other code changed", BEFORE);
    return value.make(data, value.shape, value.dtype);
  }

  #changedMeanwhile(value: Value, how: string, hint: string): InputError {
    const what = `a tensor of shape ${shapeText(value.shape)} that its gradient is computed from`;
    return new InputError(`backward: the compiled function "${this.#traced.name}" ${how} ${what}`, { hint });
  }
}

/** What a result depends on: where its tape leaves the trace. */
function endsOf(result: Value, inputs: readonly Value[]): Value[] {
  const seen = new Set<Value>([result]);
  const ends: Value[] = [];
  const waiting = [result];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    // What was traced has no numbers.
    if (value.hasNumbers || inputs.includes(value)) ends.push(value);
    else
      for (const input of value.node?.inputs ?? []) {
        if (!input.requiresGrad || seen.has(input)) continue;
        seen.add(input);
        waiting.push(input);
      }
  }
  return ends;
}
