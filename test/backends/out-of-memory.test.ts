// What does not fit is refused before anything changes: no optimizer step is counted, and all that ran before runs on with the same numbers.

import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { useBackend } from "../../src/backends/choose.ts";
import { createEmittedBackend } from "../../src/backends/emitted/backend.ts";
import { teamOf } from "../../src/backends/emitted/threads.ts";
import { LinearMemory } from "../../src/backends/wasm/memory.ts";
import { wasmTarget } from "../../src/backends/wasm/wasm.ts";
import { Heap } from "../../src/backends/x64/runtime/memory.ts";
import { type Native, native } from "../../src/backends/x64/runtime/native.ts";
import { x64Target } from "../../src/backends/x64/x64.ts";
import { compile, manualSeed, normal, parameter, setBackend, type Tensor, tensor } from "../../src/index.ts";
import { linear } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { BackendError } from "../../src/util/errors.ts";

const MIB = 2 ** 20;

/** Backends with little memory; machine code only where it runs. */
const makers: Record<string, (bytes: number) => Backend> = {
  wasm: (bytes) => createEmittedBackend({ ...wasmTarget(teamOf(1)), makeHeap: () => new LinearMemory(0, bytes) }),
  ...(typeof native() === "string"
    ? {}
    : {
        x64: (bytes: number) =>
          createEmittedBackend({ ...x64Target(undefined, teamOf(1)), makeHeap: () => new Heap(native() as Native, bytes) }),
      }),
};

afterEach(() => setBackend("reference"));

describe.each(Object.entries(makers))("%s", (_name, make) => {
  it("refuses a step that does not fit, and goes on with what did", () => {
    useBackend(make(4 * MIB));
    manualSeed(1);
    const net = linear(16, 16);
    const optimizer = adam(net.parameters());
    const step = compile((x: Tensor) => {
      optimizer.zeroGrad();
      const loss = net(x as never)
        .square()
        .mean() as Tensor;
      loss.backward();
      optimizer.step();
      return loss;
    });
    const small = normal([8, 16]);
    step(small);
    const before = optimizer.stateDict().steps;
    const weights = net.parameters().map((weight) => [...weight.data]);
    for (let n = 0; n < 3; n++) expect(() => step(normal([30000, 16]))).toThrow(BackendError);
    expect(optimizer.stateDict().steps).toEqual(before);
    expect(net.parameters().map((weight) => [...weight.data])).toEqual(weights);
    const losses = Array.from({ length: 5 }, () => step(small).item());
    expect(losses.every((loss, n) => Number.isFinite(loss) && (n === 0 || loss < (losses[n - 1] as number)))).toBe(true);
  });

  it("counts no optimizer step where the weights themselves find no room", () => {
    useBackend(make(4 * MIB));
    const [little, much] = [parameter(normal([64])), parameter(tensor(new Float32Array(2 * MIB)))];
    const optimizer = adam([little, much]);
    const step = compile(() => {
      optimizer.zeroGrad();
      const loss = little.square().sum().add(much.square().sum());
      loss.backward();
      optimizer.step();
      return loss;
    });
    const [before, counted] = [[...little.data], optimizer.stateDict().steps];
    for (let n = 0; n < 2; n++) expect(() => step()).toThrow(BackendError);
    expect(optimizer.stateDict().steps).toEqual(counted);
    expect([...little.data]).toEqual(before);
    const other = compile(() => little.mul(2));
    expect([...other().data]).toEqual(before.map((value) => Math.fround(value * 2)));
  });

  it("has room for programs of other shapes where each fits alone, since only one works at a time", () => {
    useBackend(make(4 * MIB));
    const doubled = compile((x: Tensor) => x.mul(2));
    for (const size of [200_000, 250_000, 300_000, 350_000, 200_000])
      expect(doubled(tensor(new Float32Array(size).fill(3))).data.every((value: number) => value === 6)).toBe(true);
    expect(doubled.steps).toHaveLength(4);
  });

  it("gives the right numbers or an error, whatever sizes come in whatever order", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900_000 }), { minLength: 2, maxLength: 12 }), (sizes) => {
        useBackend(make(4 * MIB));
        const doubled = compile((x: Tensor) => x.mul(2));
        for (const size of sizes) {
          const x = tensor(Float32Array.from({ length: size }, (_, n) => n % 1000));
          try {
            const y = doubled(x).data;
            expect(y.every((value: number, n: number) => value === (n % 1000) * 2)).toBe(true);
          } catch (error) {
            if (!(error instanceof BackendError)) throw error;
            expect(error.message).toMatch(/needed at once|refused to grow|needs .* at once/);
          }
        }
        expect([...doubled(tensor([1, 2])).data]).toEqual([2, 4]);
      }),
      { numRuns: 12 },
    );
  });
});

it("WebAssembly memory beyond its limit stays as it is", () => {
  const memory = new LinearMemory(0, 3 * MIB);
  memory.ensure(MIB);
  const bytes = memory.u8.byteLength;
  for (const wanted of [3 * MIB + 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40]) expect(() => memory.ensure(wanted)).toThrow("are needed at once");
  expect(memory.u8.byteLength).toBe(bytes);
  expect(() => new LinearMemory(0).ensure(2 ** 32 + 1)).toThrow("4.0 GiB are needed at once; WebAssembly memory holds 4.0 GiB");
  memory.ensure(3 * MIB);
  expect(memory.u8.byteLength).toBe(3 * MIB);
});
