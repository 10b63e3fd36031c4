// The contract between kasane and a machine: compile a plan, run it on buffers, and read them.

import type { MachineFacts } from "../compiler/facts.ts";
import type { Plan } from "../compiler/plan.ts";
import type { NumberArray } from "../nest/arrays.ts";
import type { DType, Operand } from "../nest/nest.ts";

/** Numbers in the memory of JavaScript; bool is kept as bytes 0 and 1. */
export type HostArray = NumberArray;

/**
 * The numbers of a tensor as programs take and give them: an array of the host where the backend computes in the host's
 * memory, else memory of the backend's own, which nobody else can look into.
 */
export type BackendBuffer = HostArray | Cell;

export interface Backend {
  readonly name: string;
  /** No other backend in this process has the same: what one compiles, another cannot run. */
  readonly key: string;
  /** How many may run a program together. */
  readonly threads: number;
  /** One sentence: what was chosen and why (SIMD width, relaxed FMA, tile). */
  readonly description: string;
  readonly dtypes: ReadonlySet<DType>;
  /**
   * "host": programs take and give arrays, and cells are read at once. "own": they take and give cells, everything
   * happens in the order it was asked for, and reading takes time.
   */
  readonly memory: "host" | "own";
  /** What the passes that make a plan for it must know. */
  readonly facts: MachineFacts;
  /** An op's program or a whole step: a program is a graph without cells. */
  compile(plan: Plan): Executable;
  makeCell(operand: Operand): Cell;
  /** Lets worker threads go that are its own; whatever it still computes, it computes on the calling thread. */
  endThreads?(): void;
}

/**
 * Memory of the machine that keeps its numbers from run to run: a parameter, a moment, a running mean. It belongs to
 * the backend that made it.
 */
export interface Cell {
  /**
   * A copy of the present numbers: at once from memory of the host, in time from other memory, whatever is written
   * there meanwhile.
   */
  read(): HostArray | Promise<HostArray>;
  write(data: HostArray): void;
  /** Gives the memory back; the cell is not used afterwards. */
  free(): void;
}

/** @param unit number of the operation, or of the operations that run together: see unitsOf */
export type StepTimer = (unit: number, milliseconds: number) => void;

/** The kernels in the kernel language, or the machine's code emitted for them. */
export type ListingPart = "kernels" | "code";

/** A compiled program: one call runs all of it. */
export interface Executable {
  /**
   * @param inputs one dense row-major buffer per input of the graph
   * @param cells one cell per cell of the graph, updated in place
   * @param params one number per param
   * @param timer told, when the run is over, how long every unit of the graph took: the run is the same, a call per
   * unit instead of one
   * @returns one buffer per result, newly allocated, owned by the caller
   */
  run(inputs: readonly BackendBuffer[], cells: readonly Cell[], params: readonly number[], timer?: StepTimer): BackendBuffer[];
  /** @param part all of them when it is left out */
  listing(part?: ListingPart): string;
  /**
   * Sets aside what runs need, for a program that comes again and again: what is not kept may be dropped between two
   * runs, and is made again.
   * @throws BackendError where there is no room for it
   */
  keep(): void;
  /** Ends that. What is collected ends it by itself. */
  free(): void;
  /**
   * Bytes of memory that a run works in, beside the cells: what temporaries share, and scratch space of the kernels.
   */
  readonly workBytes: number;
}
