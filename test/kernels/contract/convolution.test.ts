// Convolutions with their derived gradients through the contraction engine: strides, dilation, padding, groups, images wider than a tile.
import { describe, expect, it } from "vitest";
import { bind } from "../../../src/formula/bind.ts";
import { deriveGradient } from "../../../src/formula/derive.ts";
import type { Nest } from "../../../src/formula/nest.ts";
import { parseFormula } from "../../../src/formula/parse.ts";
import type { Machine } from "../../../src/kernels/language.ts";
import { integers } from "./nests.ts";
import { difference, expected, machine, runContraction, sizeOf } from "./run.ts";

interface Shape {
  /** Batch, input channels, height, width, output channels, kernel height and width. */
  readonly x: readonly [number, number, number, number];
  readonly w: readonly [number, number, number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
}

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

const formulas = {
  plain: "y[n, o, i, j] = sum[c, p, q](x[n, c, i*s + p*d - a, j*t + q*e - b] * w[o, c, p, q])",
  grouped: "y[n, g, o, i, j] = sum[c, p, q](x[n, g, c, i*s + p*d - a, j*t + q*e - b] * w[g, o, c, p, q])",
};

function nestsOf({ x, w, stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups }: Shape): Record<string, Nest> {
  const sizes = { s: stride[0], t: stride[1], d: dilation[0], e: dilation[1], a: padding[0], b: padding[1] };
  const [batch, channels, height, width] = x;
  const [outputs, ...kernel] = w;
  const out = [height, width].map(
    (extent, axis) => Math.floor((extent + 2 * padding[axis]! - dilation[axis]! * (kernel[axis]! - 1) - 1) / stride[axis]!) + 1,
  );
  const divide = groups ?? 1;
  const group = groups === undefined ? [] : [groups];
  const tensor = (...shape: number[]) => ({ dtype: "float32" as const, shape });
  const tensors = {
    x: tensor(batch, ...group, channels / divide, height, width),
    w: tensor(...group, outputs / divide, channels / divide, ...kernel),
    gy: tensor(batch, ...group, outputs / divide, ...out),
  };
  const formula = parseFormula(groups === undefined ? formulas.plain : formulas.grouped);
  const nest = (name: string, bound: ReturnType<typeof parseFormula>, resultShape: readonly number[]) => {
    const inputs = Object.fromEntries(bound.inputs.map((input) => [input, tensors[input as keyof typeof tensors]]));
    const { steps } = bind(bound, { name, inputs, sizes, resultShape });
    expect(steps).toHaveLength(1);
    return steps[0]!.nest;
  };
  const gradient = (input: "x" | "w") => nest(`gradient by ${input}`, deriveGradient(formula, input)[0]!, tensors[input].shape);
  return { forward: nest("forward", formula, tensors.gy.shape), "gradient by x": gradient("x"), "gradient by w": gradient("w") };
}

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
});
