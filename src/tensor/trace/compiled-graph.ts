// Shared by compiled functions and their derivatives: the cells of a program, and tensors from its results.

import type { Backend, BackendBuffer, Executable } from "../../backends/backend.ts";
import { backendFor } from "../../backends/choose.ts";
import { optimize, type Plan, planGraph, type StepGraph } from "../../compiler/index.ts";
import type { Operand } from "../../nest/nest.ts";
import { InputError } from "../../util/errors.ts";
import { numbersOf } from "../engine.ts";
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

/**
 * @throws InputError where the stack is too small, called from deep within other functions, to compile what was traced
 */
function withinStack<Result>(name: string, compiling: () => Result): Result {
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

/** What a traced graph becomes on the backend that computes its dtypes. */
export interface Planned {
  readonly backend: Backend;
  readonly plan: Plan;
  readonly cells: readonly UsedCell[];
}

/** @param values the tensors in the graph's cells */
export function planTraced(graph: StepGraph, values: readonly Value[], seen?: (pass: string, graph: StepGraph) => void): Planned {
  const backend = backendFor(graph.buffers);
  const plan = withinStack(graph.name, () => planGraph(optimize(graph, backend.facts, seen), backend.facts));
  const cells = plan.graph.cells.map((buffer): UsedCell => {
    const number = graph.cells.indexOf(buffer);
    return { value: values[number]!, operand: graph.buffers[buffer]!, buffer, number };
  });
  return { backend, plan, cells };
}

/** A program that is to run again and again. @throws BackendError where there is no room for it */
export function compilePlanned({ backend, plan }: Planned): Executable {
  return withinStack(plan.graph.name, () => {
    const executable = backend.compile(plan);
    executable.keep();
    return executable;
  });
}

/** The first results of a run, in the shapes that they were traced with. */
export function tensorsOf(
  graph: StepGraph,
  results: readonly BackendBuffer[],
  backend: Backend,
  shapes: readonly (readonly number[])[],
): Value[] {
  return results.map((result, number) => {
    const { dtype } = graph.buffers[graph.results[number] as number]!;
    return like.make(numbersOf(result, backend), shapes[number]!, dtype);
  });
}
