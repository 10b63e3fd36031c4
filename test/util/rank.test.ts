// Which of two numbers is better: NaN is worse than any, wherever measured numbers are compared.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dataset, ndArray } from "../../src/data/index.ts";
import { judge } from "../../src/inspect/diagnose/learning-rate.ts";
import { median } from "../../src/inspect/diagnose/statistics.ts";
import { linear, meanSquaredError } from "../../src/nn/index.ts";
import { reduceOnPlateau, sgd } from "../../src/optim/index.ts";
import { manualSeed } from "../../src/tensor/index.ts";
import { type EpochReport, fit, type Metric, type Samples } from "../../src/train/index.ts";
import { bestOf, isBetter, ranking } from "../../src/util/rank.ts";

const measured = fc.oneof(
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1, 1),
  fc.double({ noNaN: true, min: -10, max: 10 }),
);
const both = ["smaller", "larger"] as const;

describe("ranks", () => {
  it.each(both)("%s first, NaN last, whatever the order", (better) => {
    fc.assert(
      fc.property(fc.array(measured), (values) => {
        const numbers = values.filter((value) => !Number.isNaN(value));
        const wanted = Float64Array.from(numbers).sort();
        if (better === "larger") wanted.reverse();
        const sorted = values.slice().sort(ranking(better));
        expect(sorted.slice(0, numbers.length)).toEqual([...wanted].map((value) => expect.toSatisfy((found: number) => found === value)));
        expect(sorted.slice(numbers.length).every(Number.isNaN)).toBe(true);
        const best = bestOf(values, (value) => value, better);
        if (numbers.length === 0) expect(best).toBeUndefined();
        else expect(best === wanted[0]).toBe(true);
      }),
    );
  });

  it("no number is better than itself, nor by more than the margin", () => {
    fc.assert(
      fc.property(measured, measured, fc.double({ min: 0, max: 5, noNaN: true }), (a, b, margin) => {
        for (const better of both) {
          expect(isBetter(a, a, better, margin)).toBe(false);
          expect(isBetter(a, b, better) && isBetter(b, a, better)).toBe(false);
          if (isBetter(a, b, better, margin) && !Number.isNaN(b)) expect(Math.abs(a - b)).toBeGreaterThan(margin);
        }
      }),
    );
  });
});

describe("where numbers are compared", () => {
  const data = new Dataset({ x: ndArray(new Float32Array([1, 2, 3, 4]), [4, 1]), y: ndArray(new Float32Array([2, 4, 6, 8]), [4, 1]) });

  /** A metric that gives these numbers, epoch after epoch, and the weight after each epoch. */
  async function trained(values: readonly number[], better: Metric["better"], patience: number) {
    manualSeed(1);
    const net = linear(1, 1);
    let epoch = 0;
    const metric: Metric<"told"> = { name: "told", better, sums: 1, add: () => {}, value: () => values[epoch] as number };
    const weights: number[] = [];
    const result = await fit(net as never, data as unknown as Dataset<Samples>, {
      loss: meanSquaredError,
      optimizer: sgd(net.parameters(), { learningRate: 0.01 }),
      epochs: values.length,
      metrics: [metric],
      earlyStopping: { patience, monitor: "told" },
      callbacks: [
        {
          onEpochEnd: (_: EpochReport) => {
            weights.push(net.parameters()[0]?.item() as number);
            epoch++;
          },
        },
      ],
    });
    return { ...result, weights, weight: net.parameters()[0]?.item() as number };
  }

  it.each(both)("early stopping: the best epoch is the best number, with NaN among them (%s)", async (better) => {
    await fc.assert(
      fc.asyncProperty(fc.array(measured, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 3 }), async (values, patience) => {
        const { best, weights, weight, epochs, reason } = await trained(values, better, patience);
        const seen = values.slice(0, epochs);
        const expected = bestOf(seen.keys(), (n) => seen[n] as number, better);
        expect(best?.epoch).toBe(expected === undefined ? undefined : expected + 1);
        expect(weight).toBe(weights[expected ?? epochs - 1]);
        if (reason === "no improvement") expect(epochs - (best?.epoch ?? 0)).toBe(patience);
      }),
      { numRuns: 25 },
    );
  });

  it.each(both)("reduceOnPlateau: every run of values without a better number reduces, also below 0 (%s)", (better) => {
    const plateau = reduceOnPlateau(1, { patience: 1, factor: 0.5, better, threshold: 0.01 });
    const worse = better === "smaller" ? 1 : -1;
    for (const start of [-100, -1, 1, 100]) {
      const still = Array(6).fill(start) as number[];
      expect(plateau(still), `${start}`).toBe(0.25);
      expect(plateau(still.map((value, n) => value + n * worse))).toBe(0.25);
      expect(plateau(still.map((value, n) => value - n * worse * 0.02 * Math.abs(value)))).toBe(1);
      expect(plateau([Number.NaN, ...still])).toBe(0.25);
      expect(plateau(still.map((value, n) => (n === 0 ? value : Number.NaN)))).toBe(0.25);
    }
    expect(plateau(Array(6).fill(Number.NaN) as number[])).toBe(0.125);
    expect(plateau([worse * Number.POSITIVE_INFINITY, 5, 5])).toBe(1);
    expect(() => reduceOnPlateau(1, { better: "min" as never })).toThrow('better must be "smaller" or "larger", got "min"');
  });

  it("the learning-rate finder's least loss, and the middle of measured numbers", () => {
    const losses = Array.from({ length: 30 }, (_, n) => (n === 12 ? Number.NaN : n < 25 ? 5 - 0.1 * n : n));
    const tried = losses.map((loss, n) => ({ rate: 10 ** (n / 5 - 5), loss, smoothed: loss }));
    expect(judge(tried, { diverged: false, burnIn: 1, smoothing: 0 }).range?.high).toBe(tried[24]?.rate);
    expect(median([Number.NaN, 3, 1, Number.NaN, 2])).toBe(3);
  });
});

describe("metrics", () => {
  const data = new Dataset({ x: ndArray(new Float32Array(2), [2, 1]), y: ndArray(new Float32Array(2), [2, 1]) }) as never;
  const net = linear(1, 1);
  const run = (metrics: unknown) =>
    fit(net as never, data, {
      loss: meanSquaredError,
      optimizer: sgd(net.parameters(), { learningRate: 1 }),
      epochs: 1,
      metrics: metrics as never,
    });

  it.each([
    [["accuracy"], 'expected metrics[0] to be a metric, got "accuracy"'],
    ["accuracy", 'expected metrics to be a list, got "accuracy"'],
    [[{}], "expected metrics[0] to be a metric, got an object"],
    [[null], "expected metrics[0] to be a metric, got null"],
    [[{ name: "m", better: "max", sums: 1, add() {}, value: () => 0 }], 'metric "m" must say better: "smaller" or "larger", got "max"'],
  ])("of %j are refused", async (metrics, message) => {
    await expect(run(metrics)).rejects.toThrow(message);
  });
});
