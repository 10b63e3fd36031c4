// Convolutions whose products are spread from small images: exact on integers, and nothing is written elsewhere.

import { describe, expect, it } from "vitest";
import type { Nest, Scalar } from "../../../src/nest/nest.ts";
import { nestsOf, type Shape } from "./convolutions.ts";
import { integers } from "./nests.ts";
import { difference, expected, runContraction, sizeOf } from "./run.ts";

const shapes: Readonly<Record<string, Shape>> = {
  "valid 5×5 from 12×12 to 8×8": { x: [3, 6, 12, 12], w: [20, 5, 5] },
  "pixels and channels that no vector divides": { x: [2, 5, 11, 13], w: [9, 5, 4] },
  "padding of one of four": { x: [2, 6, 12, 12], w: [16, 5, 5], padding: [1, 1] },
  "rows longer than a vector": { x: [1, 4, 9, 40], w: [12, 7, 5] },
};

function check(nest: Nest): void {
  const inputs = nest.operands.map((operand, position) => integers(sizeOf(operand), position + 1));
  const run = runContraction(nest, inputs, [])!;
  expect(run.notes.join("\n")).toContain("spread");
  expect(run.damaged).toEqual([]);
  expect(difference(run.result, expected(nest, inputs, []))).toBe(0);
}

describe("spread convolutions", () => {
  it.each(Object.entries(shapes))("gradient by x, %s", (_, shape) => check(nestsOf(shape)["gradient by x"]!));

  it("apply the epilogue", () => {
    const gradient = nestsOf(shapes["valid 5×5 from 12×12 to 8×8"]!)["gradient by x"]!;
    const kept: Scalar = { kind: "load", operand: 2, index: gradient.output.index, fill: 0, type: "float" };
    const zero: Scalar = { kind: "constant", value: 0, type: "float" };
    const positive: Scalar = { kind: "call", fn: "gt", args: [kept, zero], type: "bool" };
    check({
      ...gradient,
      operands: [...gradient.operands, { dtype: "float32", shape: gradient.output.shape }],
      epilogue: { kind: "call", fn: "select", args: [positive, { kind: "accumulator", type: "float" }, zero], type: "float" },
    });
  });
});
