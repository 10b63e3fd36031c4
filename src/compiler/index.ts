// The passes over a graph, in order. Each is pure and has a file of its own.

import type { StepGraph } from "../nest/step-graph.ts";
import { foldConstants } from "./constants.ts";
import type { MachineFacts, Pass } from "./facts.ts";
import { fuseEpilogues, fuseIntoConsumers } from "./fuse.ts";
import { gatherReductions } from "./gather.ts";
import { updateInPlace } from "./in-place.ts";
import { joinLoops } from "./join.ts";
import { groupRows } from "./rows.ts";
import { shareCalls } from "./share-calls.ts";
import { dropUnusedCells, eliminateCommonSubexpressions, eliminateDeadCode } from "./simplify.ts";
import { placePieces, viewSlices } from "./views.ts";

export { type RowGroup, type StepGraph, type Unit, type Update, unitsOf } from "../nest/step-graph.ts";
export { bytesOn, type MachineFacts, type Pass } from "./facts.ts";
export { type MemoryPlan, planMemory } from "./memory.ts";
export { graphOf, type Plan, planGraph, planProgram } from "./plan.ts";
export { printGraph } from "./print.ts";

/** Names of the passes in the order they run, for `--show`. */
export const PASSES: readonly { readonly name: string; readonly pass: Pass }[] = [
  { name: "constants", pass: foldConstants },
  { name: "share", pass: eliminateCommonSubexpressions },
  { name: "drop", pass: eliminateDeadCode },
  { name: "slices", pass: viewSlices },
  // First epilogues: an activation that belongs to its contraction must not be drawn into several consumers instead.
  { name: "epilogues", pass: fuseEpilogues },
  { name: "fuse", pass: fuseIntoConsumers },
  { name: "drop-fused", pass: eliminateDeadCode },
  { name: "epilogues-of-fused", pass: fuseEpilogues },
  { name: "calls", pass: shareCalls },
  { name: "pieces", pass: placePieces },
  { name: "in-place", pass: updateInPlace },
  { name: "gather", pass: gatherReductions },
  { name: "rows", pass: groupRows },
  { name: "join", pass: joinLoops },
  { name: "cells", pass: dropUnusedCells },
];

/** Runs the passes; `seen` is shown the graph after each. */
export function optimize(graph: StepGraph, facts: MachineFacts, seen: (name: string, graph: StepGraph) => void = () => {}): StepGraph {
  let current = graph;
  for (const { name, pass } of PASSES) {
    current = pass(current, facts);
    seen(name, current);
  }
  return current;
}
