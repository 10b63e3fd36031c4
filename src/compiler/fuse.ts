// Fusion by substitution: pointwise producers replace loads of their results, pointwise consumers become epilogues.

import { beyondReach } from "../nest/addressable.ts";
import { isCostly } from "../nest/costs.ts";
import { foldCall } from "../nest/fold.ts";
import type { AffineIndex, Index, Load, Nest, Operand, Operation, Scalar } from "../nest/nest.ts";
import {
  dropUnreadOperands,
  expressionsOf,
  identityOutput,
  mapExpressions,
  type StepGraph,
  scalarsOf,
  transformScalar,
} from "../nest/step-graph.ts";
import type { MachineFacts, Pass } from "./facts.ts";
import { countUses, writersPerBuffer } from "./simplify.ts";
import { asStored, isRounded, storedOnce } from "./stored.ts";

/** Substitution copies a formula to every place where its value is used: x·x of x·x of … would grow without end. */
const MOST_NODES = 256;

/** Puts pointwise producers into their consumers where nothing costly is computed twice. */
export const fuseIntoConsumers: Pass = (graph, facts) => {
  const writers = writersPerBuffer(graph);
  const producers = new Map<number, Operation>();
  const uses = countUses(graph);
  const kept = keptBuffers(graph);
  const volatile = new Set(graph.updates.map((update) => update.cell));
  const operations = graph.operations.map((operation) => {
    let current = operation;
    for (const buffer of new Set(operation.reads)) {
      const producer = producers.get(buffer);
      if (
        producer !== undefined &&
        worthwhile(producer, current, { uses: uses.get(buffer) ?? 0, isKept: kept.has(buffer), mostLoads: facts.mostLoads })
      )
        current = within(facts, inline(producer, current, buffer)) ?? current;
    }
    const whole = writers.get(operation.writes) === 1 && !operation.clear && !current.nest.output.accumulate;
    if (
      whole &&
      current.nest.reducer === undefined &&
      identityOutput(current.nest) &&
      !current.reads.some((buffer) => volatile.has(buffer) && writers.has(buffer))
    )
      producers.set(operation.writes, current);
    return current;
  });
  return { ...graph, operations };
};

/** Makes a map that only reads one reduction's result, element by element, that reduction's epilogue. */
export const fuseEpilogues: Pass = (graph, facts) => {
  const writers = writersPerBuffer(graph);
  const uses = countUses(graph);
  const kept = keptBuffers(graph);
  const operations: (Operation | undefined)[] = graph.operations.slice();
  const writerOf = new Map<number, number>();
  graph.operations.forEach((operation, position) => {
    if (writers.get(operation.writes) === 1) writerOf.set(operation.writes, position);
  });
  for (let position = 0; position < operations.length; position++) {
    const consumer = operations[position];
    if (
      consumer === undefined ||
      consumer.nest.reducer !== undefined ||
      consumer.nest.output.accumulate ||
      consumer.clear ||
      writers.get(consumer.writes) !== 1
    )
      continue;
    for (const buffer of consumer.reads) {
      const from = writerOf.get(buffer);
      const producer = from === undefined ? undefined : operations[from];
      if (
        from === undefined ||
        producer === undefined ||
        producer.nest.reducer === undefined ||
        producer.clear ||
        kept.has(buffer) ||
        (uses.get(buffer) ?? 0) !== 1
      )
        continue;
      if (producer.nest.reducer.startsWith("arg")) continue;
      // The merged operation runs where the consumer stood: what the producer read must still be there (buffers are
      // written once, cells at the end).
      const merged = within(facts, asEpilogue(producer, consumer, buffer));
      if (merged === undefined) continue;
      operations[from] = undefined;
      operations[position] = merged;
      writerOf.set(merged.writes, position);
      break;
    }
  }
  return { ...graph, operations: operations.filter((operation): operation is Operation => operation !== undefined) };
};

/** What is written in any case: it lasts, or lies partly under another name. */
function keptBuffers({ results, updates, views = [] }: StepGraph): Set<number> {
  return new Set([...results, ...updates.map(({ from }) => from), ...views.map(({ of }) => of)]);
}

/** The operation, where a kernel can reach all it reads and writes. */
function within({ mostTensors }: MachineFacts, operation: Operation | undefined): Operation | undefined {
  return operation !== undefined && new Set([...operation.reads, operation.writes]).size <= mostTensors ? operation : undefined;
}

/** What a producer's value is to others, and how far a formula may grow. */
interface Use {
  readonly uses: number;
  readonly isKept: boolean;
  readonly mostLoads: number;
}

