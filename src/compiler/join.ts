// Joins operations over the same loops into one kernel: shared reads happen once, values stay in registers.

import type { AffineIndex, Index, Nest, Operation, ScalarType } from "../nest/nest.ts";
import {
  depthOf,
  expressionsOf,
  type FusedKernel,
  lastingBuffers,
  MOST_DEPTH,
  overlap,
  placeText,
  type StepGraph,
  scalarsOf,
  unitsOf,
} from "../nest/step-graph.ts";
import { inverseOrder, orderMeeting, reorderAxes } from "./axes.ts";
import type { MachineFacts, Pass } from "./facts.ts";
import { isPlain } from "./plain.ts";
import { countUses, writersPerBuffer } from "./simplify.ts";
import { asStored } from "./stored.ts";

/** Orders of axes that are tried. */
const MOST_ORDERS = 3;

/**
 * An update's moments and step, statistics of one tensor, both sums of a normalization's gradient, an activation and
 * its gradient.
 */
export const joinLoops: Pass = (graph, facts) => {
  const joined: FusedKernel[] = [];
  const kept = lastingBuffers(graph);
  const readers = countUses(graph);
  const writers = writersPerBuffer(graph);
  const isPrivate = (buffer: number, inside: number): boolean =>
    inside === readers.get(buffer) && writers.get(buffer) === 1 && !kept.has(buffer);
  const operations = [...graph.operations];
  const rows = new Map<number, number | undefined>();
  for (const { from, to, axes } of runsOf(graph)) {
    for (let first = from; first < to; ) {
      let members = Members.none(graph, facts);
      let next = first;
      for (; next < to; next++) {
        const more = members.with({ operation: graph.operations[next]!, row: axes?.[next - from] });
        if (more === undefined) break;
        members = more;
      }
      if (next - first > 1) {
        joined.push({ first, count: next - first, passed: members.passed(isPrivate) });
        members.all.forEach(({ operation, row }, number) => {
          operations[first + number] = operation;
          rows.set(first + number, row);
        });
      }
      first = Math.max(next, first + 1);
    }
  }
  if (joined.length === 0) return graph;
  const passed = new Set(joined.flatMap((each) => each.passed));
  const isAlone = (first: number, count: number): boolean => joined.some((each) => each.first === first && each.count === count);
  const groups = (graph.groups ?? [])
    .filter(({ first, axes }) => !isAlone(first, axes.length))
    .map((group) => ({
      ...group,
      axes: group.axes.map((axis, number) => rows.get(group.first + number) ?? axis),
      own: group.own.filter((buffer) => !passed.has(buffer)),
    }));
  return { ...graph, operations, groups, fused: joined };
};

/** Whether two reductions read something in common in the same loops. */
export function wouldJoin(graph: StepGraph, facts: MachineFacts, first: Operation, second: Operation): boolean {
  const size = ({ nest }: Operation): number => nest.axes.reduce((product, { extent }) => product * extent, 1);
  if (first.nest.reducer === undefined || size(first) !== size(second) || !first.reads.some((buffer) => second.reads.includes(buffer)))
    return false;
  return Members.none(graph, facts).with({ operation: first, row: undefined })?.with({ operation: second, row: undefined }) !== undefined;
}

/** Operations [from, to) among which may be joined; in a group with the axis that walks the rows of each. */
function runsOf(graph: StepGraph): { readonly from: number; readonly to: number; readonly axes?: readonly number[] }[] {
  const runs: { from: number; to: number; axes?: readonly number[] }[] = [];
  let open: (typeof runs)[number] | undefined;
  for (const { first, operations, group } of unitsOf(graph)) {
    if (group !== undefined) {
      runs.push({ from: first, to: first + operations.length, axes: group.axes });
      open = undefined;
    } else if (open === undefined) {
      open = { from: first, to: first + 1 };
      runs.push(open);
    } else open.to++;
  }
  return runs;
}

/** An operation, and in a group the axis that walks the rows. */
interface Member {
  readonly operation: Operation;
  readonly row: number | undefined;
}

/** How a member reaches a tensor. */
interface TensorAccess {
  readonly shape: readonly number[];
  readonly index: readonly Index[];
}

