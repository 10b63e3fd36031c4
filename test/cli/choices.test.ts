// What train offers by name: everything the library has, with its settings; and what is said of names and settings that do not exist.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { choose } from "../../src/cli/choices.ts";
import { lossChoices, lossOf, metricChoices, metricsOf } from "../../src/cli/measures.ts";
import { optimizerChoices, optimizerOf, usualRate } from "../../src/cli/optimizers.ts";
import { scheduleChoices, scheduleOf } from "../../src/cli/schedules.ts";
import { linear } from "../../src/nn/index.ts";
import * as optim from "../../src/optim/index.ts";
import { runCommand } from "./command.ts";

const model = linear(3, 2);

describe("tables", () => {
  it("hold every optimizer and schedule of the library", () => {
    const other = [
      "averageWeights",
      "clipGradientNorm",
      "clipGradientValue",
      "parameterGroups",
      "combineOptimizers",
      "inSequence",
      "oneCycleMomentum",
      "warmUp",
    ];
    const offered = [...Object.keys(optimizerChoices), ...Object.keys(scheduleChoices).filter((name) => name !== "constant")];
    expect(offered.sort()).toEqual(Object.keys(optim).filter((name) => !other.includes(name)).sort()); // biome-ignore format: one thought
  });

  it.each(Object.entries(optimizerChoices))("%s takes the settings it lists, and its usual rate", (name, { settings }) => {
    const rate = usualRate(name, 0.01);
    const plain = optimizerOf(name, model, rate);
    expect(plain.learningRate).toBe(rate);
    const known = plain.groups[0] as Readonly<Record<string, number | boolean>>;
    const values = Object.keys(settings).filter((key) => key !== "nesterov" && key !== "iterations");
    const text = `${name}:${values.map((key) => `${key}=${settings[key] === "boolean" ? "true" : 0.5}`).join(",")}`;
    const [first] = optimizerOf(text, model, rate).groups;
    for (const key of values) expect(first, key).toHaveProperty(key, settings[key] === "boolean" ? true : 0.5);
    if (name !== "muon") expect(Object.keys(settings).sort()).toEqual(Object.keys(known).filter((key) => key !== "learningRate").sort()); // biome-ignore format: one thought
  });

  it.each(Object.keys(scheduleChoices))("%s gives a rate above 0 in every epoch of any training", (name) => {
    for (const epochs of [1, 2, 3, 10]) {
      const rate = scheduleOf(name, 0.5, epochs);
      for (let epoch = 1; epoch <= epochs; epoch++) {
        expect(rate(epoch, [])).toBeGreaterThan(0);
        expect(rate(epoch, [])).toBeLessThanOrEqual(0.5);
      }
    }
  });

  it("are the library's functions", () => {
    const rates = (text: string) => [1, 2, 3, 4, 5].map((epoch) => scheduleOf(text, 0.5, 5)(epoch, []));
    const steps = [0, 1, 2, 3, 4];
    expect(rates("cosineDecay:least=0.1")).toEqual(steps.map(optim.cosineDecay(0.5, { steps: 4, least: 0.1 })));
    expect(rates("cosine")).toEqual(steps.map(optim.cosineDecay(0.5, { steps: 4, least: 0.01 })));
    expect(rates("multiStepDecay:milestones=1/3,factor=0.5")).toEqual([0.5, 0.25, 0.25, 0.125, 0.125]);
    const history = [1, 1, 1, 1].map((loss, n) => ({ epoch: n + 1, learningRate: 0, seconds: 0, train: { loss } }));
    expect(scheduleOf("reduceOnPlateau:patience=1", 0.5, 9)(5, history)).toBeCloseTo(0.05);
  });

  it("make every loss and metric, once each", () => {
    for (const task of ["classification", "regression"] as const) {
      for (const loss of Object.keys(lossChoices[task])) expect(typeof lossOf({ task, loss })).toBe("function");
      const all = metricsOf({ task, metrics: Object.keys(metricChoices[task]), classNames: ["a", "b", "c"] });
      expect(all).toHaveLength(Object.keys(metricChoices[task]).length);
    }
  });

  it("read the names of earlier runs", () => {
    expect(optimizerOf("adamw", model, 0.1).kind).toBe("adamW");
    expect(optimizerOf("momentum", model, 0.1).groups[0]).toMatchObject({ momentum: 0.9 });
  });

  it.each([
    ["constructor", "expected one of sgd, adam"],
    ["adam:beta=1", 'adam has the settings beta1, beta2, epsilon, weightDecay, got "beta=1"'],
    ["adam:beta1", 'expected adam:beta1 to be a number, got ""'],
    ["adam:beta1=2", "beta1 must be in [0, 1), got 2"],
    ["sgd:nesterov=yes", 'expected sgd:nesterov to be one of true, false, got "yes"'],
    ["sgd:toString=1", "sgd has the settings"],
  ])("refuse %s", (text, message) => expect(() => optimizerOf(text, model, 0.1)).toThrow(message));

  it("give settings their kinds", () => {
    const choices = { all: { settings: { a: "number", b: "boolean", c: "numbers", d: ["x", "y"] }, make: 1 } } as const;
    expect(choose(choices, "all:a=1e-3,b=false,c=1/2,d=y").settings).toEqual({ a: 0.001, b: false, c: [1, 2], d: "y" });
  });
});

describe("kasane train", () => {
  let cwd = "";
  const kasane = (line: string) => runCommand(cwd, line);
  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), "kasane-choices-"));
  });
  afterAll(() => rm(cwd, { recursive: true }));

  it("keeps what was chosen, measures it, and goes on with it", async () => {
    const chosen =
      "--optimizer nAdam:beta1=0.8 --schedule oneCycle:rise=0.5 --loss crossEntropy:labelSmoothing=0.1 --metric f1Score --metric topK:k=1";
    const { code, out } = await kasane(`train moons --samples 100 --epochs 2 ${chosen} --out run`);
    expect(code).toBe(0);
    expect(out).toMatch(/^f1 0\.\d+, on the training samples 0\.\d+$/m);
    expect(out).toMatch(/^top1 /m);
    expect(JSON.parse(await readFile(join(cwd, "run", "config.json"), "utf8"))).toMatchObject({
      optimizer: "nAdam:beta1=0.8",
      schedule: "oneCycle:rise=0.5",
      loss: "crossEntropy:labelSmoothing=0.1",
      metrics: ["f1Score", "topK:k=1"],
    });
    expect(JSON.parse((await kasane("train --resume run --epochs 3 --json")).out)).toMatchObject({
      epochs: 3,
      validation: { f1: expect.any(Number) },
    });
    expect((await kasane("summary run")).out).toContain("crossEntropy:labelSmoothing=0.1");
  });

  it.each([
    ["--optimizer adm", /--optimizer adm: expected one of sgd, adam.*Did you mean adam\?/],
    ["--schedule stepDecay:every=0", /--schedule stepDecay:every=0: stepDecay: every must be a positive number, got 0/],
    ["--loss huber", /--loss huber: huber is for regression, this is classification/],
    ["--loss crosEntropy", /--loss crosEntropy: expected one of[^\n]*\n {2}try: did you mean crossEntropy\?/],
    ["--metric topK:k=0", /--metric topK:k=0: topK: k must be a whole number/],
  ])("refuses %s, and leaves no folder", async (flags, message) => {
    const { code, err } = await kasane(`train moons --samples 50 ${flags} --out none`);
    expect({ code, matched: message.test(err) ? true : err }).toEqual({ code: 2, matched: true });
    await expect(readFile(join(cwd, "none", "config.json"))).rejects.toThrow("ENOENT");
  });
});
