// How many threads compute: setThreads() while programs run, and the number told where workers do not start.

import { afterEach, describe, expect, it, vi } from "vitest";
import { availableBackends, setBackend, useBackend } from "../../src/backends/choose.ts";
import { type Team, teamOf } from "../../src/backends/emitted/threads.ts";
import { createWasmBackend } from "../../src/backends/wasm/wasm.ts";
import { createX64Backend } from "../../src/backends/x64/index.ts";
import { compile, getBackend, manualSeed, parameter, setThreads, type Tensor, uniform } from "../../src/index.ts";
import { adam } from "../../src/optim/index.ts";

afterEach(() => {
  vi.restoreAllMocks();
  setThreads(2);
});

const asleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Losses of a training whose number of threads changes after each part. */
function train(counts: readonly number[]): number[] {
  setThreads(counts[0]!);
  manualSeed(4);
  const weight = parameter(uniform([160, 160], -1, 1));
  const optimizer = adam([weight]);
  const step = compile((x: Tensor) => {
    optimizer.zeroGrad();
    const loss = x.matmul(weight).tanh().mean();
    loss.backward();
    optimizer.step();
    return loss;
  });
  const x = uniform([160, 160], -1, 1);
  return counts.flatMap((count) => {
    setThreads(count);
    return Array.from({ length: 6 }, () => step(x).item());
  });
}

describe.each(availableBackends().filter((name) => name !== "reference"))("%s", (name) => {
  it("goes on with another number of threads, to the same bits", () => {
    setBackend(name);
    const expected = train([1, 1, 1]);
    expect(new Set(expected).size).toBe(18);
    expect(train([1, 3, 2])).toEqual(expected);
    expect(getBackend().name).toBe(name);
    expect(getBackend().threads).toBe(2);
  });
});

describe.each(availableBackends().filter((name) => name !== "reference"))("%s, of whose threads only some compute", (name) => {
  const make = name === "x64" ? (team: Team) => createX64Backend(undefined, team) : createWasmBackend;

  it.each([1, 2, 3, 4])("computes the same bits, begun with %i, while it tries others", (beginWith) => {
    manualSeed(5);
    const a = uniform([160, 160], -1, 1);
    const results = (team: Team, runs: number) => {
      const backend = make(team);
      useBackend(backend);
      const product = compile((x: Tensor) => x.matmul(a).tanh().sum(1));
      const seen = Array.from({ length: runs }, () => product(a).data.join());
      backend.endThreads?.();
      return seen;
    };
    const [expected] = results(teamOf(1), 1);
    expect(new Set(results({ ...teamOf(4), beginWith }, 120))).toEqual(new Set([expected]));
  });

  it("says so", () => {
    useBackend(make({ ...teamOf(4), beginWith: 2 }));
    expect(getBackend().description).toMatch(/, 2 threads of 4: more are of no use here/);
  });
});

describe("setThreads", () => {
  it.each([0, -1, 1.5, 65, Number.NaN, Number.POSITIVE_INFINITY, "2", undefined, null])("refuses %s, and changes nothing", (count) => {
    setBackend("wasm");
    setThreads(3);
    expect(() => setThreads(count as number)).toThrow(`setThreads: expected a whole number from 1 to 64, got ${String(count)}`);
    expect(getBackend().threads).toBe(3);
  });

  it("leaves the reference alone", () => {
    setBackend("reference");
    setThreads(3);
    expect(getBackend().description).toMatch(/^reference/);
  });
});

describe("the description of wasm", () => {
  const product = () => {
    const a = uniform([160, 160], -1, 1);
    return compile(() => a.matmul(a).sum());
  };

  it("counts the workers that came", async () => {
    useBackend(createWasmBackend(teamOf(3)));
    expect(getBackend().description).toMatch(/, 3 threads/);
    const run = product();
    run();
    for (let n = 0; n < 3000 && !/, 3 threads/.test(getBackend().description); n++) await asleep(10);
    expect(getBackend().description).toMatch(/, 3 threads/);
    getBackend().endThreads?.();
    expect(run().item()).toBe(run().item());
  });

  it("says that none came, and why", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    const real = process.getBuiltinModule;
    const Worker = class {
      constructor() {
        throw new Error("access to worker threads is restricted");
      }
    };
    vi.spyOn(process, "getBuiltinModule").mockImplementation(((module: string) =>
      module === "node:worker_threads" ? { Worker } : real(module as "node:os")) as typeof real);
    useBackend(createWasmBackend(teamOf(3)));
    const run = product();
    const first = run().item();
    expect(run().item()).toBe(first);
    expect(getBackend().description).toMatch(/one thread of 3: no worker thread starts here \(access to worker threads is restricted\)/);
    expect(warned).toHaveBeenCalledTimes(1);
  });
});
