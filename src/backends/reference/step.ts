// A compiled step on the reference backend: the nests interpreted one after another over host arrays.

import { allocate, type NumberArray, requireLength } from "../../nest/arrays.ts";
import { evaluateNest, sizeOfShape } from "../../nest/evaluate.ts";
import type { Operand } from "../../nest/nest.ts";
import { placeOf, type StepGraph, unitsOf } from "../../nest/step-graph.ts";
import type { Cell, HostArray, StepExecutable } from "../backend.ts";

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

export function referenceStep(graph: StepGraph, listing: () => string): StepExecutable {
  const written = new Set(graph.steps.map((step) => placeOf(graph, step.writes).of));
  return {
    arenaBytes: 0,
    listing,
    free: () => {},
    run: (inputs, cells, params, timer) => {
      const buffers: (NumberArray | undefined)[] = graph.buffers.map((operand, number) =>
        written.has(number) && !graph.cells.includes(number) ? allocate(operand.dtype, sizeOfShape(operand.shape)) : undefined,
      );
      graph.inputs.forEach((buffer, number) => {
        const values = inputs[number] as HostArray;
        requireLength(values, sizeOfShape((graph.buffers[buffer] as Operand).shape));
        buffers[buffer] = values;
      });
      graph.cells.forEach((buffer, number) => {
        buffers[buffer] = (cells[number] as HostCell).data;
      });
      for (const { buffer } of graph.views ?? []) {
        const { of, offset } = placeOf(graph, buffer);
        buffers[buffer] = buffers[of]?.subarray(offset, offset + sizeOfShape((graph.buffers[buffer] as Operand).shape));
      }
      const array = (buffer: number): NumberArray => buffers[buffer] as NumberArray;
      unitsOf(graph).forEach(({ steps }, number) => {
        const start = performance.now();
        for (const step of steps) {
          if (step.clear) array(step.writes).fill(0);
          evaluateNest(step.nest, step.reads.map(array), array(step.writes), params);
        }
        timer?.(number, performance.now() - start);
      });
      for (const { cell, from } of graph.updates) array(cell).set(array(from));
      return graph.results.map((buffer) => array(buffer).slice() as HostArray);
    },
  };
}
