// Records one run completely: every number, and the op, layer and line that computed it.

import { type LayerCall, observeLayers, watchLayers } from "../../nn/call.ts";
import type { LayerMembers } from "../../nn/layer.ts";
import { arrivals } from "../../tensor/arrivals.ts";
import { currentPass } from "../../tensor/context.ts";
import { type Application, type Observer, observing, together, watchTensors } from "../../tensor/observe.ts";
import { isTensor, valueOf } from "../../tensor/tensor.ts";
import { afterRun, tap } from "../../tensor/trace/trace.ts";
import type { Value } from "../../tensor/value.ts";
import { wholeOf } from "../../tensor/vmap/mapping.ts";
import { checkArguments, FUNCTION, optional } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { MODEL } from "../kinds.ts";
import type { RecordedTensor, Recording } from "./recorded.ts";
import { paramsOf, Sink } from "./recording-sink.ts";
import { ALONE, parametersByName, tensorsByName } from "./results.ts";

export * from "./recorded.ts";

/**
 * Runs a function once and keeps every number. What it computes stays the same; a compiled function is run as compiled,
 * in a program that hands out everything on the way.
 * @param model gives the names of parameters
 * @example const run = record(() => { const loss = crossEntropy(net(x), t); loss.backward(); return loss; }, net);
 */
export function record<Result>(run: () => Result, model?: LayerMembers): Recording<Result> {
  checkArguments("record", { run: [run, FUNCTION], model: [model, optional(MODEL)] });
  return recordBeside(undefined, run, model);
}

/**
 * The same for a function that waits for something. Whatever happens to tensors meanwhile is recorded, too, also by
 * others.
 * @param model gives the names of parameters
 */
export async function recordAsync<Result>(run: () => Promise<Result>, model?: LayerMembers): Promise<Recording<Result>> {
  checkArguments("recordAsync", { run: [run, FUNCTION], model: [model, optional(MODEL)] });
  const { sink, watch, stop } = begin(model);
  const stopWatching = [watchTensors(watch), watchLayers((call) => watch.called(call))];
  try {
    const result = await run();
    await arrivals();
    return finished(sink, result);
  } finally {
    for (const stopOne of stopWatching.reverse()) stopOne();
    stop();
  }
}

/** `record` beside another observer. */
export function recordBeside<Result>(beside: Observer | undefined, run: () => Result, model?: LayerMembers): Recording<Result> {
  const { sink, watch, stop } = begin(model);
  try {
    const observer = beside === undefined ? watch : together(beside, watch);
    const result = observing(observer, () => observeLayers((call) => watch.called(call), run));
    if (arrivals() !== undefined)
      throw new InputError("record: the numbers of this run are where reading takes time, and have not arrived when it ends", {
        hint: "await recordAsync(async () => …)",
      });
    return finished(sink, result);
  } finally {
    stop();
  }
}

/** A sink that takes down what happens from now on, until `stop`. */
function begin(model: LayerMembers | undefined): { readonly sink: Sink; readonly watch: Watch; readonly stop: () => void } {
  const names = new Map<Value, string>();
  for (const [name, tensor] of [...(model?.namedParameters() ?? []), ...(model?.namedBuffers() ?? [])]) names.set(valueOf(tensor), name);
  const [sink, before] = [new Sink(names), current];
  current = sink;
  return {
    sink,
    watch: new Watch(),
    stop: () => {
      current = before;
    },
  };
}

function finished<Result>(sink: Sink, result: Result): Recording<Result> {
  const given = tensorsByName(result);
  for (const [name, tensor] of [...given, ...parametersByName(result)])
    if (name !== ALONE && !/^\d/.test(name)) sink.rename(wholeOf(valueOf(tensor)), name);
  sink.nameUnviewed();
  const { ops, tensors, calls, updates } = sink;
  const results = new Map<string, RecordedTensor>();
  for (const [name, tensor] of given) {
    const found = sink.lookUp(wholeOf(valueOf(tensor)));
    if (found !== undefined) results.set(name, found);
  }
  return { result, ops, tensors, calls, updates, results, tensorOf: (tensor) => sink.find(wholeOf(valueOf(tensor))) };
}

/** The memory that the numbers of a recording take; tensors that are other shapes of one another share it. */
export function bytesOf({ tensors }: Recording): number {
  const buffers = new Set(tensors.map(({ data }) => data.buffer));
  return [...buffers].reduce((total, { byteLength }) => total + byteLength, 0);
}

/** Where numbers go now: programs compiled under watch outlive the recording they were compiled for. */
let current: Sink | undefined;

/** Is told of things by tensor, eagerly or at tracing, and tells the sink of the run when their numbers are there. */
class Watch implements Observer {
  readonly key = "recording";
  readonly #known = new Set<Value>();

  applied({ op, attributes, scope, site, pass, ran: program, of, ...application }: Application): void {
    const [inputs, output] = [application.inputs.map(wholeOf), wholeOf(application.output)];
    inputs.forEach((input, number) => this.#fromOutside(input, program === undefined ? "" : (op.formula.inputs[number] ?? "x")));
    this.#known.add(output);
    const path = scope.join(".");
    const isMapped = application.output.mapping !== undefined;
    tap(output, (data, read) =>
      current?.applied({ op, inputs, output, path, site, pass, program, of, isMapped }, paramsOf(op, attributes, read), data),
    );
  }

  differentiated(one: Value, gradientOfOne: Value): void {
    const [value, gradient] = [wholeOf(one), wholeOf(gradientOfOne)];
    this.#fromOutside(value, "x");
    this.#fromOutside(gradient, "seed");
    afterRun(() => current?.differentiated(value, gradient));
  }

  assigned(target: Value, value: Value): void {
    this.#fromOutside(target, "x");
    this.#fromOutside(value, "x");
    afterRun(() => current?.assigned(target, value));
  }

  returned(inside: Value, outside: Value): void {
    current?.returned(wholeOf(inside), outside);
  }

  called({ path, kind, inputs, output }: LayerCall): void {
    if (currentPass() !== "forward") return;
    const values = inputs.filter(isTensor).map((input) => wholeOf(valueOf(input)));
    const outputs = [...tensorsByName(output).values()].map((tensor) => wholeOf(valueOf(tensor)));
    for (const value of [...values, ...outputs]) this.#fromOutside(value, "x");
    afterRun(() => current?.called(path, kind, values, outputs));
  }

  #fromOutside(value: Value, name: string): void {
    if (this.#known.has(value)) return;
    this.#known.add(value);
    tap(value, (data) => current?.leaf(value, name, data));
  }
}
