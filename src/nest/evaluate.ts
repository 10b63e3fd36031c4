// Interprets bound programs in plain loops and double precision: this defines what a formula means.

import { allocate, type NumberArray } from "./arrays.ts";
import { roundToBfloat16 } from "./bfloat16.ts";
import { FUNCTIONS } from "./functions.ts";
import { identityOf } from "./identity.ts";
import { nearestInteger } from "./integers.ts";
import type { DType, Index, Nest, Operand, Program, Scalar } from "./nest.ts";

export function sizeOfShape(shape: readonly number[]): number {
  return shape.reduce((total, extent) => total * extent, 1);
}

/** Runs a program; values are rounded only where they are stored. */
export function evaluateProgram(program: Program, inputs: readonly NumberArray[], params: readonly number[]): NumberArray {
  const buffers = program.buffers.map((buffer, number) => inputs[number] ?? allocate(buffer.dtype, sizeOfShape(buffer.shape)));
  for (const operation of program.operations) {
    const target = buffers[operation.writes]!;
    if (operation.clear) target.fill(0);
    evaluateNest(
      operation.nest,
      operation.reads.map((number) => buffers[number]!),
      target,
      params,
    );
  }
  return buffers[program.result]!;
}

/** Where a nest stands while it runs. */
export interface Frame {
  /** The present iteration of every axis. */
  readonly at: Int32Array;
  accumulator: number;
}

/** A part of a nest, ready to run. */
export type Evaluate = (frame: Frame) => number;

/** A tensor that is read: its elements, or what computes the one at a place. */
export type Elements = NumberArray | ((place: number) => number);

/** Runs one nest into its target. */
export function evaluateNest(nest: Nest, operands: readonly NumberArray[], target: NumberArray, params: readonly number[]): void {
  const frame: Frame = { at: new Int32Array(nest.axes.length), accumulator: 0 };
  const compile = (scalar: Scalar): Evaluate => compileScalar(scalar, nest, operands, params);
  const body = compile(nest.body);
  const epilogue = nest.epilogue === undefined ? undefined : compile(nest.epilogue);
  const address = compileAddress(nest.output.index, nest.output, compile);
  const extents = nest.axes.map((axis) => axis.extent);
  const { dtype, accumulate } = nest.output;
  loop(frame.at, extents, 0, nest.free, () => {
    let value = nest.reducer === undefined ? body(frame) : reduce(nest, body, frame, extents);
    if (epilogue) {
      frame.accumulator = value;
      value = epilogue(frame);
    }
    const place = address(frame);
    if (place < 0) return;
    target[place] = store(accumulate ? added(target[place]!, value, dtype) : value, dtype);
  });
}

/** What adding to an element comes to before it is stored; integers wrap around. */
export function added(before: number, value: number, dtype: DType): number {
  return dtype === "int32" || dtype === "uint8" ? (before + nearestInteger(value, "int32")) | 0 : before + value;
}

/** A number as a tensor of the dtype holds it. */
export function store(value: number, dtype: DType): number {
  switch (dtype) {
    case "float64":
      return value;
    case "float32":
      return Math.fround(value);
    case "bfloat16":
      return roundToBfloat16(value);
    case "bool":
      return Number(value !== 0);
    case "int32":
    case "uint8":
      return nearestInteger(value, dtype);
  }
}

/** What a nest's reduction gives where the frame stands. */
export function reduce(nest: Nest, body: Evaluate, frame: Frame, extents: readonly number[]): number {
  let total = identityOf(nest.reducer ?? "sum", nest.body.type);
  const isInt = nest.body.type === "int";
  let step = 0;
  let best = 0;
  loop(frame.at, extents, nest.free, extents.length, () => {
    const value = body(frame);
    switch (nest.reducer) {
      case "sum":
        total = isInt ? (total + value) | 0 : total + value;
        break;
      case "prod":
        total = isInt ? Math.imul(total, value) : total * value;
        break;
      case "max":
        total = Math.max(total, value);
        break;
      case "min":
        total = Math.min(total, value);
        break;
      default: {
        const better = nest.reducer === "argmax" ? value > total : value < total;
        if ((step === 0 || better || Number.isNaN(value)) && !Number.isNaN(total)) {
          total = value;
          best = step;
        }
      }
    }
    step++;
  });
  return nest.reducer === "argmax" || nest.reducer === "argmin" ? best : total;
}

