// Lets an update write straight into its cell where the new numbers only need the old ones at the same position.

import type { Index, Nest, Step } from "../formula/nest.ts";
import { expressionsOf, type Pass, type StepGraph, scalarsOf } from "./graph.ts";
import { writersPerBuffer } from "./simplify.ts";

/** A longer sum is better taken in blocks, which are added up in the output, than in one go. */
const MOST_TERMS = 256;

export const updateInPlace: Pass = (graph) => {
  let current = graph;
  for (const update of graph.updates) current = redirect(current, update.cell) ?? current;
  return current;
};

function redirect(graph: StepGraph, cell: number): StepGraph | undefined {
  const update = graph.updates.find((candidate) => candidate.cell === cell);
  if (update === undefined || graph.updates.filter((other) => other.from === update.from).length !== 1) return undefined;
  const { from } = update;
  const position = graph.steps.findIndex((step) => step.writes === from);
  const step = graph.steps[position];
  if (step === undefined || step.clear || writersPerBuffer(graph).get(from) !== 1 || !sameTypeAndSize(graph, cell, from)) return undefined;
  const later = graph.steps.slice(position + 1);
  if (later.some((other) => other.reads.includes(cell)) || !readsOnlyInPlace(step, cell)) return undefined;
  const rename = (buffer: number): number => (buffer === from ? cell : buffer);
  return {
    ...graph,
    steps: graph.steps.map((other) =>
      other === step
        ? { ...other, nest: step.reads.includes(cell) ? writingInPlace(step.nest) : step.nest, writes: cell }
        : { ...other, reads: other.reads.map(rename) },
    ),
    results: graph.results.map(rename),
    updates: graph.updates.filter((other) => other !== update),
  };
}

function writingInPlace(nest: Nest): Nest {
  return { ...nest, output: { ...nest.output, inPlace: true } };
}

function sameTypeAndSize(graph: StepGraph, a: number, b: number): boolean {
  const [left, right] = [graph.buffers[a], graph.buffers[b]];
  return left?.dtype === right?.dtype && left?.shape.join() === right?.shape.join();
}

function readsOnlyInPlace(step: Step, cell: number): boolean {
  const { nest, reads } = step;
  if (nest.output.accumulate) return false;
  const loads = expressionsOf(nest)
    .flatMap(scalarsOf)
    .filter((node) => node.kind === "load" && reads[node.operand] === cell);
  if (loads.length === 0) return true;
  if (nest.reducer !== undefined) {
    // In a reduction only the epilogue comes after all reads of its element; for long sums kernels keep unfinished ones in the output.
    const terms = nest.axes.slice(nest.free).reduce((total, axis) => total * axis.extent, 1);
    if (terms > MOST_TERMS || scalarsOf(nest.body).some((node) => loads.includes(node))) return false;
  }
  const target = text(nest, nest.output.index);
  return loads.every(
    (load) =>
      load.kind === "load" && nest.operands[load.operand]?.shape.join() === nest.output.shape.join() && text(nest, load.index) === target,
  );
}

function text(nest: Nest, index: readonly Index[]): string {
  return JSON.stringify(
    index.map((item) =>
      item.kind === "affine" ? [item.terms.filter((term) => nest.axes[term.axis]?.extent !== 1), item.offset, item.divisor] : item,
    ),
  );
}
