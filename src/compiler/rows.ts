// Row groups: operations that need only their own row of each other run together, one block of rows at a time.

import { sizeOfShape } from "../nest/evaluate.ts";
import type { AffineIndex, Index, Operation } from "../nest/nest.ts";
import { expressionsOf, lastingBuffers, overlap, type RowGroup, type StepGraph, scalarsOf } from "../nest/step-graph.ts";
import { bytesOn, type MachineFacts, type Pass, type RowLimits } from "./facts.ts";
import { isPlain } from "./plain.ts";

/** A group takes no more operations: every operation is tried as the first of one, with all that could follow. */
const MOST_STEPS = 128;

/**
 * Softmax, normalizations, losses and their gradients: every operation of them needs of the others only what belongs to
 * its own row.
 */
export const groupRows: Pass = (graph, facts) => {
  const limits = facts.rows;
  if (limits === undefined) return graph;
  const groups: RowGroup[] = [];
  for (let first = 0; first < graph.operations.length; ) {
    const group = groupAt(graph, first, limits, facts);
    if (group !== undefined) groups.push(group);
    first += group?.axes.length ?? 1;
  }
  return groups.length === 0 ? graph : { ...graph, groups };
};

/** The longest group that begins with an operation and is worth it. */
function groupAt(graph: StepGraph, first: number, limits: RowLimits, facts: MachineFacts): RowGroup | undefined {
  const { nest } = graph.operations[first]!;
  let longest: RowGroup | undefined;
  for (let axis = 0; axis < nest.free; axis++) {
    const { extent } = nest.axes[axis]!;
    if (extent < limits.leastBlocks) continue;
    const members = new Members(graph, extent);
    const end = Math.min(graph.operations.length, first + MOST_STEPS);
    let next = first;
    while (next < end && members.add(graph.operations[next]!, next === first ? axis : undefined)) next++;
    if (members.axes.length > Math.max(1, longest?.axes.length ?? 0)) longest = measured(graph, first, members, limits, facts) ?? longest;
  }
  return longest;
}

/** Operations taken into a group so far, and how they reach their buffers. */
class Members {
  readonly extent: number;
  readonly axes: number[] = [];
  /** How many elements the rows of a buffer lie apart; undefined where some read is not of its own row. */
  readonly rows = new Map<number, number | undefined>();
  readonly written = new Set<number>();
  readonly touched = new Map<number, number>();
  readonly #graph: StepGraph;

  constructor(graph: StepGraph, extent: number) {
    this.#graph = graph;
    this.extent = extent;
  }

