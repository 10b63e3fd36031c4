// The trial of learning rates in examine trains as fit does, and leaves nothing behind.

import { expect, it } from "vitest";
import { Dataset } from "../../src/data/index.ts";
import { tensor } from "../../src/index.ts";
import { rateTrial } from "../../src/inspect/diagnose/trials.ts";
import { crossEntropy, dropout, linear, sequential } from "../../src/nn/index.ts";
import { averageWeights, sgd } from "../../src/optim/index.ts";

const size = 32;
const x = tensor(
  Float32Array.from({ length: 2 * size }, (_, n) => Math.sin(n)),
  [size, 2],
);
const y = tensor(Int32Array.from({ length: size }, (_, n) => n % 2));
const samples = new Dataset({ x, y });
const look = async (): Promise<void> => {};

it.each([true, false])("moves no averages of weights (compile: %s)", async (compile) => {
  const net = sequential(linear(2, 4), linear(4, 2));
  const averages = averageWeights(net.namedParameters(), 0.5);
  const optimizer = sgd(net.parameters(), { learningRate: 0.1 });
  const before = [...averages.stateDict().tensors.values()].map((kept) => [...kept.data]);
  await rateTrial(net, samples, { loss: crossEntropy, optimizer, averages, epochs: 1, batchSize: 8, compile }, look);
  expect(averages.updates).toBe(0);
  expect([...averages.stateDict().tensors.values()].map((kept) => [...kept.data])).toEqual(before);
});

it.each([true, false])("trains with the layers that fit trains with (compile: %s)", async (compile) => {
  const quiet = dropout(0.9).eval();
  const net = sequential(linear(2, 64), quiet, linear(64, 2));
  const optimizer = sgd(net.parameters(), { learningRate: 1e-9 });
  const found = await rateTrial(net, samples, { loss: crossEntropy, optimizer, epochs: 1, batchSize: size, compile }, look);
  expect(found?.trial.loss).toBeCloseTo(crossEntropy(net(x), y).item(), 5);
});
