// Plans memory: buffers whose lifetimes do not overlap share room.

import { placeOf, type StepGraph, unitsOf } from "../nest/step-graph.ts";
import { bytesOn, type MachineFacts } from "./facts.ts";

export interface MemoryPlan {
  /**
   * Byte offset in the arena of every buffer; undefined for cells (which have memory of their own), what a group needs
   * a block at a time, what joined operations hand on, and unused buffers.
   */
  readonly offsets: readonly (number | undefined)[];
  /** Size of the arena: the peak. */
  readonly bytes: number;
  /** What the buffers would take without sharing. */
  readonly unshared: number;
}

interface Life {
  readonly buffer: number;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

/** Places the largest buffers first, each at the lowest offset that is free during its whole life. */
export function planMemory(graph: StepGraph, facts: MachineFacts): MemoryPlan {
  const lives = lifetimes(graph, facts).sort((a, b) => b.bytes - a.bytes || a.first - b.first);
  const placed: (Life & { offset: number })[] = [];
  const offsets: (number | undefined)[] = graph.buffers.map(() => undefined);
  let bytes = 0;
  for (const life of lives) {
    const rivals = placed.filter((other) => other.first <= life.last && life.first <= other.last).sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const rival of rivals) {
      if (offset + life.bytes <= rival.offset) break;
      offset = Math.max(offset, rival.offset + rival.bytes);
    }
    placed.push({ ...life, offset });
    offsets[life.buffer] = offset;
    bytes = Math.max(bytes, offset + life.bytes);
  }
  for (const { buffer } of graph.views ?? []) {
    const { of, offset } = placeOf(graph, buffer);
    const start = offsets[of];
    if (start !== undefined) offsets[buffer] = start + offset * facts.elementBytes[graph.buffers[buffer]!.dtype];
  }
  return { offsets, bytes, unshared: lives.reduce((total, life) => total + life.bytes, 0) };
}

function lifetimes(graph: StepGraph, facts: MachineFacts): Life[] {
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  const touch = (given: number, time: number): void => {
    const buffer = placeOf(graph, given).of;
    if (!first.has(buffer)) first.set(buffer, time);
    last.set(buffer, time);
  };
  for (const buffer of graph.inputs) touch(buffer, -1);
  const own = new Set<number>();
  // The operations of a group or kernel take turns: what one of them uses is in use as long as all of them.
  unitsOf(graph).forEach(({ operations, group, kernels }, time) => {
    for (const buffer of [...(group?.own ?? []), ...kernels.flatMap(({ passed }) => passed)]) own.add(buffer);
    for (const operation of operations) for (const buffer of [...operation.reads, operation.writes]) touch(buffer, time);
  });
  const end = graph.operations.length;
  for (const buffer of [...graph.results, ...graph.updates.map((update) => update.from)]) touch(buffer, end);
  const cells = new Set(graph.cells);
  return [...first]
    .filter(([buffer]) => !cells.has(buffer) && !own.has(buffer))
    .map(([buffer, start]) => {
      const bytes = Math.ceil((bytesOn(facts, graph.buffers[buffer]!) + facts.slack) / facts.alignment) * facts.alignment;
      return { buffer, first: start, last: last.get(buffer)!, bytes };
    });
}
