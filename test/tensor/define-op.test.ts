// Users' own ops: values, gradients, attributes, statements, errors.

import { inspect } from "node:util";
import { expect, it } from "vitest";
import { compile, defineOp, gradients, manualSeed, normal, type Tensor, tensor } from "../../src/index.ts";
import { messageOf, onEveryBackend } from "./support.ts";

const f64 = (data: number[] | number): Tensor => tensor(data, { dtype: "float64", requiresGrad: true }) as Tensor;

onEveryBackend("defineOp", () => {
  const swish = defineOp("y = x / (1 + exp(-b * x))", { name: "swish" });

  it("takes tensors and numbers, and differentiates by every tensor", () => {
    expect(swish(tensor([0, 1]), 1.5).data[1]).toBeCloseTo(1 / (1 + Math.exp(-1.5)), 6);
    const x = f64([0.5, -2]);
    const b = f64(1.5);
    swish(x, b).sum().backward();
    const at = (u: number, v: number): number => u / (1 + Math.exp(-v * u));
    const h = 1e-5;
    [0.5, -2].forEach((u, n) => expect(x.grad?.data[n]).toBeCloseTo((at(u + h, 1.5) - at(u - h, 1.5)) / (2 * h), 8));
    expect(b.grad?.item()).toBeCloseTo(
      [0.5, -2].reduce((sum, u) => sum + (at(u, 1.5 + h) - at(u, 1.5 - h)) / (2 * h), 0),
      8,
    );
  });

  it("reads at an index that is a reduction of its own for every lane, eagerly, compiled and in gradients", () => {
    const picked = defineOp("y[j] = t[argmax[i](x[i, j])] * sum[i](x[i, j])");
    const reference = (t: Tensor, x: Tensor): Tensor => t.take(x.argmax(0)).mul(x.sum(0));
    manualSeed(3);
    const leaf = (...shape: number[]): Tensor => tensor([...normal(shape).data], shape, { requiresGrad: true }) as Tensor;
    const [t, x] = [leaf(9), leaf(9, 37)];
    const [got, want] = [picked(t, x), reference(t, x)];
    const close = (a: Tensor, b: Tensor) => [...a.data].forEach((value, n) => expect(value).toBeCloseTo(b.data[n] as number, 5));
    close(got, want);
    close(compile((t: Tensor, x: Tensor) => picked(t, x))(t, x), want);
    gradients(got.sum(), [t, x]).forEach((gradient, n) => close(gradient, gradients(want.sum(), [t, x])[n] as Tensor));
  });

  it("runs several statements and differentiates through them", () => {
    const standard = defineOp("m = mean[@axes](x)\nv = mean[@axes]((x - m) ^ 2)\ny = (x - m) / sqrt(v + epsilon)", {
      params: { epsilon: 1e-5 },
    });
    const x = f64([1, 2, 3, 6]);
    const y = standard.with({ attributes: { axes: [0] } })(x);
    expect(y.sum().item()).toBeCloseTo(0, 12);
    y.mul(tensor([1, 0, 0, 0], { dtype: "float64" }))
      .sum()
      .backward();
    expect((x.grad as Tensor).sum().item()).toBeCloseTo(0, 10);
    expect(x.grad?.data[0]).toBeGreaterThan(0);
  });

  it("uses a gradient given by hand", () => {
    const straight = defineOp("y = round(x)", { gradient: { x: "gy" } });
    const x = f64([0.4, 1.7]);
    const y = straight(x);
    y.sum().backward();
    expect([y.toArray(), x.grad?.toArray()]).toEqual([
      [0, 2],
      [1, 1],
    ]);
  });

  it("takes params, sizes and a result shape", () => {
    const scaled = defineOp("y = scale * x", { params: { scale: 2 } });
    expect(scaled(tensor([1, 2])).toArray()).toEqual([2, 4]);
    expect(
      scaled
        .with({ attributes: { scale: 5 } })(tensor([1, 2]))
        .toArray(),
    ).toEqual([5, 10]);
    const moving = defineOp("y[i] = sum[p < width](x[i + p]) / width", { sizes: { width: 3 } });
    expect(moving(tensor([1, 2, 3, 4])).toArray()).toEqual([2, 3]);
    expect(
      moving
        .with({ attributes: { width: 2 } })(tensor([1, 2, 3]))
        .toArray(),
    ).toEqual([1.5, 2.5]);
    expect(
      defineOp("y[i] = x[i / 2]")
        .with({ shape: [4] })(tensor([7, 8]))
        .toArray(),
    ).toEqual([7, 0, 8, 0]);
  });

  it("is printed as its formula", () => {
    expect(String(defineOp("y = x * 2"))).toBe("y = x * 2");
    expect(inspect(defineOp("y = x * 2", { name: "twice" }))).toBe("twice: y = x * 2");
  });

  it("says what is wrong", () => {
    expect(messageOf(() => defineOp("y = x +"))).toMatch(/y = x \+/);
    expect(messageOf(() => swish(tensor([1])))).toContain("swish takes 2 tensors (x, b), got 1");
    expect(messageOf(() => swish(tensor([1, 2]), tensor([1, 2, 3])))).toContain(
      "swish: cannot broadcast dimensions 2 and 3: x is [2], b is [3]",
    );
    expect(messageOf(() => defineOp("y = rate * x", { params: { rate: "float" } })(tensor([1])))).toContain(
      "rate must be a number, got nothing",
    );
    expect(messageOf(() => defineOp("y[i] = x[i * k]", { sizes: { k: "required" } })(tensor([1])))).toContain("needs the size 'k'");
    expect(messageOf(() => defineOp("y = sum[@axes](x)")(tensor([1])))).toContain("needs the axis list 'axes'");
    expect(messageOf(() => defineOp("y[i, j] = x[i]")(tensor([1])))).toContain("the extent of axis j cannot be inferred");
    expect(messageOf(() => swish("a" as unknown as Tensor, 1))).toContain("swish: expected a tensor, got the string a");
  });
});
