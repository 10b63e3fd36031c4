// Helper: runs kernel functions as x64 machine code on a fresh region of memory.

import { emitModule } from "../../../src/backends/x64/emit.ts";
import { chooseMachine, MACHINES, type MachineName, runnable } from "../../../src/backends/x64/runtime/cpu.ts";
import { CodePages, Heap } from "../../../src/backends/x64/runtime/memory.ts";
import { type Native, native } from "../../../src/backends/x64/runtime/native.ts";
import type { FunctionBuilder } from "../../../src/kernels/language/builder.ts";
import { ModuleBuilder } from "../../../src/kernels/language/builder.ts";
import type { KernelModule, Machine, Value } from "../../../src/kernels/language/language.ts";

const found = runnable();
if (typeof found === "string") console.error(`x64: NOT CHECKED, ${found}`);

/** The machines to test here; none where machine code cannot run. */
export const here: readonly MachineName[] =
  typeof found === "string" ? [] : (Object.keys(MACHINES) as MachineName[]).filter((name) => found.has(name));
for (const name of Object.keys(MACHINES) as MachineName[])
  if (typeof found !== "string" && !found.has(name)) console.error(`x64: ${name} NOT CHECKED, this processor has none`);

export const machineOf = (name: MachineName): Machine => chooseMachine(name);

export interface Compiled {
  /** Calls an exported function with numbers as arguments (pointers and integers). */
  call(name: string, ...args: number[]): number;
  release(): void;
}

const argumentBytes = 4096;

export function compile(module: KernelModule, machine: Machine): Compiled {
  const system = native() as Native;
  const { bytes, entries } = emitModule(module, machine);
  const pages = new CodePages(system, bytes);
  const place = system.map(argumentBytes, "write")!;
  const words = new BigInt64Array(system.view(place, argumentBytes));
  return {
    call(name, ...args) {
      args.forEach((arg, position) => {
        words[position] = BigInt(arg);
      });
      return Number(BigInt.asIntN(32, BigInt(system.callable(pages.address + entries.get(name)!)(place))));
    },
    release() {
      pages.release();
      system.unmap(place, argumentBytes);
    },
  };
}

export interface Harness {
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
  run(n?: number): number;
}

const base = 1024;

type Write = (k: FunctionBuilder, p: Value, n: Value, module: ModuleBuilder) => unknown;

/** A function main(p, n) over `bytes` bytes of data that begin at p. */
export function harness(write: Write, target: Machine, bytes = 4 * 65536): Harness {
  const module = new ModuleBuilder("test", target);
  module.define("main", { p: "pointer", n: "i32" }, (k, { p, n }) => write(k, p, n, module), true);
  const { call } = compile(module.build(), target);
  const heap = new Heap(native() as Native, 2 ** 24);
  heap.ensure(bytes + 2 * base);
  return {
    f32: heap.f32.subarray(base / 4),
    i32: heap.i32.subarray(base / 4),
    u8: heap.u8.subarray(base),
    run: (n = 0) => call("main", heap.address + base, n),
  };
}
