// Computes single elements of a bound formula on demand, in double precision, rounded where they are stored.

import type { NumberArray } from "../../nest/arrays.ts";
import { added, compileScalar, type Elements, type Evaluate, type Frame, reduce, sizeOfShape, store } from "../../nest/evaluate.ts";
import type { AffineIndex, Index, Operation, Program, Scalar } from "../../nest/nest.ts";
import { positionOf } from "../../nest/positions.ts";
import { InputError } from "../../util/errors.ts";

/** A step of a program that can be run for one element at a time. */
export interface ReadyStep {
  readonly step: Operation;
  /** Position among the program's operations. */
  readonly number: number;
  /** Moved from element to element; of no meaning between calls. */
  readonly frame: Frame;
  readonly extents: readonly number[];
  readonly body: Evaluate;
  /** What is written where the frame stands, unrounded. */
  readonly run: () => number;
  /** Free axes that the position of an element does not settle. */
  readonly open: readonly number[];
  /** Puts the frame on every step of the free axes that writes the element, in order. */
  readonly visitWrites: (position: readonly number[], visit: () => void) => void;
}

export class ElementValues {
  readonly program: Program;
  /** By the buffer they write. */
  readonly steps: readonly (readonly ReadyStep[])[];
  readonly #arrays: readonly NumberArray[];
  readonly #known: readonly Map<number, number>[];

  /** @throws InputError when an input has fewer numbers than its shape */
  constructor(program: Program, names: readonly string[], arrays: readonly NumberArray[], params: readonly number[]) {
    this.program = program;
    this.#arrays = arrays;
    program.inputs.forEach(({ shape }, number) => {
      const given = arrays[number]?.length ?? 0;
      if (given < sizeOfShape(shape))
        throw new InputError(`${program.name}: expected ${sizeOfShape(shape)} numbers for ${names[number]}, got ${given}`);
    });
    this.#known = program.buffers.map(() => new Map());
    const operand = (buffer: number): Elements => arrays[buffer] ?? ((place) => this.at(buffer, place));
    this.steps = program.buffers.map((_, buffer) =>
      program.operations.flatMap((step, number) =>
        step.writes === buffer ? [readyStep(step, number, step.reads.map(operand), params)] : [],
      ),
    );
  }

  /** The element of a buffer at a flat place. */
  at(buffer: number, place: number): number {
    if (buffer < this.program.inputs.length) return this.#arrays[buffer]?.[place] as number;
    const known = this.#known[buffer]!;
    let value = known.get(place);
    if (value === undefined) {
      value = this.#compute(buffer, place);
      known.set(place, value);
    }
    return value;
  }

  #compute(buffer: number, place: number): number {
    const { shape, dtype } = this.program.buffers[buffer]!;
    const position = positionOf(place, shape);
    let value = 0;
    for (const ready of this.steps[buffer]!) {
      const { accumulate } = ready.step.nest.output;
      ready.visitWrites(position, () => {
        const written = ready.run();
        value = accumulate ? added(value, written, dtype) : written;
      });
    }
    return store(value, dtype);
  }
}

/** The value of an affine index before the division. */
export function affine(index: AffineIndex, at: Int32Array): number {
  let total = index.offset;
  for (const term of index.terms) total += term.coefficient * at[term.axis]!;
  return total;
}

function readyStep(step: Operation, number: number, operands: readonly Elements[], params: readonly number[]): ReadyStep {
  const { nest } = step;
  const frame: Frame = { at: new Int32Array(nest.axes.length), accumulator: 0 };
  const { at } = frame;
  const extents = nest.axes.map((axis) => axis.extent);
  // An output index with one axis of its own settles that axis; the others are searched, and their indices compared.
  const settled: { readonly d: number; readonly axis: number; readonly coefficient: number; readonly index: AffineIndex }[] = [];
  const compared: { readonly d: number; readonly coordinate: Evaluate }[] = [];
  nest.output.index.forEach((index, d) => {
    const [term, ...others] = index.kind === "affine" ? index.terms : [];
    if (index.kind === "affine" && term !== undefined && others.length === 0 && !settled.some(({ axis }) => axis === term.axis))
      settled.push({ d, axis: term.axis, coefficient: term.coefficient, index });
    else compared.push({ d, coordinate: coordinateOf(index, (value) => compileScalar(value, nest, operands, params)) });
  });
  const open = nest.axes.map((_, axis) => axis).filter((axis) => axis < nest.free && !settled.some((one) => one.axis === axis));
  const visitWrites = (position: readonly number[], visit: () => void): void => {
    for (const { d, axis, coefficient, index } of settled) {
      const value = (position[d]! * index.divisor - index.offset) / coefficient;
      if (!Number.isInteger(value) || value < 0 || value >= extents[axis]!) return;
      at[axis] = value;
    }
    const search = (from: number): void => {
      const axis = open[from];
      if (axis === undefined) {
        for (const { d, coordinate } of compared) if (coordinate(frame) !== position[d]) return;
        visit();
        return;
      }
      for (let value = 0; value < extents[axis]!; value++) {
        at[axis] = value;
        search(from + 1);
      }
    };
    search(0);
  };
  const body = compileScalar(nest.body, nest, operands, params);
  const epilogue = nest.epilogue && compileScalar(nest.epilogue, nest, operands, params);
  const run = (): number => {
    const value = nest.reducer === undefined ? body(frame) : reduce(nest, body, frame, extents);
    if (epilogue === undefined) return value;
    frame.accumulator = value;
    return epilogue(frame);
  };
  return { step, number, frame, extents, body, run, open, visitWrites };
}

function coordinateOf(index: Index, compile: (value: Scalar) => Evaluate): Evaluate {
  if (index.kind === "indirect") return compile(index.value);
  return ({ at }) => affine(index, at) / index.divisor;
}
