// Training and evaluation mode: whoever changes it for a time gives it back; what the user chose or froze stays, whatever trains around it.

import { describe, expect, it } from "vitest";
import { Dataset, ndArray } from "../../src/data/index.ts";
import { examine, findLearningRate, record } from "../../src/inspect/index.ts";
import { batchNorm, crossEntropy, dropout, type Layer, lazy, linear, relu, sequential, summary } from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { manualSeed, type Tensor, tensor } from "../../src/tensor/index.ts";
import { type Callback, evaluate, type FitOptions, fit, predict, type Samples } from "../../src/train/index.ts";

const rows = 24;
const data = new Dataset({
  x: ndArray(
    Float32Array.from({ length: 4 * rows }, (_, n) => Math.sin(n) + (n % 3)),
    [rows, 4],
  ),
  y: ndArray(
    Int32Array.from({ length: rows }, (_, n) => n % 2),
    [rows],
  ),
}) as unknown as Dataset<Samples>;

function network() {
  manualSeed(3);
  const backbone = sequential(linear(4, 8), batchNorm(8), relu, dropout(0.5));
  const net = sequential({ backbone, head: sequential(batchNorm(8), linear(8, 2)) });
  return { net, backbone, head: net.children.get("head") as Layer };
}

const options = (net: Layer, more: Partial<FitOptions> = {}): FitOptions => ({
  ...{ loss: crossEntropy, optimizer: adam(net.parameters(), { learningRate: 0.01 }), epochs: 2, batchSize: 8, seed: 1, ...more },
});
const modes = (net: Layer): boolean[] => [...net.namedLayers().values()].map(({ training }) => training);
const numbers = (tensors: Iterable<Tensor>): number[] => [...tensors].flatMap((value) => [...value.data]);
const state = (net: Layer): number[] => numbers(net.stateDict().values());

/** Everything that looks at a model in a mode of its own. */
const helpers: Record<string, (net: Layer) => unknown> = {
  predict: (net) => predict(net, data),
  evaluate: (net) => evaluate(net, data, { loss: crossEntropy }),
  findLearningRate: (net) =>
    findLearningRate(net, data, { loss: crossEntropy, optimizer: sgd(net.parameters(), { learningRate: 0.1 }), steps: 10, batchSize: 8 }),
  summary: (net) => summary(net, [2, 4]),
  record: (net) =>
    record(
      () =>
        net(
          tensor([
            [1, 2, 3, 4],
            [2, 3, 4, 5],
          ]),
        ),
      net,
    ),
};

describe("modes", () => {
  it.each(Object.entries(helpers))("%s gives back the mode of every layer", async (_name, help) => {
    const chosen: ((net: ReturnType<typeof network>) => void)[] = [
      () => {},
      ({ net }) => net.eval(),
      ({ backbone }) => backbone.eval(),
      ({ backbone }) => backbone.freeze(),
      ({ net, head }) => {
        net.eval();
        head.train();
      },
    ];
    for (const choose of chosen) {
      const made = network();
      choose(made);
      const before = modes(made.net);
      await help(made.net);
      expect(modes(made.net)).toEqual(before);
    }
  });

  it.each(Object.entries(helpers))("%s in a callback, awaited or not, changes nothing of the training", async (name, help) => {
    const trained = async (callback: Callback, compile: boolean): Promise<number[]> => {
      const { net } = network();
      await fit(net, data, options(net, { callbacks: [callback], compile }));
      return state(net);
    };
    // It moves the running statistics and draws for the dropout, as any call does.
    if (name === "record") return;
    for (const compile of [true, false]) {
      const alone = await trained({}, compile);
      for (const hook of ["onEpochBegin", "onBatchEnd", "onEpochEnd"] as const)
        expect(await trained({ [hook]: async (_: never, { model }: { model: Layer }) => void (await help(model)) }, compile)).toEqual(
          alone,
        );
      const waiting: unknown[] = [];
      if (name === "findLearningRate") continue;
      expect(await trained({ onBatchEnd: (_, { model }) => void waiting.push(help(model)) }, compile)).toEqual(alone);
      await Promise.all(waiting);
    }
  });

  it("a model that is in evaluation mode as a whole trains all the same, also where a callback puts it there", async () => {
    const trained = async (prepare: (net: Layer) => void, callback: Callback): Promise<number[]> => {
      const { net } = network();
      prepare(net);
      await fit(net, data, options(net, { callbacks: [callback] }));
      expect(modes(net).every((mode) => !mode)).toBe(true);
      return state(net);
    };
    const alone = await trained(() => {}, {});
    expect(await trained((net) => net.eval(), {})).toEqual(alone);
    expect(await trained(() => {}, { onBatchEnd: (_, { model }) => void model.eval() })).toEqual(alone);
  });

  it.each(["eval", "freeze"] as const)("a layer put aside with %s() stays so, before the training and within", async (how) => {
    for (const compile of [true, false]) {
      const { net, backbone } = network();
      backbone[how]();
      const buffers = numbers(backbone.namedBuffers().values());
      const weights = numbers(backbone.parameters());
      await fit(net, data, options(net, { compile }));
      // The second finds the modes of before, not those the first ended in.
      await fit(net, data, options(net, { compile }));
      expect(numbers(backbone.namedBuffers().values())).toEqual(buffers);
      expect(numbers(backbone.parameters())).toEqual(how === "freeze" ? weights : expect.not.arrayContaining(weights));
      expect(numbers((net.children.get("head") as Layer).namedBuffers().values()).slice(0, 8)).not.toEqual(Array(8).fill(0));
      const later = network();
      let found: number[] = [];
      await fit(later.net, data, {
        ...options(later.net, { compile, epochs: 3 }),
        callbacks: [
          {
            onEpochBegin(epoch) {
              if (epoch !== 2) return;
              later.backbone[how]();
              found = numbers(later.backbone.namedBuffers().values());
            },
          },
        ],
      });
      expect(numbers(later.backbone.namedBuffers().values())).toEqual(found);
    }
  });

  it("examine leaves what is frozen", async () => {
    const { net, backbone } = network();
    backbone.freeze();
    const before = state(backbone as unknown as Layer);
    await examine(net, data, options(net));
    expect(state(backbone as unknown as Layer)).toEqual(before);
  });
});