/** Steps through the axes `from` … `to` − 1, the last fastest. */
export function loop(at: Int32Array, extents: readonly number[], from: number, to: number, visit: () => void): void {
  if (from === to) {
    visit();
    return;
  }
  const extent = extents[from]!;
  for (let step = 0; step < extent; step++) {
    at[from] = step;
    loop(at, extents, from + 1, to, visit);
  }
}

/** Makes an expression of a nest ready to run. */
export function compileScalar(scalar: Scalar, nest: Nest, operands: readonly Elements[], params: readonly number[]): Evaluate {
  const compile = (child: Scalar): Evaluate => compileScalar(child, nest, operands, params);
  switch (scalar.kind) {
    case "constant":
      return () => scalar.value;
    case "param": {
      const value = params[scalar.param]!;
      return () => value;
    }
    case "accumulator":
      return (frame) => frame.accumulator;
    case "position":
      return compileIndex(scalar.index, Number.POSITIVE_INFINITY, compile, true);
    case "inside": {
      const checks = scalar.index.map((index, d) => compileIndex(index, scalar.extents[d]!, compile));
      return (frame) => Number(checks.every((check) => check(frame) >= 0));
    }
    case "load": {
      const array = operands[scalar.operand]!;
      const address = compileAddress(scalar.index, nest.operands[scalar.operand]!, compile);
      if (typeof array === "function")
        return (frame) => {
          const place = address(frame);
          return place < 0 ? scalar.fill : array(place);
        };
      return (frame) => {
        const place = address(frame);
        return place < 0 ? scalar.fill : array[place]!;
      };
    }
    case "call": {
      const args = scalar.args.map(compile);
      const { evaluate } = FUNCTIONS[scalar.fn];
      const [a, b, c, d] = args;
      if (scalar.fn === "select" && a && b && c) return (frame) => (a(frame) !== 0 ? b(frame) : c(frame));
      const wrap: (value: number) => number = scalar.type === "int" && scalar.fn !== "int" ? (value) => value | 0 : (value) => value;
      if (scalar.type === "int" && scalar.fn === "mul" && a && b) return (frame) => Math.imul(a(frame), b(frame));
      if (d && a && b && c) return (frame) => evaluate(a(frame), b(frame), c(frame), d(frame));
      if (b && a) return (frame) => wrap(evaluate(a(frame), b(frame), 0, 0));
      return (frame) => wrap(evaluate((a as Evaluate)(frame), 0, 0, 0));
    }
  }
}

/** The flat position of an access, or −1 when it is invalid. */
export function compileAddress(index: readonly Index[], operand: Operand, compile: (scalar: Scalar) => Evaluate): Evaluate {
  const { shape } = operand;
  const strides = shape.map((_, d) => sizeOfShape(shape.slice(d + 1)));
  // What needs no check is one sum over the axes.
  let start = 0;
  const axes: number[] = [];
  const steps: number[] = [];
  const checked: Evaluate[] = [];
  const checkedStrides: number[] = [];
  index.forEach((item, d) => {
    const stride = strides[d]!;
    if (item.kind === "affine" && !item.checked) {
      start += item.offset * stride;
      for (const { axis, coefficient } of item.terms) {
        axes.push(axis);
        steps.push(coefficient * stride);
      }
    } else {
      checked.push(compileIndex(item, shape[d]!, compile));
      checkedStrides.push(stride);
    }
  });
  return (frame) => {
    const { at } = frame;
    let place = start;
    for (let n = 0; n < axes.length; n++) place += steps[n]! * at[axes[n] as number]!;
    for (let n = 0; n < checked.length; n++) {
      const coordinate = checked[n]!(frame);
      if (coordinate < 0) return -1;
      place += coordinate * checkedStrides[n]!;
    }
    return place;
  };
}

/** One coordinate, or −1 when it is not in [0, extent) or not a whole number. */
function compileIndex(index: Index, extent: number, compile: (scalar: Scalar) => Evaluate, raw = false): Evaluate {
  if (index.kind === "indirect") {
    const value = compile(index.value);
    return (frame) => {
      const coordinate = value(frame);
      return coordinate >= 0 && coordinate < extent ? coordinate : -1;
    };
  }
  const { terms, offset, divisor } = index;
  return (frame) => {
    let total = offset;
    for (const term of terms) total += term.coefficient * frame.at[term.axis]!;
    if (raw) return total;
    if (total < 0 || total % divisor !== 0) return -1;
    const coordinate = total / divisor;
    return coordinate < extent ? coordinate : -1;
  };
}
