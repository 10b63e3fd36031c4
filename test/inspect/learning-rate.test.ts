// The learning-rate finder: its range trains, everything is put back, and it makes nothing up where the loss does not fall.

import { describe, expect, it } from "vitest";
import { chartSvg, chartText, findLearningRate, type TriedRate } from "../../src/inspect/index.ts";
import { judge } from "../../src/inspect/learning-rate.ts";
import { batchNorm, crossEntropy, dropout, type Layer, linear, relu, sequential } from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { manualSeed, randomState } from "../../src/tensor/index.ts";
import { fit } from "../../src/train/index.ts";
import { healthy } from "./zoo.ts";

function setting() {
  const { data } = (healthy[0] as (typeof healthy)[number]).make();
  manualSeed(4);
  const model = sequential(linear(6, 24), batchNorm(24), relu, dropout(0.1), linear(24, 3)) as unknown as Layer;
  return { data, model };
}

const numbers = (state: ReadonlyMap<string, { readonly data: ArrayLike<number> }>): unknown =>
  [...state].map(([name, { data }]) => [name, [...Array.from(data)]]);

describe("findLearningRate", () => {
  it("finds rates that train, below those that do not", async () => {
    const { data, model } = setting();
    const { range, reason, tried } = await findLearningRate(model, data, {
      loss: crossEntropy,
      optimizer: sgd(model.parameters(), { learningRate: 0.1 }),
      to: 1000,
    });
    if (range === undefined) throw new Error(reason);
    expect(range.low).toBeLessThan(range.best);
    expect(range.best).toBeLessThan(range.high);
    expect(tried[0]?.rate).toBe(1e-6);
    const before = model.stateDict();
    const trained = async (rate: number): Promise<number> => {
      model.loadStateDict(before);
      const result = await fit(model, data, {
        loss: crossEntropy,
        optimizer: sgd(model.parameters(), { learningRate: rate }),
        epochs: 3,
        seed: 1,
      }).catch(() => undefined);
      return result?.history.at(-1)?.train.loss ?? Number.POSITIVE_INFINITY;
    };
    const [best, small, large] = [await trained(range.best), await trained(range.low / 100), await trained(30 * range.high)];
    expect(best).toBeLessThan(small);
    expect(best).toBeLessThan(large);
  });

  it.each([true, false])("puts weights, statistics, moments and random numbers back (compiled: %s)", async (compile) => {
    const { data, model } = setting();
    const optimizer = adam(model.parameters(), { learningRate: 0.01 });
    await fit(model, data, { loss: crossEntropy, optimizer, epochs: 1, seed: 1 });
    const look = () => ({
      model: numbers(model.stateDict()),
      optimizer: numbers(optimizer.stateDict().tensors),
      random: randomState(),
      steps: optimizer.stateDict().steps,
    });
    const before = look();
    const mode = model.training;
    const first = await findLearningRate(model, data, { loss: crossEntropy, optimizer, steps: 20, compile });
    expect(look()).toEqual(before);
    expect(model.training).toBe(mode);
    expect(optimizer.learningRate).toBe(0.01);
    const second = await findLearningRate(model, data, { loss: crossEntropy, optimizer, steps: 20, compile });
    expect(second.tried).toEqual(first.tried);
    const aborted = findLearningRate(model, data, { loss: crossEntropy, optimizer, signal: AbortSignal.abort(new Error("enough")) });
    await expect(aborted).rejects.toThrow("enough");
    expect(look()).toEqual(before);
  });

  it("refuses ranges that are none", async () => {
    const { data, model } = setting();
    const options = { loss: crossEntropy, optimizer: sgd(model.parameters(), { learningRate: 0.1 }) };
    await expect(findLearningRate(model, data, { ...options, from: 1, to: 0.1 })).rejects.toThrow("expected 0 < from < to");
    await expect(findLearningRate(model, data, { ...options, steps: 3 })).rejects.toThrow("at least 10 steps");
    await expect(findLearningRate(model, data, { ...options, smoothing: 1 })).rejects.toThrow("smoothing");
  });
});

describe("judge", () => {
  const curve = (losses: readonly number[]): TriedRate[] => losses.map((loss, n) => ({ rate: 10 ** (n / 2 - 5), loss, smoothed: loss }));

  it("says why", () => {
    const found = judge(curve([2, 2, 1.98, 1.9, 1.6, 1.1, 0.8, 0.75, 1.4, 6]), true, 1);
    expect(found.range).toEqual({ low: 10 ** -3, high: 10 ** -1.5, best: 10 ** -2.5 });
    expect(found.reason).toMatchInlineSnapshot(
      `"the loss began to fall at 0.001, fell fastest at 0.0032 and was least, 0.75 after 2, at 0.032; it diverged at 0.32"`,
    );
    expect(judge(curve([2, 1.9, 1.5, 1]), false, 0).reason).toContain("it still fell at the largest rate tried");
  });

  it("makes nothing up", () => {
    expect(judge(curve([2, 2, 2.1, 3]), false, 0)).toMatchObject({
      range: undefined,
      reason: expect.stringContaining("the loss never fell"),
    });
    expect(judge(curve([Number.NaN, Number.NaN]), true, 0)).toMatchObject({
      range: undefined,
      reason: expect.stringContaining("not a finite number"),
    });
  });
});

describe("charts", () => {
  const series = { name: "loss", points: [[0.001, 2], [0.01, 1], [0.1, 0.5], [1, Number.NaN]] as const }; // biome-ignore format: points
  const options = { title: "a <curve>", xTitle: "rate", yTitle: "loss", logX: true, marks: [{ x: 0.05, name: "best" }] };

  it("fit a terminal", () => {
    const text = chartText(series, options);
    expect(text).toMatchInlineSnapshot(`
      "a <curve>
            rate  loss
           0.001  ██████████████████████████████████████████████ 2
            0.01  ███████████████████████ 1  ← best
             0.1  ███████████▌ 0.5
               1   NaN"
    `);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("are pictures without holes", () => {
    const svg = chartSvg([series], options);
    expect(svg).not.toContain("NaN");
    expect(svg).toContain("a &lt;curve>".replace(">", "&gt;"));
    expect(svg).toContain("best");
  });
});
