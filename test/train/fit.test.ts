// The training loop: learns, repeats itself from a seed, goes on bit for bit, stops when told or when numbers fail.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compose, Dataset, digits, mixup, moons, randomCrop, tableDataset } from "../../src/data/index.ts";
import { crossEntropy, dropout, flatten, l2, linear, relu, sequential } from "../../src/nn/index.ts";
import { adam, adamW, averageWeights, combineOptimizers, cosineDecay, muon, parameterGroups, sgd, warmUp } from "../../src/optim/index.ts";
import { manualSeed, normal, zeros } from "../../src/tensor/index.ts";
import type { EpochReport, FitOptions, Model, TrainingState } from "../../src/train/index.ts";
import { accuracy, evaluate, fit, predict, TrainingError } from "../../src/train/index.ts";
import { RunFolder } from "../../src/train/node.ts";
import { packState, unpackState } from "../../src/train/state-file.ts";
import { InputError } from "../../src/util/errors.ts";

const data = tableDataset(moons({ count: 90, seed: 3 })) as Dataset<{ x: never; y: never }>;
const metrics = [accuracy()] as const;

function network() {
  manualSeed(5);
  return sequential({ first: linear(2, 8), relu, drop: dropout(0.2), last: linear(8, 2) });
}

function options(model: ReturnType<typeof network>, more: Partial<FitOptions<typeof metrics>> = {}): FitOptions<typeof metrics> {
  const optimizer = adam(model.namedParameters(), { learningRate: 0.02 });
  return { loss: crossEntropy, optimizer, metrics, epochs: 4, batchSize: 16, validation: 0.2, seed: 11, ...more };
}

const weights = (model: ReturnType<typeof network>): number[] => [...model.stateDict().values()].flatMap((value) => [...value.data]);
const numbers = (history: readonly EpochReport[]): unknown => history.map(({ seconds, ...rest }) => rest);

