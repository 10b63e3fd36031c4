// The wasm backend in a real browser computes what it computes in Node: products, convolutions with gradients, compiled training.

import { expect, it } from "vitest";
import * as kasaneInNode from "../../src/index.ts";
import { describeInBrowser } from "./browser.ts";

type Kasane = typeof kasaneInNode;

function products(kasane: Kasane): { backend: string; product: number[]; gradient: number[] } {
  kasane.manualSeed(7);
  const product = kasane.matmul(kasane.uniform([37, 65], -1, 1), kasane.uniform([65, 29], -1, 1));
  const weight = kasane.parameter(kasane.uniform([4, 3, 3, 3], -1, 1));
  kasane
    .conv(kasane.uniform([2, 3, 9, 9], -1, 1), weight, undefined, { padding: 1, stride: 2 })
    .square()
    .sum()
    .backward();
  return { backend: kasane.getBackend().name, product: Array.from(product.data), gradient: Array.from(weight.grad?.data ?? []) };
}

function training(kasane: Kasane): number[] {
  kasane.manualSeed(1);
  const weights: kasaneInNode.Tensor[] = [
    [8, 3],
    [2, 8],
  ].map((shape) => kasane.parameter(kasane.uniform(shape, -1, 1)));
  const [hidden, output] = weights as [kasaneInNode.Tensor, kasaneInNode.Tensor];
  const step = kasane.compile((x: kasaneInNode.Tensor, target: kasaneInNode.Tensor) => {
    for (const weight of weights) weight.zeroGrad();
    const loss = kasane
      .linear(kasane.tanh(kasane.linear(x, hidden)), output)
      .logSoftmax(-1)
      .mul(target)
      .sum()
      .mul(-0.25);
    loss.backward();
    kasane.noGrad(() => {
      for (const weight of weights) weight.assign(weight.sub((weight.grad as kasaneInNode.Tensor).mul(0.5)));
    });
    return loss;
  });
  const x = kasane.tensor([
    [0, 0, 1],
    [0, 1, 1],
    [1, 0, 1],
    [1, 1, 1],
  ]);
  const target = kasane.tensor([
    [1, 0],
    [0, 1],
    [0, 1],
    [1, 0],
  ]);
  return Array.from({ length: 600 }, () => step(x, target).item());
}

describeInBrowser("the wasm backend in Chromium", (page) => {
  it("gives Node's numbers for products, convolutions and gradients", async () => {
    const found = await page().run(products as never);
    const expected = products(kasaneInNode);
    expect((found as typeof expected).backend).toBe("wasm");
    for (const key of ["product", "gradient"] as const) {
      const [a, b] = [(found as typeof expected)[key], expected[key]];
      expect(a).toHaveLength(b.length);
      a.forEach((value, n) => expect(value).toBeCloseTo(b[n] as number, 4));
    }
  });

  it("trains XOR with a compiled step, the losses as in Node", async () => {
    const found = (await page().run(training as never)) as number[];
    const expected = training(kasaneInNode);
    expect(found[0]).toBeCloseTo(expected[0] as number, 5);
    expect(found[599]).toBeLessThan(0.2 * (found[0] as number));
    found.slice(0, 20).forEach((loss, n) => expect(loss).toBeCloseTo(expected[n] as number, 3));
    expect(page().complaints).toEqual([]);
  });
});