function worthwhile(producer: Operation, consumer: Operation, { uses, isKept, mostLoads }: Use): boolean {
  const body = scalarsOf(producer.nest.body);
  const isMove =
    producer.nest.body.kind === "load" &&
    (producer.nest.output.dtype !== "bfloat16" || isRounded(producer.nest.body, producer.nest.operands));
  const costly = body.some((node) => node.kind === "call" && isCostly(node.fn));
  const loads = loadCount(consumer.nest) + body.filter((node) => node.kind === "load").length;
  if (isProductSum(consumer.nest))
    return isMove && !(producer.nest.body as Load).index.some((index) => index.kind === "indirect" || index.checked);
  if (loads > mostLoads) return false;
  if (isMove) return true;
  const elements = consumer.nest.axes.reduce((total, axis) => total * axis.extent, 1);
  const produced = producer.nest.axes.reduce((total, axis) => total * axis.extent, 1);
  if (costly && (uses > 1 || isKept || elements > produced)) return false;
  // What is written anyway is read again faster than computed from several buffers; and an update read so may go into
  // its cell.
  if (isKept && body.filter((node) => node.kind === "load").length > 1) return false;
  return elements <= 2 * produced && (uses <= 2 || body.length <= 4);
}

function loadCount(nest: Nest): number {
  return expressionsOf(nest)
    .flatMap(scalarsOf)
    .filter((node) => node.kind === "load").length;
}

/** A sum of products, which the contraction engine packs: its loads stay plain. */
function isProductSum(nest: Nest): boolean {
  return nest.reducer === "sum" && scalarsOf(nest.body).filter((node) => node.kind === "load").length >= 2;
}

/**
 * The consumer with every load of the buffer replaced by the producer's body; undefined when an index cannot be
 * composed.
 */
function inline(producer: Operation, consumer: Operation, buffer: number): Operation | undefined {
  const output = identityOutput(producer.nest);
  if (output === undefined) return undefined;
  const operands: Operand[] = [...consumer.nest.operands];
  const reads = [...consumer.reads];
  const base = operands.length;
  operands.push(...producer.nest.operands);
  reads.push(...producer.reads);
  let possible = true;
  const change = (expression: Scalar): Scalar =>
    transformScalar(expression, (node) => {
      if (node.kind !== "load" || node.operand >= base || consumer.reads[node.operand] !== buffer) return foldCall(node);
      const replaced = substitute(producer.nest, consumer.nest, output, node, base);
      if (replaced === undefined) possible = false;
      return replaced ?? node;
    });
  const shapes = consumer.reads.every(
    (read, operand) => read !== buffer || sameShape(consumer.nest.operands[operand]!, producer.nest.output),
  );
  if (!shapes) return undefined;
  if (grown(consumer, buffer, producer.nest.body) > MOST_NODES) return undefined;
  const nest = mapExpressions(consumer.nest, change);
  // Indices of indices may grow beyond what kernels count.
  if (!possible || beyondReach({ ...nest, operands }) !== undefined) return undefined;
  return { ...consumer, ...originsOf(producer, consumer), ...dropUnreadOperands(storedOnce({ ...nest, operands }), reads) };
}

/** Nodes of a consumer after every load of the buffer has become the formula. */
function grown(consumer: Operation, buffer: number, formula: Scalar): number {
  const nodes = expressionsOf(consumer.nest).flatMap(scalarsOf);
  const places = nodes.filter((node) => node.kind === "load" && consumer.reads[node.operand] === buffer).length;
  return nodes.length + places * (scalarsOf(formula).length - 1);
}

function sameShape(a: Operand, b: Operand): boolean {
  return a.shape.length === b.shape.length && a.shape.every((extent, d) => extent === b.shape[d]);
}

