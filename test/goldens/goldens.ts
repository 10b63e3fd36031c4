// Reads the numbers that scripts/goldens wrote from PyTorch, and compares tensors with them.

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { availableBackends, type DType, parameter, type Tensor, tensor } from "../../src/index.ts";

export interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export function readGoldens<Case>(name: string): readonly Case[] {
  const { cases } = JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), "utf8")) as { cases: readonly Case[] };
  return cases;
}

/** How goldens are compared: single precision everywhere, and double precision where it runs. */
export const settings: readonly {
  readonly title: string;
  readonly backend: ReturnType<typeof availableBackends>[number];
  /** Of inputs and upstream gradients; weights are float32, which holds those of the goldens exactly. */
  readonly dtype: "float32" | "float64";
  readonly tolerance: number;
}[] = [
  ...availableBackends().map((backend) => ({ title: `on ${backend}`, backend, dtype: "float32", tolerance: 1e-5 }) as const),
  { title: "in float64", backend: "reference", dtype: "float64", tolerance: 1e-9 },
];

export function toTensor({ shape, data }: Numbers, dtype: DType = "float32"): Tensor {
  return tensor(data, shape, { dtype });
}

/** Gives a tensor this gradient, as backward() would. */
export function setGradient(target: Tensor, gradient: Tensor): void {
  target.zeroGrad();
  target.mul(gradient).sum().backward();
}

export function toParameter(numbers: Numbers, dtype: DType = "float32"): Tensor {
  return parameter(toTensor(numbers, dtype));
}

/**
 * Same shape, and every number within `tolerance` of the largest: the goldens are computed in double precision and we in
 * single by default, where a small sum of large numbers keeps the absolute error of the large ones.
 */
export function expectClose(what: string, actual: Tensor | undefined, expected: Numbers, tolerance = 1e-5): void {
  expect(actual, `${what} exists`).toBeDefined();
  if (actual === undefined) return;
  expect([...actual.shape], `shape of ${what}`).toEqual(expected.shape);
  const scale = Math.max(...expected.data.map(Math.abs), 1e-3);
  actual.data.forEach((value: number, n: number) => {
    const wanted = expected.data[n] as number;
    if (!(Math.abs(value - wanted) <= tolerance * scale)) expect.fail(`${what}[${n}]: expected ${wanted}, got ${value}`);
  });
}
