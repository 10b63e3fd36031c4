// Convolutions with their derived gradients through the contraction engine: strides, dilation, padding, groups, images wider than a tile.

import { describe, expect, it } from "vitest";
import type { Machine } from "../../../src/kernels/language/language.ts";
import { nestsOf, type Shape } from "./convolutions.ts";
import { integers } from "./nests.ts";
import { difference, expected, machine, narrowed, runContraction, sizeOf } from "./run.ts";

const shapes: Readonly<Record<string, Shape>> = {
  "3×3, padding 1, wide rows": { x: [1, 3, 6, 40], w: [5, 3, 3], padding: [1, 1] },
  "3×3, padding 1, rows that no vector divides": { x: [2, 4, 7, 7], w: [9, 3, 3], padding: [1, 1] },
  "asymmetric kernel and padding": { x: [1, 2, 9, 21], w: [6, 2, 5], padding: [0, 3] },
  "padding wider than the kernel needs": { x: [1, 2, 3, 3], w: [4, 3, 3], padding: [4, 3] },
  "stride 2": { x: [2, 3, 12, 17], w: [6, 3, 3], stride: [2, 2], padding: [1, 1] },
  "stride 3, kernel 5": { x: [1, 3, 20, 23], w: [5, 5, 4], stride: [3, 3], padding: [2, 1] },
  "stride beyond the kernel": { x: [1, 4, 13, 14], w: [6, 1, 2], stride: [2, 3] },
  "dilation 2": { x: [1, 3, 12, 19], w: [4, 3, 3], dilation: [2, 2], padding: [2, 2] },
  "stride 2 and dilation 2": { x: [1, 3, 12, 19], w: [4, 3, 3], stride: [2, 2], dilation: [2, 2], padding: [2, 1] },
  "stride 2 and dilation 3": { x: [1, 3, 16, 19], w: [4, 3, 3], stride: [2, 2], dilation: [3, 1], padding: [1, 1] },
  "several images of many columns": { x: [3, 2, 10, 18], w: [7, 3, 3], padding: [1, 1] },
  "one image in several blocks of columns": { x: [1, 1, 50, 70], w: [4, 3, 3], padding: [1, 1] },
  "several images, stride 2": { x: [2, 2, 24, 37], w: [5, 3, 3], stride: [2, 2], padding: [1, 1] },
  "no padding": { x: [2, 3, 12, 14], w: [16, 5, 5] },
  "1×1": { x: [2, 8, 5, 9], w: [12, 1, 1] },
  "1×1, stride 2": { x: [2, 8, 6, 9], w: [12, 1, 1], stride: [2, 2] },
  groups: { x: [2, 6, 6, 13], w: [8, 3, 3], groups: 2, padding: [1, 1] },
  "groups, stride 2": { x: [2, 6, 7, 13], w: [9, 3, 3], groups: 3, stride: [2, 2], padding: [1, 1] },
};

describe.each(Object.entries(shapes))("convolution, %s", (_, shape) => {
  it.each(Object.entries(nestsOf(shape)))("%s", (_, nest) => {
    const inputs = nest.operands.map((operand, position) => integers(sizeOf(operand), position + 1));
    const wanted = expected(nest, inputs, []);
    for (const target of [machine, { ...machine, tile: { rows: 3, vectors: 3 } }, { ...machine, caches: [512, 4096] } satisfies Machine]) {
      const run = runContraction(nest, inputs, [], target);
      expect(run).toBeDefined();
      expect(run!.damaged).toEqual([]);
      expect(difference(run!.result, wanted), run!.notes.join("\n")).toBe(0);
    }
  });

  it.each(Object.entries(nestsOf(shape)))("%s, stored as bfloat16", (_, given) => {
    const nest = narrowed(given, () => true);
    const inputs = nest.operands.map((operand, position) => integers(sizeOf(operand), position + 1));
    for (const target of [machine, { ...machine, caches: [512, 4096] } satisfies Machine]) {
      const run = runContraction(nest, inputs, [], target);
      expect(run!.damaged).toEqual([]);
      expect(difference(run!.result, expected(nest, inputs, [])), run!.notes.join("\n")).toBe(0);
    }
  });
});

it("an output that is mostly out of the products' reach is cleared, and only then", () => {
  const clears = (shape: Shape) => {
    const nest = nestsOf(shape)["gradient by x"]!;
    return runContraction(
      nest,
      nest.operands.map((operand, position) => integers(sizeOf(operand), position + 1)),
      [],
    )?.clears;
  };
  expect(clears(shapes["1×1, stride 2"]!)).toBe(true);
  expect(clears(shapes["stride beyond the kernel"]!)).toBe(true);
  expect(clears(shapes["stride 2"]!)).toBe(false);
  expect(clears(shapes["1×1"]!)).toBe(false);
});
