// One run with every number: what was computed from what, by which op, in which layer, on which line.

import type { Program } from "../formula/nest.ts";
import { type LayerCall, observeLayers } from "../nn/call.ts";
import type { LayerMembers } from "../nn/layer.ts";
import type { Op } from "../ops/op.ts";
import { wholeOf } from "../tensor/mapping.ts";
import { type Application, type Observer, observing, together } from "../tensor/observe.ts";
import { callSite, currentPass, type Pass } from "../tensor/tape.ts";
import { isTensor, valueOf } from "../tensor/tensor.ts";
import { afterRun, tap } from "../tensor/trace.ts";
import type { ReadLive } from "../tensor/trace-record.ts";
import type { DType, HostArray, Tensor } from "../tensor/types.ts";
import type { TapeNode, Value } from "../tensor/value.ts";
import { InputError } from "../util/errors.ts";

/** A tensor as it was at one point of a run. */
export interface RecordedTensor {
  /** Its place in `Recording.tensors`. */
  readonly id: number;
  /** The parameter's name, "x" for the model's input; else what the op that made or first used it calls it. */
  readonly name: string;
  /** Where it came from: an op; a parameter or buffer of the model; the program (data, targets); or a number in it. */
  readonly origin: "computed" | "parameter" | "data" | "constant";
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: HostArray;
  /** What computed it; undefined for everything from outside. */
  readonly source: RecordedOp | undefined;
  /** The gradient of the result that was differentiated by this tensor, once it is known. */
  readonly gradient: RecordedTensor | undefined;
  /** Of a gradient: whose it is. */
  readonly gradientOf: RecordedTensor | undefined;
  /** Of a parameter's new numbers: the parameter as it was. */
  readonly updateOf: RecordedTensor | undefined;
}

/** One application of an op. */
export interface RecordedOp {
  /** Its place in `Recording.ops`. */
  readonly id: number;
  readonly op: Op;
  readonly inputs: readonly RecordedTensor[];
  readonly output: RecordedTensor;
  readonly pass: Pass;
  /** The layer, and inside a composite its name: "features.0.softmax"; "" outside of layers. */
  readonly path: string;
  /** The line of the user's program, "train.ts:12:5". */
  readonly site: string | undefined;
  /** Values of the formula's params. */
  readonly params: readonly number[];
  /** Loop nests that ran for it, inside vmap those for all examples; undefined for another view of the same numbers. */
  readonly program: Program | undefined;
  /** Whether it ran for the examples of a vmap, all at once: they count along the first dimension of its output, and of inputs that differ between them. */
  readonly isMapped: boolean;
  /** Of a gradient: the application it differentiates. */
  readonly of: RecordedOp | undefined;
}

/** One call of a layer, or of a plain function among the steps of a sequential. */
export interface RecordedCall {
  readonly path: string;
  readonly kind: string;
  readonly inputs: readonly RecordedTensor[];
  readonly outputs: readonly RecordedTensor[];
}

/** A tensor from outside took other numbers. */
export interface RecordedUpdate {
  /** Of the parameter or buffer. */
  readonly name: string;
  readonly before: RecordedTensor;
  readonly after: RecordedTensor;
}

/** Everything one run did. */
export interface Recording<Result = unknown> {
  /** What the function gave. */
  readonly result: Result;
  /** In the order they ran. */
  readonly ops: readonly RecordedOp[];
  readonly tensors: readonly RecordedTensor[];
  /** Inner calls before outer ones. */
  readonly calls: readonly RecordedCall[];
  /** In the order they happened. */
  readonly updates: readonly RecordedUpdate[];
  /** The record of a tensor that the run gave, took or left behind. @throws InputError when it took no part */
  tensorOf(tensor: Tensor): RecordedTensor;
}

/**
 * Runs a function once and keeps every number. What it computes stays the same; a compiled function is run as compiled, in a program
 * that hands out everything on the way.
 * @param model gives the names of parameters
 * @example const run = record(() => { const loss = crossEntropy(net(x), t); loss.backward(); return loss; }, net);
 */
export function record<Result>(run: () => Result, model?: LayerMembers): Recording<Result> {
  return recordBeside(undefined, run, model);
}

/** The same while somebody else watches, too. */
export function recordBeside<Result>(beside: Observer | undefined, run: () => Result, model?: LayerMembers): Recording<Result> {
  const names = new Map<Value, string>();
  for (const [name, tensor] of [...(model?.namedParameters() ?? []), ...(model?.namedBuffers() ?? [])]) names.set(valueOf(tensor), name);
  const sink = new Sink(names);
  const watch = new Watch();
  const before = current;
  current = sink;
  try {
    const result = observing(beside === undefined ? watch : together(beside, watch), () =>
      observeLayers((call) => watch.called(call), run),
    );
    return {
      result,
      ops: sink.ops,
      tensors: sink.tensors,
      calls: sink.calls,
      updates: sink.updates,
      tensorOf: (tensor) => sink.find(wholeOf(valueOf(tensor))),
    };
  } finally {
    current = before;
  }
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
    const outputs = tensorsIn(output).map((tensor) => wholeOf(valueOf(tensor)));
    for (const value of [...values, ...outputs]) this.#fromOutside(value, "x");
    afterRun(() => current?.called(path, kind, values, outputs));
  }

  #fromOutside(value: Value, name: string): void {
    if (this.#known.has(value)) return;
    this.#known.add(value);
    tap(value, (data) => current?.leaf(value, name, data));
  }
}

type Draft<Recorded> = { -readonly [Key in keyof Recorded]: Recorded[Key] };

