// What passes must know of the machine they compile for, as data.

import { sizeOfShape } from "../nest/evaluate.ts";
import type { DType, Operand } from "../nest/nest.ts";
import type { StepGraph } from "../nest/step-graph.ts";

export interface MachineFacts {
  /** Bytes of an element in the machine's memory. */
  readonly elementBytes: Readonly<Record<DType, number>>;
  /** Buffers begin at multiples of so many bytes, */
  readonly alignment: number;
  /** and so many bytes after each may be read. */
  readonly slack: number;
  /** Tensors that one kernel can read and write, all in all; a single op that has more is its own affair. */
  readonly mostTensors: number;
  /** Loads of a formula that others are put into: each takes a register. */
  readonly mostLoads: number;
  /**
   * Terms of a sum that kernels keep in a register: unfinished longer ones lie in the output, which then cannot be an
   * operand.
   */
  readonly mostTerms: number;
  /** What joined operations may come to. */
  readonly joined: {
    /** Tensors that the loops of one kernel walk: more than these and pointers and prefetchers no longer keep up. */
    readonly mostTensors: number;
    /** Results that are reduced in the same loops: each takes registers for its running value. */
    readonly mostReductions: number;
  };
  /** When operations run together, a block of rows at a time; undefined: no cache keeps what one hands to the next. */
  readonly rows: RowLimits | undefined;
}

/** When groups are worth it. */
export interface RowLimits {
  /** What is read again within a group must be more than a core's second-level cache, or there is nothing to gain. */
  readonly leastBytes: number;
  /** What one block of all buffers of a group takes: a part of a second-level cache, beside what else is in it. */
  readonly blockBytes: number;
  readonly mostRowBytes: number;
  /** Fewer elements per row are better worked on across rows. */
  readonly leastRow: number;
  /** Rows that lie in shorter runs (columns, at worst) would be read and written in pieces. */
  readonly leastRun: number;
  /** Blocks there must be at least, for threads to share. */
  readonly leastBlocks: number;
}

/** A pass: pure, from graph to graph. */
export type Pass = (graph: StepGraph, facts: MachineFacts) => StepGraph;

/** Bytes of a dense buffer in the machine's memory. */
export function bytesOn({ elementBytes }: MachineFacts, { dtype, shape }: Operand): number {
  return elementBytes[dtype] * sizeOfShape(shape);
}
