// Any split of a batch into parts gives the loss and the step of the whole batch, for every loss there is: accumulated, evaluated, eager and compiled.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dataset, ndArray } from "../../src/data/index.ts";
import { l2, linear, relu, sequential, weightedMean } from "../../src/nn/index.ts";
import * as classLosses from "../../src/nn/losses/cross-entropy.ts";
import * as ctc from "../../src/nn/losses/ctc.ts";
import * as likelihoods from "../../src/nn/losses/likelihood-losses.ts";
import * as pairLosses from "../../src/nn/losses/losses.ts";
import * as margins from "../../src/nn/losses/margin-losses.ts";
import { sgd } from "../../src/optim/index.ts";
import { compile as compileFunction, logSoftmax, manualSeed, softplus, type Tensor, tensor, zeros } from "../../src/tensor/index.ts";
import { evaluate, fit, type Loss, type Model } from "../../src/train/index.ts";
import { compileStep, eagerStep, type StepOptions, type StepResult } from "../../src/train/step.ts";

type Random = () => number;

/** A loss of six outputs per sample, with options, and what one sample's target holds. */
interface Row {
  readonly name: string;
  readonly loss: Loss;
  readonly target: (random: Random) => readonly number[];
  readonly dtype: "int32" | "float32";
}

const numbers = (random: Random, count: number): number[] => Array.from({ length: count }, () => 2 * random() - 1);
const classOf = (random: Random): number[] => [Math.floor(random() * 4) - 1];
const vector = (target: Tensor): Tensor => target.reshape([target.shape[0] as number]);
const left = (x: Tensor): Tensor => x.slice(null, [0, 3]);
const right = (x: Tensor): Tensor => x.slice(null, [3, 6]);
const positive = (random: Random): number[] => [Math.floor(random() * 3)];
const weights = tensor([0.5, 2, 0, 1, 3, 0.25]);
const reductions = ["mean", "sum"] as const;

function rows(): Row[] {
  const float = (name: string, loss: Loss, target: Row["target"] = (random) => numbers(random, 6)): Row => ({
    name,
    loss,
    target,
    dtype: "float32",
  });
  const labels = (name: string, loss: Loss, target: Row["target"] = classOf): Row => ({ name, loss, target, dtype: "int32" });
  const shares = (random: Random): number[] => Array.from({ length: 6 }, random);
  const signs = (random: Random): number[] => Array.from({ length: 6 }, () => (random() < 0.5 ? -1 : 1));
  const oneSign = (random: Random): number[] => [random() < 0.5 ? -1 : 1];
  return reductions.flatMap((reduction) => {
    const by = { reduction };
    const ignoring = { ignoreIndex: -1, ...by };
    return [
      float("meanSquaredError", (x, t) => pairLosses.meanSquaredError(x, t, by)),
      float("absoluteError", (x, t) => pairLosses.absoluteError(x, t, by)),
      float("huber", (x, t) => pairLosses.huber(x, t, { delta: 0.7, ...by })),
      float("smoothL1", (x, t) => pairLosses.smoothL1(x, t, { beta: 0.5, ...by })),
      float("binaryCrossEntropy", (x, t) => pairLosses.binaryCrossEntropy(x.sigmoid(), t, by), shares),
      float("binaryCrossEntropyLogits", (x, t) => pairLosses.binaryCrossEntropyLogits(x, t, { positiveWeight: 3, ...by }), shares),
      labels("crossEntropy", (x, t) => classLosses.crossEntropy(x, vector(t), by), positive),
      labels("crossEntropy, ignoring", (x, t) => classLosses.crossEntropy(x, vector(t), ignoring)),
      labels("crossEntropy, weighing and ignoring", (x, t) =>
        classLosses.crossEntropy(x, vector(t), { weights, labelSmoothing: 0.2, ...ignoring }),
      ),
      float(
        "crossEntropy of probabilities",
        (x, t) => classLosses.crossEntropy(x, t, { weights, ...by }),
        (random) => {
          const all = shares(random);
          return all.map((share) => share / all.reduce((a, b) => a + b));
        },
      ),
      labels("negativeLogLikelihood", (x, t) => classLosses.negativeLogLikelihood(logSoftmax(x), vector(t), { weights, ...ignoring })),
      float("focalLoss", (x, t) => classLosses.focalLoss(x, t, by), shares),
      float("klDivergence", (x, t) =>
        likelihoods.klDivergence(logSoftmax(x), t.softmax(1), { reduction: reduction === "mean" ? "batchMean" : "sum" }),
      ),
      float("poissonNegativeLogLikelihood", (x, t) => likelihoods.poissonNegativeLogLikelihood(x, t, by), shares),
      float("gaussianNegativeLogLikelihood", (x, t) => likelihoods.gaussianNegativeLogLikelihood(left(x), left(t), softplus(right(x)), by)),
      float("hingeLoss", (x, t) => margins.hingeLoss(x, t, by), signs),
      labels("multiClassHingeLoss", (x, t) => margins.multiClassHingeLoss(x, vector(t), by), positive),
      float("cosineEmbeddingLoss", (x, t) => margins.cosineEmbeddingLoss(left(x), right(x), vector(t), by), oneSign),
      float("tripletLoss", (x, t) => margins.tripletLoss(left(x), right(x), left(t), by)),
      float(
        "contrastiveLoss",
        (x, t) => margins.contrastiveLoss(left(x), right(x), vector(t), by),
        (random) => [Math.round(random())],
      ),
      labels(
        "ctcLoss",
        (x, t) =>
          ctc.ctcLoss(
            logSoftmax(x.reshape([-1, 2, 3])),
            t.slice(null, [2, 4]),
            { time: vector(t.slice(null, [0, 1])), labels: vector(t.slice(null, [1, 2])) },
            by,
          ),
        (random) => [2, Math.floor(random() * 2), 1 + Math.floor(random() * 2), 1 + Math.floor(random() * 2)],
      ),
      labels("a sum of means, each times a number", (x, t) =>
        classLosses
          .crossEntropy(left(x), vector(t), { ignoreIndex: -1 })
          .mul(0.7)
          .add(classLosses.negativeLogLikelihood(logSoftmax(x), vector(t), { weights, ignoreIndex: -1 }).div(3))
          .sub(x.square().mean().mul(0.1)),
      ),
      labels("a mean of one's own", (x, t) => weightedMean(x.square().sum(1), vector(t).greater(0))),
      labels("a plain function", (x, t) => x.sub(t).square().mean()),
    ].map((row) => ({ ...row, name: `${row.name}, ${reduction}` }));
  });
}

