// The textbook's printed numbers: forward computation, gradients, gradient descent, convolution and pooling.

import { describe, expect, it } from "vitest";
import { averagePool, conv, linear, maxPool, parameter, relu, sigmoid, softmax, tensor, zeros } from "../../src/index.ts";

const x = tensor([[2, 3, 1]]);
const w1 = [
  [3, 1, 2],
  [-2, -3, -1],
];
const w2 = [[3, 2]];

describe("the 3-2-1 network", () => {
  it("with ReLU: u1 = [11, −14], h1 = [11, 0], y = 33, squared error 169", () => {
    const u1 = linear(x, tensor(w1));
    expect(u1.toArray()).toEqual([[11, -14]]);
    const h1 = relu(u1);
    expect(h1.toArray()).toEqual([[11, 0]]);
    const y = linear(h1, tensor(w2));
    expect(y.item()).toBe(33);
    expect(y.sub(20).square().mean().item()).toBe(169);
  });

  it("with sigmoid: y and both gradients to the printed digits", () => {
    const dtype = "float64";
    const first = parameter(tensor(w1, { dtype }));
    const second = parameter(tensor(w2, { dtype }));
    const y = sigmoid(linear(sigmoid(linear(tensor([[2, 3, 1]], { dtype }), first)), second));
    expect(y.item().toFixed(8)).toBe("0.95257194");
    const single = sigmoid(linear(sigmoid(linear(x, tensor(w1))), tensor(w2)));
    // The float32 result is one of the two nearest numbers.
    expect(Math.abs(single.item() - y.item())).toBeLessThan(2 ** -24);
    const loss = y.sub(20).square().mean();
    loss.backward();
    const printed = (values: Iterable<number>): string[] => [...values].map((value) => value.toExponential(8));
    const expected = (values: number[]): string[] => values.map((value) => value.toExponential(8));
    expect(printed(second.grad?.data ?? [])).toEqual(expected([-1.72104507, -1.43112111e-6]));
    expect(printed(first.grad?.data ?? [])).toEqual(
      expected([-1.72463398e-4, -2.58695098e-4, -8.62316992e-5, -5.7244797e-6, -8.58671954e-6, -2.86223985e-6]),
    );
  });
});

describe("gradient descent", () => {
  it("moves w = 3 with gradient 3 and rate 0.5 to 1.5, with gradient −1 from 1.5 to 2", () => {
    const w = parameter(tensor([3]));
    w.mul(3).sum().backward();
    expect(w.sub((w.grad ?? zeros([1])).mul(0.5)).toArray()).toEqual([1.5]);
    const next = parameter(tensor([1.5]));
    next.mul(-1).sum().backward();
    expect(next.sub((next.grad ?? zeros([1])).mul(0.5)).toArray()).toEqual([2]);
  });

  it("sigmoid's derivative is at most 0.25, of two layers 0.0625", () => {
    const u = tensor([-2, -0.5, 0, 0.5, 2], { requiresGrad: true });
    sigmoid(u).sum().backward();
    expect(Math.max(...(u.grad?.data ?? []))).toBe(0.25);
    expect(0.25 * 0.25).toBe(0.0625);
  });
});

describe("convolution and pooling", () => {
  it("1×1 convolution is the same linear map at every position", () => {
    const image = tensor(
      Float32Array.from({ length: 2 * 3 * 4 * 4 }, (_, n) => Math.sin(n)),
      [2, 3, 4, 4],
    );
    const weight = tensor(
      Float32Array.from({ length: 6 }, (_, n) => Math.cos(n)),
      [2, 3],
    );
    const byConv = conv(image, weight.reshape([2, 3, 1, 1]));
    const byLinear = linear(image.transpose([0, 2, 3, 1]), weight).transpose([0, 3, 1, 2]);
    byConv.data.forEach((value, n) => expect(value).toBeCloseTo(byLinear.data[n] ?? Number.NaN, 5));
  });

  it("2×2 pooling with stride 2 halves 224×224×64 to 112×112×64", () => {
    const image = zeros([1, 64, 224, 224]);
    expect(maxPool(image, 2).shape).toEqual([1, 64, 112, 112]);
    expect(
      averagePool(
        tensor([
          [
            [
              [1, 3],
              [5, 7],
            ],
          ],
        ]),
        2,
      ).toArray(),
    ).toEqual([[[[4]]]]);
    expect(
      maxPool(
        tensor([
          [
            [
              [1, 3],
              [5, 7],
            ],
          ],
        ]),
        2,
      ).toArray(),
    ).toEqual([[[[7]]]]);
  });
});

it("softmax outputs sum to 1", () => {
  const p = softmax(
    tensor([
      [1, 2, 3, 4],
      [1000, -1000, 0, 999],
    ]),
  );
  for (const total of p.sum(-1).data) expect(total).toBeCloseTo(1, 6);
});
