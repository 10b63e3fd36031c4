// Gradients of tensors used many times: joined instead of added, with the same numbers.

import { describe, expect, it } from "vitest";
import { compile, gradients, linear, matmul, type Tensor, tensor } from "../../../src/index.ts";

const numbers = (count: number, seed = 1): Float64Array => Float64Array.from({ length: count }, (_, n) => Math.sin(seed + 1.7 * n));
const leaf = (shape: readonly number[], seed = 1): Tensor =>
  tensor(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
    { requiresGrad: true, dtype: "float64" },
  );

const sum = (tensors: readonly Tensor[]): Tensor => tensors.map((one) => one.sum() as Tensor).reduce((a, b) => a.add(b));

const cases: Record<string, { readonly shape: readonly number[]; readonly loss: (x: Tensor) => Tensor }> = {
  "slices side by side": { shape: [5, 6], loss: (x) => sum(x.split([1, 2, 3], 1).map((part, n) => part.square().mul(n + 1))) },
  "slices in another order, one of them empty": {
    shape: [6, 2],
    loss: (x) => sum([x.slice([4, 6]), x.slice([0, 4]), x.slice([4, 4])].map((part, n) => part.pow(3).mul(n + 1))),
  },
  "slices that overlap": {
    shape: [6],
    loss: (x) =>
      x
        .slice([0, 5])
        .mul(x.slice([1, 6]))
        .sum(),
  },
  "slices with a gap": {
    shape: [6],
    loss: (x) =>
      x
        .slice([0, 2])
        .mul(x.slice([4, 6]))
        .sum(),
  },
  "slices along two axes": {
    shape: [4, 4],
    loss: (x) =>
      x
        .slice([0, 2])
        .square()
        .sum()
        .add(x.slice(null, [2, 4]).pow(3).sum()),
  },
  "slices with steps": {
    shape: [6],
    loss: (x) =>
      x
        .slice([0, 6, 2])
        .mul(x.slice([null, null, -2]))
        .sum(),
  },
  "slices and a whole": { shape: [4, 2], loss: (x) => sum([...x.split(2), x].map((part, n) => part.square().mul(n + 1))) },
  "a weight of several products": {
    shape: [2, 2],
    loss: (w) => {
      const x = leaf([3, 2], 5).detach();
      return linear(linear(linear(x, w), w).sigmoid(), w).sum();
    },
  },
  "a weight of products of different heights": {
    shape: [6, 5],
    loss: (w) =>
      matmul(leaf([1, 6], 3).detach(), w)
        .sigmoid()
        .sum()
        .add(
          matmul(leaf([3, 6], 4).detach(), w)
            .square()
            .sum(),
        ),
  },
  "a factor of different batches": {
    shape: [2, 3],
    loss: (w) =>
      matmul(leaf([2, 4, 2], 3).detach(), w)
        .square()
        .sum()
        .add(matmul(leaf([5, 4, 2], 3).detach(), w).sum()),
  },
};

describe("the gradient of a tensor with many uses", () => {
  for (const [name, { shape, loss }] of Object.entries(cases))
    it(`is right for ${name}`, () => {
      const x = leaf(shape);
      const [gradient] = gradients(loss(x), [x]) as [Tensor];
      const step = 1e-6;
      const expected = numbers(x.size).map((value, n) => {
        const at = (moved: number): number => loss(tensor(numbers(x.size).with(n, moved), shape, { dtype: "float64" })).item();
        return (at(value + step) - at(value - step)) / (2 * step);
      });
      expect(gradient.shape).toEqual(shape);
      gradient.data.forEach((value, n) => void expect(value).toBeCloseTo(expected[n] as number, 6));
    });

  it("has gradients again", () => {
    const w = leaf([3, 3]);
    const x = leaf([2, 3], 7).detach();
    const once = (u: Tensor): Tensor => (gradients(linear(linear(x, u).sigmoid(), u).sum(), [u], { createGraph: true }) as [Tensor])[0];
    const [second] = gradients(once(w).square().sum(), [w]) as [Tensor];
    const step = 1e-6;
    numbers(9).forEach((value, n) => {
      const at = (moved: number): number =>
        once(tensor(numbers(9).with(n, moved), [3, 3], { dtype: "float64", requiresGrad: true }))
          .square()
          .sum()
          .item();
      expect(second.data[n]).toBeCloseTo((at(value + step) - at(value - step)) / (2 * step), 5);
    });
  });

  it("is one sum in a compiled step, not one per use", () => {
    const [w, x] = [tensor(new Float32Array(64).fill(0.1), [8, 8], { requiresGrad: true }), tensor(new Float32Array(16).fill(1), [2, 8])];
    const step = compile(() => {
      let state: Tensor = x;
      for (let n = 0; n < 6; n++) state = linear(state, w).tanh();
      return gradients(state.sum(), [w])[0] as Tensor;
    });
    step();
    const sums = step.steps[0]?.graph.operations.filter(({ nest }) => nest.name.includes("gradient of linear by w"));
    expect(sums?.map(({ nest }) => nest.axes.map(({ extent }) => extent).sort((a, b) => a - b))).toEqual([[8, 8, 12]]);
  });

  it("is added where joining would move more", () => {
    const [w, x] = [tensor([0.5, 0.25], [1, 2], { requiresGrad: true }), tensor(new Float32Array(64).fill(1), [32, 2])];
    const step = compile(
      () =>
        gradients(
          linear(x, w)
            .sum()
            .add(linear(x.mul(2), w).square().sum()),
          [w],
        )[0] as Tensor,
    );
    step();
    const sums = step.steps[0]?.graph.operations.filter(({ nest }) => nest.name.includes("gradient of linear by w"));
    expect(sums).toHaveLength(2);
  });
});
