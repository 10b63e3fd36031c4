// The learning-rate finder: its range trains, everything is put back, it can be stopped, and it makes nothing up where the loss does not fall.

import { describe, expect, it } from "vitest";
import { Dataset } from "../../../src/data/index.ts";
import { judge } from "../../../src/inspect/diagnose/learning-rate.ts";
import { findLearningRate, type LearningRateOptions, type TriedRate } from "../../../src/inspect/index.ts";
import { batchNorm, crossEntropy, dropout, type Layer, layer, linear, relu, sequential } from "../../../src/nn/index.ts";
import { adam, sgd } from "../../../src/optim/index.ts";
import { manualSeed, parameter, randomState, tensor } from "../../../src/tensor/index.ts";
import { fit, type Samples } from "../../../src/train/index.ts";
import { healthy } from "../zoo.ts";

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

  it.each([true, false])("leaves no trace on what was fresh (compiled: %s)", async (compile) => {
    const { data, model } = setting();
    const temperature = parameter(tensor([1.5]));
    const [first, second] = model.parameters() as [ReturnType<typeof tensor>, ReturnType<typeof tensor>];
    first.sum().backward();
    const gradient = first.grad;
    const optimizer = adam([...model.parameters(), temperature]);
    const sweep: LearningRateOptions = { loss: (p, t) => crossEntropy(p.mul(temperature), t), optimizer, steps: 12, to: 0.1, compile };
    await findLearningRate(model, data, sweep);
    expect([...optimizer.stateDict().tensors.keys()]).toEqual([]);
    expect(Object.values(optimizer.stateDict().steps)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(temperature.item()).toBe(1.5);
    expect(first.grad).toBe(gradient);
    expect(second.grad).toBe(undefined);
    expect(temperature.grad).toBe(undefined);
    const other = sgd(model.parameters(), { learningRate: 0.1, momentum: 0.9 });
    await findLearningRate(model, data, { ...sweep, loss: crossEntropy, optimizer: other });
    expect(other.stateDict().tensors.size).toBe(0);
  });

  it("puts each layer's mode back, that of shared layers too", async () => {
    const { data } = setting();
    const shared = dropout(0.5);
    const [a, b] = [sequential(linear(6, 6), shared), sequential(linear(6, 3), shared)];
    const model = layer({ a, b }, (x) => b(a(x) as never)) as unknown as Layer;
    b.eval();
    shared.train();
    const modes = () => [...model.namedLayers()].map(([path, inner]) => `${path}: ${inner.training}`);
    const before = modes();
    await findLearningRate(model, data, { loss: crossEntropy, optimizer: adam(model.parameters()), steps: 10 });
    expect(modes()).toEqual(before);
  });

  it("finds the same rates wherever the loss has its zero", async () => {
    const sweep = async (offset: number) => {
      const { data, model } = setting();
      const optimizer = sgd(model.parameters(), { learningRate: 0.1 });
      return findLearningRate(model, data, { loss: (p, t) => crossEntropy(p, t).add(offset), optimizer, to: 1000 });
    };
    const [plain, below, above] = [await sweep(0), await sweep(-8), await sweep(100)];
    expect(plain.range).toBeDefined();
    expect(below.range).toEqual(plain.range);
    expect(below.diverged).toBe(true);
    expect(above.range).toEqual(plain.range);
  });

  it("can be stopped in its middle", async () => {
    const { data, model } = setting();
    const optimizer = adam(model.parameters());
    const before = numbers(model.stateDict());
    const abort = new AbortController();
    setImmediate(() => abort.abort(new Error("enough")));
    const sweep = findLearningRate(model, data, { loss: crossEntropy, optimizer, steps: 3000, to: 0.01, signal: abort.signal });
    await expect(sweep).rejects.toThrow("enough");
    expect(numbers(model.stateDict())).toEqual(before);
    expect(optimizer.learningRate).toBe(0.001);
  });

  it("says so where the data are no numbers", async () => {
    const { data, model } = setting();
    const { x, y } = data.fields;
    const bad = new Dataset<Samples>(
      { x: { shape: x.shape, data: Float32Array.from(x.data, () => Number.NaN) }, y },
      { allowNonFinite: true },
    );
    const optimizer = adam(model.parameters());
    const before = numbers(model.stateDict());
    const { tried, range, diverged, reason, nonFinite } = await findLearningRate(model, bad, { loss: crossEntropy, optimizer });
    expect(String(nonFinite)).toMatch(/not finite \(from outside, with the data\)[\s\S]*\n {2}x\[0, 0\] = NaN/);
    expect({ tried: tried.length, range, diverged }).toEqual({ tried: 1, range: undefined, diverged: true });
    expect(reason).toBe("the loss was not a finite number from the first step on, NaN: look at the data and the model first");
    expect(numbers(model.stateDict())).toEqual(before);
    const huge = await findLearningRate(model, data, { loss: (p, t) => crossEntropy(p.mul(1e20), t), optimizer: sgd(model.parameters(), { learningRate: 1 }), from: 1e20, to: 1e30 }); // biome-ignore format: a sweep
    expect(huge.reason).toContain("begin with smaller ones");
  });

  it("refuses ranges that are none", async () => {
    const { data, model } = setting();
    const options = { loss: crossEntropy, optimizer: sgd(model.parameters(), { learningRate: 0.1 }) };
    await expect(findLearningRate(model, data, { ...options, from: 1, to: 0.1 })).rejects.toThrow("expected 0 < from < to");
    await expect(findLearningRate(model, data, { ...options, steps: 3 })).rejects.toThrow("at least 10 steps");
    await expect(findLearningRate(model, data, { ...options, smoothing: 1 })).rejects.toThrow("smoothing");
    await expect(findLearningRate(model, [] as never, options)).rejects.toThrow("findLearningRate: expected a data set");
    const { x } = data.fields;
    await expect(findLearningRate(model, new Dataset({ x }) as never, options)).rejects.toThrow(
      "expected samples with fields x and y, got x",
    );
  });
});