function network(): Model {
  manualSeed(1);
  return sequential(linear(3, 4), relu, linear(4, 6)) as unknown as Model;
}

function batch({ target, dtype }: Row, count: number, seed: number): { x: Tensor; y: Tensor } {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const x = Array.from({ length: count }, () => numbers(random, 3));
  const y = Array.from({ length: count }, () => [...target(random)]);
  return { x: tensor(x), y: tensor(y, { dtype }) };
}

/** The loss and the weights after one step. */
function step(row: Row, data: { x: Tensor; y: Tensor }, more: Partial<StepOptions>, isCompiled: boolean): number[] {
  const model = network();
  const optimizer = sgd(model.parameters(), { learningRate: 0.05 });
  const options: StepOptions = { loss: row.loss, optimizer, penalty: () => l2(model, 0.01), ...more };
  const { loss } = isCompiled ? compileStep(model, options)(data.x, data.y) : (eagerStep(model, options, data.x, data.y) as StepResult);
  return [loss.item(), ...model.parameters().flatMap((weight) => [...weight.data])];
}

function expectNear(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  found.forEach((value, n) => {
    const wanted = expected[n] as number;
    expect(Math.abs(value - wanted), `${n}: ${value} for ${wanted}`).toBeLessThan(2e-5 * Math.max(1, Math.abs(wanted)));
  });
}

describe("any split of a batch is the batch", () => {
  it("knows every loss there is", () => {
    const all = [pairLosses, classLosses, likelihoods, margins, ctc].flatMap((file) => Object.keys(file));
    const known = rows().map(({ name }) => name.split(",")[0]);
    expect(all.filter((name) => name !== "cosineSimilarity" && !known.includes(name))).toEqual([]);
  });

  it.each(rows().map((row) => [row.name, row] as const))("%s", async (_name, row) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 2, max: 9 }), fc.nat(), (count, accumulate, seed) => {
        const data = batch(row, count, seed);
        expectNear(step(row, data, { accumulate }, false), step(row, data, {}, false));
      }),
      { numRuns: 8 },
    );
    const data = batch(row, 7, 5);
    expectNear(step(row, data, { accumulate: 3, clip: { norm: 1 } }, true), step(row, data, { clip: { norm: 1 } }, false));
    const model = network();
    const all = new Dataset({ x: ndArray(data.x.data as Float32Array, [7, 3]), y: ndArray(data.y.data, data.y.shape) } as never);
    const expected = row.loss(model(data.x), data.y).item();
    for (const batchSize of [1, 2, 3, 5, 7]) {
      const { scores } = await evaluate(model, all as never, { loss: row.loss, batchSize });
      expectNear([scores.loss], [expected]);
    }
  });
});

