// Helper: runs one kernel function in this engine's WebAssembly on a fresh memory.

import { features, wasmMachine } from "../../src/backends/wasm/features.ts";
import { compileModule } from "../../src/backends/wasm/module.ts";
import type { FunctionBuilder } from "../../src/kernels/builder.ts";
import { ModuleBuilder } from "../../src/kernels/builder.ts";
import type { Machine, Value } from "../../src/kernels/language.ts";

export const machine = wasmMachine();

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
  const memory = new WebAssembly.Memory({ initial: pages });
  const compiled = compileModule(module.build(), { relaxedFma: target.fma !== "separate" && features().relaxedFma });
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  const main = instance.exports.main as (p: number, n: number) => number;
  return {
    f32: new Float32Array(memory.buffer, base) as Float32Array<ArrayBuffer>,
    i32: new Int32Array(memory.buffer, base) as Int32Array<ArrayBuffer>,
    u8: new Uint8Array(memory.buffer, base) as Uint8Array<ArrayBuffer>,
    run: (n = 0) => main(base, n),
  };
}
