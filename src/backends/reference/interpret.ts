// Runs a program on the reference backend: interprets its nests in order over host arrays.

import { allocate, type NumberArray, requireLength } from "../../nest/arrays.ts";
import { evaluateNest, sizeOfShape } from "../../nest/evaluate.ts";
import type { Operand } from "../../nest/nest.ts";
import { placeOf, type StepGraph, unitsOf } from "../../nest/step-graph.ts";
import type { BackendBuffer, Cell, HostArray, StepTimer } from "../backend.ts";

export class HostCell implements Cell {
  readonly data: HostArray;

  constructor(operand: Operand) {
    this.data = allocate(operand.dtype, sizeOfShape(operand.shape));
  }

  read(): HostArray {
    return this.data.slice() as HostArray;
  }

  write(data: HostArray): void {
    requireLength(data, this.data.length);
    this.data.set(data);
  }

  free(): void {}
}

export function interpret(
  graph: StepGraph,
  inputs: readonly BackendBuffer[],
  cells: readonly Cell[],
  params: readonly number[],
  timer?: StepTimer,
): HostArray[] {
  const buffers = new Map<number, NumberArray>();
  graph.inputs.forEach((buffer, number) => {
    const values = inputs[number] as HostArray;
    requireLength(values, sizeOfShape((graph.buffers[buffer] as Operand).shape));
    buffers.set(buffer, values);
  });
  graph.cells.forEach((buffer, number) => {
    buffers.set(buffer, (cells[number] as HostCell).data);
  });
  const given = new Set(buffers.values());
  const array = (buffer: number): NumberArray => {
    let found = buffers.get(buffer);
    if (found === undefined) {
      const { of, offset } = placeOf(graph, buffer);
      const { dtype, shape } = graph.buffers[buffer] as Operand;
      found = of === buffer ? allocate(dtype, sizeOfShape(shape)) : array(of).subarray(offset, offset + sizeOfShape(shape));
      buffers.set(buffer, found);
    }
    return found;
  };
  const times = unitsOf(graph).map(({ operations }) => {
    const start = performance.now();
    for (const operation of operations) {
      if (operation.clear) array(operation.writes).fill(0);
      evaluateNest(operation.nest, operation.reads.map(array), array(operation.writes), params);
    }
    return performance.now() - start;
  });
  for (const { cell, from } of graph.updates) array(cell).set(array(from));
  times.forEach((milliseconds, unit) => {
    timer?.(unit, milliseconds);
  });
  return graph.results.map((buffer) => owned(array(buffer), given));
}

/** An array that is the caller's alone: itself, unless it was given, or handed out before. */
function owned(array: NumberArray, given: Set<NumberArray>): HostArray {
  if (given.has(array)) return array.slice() as HostArray;
  given.add(array);
  return array;
}
