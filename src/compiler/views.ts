// Buffer aliasing: contiguous slices, and parts of a concatenation, become views instead of copies.

import { sizeOfShape } from "../nest/evaluate.ts";
import type { AffineIndex, Axis, Index, Operand, Step } from "../nest/nest.ts";
import { placeAmong, type StepGraph, type View } from "../nest/step-graph.ts";
import { bytesOn, type MachineFacts, type Pass } from "./facts.ts";
import { writersPerBuffer } from "./simplify.ts";

/** A step that copies `count` elements that lie together to where they lie together again. */
interface Run {
  readonly from: number;
  readonly fromOffset: number;
  readonly to: number;
  readonly toOffset: number;
  readonly count: number;
}

/** Slices become views, so that steps which differ only in which slice they read have one kernel. */
export const viewSlices: Pass = (graph, facts) => {
  const writers = writersPerBuffer(graph);
  const fixed = fixedBuffers(graph);
  const cells = new Set(graph.cells);
  const moved = new Set<number>();
  const views: View[] = [...(graph.views ?? [])];
  const steps = graph.steps.filter((step) => {
    const run = runOf(step);
    if (isMove(step) && writers.get(step.writes) === 1) moved.add(step.writes);
    if (run === undefined || run.toOffset !== 0 || run.count !== sizeOf(graph, run.to) || writers.get(run.to) !== 1) return true;
    // What is moved itself is read where it comes from, without being written at all.
    if (fixed.has(run.to) || cells.has(run.from) || graph.constants?.has(run.from) || moved.has(run.from)) return true;
    if (!isAligned(graph, facts, run.from, run.fromOffset)) return true;
    views.push({ buffer: run.to, of: run.from, offset: run.fromOffset });
    return false;
  });
  return views.length === 0 ? graph : { ...graph, steps, views };
};

/** What is only joined to others is written where it goes at once; joined again in the same order, it is there already. */
export const placePieces: Pass = (graph, facts) => {
  const runs = new Map<number, { readonly run: Run; readonly step: Step }[]>();
  for (const step of graph.steps) {
    const run = runOf(step);
    if (run !== undefined && run.fromOffset === 0 && run.count === sizeOf(graph, run.from))
      runs.set(run.to, [...(runs.get(run.to) ?? []), { run, step }]);
  }
  const writers = writersPerBuffer(graph);
  const fixed = fixedBuffers(graph);
  const bytes = (buffer: number): number => bytesOn(facts, graph.buffers[buffer] as Operand);
  const joins = [...runs].filter(([to]) => !graph.cells.includes(to)).sort(([a], [b]) => bytes(b) - bytes(a));
  const done = new Set<Step>();
  const views = new Map((graph.views ?? []).map((view) => [view.buffer, view]));
  const place = (buffer: number): { readonly of: number; readonly offset: number } => placeAmong(views, buffer);
  for (const [to, pieces] of joins) {
    const places = pieces.map(({ run }) => place(run.from));
    const [first] = places as [ReturnType<typeof place>];
    const start = first.offset - (pieces[0] as (typeof pieces)[0]).run.toOffset;
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
      for (const { step } of pieces) done.add(step);
      continue;
    }
    for (const { run, step } of pieces) {
      const { of: from, offset } = place(run.from);
      const isWhole = offset === 0 && sizeOf(graph, from) === run.count && place(to).of !== from;
      const isOwn = isWhole && writers.has(from) && !fixed.has(from);
      if (!isOwn || !isAligned(graph, facts, to, run.toOffset) || bytes(from) % facts.alignment !== 0) continue;
      views.set(from, { buffer: from, of: to, offset: run.toOffset });
      done.add(step);
    }
  }
  return done.size === 0 ? graph : { ...graph, steps: graph.steps.filter((step) => !done.has(step)), views: [...views.values()] };
};

/** Buffers that must have memory of their own. */
function fixedBuffers(graph: StepGraph): Set<number> {
  return new Set([...graph.results, ...graph.updates.map(({ from }) => from), ...graph.inputs, ...graph.cells]);
}

const sizeOf = (graph: StepGraph, buffer: number): number => sizeOfShape((graph.buffers[buffer] as Operand).shape);

function isAligned(graph: StepGraph, { elementBytes, alignment }: MachineFacts, buffer: number, offset: number): boolean {
  const { dtype } = graph.buffers[buffer] as Operand;
  return sizeOf(graph, buffer) > 0 && (elementBytes[dtype] * offset) % alignment === 0;
}

function isMove({ nest }: Step): boolean {
  return nest.reducer === undefined && nest.epilogue === undefined && nest.body.kind === "load";
}

function runOf(step: Step): Run | undefined {
  const { nest, reads, clear } = step;
  const { body, output, axes } = nest;
  if (!isMove(step) || body.kind !== "load" || clear || output.accumulate) return undefined;
  const source = nest.operands[body.operand] as Operand;
  const [from, to] = [flat(body.index, source.shape, axes), flat(output.index, output.shape, axes)];
  if (from === undefined || to === undefined || source.dtype !== output.dtype) return undefined;
  const walked = axes.map((axis, number) => ({ extent: axis.extent, step: to.steps.get(number) ?? 0, other: from.steps.get(number) ?? 0 }));
  let count = 1;
  for (const axis of walked.filter(({ extent }) => extent !== 1).sort((a, b) => a.step - b.step)) {
    if (axis.step !== count || axis.other !== count) return undefined;
    count *= axis.extent;
  }
  return { from: reads[body.operand] as number, fromOffset: from.offset, to: step.writes, toOffset: to.offset, count };
}

/** Where an index lies in row-major order, as a sum over axes; undefined where it may lie outside. */
function flat(
  index: readonly Index[],
  shape: readonly number[],
  axes: readonly Axis[],
): { readonly offset: number; readonly steps: ReadonlyMap<number, number> } | undefined {
  const steps = new Map<number, number>();
  let offset = 0;
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    const { kind, divisor, terms, offset: start } = index[d] as AffineIndex;
    if (kind !== "affine" || divisor !== 1) return undefined;
    const ends = terms.map(({ axis, coefficient }) => coefficient * ((axes[axis] as Axis).extent - 1));
    const most = ends.reduce((total, end) => total + Math.max(0, end), start);
    if (ends.reduce((total, end) => total + Math.min(0, end), start) < 0 || most >= (shape[d] as number)) return undefined;
    offset += start * stride;
    for (const { axis, coefficient } of terms) steps.set(axis, (steps.get(axis) ?? 0) + coefficient * stride);
    stride *= shape[d] as number;
  }
  return { offset, steps };
}
