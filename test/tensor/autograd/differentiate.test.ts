// Gradient functions: against derivatives known by hand and finite differences, of each other, in records, compiled, and what they refuse.

import { describe, expect, expectTypeOf, it } from "vitest";
import {
  compile,
  conv,
  grad,
  gradients,
  hessian,
  hessianVectorProduct,
  jacobian,
  jacobianVectorProduct,
  linear,
  manualSeed,
  noGrad,
  normal,
  parameter,
  type Tensor,
  tensor,
  valueAndGrad,
  vectorJacobianProduct,
  vmap,
} from "../../../src/index.ts";
import { crossEntropy } from "../../../src/nn/index.ts";
import { messageOf, onEveryBackend } from "../support.ts";

const cube = (x: Tensor): Tensor => x.mul(x).mul(x).sum();
const f64 = (numbers: readonly number[], shape: readonly number[] = [numbers.length]): Tensor =>
  tensor(numbers, shape, { dtype: "float64" });

/** A function with products, a reduction, a softmax, slices and a gather, from [4] to [2, 3]. */
const mixed = (x: Tensor): Tensor => {
  const table = x.reshape([2, 2]).matmul(
    tensor([
      [0.3, -1, 0.7],
      [1.1, 0.2, -0.4],
    ]).to("float64") as Tensor,
  );
  const weights = table.softmax(1).add(x.slice([0, 2]).unsqueeze(1).tanh());
  return weights.mul(table.max(0, { keepDims: true })).add(x.take([3, 1]).unsqueeze(1).exp());
};

function differences(fn: (x: Tensor) => Tensor, x: Tensor, step = 1e-5): number[] {
  const columns = Array.from(x.data, (_, n) => {
    const at = (offset: number): number[] => {
      const moved = Float64Array.from(x.data);
      moved[n] = (moved[n] as number) + offset;
      return Array.from(fn(tensor(moved, x.shape)).data);
    };
    const [high, low] = [at(step), at(-step)];
    return high.map((value, m) => (value - (low[m] as number)) / (2 * step));
  });
  return (columns[0] as number[]).flatMap((_, m) => columns.map((column) => column[m] as number));
}

function expectClose(actual: Tensor, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(actual.size).toBe(expected.length);
  const scale = Math.max(1, ...Array.from(expected, Math.abs));
  Array.from(actual.data).forEach((value, n) => {
    expect(Math.abs(value - (expected[n] as number)), `element ${n}: ${value} and ${expected[n]}`).toBeLessThanOrEqual(tolerance * scale);
  });
}

onEveryBackend("grad", () => {
  it("differentiates, again and again", () => {
    const at = tensor([2, -1]);
    expect(grad(cube)(at).toArray()).toEqual([12, 3]);
    const second = grad((x: Tensor) => grad(cube)(x).sum());
    expect(second(at).toArray()).toEqual([12, -6]);
    const third = grad((x: Tensor) => second(x).sum());
    expect(third(at).toArray()).toEqual([6, 6]);
  });

  it("gives records, arrays and several arguments in their own form", () => {
    const loss = (weights: { w: Tensor; b: readonly Tensor[] }, x: Tensor): Tensor =>
      linear(x, weights.w, weights.b[0] as Tensor)
        .square()
        .sum();
    const weights = { w: tensor([[1, 2]]), b: [tensor([3])] };
    const x = tensor([[1, -1]]);
    const { value, gradient } = valueAndGrad(loss)(weights, x);
    expect(value.item()).toBe(4);
    expect(gradient.w.toArray()).toEqual([[4, -4]]);
    expect(gradient.b[0]?.toArray()).toEqual([4]);
    const [byX, byWeights] = grad(loss, { argument: [1, 0] })(weights, x);
    expect(byX.toArray()).toEqual([[4, 8]]);
    expect(byWeights.w.toArray()).toEqual([[4, -4]]);
  });

  it("leaves no tape and no grad behind, and gives zeros where nothing depends", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const { value, gradient } = noGrad(() => valueAndGrad(cube)(x));
    expect([value.requiresGrad, gradient.requiresGrad, x.grad]).toEqual([false, false, undefined]);
    const plain = valueAndGrad(cube)(tensor([1, 2]));
    expect([plain.value.requiresGrad, plain.gradient.requiresGrad]).toEqual([false, false]);
    expect(grad((_: Tensor, y: Tensor) => y.sum())(x, x).toArray()).toEqual([0, 0]);
  });

  it("is itself on the tape of what requires a gradient, arguments and others", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const w = parameter(tensor([3, 4]));
    const found = grad((at: Tensor) => at.square().mul(w).sum())(x);
    const [byX, byW] = gradients(found.sum(), [x, w]) as [Tensor, Tensor];
    expect(byX.toArray()).toEqual([6, 8]);
    expect(byW.toArray()).toEqual([2, 4]);
  });

  it("compiles", () => {
    const step = compile((x: Tensor) => grad((at: Tensor) => grad(cube)(at).sum())(x));
    expect(step(tensor([2, -1])).toArray()).toEqual([12, -6]);
    const both = compile((x: Tensor) => {
      const { value, gradient } = valueAndGrad(cube)(x);
      return { value, gradient };
    });
    expect(both(tensor([2, 1])).gradient?.toArray()).toEqual([12, 3]);
  });
});

