// What a backend compiles: the kernels of a graph in order, one nest each, and the place of every buffer.

import type { Program } from "../nest/nest.ts";
import { type KernelOperations, type StepGraph, type Unit, unitsOf } from "../nest/step-graph.ts";
import type { MachineFacts } from "./facts.ts";
import { type MemoryPlan, planMemory } from "./memory.ts";
import { type MergedOperation, mergeOperations } from "./merge.ts";

export interface Plan {
  readonly graph: StepGraph;
  readonly units: readonly PlannedUnit[];
  readonly memory: MemoryPlan;
}

/** One kernel: the operations it does, and the one nest that does them. */
export interface PlannedKernel extends KernelOperations, MergedOperation {}

export interface PlannedUnit extends Unit {
  readonly kernels: readonly PlannedKernel[];
}

/** The last thing that is done with a graph before a backend compiles it. */
export function planGraph(graph: StepGraph, facts: MachineFacts): Plan {
  const units = unitsOf(graph).map(
    (unit): PlannedUnit => ({
      ...unit,
      kernels: unit.kernels.map((kernel) => ({ ...kernel, ...mergeOperations(kernel) })),
    }),
  );
  return { graph, units, memory: planMemory(graph, facts) };
}

/** Bound programs run as they are: what an op computes does not depend on what stands around it. */
export function planProgram(program: Program, facts: MachineFacts): Plan {
  return planGraph(graphOf(program), facts);
}

export function graphOf({ name, inputs, buffers, result, params, operations }: Program): StepGraph {
  return { name, buffers, inputs: inputs.map((_, number) => number), cells: [], updates: [], results: [result], params, operations };
}
