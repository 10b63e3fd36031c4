// Learning-rate schedules against PyTorch's, and what they refuse.

import { describe, expect, it } from "vitest";
import {
  cosineDecay,
  cosineRestarts,
  exponentialDecay,
  inSequence,
  linearDecay,
  multiStepDecay,
  oneCycle,
  polynomialDecay,
  reduceOnPlateau,
  type Schedule,
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
