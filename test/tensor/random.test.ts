// Random numbers: repeatable, the same on every backend, and distributed as they claim.

import { describe, expect, it } from "vitest";
import {
  availableBackends,
  bernoulli,
  dropout,
  manualSeed,
  normal,
  ones,
  permutation,
  randomIntegers,
  randomState,
  setBackend,
  setRandomState,
  type Tensor,
  uniform,
} from "../../src/index.ts";
import { messageOf, onEveryBackend } from "./support.ts";

const COUNT = 20_000;
const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
const variance = (values: ArrayLike<number>): number => {
  const m = mean(values);
  return mean(Array.from(values, (value) => (value - m) ** 2));
};
/** Largest distance between the empirical distribution and the given one (Kolmogorov & Smirnov); 1.95 / √n is passed with probability 0.1 %. */
const distance = (values: ArrayLike<number>, distribution: (x: number) => number): number =>
  Math.max(
    ...Array.from(values)
      .sort((a, b) => a - b)
      .map((value, n) => Math.abs(distribution(value) - (n + 0.5) / values.length)),
  );
const bound = 1.95 / Math.sqrt(COUNT);
/** Abramowitz & Stegun 26.2.17, error below 1e-7. */
const normalDistribution = (x: number): number => {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail =
    (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x > 0 ? 1 - tail : tail;
};

onEveryBackend("random numbers", () => {
  it("come again with the seed, and differ between draws and seeds", () => {
    manualSeed(42);
    const a = uniform([5]).toArray();
    const b = uniform([5]).toArray();
    manualSeed(42);
    expect([uniform([5]).toArray(), uniform([5]).toArray()]).toEqual([a, b]);
    expect(a).not.toEqual(b);
    manualSeed(43);
    expect(uniform([5]).toArray()).not.toEqual(a);
    manualSeed(0xffffffff);
    expect(uniform([3]).toArray()).not.toEqual(a);
  });

  it("go on from a saved state", () => {
    manualSeed(7);
    uniform([3]);
    const state = randomState();
    const next = normal([4]).toArray();
    uniform([9]);
    setRandomState(state);
    expect(normal([4]).toArray()).toEqual(next);
  });

  it("are uniform", () => {
    manualSeed(1);
    const { data } = uniform([COUNT], -1, 3);
    expect(Math.min(...data)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...data)).toBeLessThan(3);
    expect(distance(data, (x) => (x + 1) / 4)).toBeLessThan(bound);
  });

  it("are normal", () => {
    manualSeed(2);
    const { data } = normal([COUNT], 1, 2);
    expect(mean(data)).toBeCloseTo(1, 1);
    expect(variance(data)).toBeCloseTo(4, 0);
    expect(distance(data, (x) => normalDistribution((x - 1) / 2))).toBeLessThan(bound);
    expect([...data].every(Number.isFinite)).toBe(true);
  });

  it("are 1 with the given probability, and integers of a range", () => {
    manualSeed(3);
    expect(mean(bernoulli([COUNT], 0.3).data)).toBeCloseTo(0.3, 1);
    expect(mean(bernoulli([100], 0).data)).toBe(0);
    expect(mean(bernoulli([100], 1).data)).toBe(1);
    const { data, dtype } = randomIntegers([COUNT], -2, 4);
    expect(dtype).toBe("int32");
    const counts = [-2, -1, 0, 1, 2, 3].map((value) => [...data].filter((item) => item === value).length);
    expect(counts.reduce((a, b) => a + b)).toBe(COUNT);
    // χ² with 5 degrees of freedom is above 20.5 with probability 0.1 %.
    expect(counts.reduce((sum, count) => sum + (count - COUNT / 6) ** 2 / (COUNT / 6), 0)).toBeLessThan(20.5);
  });

  it("streams do not follow each other", () => {
    manualSeed(4);
    const a = uniform([COUNT]).data;
    const b = uniform([COUNT]).data;
    const covariance = mean(Array.from(a, (value, n) => (value - 0.5) * ((b[n] as number) - 0.5)));
    const lagged = mean(Array.from(a.slice(1), (value, n) => (value - 0.5) * ((a[n] as number) - 0.5)));
    // Standard deviation of the estimate: 1 / (12 √n).
    expect(Math.abs(covariance)).toBeLessThan(4 / (12 * Math.sqrt(COUNT)));
    expect(Math.abs(lagged)).toBeLessThan(4 / (12 * Math.sqrt(COUNT)));
  });

  it("dropout scales what it keeps, and its gradient uses the same mask", () => {
    manualSeed(5);
    const x = ones([COUNT], { requiresGrad: true });
    const y = dropout(x, 0.25);
    expect(new Set(y.data)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    expect(mean(y.data)).toBeCloseTo(1, 1);
    y.sum().backward();
    expect((x.grad as Tensor).data).toEqual(y.data);
    expect(dropout(ones([4]), 0).toArray()).toEqual([1, 1, 1, 1]);
  });

  it("say what is wrong", () => {
    expect(messageOf(() => manualSeed(-1))).toContain("expected an integer from 0 to 4294967295, got -1");
    expect(messageOf(() => randomIntegers([1], 3, 3))).toContain("expected integers low < high, got 3 and 3");
    expect(messageOf(() => dropout(ones([1]), 1))).toContain("the probability must be in [0, 1), got 1");
  });
});

describe("permutation", () => {
  it("has every number once, is repeatable, and moves everything about equally", () => {
    manualSeed(6);
    const order = permutation(1000);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
    manualSeed(6);
    expect(permutation(1000)).toEqual(order);
    expect(permutation(1000)).not.toEqual(order);
    expect([...permutation(0), ...permutation(1)]).toEqual([0]);
    const first = Array.from({ length: 6000 }, () => permutation(3)[0]);
    for (const value of [0, 1, 2]) expect(Math.abs(first.filter((item) => item === value).length - 2000)).toBeLessThan(150);
  });
});

describe("across backends", () => {
  it("uniform numbers, coin flips and integers agree to the bit", () => {
    const names = availableBackends();
    const draw = (backend: (typeof names)[number]): unknown => {
      setBackend(backend);
      manualSeed(2024);
      return [uniform([257]).data, bernoulli([33], 0.4).data, randomIntegers([33], -5, 50).data];
    };
    const expected = draw("reference");
    for (const name of names) expect(draw(name)).toEqual(expected);
    setBackend(names[0]!);
  });

  it("follow Philox2x32-10 as published", async () => {
    // Known answers of the Random123 distribution: counter, key → output.
    const { philox } = await import("../../src/nest/functions.ts");
    expect([...philox(0, 0, 0)]).toEqual([0xff1dae59, 0x6cd10df2]);
    expect([...philox(0xffffffff, 0xffffffff, 0xffffffff)]).toEqual([0x2c3f628b, 0xab4fd7ad]);
    expect([...philox(0x13198a2e, 0x85a308d3, 0x243f6a88)]).toEqual([0xdd7ce038, 0xf62a4c12]);
  });
});