describe("samples that do not count", () => {
  const ignoring: Loss = (x, target) => classLosses.crossEntropy(x, target, { ignoreIndex: -1 });
  const labels = [-1, -1, 0, 1, -1, -1, 2, -1];
  const samples = (y: readonly number[]) =>
    new Dataset({
      x: ndArray(
        Float32Array.from({ length: 3 * y.length }, (_, n) => Math.sin(n)),
        [y.length, 3],
      ),
      y: ndArray(Int32Array.from(y), [y.length]),
    }) as unknown as Parameters<typeof fit>[1];

  it.each([true, false])("change nothing, as a part or as a whole batch, compiled: %s", async (compile) => {
    const trained = async (y: readonly number[], batchSize: number, accumulate: number): Promise<number[]> => {
      const model = network();
      const optimizer = sgd(model.parameters(), { learningRate: 0.1, momentum: 0.9 });
      const { history } = await fit(model, samples(y), {
        ...{ loss: ignoring, optimizer, batchSize, accumulate, compile, shuffle: false, epochs: 2, clip: { norm: 1 } },
      });
      return [...history.map(({ train }) => train.loss), ...model.parameters().flatMap((weight) => [...weight.data])];
    };
    const whole = await trained(labels, 8, 1);
    expect(whole.every(Number.isFinite)).toBe(true);
    expectNear(await trained(labels, 8, 4), whole);
    // Momentum would move the weights in a step of nothing.
    expectNear(await trained([...labels, -1, -1, -1, -1, -1, -1, -1, -1], 8, 2), whole);
  });

  const beside: Readonly<Record<string, (mean: Tensor, x: Tensor) => Tensor>> = {
    "a mean of all samples": (mean, x) => mean.add(x.square().mean().mul(0.1)),
    "a number": (mean) => mean.mul(2).add(1),
    "another such mean": (mean, x) => mean.add(weightedMean(x.square().sum(1), zeros([x.shape[0] as number]))),
  };
  it.each(Object.keys(beside).flatMap((name) => [true, false].map((compile) => [name, compile] as const)))(
    "beside %s: a batch of them goes on with the rest (compiled: %s)",
    async (name, compile) => {
      const model = network();
      const optimizer = sgd(model.parameters(), { learningRate: 0.1 });
      const loss: Loss = (x, target) => (beside[name] as (mean: Tensor, x: Tensor) => Tensor)(ignoring(x, target), x);
      const before = model.parameters().flatMap((weight) => [...weight.data]);
      const { history } = await fit(model, samples([-1, -1, 0, 1]), {
        ...{ loss, optimizer, batchSize: 2, compile, shuffle: false, epochs: 1, clip: { norm: 1 } },
      });
      const after = model.parameters().flatMap((weight) => [...weight.data]);
      expect(after.every(Number.isFinite)).toBe(true);
      expect(after).not.toEqual(before);
      expect(Number.isFinite(history[0]?.train.loss) || name === "another such mean").toBe(true);
    },
  );

  it("do not count with a compiled loss, either", async () => {
    const model = network();
    const compiled = compileFunction(ignoring);
    for (const batchSize of [1, 3, 8]) {
      const { scores } = await evaluate(model, samples(labels), { loss: compiled, batchSize });
      const { scores: plain } = await evaluate(model, samples(labels), { loss: ignoring, batchSize: 8 });
      expectNear([scores.loss], [plain.loss]);
    }
    for (const compile of [true, false]) {
      const trained = async (loss: Loss, accumulate: number): Promise<number[]> => {
        const own = network();
        const optimizer = sgd(own.parameters(), { learningRate: 0.1 });
        await fit(own, samples(labels), { loss, optimizer, batchSize: 8, accumulate, compile, shuffle: false, epochs: 2 });
        return own.parameters().flatMap((weight) => [...weight.data]);
      };
      expectNear(await trained(compiled, 4), await trained(ignoring, 1));
    }
  });

  it("are all there is: the mean of nothing", async () => {
    const { scores } = await evaluate(network(), samples([-1, -1]), { loss: ignoring });
    expect(scores.loss).toBeNaN();
  });
});
