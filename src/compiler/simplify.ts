// Common subexpression and dead code elimination between operations.

import { keyOfNest, placeOf, type StepGraph } from "../nest/step-graph.ts";
import type { Pass } from "./facts.ts";

/**
 * Common subexpressions: of several equal operations on equal buffers the first is kept, except of what a checkpoint
 * computes again.
 */
export const eliminateCommonSubexpressions: Pass = (graph) => {
  const pieces = writersPerBuffer(graph);
  const replaced = new Map<number, number>();
  const known = new Map<string, number>();
  const resolve = (buffer: number): number => replaced.get(buffer) ?? buffer;
  const operations = graph.operations.flatMap((operation) => {
    const reads = operation.reads.map(resolve);
    const whole = pieces.get(operation.writes) === 1 && !operation.clear;
    const key = whole ? `${operation.again ?? ""}|${reads}|${keyOfNest(operation.nest)}` : "";
    const twin = whole ? known.get(key) : undefined;
    if (twin !== undefined) {
      replaced.set(operation.writes, twin);
      return [];
    }
    if (whole) known.set(key, operation.writes);
    return [{ ...operation, reads }];
  });
  return {
    ...graph,
    operations,
    results: graph.results.map(resolve),
    updates: graph.updates.map(({ cell, from }) => ({ cell, from: resolve(from) })),
  };
};

/** Dead code: an operation stays when a result, a cell, an update or an operation that stays needs what it writes. */
export const eliminateDeadCode: Pass = (graph) => {
  const place = (buffer: number): number => placeOf(graph, buffer).of;
  const needed = new Set<number>([...graph.results, ...graph.cells, ...graph.updates.map((update) => update.from)].map(place));
  const kept = graph.operations
    .slice()
    .reverse()
    .filter((operation) => {
      if (!needed.has(place(operation.writes))) return false;
      for (const buffer of operation.reads) needed.add(place(buffer));
      return true;
    });
  return { ...graph, operations: kept.reverse() };
};

/** Cells that no operation needs any more need no memory. */
export const dropUnusedCells: Pass = (graph) => {
  const used = new Set([...graph.results, ...graph.updates.flatMap(({ cell, from }) => [cell, from])]);
  for (const { reads, writes } of graph.operations) for (const buffer of [...reads, writes]) used.add(buffer);
  return { ...graph, cells: graph.cells.filter((cell) => used.has(cell)) };
};

export function writersPerBuffer(graph: StepGraph): Map<number, number> {
  const count = new Map<number, number>();
  for (const operation of graph.operations) count.set(operation.writes, (count.get(operation.writes) ?? 0) + 1);
  return count;
}

/** How many operations read each buffer. */
export function countUses(graph: StepGraph): Map<number, number> {
  const uses = new Map<number, number>();
  for (const operation of graph.operations) for (const buffer of new Set(operation.reads)) uses.set(buffer, (uses.get(buffer) ?? 0) + 1);
  return uses;
}
