// Profiles: what each kernel does and belongs to; times are only added up.

import { describe, expect, it } from "vitest";
import { chromeTrace, type KernelOrigin, profile } from "../../../src/inspect/index.ts";
import { conv2d, crossEntropy, flatten, type Layer, linear, relu, sequential } from "../../../src/nn/index.ts";
import { sgd } from "../../../src/optim/index.ts";
import { compile, manualSeed, normal, type Tensor, tensor } from "../../../src/tensor/index.ts";

function trained() {
  manualSeed(1);
  const net = sequential({ conv: conv2d(1, 4, 3), act: relu, flat: flatten(), output: linear(4 * 36, 3) } as never) as unknown as Layer;
  const optimizer = sgd(net.parameters(), { learningRate: 0.1, momentum: 0.9 });
  const step = compile((x: Tensor, t: Tensor) => {
    optimizer.zeroGrad();
    const loss = crossEntropy(net(x), t);
    loss.backward();
    optimizer.step();
    return loss;
  });
  return profile(step, [normal([8, 1, 8, 8]), tensor(Int32Array.from({ length: 8 }, (_, n) => n % 3), [8])], { runs: 2, limits: false }); // biome-ignore format: one thought
}

describe("profile", () => {
  it("names layer, pass and line of everything a kernel does", () => {
    const { kernels } = trained();
    const origins = kernels.flatMap((kernel) => kernel.origins);
    const has = (wanted: Partial<KernelOrigin>): boolean =>
      origins.some((origin) => Object.entries(wanted).every(([key, value]) => origin[key as keyof KernelOrigin] === value));
    expect(has({ op: "conv2d", layer: "conv", pass: "forward" })).toBe(true);
    expect(has({ op: "gradient of conv2d by w", layer: "conv", pass: "backward" })).toBe(true);
    expect(has({ op: "linearBias", layer: "output", pass: "forward" })).toBe(true);
    expect(has({ op: "sgdMomentum", pass: "update" })).toBe(true);
    expect(kernels.every((kernel) => kernel.origins.length > 0)).toBe(true);
    expect(origins.filter(({ line }) => line?.includes("profile.test.ts")).length).toBeGreaterThan(5);
    // The activation is fused into the convolution: the kernel says both.
    const fused = kernels.find(({ origins }) => origins.some(({ op, pass }) => op === "conv2d" && pass === "forward"));
    expect(fused?.origins.map(({ layer }) => layer)).toContain("act");
  });

  it("counts work, and adds up times", () => {
    const { kernels, milliseconds, byLayer, byPass, byLine } = trained();
    const total = (times: Iterable<number>): number => [...times].reduce((a, b) => a + b, 0);
    for (const by of [byLayer, byPass, byLine]) expect(total(by.values())).toBeCloseTo(milliseconds, 8);
    expect(total(kernels.map((kernel) => kernel.milliseconds))).toBeCloseTo(milliseconds, 8);
    expect([...byPass.keys()].sort()).toEqual(["backward", "forward", "update"]);
  });

  it("counts the operations and bytes of a product exactly", () => {
    const [a, b] = [normal([16, 32]), normal([32, 8])];
    const { kernels } = profile(
      compile(() => a.matmul(b)),
      [],
      { runs: 1, limits: false },
    );
    expect(kernels).toHaveLength(1);
    expect(kernels[0]).toMatchObject({ operations: 2 * 16 * 32 * 8, bytes: 4 * (16 * 32 + 32 * 8 + 16 * 8) });
  });

  it("is told as a table and as Chrome's trace events", () => {
    const profiled = trained();
    for (const line of String(profiled).split("\n").slice(0, 10)) expect(line.length).toBeLessThanOrEqual(110);
    const { traceEvents } = JSON.parse(chromeTrace(profiled));
    const complete = traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
    expect(complete).toHaveLength(profiled.kernels.length);
    for (const event of complete) for (const key of ["name", "cat", "ts", "dur", "pid", "tid"]) expect(event).toHaveProperty(key);
  });

  it("refuses what was not compiled", () => {
    expect(() => profile((() => undefined) as never, [])).toThrow("made by compile()");
  });
});