describe("fit", () => {
  it("learns the two moons", async () => {
    const model = sequential({ first: linear(2, 16), relu, last: linear(16, 2) });
    const optimizer = adam(model.parameters(), { learningRate: 0.05 });
    const { history, reason } = await fit(model, data, {
      loss: crossEntropy,
      optimizer,
      metrics,
      epochs: 40,
      batchSize: 18,
      validation: data,
      seed: 1,
    });
    expect(reason).toBe("finished");
    expect(history).toHaveLength(40);
    expect(history.at(-1)?.validation?.accuracy).toBeGreaterThan(0.95);
    expect((history.at(-1) as EpochReport).train.loss).toBeLessThan((history[0] as EpochReport).train.loss);
    const { scores, confusion, samples } = await evaluate(model, data, { loss: crossEntropy, metrics, confusion: true, batchSize: 7 });
    expect(samples).toBe(90);
    expect(confusion?.total).toBe(90);
    expect(confusion?.accuracy).toBe(scores.accuracy);
    expect(scores.accuracy).toBe(history.at(-1)?.validation?.accuracy);
    expect((await predict(model, data, { batchSize: 7 })).shape).toEqual([90, 2]);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "", [], "7", null])(
    "predict and evaluate refuse a batch size of %s",
    async (batchSize) => {
      const given = { batchSize } as never;
      await expect(predict(network(), data, given)).rejects.toThrow(/^predict: batchSize: expected a whole number of at least 1, got /);
      await expect(evaluate(network(), data, { loss: crossEntropy, ...(given as object) })).rejects.toThrow(InputError);
    },
  );

  it("gives the same numbers from the same seed, others from another", async () => {
    const runs = [];
    for (const seed of [11, 11, 12]) {
      const model = network();
      const { history } = await fit(model, data, options(model, { seed, epochs: 2 }));
      runs.push({ history: numbers(history), weights: weights(model) });
    }
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]?.weights).not.toEqual(runs[2]?.weights);
  });

  it("4 epochs are 2 epochs and 2 more, bit for bit", async () => {
    const whole = network();
    const expected = await fit(whole, data, options(whole));
    const first = network();
    const half = await fit(first, data, options(first, { epochs: 2 }));
    manualSeed(99);
    const second = sequential({ first: linear(2, 8), relu, drop: dropout(0.2), last: linear(8, 2) });
    const rest = await fit(second, data, options(second, { resume: half.state }));
    expect(weights(second)).toEqual(weights(whole));
    expect(numbers(rest.history)).toEqual(numbers(expected.history));
  });

  it("with a transform, 4 epochs are 2 epochs and 2 more, bit for bit, and validation data stay as they are", async () => {
    const { images, labels, classNames } = digits({ count: 60, seed: 4 });
    const samples = new Dataset({ x: images, y: labels }, { classNames });
    const transform = compose(randomCrop({ size: 28, padding: 2 }), mixup({ classes: 10 }));
    const start = () => {
      manualSeed(5);
      return sequential({ flat: flatten(), last: linear(784, 10) });
    };
    const run = (model: Model, more: Partial<FitOptions<typeof metrics>>) =>
      fit(model, samples, { ...optionsOf(model), batchSize: 13, validation: samples, ...more });
    const optionsOf = (model: Model) => ({ loss: crossEntropy, optimizer: adam(model.namedParameters()), metrics, epochs: 4, seed: 3 });
    const [whole, part, plain] = [start(), start(), start()];
    const expected = await run(whole, { transform });
    const half = await run(part, { transform, epochs: 2 });
    const rest = await run(part, { transform, resume: half.state });
    expect([...part.stateDict().values()].map(({ data }) => [...data])).toEqual(
      [...whole.stateDict().values()].map(({ data }) => [...data]),
    );
    expect(numbers(rest.history)).toEqual(numbers(expected.history));
    expect((await run(plain, {})).history[0]?.train.loss).not.toBe(expected.history[0]?.train.loss);
    const { scores } = await evaluate(whole, samples, { loss: crossEntropy, metrics });
    expect(scores.accuracy).toBe(expected.history.at(-1)?.validation?.accuracy);
  });

  it("stops in the middle of an epoch at a signal and goes on from there, bit for bit", async () => {
    const whole = network();
    const expected = await fit(whole, data, options(whole));
    const first = network();
    const abort = new AbortController();
    let steps = 0;
    const stopped = await fit(
      first,
      data,
      options(first, { signal: abort.signal, callbacks: [{ onBatchEnd: () => void (++steps === 8 && abort.abort()) }] }),
    );
    expect(stopped).toMatchObject({ reason: "aborted", epochs: 1, batches: 3 });
    expect(steps).toBe(8);
    const folder = await RunFolder.createNumbered(path, "run");
    await folder.saveCheckpoint(stopped.state);
    const second = network();
    const rest = await fit(second, data, options(second, { resume: (await folder.loadCheckpoint()) as TrainingState<"accuracy"> }));
    expect(weights(second)).toEqual(weights(whole));
    expect(numbers(rest.history)).toEqual(numbers(expected.history));
  });

  it("with schedule, clipping, parts and averages, 4 epochs are 2 epochs and 2 more from a file, bit for bit", async () => {
    const more = (model: ReturnType<typeof network>): Partial<FitOptions<typeof metrics>> => ({
      optimizer: (([matrices, others]) =>
        combineOptimizers(
          muon([matrices as NonNullable<typeof matrices>], { learningRate: 0.05 }),
          adamW([others as NonNullable<typeof others>], { learningRate: 0.01 }),
        ))(parameterGroups(model.namedParameters(), [{ match: (_, p) => p.rank === 2, weightDecay: 0 }])),
      schedule: warmUp(3, cosineDecay(0.05, { steps: 20 })),
      clip: { norm: 0.5, value: 0.2 },
      accumulate: 3,
      averages: averageWeights(model.namedParameters(), 0.8),
    });
    const whole = network();
    const expected = await fit(whole, data, options(whole, more(whole)));
    const first = network();
    const half = await fit(first, data, options(first, { ...more(first), epochs: 2 }));
    const { tensors, text } = packState(half.state);
    const stored = new Map(
      [...tensors].map(([name, { shape, data: held }]) => [name, { shape, data: held as Float32Array, dtype: "F32" }]),
    );
    const second = network();
    const resume = unpackState(stored, text, "a file") as TrainingState<"accuracy">;
    const rest = await fit(second, data, options(second, { ...more(second), resume }));
    expect(numbers(rest.history)).toEqual(numbers(expected.history));
    expect(weights(second)).toEqual(weights(whole));
    const [a, b] = [rest.state.averages, expected.state.averages];
    expect(a?.updates).toBe(b?.updates);
    expect([...(a?.tensors ?? [])].map(([, value]) => [...value.data])).toEqual(
      [...(b?.tensors ?? [])].map(([, value]) => [...value.data]),
    );
    expect(rest.state.optimizer.groups.map(({ learningRate }) => learningRate / (rest.history.at(-1)?.learningRate as number))).toEqual([
      1,
      expect.closeTo(0.2, 12),
    ]);
    const third = network();
    const { averages: _without, ...lost } = resume;
    await expect(fit(third, data, options(third, { ...more(third), resume: lost }))).rejects.toThrow("has no averages of weights");
    expect(rest.history.at(-1)?.learningRate).toBeCloseTo(cosineDecay(0.05, { steps: 20 })(19 - 3), 7);
  });

  it("takes a batch in parts that add up to the same step, whether they are even or not", async () => {
    for (const compile of [true, false]) {
      const results = [];
      for (const accumulate of [1, 2, 5]) {
        manualSeed(5);
        const model = sequential(linear(2, 8), relu, linear(8, 2));
        const optimizer = sgd(model.parameters(), { learningRate: 0.1 });
        const { history } = await fit(model, data, {
          loss: crossEntropy,
          optimizer,
          metrics,
          epochs: 2,
          batchSize: 16,
          seed: 1,
          accumulate,
          compile,
        });
        results.push([...weights(model), ...history.map(({ train }) => train.accuracy)]);
      }
      const [all, ...parts] = results as [number[], ...number[][]];
      for (const part of parts) expect(part).toEqual(all.map((value) => expect.closeTo(value, 4)));
    }
  });

  it("differentiates a penalty and does not report it, in parts too", async () => {
    const run = async (more: Partial<FitOptions>): Promise<{ weights: number[]; loss: number }> => {
      manualSeed(5);
      const model = sequential(linear(2, 4), relu, linear(4, 2));
      const optimizer = sgd(model.parameters(), { learningRate: 0.1 });
      const { history } = await fit(model, data, {
        ...{ loss: crossEntropy, optimizer, epochs: 1, batchSize: 90, shuffle: false, seed: 1 },
        ...more,
        ...(more.penalty === undefined ? {} : { penalty: () => l2(model, 0.5) }),
      });
      return { weights: [...model.stateDict().values()].flatMap((value) => [...value.data]), loss: history[0]?.train.loss as number };
    };
    const [plain, penalized, inParts] = [
      await run({}),
      await run({ penalty: () => zeros([]) }),
      await run({ penalty: () => zeros([]), accumulate: 4 }),
    ];
    expect(penalized.loss).toBe(plain.loss);
    manualSeed(5);
    const start = [...sequential(linear(2, 4), relu, linear(4, 2)).stateDict()].flatMap(([name, value]) =>
      [...value.data].map((number) => (name.endsWith("weight") ? number : 0)),
    );
    // The gradient of 0.5 · Σw² is w: each weight moves by a tenth of itself more.
    expect(penalized.weights).toEqual(plain.weights.map((value, n) => expect.closeTo(value - 0.1 * (start[n] as number), 5)));
    expect(inParts.weights).toEqual(penalized.weights.map((value) => expect.closeTo(value, 5)));
  });

  it("measures averages on the validation data and leaves the weights", async () => {
    const model = network();
    const averages = averageWeights(model.namedParameters(), 0.5);
    const { history } = await fit(model, data, options(model, { epochs: 1, averages, validation: data }));
    const after = weights(model);
    averages.swap();
    const { scores } = await evaluate(model, data, { loss: crossEntropy, metrics });
    expect(history[0]?.validation?.loss).toBeCloseTo(scores.loss, 6);
    averages.swap();
    expect(weights(model)).toEqual(after);
  });

  it("stops early and puts the best weights back", async () => {
    const model = network();
    const seen: number[][] = [];
    const result = await fit(
      model,
      data,
      options(model, {
        epochs: 50,
        optimizer: adam(model.parameters(), { learningRate: 2 }),
        earlyStopping: { patience: 3, monitor: "accuracy" },
        callbacks: [{ onEpochEnd: () => void seen.push(weights(model)) }],
      }),
    );
    expect(result.reason).toBe("no improvement");
    expect(result.epochs).toBe((result.best?.epoch as number) + 3);
    expect(result.restoredBest).toBe(true);
    expect(weights(model)).toEqual(seen[(result.best?.epoch as number) - 1]);
    const best = Math.max(...result.history.map(({ validation }) => validation?.accuracy as number));
    expect(result.best).toMatchObject({ monitor: "validation accuracy", value: best });
  });

  it("stops with place and advice when the loss is no number, and keeps the weights of the step before", async () => {
    const model = sequential({ first: linear(2, 4), last: linear(4, 2) });
    let last = weights(model as never);
    const run = fit(model, data, {
      loss: (prediction, target) => crossEntropy(prediction, target).mul(1e30),
      optimizer: sgd(model.parameters(), { learningRate: 1e20 }),
      epochs: 3,
      batchSize: 30,
      callbacks: [{ onBatchEnd: () => void (last = weights(model as never)) }],
    });
    const error = await run.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TrainingError);
    expect((error as Error).message).toMatch(/expected a finite loss, got (NaN|Infinity) in epoch 1, batch 2[\s\S]*learning rate/);
    expect((error as TrainingError).place).toMatchObject({ epoch: 1, batch: 2 });
    expect(weights(model as never)).toEqual(last);
  });

  it("stops at a gradient to clip that is not finite, compiled or not, with the weights of before", async () => {
    for (const compile of [true, false]) {
      const model = sequential(linear(2, 2));
      const before = [...model.stateDict().values()].map((value) => [...value.data]);
      const error = await fit(model, data, {
        // √0 adds nothing to the loss, but its slope is infinite.
        loss: (prediction, target) => crossEntropy(prediction, target).add(prediction.mul(0).sqrt().sum()),
        ...{ optimizer: sgd(model.parameters(), { learningRate: 0.1 }), epochs: 1, clip: { norm: 1 }, compile },
      }).catch((reason: unknown) => reason);
      expect((error as Error).message).toMatch(/expected a finite norm of the gradient, got (NaN|Infinity) in epoch 1, batch 1/);
      expect([...model.stateDict().values()].map((value) => [...value.data])).toEqual(before);
    }
  });

  it("keeps the averages of the best epoch where averages were measured", async () => {
    for (const patience of [1, 50]) {
      const model = network();
      const averages = averageWeights(model.namedParameters(), 0.9);
      const result = await fit(
        model,
        data,
        options(model, {
          epochs: 6,
          averages,
          validation: data,
          earlyStopping: { patience },
          optimizer: adam(model.parameters(), { learningRate: 0.02 }),
        }),
      );
      expect(result.restoredBest).toBe(true);
      const { scores } = await evaluate(model, data, { loss: crossEntropy, metrics });
      expect(scores.loss).toBeCloseTo(result.best?.value as number, 6);
    }
  });

  it("lets timers run and reports sums over uneven batches", async () => {
    const model = network();
    let ticks = 0;
    const timer = setInterval(() => void ticks++, 1);
    const counts: number[] = [];
    await fit(
      model,
      data,
      options(model, {
        epochs: 60,
        validation: data,
        batchSize: 50,
        callbacks: [{ onBatchEnd: ({ samples }) => void counts.push(samples) }],
      }),
    );
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
    expect(counts.slice(0, 2)).toEqual([50, 40]);
  });

  it("sets the learning rate of each epoch and stops when a callback asks", async () => {
    const model = network();
    const result = await fit(
      model,
      data,
      options(model, {
        learningRate: (epoch) => 0.1 / epoch,
        callbacks: [{ onEpochEnd: ({ epoch }, training) => (epoch === 2 ? training.stop("enough") : undefined) }],
      }),
    );
    expect(result).toMatchObject({ reason: "stopped", message: "enough", epochs: 2 });
    expect(result.history.map(({ learningRate }) => learningRate)).toEqual([0.1, 0.05]);
  });

  it.each<[Partial<FitOptions<typeof metrics>>, RegExp]>([
    [{ epochs: 0 }, /epochs to be a whole number of at least 1, got 0/],
    [{ batchSize: 2.5 }, /batchSize/],
    [{ metrics: [accuracy] as never }, /metrics\[0\] is a function[\s\S]*accuracy\(\)/],
    [{ validation: 1.5 }, /fraction between 0 and 1, got 1.5/],
    [{ earlyStopping: { patience: 2, monitor: "acuracy" as never } }, /"acuracy"[\s\S]*"accuracy"/],
    [{ learningRate: () => Number.NaN }, /learning rate of at least 0, got NaN/],
    [{ schedule: () => -1 }, /learning rate of at least 0, got -1/],
    [{ schedule: () => 1, learningRate: () => 1 }, /schedule and learningRate both set the learning rate/],
    [{ accumulate: 0 }, /accumulate to be a whole number of at least 1, got 0/],
    [{ clip: { norm: -1 } }, /the norm must be positive, got -1/],
    [{ epoch: 3 } as never, /unknown option "epoch"[\s\S]*epochs/],
    [{ precision: "float8" as never }, /precision to be float32 or bfloat16, got "float8"/],
  ])("refuses %o", async (wrong, message) => {
    const model = network();
    await expect(fit(model, data, options(model, wrong))).rejects.toThrow(message);
  });

  it("refuses samples that are no data set", async () => {
    const model = network();
    const samples = { x: [[1, 2]], y: [0] } as unknown as typeof data;
    await expect(fit(model, samples, options(model))).rejects.toThrow(/expected a data set[\s\S]*new Dataset/);
  });
});

