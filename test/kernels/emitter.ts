// Helper: runs one kernel function of the machine under test on a fresh memory.

import type { FunctionBuilder } from "../../src/kernels/language/builder.ts";
import { ModuleBuilder } from "../../src/kernels/language/builder.ts";
import type { Machine, Value } from "../../src/kernels/language/language.ts";
import { load, machine } from "./engine.ts";

export { machine };

export interface Harness {
  readonly f32: Float32Array<ArrayBuffer>;
  readonly i32: Int32Array<ArrayBuffer>;
  readonly u8: Uint8Array<ArrayBuffer>;
  /** Calls the function with a pointer to byte `base`. */
  run(...args: number[]): number;
}

export const base = 1024;

/** The same machine without relaxed multiply-add. */
export const plainMachine: Machine = { ...machine, fma: "separate" };

type Write = (k: FunctionBuilder, p: Value, n: Value, module: ModuleBuilder) => unknown;

export function harness(write: Write, pages = 4, target: Machine = machine): Harness {
  const module = new ModuleBuilder("test", target);
  module.define("main", { p: "pointer", n: "i32" }, (k, { p, n }) => write(k, p, n, module), true);
  const { memory, base: start, call } = load(module.build(), pages * 65536, target);
  return {
    f32: new Float32Array(memory, base) as Float32Array<ArrayBuffer>,
    i32: new Int32Array(memory, base) as Int32Array<ArrayBuffer>,
    u8: new Uint8Array(memory, base) as Uint8Array<ArrayBuffer>,
    run: (n = 0) => call("main", start + base, n),
  };
}
