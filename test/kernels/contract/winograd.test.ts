// Winograd's algorithm against the definition: which convolutions it takes, where it writes, and how exact it is.

import { describe, expect, it } from "vitest";
import { planContraction } from "../../../src/kernels/contract/plan.ts";
import { findWindows, paysOff } from "../../../src/kernels/contract/winograd/plan.ts";
import { roundToBfloat16 } from "../../../src/nest/bfloat16.ts";
import type { Nest, Scalar } from "../../../src/nest/nest.ts";
import { nestsOf, type Shape } from "./convolutions.ts";
import { difference, expected, machine, narrowed, runContraction, sizeOf } from "./run.ts";

const shapes: Readonly<Record<string, Shape>> = {
  "whole tiles": { x: [2, 32, 16, 16], w: [32, 3, 3], padding: [1, 1] },
  "one image of few tiles": { x: [1, 64, 7, 7], w: [96, 3, 3], padding: [1, 1] },
  "channels that no vector divides": { x: [3, 20, 13, 18], w: [50, 3, 3], padding: [1, 1] },
  "no padding": { x: [2, 24, 16, 13], w: [40, 3, 3] },
  "padding on one side of the axes only": { x: [2, 24, 12, 15], w: [33, 3, 3], padding: [2, 0] },
};

/** Numbers between −1 and 1. */
function uniform(length: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Largest error over the root mean square of what is wanted: float32 sums in order give about 4·10⁻⁶ here. */
function errorOf(nest: Nest, inputs: readonly Float32Array[]): { readonly error: number; readonly notes: string } {
  const run = runContraction(nest, inputs, []);
  if (run === undefined) throw new Error("the contraction engine did not take the nest");
  expect(run.damaged).toEqual([]);
  const wanted = expected(nest, inputs, []);
  const scale = Math.sqrt(wanted.reduce((sum, value) => sum + value * value, 0) / wanted.length);
  return { error: difference(run.result, wanted, scale), notes: run.notes.join("\n") };
}

describe.each(Object.entries(shapes))("Winograd convolution, %s", (_, shape) => {
  it.each(Object.values(nestsOf(shape)))("$name", (nest) => {
    const inputs = nest.operands.map((operand, position) => uniform(sizeOf(operand), position + 1));
    const { error, notes } = errorOf(nest, inputs);
    expect(notes).toContain("Winograd");
    expect(error).toBeLessThan(1e-5);
  });
});

describe("Winograd's algorithm", () => {
  it.each(Object.entries(shapes))("reads bfloat16 images, and rounds outputs to it, %s", (_, shape) => {
    for (const [name, given] of Object.entries(nestsOf(shape))) {
      const image = narrowed(
        given,
        (tensor) => tensor !== "output" && given.operands[tensor]!.shape.slice(-2).join() !== shape.w.slice(-2).join(),
      );
      const inputs = image.operands.map(({ shape: own }, position) => uniform(sizeOf({ dtype: "float32", shape: own }), position + 1));
      const rounded = inputs.map((input, position) =>
        image.operands[position]!.dtype === "bfloat16" ? input.map(roundToBfloat16) : input,
      );
      const read = errorOf(image, rounded);
      expect(read.notes, name).toContain("Winograd");
      expect(read.error, name).toBeLessThan(1e-5);
      const written = runContraction(
        narrowed(image, () => true),
        rounded,
        [],
      );
      if (written === undefined || !written.notes.join().includes("Winograd")) continue;
      expect(written.damaged).toEqual([]);
      written.result.forEach((value) => expect(roundToBfloat16(value)).toBe(value));
    }
  });

  it("applies the epilogue: bias, residual and ReLU", () => {
    const forward = nestsOf({ x: [2, 32, 15, 16], w: [40, 3, 3], padding: [1, 1] }).forward!;
    const index = forward.output.index;
    const load = (operand: number, dimensions: readonly number[]): Scalar => ({
      kind: "load",
      operand,
      index: dimensions.map((dimension) => index[dimension]!),
      fill: 0,
      type: "float",
    });
    const call = (fn: "add" | "max", ...args: readonly Scalar[]): Scalar => ({ kind: "call", fn, args, type: "float" });
    const sum: Scalar = { kind: "accumulator", type: "float" };
    const zero: Scalar = { kind: "constant", value: 0, type: "float" };
    const nest: Nest = {
      ...forward,
      operands: [...forward.operands, { dtype: "float32", shape: [40] }, { dtype: "float32", shape: forward.output.shape }],
      epilogue: call("max", call("add", call("add", sum, load(2, [1])), load(3, [0, 1, 2, 3])), zero),
    };
    const inputs = nest.operands.map((operand, position) => uniform(sizeOf(operand), position + 11));
    const { error, notes } = errorOf(nest, inputs);
    expect(notes).toContain("Winograd");
    expect(error).toBeLessThan(1e-5);
  });

  it.each<[string, Shape]>([
    ["stride 2", { x: [2, 64, 16, 16], w: [64, 3, 3], stride: [2, 2], padding: [1, 1] }],
    ["dilation 2", { x: [2, 64, 16, 16], w: [64, 3, 3], dilation: [2, 2], padding: [2, 2] }],
    ["kernels of 5×5", { x: [2, 32, 16, 16], w: [32, 5, 5], padding: [2, 2] }],
    ["groups", { x: [2, 64, 16, 16], w: [64, 3, 3], padding: [1, 1], groups: 2 }],
    ["one channel, whose transforms cost more than they save", { x: [32, 1, 32, 32], w: [32, 3, 3], padding: [1, 1] }],
    ["small convolutions", { x: [1, 16, 8, 8], w: [16, 3, 3], padding: [1, 1] }],
  ])("leaves %s to others", (_, shape) => {
    const plan = planContraction(nestsOf(shape).forward!)!;
    const found = findWindows(plan);
    expect(found !== undefined && paysOff(found, machine)).toBe(false);
  });
});
