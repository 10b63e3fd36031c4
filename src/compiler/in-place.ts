// Lets an update write into its cell, where it needs only the old number at the same position.

import type { Nest, Operation } from "../nest/nest.ts";
import { expressionsOf, placeText, type StepGraph, scalarsOf } from "../nest/step-graph.ts";
import type { Pass } from "./facts.ts";
import { writersPerBuffer } from "./simplify.ts";

export const updateInPlace: Pass = (graph, { mostTerms }) => {
  const writers = writersPerBuffer(graph);
  const writer = new Map(graph.operations.map((operation, position) => [operation.writes, position]));
  const lastRead = new Map(graph.operations.flatMap((operation, position) => operation.reads.map((buffer) => [buffer, position] as const)));
  const uses = new Map<number, number>();
  const shared = new Set((graph.views ?? []).flatMap(({ buffer, of }) => [buffer, of]));
  for (const { from } of graph.updates) uses.set(from, (uses.get(from) ?? 0) + 1);
  // An update neither reads nor writes what another one is about: each is decided by itself.
  const redirected = graph.updates.filter(({ cell, from }) => {
    const position = writer.get(from) ?? -1;
    const operation = graph.operations[position];
    if (operation === undefined || operation.clear || writers.get(from) !== 1 || uses.get(from) !== 1 || shared.has(from)) return false;
    return sameTypeAndSize(graph, cell, from) && (lastRead.get(cell) ?? -1) <= position && readsOnlyInPlace(operation, cell, mostTerms);
  });
  const target = new Map(redirected.map(({ cell, from }) => [from, cell]));
  const rename = (buffer: number): number => target.get(buffer) ?? buffer;
  return {
    ...graph,
    operations: graph.operations.map((operation) => {
      const cell = rename(operation.writes);
      const nest = cell !== operation.writes && operation.reads.includes(cell) ? writingInPlace(operation.nest) : operation.nest;
      return { ...operation, nest, reads: operation.reads.map(rename), writes: cell };
    }),
    results: graph.results.map(rename),
    updates: graph.updates.filter((update) => !redirected.includes(update)),
  };
};

function writingInPlace(nest: Nest): Nest {
  return { ...nest, output: { ...nest.output, inPlace: true } };
}

function sameTypeAndSize(graph: StepGraph, a: number, b: number): boolean {
  const [left, right] = [graph.buffers[a], graph.buffers[b]];
  return left?.dtype === right?.dtype && left?.shape.join() === right?.shape.join();
}

function readsOnlyInPlace(operation: Operation, cell: number, mostTerms: number): boolean {
  const { nest, reads } = operation;
  if (nest.output.accumulate) return false;
  const loads = expressionsOf(nest)
    .flatMap(scalarsOf)
    .filter((node) => node.kind === "load" && reads[node.operand] === cell);
  if (loads.length === 0) return true;
  if (nest.reducer !== undefined) {
    // In a reduction only the epilogue comes after all reads of its element; for long sums kernels keep unfinished ones
    // in the output.
    const terms = nest.axes.slice(nest.free).reduce((total, axis) => total * axis.extent, 1);
    if (terms > mostTerms || scalarsOf(nest.body).some((node) => loads.includes(node))) return false;
  }
  const target = placeText(nest, nest.output, nest.output.index);
  return loads.every((load) => load.kind === "load" && placeText(nest, nest.operands[load.operand]!, load.index) === target);
}