/** The producer's body at the position a load reads; outside its shape the load's fill. */
function substitute(producer: Nest, consumer: Nest, output: readonly (number | undefined)[], load: Load, base: number): Scalar | undefined {
  const at = new Map<number, AffineIndex>();
  let checked = false;
  for (const [d, index] of load.index.entries()) {
    if (index.kind !== "affine" || index.divisor !== 1) return undefined;
    checked ||= index.checked;
    const axis = output[d];
    if (axis !== undefined) at.set(axis, index);
  }
  const compose = (index: AffineIndex): AffineIndex => {
    const terms = new Map<number, number>();
    let { offset } = index;
    for (const term of index.terms) {
      const inner = at.get(term.axis);
      if (inner === undefined) continue; // an axis of extent 1 stands at 0
      offset += term.coefficient * inner.offset;
      for (const part of inner.terms) terms.set(part.axis, (terms.get(part.axis) ?? 0) + term.coefficient * part.coefficient);
    }
    const sorted = [...terms].filter(([, coefficient]) => coefficient !== 0).sort(([a], [b]) => a - b);
    return { ...index, terms: sorted.map(([axis, coefficient]) => ({ axis, coefficient })), offset, checked: index.checked || checked };
  };
  const composeIndex = (index: Index): Index => (index.kind === "affine" ? compose(index) : index);
  const body = transformScalar(producer.body, (node) => {
    if (node.kind === "load") return { ...node, operand: node.operand + base, index: node.index.map(composeIndex) };
    if (node.kind === "inside") return { ...node, index: node.index.map(composeIndex) };
    if (node.kind === "position") return { ...node, index: { ...compose(node.index), checked: false } };
    return node;
  });
  const stored = asStored(body, producer, consumer);
  if (stored === undefined || stored.type !== load.type) return undefined;
  if (!checked) return stored;
  const inside: Scalar = { kind: "inside", index: load.index, extents: producer.output.shape, type: "bool" };
  return { kind: "call", fn: "select", args: [inside, stored, { kind: "constant", value: load.fill, type: load.type }], type: load.type };
}

/** The producer with the consumer's body as its epilogue; undefined when their loops do not coincide. */
function asEpilogue(producer: Operation, consumer: Operation, buffer: number): Operation | undefined {
  const output = identityOutput(producer.nest);
  if (output === undefined) return undefined;
  const loads = expressionsOf(consumer.nest)
    .flatMap(scalarsOf)
    .filter((node): node is Load => node.kind === "load" && consumer.reads[node.operand] === buffer);
  const [first] = loads;
  if (first === undefined || !loads.every((load) => JSON.stringify(load.index) === JSON.stringify(first.index))) return undefined;
  if (!sameShape(consumer.nest.operands[first.operand]!, producer.nest.output)) return undefined;
  // Each consumer axis must walk exactly one dimension of the buffer, and so one free axis of the producer.
  const axisMap = new Map<number, number>();
  for (const [d, index] of first.index.entries()) {
    if (index.kind !== "affine" || index.divisor !== 1 || index.offset !== 0 || index.checked) return undefined;
    const [term] = index.terms;
    const target = output[d];
    if (index.terms.length > 1 || (term === undefined) !== (target === undefined)) return undefined;
    if (term === undefined || target === undefined) continue;
    if (term.coefficient !== 1 || axisMap.has(term.axis) || consumer.nest.axes[term.axis]!.extent !== producer.nest.axes[target]!.extent)
      return undefined;
    axisMap.set(term.axis, target);
  }
  if (consumer.nest.axes.some((axis, number) => axis.extent !== 1 && !axisMap.has(number))) return undefined;
  const type = producer.nest.epilogue?.type ?? (producer.nest.body.type === "bool" ? "int" : producer.nest.body.type);
  const value: Scalar = producer.nest.epilogue ?? { kind: "accumulator", type };
  const stored = asStored(value, producer.nest, consumer.nest);
  if (stored === undefined || stored.type !== first.type || grown(consumer, buffer, stored) > MOST_NODES) return undefined;
  const base = producer.nest.operands.length;
  const rename = (index: AffineIndex): AffineIndex => ({
    ...index,
    terms: index.terms
      .flatMap((term) => (axisMap.has(term.axis) ? [{ ...term, axis: axisMap.get(term.axis)! }] : []))
      .sort((a, b) => a.axis - b.axis),
  });
  const renameIndex = (index: Index): Index => (index.kind === "affine" ? rename(index) : index);
  const epilogue = transformScalar(consumer.nest.body, (node) => {
    if (node.kind === "load" && consumer.reads[node.operand] === buffer) return stored;
    if (node.kind === "load") return { ...node, operand: node.operand + base, index: node.index.map(renameIndex) };
    if (node.kind === "inside") return { ...node, index: node.index.map(renameIndex) };
    return node.kind === "position" ? { ...node, index: rename(node.index) } : node;
  });
  const nest: Nest = {
    ...producer.nest,
    name: `${producer.nest.name} + ${consumer.nest.name}`,
    operands: [...producer.nest.operands, ...consumer.nest.operands],
    epilogue,
    output: { ...consumer.nest.output, index: consumer.nest.output.index.map(renameIndex) },
  };
  return { ...consumer, ...originsOf(producer, consumer), ...dropUnreadOperands(storedOnce(nest), [...producer.reads, ...consumer.reads]) };
}

/** A fused operation says all it does, in the order of the program. */
function originsOf({ origins: first = [] }: Operation, { origins: second = [] }: Operation): Pick<Operation, "origins"> {
  return { origins: [...new Set([...first, ...second])] };
}
