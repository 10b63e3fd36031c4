// The built library loads and works in a real browser, under a content security policy without eval.

import { expect, it } from "vitest";
import { describeInBrowser } from "./browser.ts";

describeInBrowser("the library in Chromium", (page) => {
  it("loads from dist and exports the same names as in Node", async () => {
    const inBrowser = await page().run((kasane) => Object.keys(kasane).sort());
    const inNode = Object.keys(await import("../../src/index.ts")).sort();
    expect(inBrowser.length).toBeGreaterThan(0);
    expect(inBrowser).toEqual(inNode);
    expect(page().complaints).toEqual([]);
  });

  it("computes a textbook network and its gradient as in Node", async () => {
    const seen = await page().run(
      ({ linear, parameter, sigmoid, tensor }, rows: number[][]) => {
        const first = parameter(tensor(rows));
        const second = parameter(tensor([[3, 2]]));
        const y = sigmoid(linear(sigmoid(linear(tensor([[2, 3, 1]]), first)), second));
        y.sub(20).square().mean().backward();
        return { y: y.item(), gradient: Array.from(second.grad?.data ?? []) };
      },
      [
        [3, 1, 2],
        [-2, -3, -1],
      ],
    );
    expect(seen.y).toBeCloseTo(0.95257194, 6);
    expect(seen.gradient).toHaveLength(2);
    expect(seen.gradient[0]).toBeCloseTo(-1.72104507, 5);
    expect(seen.gradient[1]).toBeCloseTo(-1.43112111e-6, 10);
    expect(page().complaints).toEqual([]);
  });

  it("runs in a page that is cross-origin isolated and forbids eval", async () => {
    const seen = await page().run((_kasane, code: string) => {
      let evaluated: string;
      try {
        evaluated = String(new Function(code)());
      } catch (error) {
        evaluated = (error as Error).name;
      }
      return { isolated: globalThis.crossOriginIsolated, shared: typeof SharedArrayBuffer, evaluated };
    }, "return 1");
    expect(seen).toEqual({ isolated: true, shared: "function", evaluated: "EvalError" });
  });
});