  /** @param axis of the rows; undefined: whichever fits what the others do */
  add(operation: Operation, axis: number | undefined): boolean {
    if (!isPlain(operation) || this.#overlaps(operation)) return false;
    const candidates = axis === undefined ? [...operation.nest.axes.keys()].slice(0, operation.nest.free) : [axis];
    const found = candidates.find((candidate) => this.#fits(operation, candidate, axis === undefined));
    if (found === undefined) return false;
    for (const [buffer, stride] of readsOf(operation, found)) {
      this.rows.set(buffer, this.rows.has(buffer) && this.rows.get(buffer) !== stride ? undefined : stride);
      this.touched.set(buffer, (this.touched.get(buffer) ?? 0) + 1);
    }
    this.rows.set(operation.writes, rowStride(operation.nest.output.index, operation.nest.output.shape, found, this.extent));
    this.written.add(operation.writes);
    this.touched.set(operation.writes, (this.touched.get(operation.writes) ?? 0) + 1);
    this.axes.push(found);
    return true;
  }

  #overlaps({ reads, writes }: Operation): boolean {
    if (this.#graph.views === undefined) return false;
    return overlap(this.#graph, new Set([...this.touched.keys(), ...reads, writes]), new Set([...this.written, writes]));
  }

  #fits(operation: Operation, axis: number, mustMeet: boolean): boolean {
    const { nest } = operation;
    if (nest.axes[axis]!.extent !== this.extent) return false;
    const own = rowStride(nest.output.index, nest.output.shape, axis, this.extent);
    if (own === undefined || this.written.has(operation.writes)) return false;
    // Who has read what is now written must have read its own rows only.
    if (this.rows.has(operation.writes) && this.rows.get(operation.writes) !== own) return false;
    let meets = false;
    for (const [buffer, stride] of readsOf(operation, axis)) {
      const same = stride !== undefined && this.rows.get(buffer) === stride;
      if (this.written.has(buffer) && !same) return false;
      if (buffer === operation.writes && stride !== own) return false;
      meets ||= same;
    }
    return meets || !mustMeet;
  }
}

/**
 * The buffers an operation reads, each with how far apart its own rows lie in it; undefined where it reads others too.
 */
function readsOf({ nest, reads }: Operation, axis: number): Map<number, number | undefined> {
  const found = new Map<number, number | undefined>();
  for (const node of expressionsOf(nest).flatMap(scalarsOf)) {
    if (node.kind !== "load") continue;
    const buffer = reads[node.operand]!;
    const stride = rowStride(node.index, nest.operands[node.operand]!.shape, axis, nest.axes[axis]!.extent);
    found.set(buffer, found.has(buffer) && found.get(buffer) !== stride ? undefined : stride);
  }
  return found;
}

/**
 * Elements from row to row: of the one dimension, as long as there are rows, whose index is the axis itself; undefined
 * where the axis also stands elsewhere, or nowhere. Operations may see one buffer in different shapes, so it is not the
 * number of the dimension that tells rows.
 */
function rowStride(indices: readonly Index[], shape: readonly number[], axis: number, extent: number): number | undefined {
  let found: number | undefined;
  for (const [dimension, index] of indices.entries()) {
    if (index.kind !== "affine" || !index.terms.some((term) => term.axis === axis)) continue;
    if (found !== undefined || !isAxis(index)) return undefined;
    if (shape[dimension] !== extent) return undefined;
    found = sizeOfShape(shape.slice(dimension + 1));
  }
  return found;
}

const isAxis = ({ terms, offset, divisor, checked }: AffineIndex): boolean =>
  terms.length === 1 && terms[0]?.coefficient === 1 && offset === 0 && divisor === 1 && !checked;

function measured(graph: StepGraph, first: number, members: Members, limits: RowLimits, facts: MachineFacts): RowGroup | undefined {
  const { axes, extent, rows, written, touched } = members;
  const bytes = (buffer: number): number => bytesOn(facts, graph.buffers[buffer]!);
  const inRows = [...rows].filter(([, stride]) => stride !== undefined).map(([buffer]) => buffer);
  const again = inRows.filter((buffer) => (touched.get(buffer) ?? 0) > 1).reduce((sum, buffer) => sum + bytes(buffer), 0);
  const rowBytes = inRows.reduce((sum, buffer) => sum + bytes(buffer), 0) / extent;
  const operations = graph.operations.slice(first, first + axes.length);
  const longest = Math.max(...operations.map(({ nest }) => nest.axes.reduce((product, axis) => product * axis.extent, 1))) / extent;
  const { leastBytes, blockBytes, mostRowBytes, leastRow, leastRun, leastBlocks } = limits;
  if (again < leastBytes || rowBytes > mostRowBytes || longest < leastRow || extent < leastBlocks) return undefined;
  const isTorn = (buffer: number): boolean => {
    const run = rows.get(buffer)!;
    return run < leastRun && run * extent < sizeOfShape(graph.buffers[buffer]!.shape);
  };
  if (inRows.some(isTorn)) return undefined;
  const rowsPerBlock = Math.max(1, Math.min(Math.floor(blockBytes / rowBytes), Math.floor(extent / leastBlocks)));
  const kept = lastingBuffers(graph);
  // Written outside too: of a joined tensor only some pieces come from these operations.
  graph.operations.forEach((operation, number) => {
    if (number < first || number >= first + axes.length) for (const buffer of [...operation.reads, operation.writes]) kept.add(buffer);
  });
  const own = [...written].filter((buffer) => {
    const leads = rows.get(buffer)! * extent === sizeOfShape(graph.buffers[buffer]!.shape);
    // Blocks of buffers begin where buffers do.
    return leads && !kept.has(buffer) && ((bytes(buffer) / extent) * rowsPerBlock) % facts.alignment === 0;
  });
  return { first, axes, extent, rowsPerBlock, own };
}
