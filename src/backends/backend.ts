// The whole contract between kasane and a machine: compile a bound program, run it on host buffers.

import type { NumberArray } from "../nest/arrays.ts";
import type { DType, Operand, Program } from "../nest/nest.ts";
import type { StepGraph } from "../nest/step-graph.ts";

/** Numbers in the memory of JavaScript; bool is kept as bytes 0 and 1. */
export type HostArray = NumberArray;

/** A compiled program. Inputs are dense row-major arrays of the program's input dtypes; the result is freshly allocated. */
export interface Executable {
  /**
   * @param inputs one array per program input, length = product of its shape
   * @param params one number per program param
   * @returns the result buffer, newly allocated, owned by the caller
   */
  run(inputs: readonly HostArray[], params: readonly number[]): HostArray;
  /** Human-readable listing of what will run (loops, kernels, emitted code). */
  listing(): string;
}

export interface Backend {
  readonly name: "reference" | "wasm" | "x64";
  /** No other backend in this process has the same: what one compiles, another cannot run. */
  readonly key: string;
  /** How many may run a program together. */
  readonly threads: number;
  /** One sentence: what was chosen and why (SIMD width, relaxed FMA, tile). */
  readonly description: string;
  readonly dtypes: ReadonlySet<DType>;
  compile(program: Program): Executable;
  compileStep(graph: StepGraph): StepExecutable;
  makeCell(operand: Operand): Cell;
  /** Takes the memory, or addresses of it, that steps begin with. @throws NoRoomError when there is none */
  reserve?(): void;
  /** Lets worker threads go that are its own; whatever it still computes, it computes on the calling thread. */
  endThreads?(): void;
}

/** Memory of the machine that keeps its numbers from run to run: a parameter, a moment, a running mean. */
export interface Cell {
  /** A copy of the present numbers. */
  read(): HostArray;
  write(data: HostArray): void;
  /** Gives the memory back; the cell is not used afterwards. */
  free(): void;
}

/** @param unit number of the step, or of the steps that run together: see unitsOf */
export type StepTimer = (unit: number, milliseconds: number) => void;

/** The kernels in the kernel language, or the machine's code emitted for them. */
export type ListingPart = "kernels" | "code";

/** A whole step, compiled: one call runs all of it. */
export interface StepExecutable {
  /**
   * @param inputs one array per input of the graph
   * @param cells one cell per cell of the graph, updated in place
   * @param params one number per param
   * @param timer told how long every unit of the graph took: the run is the same, a call per unit instead of one
   * @returns one newly allocated array per result
   */
  run(inputs: readonly HostArray[], cells: readonly Cell[], params: readonly number[], timer?: StepTimer): HostArray[];
  /** @param part all of them when it is left out */
  listing(part?: ListingPart): string;
  /** Gives the step's memory back; it does not run afterwards. What is collected gives it back by itself. */
  free(): void;
  /** Bytes of memory beside the cells: what temporaries share, and scratch space of the kernels. */
  readonly arenaBytes: number;
}
