// Checked kernels (KASANE_CHECK=1): accesses out of their buffers become errors, and right programs give what they give unchecked.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { createWasmBackend } from "../../src/backends/wasm/wasm.ts";
import { createX64Backend } from "../../src/backends/x64/x64.ts";
import { planGraph, type StepGraph } from "../../src/compiler/index.ts";
import type { AffineIndex, Index, Load, Nest } from "../../src/nest/nest.ts";
import { BackendError } from "../../src/util/errors.ts";
import { compareWithGradients, programOfNest, tensor } from "../kernels/conformance.ts";
import { compileProgram } from "./program.ts";
import { here } from "./x64/harness.ts";

const along = (axis: number, offset = 0): AffineIndex => ({
  kind: "affine",
  terms: [{ axis, coefficient: 1 }],
  offset,
  divisor: 1,
  checked: false,
});
const read = (operand: number, ...index: readonly Index[]): Load => ({ kind: "load", operand, index, fill: 0, type: "float" });
const float = (...shape: readonly number[]) => ({ dtype: "float32", shape }) as const;
const axes = (extents: Readonly<Record<string, number>>) => Object.entries(extents).map(([name, extent]) => ({ name, extent }));

/** y[i] = x[i + from] + 1, with both indices said to be inside. */
const shifted = (name: string, from: number, to: number): Nest => ({
  name,
  operands: [float(20)],
  params: [],
  axes: axes({ i: 20 }),
  free: 1,
  reducer: undefined,
  body: { kind: "call", fn: "add", args: [read(0, along(0, from)), { kind: "constant", value: 1, type: "float" }], type: "float" },
  epilogue: undefined,
  output: { ...float(20), index: [along(0, to)], accumulate: false },
});

const makers: Readonly<Record<string, () => Backend>> = {
  wasm: createWasmBackend,
  ...Object.fromEntries(here.map((name) => [`x64 ${name}`, () => createX64Backend(name)])),
};

describe.each(Object.entries(makers))("%s", (_, make) => {
  let backend: Backend;
  beforeAll(() => {
    process.env.KASANE_CHECK = "1";
    backend = make();
  });
  afterAll(() => {
    delete process.env.KASANE_CHECK;
  });
  const run = (nest: Nest) => {
    const inputs = nest.operands.map(({ shape }) => tensor(shape).data);
    return compileProgram(backend, programOfNest(nest)).run(inputs, []);
  };

  test("a read too far out is an error that names kernel, buffer and element, and the next run is right", () => {
    expect(() => run(shifted("late", 1000, 0))).toThrow(BackendError);
    expect(() => run(shifted("late", 1000, 0))).toThrow(/kernel "late" reads elements 1000 to \d+ of in0, which has 20;/);
    expect(() => run(shifted("early", -70, 0))).toThrow(/kernel "early" reads elements -70 to -\d+ of in0, which has 20;/);
    expect([...run(shifted("right", 0, 0))]).toEqual([...tensor([20]).data].map((x) => Math.fround(x + 1)));
  });

  test("a write one element out is an error, and what lies there stays", () => {
    expect(() => run(shifted("over", 0, 1))).toThrow(/kernel "over" writes .* of out, which has 20;/);
    expect(() => run(shifted("under", 0, -1))).toThrow(/kernel "under" writes elements? -1.* of out, which has 20;/);
  });

  test("compiled steps name the kernel that fails", () => {
    const graph: StepGraph = {
      name: "step",
      buffers: [float(20), float(20), float(20), float(20)],
      inputs: [0],
      cells: [1],
      updates: [],
      results: [3],
      params: [],
      operations: [
        { nest: shifted("first", 0, 0), reads: [0], writes: 2, clear: false },
        { nest: shifted("second", 999, 0), reads: [1], writes: 3, clear: false },
      ],
    };
    const step = backend.compile(planGraph(graph, backend.facts));
    const cell = backend.makeCell(float(20));
    expect(() => step.run([tensor([20]).data], [cell], [])).toThrow(/kernel "second" reads elements 999 to \d+ of in0/);
    const right = backend.compile(
      planGraph({ ...graph, operations: [graph.operations[0]!, { ...graph.operations[1]!, nest: shifted("third", 0, 0) }] }, backend.facts),
    );
    expect(right.run([tensor([20]).data], [cell], [])[0]).toEqual(new Float32Array(20).fill(1));
  });

  test("right programs pass: every kind of kernel, with gradients", () => {
    const ids = tensor([9], "int32", [0, 4, 2, 6, -1, 7, 3, 3, 1]);
    const sizes = { stride: 2, pad: 1, window: 3 };
    const cases = [
      ["y = 1 / (1 + exp(-x))", { x: tensor([7, 19]) }],
      ["y[...] = x[...] * b + 2", { x: tensor([3, 70]), b: tensor([]) }],
      ["y[i, k] = max(tanh(sum[j](a[i, j] * b[j, k]) + c[k]), 0)", { a: tensor([29, 65]), b: tensor([65, 43]), c: tensor([43]) }],
      // Large enough to be shared among threads, the second in phases.
      ["y = x * 2 + 1", { x: tensor([300, 500]) }],
      ["y[i, k] = sum[j](a[i, j] * b[j, k])", { a: tensor([4, 20_000]), b: tensor([20_000, 5]) }],
      ["y[j, i] = x[i, j]", { x: tensor([37, 21]) }],
      ["y[i] = sum[j](x[i, j])", { x: tensor([5, 300]) }],
      ["y[j] = max[i](x[i, j])", { x: tensor([50, 19]) }],
      ["y[..., d] = w[ids[...], d]", { w: tensor([7, 10]), ids }],
      ["y[i, d] = exp(x[i, d]) / sum[k](exp(x[i, k]))", { x: tensor([6, 35]) }],
      [
        "y[n, o, i, j] = sum[c, p, q](x[n, c, i*stride + p - pad, j*stride + q - pad] * w[o, c, p, q])",
        { x: tensor([2, 5, 13, 14]), w: tensor([6, 5, 3, 3], "float32", undefined, 2) },
        { sizes: { stride: 2, pad: 1 } },
      ],
      // By Winograd's algorithm.
      [
        "y[n, o, i, j] = sum[c, p, q](x[n, c, i + p - pad, j + q - pad] * w[o, c, p, q])",
        { x: tensor([1, 16, 22, 22]), w: tensor([32, 16, 3, 3], "float32", undefined, 2) },
        { sizes: { pad: 1 } },
      ],
      [
        "y[n, i, j] = max[p<window, q<window](x[n, i*stride + p - pad, j*stride + q - pad])",
        { x: tensor([3, 17, 18], "float32", undefined, 3) },
        { sizes },
      ],
    ] as const;
    for (const [formula, inputs, attributes] of cases) {
      const named = inputs as unknown as Parameters<typeof compareWithGradients>[1];
      expect(compareWithGradients(formula, named, attributes ?? {}, 1e-4, backend), formula).toEqual([]);
    }
  });
});
