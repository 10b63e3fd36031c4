// Backpropagation: graphs of every form, accumulation, higher orders, conventions at kinks and ties.

import { describe, expect, it } from "vitest";
import {
  applyOp,
  averagePool,
  defineOp,
  gradients,
  maxPool,
  noGrad,
  parameter,
  relu,
  type Tensor,
  tensor,
  withScope,
} from "../../../src/index.ts";
import { crossEntropy } from "../../../src/ops/losses.ts";
import { messageOf, onEveryBackend } from "../support.ts";

const variable = (data: number | number[], dtype: "float32" | "float64" = "float32"): Tensor =>
  tensor(data, { dtype, requiresGrad: true }) as Tensor;
const grad = (t: Tensor): unknown => t.grad?.toArray();

onEveryBackend("backward", () => {
  it("adds up over calls and starts again after zeroGrad", () => {
    const x = variable([1, 2]);
    x.square().sum().backward();
    expect(grad(x)).toEqual([2, 4]);
    x.square().sum().backward();
    expect(grad(x)).toEqual([4, 8]);
    x.zeroGrad();
    expect(x.grad).toBeUndefined();
    x.sum().backward();
    expect(grad(x)).toEqual([1, 1]);
  });

  it("passes twice through the same graph", () => {
    const x = variable([3]);
    const y = x.square().sum();
    y.backward();
    y.backward();
    expect(grad(x)).toEqual([12]);
  });

  it("takes a given gradient of the output", () => {
    const x = variable([1, 2, 3]);
    x.mul(2).backward(tensor([1, 10, 100]));
    expect(grad(x)).toEqual([2, 20, 200]);
    expect(messageOf(() => x.mul(2).backward(tensor([1, 2])))).toContain("the given gradient has shape [2], the tensor [3]");
    expect(messageOf(() => x.mul(2).backward())).toContain("the tensor has shape [3], so it needs the gradient of its output");
    expect(messageOf(() => tensor([1]).backward())).toContain("depends on nothing that requires a gradient");
  });

  it("adds the paths of a diamond, and of one tensor used twice in an op", () => {
    const x = variable([3]);
    const a = x.mul(2);
    const b = x.square();
    a.mul(b).add(a).sum().backward();
    expect(grad(x)).toEqual([6 * 9 + 2]);
    const y = variable([5]);
    y.mul(y).sum().backward();
    expect(grad(y)).toEqual([10]);
    const z = variable([2]);
    z.add(z).add(z).sum().backward();
    expect(grad(z)).toEqual([3]);
  });

  it("sums over broadcast dimensions", () => {
    const x = variable([1, 2, 3]);
    const s = variable(2);
    const column = tensor([[1], [10]], { requiresGrad: true });
    x.mul(s)
      .mul(column as Tensor)
      .sum()
      .backward();
    expect([grad(x), grad(s), grad(column)]).toEqual([[22, 22, 22], 66, [[12], [12]]]);
  });

  it("goes through graphs of 10 000 ops without running out of stack", () => {
    const x = variable([1]);
    let y: Tensor = x;
    for (let n = 0; n < 10_000; n++) y = y.add(0.5);
    y.sum().backward();
    expect([y.item(), grad(x)]).toEqual([5001, [1]]);
  });

  it.each(["retainGrad", "keepGrad"] as const)("%s keeps that of an intermediate tensor, others have none", (name) => {
    const x = variable([1, 2]);
    const kept = x.mul(3)[name]();
    const other = kept.square();
    other.sum().backward();
    expect([grad(kept), other.grad, grad(x)]).toEqual([[6, 12], undefined, [18, 36]]);
  });

  it("noGrad, detach and integers stop it; clone lets it through", () => {
    const x = variable([2]);
    expect(noGrad(() => x.mul(3)).requiresGrad).toBe(false);
    expect(x.mul(3).requiresGrad).toBe(true);
    expect(() =>
      noGrad(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(x.mul(3).requiresGrad).toBe(true);
    x.mul(x.detach()).sum().backward();
    expect(grad(x)).toEqual([2]);
    expect(x.greater(1).requiresGrad).toBe(false);
    expect(x.argmax().requiresGrad).toBe(false);
    expect(x.to("int32").requiresGrad).toBe(false);
    const copy = x.clone();
    expect(copy.data).not.toBe(x.data);
    x.zeroGrad();
    copy.mul(5).sum().backward();
    expect(grad(x)).toEqual([5]);
    expect(tensor([1, 2], { dtype: "int32" }).clone().dtype).toBe("int32");
  });

  it("assign replaces a leaf's numbers and nothing else", () => {
    const w = parameter(tensor([1, 2]));
    w.assign(tensor([3, 4]));
    expect(w.toArray()).toEqual([3, 4]);
    expect(messageOf(() => w.assign(tensor([1])))).toContain("assign: expected float32 [2], got float32 [1]");
    expect(messageOf(() => w.mul(2).assign(tensor([1, 2])))).toContain("only leaves can be assigned");
  });

  it("gradients() gives them without touching the leaves", () => {
    const x = variable([3]);
    const y = variable([4]);
    const [gx, gy] = gradients(x.mul(y).sum(), [x, y]);
    expect([gx?.toArray(), gy?.toArray(), x.grad, y.grad]).toEqual([[4], [3], undefined, undefined]);
    expect(messageOf(() => gradients(x.sum(), [y]))).toContain("the result does not depend on input 0");
  });

  it("differentiates gradients again: x⁴ three times, a product, a sigmoid", () => {
    const x = variable([2], "float64");
    const [first] = gradients(x.pow(4).sum(), [x], { createGraph: true }) as [Tensor];
    const [second] = gradients(first.sum(), [x], { createGraph: true }) as [Tensor];
    const [third] = gradients(second.sum(), [x], { createGraph: true }) as [Tensor];
    const [fourth] = gradients(third.sum(), [x]) as [Tensor];
    expect([first.item(), second.item(), third.item(), fourth.item()]).toEqual([32, 48, 48, 24]);
    const a = variable([3], "float64");
    const [ga] = gradients(a.mul(x).square().sum(), [a], { createGraph: true }) as [Tensor];
    const [mixed] = gradients(ga.sum(), [x]) as [Tensor];
    expect(mixed.item()).toBe(4 * 3 * 2);
    const s = variable([0.3], "float64");
    const [d1] = gradients(s.sigmoid().sum(), [s], { createGraph: true }) as [Tensor];
    const [d2] = gradients(d1.sum(), [s], { createGraph: true }) as [Tensor];
    const [d3] = gradients(d2.sum(), [s]) as [Tensor];
    const p = 1 / (1 + Math.exp(-0.3));
    expect(d2.item()).toBeCloseTo(p * (1 - p) * (1 - 2 * p), 12);
    expect(d3.item()).toBeCloseTo(p * (1 - p) * (1 - 6 * p + 6 * p * p), 12);
  });

  it("backward with createGraph makes a gradient that can be differentiated; without it not", () => {
    const x = variable([3]);
    x.pow(3).sum().backward(undefined, { createGraph: true });
    expect(grad(x)).toEqual([27]);
    const penalty = (x.grad as Tensor).square().sum();
    x.zeroGrad();
    penalty.backward();
    expect(grad(x)).toEqual([2 * 27 * 18]);
    const y = variable([3]);
    y.pow(3).sum().backward();
    expect(y.grad?.requiresGrad).toBe(false);
  });

  it("sends no gradient past non-differentiable ops", () => {
    const x = variable([0.4, 1.6]);
    x.floor().add(x).sum().backward();
    expect(grad(x)).toEqual([1, 1]);
    const y = variable([0.4]);
    y.round().sum().backward();
    expect(y.grad).toBeUndefined();
  });

  it("an unchosen branch of a formula with an infinite derivative gives 0, not NaN", () => {
    const x = variable([0, 4]);
    defineOp("y = select(x > 1, sqrt(x), 0)")(x).sum().backward();
    expect(grad(x)).toEqual([0, 0.25]);
  });
});

onEveryBackend("conventions at kinks and ties", () => {
  const slope = (f: (x: Tensor) => Tensor, ...at: number[]): unknown => {
    const x = variable(at);
    f(x).sum().backward();
    return grad(x);
  };

  it("relu and abs have slope 0 at 0; clip passes at its limits; hardtanh does not", () => {
    expect(slope(relu, 0, -0, 1)).toEqual([0, 0, 1]);
    expect(slope((x) => x.abs(), 0, -2)).toEqual([0, -1]);
    expect(slope((x) => x.clip(-1, 1), -1, 1, 1.5)).toEqual([1, 1, 0]);
  });

  it("maximum and minimum share the gradient of equal numbers", () => {
    const a = variable([1, 2]);
    const b = variable([1, 3]);
    a.maximum(b).sum().backward();
    expect([grad(a), grad(b)]).toEqual([
      [0.5, 0],
      [0.5, 1],
    ]);
  });

  it("max and min over axes give it to the first of equal ones", () => {
    expect(slope((x) => x.max(), 1, 5, 5)).toEqual([0, 1, 0]);
    expect(slope((x) => x.min(), 5, 1, 1)).toEqual([0, 1, 0]);
    expect(slope((x) => maxPool(x.reshape([1, 1, 4]) as Tensor, 2), 3, 3, 0, 0)).toEqual([1, 0, 1, 0]);
  });

  it("max pooling past the end (ceil mode) reaches the last elements; padding never wins", () => {
    const pooled = (x: Tensor): Tensor => maxPool(x.reshape([1, 1, 5]) as Tensor, 2, { ceilMode: true });
    expect(pooled(variable([1, 2, 3, 4, -5])).toArray()).toEqual([[[2, 4, -5]]]);
    expect(slope(pooled, 1, 2, 3, 4, -5)).toEqual([0, 1, 0, 1, 1]);
    expect(slope((x) => maxPool(x.reshape([1, 1, 3]) as Tensor, 2, { padding: 1 }), -1, -2, -3)).toEqual([1, 1, 0]);
    const inside = (x: Tensor): Tensor => averagePool(x.reshape([1, 1, 5]) as Tensor, 2, { ceilMode: true, countPadding: false });
    expect(inside(variable([1, 2, 3, 4, -5])).toArray()).toEqual([[[1.5, 3.5, -5]]]);
    expect(slope(inside, 1, 2, 3, 4, -5)).toEqual([0.5, 0.5, 0.5, 0.5, 1]);
  });

  it("prod is right with one zero, with two, and with none", () => {
    expect(slope((x) => x.prod(), 2, 3, 4)).toEqual([12, 8, 6]);
    expect(slope((x) => x.prod(), 2, 0, 4)).toEqual([0, 8, 0]);
    expect(slope((x) => x.prod(), 0, 0, 4)).toEqual([0, 0, 0]);
  });

  it("powers of 0 and of negative numbers", () => {
    expect(slope((x) => x.pow(2), 0, -3)).toEqual([0, -6]);
    expect(slope((x) => x.pow(0), 0, 5)).toEqual([0, 0]);
    expect(
      tensor([-1, -1, 0, 2])
        .pow(tensor([Number.POSITIVE_INFINITY, 3, 0, -1]))
        .toArray(),
    ).toEqual([1, -1, 1, 0.5]);
  });
});

onEveryBackend("extreme scores", () => {
  it("cross entropy has exact gradients however unlikely the right class is", () => {
    const x = tensor(
      [
        [100.3, -12345.7],
        [1, Number.NEGATIVE_INFINITY],
      ],
      { requiresGrad: true },
    ) as Tensor;
    const y = applyOp(crossEntropy, [x, tensor([1, 1], { dtype: "int32" }) as Tensor]);
    expect(y.data[0]).toBeCloseTo(12446, 2);
    expect(y.data[1]).toBe(Number.POSITIVE_INFINITY);
    y.sum().backward();
    expect(grad(x)).toEqual([
      [1, -1],
      [1, -1],
    ]);
  });

  it("softmax of a row with masked scores ignores them", () => {
    const x = tensor([[0, Number.NEGATIVE_INFINITY, 0]], { requiresGrad: true }) as Tensor;
    const y = x.softmax();
    expect(y.toArray()).toEqual([[0.5, 0, 0.5]]);
    y.mul(tensor([1, 2, 3]))
      .sum()
      .backward();
    expect(grad(x)).toEqual([[-0.5, 0, 0.5]]);
  });
});

onEveryBackend("sums that a gradient must not lose", () => {
  it("counts how often a broadcast input was used, though its gradient reads nothing else", () => {
    const x = variable([1, 2, 3, 4, 5, 6, 7]);
    const m = variable([2]);
    defineOp("y = sum[...](x - m)")(x, m).sum().backward();
    expect(grad(m)).toEqual([-7]);
    const scalar = variable(2);
    defineOp("y = sum[@axes](x * 2 + m)")
      .with({ attributes: { axes: [0] } })(x, scalar)
      .sum()
      .backward();
    expect(grad(scalar)).toBe(7);
  });

  it("counts plain axes too", () => {
    const a = tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      { requiresGrad: true },
    );
    const b = variable([10, 20]);
    defineOp("y[n] = sum[k](a[n, k] + b[n])")(a as Tensor, b)
      .sum()
      .backward();
    expect([grad(a), grad(b)]).toEqual([
      [
        [1, 1, 1],
        [1, 1, 1],
      ],
      [3, 3],
    ]);
  });

  it("variance with correction has the right second derivative", () => {
    const x = variable([1, 2, 4], "float64");
    const [first] = gradients(x.variance(undefined, { correction: 1 }).sum(), [x], { createGraph: true }) as [Tensor];
    const [second] = gradients(first.slice(0), [x]) as [Tensor];
    [2 / 3, -1 / 3, -1 / 3].forEach((expected, n) => {
      expect(second.data[n]).toBeCloseTo(expected, 12);
    });
  });
});

describe("places in messages", () => {
  it("name this file and line, and the layer path", () => {
    const a = tensor([[1, 2]]) as Tensor;
    const message = messageOf(() => withScope("encoder", () => withScope("dense", () => a.matmul(a))));
    expect(message).toMatch(/in encoder\.dense, .*backward\.test\.ts:\d+:\d+/);
  });
});
