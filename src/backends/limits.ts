// The machine's own limits, measured: multiply-add peak and memory bandwidth that each backend's code reaches here on one thread.

import { ModuleBuilder } from "../kernels/builder.ts";
import type { KernelModule, Machine, Value, Variable } from "../kernels/language.ts";
import { at, f32, fma, loadVector, splat } from "../kernels/values.ts";
import { features, wasmMachine } from "./wasm/features.ts";
import { compileModule } from "./wasm/module.ts";
import { type Alone, chooseMachine, loadAlone, runnable } from "./x64/index.ts";

export interface Limit {
  readonly name: "fma-peak" | "copy" | "triad";
  readonly backend: "wasm" | "x64";
  readonly threads: number;
  readonly value: number;
  readonly unit: "GFLOP/s" | "GB/s";
}

/** Bytes of each array of the bandwidth measurement: well beyond the caches. */
const ARRAY = 32 * 1024 * 1024;
const CHAINS = 10;

/** Of every backend that emits code and runs here; about a second each. Counts a multiply-add as two operations, and every byte read and written. */
export function measureLimits(): Limit[] {
  const found: Limit[] = [];
  if (typeof runnable() !== "string")
    found.push(...measure("x64", chooseMachine(), (module, machine) => loadAlone(module, machine, 3 * ARRAY + 65536)));
  if (features().simd) found.push(...measure("wasm", wasmMachine(), loadWasm));
  return found;
}

/** A module over memory with room for three arrays. */
type Load = (module: KernelModule, machine: Machine) => Alone;

function measure(backend: Limit["backend"], machine: Machine, load: Load): Limit[] {
  const { entry, release } = load(kernels(machine), machine);
  const iterations = 200_000;
  const one = (name: Limit["name"], unit: Limit["unit"], value: number): Limit => ({ name, unit, value, backend, threads: 1 });
  const milliseconds = (name: string, count: number): number => fastest(() => entry(name)(count));
  const limits = [
    one("fma-peak", "GFLOP/s", (2 * CHAINS * machine.lanes * iterations) / milliseconds("peak", iterations) / 1e6),
    one("copy", "GB/s", (2 * ARRAY) / milliseconds("copy", ARRAY) / 1e6),
    one("triad", "GB/s", (3 * ARRAY) / milliseconds("triad", ARRAY) / 1e6),
  ];
  release();
  return limits;
}

function loadWasm(module: KernelModule): Alone {
  const memory = new WebAssembly.Memory({ initial: (3 * ARRAY) / 65536 + 1 });
  const instance = new WebAssembly.Instance(compileModule(module, features()), { env: { memory } });
  return { entry: (name) => (count) => (instance.exports[name] as (pointer: number, count: number) => void)(0, count), release: () => {} };
}

/** Milliseconds of the best of several runs, after the compiler has had time to optimise. */
function fastest(run: () => void): number {
  const start = performance.now();
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 12 || performance.now() - start < 250; n++) {
    const before = performance.now();
    run();
    best = Math.min(best, performance.now() - before);
  }
  return best;
}

function kernels(machine: Machine): KernelModule {
  const module = new ModuleBuilder("limits", machine);
  module.define(
    "peak",
    { p: "pointer", n: "i32" },
    (k, { p, n }) => {
      const step = k.let(splat(f32(0.999)));
      const sums: Variable[] = Array.from({ length: CHAINS }, (_, chain) => k.let(splat(f32(chain))));
      k.loop(0, n, 1, () => {
        for (const sum of sums) k.set(sum, fma(sum, step, step));
      });
      sums.forEach((sum, chain) => k.store(at(p, undefined, chain * machine.lanes * 4), sum));
    },
    true,
  );
  const stream = (name: string, write: (target: (value: Value) => void, source: (array: number) => Value) => void): void => {
    module.define(
      name,
      { p: "pointer", n: "i32" },
      (k, { p, n }) => {
        k.loop(0, n, 16 * machine.lanes, (byte) => {
          for (let part = 0; part < 4; part++)
            write(
              (value) => k.store(at(p, byte, part * machine.lanes * 4), value),
              (array) => loadVector(at(p, byte, array * ARRAY + part * machine.lanes * 4)),
            );
        });
      },
      true,
    );
  };
  stream("copy", (store, load) => store(load(1)));
  stream("triad", (store, load) => store(fma(load(1), splat(f32(3)), load(2))));
  return module.build();
}
