// Learning-rate schedules against PyTorch's, and what they refuse.

import { describe, expect, it } from "vitest";
import { compile, parameter, type Tensor, tensor } from "../../src/index.ts";
import {
  adam,
  adamW,
  amsGrad,
  cosineDecay,
  cosineRestarts,
  exponentialDecay,
  inSequence,
  linearDecay,
  lion,
  multiStepDecay,
  type Optimizer,
  oneCycle,
  oneCycleMomentum,
  polynomialDecay,
  reduceOnPlateau,
  type Schedule,
  sgd,
  stepDecay,
  warmUp,
} from "../../src/optim/index.ts";
import { readGoldens } from "../goldens/goldens.ts";

const schedules: Record<string, Schedule> = {
  stepDecay: stepDecay(0.5, { every: 7, factor: 0.3 }),
  multiStepDecay: multiStepDecay(0.5, { milestones: [5, 6, 20], factor: 0.5 }),
  exponentialDecay: exponentialDecay(0.5, 0.9),
  cosineDecay: cosineDecay(0.5, { steps: 39, least: 0.01 }),
  cosineRestarts: cosineRestarts(0.5, { period: 4, growth: 2, least: 0.01 }),
  linearDecay: linearDecay(0.5, { steps: 30, end: 0.1 }),
  polynomialDecay: polynomialDecay(0.5, { steps: 25, power: 2 }),
  oneCycle: oneCycle(0.5, { steps: 41 }),
  oneCycleMomentum: oneCycleMomentum({ steps: 41 }),
};

describe("as PyTorch", () => {
  const goldens = readGoldens<{ readonly name: string; readonly rates: readonly number[]; readonly values?: readonly number[] }>(
    "schedules",
  );
  it.each(goldens.map((golden) => [golden.name, golden] as const))("%s", (name, { rates, values }) => {
    const plateau = reduceOnPlateau(0.5, { factor: 0.5, patience: 3, cooldown: 2, least: 0.02 });
    const schedule = values === undefined ? (schedules[name] as Schedule) : (step: number) => plateau(values.slice(0, step));
    rates.forEach((rate, step) => {
      expect(schedule(step), `${name}(${step})`).toBeCloseTo(rate, 7);
    });
  });
});

describe("one cycle of rate and momentum, as PyTorch", () => {
  const goldens = readGoldens<{ readonly name: string; readonly weights: readonly number[] }>("one-cycle");
  const optimizers: Record<string, (weights: readonly Tensor[]) => Optimizer> = {
    sgd: (w) => sgd(w, { learningRate: 0.1, momentum: 0.9 }),
    nesterov: (w) => sgd(w, { learningRate: 0.1, momentum: 0.9, nesterov: true }),
    adam: (w) => adam(w, { learningRate: 0.1 }),
    adamW: (w) => adamW(w, { learningRate: 0.1 }),
    amsGrad: (w) => amsGrad(w, { learningRate: 0.1 }),
  };
  const [rate, momentum] = [oneCycle(0.1, { steps: 41 }), oneCycleMomentum({ steps: 41 })];

  it.each(goldens.flatMap((golden) => [true, false].map((isCompiled) => [golden.name, isCompiled, golden.weights] as const)))(
    "%s (compiled: %s)",
    (name, isCompiled, expected) => {
      const weight = parameter(tensor([1, -2]));
      const optimizer = (optimizers[name] as (typeof optimizers)[string])([weight]);
      const step = (gradient: Tensor): Tensor => {
        optimizer.zeroGrad();
        const loss = weight.mul(gradient).sum();
        loss.backward();
        optimizer.step();
        return loss;
      };
      const run = isCompiled ? compile(step) : step;
      const found: number[] = [];
      for (let n = 0; n < 40; n++) {
        optimizer.learningRate = rate(n);
        optimizer.momentum = momentum(n);
        run(tensor([Math.cos(n), 0.5 + Math.sin(2 * n)]));
        found.push(...weight.data);
      }
      found.forEach((value, n) => {
        expect(value, `${name} ${n}`).toBeCloseTo(expected[n] as number, 4);
      });
      if (isCompiled) expect((run as ReturnType<typeof compile>).steps).toHaveLength(1);
    },
  );

  it("refuses optimizers that have no momentum to change", () => {
    const w = parameter(tensor([1]));
    expect(sgd([w], { learningRate: 1, momentum: 0.5 }).momentum).toBe(0.5);
    expect(adam([w]).momentum).toBe(0.9);
    expect(lion([w]).momentum).toBe(undefined);
    expect(() => Object.assign(lion([w]), { momentum: 0.5 })).toThrow("lion: its momentum cannot change from step to step");
    expect(() => Object.assign(sgd([w], { learningRate: 1 }), { momentum: 0.5 })).toThrow("sgd: it was made without momentum");
    expect(() => Object.assign(adam([w]), { momentum: 1 })).toThrow("adam: beta1 must be in [0, 1), got 1");
    expect(() => oneCycleMomentum({ steps: 3, high: 1 })).toThrow("high and low must be in [0, 1)");
  });
});

