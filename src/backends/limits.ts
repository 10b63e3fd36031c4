// The machine's own limits, measured: multiply-add peak and memory bandwidth that WebAssembly reaches here on one thread.

import { ModuleBuilder } from "../kernels/builder.ts";
import type { Value, Variable } from "../kernels/language.ts";
import { at, f32, fma, loadVector, splat } from "../kernels/values.ts";
import { features, wasmMachine } from "./wasm/features.ts";
import { compileModule } from "./wasm/module.ts";

export interface Limit {
  readonly name: "fma-peak" | "copy" | "triad";
  readonly backend: "wasm";
  readonly threads: number;
  readonly value: number;
  readonly unit: "GFLOP/s" | "GB/s";
}

/** Bytes of each array of the bandwidth measurement: well beyond the caches. */
const ARRAY = 32 * 1024 * 1024;
const CHAINS = 10;

/** Takes about a second. Counts a multiply-add as two operations, and every byte read and written. */
export function measureLimits(): Limit[] {
  const { peak, copy, triad } = kernels();
  const iterations = 200_000;
  const lanes = wasmMachine().lanes;
  const one = (name: Limit["name"], unit: Limit["unit"], value: number): Limit => ({ name, unit, value, backend: "wasm", threads: 1 });
  return [
    one("fma-peak", "GFLOP/s", (2 * CHAINS * lanes * iterations) / fastest(() => peak(0, iterations)) / 1e6),
    one("copy", "GB/s", (2 * ARRAY) / fastest(() => copy(0, ARRAY)) / 1e6),
    one("triad", "GB/s", (3 * ARRAY) / fastest(() => triad(0, ARRAY)) / 1e6),
  ];
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

type Entry = (pointer: number, count: number) => void;

function kernels(): { peak: Entry; copy: Entry; triad: Entry } {
  const module = new ModuleBuilder("limits", wasmMachine());
  module.define(
    "peak",
    { p: "pointer", n: "i32" },
    (k, { p, n }) => {
      const step = k.let(splat(f32(0.999)));
      const sums: Variable[] = Array.from({ length: CHAINS }, (_, chain) => k.let(splat(f32(chain))));
      k.loop(0, n, 1, () => {
        for (const sum of sums) k.set(sum, fma(sum, step, step));
      });
      sums.forEach((sum, chain) => k.store(at(p, undefined, chain * 16), sum));
    },
    true,
  );
  const stream = (name: string, write: (target: (value: Value) => void, source: (array: number) => Value) => void): void => {
    module.define(
      name,
      { p: "pointer", n: "i32" },
      (k, { p, n }) => {
        k.loop(0, n, 64, (byte) => {
          for (let part = 0; part < 4; part++)
            write(
              (value) => k.store(at(p, byte, part * 16), value),
              (array) => loadVector(at(p, byte, array * ARRAY + part * 16)),
            );
        });
      },
      true,
    );
  };
  stream("copy", (store, load) => store(load(1)));
  stream("triad", (store, load) => store(fma(load(1), splat(f32(3)), load(2))));
  const memory = new WebAssembly.Memory({ initial: (3 * ARRAY) / 65536 });
  const instance = new WebAssembly.Instance(compileModule(module.build(), features()), { env: { memory } });
  const entry = (name: string): Entry => instance.exports[name] as Entry;
  return { peak: entry("peak"), copy: entry("copy"), triad: entry("triad") };
}
