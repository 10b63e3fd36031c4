// The whole contract between kasane and a machine: compile a bound program, run it on host buffers.

import type { DType, Program } from "../formula/nest.ts";

export type HostArray = Float32Array | Float64Array | Int32Array | Uint8Array;

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
  readonly name: "reference" | "wasm";
  /** One sentence: what was chosen and why (SIMD width, relaxed FMA, tile). */
  readonly description: string;
  readonly dtypes: ReadonlySet<DType>;
  compile(program: Program): Executable;
}
