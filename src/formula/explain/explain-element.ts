// Explains single elements of a bound formula: computes values first, and expression trees only for what is shown.

import type { NumberArray } from "../../nest/arrays.ts";
import { compileAddress, compileScalar, type Evaluate, loop, store } from "../../nest/evaluate.ts";
import { FUNCTIONS } from "../../nest/functions.ts";
import { identityOf } from "../../nest/identity.ts";
import type { Call, Index, Load, Nest, Program, Reducer, Scalar, ScalarType } from "../../nest/nest.ts";
import { placeAt, positionOf } from "../../nest/positions.ts";
import { typeOfDType } from "../../nest/typing.ts";
import type { Formula, Statement } from "../ast.ts";
import { normalize } from "../bind/normalize.ts";
import { type AxisStep, chainOf, type Filled, type FilledChain, outsideNote, type TermOrder } from "../filled.ts";
import { numberText } from "../numbers.ts";
import { printFilled, printStatement } from "../print.ts";
import { affine, ElementValues, type ReadyStep } from "./element-values.ts";
import { TermPicker } from "./explain-terms.ts";
import type { ExplainOptions, Explanation, ExplanationLine } from "./explanation.ts";

/** A step of a nest whose trees are built. */
interface TreeFrame {
  readonly ready: ReadyStep;
  readonly at: Int32Array;
  accumulator: Filled | undefined;
}

interface Element {
  readonly line: ExplanationLine;
  /** The intermediate elements its shown parts read. */
  readonly uses: ReadonlySet<string>;
}

export class Explainer {
  readonly #program: Program;
  readonly #statements: readonly Statement[];
  readonly #inputs: readonly string[];
  readonly #params: readonly number[];
  readonly #names: readonly string[];
  readonly #digits: number;
  readonly #shown: number;
  readonly #order: TermOrder;
  readonly #group: string | undefined;
  readonly #most: number;
  readonly #values: ElementValues;
  readonly #outside = new Map<ReadyStep, Evaluate | undefined>();
  #elements = new Map<string, Element>();

  constructor(formula: Formula, program: Program, arrays: readonly NumberArray[], params: readonly number[], options: ExplainOptions) {
    this.#program = program;
    this.#statements = normalize(formula).statements;
    this.#inputs = formula.inputs;
    this.#params = params;
    this.#digits = options.digits ?? 4;
    this.#shown = Math.max(2, options.terms ?? 8);
    this.#order = options.order ?? "position";
    this.#group = options.group;
    this.#most = options.lines ?? 12;
    const names = formula.inputs.slice();
    program.operations.forEach((step, number) => {
      names[step.writes] = this.#statements[number]!.target;
    });
    this.#names = names;
    this.#values = new ElementValues(program, names, arrays, params);
  }