let path = "";
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "kasane-run-"));
});
afterEach(() => rm(path, { recursive: true }));

describe("run folders", () => {
  it("never take the place of one another", async () => {
    const made = await Promise.all([1, 2, 3].map(() => RunFolder.createNumbered(path, "digits")));
    expect(made.map((folder) => folder.path).sort()).toEqual([1, 2, 3].map((n) => join(path, `digits-${n}`)));
    await made[0]?.writeConfig({ a: 1 });
    await expect(RunFolder.create(made[0]?.path as string)).rejects.toThrow(/already holds a run[\s\S]*--resume[\s\S]*--force/);
    expect(await made[0]?.readConfig()).toEqual({ a: 1 });
    const replaced = await RunFolder.create(made[0]?.path as string, { replace: true });
    expect(await replaced.has("config")).toBe(false);
    await writeFile(join(path, "note.txt"), "mine");
    await expect(RunFolder.create(path)).rejects.toThrow(/not empty/);
    await expect(RunFolder.open(path)).rejects.toThrow(/not a run/);
    await expect(RunFolder.create(join(path, "note.txt"))).rejects.toThrow(/a file of that name|a folder was expected/);
  });

  it("belong to one process at a time, as long as it lives", async () => {
    const folder = await RunFolder.create(join(path, "run"));
    const claim = join(folder.path, "training.pid");
    const owner = async (): Promise<string | undefined> => (await readFile(claim, "utf8")).split("\n")[0];
    expect(await owner()).toBe(String(process.pid));
    await folder.claim();
    // The process that runs this one is another, and alive.
    await writeFile(claim, String(process.ppid));
    await expect(folder.claim()).rejects.toThrow(`process ${process.ppid} is training into`);
    await expect(RunFolder.create(folder.path, { replace: true })).rejects.toThrow(/is training into[\s\S]*another folder/);
    await writeFile(claim, "999999999");
    await folder.claim();
    expect(await owner()).toBe(String(process.pid));
    await folder.release();
    await expect(readFile(claim)).rejects.toThrow(/ENOENT/);
  });

  it("say how to go on where a training was interrupted before its weights were saved", async () => {
    const folder = await RunFolder.create(join(path, "run"));
    await expect(folder.loadModel()).rejects.toThrow(/has no weights yet[\s\S]*at least one epoch/);
    await writeFile(join(folder.path, "checkpoint.safetensors"), "");
    await expect(folder.loadModel()).rejects.toThrow(/no final weights yet[\s\S]*train --resume/);
  });

  it("keep weights, metrics and states, and refuse damaged ones", async () => {
    const folder = await RunFolder.create(join(path, "deep", "run"));
    manualSeed(1);
    const state: TrainingState = {
      model: new Map([["w", normal([2, 2])]]),
      optimizer: { kind: "adam", groups: [{ learningRate: 0.1 }], steps: { w: 3 }, tensors: new Map([["w.firstMoment", normal([2, 2])]]) },
      random: { seed: 1, stream: 2 },
      seed: 1,
      epochs: 1,
      batches: 0,
      sums: [],
      epochSeconds: 0,
      history: [{ epoch: 1, learningRate: 0.1, seconds: 1, train: { loss: Number.NaN } }],
    };
    await folder.saveCheckpoint(state);
    const loaded = await folder.loadCheckpoint();
    expect(loaded.history).toEqual(state.history);
    expect([...(loaded.model.get("w")?.data ?? [])]).toEqual([...(state.model.get("w")?.data ?? [])]);
    expect(loaded.optimizer.steps).toEqual({ w: 3 });
    expect([...loaded.optimizer.tensors.keys()]).toEqual(["w.firstMoment"]);
    await folder.writeMetrics(state.history);
    await folder.appendMetrics({ epoch: 2, learningRate: 0.1, seconds: 1, train: { loss: 0.5 } });
    await writeFile(join(folder.path, "metrics.jsonl"), `${await readFile(join(folder.path, "metrics.jsonl"), "utf8")}{"epoch": 3, "le`);
    expect((await folder.readMetrics()).map(({ epoch }) => epoch)).toEqual([1, 2]);
    await folder.saveModel(state.model, { model: "mlp" });
    expect((await folder.loadModel()).architecture).toEqual({ model: "mlp" });
    const bytes = await readFile(join(folder.path, "checkpoint.safetensors"));
    await writeFile(join(folder.path, "checkpoint.safetensors"), bytes.subarray(0, bytes.length - 5));
    await expect(folder.loadCheckpoint()).rejects.toThrow(/cut short/);
    await folder.saveModel(state.model, {});
    await writeFile(join(folder.path, "checkpoint.safetensors"), await readFile(join(folder.path, "model.safetensors")));
    await expect(folder.loadCheckpoint()).rejects.toThrow(/not a checkpoint/);
  });
});
