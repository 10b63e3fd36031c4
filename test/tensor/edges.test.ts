// Gradients where a function has no derivative or its formula would be 0 · ∞: what PyTorch gives, and the rule stands in docs/formula.md.

import { describe, expect, it } from "vitest";
import { gradients, type Tensor, tensor } from "../../src/index.ts";
import { backendOf, on, variants } from "../conformance/support.ts";

const available = variants.filter((variant) => !variant.includes("threads") && typeof backendOf(variant) !== "string");
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

const slopes = (run: (x: Tensor) => Tensor, numbers: readonly number[], dtype: "float32" | "float64" = "float32"): number[] => {
  const x = tensor(numbers, [numbers.length], { requiresGrad: true, dtype });
  return [...(gradients(run(x).sum(), [x])[0] as Tensor).data];
};

describe.each(available)("%s", (backend) => {
  /** torch 2.x: torch.pow(a, b).backward() by b: 0 only for a = 0 and b ≥ 0, else aᵇ · log a. */
  it.each([
    [0, 2, 0],
    [0, 0, 0],
    [0, -1, -infinity],
    [-2, 2, nan],
    [-2, 0.5, nan],
    [nan, 2, nan],
    [2, nan, nan],
    [2, 3, 8 * Math.log(2)],
    [1, 5, 0],
    [infinity, -1, nan],
    [infinity, 1, infinity],
  ])("the gradient of %d ^ b by b = %d is %d", (a, b, expected) => {
    const [found] = on(backend, () => slopes((exponent) => tensor([a]).pow(exponent), [b]));
    if (Number.isFinite(expected)) expect(found).toBeCloseTo(expected, 4);
    else expect(found).toBe(expected);
  });

  it.each([
    ["norm", (x: Tensor) => x.norm(), [0, 0, 0], [0, 0, 0]],
    ["norm of rows", (x: Tensor) => x.reshape([2, 2]).norm(1), [0, 0, 3, 4], [0, 0, 0.6, 0.8]],
    ["std", (x: Tensor) => x.std(), [2, 2, 2], [0, 0, 0]],
    ["std of rows", (x: Tensor) => x.reshape([2, 2]).std(1, { correction: 1 }), [5, 5, 1, 3], [0, 0, -Math.SQRT1_2, Math.SQRT1_2]],
    ["abs", (x: Tensor) => x.abs(), [0, -0, -2], [0, 0, -1]],
    ["relu", (x: Tensor) => x.relu(), [0, -0, nan], [0, 0, 0]],
    ["sqrt", (x: Tensor) => x.sqrt(), [0, 4], [infinity, 0.25]],
  ] as const)("the gradient of %s at its edges", (_name, run, numbers, expected) => {
    on(backend, () => slopes(run, numbers)).forEach((slope, n) => {
      expect(Math.abs(slope - (expected[n] as number)) < 1e-6 || Object.is(slope, expected[n])).toBe(true);
    });
  });

  it("keeps the second gradient of a norm of 0 finite", () => {
    const second = on(backend, () => {
      const x = tensor([0, 0, 3, 4], [2, 2], { requiresGrad: true });
      const [first] = gradients(x.norm(1).sum(), [x], { createGraph: true }) as [Tensor];
      return [...(gradients(first.square().sum(), [x])[0] as Tensor).data];
    });
    expect(second.every(Number.isFinite)).toBe(true);
  });
});