  explain(position: readonly number[]): Explanation {
    const { result, name } = this.#program;
    this.#elements = new Map();
    const order = new Set<string>();
    const follow = (key: string): void => {
      if (order.has(key)) return;
      for (const used of this.#element(key).uses) follow(used);
      order.add(key);
    };
    const asked = keyOf(result, placeAt(position, this.#shapeOf(result)));
    follow(asked);
    const kept = [...order].slice(Math.max(0, order.size - 1 - this.#most));
    const lines = kept.map((key) => this.#element(key).line);
    const { value } = this.#element(asked).line;
    return { name, inputs: this.#inputs, lines, omitted: order.size - kept.length, value, digits: this.#digits };
  }

  #shapeOf(buffer: number): readonly number[] {
    return this.#program.buffers[buffer]!.shape;
  }

  #element(key: string): Element {
    const known = this.#elements.get(key);
    if (known) return known;
    const [buffer = 0, place = 0] = key.split(":").map(Number);
    const { dtype, shape } = this.#program.buffers[buffer]!;
    const position = positionOf(place, shape);
    const { filled, statement } = this.#right(buffer, position, typeOfDType(dtype));
    const value = store(filled.value, dtype);
    const type = typeOfDType(dtype);
    const substituted = printFilled(filled, this.#digits);
    const note = outsideNote(filled);
    const line: ExplanationLine = {
      target: this.#names[buffer]!,
      position,
      statement,
      formula: statement === undefined ? "" : printStatement(statement),
      filled,
      substituted,
      sentence: `${numberText(value, type, this.#digits)} = ${substituted}${note === "" ? "" : ` (${note})`}`,
      value,
      type,
      terms: chainOf(filled)?.terms ?? [],
    };
    const uses = new Set<string>();
    this.#collect(filled, uses);
    const element = { line, uses };
    this.#elements.set(key, element);
    return element;
  }

  /**
   * What was written into an element last, or the sum of all that a scatter added to it, a plain statement before it
   * being the first part.
   */
  #right(buffer: number, position: readonly number[], type: ScalarType): { filled: Filled; statement: Statement | undefined } {
    const writes: TreeFrame[] = [];
    for (const ready of this.#values.steps[buffer]!)
      ready.visitWrites(position, () => {
        if (!ready.step.nest.output.accumulate) writes.length = 0;
        writes.push({ ready, at: ready.frame.at.slice(), accumulator: undefined });
      });
    const last = writes.at(-1);
    if (last === undefined) return { filled: { kind: "value", value: 0, type }, statement: undefined };
    const statement = this.#statements[last.ready.number];
    if (!last.ready.step.nest.output.accumulate) return { filled: this.#nest(last), statement };
    const picker = new TermPicker("sum", type, this.#order, this.#shown);
    writes.forEach(({ ready, at }, key) => {
      ready.frame.at.set(at);
      picker.offer(ready.run(), key);
    });
    const filled = picker.chain((key) => {
      const frame = writes[key]!;
      return { at: stepsOf(frame.ready.step.nest, frame.at, frame.ready.open), term: this.#nest(frame) };
    });
    return { filled, statement };
  }

  #nest(frame: TreeFrame): Filled {
    const { nest } = frame.ready.step;
    if (nest.reducer === undefined) return this.#fill(nest.body, frame);
    const reduced = nest.axes.map((_, axis) => axis).filter((axis) => axis >= nest.free);
    const group = reduced.find((axis) => nest.axes[axis]?.name === this.#group);
    const isPlain = nest.reducer !== "argmax" && nest.reducer !== "argmin";
    const chain =
      group === undefined || !isPlain || reduced.length < 2
        ? this.#chain(nest.reducer, frame, reduced)
        : this.#groups(nest.reducer, frame, reduced, group);
    if (nest.epilogue === undefined) return chain;
    frame.accumulator = chain;
    return this.#fill(nest.epilogue, frame);
  }

  /** The reduction over some of the reduced axes, the others standing where the frame has them. */
  #chain(reducer: Reducer, frame: TreeFrame, axes: readonly number[]): FilledChain {
    const { ready, at } = frame;
    const { nest } = ready.step;
    const picker = new TermPicker(reducer, nest.body.type, this.#order, this.#shown);
    const isArg = reducer === "argmax" || reducer === "argmin";
    const outside = isArg ? undefined : this.#outsideOf(ready);
    const identity = identityOf(reducer, nest.body.type);
    const extents = axes.map((axis) => ready.extents[axis]!);
    const local = new Int32Array(axes.length);
    ready.frame.at.set(at);
    let key = 0;
    loop(local, extents, 0, extents.length, () => {
      for (let d = 0; d < axes.length; d++) ready.frame.at[axes[d]!] = local[d]!;
      const value = ready.body(ready.frame);
      if (outside !== undefined && value === identity && outside(ready.frame) !== 0) picker.offerOutside();
      else picker.offer(value, key);
      key++;
    });
    return picker.chain((kept) => {
      const stood = positionOf(kept, extents);
      axes.forEach((axis, d) => {
        at[axis] = stood[d]!;
      });
      return { at: stepsOf(nest, at, axes), term: this.#fill(nest.body, frame) };
    });
  }

  /** The same with partial sums by one axis as terms. */
  #groups(reducer: Reducer, frame: TreeFrame, axes: readonly number[], group: number): FilledChain {
    const { ready, at } = frame;
    const { nest } = ready.step;
    const others = axes.filter((axis) => axis !== group);
    const part = (step: number): FilledChain => {
      at[group] = step;
      return this.#chain(reducer, frame, others);
    };
    const picker = new TermPicker(reducer, nest.body.type, this.#order, this.#shown);
    for (let step = 0; step < ready.extents[group]!; step++) {
      const { value, count, outside } = part(step);
      if (count === 0 && outside > 0) picker.offerOutside();
      else picker.offer(value, step);
    }
    return { ...picker.chain((step) => ({ term: part(step), at: stepsOf(nest, at, [group]) })), grouped: true };
  }

  /** Whether a term reads outside of a tensor and so is 0 in a sum, −∞ in a max; undefined where none can. */
  #outsideOf(ready: ReadyStep): Evaluate | undefined {
    if (!this.#outside.has(ready)) {
      const { nest, reads } = ready.step;
      const operands = reads.map(
        (buffer) =>
          (place: number): number =>
            this.#values.at(buffer, place),
      );
      const compile = (scalar: Scalar): Evaluate => compileScalar(scalar, nest, operands, this.#params);
      this.#outside.set(ready, compileOutside(nest.body, nest, compile));
    }
    return this.#outside.get(ready);
  }

  #fill(scalar: Scalar, frame: TreeFrame): Filled {
    switch (scalar.kind) {
      case "constant":
        return { kind: "value", value: scalar.value, type: scalar.type };
      case "param":
        return { kind: "value", value: this.#params[scalar.param]!, type: scalar.type };
      case "position":
        return { kind: "value", value: affine(scalar.index, frame.at), type: "int" };
      case "inside": {
        const inside = scalar.index.every((index, d) => isWithin(this.#coordinate(index, frame), scalar.extents[d]!));
        return { kind: "value", value: Number(inside), type: "bool" };
      }
      case "accumulator":
        return frame.accumulator as Filled;
      case "load":
        return this.#load(scalar, frame);
      case "call":
        return this.#call(scalar, frame);
    }
  }

  #call(call: Call, frame: TreeFrame): Filled {
    const { fn, type } = call;
    if (fn === "select") {
      const [condition, a, b] = call.args as [Scalar, Scalar, Scalar];
      const held = this.#fill(condition, frame);
      const chosen = this.#fill(held.value !== 0 ? a : b, frame);
      return { kind: "choice", condition: held, chosen, value: chosen.value, type };
    }
    const args = call.args.map((arg) => this.#fill(arg, frame));
    const [only] = args;
    const value = valueOfCall(fn, type, args);
    // Casts that change nothing (an int among floats) are not part of what a person reads.
    if (only && FUNCTIONS[fn].signature === "cast" && Object.is(value, only.value)) {
      const counted = only.type === "bool" && (only.kind === "read" || only.kind === "value");
      return counted ? { ...only, type } : only;
    }
    return { kind: "call", fn, args, value, type };
  }

  #load(load: Load, frame: TreeFrame): Filled {
    const { step } = frame.ready;
    const buffer = step.reads[load.operand]!;
    const shape = this.#shapeOf(buffer);
    const coordinates = load.index.map((index) => this.#coordinate(index, frame));
    const inside = coordinates.every((coordinate, d) => isWithin(coordinate, shape[d]!));
    const tensor = this.#names[buffer]!;
    const value = inside ? this.#values.at(buffer, placeAt(coordinates, shape)) : load.fill;
    const chosenBy = load.index.flatMap((index) => (index.kind === "indirect" ? [this.#fill(index.value, frame)] : []));
    return { kind: "read", tensor, coordinates, inside, value, type: load.type, ...(chosenBy.length === 0 ? {} : { chosenBy }) };
  }

  #coordinate(index: Index, frame: TreeFrame): number {
    return index.kind === "affine" ? affine(index, frame.at) / index.divisor : this.#fill(index.value, frame).value;
  }

  #collect(filled: Filled, uses: Set<string>): void {
    if (filled.kind === "read") {
      const buffer = this.#names.indexOf(filled.tensor);
      if (filled.inside && buffer >= this.#program.inputs.length)
        uses.add(keyOf(buffer, placeAt(filled.coordinates, this.#shapeOf(buffer))));
    } else if (filled.kind === "call") for (const arg of filled.args) this.#collect(arg, uses);
    else if (filled.kind === "chain") for (const { term } of filled.terms) this.#collect(term, uses);
    else if (filled.kind === "choice") {
      this.#collect(filled.condition, uses);
      this.#collect(filled.chosen, uses);
    }
  }
}

/** The value of a call of scalars, ints wrapping round as int32. */
export function valueOfCall(fn: Call["fn"], type: ScalarType, args: readonly { readonly value: number }[]): number {
  const [a = 0, b = 0, c = 0, d = 0] = args.map((arg) => arg.value);
  if (type !== "int") return FUNCTIONS[fn].evaluate(a, b, c, d);
  return fn === "mul" ? Math.imul(a, b) : FUNCTIONS[fn].evaluate(a, b, c, d) | 0;
}

function keyOf(buffer: number, place: number): string {
  return `${buffer}:${place}`;
}

function stepsOf(nest: Nest, at: Int32Array, axes: readonly number[]): AxisStep[] {
  return axes.map((axis) => ({ name: nest.axes[axis]?.name as string, step: at[axis]! }));
}

function isWithin(coordinate: number, extent: number): boolean {
  return Number.isInteger(coordinate) && coordinate >= 0 && coordinate < extent;
}

/** For a term whose value is the identity of its reduction: a read outside of a tensor, or a product with one. */
function compileOutside(scalar: Scalar, nest: Nest, compile: (scalar: Scalar) => Evaluate): Evaluate | undefined {
  if (scalar.kind === "load") {
    if (scalar.index.every((index) => index.kind === "affine" && !index.checked)) return undefined;
    const address = compileAddress(scalar.index, nest.operands[scalar.operand]!, compile);
    return (frame) => Number(address(frame) < 0);
  }
  if (scalar.kind !== "call") return undefined;
  const parts = scalar.args.map((arg) => compileOutside(arg, nest, compile)).filter((part) => part !== undefined);
  if (parts.length === 0) return undefined;
  if (FUNCTIONS[scalar.fn].signature === "cast") return parts[0];
  if (scalar.fn !== "mul" || nest.reducer !== "sum") return undefined;
  // NaN or infinity times padding is no padding; of the whole term the caller knows that it is 0.
  const value = scalar === nest.body ? () => 0 : compile(scalar);
  return (frame) => Number(value(frame) === 0 && parts.some((part) => part(frame) !== 0));
}
