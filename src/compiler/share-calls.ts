// Common subexpressions inside operations: an expensive one that several contain becomes one of its own.

import { timeOf } from "../nest/costs.ts";
import type { Index, Nest, Operand, Operation, Scalar } from "../nest/nest.ts";
import { dropUnreadOperands, exactNumbers, identityOutput, type StepGraph } from "../nest/step-graph.ts";
import { isFloat } from "../nest/typing.ts";
import type { Pass } from "./facts.ts";
import { writersPerBuffer } from "./simplify.ts";

/**
 * Written once and read twice, a number costs the memory of two threads about as long as this many instructions cost
 * them.
 */
const LEAST_WEIGHT = 20;

/** One place of a shared expression: which operation computes it. */
interface Occurrence {
  readonly position: number;
  readonly node: Scalar;
}

/**
 * Gives expensive expressions that several operations compute for the same elements an operation of their own, before
 * the first of them.
 */
export const shareCalls: Pass = (graph) => {
  const buffers = [...graph.buffers];
  const made = new Map<number, Operation[]>();
  const loads = graph.operations.map(() => new Map<Scalar, number>());
  for (const found of sharedExpressions(graph)) {
    const [first] = found as [Occurrence, ...Occurrence[]];
    const operation = graph.operations[first.position]!;
    // What is the whole of an operation lies in its output already.
    const whole = found.find(({ position, node }) => {
      const { nest } = graph.operations[position]!;
      return valueOf(nest) === node && nest.output.dtype === "float32";
    });
    if (whole !== undefined && whole !== first) continue;
    const buffer = whole === undefined ? buffers.push({ dtype: "float32", shape: operation.nest.output.shape }) - 1 : operation.writes;
    for (const { position, node } of found.slice(whole === undefined ? 0 : 1)) loads[position]?.set(node, buffer);
    if (whole !== undefined) continue;
    const users = [...new Set(found.map(({ position }) => graph.operations[position]?.nest.name))];
    const { axes, free } = operation.nest;
    const loops = { axes: axes.slice(0, free), reducer: undefined, body: first.node, epilogue: undefined };
    const output = { ...operation.nest.output, dtype: "float32" } as const;
    const nest = { ...operation.nest, ...loops, output, name: `shared by ${users.join(", ")}` };
    made.set(first.position, [...(made.get(first.position) ?? []), tidy({ ...operation, nest, writes: buffer })]);
  }
  const operations = graph.operations.flatMap((operation, position) => [
    ...(made.get(position) ?? []),
    withLoads(operation, loads[position]!),
  ]);
  return { ...graph, buffers, operations };
};

/**
 * The places of every expensive expression that several operations compute, in order. Of expressions within each other
 * the largest, unless a smaller one is nearly all of it and also needed elsewhere: of 1 + tanh x and tanh x, tanh x.
 */
function sharedExpressions(graph: StepGraph): Occurrence[][] {
  const writers = writersPerBuffer(graph);
  const isSettled = (buffer: number): boolean => (writers.get(buffer) ?? 0) <= 1;
  const keys = graph.operations.map((operation) => {
    const output = writesWhole(operation) ? identityOutput(operation.nest) : undefined;
    return output !== undefined && [...operation.reads, operation.writes].every(isSettled)
      ? expensiveIn(operation, output)
      : new Map<Scalar, string>();
  });
  const users = new Map<string, number>();
  for (const found of keys) for (const key of new Set(found.values())) users.set(key, (users.get(key) ?? 0) + 1);
  const isShared = (key: string): boolean => (users.get(key) ?? 0) > 1;
  const uses = usesOf(graph, keys);
  const chosen = new Map<string, Occurrence[]>();
  keys.forEach((found, position) => {
    /** Whether a shared expression within the node, heavy enough to leave little of it, has more uses. */
    const holdsBetter = (node: Scalar, most: number, rest: number): boolean =>
      node.kind === "call" &&
      node.args.some((arg) => {
        const key = found.get(arg);
        const isLight = weightOf(arg) <= rest - LEAST_WEIGHT;
        if (key === undefined || isLight) return false;
        return (isShared(key) && (uses.get(key) ?? 0) > most) || holdsBetter(arg, most, rest);
      });
    const visit = (node: Scalar): void => {
      const key = found.get(node);
      if (key !== undefined && isShared(key) && !holdsBetter(node, uses.get(key) ?? 0, weightOf(node)))
        chosen.set(key, [...(chosen.get(key) ?? []), { position, node }]);
      else if (node.kind === "call") node.args.forEach(visit);
    };
    if (found.size > 0) visit(valueOf(graph.operations[position]!.nest));
  });
  // Where all other places lie within larger shared expressions, nothing is left to share.
  return [...chosen.values()].filter((found) => found.some(({ position }) => position !== found[0]?.position));
}