interface Read extends TensorAccess {
  readonly buffer: number;
  readonly type: ScalarType;
  /** An epilogue reads when the loops are through. */
  readonly isLate: boolean;
}

/** Operations taken into a kernel so far. Immutable. */
class Members {
  readonly all: readonly Member[];
  readonly #graph: StepGraph;
  readonly #facts: MachineFacts;
  readonly #reads = new Map<number, Read[]>();
  readonly #writes = new Map<number, TensorAccess & { readonly operation: Operation }>();
  /** How deep the values are that are handed on, those that were handed to them included. */
  readonly #depths = new Map<number, number>();

  static none(graph: StepGraph, facts: MachineFacts): Members {
    return new Members(graph, facts, []);
  }

  private constructor(graph: StepGraph, facts: MachineFacts, all: readonly Member[]) {
    this.#graph = graph;
    this.#facts = facts;
    this.all = all;
    for (const { operation } of all) {
      for (const read of readsOf(operation)) this.#reads.set(read.buffer, [...(this.#reads.get(read.buffer) ?? []), read]);
      this.#writes.set(operation.writes, { ...operation.nest.output, operation });
      this.#depths.set(operation.writes, this.#depthWith(operation));
    }
  }

  /**
   * With one more, its axes or theirs in another order where that makes them walk together; undefined where they do
   * not.
   */
  with(member: Member): Members | undefined {
    if (!canJoin(member.operation)) return undefined;
    if (this.#fits(member)) return this.#of([...this.all, member]);
    for (const order of this.#orders(member.operation)) {
      const isFirstReduction =
        member.operation.nest.reducer !== undefined && this.all.every(({ operation }) => operation.nest.reducer === undefined);
      const others = isFirstReduction ? this.#of(this.all.map((each) => reordered(each, inverseOrder(order)))) : this;
      const own = isFirstReduction ? member : reordered(member, order);
      if (others.#fits(own)) return this.#of([...others.all, own]);
    }
    return undefined;
  }

  #of(all: readonly Member[]): Members {
    return new Members(this.#graph, this.#facts, all);
  }

  /**
   * Of what is written, what members read and nobody else.
   * @param isPrivate of a buffer and how many members read it
   */
  passed(isPrivate: (buffer: number, inside: number) => boolean): number[] {
    return [...this.#writes.keys()].filter((buffer) => {
      const inside = this.all.filter(({ operation }) => operation.reads.includes(buffer)).length;
      return inside > 0 && isPrivate(buffer, inside);
    });
  }

  #depthWith({ nest, reads }: Operation): number {
    const given = reads.reduce((most, buffer) => Math.max(most, this.#depths.get(buffer) ?? 0), 0);
    return given + expressionsOf(nest).reduce((most, expression) => Math.max(most, depthOf(expression)), 0);
  }

  /** Orders of an operation's axes in which it meets what the members read or write. */
  #orders({ nest, reads, writes }: Operation): number[][] {
    const [first] = this.all;
    if (first === undefined || nest.axes.length !== first.operation.nest.axes.length) return [];
    const accesses = [...readsOf({ nest, reads }), { ...nest.output, buffer: writes }];
    const orders = accesses.flatMap(({ buffer, ...access }) => {
      const written = this.#writes.get(buffer);
      const known = [...(written === undefined ? [] : [written]), ...(this.#reads.get(buffer) ?? [])];
      const met = known.find(({ shape }) => String(shape) === String(access.shape));
      const order = met && orderMeeting(nest, first.operation.nest, { own: access.index, other: met.index });
      return order === undefined ? [] : [order];
    });
    return [...new Map(orders.map((order) => [String(order), order])).values()].slice(0, MOST_ORDERS);
  }

  #fits({ operation, row }: Member): boolean {
    if (this.all.length === 0) return true;
    if (row !== this.all[0]!.row) return false;
    const { nest, writes } = operation;
    const operations = [...this.all.map((each) => each.operation), operation];
    if (!sameLoops(operations.map((each) => each.nest)) || !isStraight(operations)) return false;
    const touched = new Set(operations.flatMap((each) => [...each.reads, each.writes]));
    const { mostTensors, joined } = this.#facts;
    if (touched.size > Math.min(mostTensors, joined.mostTensors)) return false;
    if (operations.filter((each) => each.nest.reducer !== undefined).length > joined.mostReductions) return false;
    if (overlap(this.#graph, touched, new Set(operations.map((each) => each.writes)))) return false;
    if (this.#writes.has(writes) || this.#depthWith(operation) > MOST_DEPTH) return false;
    const place = ({ shape, index }: TensorAccess): string => placeText(nest, { shape }, index);
    // What an earlier one reads may be overwritten only at the element that it reads in this very iteration.
    const isOverwritten = (read: Read): boolean => nest.reducer !== undefined || read.isLate || place(read) !== place(nest.output);
    if ((this.#reads.get(writes) ?? []).some(isOverwritten)) return false;
    let meets = false;
    for (const read of readsOf(operation)) {
      const written = this.#writes.get(read.buffer);
      // After the loops, what was handed on is gone.
      const isHandedOn = (): boolean => !read.isLate && canPass(written?.operation.nest as Nest, nest, read.type);
      if (written !== undefined && !(place(written) === place(read) && isHandedOn())) return false;
      meets ||= written !== undefined || (this.#reads.get(read.buffer) ?? []).some((known) => place(known) === place(read));
    }
    return meets;
  }
}

function reordered({ operation, row }: Member, order: readonly number[]): Member {
  // Free axes that would be reduced, or reduced ones free, are another computation: nothing fits that.
  const { nest } = operation;
  const keeps = nest.reducer === undefined || order.every((to, from) => to < nest.free === from < nest.free);
  return keeps
    ? { operation: { ...operation, nest: reorderAxes(nest, order) }, row: row === undefined ? row : order[row] }
    : { operation, row };
}

function canJoin(operation: Operation): boolean {
  const { reducer, output } = operation.nest;
  if (!isPlain(operation) || reducer === "argmax" || reducer === "argmin") return false;
  if (reducer !== undefined && output.inPlace === true) return false;
  return output.index.every((index) => index.kind === "affine" && !index.checked);
}

/** The same axes; and of reductions the same ones free. */
function sameLoops(nests: readonly Nest[]): boolean {
  const extents = new Set(nests.map(({ axes }) => axes.map(({ extent }) => extent).join()));
  const free = new Set(nests.filter(({ reducer }) => reducer !== undefined).map((nest) => nest.free));
  return extents.size === 1 && free.size <= 1;
}

/**
 * Whether some axis can be the vectors of all: along it everything is read and written element by element, or stays.
 */
function isStraight(operations: readonly Operation[]): boolean {
  const { axes } = operations[0]!.nest;
  const accesses = operations.flatMap((operation): TensorAccess[] => [
    ...readsOf(operation),
    ...(operation.nest.reducer === undefined ? [operation.nest.output] : []),
  ]);
  const isAlong = (axis: number): boolean => {
    const strides = accesses.map((access) => strideAlong(axis, access));
    return strides.every((stride) => stride === 0 || stride === 1) && strides.includes(1);
  };
  return axes.some(({ extent }, axis) => extent > 1 && isAlong(axis));
}

/** Elements between neighbours along an axis. */
function strideAlong(axis: number, { shape, index }: TensorAccess): number {
  return (index as readonly AffineIndex[]).reduce((stride, { terms }, dimension) => {
    const coefficient = terms.find((term) => term.axis === axis)?.coefficient ?? 0;
    return stride * shape[dimension]! + coefficient;
  }, 0);
}

/** Whether a map's value can stand for a load of the element that it writes. */
function canPass(writer: Nest, reader: Nest, type: ScalarType): boolean {
  return writer.reducer === undefined && asStored(writer.epilogue ?? writer.body, writer, reader)?.type === type;
}

function readsOf({ nest, reads }: Pick<Operation, "nest" | "reads">): Read[] {
  return expressionsOf(nest).flatMap((expression) => {
    const isLate = nest.reducer !== undefined && expression === nest.epilogue;
    return scalarsOf(expression)
      .filter((node) => node.kind === "load")
      .map(({ operand, index, type }) => {
        return { buffer: reads[operand]!, type, isLate, shape: nest.operands[operand]!.shape, index };
      });
  });
}
