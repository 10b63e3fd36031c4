// Types of compile(fn): arguments, results, options, and what a compiled function offers.

import type { ListingPart } from "../../backends/backend.ts";
import type { MemoryPlan, StepGraph } from "../../compiler/index.ts";
import type { Operation } from "../../nest/nest.ts";
import type { Tensor } from "../types.ts";

/** Tensors are inputs; numbers, strings and booleans are fixed at tracing, and another one traces anew. */
export type CompileArgument = Tensor | number | string | boolean | undefined | null;

/** What a compiled function may give: tensors, alone, in a list or by name, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement gives void
export type CompileResult = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>> | undefined | void;

/** Name and safeguard of a compiled function. */
export interface CompileOptions {
  /** For listings and errors. Default: the function's name. */
  readonly name?: string;
  /**
   * Picks a single number of the result: in a run where it is not finite, no tensor is updated, so that a step with a
   * NaN loss leaves weights and optimizer state as they were.
   */
  readonly guard?: (result: never) => Tensor;
  /** Shown the graph after tracing ("trace") and after every pass. */
  readonly onPass?: (name: string, graph: StepGraph) => void;
}

/** One compiled program, to look into. */
export interface CompiledStep {
  readonly name: string;
  /** Before any pass, and after all of them. */
  readonly traced: StepGraph;
  readonly graph: StepGraph;
  readonly memory: MemoryPlan;
  /**
   * Of the machine's memory, all in all: temporaries, scratch space, and every tensor from outside that it reads or
   * writes.
   */
  readonly bytes: number;
  /** Of these, scratch space of kernels: packed operands, transformed windows. */
  readonly scratchBytes: number;
  /** Milliseconds of tracing and compiling. */
  readonly compileMs: number;
  /** The graph, the kernels and the emitted code, or one of the last two. */
  readonly listing: (part?: ListingPart) => string;
}

/** A function that was compiled: the same arguments and results, run as one program for each combination of shapes. */
export interface CompiledFunction<Args extends readonly CompileArgument[], Result extends CompileResult> {
  /**
   * Runs the program for arguments of these shapes; the first time it traces and compiles it.
   * @throws what tracing the function throws
   */
  (...args: Args): Result;
  /**
   * The same where reading takes time: waits for what is looked at after every run (a guard, checks of labels, a
   * recorder). What it computes is asked for at once, in order.
   */
  async(...args: Args): Promise<Result>;
  /** What was compiled so far, one for each combination of shapes and modes. */
  readonly steps: readonly CompiledStep[];
  /**
   * Runs like the function itself, but a call per kernel: which of them takes how long. The first one compiles them
   * apart.
   */
  profile(...args: Args): Profile<Result>;
}

/** One run, kernel by kernel. */
export interface Profile<Result> {
  readonly result: Result;
  /** In the order of the program. */
  readonly kernels: readonly KernelTime[];
}

/** How long one kernel took. */
export interface KernelTime {
  readonly name: string;
  readonly milliseconds: number;
  /** Steps of all its loops: for a sum of products, half its floating-point operations. */
  readonly iterations: number;
  /** The loop nests it runs, with what they came from. */
  readonly steps: readonly Operation[];
}
