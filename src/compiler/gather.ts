// Moves reductions next to earlier ones over the same loops, so that they can be joined.

import type { Step } from "../nest/nest.ts";
import { placeOf, type StepGraph } from "../nest/step-graph.ts";
import type { MachineFacts, Pass } from "./facts.ts";
import { wouldJoin } from "./join.ts";

/** How far back a step looks for company. */
const MOST_STEPS = 48;

/** Only reductions move: what they give is small, so that it may lie around longer. */
export const gatherReductions: Pass = (graph, facts) => {
  const steps: Step[] = [];
  for (const step of graph.steps) {
    const place = placeFor(graph, facts, steps, step);
    steps.splice(place, 0, step);
  }
  return { ...graph, steps };
};

/** Where among the steps before it a step stands best: behind the last one that it joins, or at the end. */
function placeFor(graph: StepGraph, facts: MachineFacts, before: readonly Step[], step: Step): number {
  const end = before.length;
  if (step.nest.reducer === undefined) return end;
  for (let place = end; place > Math.max(0, end - MOST_STEPS); place--) {
    const other = before[place - 1] as Step;
    if (wouldJoin(graph, facts, other, step)) return place;
    if (!canSwap(graph, other, step)) return end;
  }
  return end;
}

/** Whether neither writes what the other reads or writes. */
function canSwap(graph: StepGraph, first: Step, second: Step): boolean {
  const place = (buffer: number): number => placeOf(graph, buffer).of;
  const written = [place(first.writes), place(second.writes)];
  const touches = (step: Step, buffer: number): boolean => [...step.reads, step.writes].some((other) => place(other) === buffer);
  return !touches(second, written[0] as number) && !touches(first, written[1] as number);
}
