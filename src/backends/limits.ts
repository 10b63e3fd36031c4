// Measures the machine's limits for each backend: peak of multiply-adds and memory bandwidth, by number of threads.

import { type FunctionBuilder, ModuleBuilder } from "../kernels/language/builder.ts";
import { aligned, SLACK, type Value, type Variable } from "../kernels/language/language.ts";
import { at, f32, fma, loadVector, mul, splat } from "../kernels/language/values.ts";
import { FIRST_PLACE, wordsSlot } from "./emitted/memory.ts";
import { type Piece, planSharing, runCode, writeShared } from "./emitted/share.ts";
import type { Heap, Target } from "./emitted/target.ts";
import { type Team, wantedThreads } from "./emitted/threads.ts";
import { features } from "./wasm/features.ts";
import { wasmTarget } from "./wasm/wasm.ts";
import { runnable, x64Target } from "./x64/index.ts";

/** One measured limit of this machine. */
export interface Limit {
  readonly name: "fma-peak" | "copy" | "triad";
  readonly backend: "wasm" | "x64";
  readonly threads: number;
  readonly value: number;
  readonly unit: "GFLOP/s" | "GB/s";
}

/** Bytes of each array of the bandwidth measurement: well beyond the caches of all processors together. */
const ARRAY_BYTES = 96 * 1024 * 1024;
/** Of an array in one slice. */
const BLOCK_BYTES = 64 * 1024;
/** Sums side by side, as many as it takes to keep every multiplier busy. */
const CHAINS = 10;
const PEAK_SLICES = 64;
const ITERATIONS = 4000;

/**
 * Slices of something to measure, and what one run of all of them amounts to (in 10⁶ per millisecond: GFLOP or GB per
 * second).
 */
interface Measurement {
  readonly unit: Limit["unit"];
  readonly slices: number;
  amount(lanes: number): number;
  /** @param base of memory with room for three arrays */
  write(k: FunctionBuilder, base: Value, begin: Value, end: Value): void;
}

const measurements: Readonly<Record<Limit["name"], Measurement>> = {
  "fma-peak": {
    unit: "GFLOP/s",
    slices: PEAK_SLICES,
    amount: (lanes) => (2 * CHAINS * lanes * PEAK_SLICES * ITERATIONS) / 1e6,
    write(k, base, begin, end) {
      const step = k.let(splat(f32(0.999)));
      const sums: Variable[] = Array.from({ length: CHAINS }, (_, chain) => k.let(splat(f32(chain))));
      k.loop(mul(begin, ITERATIONS), mul(end, ITERATIONS), 1, () => {
        for (const sum of sums) k.set(sum, fma(sum, step, step));
      });
      sums.forEach((sum, chain) => k.store(at(base, mul(begin, 4096), chain * k.machine.lanes * 4), sum));
    },
  },
  copy: stream(2, (load) => load(1)),
  triad: stream(3, (load) => fma(load(1), splat(f32(3)), load(2))),
};

/** @param arrays read and written */
function stream(arrays: number, value: (load: (array: number) => Value) => Value): Measurement {
  return {
    unit: "GB/s",
    slices: ARRAY_BYTES / BLOCK_BYTES,
    amount: () => (arrays * ARRAY_BYTES) / 1e6,
    write(k, base, begin, end) {
      const width = k.machine.lanes * 4;
      k.loop(mul(begin, BLOCK_BYTES), mul(end, BLOCK_BYTES), 4 * width, (byte) => {
        for (let part = 0; part < 4; part++)
          k.store(
            at(base, byte, part * width),
            value((array) => loadVector(at(base, byte, array * ARRAY_BYTES + part * width))),
          );
      });
    },
  };
}

/**
 * Of backends that emit code and run here, about a second per backend and number of threads. Counts a multiply-add as
 * two operations, and every byte read and written.
 * @param threads how many threads to measure with, one after the other. Default: one, and as many as backends use
 * @param backends only these. Default: all
 */
export function measureLimits(
  threads: readonly number[] = [...new Set([1, wantedThreads()])],
  backends: readonly Limit["backend"][] = ["x64", "wasm"],
): Limit[] {
  const found: Limit[] = [];
  for (const count of threads) {
    const team: Team = { threads: count, leastPiece: 0, leastProgram: 0 };
    if (backends.includes("x64") && typeof runnable() !== "string") found.push(...measure(x64Target(undefined, team)));
    if (backends.includes("wasm") && features().simd) found.push(...measure(wasmTarget(team)));
  }
  return found;
}

function measure<Memory extends Heap>(target: Target<Memory>): Limit[] {
  const { machine, team, name: backend } = target;
  const heap = target.makeHeap();
  const countersAt = aligned(FIRST_PLACE + 3 * ARRAY_BYTES) + SLACK;
  const limits = (Object.keys(measurements) as Limit["name"][]).map((name): Limit => {
    const { unit, slices, amount, write } = measurements[name];
    const base = target.pointer(heap, FIRST_PLACE);
    const piece: Piece = {
      slices,
      perCall: Math.ceil(slices / 16),
      work: slices,
      setup: 0,
      reads: [],
      writes: [],
      write: (k, begin, end) => k.call(kernel, [base, begin, end]),
    };
    const module = new ModuleBuilder(name, machine);
    const kernel = module.define("slices", { base: "pointer", begin: "i32", end: "i32" }, (k, p) => write(k, p.base, p.begin, p.end));
    const sharing = planSharing([piece], team);
    heap.ensure(countersAt + sharing.counterBytes + SLACK);
    const counters = target.pointer(heap, countersAt);
    target.defineMain(module, 0, (k) => writeShared(k, sharing, counters, counters, 0));
    const code = target.load(module.build(), heap);
    const milliseconds = fastest(() => runCode(code, heap, wordsSlot(countersAt, sharing.counterBytes), countersAt));
    code.release();
    return { name, backend, threads: team.threads, value: amount(machine.lanes) / milliseconds, unit };
  });
  heap.release();
  return limits;
}

/** Milliseconds of the best of several runs, after the compiler has had time to optimize. */
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
