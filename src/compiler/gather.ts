// Moves reductions next to earlier ones over the same loops, so that they can be joined.

import type { Operation } from "../nest/nest.ts";
import { placeOf, type StepGraph } from "../nest/step-graph.ts";
import type { MachineFacts, Pass } from "./facts.ts";
import { wouldJoin } from "./join.ts";

/** How far back an operation looks for company. */
const MOST_STEPS = 48;

/** Only reductions move: what they give is small, so that it may lie around longer. */
export const gatherReductions: Pass = (graph, facts) => {
  const operations: Operation[] = [];
  for (const operation of graph.operations) {
    const place = placeFor(graph, facts, operations, operation);
    operations.splice(place, 0, operation);
  }
  return { ...graph, operations };
};

/** Where among the operations before it an operation stands best: behind the last one that it joins, or at the end. */
function placeFor(graph: StepGraph, facts: MachineFacts, before: readonly Operation[], operation: Operation): number {
  const end = before.length;
  if (operation.nest.reducer === undefined) return end;
  for (let place = end; place > Math.max(0, end - MOST_STEPS); place--) {
    const other = before[place - 1]!;
    if (wouldJoin(graph, facts, other, operation)) return place;
    if (!canSwap(graph, other, operation)) return end;
  }
  return end;
}

/** Whether neither writes what the other reads or writes. */
function canSwap(graph: StepGraph, first: Operation, second: Operation): boolean {
  const place = (buffer: number): number => placeOf(graph, buffer).of;
  const written = [place(first.writes), place(second.writes)];
  const touches = (operation: Operation, buffer: number): boolean =>
    [...operation.reads, operation.writes].some((other) => place(other) === buffer);
  return !touches(second, written[0]!) && !touches(first, written[1]!);
}
