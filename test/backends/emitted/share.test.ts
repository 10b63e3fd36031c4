// Programs on several threads: the same bits for every number of them, and waits wherever one piece needs another.

import { setTimeout as pause } from "node:timers/promises";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Backend } from "../../../src/backends/backend.ts";
import { useBackend } from "../../../src/backends/choose.ts";
import { FIRST_PLACE, wordsSlot } from "../../../src/backends/emitted/memory.ts";
import { type Piece, planSharing, runCode, type Span, writeShared } from "../../../src/backends/emitted/share.ts";
import type { Heap, Target } from "../../../src/backends/emitted/target.ts";
import { type Team, wantedThreads } from "../../../src/backends/emitted/threads.ts";
import { createWasmBackend, wasmTarget } from "../../../src/backends/wasm/wasm.ts";
import { runnable } from "../../../src/backends/x64/runtime/cpu.ts";
import { createX64Backend, x64Target } from "../../../src/backends/x64/x64.ts";
import { compile, manualSeed, setBackend, type Tensor, tensor, uniform } from "../../../src/index.ts";
import { ModuleBuilder } from "../../../src/kernels/language/builder.ts";
import * as v from "../../../src/kernels/language/values.ts";
import { batchNorm, conv2d, crossEntropy, flatten, linear, maxPool2d, relu, sequential } from "../../../src/nn/index.ts";
import { adam } from "../../../src/optim/index.ts";

afterAll(() => setBackend("reference"));

const everything = (threads: number): Team => ({ threads, leastPiece: 0, leastProgram: 0 });

describe("what waits for what", () => {
  const work = (start: number, end: number): Span => ({ of: "work", start, end });
  const cell = (of: number): Span => ({ of, start: 0, end: 64 });
  const piece = (reads: Span[], writes: Span[], slices = 8): Piece => ({
    slices,
    perCall: slices,
    work: 1000,
    setup: 0,
    reads,
    writes,
    write: () => {},
  });
  const waits = (...pieces: Piece[]) => planSharing(pieces, everything(2)).segments.map((segment) => segment.waits);

  it("is what reads or overwrites memory that another writes", () => {
    const [a, b, c] = [work(0, 64), work(64, 128), work(100, 200)];
    expect(waits(piece([], [a]), piece([a], [b]), piece([a], [cell(0)]))).toEqual([[], [0], []]);
    expect(waits(piece([], [b]), piece([], [c]))).toEqual([[], [0]]);
    expect(waits(piece([b], [a]), piece([], [c]))).toEqual([[], [0]]);
    expect(waits(piece([a], [cell(1)]), piece([a], [cell(2)]), piece([cell(1)], [cell(2)]))).toEqual([[], [], [0, 1]]);
  });

  it("is waited for once", () => {
    const [a, b, c] = [work(0, 64), work(64, 128), work(128, 192)];
    expect(waits(piece([], [a]), piece([a], [b]), piece([a], [c]))).toEqual([[], [0], []]);
  });

  it("takes small neighbours together, and is not shared at all where there is little work", () => {
    const [a, b] = [work(0, 64), work(64, 128)];
    expect(planSharing([piece([], [a], 1), piece([a], [b], 1), piece([b], [a], 4)], everything(2)).segments).toMatchObject([
      { isShared: false, pieces: [{}, {}] },
      { isShared: true, ranges: 2 },
    ]);
    expect(planSharing([piece([], [a])], { threads: 2, leastPiece: 10, leastProgram: 2000 }).segments).toEqual([]);
    expect(planSharing([piece([], [a])], { threads: 1, leastPiece: 0, leastProgram: 0 }).segments).toEqual([]);
  });
});