describe("composed", () => {
  it("warms up to what follows", () => {
    const schedule = warmUp(4, exponentialDecay(0.8, 0.5));
    expect([0, 1, 2, 3, 4, 5].map(schedule)).toEqual([0, 0.2, 0.4, 0.6000000000000001, 0.8, 0.4]);
  });

  it("runs one after another, each from its own beginning", () => {
    const schedule = inSequence(
      { schedule: () => 1, steps: 2 },
      { schedule: (step) => 10 + step, steps: 2 },
      { schedule: (step) => 20 + step },
    );
    expect([0, 1, 2, 3, 4, 5].map(schedule)).toEqual([1, 1, 10, 11, 20, 21]);
  });

  it("restarts with equal periods however far on", () => {
    expect(cosineRestarts(1, { period: 3 })(3_000_000)).toBe(1);
  });
});

describe("on a plateau", () => {
  const options = { patience: 1, factor: 0.5, threshold: 0.01 } as const;
  it.each([
    ["positive", [3, 3, 3, 3, 3]],
    ["negative", [-3, -3, -3, -3, -3]],
    ["negative, hardly better", [-3, -3.001, -3.002, -3.003, -3.004]],
    ["zero", [0, 0, 0, 0, 0]],
    ["not a number", [Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN]],
  ])("reduces the rate for values that stay %s", (_name, values) => {
    expect(reduceOnPlateau(1, options)(values)).toBeLessThan(1);
  });

  it("takes larger values as smaller ones of the other sign, and lets what improves go on", () => {
    const rows = [
      [-1, -2, -2.1, -2.11, -2.111, -5],
      [5, 3, 2.99, 2.98, 2.97, -1],
      [0.5, 0.4, 0.39, 0.3899, 0.38, 0.1],
    ];
    for (const values of rows)
      expect(reduceOnPlateau(1, options)(values)).toBe(reduceOnPlateau(1, { ...options, better: "larger" })(values.map((value) => -value)));
    expect(reduceOnPlateau(1, options)([-1, -2, -3, -4, -5, -6])).toBe(1);
  });
});

it("refuses what makes no sense, naming it", () => {
  expect(() => stepDecay(0.1, { every: 0 })).toThrow("stepDecay: every must be a positive number, got 0");
  expect(() => exponentialDecay(Number.NaN, 0.5)).toThrow("exponentialDecay: rate must be a positive number, got NaN");
  expect(() => oneCycle(1, { steps: 10, rise: 2 })).toThrow("oneCycle: rise must be in [0, 1], got 2");
  expect(() => cosineRestarts(1, { period: 2, growth: 0.5 })).toThrow("growth must be at least 1, got 0.5");
  expect(() => reduceOnPlateau(1, { factor: 1 })).toThrow("factor must be below 1, got 1");
  expect(() => linearDecay(Number.NaN, { steps: 3 })).toThrow("linearDecay: rate must not be negative, got NaN");
  expect(() => cosineDecay(1, { steps: 3, least: -1 })).toThrow("cosineDecay: least must not be negative, got -1");
  expect(() => multiStepDecay(1, { milestones: [3, Number.NaN] })).toThrow("multiStepDecay: milestone 1 must not be negative, got NaN");
  expect(() => warmUp(2, () => 1, { from: Number.NaN })).toThrow("warmUp: from must not be negative, got NaN");
  expect(() => reduceOnPlateau(1, { patience: Number.NaN })).toThrow("reduceOnPlateau: patience must not be negative, got NaN");
  expect(() => inSequence()).toThrow("expected at least one schedule");
  expect(() => inSequence({ schedule: () => 1 }, { schedule: () => 2 })).toThrow(
    "schedule 0 needs a positive number of steps, got undefined",
  );
});