interface Told {
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly output: Value;
  readonly path: string;
  readonly site: { readonly stack?: string };
  readonly pass: Pass;
  readonly program: Program | undefined;
  readonly of: TapeNode | undefined;
  readonly isMapped: boolean;
}

/** What one run told. */
class Sink {
  readonly ops: RecordedOp[] = [];
  readonly tensors: Draft<RecordedTensor>[] = [];
  readonly calls: RecordedCall[] = [];
  readonly updates: RecordedUpdate[] = [];
  readonly #names: ReadonlyMap<Value, string>;
  /** The tensor that a value stands for at present. */
  readonly #present = new Map<Value, Draft<RecordedTensor>>();

  constructor(names: ReadonlyMap<Value, string>) {
    this.#names = names;
  }

  leaf(value: Value, usedAs: string, data: HostArray): Draft<RecordedTensor> {
    const name = this.#names.get(value);
    const known = this.#present.get(value);
    // What another step of the run left there, or brought before.
    if (known !== undefined && isSame(known.data, data)) return known;
    const origin =
      name !== undefined || (value.requiresGrad && value.node === undefined) ? "parameter" : value.isConstant ? "constant" : "data";
    return this.#add(value, name ?? usedAs, origin, data);
  }

  applied({ op, inputs, output, path, site, pass, program, of, isMapped }: Told, params: readonly number[], data: HostArray): void {
    const target = op.formula.statements.at(-1)?.target ?? "y";
    // What came in another shape is called as the first op calls it that computes with it.
    if (program !== undefined)
      inputs.forEach((input, number) => {
        const seen = unviewed(this.#at(input)) as Draft<RecordedTensor>;
        if (seen.name === "") seen.name = op.formula.inputs[number] ?? "x";
      });
    const made = this.#add(output, target, "computed", data);
    const recorded: RecordedOp = {
      id: this.ops.length,
      op,
      inputs: inputs.map((input) => this.#at(input)),
      output: made,
      pass,
      path,
      get site() {
        return callSite(site.stack);
      },
      params,
      program,
      isMapped,
      of: of && this.#present.get(wholeOf(of.output))?.source,
    };
    made.source = recorded;
    this.ops.push(recorded);
  }

  differentiated(value: Value, gradient: Value): void {
    const [of, found] = [this.#at(value), this.#at(gradient)];
    // What all examples of a vmap shared has a gradient for each of them, which are none of its own.
    if (isSameShape(of, found)) of.gradient = found;
    found.gradientOf ??= of;
  }

  assigned(target: Value, value: Value): void {
    const [before, after] = [this.#at(target), this.#at(value)];
    this.updates.push({ name: this.#names.get(target) ?? before.name, before, after });
    after.updateOf ??= before;
    this.#present.set(target, after);
  }

  called(path: string, kind: string, inputs: readonly Value[], outputs: readonly Value[]): void {
    const [first] = inputs.map((input) => this.#at(input));
    if (path === "" && first?.origin === "data") first.name = "x";
    this.calls.push({ path, kind, inputs: inputs.map((input) => this.#at(input)), outputs: outputs.map((output) => this.#at(output)) });
  }

  returned(inside: Value, outside: Value): void {
    const tensor = this.#present.get(inside);
    if (tensor !== undefined) this.#present.set(outside, tensor);
  }

  /** @throws InputError when the tensor took no part */
  find(value: Value): RecordedTensor {
    const found =
      this.#present.get(value) ?? (value.hasNumbers ? this.tensors.findLast(({ data }) => data === value.numbers()) : undefined);
    if (found === undefined)
      throw new InputError(`record: the tensor of shape [${value.shape.join(", ")}] took no part in the recorded run`, {
        hint: "record the function that computes it; of a compiled function its arguments and results are known",
      });
    return found;
  }

  #at(value: Value): Draft<RecordedTensor> {
    return this.#present.get(value) ?? this.leaf(value, "x", value.numbers());
  }

  #add(value: Value, name: string, origin: RecordedTensor["origin"], data: HostArray): Draft<RecordedTensor> {
    const { shape, dtype } = value;
    const [source, gradient, gradientOf, updateOf] = [undefined, undefined, undefined, undefined];
    const made = { id: this.tensors.length, name, origin, shape, dtype, data, source, gradient, gradientOf, updateOf };
    this.tensors.push(made);
    this.#present.set(value, made);
    return made;
  }
}

export function isSameShape(a: Pick<RecordedTensor, "shape">, b: Pick<RecordedTensor, "shape">): boolean {
  return a.shape.length === b.shape.length && a.shape.every((extent, d) => extent === b.shape[d]);
}

/** The tensor that this one is another shape of. */
export function unviewed(tensor: RecordedTensor): RecordedTensor {
  const { source } = tensor;
  return source !== undefined && source.program === undefined ? unviewed(source.inputs[0] as RecordedTensor) : tensor;
}

function isSame(a: HostArray, b: HostArray): boolean {
  return a.length === b.length && (a as Float32Array).every((number, n) => Object.is(number, b[n]));
}

function paramsOf(op: Op, attributes: Application["attributes"], read: ReadLive): number[] {
  return op.formula.params.map((name) => {
    const given = attributes[name] ?? op.defaults[name];
    const number = typeof given === "object" && "read" in given ? read(given) : (given as number);
    return op.params[name] === "int" ? number | 0 : number;
  });
}

function tensorsIn(output: unknown): Tensor[] {
  if (isTensor(output)) return [output];
  if (typeof output !== "object" || output === null) return [];
  return Object.values(output).flatMap(tensorsIn);
}
