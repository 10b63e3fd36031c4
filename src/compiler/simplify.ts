// Common subexpression and dead code elimination between steps.

import { keyOfNest, placeOf, type StepGraph } from "../nest/step-graph.ts";
import type { Pass } from "./facts.ts";

/** Common subexpressions: of several equal steps on equal buffers the first is kept, except of what a checkpoint computes again. */
export const shareEqualSteps: Pass = (graph) => {
  const pieces = writersPerBuffer(graph);
  const replaced = new Map<number, number>();
  const known = new Map<string, number>();
  const resolve = (buffer: number): number => replaced.get(buffer) ?? buffer;
  const steps = graph.steps.flatMap((step) => {
    const reads = step.reads.map(resolve);
    const whole = pieces.get(step.writes) === 1 && !step.clear;
    const key = whole ? `${step.again ?? ""}|${reads}|${keyOfNest(step.nest)}` : "";
    const twin = whole ? known.get(key) : undefined;
    if (twin !== undefined) {
      replaced.set(step.writes, twin);
      return [];
    }
    if (whole) known.set(key, step.writes);
    return [{ ...step, reads }];
  });
  return {
    ...graph,
    steps,
    results: graph.results.map(resolve),
    updates: graph.updates.map(({ cell, from }) => ({ cell, from: resolve(from) })),
  };
};

/** Dead code: a step stays when a result, a cell, an update or a step that stays needs what it writes. */
export const dropUnusedSteps: Pass = (graph) => {
  const place = (buffer: number): number => placeOf(graph, buffer).of;
  const needed = new Set<number>([...graph.results, ...graph.cells, ...graph.updates.map((update) => update.from)].map(place));
  const kept = graph.steps
    .slice()
    .reverse()
    .filter((step) => {
      if (!needed.has(place(step.writes))) return false;
      for (const buffer of step.reads) needed.add(place(buffer));
      return true;
    });
  return { ...graph, steps: kept.reverse() };
};

/** Cells that no step needs any more need no memory. */
export const dropUnusedCells: Pass = (graph) => {
  const used = new Set([...graph.results, ...graph.updates.flatMap(({ cell, from }) => [cell, from])]);
  for (const { reads, writes } of graph.steps) for (const buffer of [...reads, writes]) used.add(buffer);
  return { ...graph, cells: graph.cells.filter((cell) => used.has(cell)) };
};

export function writersPerBuffer(graph: StepGraph): Map<number, number> {
  const count = new Map<number, number>();
  for (const step of graph.steps) count.set(step.writes, (count.get(step.writes) ?? 0) + 1);
  return count;
}

/** How many steps read each buffer. */
export function countUses(graph: StepGraph): Map<number, number> {
  const uses = new Map<number, number>();
  for (const step of graph.steps) for (const buffer of new Set(step.reads)) uses.set(buffer, (uses.get(buffer) ?? 0) + 1);
  return uses;
}
