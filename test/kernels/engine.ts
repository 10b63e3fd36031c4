// Helper: the machine that kernel tests run on: this engine's WebAssembly, or machine code with KASANE_KERNELS=avx2|avx512.

import { features, wasmMachine } from "../../src/backends/wasm/features.ts";
import { compileModule } from "../../src/backends/wasm/module.ts";
import { createWasmBackend } from "../../src/backends/wasm/wasm.ts";
import type { MachineName } from "../../src/backends/x64/runtime/cpu.ts";
import { Heap } from "../../src/backends/x64/runtime/memory.ts";
import { type Native, native } from "../../src/backends/x64/runtime/native.ts";
import { createX64Backend } from "../../src/backends/x64/x64.ts";
import type { KernelModule, Machine } from "../../src/kernels/language/language.ts";
import { compile, machineOf } from "../backends/x64/harness.ts";

const machineCode = process.env.KASANE_KERNELS as MachineName | undefined;

export const machine: Machine = machineCode === undefined ? wasmMachine() : machineOf(machineCode);
export const backend = machineCode === undefined ? createWasmBackend() : createX64Backend(machineCode);

/** A module on a memory of its own. */
export interface Loaded {
  readonly memory: ArrayBuffer;
  /** The pointer to byte 0 of the memory. */
  readonly base: number;
  call(name: string, ...args: number[]): number;
  release(): void;
}

export function load(module: KernelModule, bytes: number, target: Machine = machine): Loaded {
  if (machineCode !== undefined) {
    const { call, release } = compile(module, target);
    const heap = new Heap(native() as Native, bytes + 2 ** 20);
    heap.ensure(bytes);
    const free = () => {
      release();
      heap.release();
    };
    return { memory: heap.u8.buffer, base: heap.address, call, release: free };
  }
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
  const compiled = compileModule(module, { relaxedFma: target.fma !== "separate" && features().relaxedFma });
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return {
    memory: memory.buffer,
    base: 0,
    call: (name, ...args) => (exports[name] as (...args: number[]) => number)(...args),
    release: () => {},
  };
}