function losses(backend: Backend, steps: number): number[] {
  useBackend(backend);
  manualSeed(1);
  const net = sequential(
    conv2d(3, 12, 3, { padding: 1 }),
    batchNorm(12),
    relu,
    maxPool2d(2),
    conv2d(12, 16, 3, { stride: 2 }),
    relu,
    flatten(),
    linear(16 * 7 * 7, 33),
    relu,
    linear(33, 5),
  );
  const optimizer = adam(net.parameters(), { learningRate: 1e-3 });
  const step = compile((x: Tensor, target: Tensor) => {
    optimizer.zeroGrad();
    const loss = crossEntropy(net(x) as Tensor, target);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const x = uniform([9, 3, 32, 32], -1, 1);
  const target = tensor([0, 1, 2, 3, 4, 0, 1, 2, 3], { dtype: "int32" });
  return Array.from({ length: steps }, () => step(x, target).item());
}

const makers: Record<string, (team: Team) => Backend> = {
  wasm: createWasmBackend,
  ...(typeof runnable() === "string" ? {} : { x64: (team: Team) => createX64Backend(undefined, team) }),
};
if (makers.x64 === undefined) console.error("share: NOT CHECKED on x64, which cannot run here");

describe.each(Object.entries(makers))("threads of %s", (name, make) => {
  it("train to the same bits, however many there are", async () => {
    const alone = losses(make(everything(1)), 12);
    expect(new Set(alone).size).toBe(12);
    for (const threads of [2, 3, 7]) {
      const backend = make(everything(threads));
      expect(losses(backend, 12)).toEqual(alone);
      // By now all workers have come up.
      await pause(100);
      expect(losses(backend, 12)).toEqual(alone);
    }
  });

  it("start again after they have slept", async () => {
    const backend = make(everything(3));
    const first = losses(backend, 3);
    for (let n = 0; n < 3; n++) {
      await pause(50);
      expect(losses(backend, 3)).toEqual(first);
    }
  });

  it("run eager ops too, thousands of times", () => {
    useBackend(make(everything(2)));
    const x = uniform([64, 70]);
    const sum = x.mul(2).sum([1]).data;
    for (let n = 0; n < 3000; n++) expect(x.mul(2).sum([1]).data).toEqual(sum);
  });

  it("come in while there is work", async () => {
    // Every thread that comes in counts itself in the first word of the counters.
    const target: Target<Heap> = name === "wasm" ? wasmTarget(everything(2)) : x64Target(undefined, everything(2));
    const heap = target.makeHeap();
    const [place, countersAt] = [FIRST_PLACE, FIRST_PLACE + 4096];
    heap.ensure(2 * FIRST_PLACE);
    const module = new ModuleBuilder("spin", target.machine);
    const spin = module.define("spin", { to: "pointer", slice: "i32" }, (k, { to, slice }) => {
      const sum = k.let(v.f32(1), "sum");
      k.loop(0, 300_000, 1, () => k.set(sum, v.fma(sum, sum, sum)));
      k.store(v.at(to, v.mul(slice, 4)), sum);
    });
    const work: Piece = {
      slices: 64,
      perCall: 1,
      work: 1,
      setup: 0,
      reads: [],
      writes: [],
      write: (k, begin) => k.call(spin, [target.pointer(heap, place), begin]),
    };
    const sharing = planSharing([work], target.team);
    const counters = target.pointer(heap, countersAt);
    target.defineMain(module, 0, (k) => writeShared(k, sharing, counters, counters, 0));
    const code = target.load(module.build(), heap);
    let came = 0;
    for (let n = 0; n < 1000 && came < 2; n++) {
      runCode(code, heap, wordsSlot(countersAt, sharing.counterBytes), countersAt);
      came = heap.i32[countersAt / 4] as number;
      await pause(0);
    }
    expect(came).toBeGreaterThanOrEqual(2);
    expect(Array.from(heap.f32.subarray(place / 4, place / 4 + 64))).toEqual(new Array(64).fill(Number.POSITIVE_INFINITY));
    code.release();
    heap.release();
  });
});

describe("without shared memory", () => {
  it("wasm runs on one thread and says why", () => {
    vi.stubGlobal("SharedArrayBuffer", undefined);
    try {
      const backend = createWasmBackend(everything(2));
      expect(backend.description).toContain("one thread: the page is not cross-origin isolated");
      expect(losses(backend, 2)).toHaveLength(2);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe("KASANE_THREADS", () => {
  it.each(["0", "-1", "many", "1.5", "1000"])("refuses %s", (value) => {
    process.env.KASANE_THREADS = value;
    try {
      expect(wantedThreads).toThrow(`KASANE_THREADS is a whole number from 1 to 64, got "${value}"`);
    } finally {
      delete process.env.KASANE_THREADS;
    }
  });

  it("is what is used", () => {
    process.env.KASANE_THREADS = "5";
    expect(wantedThreads()).toBe(5);
    delete process.env.KASANE_THREADS;
    expect(wantedThreads()).toBeGreaterThanOrEqual(1);
  });
});
