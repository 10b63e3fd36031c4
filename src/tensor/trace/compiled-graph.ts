// What compiled functions and their derivatives do with the graph of a program: which cells it needs, and tensors of what it gives.

import type { HostArray } from "../../backends/backend.ts";
import type { StepGraph } from "../../compiler/index.ts";
import type { Operand } from "../../nest/nest.ts";
import { InputError } from "../../util/errors.ts";
import { like } from "../tensor.ts";
import type { Value } from "../value.ts";

/** A cell of a graph: a tensor from outside, and the operand it is. */
export interface UsedCell {
  readonly value: Value;
  readonly operand: Operand;
  readonly buffer: number;
  /** Among all cells of the trace. */
  readonly number: number;
}

/** @throws InputError where the stack is too small, called from deep within other functions, to compile what was traced */
export function withinStack<Result>(name: string, compiling: () => Result): Result {
  try {
    return compiling();
  } catch (cause) {
    // V8 and JavaScriptCore throw a RangeError, SpiderMonkey an InternalError.
    if (!(cause instanceof Error) || !/^(RangeError|InternalError)$/.test(cause.name) || !/stack|recursion/.test(cause.message))
      throw cause;
    throw new InputError(`compile: there is not enough stack left to compile "${name}"`, {
      hint: "call it from a shallower place, start node with --stack-size=2000, or leave compile() away",
      cause,
    });
  }
}

/** Cells that no step needs any more need no memory. */
export function usedCells(graph: StepGraph, values: readonly Value[]): { readonly graph: StepGraph; readonly cells: UsedCell[] } {
  const used = new Set<number>([...graph.results, ...graph.updates.flatMap((update) => [update.cell, update.from])]);
  for (const step of graph.steps) for (const buffer of [...step.reads, step.writes]) used.add(buffer);
  const all = graph.cells.map((buffer, number) => ({ buffer, number })).filter(({ buffer }) => used.has(buffer));
  const cells = all.map(({ buffer, number }) => ({
    value: values[number] as Value,
    operand: graph.buffers[buffer] as Operand,
    buffer,
    number,
  }));
  return { graph: { ...graph, cells: cells.map(({ buffer }) => buffer) }, cells };
}

/** The first results of a run, in the shapes that they were traced with. */
export function tensorsOf(graph: StepGraph, arrays: readonly HostArray[], shapes: readonly (readonly number[])[]): Value[] {
  return arrays.map((array, number) => {
    const { dtype } = graph.buffers[graph.results[number] as number] as Operand;
    return like.make(array, shapes[number] as readonly number[], dtype);
  });
}
