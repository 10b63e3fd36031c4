// Buffer aliasing: contiguous slices, and parts of a concatenation, become views instead of copies.

import { sizeOfShape } from "../nest/evaluate.ts";
import type { AffineIndex, Axis, Index, Operation } from "../nest/nest.ts";
import { placeAmong, type StepGraph, type View } from "../nest/step-graph.ts";
import { bytesOn, type MachineFacts, type Pass } from "./facts.ts";
import { writersPerBuffer } from "./simplify.ts";

/** An operation that copies `count` elements that lie together to where they lie together again. */
interface Run {
  readonly from: number;
  readonly fromOffset: number;
  readonly to: number;
  readonly toOffset: number;
  readonly count: number;
}

/** Slices become views, so that operations which differ only in which slice they read have one kernel. */
export const viewSlices: Pass = (graph, facts) => {
  const writers = writersPerBuffer(graph);
  const fixed = fixedBuffers(graph);
  const cells = new Set(graph.cells);
  const moved = new Set<number>();
  const views: View[] = [...(graph.views ?? [])];
  const operations = graph.operations.filter((operation) => {
    const run = runOf(operation);
    if (isMove(operation) && writers.get(operation.writes) === 1) moved.add(operation.writes);
    if (run === undefined || run.toOffset !== 0 || run.count !== sizeOf(graph, run.to) || writers.get(run.to) !== 1) return true;
    // What is moved itself is read where it comes from, without being written at all.
    if (fixed.has(run.to) || cells.has(run.from) || graph.constants?.has(run.from) || moved.has(run.from)) return true;
    if (!isAligned(graph, facts, run.from, run.fromOffset)) return true;
    views.push({ buffer: run.to, of: run.from, offset: run.fromOffset });
    return false;
  });
  return views.length === 0 ? graph : { ...graph, operations, views };
};

/**
 * What is only joined to others is written where it goes at once; joined again in the same order, it is there already.
 */
export const placePieces: Pass = (graph, facts) => {
  const runs = new Map<number, { readonly run: Run; readonly operation: Operation }[]>();
  for (const operation of graph.operations) {
    const run = runOf(operation);
    if (run !== undefined && run.fromOffset === 0 && run.count === sizeOf(graph, run.from))
      runs.set(run.to, [...(runs.get(run.to) ?? []), { run, operation }]);
  }
  const writers = writersPerBuffer(graph);
  const fixed = fixedBuffers(graph);
  const bytes = (buffer: number): number => bytesOn(facts, graph.buffers[buffer]!);
  const joins = [...runs].filter(([to]) => !graph.cells.includes(to)).sort(([a], [b]) => bytes(b) - bytes(a));
  const done = new Set<Operation>();
  const views = new Map((graph.views ?? []).map((view) => [view.buffer, view]));
  const place = (buffer: number): { readonly of: number; readonly offset: number } => placeAmong(views, buffer);
  for (const [to, pieces] of joins) {
    const places = pieces.map(({ run }) => place(run.from));
    const [first] = places as [ReturnType<typeof place>];
    const start = first.offset - pieces[0]!.run.toOffset;
    const isPlaced = place(to).of !== to;
    const isThere = pieces.every(({ run }, n) => places[n]?.of === first.of && places[n]?.offset === start + run.toOffset);
    if (
      pieces.length === writers.get(to) &&
      !isPlaced &&
      first.of !== to &&
      // Cells have memory apart, and constants none.
      !graph.cells.includes(first.of) &&
      !graph.constants?.has(first.of) &&
      isThere &&
      !fixed.has(to) &&
      isAligned(graph, facts, first.of, start)
    ) {
      views.set(to, { buffer: to, of: first.of, offset: start });
      for (const { operation } of pieces) done.add(operation);
      continue;
    }
    for (const { run, operation } of pieces) {
      const { of: from, offset } = place(run.from);
      const isWhole = offset === 0 && sizeOf(graph, from) === run.count && place(to).of !== from;
      const isOwn = isWhole && writers.has(from) && !fixed.has(from);
      if (!isOwn || !isAligned(graph, facts, to, run.toOffset) || bytes(from) % facts.alignment !== 0) continue;
      views.set(from, { buffer: from, of: to, offset: run.toOffset });
      done.add(operation);
    }
  }
  return done.size === 0
    ? graph
    : { ...graph, operations: graph.operations.filter((operation) => !done.has(operation)), views: [...views.values()] };
};

/** Buffers that must have memory of their own. */
function fixedBuffers(graph: StepGraph): Set<number> {
  return new Set([...graph.results, ...graph.updates.map(({ from }) => from), ...graph.inputs, ...graph.cells]);
}

const sizeOf = (graph: StepGraph, buffer: number): number => sizeOfShape(graph.buffers[buffer]!.shape);

function isAligned(graph: StepGraph, { elementBytes, alignment }: MachineFacts, buffer: number, offset: number): boolean {
  const { dtype } = graph.buffers[buffer]!;
  return sizeOf(graph, buffer) > 0 && (elementBytes[dtype] * offset) % alignment === 0;
}

function isMove({ nest }: Operation): boolean {
  return nest.reducer === undefined && nest.epilogue === undefined && nest.body.kind === "load";
}

function runOf(operation: Operation): Run | undefined {
  const { nest, reads, clear } = operation;
  const { body, output, axes } = nest;
  if (!isMove(operation) || body.kind !== "load" || clear || output.accumulate) return undefined;
  const source = nest.operands[body.operand]!;
  const [from, to] = [flat(body.index, source.shape, axes), flat(output.index, output.shape, axes)];
  if (from === undefined || to === undefined || source.dtype !== output.dtype) return undefined;
  const walked = axes.map((axis, number) => ({
    extent: axis.extent,
    operation: to.operations.get(number) ?? 0,
    other: from.operations.get(number) ?? 0,
  }));
  let count = 1;
  for (const axis of walked.filter(({ extent }) => extent !== 1).sort((a, b) => a.operation - b.operation)) {
    if (axis.operation !== count || axis.other !== count) return undefined;
    count *= axis.extent;
  }
  return { from: reads[body.operand]!, fromOffset: from.offset, to: operation.writes, toOffset: to.offset, count };
}

/** Where an index lies in row-major order, as a sum over axes; undefined where it may lie outside. */
function flat(
  index: readonly Index[],
  shape: readonly number[],
  axes: readonly Axis[],
): { readonly offset: number; readonly operations: ReadonlyMap<number, number> } | undefined {
  const operations = new Map<number, number>();
  let offset = 0;
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    const { kind, divisor, terms, offset: start } = index[d] as AffineIndex;
    if (kind !== "affine" || divisor !== 1) return undefined;
    const ends = terms.map(({ axis, coefficient }) => coefficient * ((axes[axis] as Axis).extent - 1));
    const most = ends.reduce((total, end) => total + Math.max(0, end), start);
    if (ends.reduce((total, end) => total + Math.min(0, end), start) < 0 || most >= shape[d]!) return undefined;
    offset += start * stride;
    for (const { axis, coefficient } of terms) operations.set(axis, (operations.get(axis) ?? 0) + coefficient * stride);
    stride *= shape[d]!;
  }
  return { offset, operations };
}