describe("products with Jacobians", () => {
  const x = f64([0.3, -0.8, 1.2, 0.5]);
  const finite = differences(mixed, x);

  it("agree with finite differences in float64", () => {
    expectClose(jacobian(mixed)(x), finite, 1e-8);
    expect(jacobian(mixed)(x).shape).toEqual([2, 3, 4]);
    const v = f64([1, -2, 0.5, 3]);
    const forward = Array.from({ length: 6 }, (_, m) =>
      [0, 1, 2, 3].reduce((sum, n) => sum + (finite[m * 4 + n] as number) * (v.data[n] as number), 0),
    );
    expectClose(jacobianVectorProduct(mixed)(x, v), forward, 1e-8);
    const u = f64([1, 2, -1, 0.5, 0, 3], [2, 3]);
    const backward = Array.from({ length: 4 }, (_, n) =>
      [0, 1, 2, 3, 4, 5].reduce((sum, m) => sum + (finite[m * 4 + n] as number) * (u.data[m] as number), 0),
    );
    expectClose(vectorJacobianProduct(mixed)(x, u), backward, 1e-8);
  });

  it("agree for second derivatives", () => {
    const energy = (at: Tensor): Tensor => mixed(at).square().mean();
    const second = differences((at) => grad(energy)(at), x);
    expectClose(hessian(energy)(x), second, 1e-7);
    const v = f64([1, -2, 0.5, 3]);
    const product = Array.from({ length: 4 }, (_, m) =>
      [0, 1, 2, 3].reduce((sum, n) => sum + (second[m * 4 + n] as number) * (v.data[n] as number), 0),
    );
    expectClose(hessianVectorProduct(energy)(x, v), product, 1e-7);
    expectClose(jacobianVectorProduct((at: Tensor) => grad(energy)(at))(x, v), product, 1e-7);
  });

  it("are zeros where the result depends on nothing, and differentiable", () => {
    const constant = (): Tensor => tensor([1, 2, 3]);
    expect(jacobian(constant)(tensor([1, 2])).toArray()).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    expect(jacobianVectorProduct(constant)(tensor([1, 2]), tensor([1, 1])).toArray()).toEqual([0, 0, 0]);
    const squared = grad((at: Tensor) =>
      jacobian((y: Tensor) => y.square())(at)
        .square()
        .sum(),
    );
    expect(squared(tensor([1, 3])).toArray()).toEqual([8, 24]);
  });
});

