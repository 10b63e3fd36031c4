// What the command line must reach on real and generated data, and that training does not grow in memory.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../src/cli/program.ts";
import type { RunSummary } from "../../src/cli/report.ts";
import { Dataset, tableDataset, wine } from "../../src/data/index.ts";
import { crossEntropy, linear, relu, sequential } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { fit } from "../../src/train/index.ts";
import { realData } from "../data/shared.ts";

let cwd = "";
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-results-"));
});
afterAll(() => rm(cwd, { recursive: true }));

async function train(...words: readonly string[]): Promise<RunSummary> {
  let out = "";
  const quiet = { isTerminal: false, columns: undefined };
  const code = await run(["train", ...words, "--json"], {
    env: {},
    cwd,
    self: "kasane",
    stdout: { ...quiet, write: (text) => void (out += text) },
    stderr: { ...quiet, write: () => undefined },
    onInterrupt: () => () => undefined,
    exit: () => undefined,
  });
  expect(code).toBe(0);
  return JSON.parse(out) as RunSummary;
}

const accuracy = ({ validation }: RunSummary): number => validation.accuracy as number;

describe("accuracy on held-out samples", () => {
  it("digits: a convolutional network 97 %, a linear one clearly less", async () => {
    const network = accuracy(await train("digits"));
    expect(network).toBeGreaterThanOrEqual(0.97);
    expect(accuracy(await train("digits", "--model", "linear"))).toBeLessThan(network - 0.08);
  });

  it.each(["moons", "spirals", "xor"])("%s: 99 %, which no straight line reaches", async (name) => {
    expect(accuracy(await train(name))).toBeGreaterThanOrEqual(0.99);
    expect(accuracy(await train(name, "--model", "linear"))).toBeLessThan(0.95);
  });

  it.each(["sgd", "momentum", "adam", "adamw"])("the wine table with %s: 95 %", async (optimizer) => {
    expect(accuracy(await train("wine", "--optimizer", optimizer))).toBeGreaterThanOrEqual(0.95);
  });

  const mnist = realData("mnist-10k");
  it.skipIf(mnist === undefined)("MNIST, 8 000 to train: 97.5 %", async () => {
    const result = await train("--mnist", mnist as string);
    expect(result).toMatchObject({ train: { samples: 8000 }, validation: { samples: 2000 } });
    expect(accuracy(result)).toBeGreaterThanOrEqual(0.975);
  });

  const bottles = realData("wine");
  it.skipIf(bottles === undefined)("UCI wine, red against white: 99 % on a fifth", async () => {
    const result = await train("wine", "--data", bottles as string);
    expect(result.validation.samples).toBe(Math.round(6497 / 5));
    expect(accuracy(result)).toBeGreaterThanOrEqual(0.99);
  });
});

it("100 000 steps of the 4-8-2 wine network leave memory as it was after warming up", async () => {
  const { fields, classNames = [] } = tableDataset(wine({ count: 1000 }));
  const data = new Dataset({ x: fields.x, y: fields.y }, { classNames });
  const net = sequential(linear(4, 8), relu, linear(8, 2));
  const resident: number[] = [];
  // 500 steps an epoch.
  await fit(net, data, {
    loss: crossEntropy,
    optimizer: sgd(net.parameters(), { learningRate: 0.001 }),
    batchSize: 2,
    epochs: 200,
    callbacks: [{ onEpochEnd: () => void resident.push(process.memoryUsage.rss()) }],
  });
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length / 2 ** 20;
  // The first quarter warms up; garbage comes and goes in waves of some tens of megabytes, a leak of 1 kB a step would add 60.
  const growth = mean(resident.slice(150)) - mean(resident.slice(50, 100));
  expect(growth).toBeLessThan(30);
});