/** How many expressions, and results, of all operations have an expensive expression as an argument, by its key. */
function usesOf(graph: StepGraph, keys: readonly ReadonlyMap<Scalar, string>[]): Map<string, number> {
  const uses = new Map<string, number>();
  keys.forEach((found, position) => {
    const seen = new Set<Scalar>();
    const use = (node: Scalar): void => {
      const key = found.get(node);
      if (key !== undefined) uses.set(key, (uses.get(key) ?? 0) + 1);
      if (node.kind !== "call" || seen.has(node)) return;
      seen.add(node);
      node.args.forEach(use);
    };
    if (found.size > 0) use(valueOf(graph.operations[position]!.nest));
  });
  return uses;
}

function writesWhole({ nest: { output, operands }, clear }: Operation): boolean {
  return !clear && !output.accumulate && isFloat(output.dtype) && [output, ...operands].every(({ dtype }) => dtype !== "float64");
}

/** What is computed for each element: a map's body, the epilogue of a reduction. */
function valueOf({ reducer, body, epilogue }: Nest): Scalar {
  return epilogue ?? (reducer === undefined ? body : { kind: "accumulator", type: "float" });
}

/**
 * Expensive expressions of an operation's elements, each with a key that is equal for the same numbers at the same
 * elements of outputs of one shape.
 */
function expensiveIn(operation: Operation, output: readonly (number | undefined)[]): Map<Scalar, string> {
  const found = new Map<Scalar, string>();
  const visit = (node: Scalar): void => {
    if (node.kind !== "call") return;
    node.args.forEach(visit);
    const key = node.type === "float" && weightOf(node) >= LEAST_WEIGHT ? keyOf(node, operation, output) : undefined;
    if (key !== undefined) found.set(node, key);
  };
  visit(valueOf(operation.nest));
  return found;
}

/** Random numbers have no weight: they are drawn again rather than kept. */
function weightOf(node: Scalar): number {
  if (node.kind !== "call") return 0;
  return node.args.reduce((sum, argument) => sum + weightOf(argument), node.fn === "uniform" ? 1 : timeOf(node.fn));
}

function keyOf(expression: Scalar, { nest, reads }: Operation, output: readonly (number | undefined)[]): string | undefined {
  let isPlain = true;
  const named = (index: Index): Index => {
    if (index.kind !== "affine") {
      isPlain = false;
      return index;
    }
    // Axes of extent 1 have no dimension, and stand at 0.
    const terms = index.terms.map((term) => ({ ...term, axis: output.indexOf(term.axis) })).filter(({ axis }) => axis >= 0);
    return { ...index, terms: terms.sort((a, b) => a.axis - b.axis) };
  };
  const described = (node: Scalar): unknown => {
    if (node.kind === "call") return { ...node, args: node.args.map(described) };
    if (node.kind === "load")
      return { ...node, operand: reads[node.operand], shape: nest.operands[node.operand]?.shape, index: node.index.map(named) };
    if (node.kind !== "constant" && node.kind !== "param") isPlain = false;
    return node;
  };
  const key = JSON.stringify([nest.output.shape, described(expression)], exactNumbers);
  return isPlain ? key : undefined;
}

/** The operation with the replaced expressions as loads from the buffers that hold them. */
function withLoads(operation: Operation, replaced: ReadonlyMap<Scalar, number>): Operation {
  if (replaced.size === 0) return operation;
  const { nest } = operation;
  const operands: Operand[] = [...nest.operands];
  const reads = [...operation.reads];
  const change = (node: Scalar): Scalar => {
    const buffer = replaced.get(node);
    if (buffer === undefined) return node.kind === "call" ? { ...node, args: node.args.map(change) } : node;
    reads.push(buffer);
    const operand = operands.push({ dtype: "float32", shape: nest.output.shape }) - 1;
    return { kind: "load", operand, index: nest.output.index, fill: 0, type: "float" };
  };
  const value = change(valueOf(nest));
  const changed = nest.reducer === undefined ? { body: value } : { epilogue: value };
  return tidy({ ...operation, nest: { ...nest, ...changed, operands }, reads });
}

function tidy(operation: Operation): Operation {
  return { ...operation, ...dropUnreadOperands(operation.nest, operation.reads) };
}