onEveryBackend("per-example gradients", () => {
  it("of a multilayer perceptron equal a loop", () => {
    manualSeed(3);
    const weights = { w1: normal([5, 4]), b1: normal([5]), w2: normal([3, 5]) };
    const x = normal([6, 4]);
    const t = tensor(Int32Array.of(0, 1, 2, 0, 2, 1));
    const loss = (p: { w1: Tensor; b1: Tensor; w2: Tensor }, one: Tensor, label: Tensor): Tensor =>
      crossEntropy(linear(linear(one, p.w1, p.b1).tanh(), p.w2).unsqueeze(0), label.reshape([1]));
    const all = vmap(grad(loss), { inputs: [null, 0, 0] });
    const compiled = compile((a: Tensor, b: Tensor) => {
      const { w1, b1, w2 } = all(weights, a, b);
      return { w1, b1, w2 };
    });
    for (const found of [all(weights, x, t), compiled(x, t)])
      for (const key of ["w1", "b1", "w2"] as const) {
        const each = Array.from({ length: 6 }, (_, n) => Array.from(grad(loss)(weights, x.slice(n), t.slice(n))[key].data)).flat();
        expect(found[key]?.shape).toEqual([6, ...weights[key].shape]);
        expectClose(found[key] as Tensor, each);
      }
  });

  it("of a convolutional network equal a loop", () => {
    manualSeed(4);
    const weights = [normal([4, 2, 3, 3]), normal([4]), normal([3, 4])] as const;
    const x = normal([5, 2, 6, 6]);
    const t = tensor(Int32Array.of(2, 1, 0, 0, 2));
    const loss = (p: readonly Tensor[], one: Tensor, label: Tensor): Tensor => {
      const [w, b, out] = p as [Tensor, Tensor, Tensor];
      const features = conv(one.unsqueeze(0), w, b, { padding: 1, stride: 2 }).relu().max([2, 3]);
      return crossEntropy(linear(features, out), label.reshape([1]));
    };
    const found = vmap(grad(loss), { inputs: [null, 0, 0] })(weights, x, t) as readonly Tensor[];
    found.forEach((gradient, key) => {
      const each = Array.from({ length: 5 }, (_, n) =>
        Array.from((grad(loss)(weights, x.slice(n), t.slice(n))[key] as Tensor).data),
      ).flat();
      expectClose(gradient, each);
    });
  });
});

describe("what gradient functions refuse", () => {
  it.each([
    ["several numbers", () => grad((x: Tensor) => x.square())(tensor([1, 2])), /single number, got \[2\]/],
    ["integers", () => grad((x: Tensor) => x.sum())(tensor(Int32Array.of(1, 2))), /argument 0 holds int32/],
    ["a missing argument", () => grad(cube, { argument: 1 as 0 })(tensor([1])), /no argument 1 among the 1 given/],
    ["something else", () => grad((x: number) => tensor([x]))(2), /expected a tensor.* got number/],
    ["a vector of another shape", () => vectorJacobianProduct(cube)(tensor([1, 2]), tensor([1, 2])), /must have shape \[\], got \[2\]/],
  ])("%s", (_, run, message) => {
    expect(messageOf(run)).toMatch(message);
  });
});

it("gradients keep the types of what they belong to", () => {
  const f = (x: Tensor<readonly [2, 3]>, p: { readonly w: Tensor<readonly [4]> }): Tensor => x.sum().add(p.w.sum());
  expectTypeOf(grad(f)).returns.toEqualTypeOf<Tensor<readonly [2, 3]>>();
  expectTypeOf(grad(f, { argument: 1 })).returns.toEqualTypeOf<{ readonly w: Tensor<readonly [4]> }>();
  expectTypeOf(grad(f, { argument: [1, 0] })).returns.toEqualTypeOf<
    readonly [{ readonly w: Tensor<readonly [4]> }, Tensor<readonly [2, 3]>]
  >();
  expectTypeOf(vmap((x: Tensor<readonly [3]>) => x.square())).returns.toEqualTypeOf<Tensor<readonly [number, 3]>>();
});
