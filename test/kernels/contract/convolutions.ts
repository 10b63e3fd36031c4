// Helper: the nests of a convolution and of its derived gradients.

import { bind } from "../../../src/formula/bind/bind.ts";
import { deriveGradient } from "../../../src/formula/gradient/derive.ts";
import { parseFormula } from "../../../src/formula/parse.ts";
import type { Nest } from "../../../src/nest/nest.ts";

export interface Shape {
  /** Batch, input channels, height, width, output channels, kernel height and width. */
  readonly x: readonly [number, number, number, number];
  readonly w: readonly [number, number, number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
}

const formulas = {
  plain: "y[n, o, i, j] = sum[c, p, q](x[n, c, i*s + p*d - a, j*t + q*e - b] * w[o, c, p, q])",
  grouped: "y[n, g, o, i, j] = sum[c, p, q](x[n, g, c, i*s + p*d - a, j*t + q*e - b] * w[g, o, c, p, q])",
};

export function nestsOf({ x, w, stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups }: Shape): Record<string, Nest> {
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
    const { operations: steps } = bind(bound, { name, inputs, sizes, resultShape });
    if (steps.length !== 1) throw new Error(`${name} is ${steps.length} nests`);
    return steps[0]!.nest;
  };
  const gradient = (input: "x" | "w") => nest(`gradient by ${input}`, deriveGradient(formula, input)[0]!, tensors[input].shape);
  return { forward: nest("forward", formula, tensors.gy.shape), "gradient by x": gradient("x"), "gradient by w": gradient("w") };
}
