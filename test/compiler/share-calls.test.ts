// Expensive expressions of several maps: computed once where that is less work than a pass through memory, and only there.

import { describe, expect, it } from "vitest";
import { shareCalls } from "../../src/compiler/share-calls.ts";
import { autocast, compile, dropout, gelu, gradients, manualSeed, parameter, type Tensor, tensor, uniform } from "../../src/index.ts";
import type { StepGraph } from "../../src/nest/step-graph.ts";
import { expectArray, keepsNumbers, through, traceOf } from "./support.ts";

const x = parameter(
  tensor([
    [1, -2, 3],
    [0.5, 0, -0.25],
  ]),
);

const calls = (graph: StepGraph, name: string): number => JSON.stringify(graph.operations).split(`"fn":"${name}"`).length - 1;

/** The graph of a function before and after the pass. */
function sharing(fn: (value: Tensor) => Tensor[]): { before: StepGraph; after: StepGraph } {
  const before = through(
    traceOf(
      fn,
      tensor([
        [2, 1, 0],
        [1, 1, 1],
      ]),
    ),
    "epilogues-of-fused",
  );
  return { before, after: keepsNumbers(before, shareCalls) };
}

describe("calls that several steps compute", () => {
  it("are computed once: erf of GELU and of its gradient", () => {
    const { before, after } = sharing((upstream) => {
      const y = gelu(x);
      return [y, ...gradients(y, [x], { upstream })];
    });
    expect(calls(before, "erf")).toBe(2);
    expect(calls(after, "erf")).toBe(1);
    expect(after.operations).toHaveLength(before.operations.length + 1);
    expect(after.operations.some(({ nest }) => nest.name === "shared by gelu, gradient of gelu by x")).toBe(true);
  });

  it("are shared without what little surrounds them where they are needed by themselves too: tanh of GELU, 1 + tanh and 1 − tanh²", () => {
    const { before, after } = sharing((upstream) => {
      const y = gelu(x, "tanh");
      return [y, ...gradients(y, [x], { upstream })];
    });
    expect(calls(before, "tanh")).toBeGreaterThan(2);
    expect(calls(after, "tanh")).toBe(1);
    const shared = after.operations.find(({ nest }) => nest.name.startsWith("shared by"))!;
    expect(shared.nest.body).toMatchObject({ kind: "call", fn: "tanh" });
  });

  it("are kept in float32, also beside steps that store bfloat16", () => {
    const weight = parameter(uniform([24, 16], -1, 1));
    const train = (value: Tensor): Tensor[] => {
      const y = autocast("bfloat16", () => gelu(value.matmul(weight), "tanh"));
      return [y, ...gradients(y.to("float32").square().sum(), [weight])] as Tensor[];
    };
    const value = uniform([40, 24], -2, 2) as Tensor;
    const compiled = compile(train);
    const [y, gradient] = compiled(value) as Tensor[];
    expect(compiled.steps[0]?.graph.operations.map(({ nest }) => nest.name).join()).toContain("shared by geluTanh");
    const [expected, expectedGradient] = train(value);
    expectArray(y!.data, expected!.data, "the result");
    expectArray(gradient!.data, expectedGradient!.data, "the gradient");
  });

  it("are read from the step whose whole body they are", () => {
    const { before, after } = sharing((value) => [value.tanh(), value.tanh().mul(3).add(value)]);
    expect(calls(after, "tanh")).toBe(1);
    expect(after.operations).toHaveLength(before.operations.length);
  });

  it("stay where they cost less than memory, are random, or are of other elements", () => {
    const cheap = sharing((value) => [value.exp().add(1), value.exp().add(value)]);
    expect(calls(cheap.after, "exp")).toBe(calls(cheap.before, "exp"));
    const other = sharing((value) => [value.erf().add(1), value.slice([0, 1]).erf().mul(2), value.mul(2).erf().sub(1)]);
    expect(calls(other.after, "erf")).toBe(calls(other.before, "erf"));
    manualSeed(1);
    const random = sharing((value) => {
      const y = dropout(value.mul(x), 0.5);
      return [y, ...gradients(y, [x], { upstream: value })];
    });
    expect(calls(random.after, "uniform")).toBe(calls(random.before, "uniform"));
  });

  it("give the same numbers as eager", () => {
    const both = (upstream: Tensor): Tensor[] => {
      const y = gelu(x);
      return [y, ...gradients(y, [x], { upstream })];
    };
    const upstream = tensor([
      [1, 2, 3],
      [-1, 0.5, 2],
    ]);
    const [y, gx] = both(upstream) as [Tensor, Tensor];
    const [compiledY, compiledGx] = compile(both)(upstream) as [Tensor, Tensor];
    for (const [found, wanted] of [
      [compiledY, y],
      [compiledGx, gx],
    ] as const)
      for (let n = 0; n < wanted.size; n++) expect(found.data[n]).toBeCloseTo(wanted.data[n] as number, 6);
  });
});
