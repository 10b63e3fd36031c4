// The contraction engine agrees with the reference on random nests, for several tiles and cache sizes, and writes nowhere else.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Machine } from "../../../src/kernels/language/language.ts";
import type { Nest } from "../../../src/nest/nest.ts";
import { contraction, integers } from "./nests.ts";
import { difference, expected, machine, narrowed, runContraction, sizeOf } from "./run.ts";

const machines: readonly Machine[] = [
  machine,
  { ...machine, fma: "separate" },
  { ...machine, tile: { rows: 3, vectors: 3 } },
  { ...machine, tile: { rows: 7, vectors: 1 }, caches: [1024, 4096] },
  // So small that every loop over blocks runs more than once.
  { ...machine, caches: [256, 2048] },
  { ...machine, tile: { rows: 2, vectors: 4 }, caches: [256, 1024] },
];

const inputsOf = (nest: Nest, seed: number) => nest.operands.map((operand, position) => integers(sizeOf(operand), seed + position));

describe("random contractions", () => {
  it("equal the reference exactly on integers, and write only their output", () => {
    let matched = 0;
    fc.assert(
      fc.property(contraction, fc.integer({ min: 0, max: 1000 }), fc.constantFrom(...machines), ({ nest, params }, seed, target) => {
        const inputs = inputsOf(nest, seed);
        const run = runContraction(nest, inputs, params, target);
        if (run === undefined) return;
        matched++;
        const wanted = expected(nest, inputs, params);
        expect(run.damaged).toEqual([]);
        expect(difference(run.result, wanted), run.notes.join("\n")).toBe(0);
      }),
      { numRuns: 500 },
    );
    // The generator would prove nothing if the engine declined most of it.
    expect(matched).toBeGreaterThan(350);
  });

  it("equal the reference exactly on integers stored as bfloat16, operands and output", () => {
    let matched = 0;
    const tensors = fc.integer({ min: 1, max: 31 });
    fc.assert(
      fc.property(contraction, tensors, fc.integer({ min: 0, max: 1000 }), fc.constantFrom(...machines), (given, narrow, seed, target) => {
        const nest = narrowed(given.nest, (tensor) => (narrow & (tensor === "output" ? 1 : 2 << (tensor % 4))) !== 0);
        const inputs = inputsOf(nest, seed);
        const run = runContraction(nest, inputs, given.params, target);
        if (run === undefined) return;
        matched++;
        expect(run.damaged).toEqual([]);
        expect(difference(run.result, expected(nest, inputs, given.params)), run.notes.join("\n")).toBe(0);
      }),
      { numRuns: 300 },
    );
    expect(matched).toBeGreaterThan(200);
  });

  it("propagate NaN and infinities as the definition says", () => {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
    const plain = contraction.filter(({ nest }) => divisorsOf(nest).every((divisor) => divisor === 1));
    fc.assert(
      fc.property(plain, fc.integer({ min: 0, max: 1000 }), fc.constantFrom(...machines), ({ nest, params }, seed, target) => {
        const inputs = inputsOf(nest, seed);
        for (const [position, input] of inputs.entries()) {
          for (let i = 0; i < 3 && input.length > 0; i++)
            input[(seed * 7 + i * 31 + position) % input.length] = special[(seed + i + position) % 4]!;
        }
        const run = runContraction(nest, inputs, params, target);
        if (run === undefined) return;
        expect(difference(run.result, expected(nest, inputs, params)), run.notes.join("\n")).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it("add to what is there when the output accumulates", () => {
    fc.assert(
      fc.property(contraction, fc.constantFrom(...machines), ({ nest }, target) => {
        const adding: Nest = { ...nest, epilogue: undefined, output: { ...nest.output, accumulate: true } };
        const operands = nest.operands.slice(0, 2);
        const bound = { ...adding, operands };
        const inputs = inputsOf(bound, 5);
        const before = integers(sizeOf(nest.output), 77);
        const run = runContraction(bound, inputs, [0.5], target, before);
        if (run === undefined) return;
        const sums = expected({ ...bound, output: { ...nest.output, accumulate: false } }, inputs, [0.5]);
        expect(
          difference(
            run.result,
            sums.map((sum, i) => sum + before[i]!),
          ),
        ).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

function divisorsOf(nest: Nest): number[] {
  const body = JSON.stringify(nest.body);
  return [...body.matchAll(/"divisor":(\d+)/g)].map((match) => Number(match[1]));
}
