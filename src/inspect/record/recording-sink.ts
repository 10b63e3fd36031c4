// Collects what a run reports, in order: tensors with their numbers, ops, layer calls and updates.

import type { Program } from "../../nest/nest.ts";
import type { Op } from "../../ops/op.ts";
import { callSite, type Pass } from "../../tensor/context.ts";
import type { Application } from "../../tensor/observe.ts";
import type { ReadLive } from "../../tensor/trace/trace-record.ts";
import type { HostArray } from "../../tensor/types.ts";
import type { TapeNode, Value } from "../../tensor/value.ts";
import { wholeOf } from "../../tensor/vmap/mapping.ts";
import { InputError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import { isSameShape, type RecordedCall, type RecordedOp, type RecordedTensor, type RecordedUpdate, unviewed } from "./recorded.ts";

type Draft<Recorded> = { -readonly [Key in keyof Recorded]: Recorded[Key] };

export interface Told {
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

/** What one run reported. */
export class Sink {
  readonly ops: RecordedOp[] = [];
  readonly tensors: Draft<RecordedTensor>[] = [];
  readonly calls: RecordedCall[] = [];
  readonly updates: RecordedUpdate[] = [];
  readonly #names: ReadonlyMap<Value, string>;
  readonly #taken = new Set<string>();
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
      taken: this.#taken,
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

  /** Calls tensors by the names that the run's function gave them; parameters of the model keep theirs. */
  rename(value: Value, name: string): void {
    const found = this.#present.get(value);
    if (found === undefined || this.#names.has(value)) return;
    this.#taken.add(name);
    // Of several names for the same tensor the first one.
    if (found.source !== undefined) found.given ??= name;
    if (found.source === undefined && found.origin !== "constant") found.name = name;
  }

  /** What has a name only in another rank (a mean without its dimensions of 1) is called so itself. */
  nameUnviewed(): void {
    const extents = ({ shape }: RecordedTensor): string => shape.filter((extent) => extent !== 1).join();
    for (const tensor of this.tensors) {
      const whole = unviewed(tensor) as Draft<RecordedTensor>;
      if (tensor.given !== undefined && extents(whole) === extents(tensor)) whole.given ??= tensor.given;
    }
  }

  /** Undefined for a tensor that took no part. */
  lookUp(value: Value): RecordedTensor | undefined {
    return this.#present.get(value) ?? (value.isReadable ? this.tensors.findLast(({ data }) => data === value.numbers()) : undefined);
  }

  /** @throws InputError when the tensor took no part */
  find(value: Value): RecordedTensor {
    const found = this.lookUp(value);
    if (found === undefined)
      throw new InputError(`record: the tensor of shape ${shapeText(value.shape)} took no part in the recorded run`, {
        hint: "record the function that computes it; of a compiled function its arguments and results are known",
      });
    return found;
  }

  #at(value: Value): Draft<RecordedTensor> {
    return this.#present.get(value) ?? this.leaf(value, "x", value.numbers());
  }

  #add(value: Value, name: string, origin: RecordedTensor["origin"], data: HostArray): Draft<RecordedTensor> {
    const { shape, dtype } = value;
    const [given, source, gradient, gradientOf, updateOf] = [undefined, undefined, undefined, undefined, undefined];
    const made = { id: this.tensors.length, name, given, origin, shape, dtype, data, source, gradient, gradientOf, updateOf };
    this.tensors.push(made);
    this.#present.set(value, made);
    return made;
  }
}

function isSame(a: HostArray, b: HostArray): boolean {
  return a.length === b.length && (a as Float32Array).every((number, n) => Object.is(number, b[n]));
}

/** Values of an op's params in the run that is over. */
export function paramsOf(op: Op, attributes: Application["attributes"], read: ReadLive): number[] {
  return op.formula.params.map((name) => {
    const given = attributes[name] ?? op.defaults[name];
    const number = typeof given === "object" && "read" in given ? read(given) : (given as number);
    return op.params[name] === "int" ? number | 0 : number;
  });
}
