// Runs every program in examples/ and compares what it prints with the textbook's numbers.

import { readdirSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";

/** What each program must print, word for word or as a pattern. */
const expected: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  "forward-and-gradients": [
    "  u1 = [11, -14]",
    "  h1 = [11, 0]",
    "  y  = 33",
    "  squared error for t = 20: 169",
    "  y = 0.95257194",
    "  dL/dW2 = [-1.72104507e+00, -1.43112111e-06]",
    "  dL/dW1 = [-1.72463398e-04, -2.58695098e-04, -8.62316992e-05]",
    "           [-5.72447970e-06, -8.58671954e-06, -2.86223985e-06]",
  ],
  "gradient-descent": ["w = 3, gradient 3, learning rate 0.5: w becomes 1.5", "w = 1.5, gradient -1, learning rate 0.5: w becomes 2"],
  "vanishing-gradient": ["largest: 0.25", "through 2 sigmoid layers at most 0.0625 of a gradient is left"],
  "convolution-window": [
    "sums of the first window over the channels: -2, 0, 1",
    "with bias 1 the first output is -2 + 0 + 1 + 1 = 0",
    "5×5×3 becomes 3×3×2",
  ],
  "one-by-one-convolution": ["shape 1×2×4×4, largest difference below 0.000001"],
  pooling: ["224×224×64 becomes 112×112×64", "of 1, 3, 5, 7 the largest is 7, the average 4"],
  "cross-entropy": [/^softmax of 2, 1, 0.1: 0.6590, 0.2424, 0.0986; together 1.0000$/, /cross entropy.* 0\.4170$/, /textbook's.* 0\.1390$/],
  wine: [/^4 measurements -> 2 classes; .*together 1\.000$/, /^accuracy on held-out bottles: (9[3-9]\.\d|100\.0) %$/],
};

const folder = new URL("../examples/", import.meta.url);
afterEach(() => vi.restoreAllMocks());

describe("examples", () => {
  it("are all listed here", () => {
    const names = readdirSync(folder).flatMap((file) => (file.endsWith(".ts") ? [file.slice(0, -3)] : []));
    expect(names.sort()).toEqual(Object.keys(expected).sort());
  });

  it.each(Object.entries(expected))("%s prints the textbook's numbers", async (name, wanted) => {
    const printed: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line: unknown) => void printed.push(String(line)));
    await import(new URL(`${name}.ts`, folder).href);
    for (const line of wanted) expect(printed).toContainEqual(typeof line === "string" ? line : expect.stringMatching(line));
  });
});
