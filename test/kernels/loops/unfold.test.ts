// Gradients of large strided windows as axes of windows and places: the same numbers, every element once, nothing left to divide.

import fc from "fast-check";
import { expect, test } from "vitest";
import { affineIndicesOf, allScalars } from "../../../src/kernels/expressions/access.ts";
import { unfold } from "../../../src/kernels/loops/unfold.ts";
import { evaluateProgram } from "../../../src/nest/evaluate.ts";
import type { Nest, Program } from "../../../src/nest/nest.ts";
import { compare, programOf, programOfNest, tensor } from "../conformance.ts";

/** Like a gradient of windows: sum[p](g[(h − p + padding) / stride]) with what depends on h and p beside it. */
function gradientOf(extent: number, window: number, stride: number, padding: number, count: number, steady: boolean) {
  // 1 at positions that no window has: those may not be left out.
  const added = steady ? "0" : "1";
  return programOf(
    `y[n, h < size] = sum[p < window](select(g[n, (h - p + padding) / stride] > 0, w[p] + v[h], ${added})) * v[h]`,
    { g: tensor([2, count]), w: tensor([window], "float32", undefined, 5), v: tensor([extent], "float32", undefined, 9) },
    { sizes: { size: extent, window, stride, padding } },
  );
}

const lengths = {
  stride: fc.integer({ min: 5, max: 9 }),
  window: fc.integer({ min: 1, max: 20 }),
  padding: fc.integer({ min: 0, max: 6 }),
};

test("the parts write every element once and are what the nest is", () => {
  fc.assert(
    fc.property(
      fc.record({ ...lengths, extent: fc.integer({ min: 1, max: 40 }), count: fc.integer({ min: 1, max: 6 }) }),
      fc.boolean(),
      ({ stride, window, padding, extent, count }, steady) => {
        const { program, arrays } = gradientOf(extent, window, stride, padding, count, steady);
        const step = program.operations[0]!;
        const nest: Nest = step.nest;
        const inputs = step.reads.map((read) => arrays[read]!);
        const parts = unfold(nest);
        if (parts === undefined) return !steady || window === 1 || extent === 1;
        expect(steady).toBe(true);
        for (const part of parts) {
          for (const index of allScalars(part).flatMap(affineIndicesOf)) expect(index.divisor).toBe(1);
        }
        const elements = parts.reduce((sum, part) => sum + part.axes.slice(0, part.free).reduce((all, axis) => all * axis.extent, 1), 0);
        expect(elements).toBe(2 * extent);
        const single = programOfNest(nest);
        const together: Program = { ...single, operations: parts.map((part) => ({ ...single.operations[0]!, nest: part, clear: false })) };
        expect(evaluateProgram(together, inputs, [])).toEqual(evaluateProgram(single, inputs, []));
        return true;
      },
    ),
    { numRuns: 300 },
  );
});

test("two unfolded axes, whole windows, overlapping ones and gaps run as the reference does", () => {
  for (const [extent, window, stride, padding] of [
    [56, 8, 8, 0],
    [20, 5, 5, 0],
    [33, 7, 5, 2],
    [31, 3, 6, 1],
    [23, 11, 5, 5],
    [40, 16, 16, 0],
  ] as const) {
    const out = Math.floor((extent + 2 * padding - window) / stride) + 1;
    const { program, arrays } = programOf(
      "y[n, h < size, v < size] = sum[p < window, q < window](g[n, (h - p + padding) / stride, (v - q + padding) / stride] * w[p, q])",
      { g: tensor([3, out, out]), w: tensor([window, window], "float32", undefined, 5) },
      { sizes: { size: extent, window, stride, padding } },
    );
    expect(compare(program, arrays, [], 1e-5)).toBe("");
    const chosen = programOf(
      "y[n, h < size, v < size] = sum[p < window, q < window](select(k[n, (h - p + padding) / stride, (v - q + padding) / stride] == window * p + q, g[n, (h - p + padding) / stride, (v - q + padding) / stride], 0))",
      { k: tensor([3, out, out], "int32"), g: tensor([3, out, out]) },
      { sizes: { size: extent, window, stride, padding } },
    );
    expect(compare(chosen.program, chosen.arrays, [], 1e-5)).toBe("");
  }
});