describe("freeze", () => {
  it("stops gradients, updates, running statistics and dropout, survives train(), and ends with unfreeze()", () => {
    const { net, backbone } = network();
    const x = tensor([
      [1, 2, 3, 4],
      [2, 1, 0, -1],
      [0, 1, 1, 0],
    ]);
    backbone.freeze();
    net.train();
    expect([backbone.frozen, backbone.training, net.frozen, net.training]).toEqual([true, false, false, true]);
    expect(backbone.parameters().some(({ requiresGrad }) => requiresGrad)).toBe(false);
    const before = state(backbone as unknown as Layer);
    const optimizer = adam(net.parameters(), { learningRate: 0.1, weightDecay: 0.1 });
    crossEntropy(net(x), tensor([0, 1, 0], { dtype: "int32" })).backward();
    optimizer.step();
    expect(state(backbone as unknown as Layer)).toEqual(before);
    expect(backbone(x).toArray()).toEqual(backbone(x).toArray());
    backbone.unfreeze();
    expect([backbone.frozen, backbone.training]).toEqual([false, true]);
    net.eval();
    expect(backbone.training).toBe(false);
    expect(backbone.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
  });

  it("of a part of what is frozen can be ended alone, and leaves weights that never trained", () => {
    const { net, backbone, head } = network();
    backbone.requiresGrad(false);
    net.freeze();
    net.freeze();
    head.unfreeze();
    expect([head.training, backbone.training]).toEqual([true, false]);
    expect(head.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
    net.unfreeze();
    expect(backbone.parameters().some(({ requiresGrad }) => requiresGrad)).toBe(false);
  });

  it("of shared weights ends where all that froze them ended it", () => {
    const shared = linear(2, 2);
    const net = sequential(sequential(shared), sequential(shared));
    net.freeze();
    net.unfreeze();
    expect(shared.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
  });

  it("needs sizes: a layer that the first input decides says so, and nothing is frozen", () => {
    const net = sequential(
      linear(2, 2),
      lazy(([, features = 0]) => linear(features, 2)),
    );
    expect(() => net.freeze()).toThrow("before its first input");
    expect(net.frozen).toBe(false);
    expect(net.children.get("0")?.frozen).toBe(false);
  });

  it("makes transfer learning what a training of the head on the features is", async () => {
    const { net, backbone } = network();
    backbone.freeze();
    const features = await predict(backbone as unknown as Layer, data);
    await fit(net, data, options(net, { shuffle: false }));
    const other = network();
    const alone = other.head;
    const onFeatures = new Dataset({ x: ndArray(features.data as Float32Array, features.shape), y: data.fields.y });
    await fit(alone, onFeatures as unknown as Dataset<Samples>, options(alone, { shuffle: false }));
    const found = numbers((net.children.get("head") as Layer).parameters());
    numbers(alone.parameters()).forEach((value, n) => expect(found[n]).toBeCloseTo(value, 5));
  });
});
