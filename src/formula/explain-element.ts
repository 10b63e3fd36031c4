// Computes single elements of a bound formula, keeping the value of every part: the work behind an explanation.

import { InputError } from "../util/errors.ts";
import type { Formula, Statement } from "./ast.ts";
import { identityOf } from "./bind-statement.ts";
import { type NumberArray, sizeOfShape } from "./evaluate.ts";
import type { ExplainOptions, Explanation, ExplanationLine } from "./explain.ts";
import { chainOf, type Filled, type FilledChain, type FilledTerm, outsideNote } from "./filled.ts";
import { FUNCTIONS } from "./functions.ts";
import type { AffineIndex, Call, DType, Index, Load, Nest, Program, Reducer, Scalar, ScalarType, Step } from "./nest.ts";
import { normalise } from "./normalise.ts";
import { numberText } from "./numbers.ts";
import { printFilled, printStatement } from "./print.ts";
import { typeOfDType } from "./typing.ts";

interface Frame {
  readonly step: Step;
  readonly at: Int32Array;
  accumulator: Filled | undefined;
}

interface Element {
  readonly line: ExplanationLine;
  /** Keys of the intermediate elements its shown parts read. */
  readonly uses: readonly string[];
}

export class Explainer {
  readonly #program: Program;
  readonly #statements: readonly Statement[];
  readonly #arrays: readonly NumberArray[];
  readonly #params: readonly number[];
  readonly #names: readonly string[];
  readonly #digits: number;
  readonly #shown: number;
  readonly #most: number;
  readonly #bySize: boolean;
  readonly #elements = new Map<string, Element>();

