// Initializers: mean and variance of what they draw, and that the seed decides.

import { describe, expect, it } from "vitest";
import { manualSeed, tensor } from "../../src/index.ts";
import { conv2d, convTranspose2d, init, linear } from "../../src/nn/index.ts";

const inputs = 200;
const outputs = 100;
const { lecunNormal, lecunUniform, glorotNormal, glorotUniform, heNormal, heUniform, normal, uniform, constant, zeros, ones } = init;

function statistics(data: Iterable<number>): { mean: number; variance: number; largest: number } {
  const values = [...data];
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  return { mean, variance, largest: Math.max(...values.map(Math.abs)) };
}

const weightsOf = (from: init.Initializer): Iterable<number> => linear(inputs, outputs, { init: from }).parameters()[0]?.data ?? [];

describe("variance", () => {
  it.each([
    ["lecunNormal", lecunNormal(), 1 / inputs, Number.POSITIVE_INFINITY],
    ["lecunUniform", lecunUniform(), 1 / inputs, Math.sqrt(3 / inputs)],
    ["glorotNormal", glorotNormal(), 2 / (inputs + outputs), Number.POSITIVE_INFINITY],
    ["glorotUniform", glorotUniform(), 2 / (inputs + outputs), Math.sqrt(6 / (inputs + outputs))],
    ["heNormal", heNormal(), 2 / inputs, Number.POSITIVE_INFINITY],
    ["heUniform", heUniform(), 2 / inputs, Math.sqrt(6 / inputs)],
    ["normal", normal(0, 0.3), 0.09, Number.POSITIVE_INFINITY],
    ["uniform", uniform(-1, 1), 1 / 3, 1],
  ])("%s", (_name, from, expected, limit) => {
    manualSeed(1);
    const { mean, variance, largest } = statistics(weightsOf(from));
    const count = inputs * outputs;
    // Five standard errors of the mean, and of the variance of a normal distribution (a uniform one's is smaller).
    expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(expected / count));
    expect(Math.abs(variance / expected - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    expect(largest).toBeLessThanOrEqual(limit);
  });

  it("mean of normal and uniform", () => {
    manualSeed(1);
    expect(Math.abs(statistics(weightsOf(normal(2, 0.5))).mean - 2)).toBeLessThan(5 * (0.5 / Math.sqrt(inputs * outputs)));
    expect(Math.abs(statistics(weightsOf(uniform(2, 4))).mean - 3)).toBeLessThan(5 * Math.sqrt(1 / 3 / (inputs * outputs)));
  });

  it("keeps the size of activations through twenty He layers with ReLU", () => {
    manualSeed(5);
    let x = tensor(
      Float32Array.from({ length: 64 * 100 }, (_, n) => Math.sin(n)),
      [64, 100],
    );
    const before = statistics(x.data).variance;
    for (let depth = 0; depth < 20; depth++) x = linear(100, 100)(x).relu() as typeof x;
    const after = [...x.data].reduce((a, b) => a + b * b, 0) / x.size;
    expect(after / before).toBeGreaterThan(0.1);
    expect(after / before).toBeLessThan(10);
  });
});

describe("fans", () => {
  it("count the window and the groups", () => {
    const seen: init.Fans[] = [];
    const spy: init.Initializer = (shape, fans) => {
      seen.push(fans);
      return zeros()(shape, fans);
    };
    linear(5, 7, { init: spy });
    conv2d(4, 6, 3, { init: spy });
    conv2d(4, 6, [3, 2], { init: spy, groups: 2 });
    convTranspose2d(4, 6, 3, { init: spy });
    expect(seen).toEqual([
      { in: 5, out: 7 },
      { in: 36, out: 54 },
      { in: 12, out: 18 },
      { in: 36, out: 54 },
    ]);
  });
});

it("weights are He normal and biases 0 unless told otherwise", () => {
  manualSeed(2);
  const byDefault = linear(3, 4);
  manualSeed(2);
  const chosen = linear(3, 4, { init: heNormal(), biasInit: zeros() });
  expect(byDefault.parameters().map((value) => value.toArray())).toEqual(chosen.parameters().map((value) => value.toArray()));
  expect(byDefault.parameters()[1]?.toArray()).toEqual([0, 0, 0, 0]);
  manualSeed(3);
  expect(linear(3, 4).parameters()[0]?.toArray()).not.toEqual(byDefault.parameters()[0]?.toArray());
});

it("takes constants, and the very numbers of a tensor", () => {
  const layer = linear(2, 1, { init: tensor([[3, 2]]), biasInit: constant(-1) });
  expect(layer(tensor([[11, 0]])).toArray()).toEqual([[32]]);
  expect(linear(2, 1, { init: ones(), biasInit: ones() })(tensor([[1, 2]])).toArray()).toEqual([[4]]);
});

it("refuses impossible distributions", () => {
  expect(() => normal(0, -1)).toThrow("the deviation must not be negative, got -1");
  expect(() => uniform(1, 0)).toThrow("expected low ≤ high, got 1 and 0");
});