describe("judge", () => {
  const curve = (losses: readonly number[]): TriedRate[] => losses.map((loss, n) => ({ rate: 10 ** (n / 2 - 5), loss, smoothed: loss }));

  const sweep = (diverged: boolean, burnIn = 0) => ({ diverged, burnIn, smoothing: 0 });

  it("says why", () => {
    const found = judge(curve([2, 2, 1.98, 1.9, 1.6, 1.1, 0.8, 0.75, 1.4, 6]), sweep(true, 1));
    expect(found.range).toEqual({ low: 10 ** -3, high: 10 ** -1.5, best: 10 ** -2.5 });
    expect(found.reason).toMatchInlineSnapshot(
      `"the loss began to fall at 0.001, fell fastest at 0.0032 and was least, 0.75 after 2, at 0.032; it diverged at 0.32"`,
    );
    expect(judge(curve([2, 1.9, 1.5, 1]), sweep(false)).reason).toContain("it still fell at the largest rate tried");
  });

  it("makes nothing up", () => {
    const noise = Array.from({ length: 100 }, (_, n) => 1 + 0.3 * Math.sin(17.3 * n * n));
    const smooth: number[] = [];
    for (const loss of noise) smooth.push(0.9 * (smooth.at(-1) ?? loss) + 0.1 * loss);
    const tried = curve(noise).map((point, n) => ({ ...point, smoothed: smooth[n] as number }));
    expect(Math.min(...smooth)).toBeLessThan(0.93);
    expect(judge(tried, { diverged: false, burnIn: 10, smoothing: 0.9 })).toMatchObject({
      range: undefined,
      reason: expect.stringContaining("by more than chance"),
    });
    expect(judge(curve([2, 2, 2.1, 3]), sweep(false))).toMatchObject({
      range: undefined,
      reason: expect.stringContaining("the loss never fell"),
    });
    expect(judge(curve([Number.NaN, Number.NaN]), sweep(true))).toMatchObject({
      range: undefined,
      reason: expect.stringContaining("not a finite number"),
    });
  });
});