  constructor(formula: Formula, program: Program, arrays: readonly NumberArray[], params: readonly number[], options: ExplainOptions) {
    this.#program = program;
    this.#statements = normalise(formula).statements;
    this.#arrays = arrays;
    this.#params = params;
    this.#digits = options.digits ?? 4;
    this.#shown = Math.max(2, options.terms ?? 8);
    this.#most = options.lines ?? 12;
    this.#bySize = options.order === "size";
    const names = formula.inputs.slice();
    program.steps.forEach((step, number) => {
      names[step.writes] = (this.#statements[number] as Statement).target;
    });
    this.#names = names;
  }

  explain(position: readonly number[]): Explanation {
    const order: string[] = [];
    const follow = (key: string): void => {
      if (order.includes(key)) return;
      for (const used of this.#elements.get(key)?.uses ?? []) follow(used);
      order.push(key);
    };
    const { line } = this.#element(this.#program.result, position);
    follow(keyOf(this.#program.result, position));
    const kept = order.slice(Math.max(0, order.length - 1 - this.#most));
    const lines = kept.map((key) => (this.#elements.get(key) as Element).line);
    return { name: this.#program.name, lines, omitted: order.length - kept.length, value: line.value, digits: this.#digits };
  }

  #element(buffer: number, position: readonly number[]): Element {
    const key = keyOf(buffer, position);
    const known = this.#elements.get(key);
    if (known) return known;
    const { dtype } = this.#program.buffers[buffer] as { dtype: DType };
    const type = typeOfDType(dtype);
    let filled: Filled = { kind: "value", value: 0, type };
    let statement: Statement | undefined;
    // What a scatter adds up; a plain statement before it is the first part.
    let parts: Filled[] = [];
    let scattered = false;
    this.#program.steps.forEach((step, number) => {
      if (step.writes !== buffer) return;
      for (const frame of this.#framesFor(step, position)) {
        filled = this.#nest(frame);
        statement = this.#statements[number];
        scattered = step.nest.output.accumulate;
        parts = scattered ? [...parts, filled] : [filled];
      }
    });
    if (scattered) filled = this.#chain("sum", type, parts);
    const value = store(filled.value, dtype);
    const uses = new Set<string>();
    this.#collect(filled, uses);
    const target = this.#names[buffer] as string;
    const substituted = printFilled(filled, this.#digits);
    const note = outsideNote(filled);
    const sentence = `${numberText(value, type, this.#digits)} = ${substituted}${note === "" ? "" : ` (${note})`}`;
    const formula = statement === undefined ? "" : printStatement(statement);
    const line: ExplanationLine = {
      target,
      position: [...position],
      statement,
      formula,
      filled,
      substituted,
      sentence,
      value,
      type,
      terms: chainOf(filled)?.terms ?? [],
    };
    const element = { line, uses: [...uses] };
    this.#elements.set(key, element);
    return element;
  }

  /** The steps of the nest's free axes that write the element, in order. */
  *#framesFor(step: Step, position: readonly number[]): Generator<Frame> {
    const { nest } = step;
    const at = new Int32Array(nest.axes.length);
    const solved = new Set<number>();
    for (const [d, index] of nest.output.index.entries()) {
      const [term] = index.kind === "affine" ? index.terms : [];
      if (index.kind !== "affine" || term === undefined || index.terms.length !== 1 || solved.has(term.axis)) continue;
      const value = ((position[d] as number) * index.divisor - index.offset) / term.coefficient;
      if (!Number.isInteger(value) || value < 0 || value >= (nest.axes[term.axis] as { extent: number }).extent) return;
      at[term.axis] = value;
      solved.add(term.axis);
    }
    const open = nest.axes.map((_, axis) => axis).filter((axis) => axis < nest.free && !solved.has(axis));
    for (const _ of walk(at, open, nest)) {
      const frame: Frame = { step, at: at.slice(), accumulator: undefined };
      const writes = nest.output.index.every((index, d) => this.#coordinate(index, frame) === position[d]);
      if (writes) yield frame;
    }
  }

  #nest(frame: Frame): Filled {
    const { nest } = frame.step;
    if (nest.reducer === undefined) return this.#fill(nest.body, frame);
    const reduced = nest.axes.map((_, axis) => axis).filter((axis) => axis >= nest.free);
    const body = (): Filled => this.#fill(nest.body, frame);
    const chain = this.#chain(nest.reducer, nest.body.type, mapWalk(frame.at, reduced, nest, body));
    if (nest.epilogue === undefined) return chain;
    frame.accumulator = chain;
    return this.#fill(nest.epilogue, frame);
  }

  #chain(reducer: Reducer, bodyType: ScalarType, terms: Iterable<Filled>): FilledChain {
    const first = Math.ceil(this.#shown / 2);
    const last = this.#shown - first;
    const head: FilledTerm[] = [];
    const tail: FilledTerm[] = [];
    const arg = reducer === "argmax" || reducer === "argmin";
    let total = identityOf(reducer, bodyType);
    let best: FilledTerm | undefined;
    let place = 0;
    let outside = 0;
    const bySize = this.#bySize && (reducer === "sum" || reducer === "max" || reducer === "min");
    const size = (item: FilledTerm): number =>
      Number.isNaN(item.term.value)
        ? Number.POSITIVE_INFINITY
        : reducer === "sum"
          ? Math.abs(item.term.value)
          : reducer === "max"
            ? item.term.value
            : -item.term.value;
    const largest: FilledTerm[] = [];
    for (const term of terms) {
      const { value } = term;
      if (reducer === "sum") total += value;
      else if (reducer === "prod") total *= value;
      const downward = reducer === "min" || reducer === "argmin";
      const better = downward ? value < total : value > total;
      if (!arg && isOutside(term, reducer)) {
        outside++;
        continue;
      }
      const item = { place: place++, term };
      if (reducer !== "sum" && reducer !== "prod" && !Number.isNaN(total) && (best === undefined || better || Number.isNaN(value))) {
        total = value;
        best = item;
      }
      if (bySize) {
        if (largest.length === this.#shown && size(item) <= size(largest[largest.length - 1] as FilledTerm)) continue;
        const at = largest.findIndex((other) => size(other) < size(item));
        largest.splice(at < 0 ? largest.length : at, 0, item);
        if (largest.length > this.#shown) largest.pop();
      } else if (head.length < first) head.push(item);
      else {
        tail.push(item);
        if (tail.length > last) tail.shift();
      }
    }
    if (bySize) {
      const [isWhole, type] = [largest.length === place, bodyType === "bool" ? "int" : bodyType];
      const rest = largest.reduce((left, { term }) => left - term.value, total);
      const shown = isWhole ? { terms: largest.sort((a, b) => a.place - b.place) } : { terms: largest, rest };
      return { kind: "chain", reducer, ...shown, count: place, outside, value: total, type };
    }
    // The winner of a max is shown even when it stands in the middle.
    const middle = best && best.place >= first && best.place < place - tail.length ? [best] : [];
    const type = arg || bodyType === "bool" ? "int" : bodyType;
    return {
      kind: "chain",
      reducer,
      terms: [...head, ...middle, ...tail],
      count: place,
      outside,
      value: arg ? (best?.place ?? 0) : total,
      type,
    };
  }

  #fill(scalar: Scalar, frame: Frame): Filled {
    switch (scalar.kind) {
      case "constant":
        return { kind: "value", value: scalar.value, type: scalar.type };
      case "param":
        return { kind: "value", value: this.#params[scalar.param] as number, type: scalar.type };
      case "position":
        return { kind: "value", value: affine(scalar.index, frame.at), type: "int" };
      case "inside": {
        const inside = scalar.index.every((index, d) => isWithin(this.#coordinate(index, frame), scalar.extents[d] as number));
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

  #call(call: Call, frame: Frame): Filled {
    const { fn, type } = call;
    if (fn === "select") {
      const [condition, a, b] = call.args as [Scalar, Scalar, Scalar];
      const held = this.#fill(condition, frame);
      const chosen = this.#fill(held.value !== 0 ? a : b, frame);
      return { kind: "choice", condition: held, chosen, value: chosen.value, type };
    }
    const args = call.args.map((arg) => this.#fill(arg, frame));
    const [a = 0, b = 0, c = 0, d = 0] = args.map((arg) => arg.value);
    const value =
      type === "int" ? (fn === "mul" ? Math.imul(a, b) : FUNCTIONS[fn].evaluate(a, b, c, d) | 0) : FUNCTIONS[fn].evaluate(a, b, c, d);
    const [only] = args;
    // Casts that change nothing (an int among floats) are not part of what a person reads.
    if (only && FUNCTIONS[fn].signature === "cast" && Object.is(value, only.value)) {
      const counted = only.type === "bool" && (only.kind === "read" || only.kind === "value");
      return counted ? { ...only, type } : only;
    }
    return { kind: "call", fn, args, value, type };
  }

  #load(load: Load, frame: Frame): Filled {
    const { step } = frame;
    const buffer = step.reads[load.operand] as number;
    const { shape } = step.nest.operands[load.operand] as { shape: readonly number[] };
    const coordinates = load.index.map((index) => this.#coordinate(index, frame));
    const inside = coordinates.every((coordinate, d) => isWithin(coordinate, shape[d] as number));
    const tensor = this.#names[buffer] as string;
    const value = inside ? this.#value(buffer, coordinates, shape) : load.fill;
    return { kind: "read", tensor, coordinates, inside, value, type: load.type };
  }

  #value(buffer: number, coordinates: readonly number[], shape: readonly number[]): number {
    if (buffer >= this.#program.inputs.length) return this.#element(buffer, coordinates).line.value;
    const array = this.#arrays[buffer];
    if (array === undefined || array.length < sizeOfShape(shape))
      throw new InputError(
        `${this.#program.name}: expected ${sizeOfShape(shape)} numbers for ${this.#names[buffer]}, got ${array?.length ?? 0}`,
      );
    return array[coordinates.reduce((place, step, d) => place * (shape[d] as number) + step, 0)] as number;
  }

  #coordinate(index: Index, frame: Frame): number {
    return index.kind === "affine" ? affine(index, frame.at) / index.divisor : this.#fill(index.value, frame).value;
  }

  #collect(filled: Filled, uses: Set<string>): void {
    if (filled.kind === "read") {
      const buffer = this.#names.indexOf(filled.tensor);
      if (filled.inside && buffer >= this.#program.inputs.length) uses.add(keyOf(buffer, filled.coordinates));
    } else if (filled.kind === "call") for (const arg of filled.args) this.#collect(arg, uses);
    else if (filled.kind === "chain") for (const { term } of filled.terms) this.#collect(term, uses);
    else if (filled.kind === "choice") {
      this.#collect(filled.condition, uses);
      this.#collect(filled.chosen, uses);
    }
  }
}

function keyOf(buffer: number, position: readonly number[]): string {
  return `${buffer}:${position.join(",")}`;
}

/** A term of a sum that is 0, or of a max that is −∞, because it reads outside of a tensor. */
function isOutside(term: Filled, reducer: Reducer): boolean {
  if (term.kind === "read") return !term.inside;
  return (
    reducer === "sum" && term.kind === "call" && term.fn === "mul" && term.value === 0 && term.args.some((arg) => isOutside(arg, reducer))
  );
}

function isWithin(coordinate: number, extent: number): boolean {
  return Number.isInteger(coordinate) && coordinate >= 0 && coordinate < extent;
}

function affine(index: AffineIndex, at: Int32Array): number {
  return index.terms.reduce((total, term) => total + term.coefficient * (at[term.axis] as number), index.offset);
}

/** Rounds as storing in a tensor does. */
function store(value: number, dtype: DType): number {
  if (dtype === "bool") return Number(value !== 0);
  if (dtype === "float64") return value;
  return dtype === "float32" ? Math.fround(value) : dtype === "uint8" ? value & 255 : value | 0;
}

/** Steps through the given axes, the last fastest. */
function* walk(at: Int32Array, axes: readonly number[], nest: Nest, from = 0): Generator<void> {
  if (from === axes.length) {
    yield;
    return;
  }
  const axis = axes[from] as number;
  const { extent } = nest.axes[axis] as { extent: number };
  for (let step = 0; step < extent; step++) {
    at[axis] = step;
    yield* walk(at, axes, nest, from + 1);
  }
}

function* mapWalk(at: Int32Array, axes: readonly number[], nest: Nest, body: () => Filled): Generator<Filled> {
  for (const _ of walk(at, axes, nest)) yield body();
}
