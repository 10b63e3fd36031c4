// The learning-rate schedules of the command line: all of kasane/optim, over the epochs of a training.

import {
  cosineDecay,
  cosineRestarts,
  exponentialDecay,
  linearDecay,
  multiStepDecay,
  oneCycle,
  type PlateauOptions,
  polynomialDecay,
  reduceOnPlateau,
  type Schedule,
  stepDecay,
} from "../optim/index.ts";
import type { EpochReport } from "../train/index.ts";
import { type Aliases, type Choices, choose, type Settings } from "./choices.ts";

/** The rate of an epoch, counted from 1, knowing those before. */
type RateOf = (epoch: number, history: readonly EpochReport[]) => number;

type Make = (rate: number, epochs: number, settings: Settings) => RateOf;

/** A share of the rate is left for the last epoch, which would learn nothing without. */
const least = (rate: number): number => rate / 50;

/** Steps of a schedule are the epochs. */
const by = <Options>(make: (rate: number, epochs: number, options: Options) => Schedule): Make => {
  return (rate, epochs, settings) => {
    const schedule = make(rate, epochs, settings as unknown as Options);
    return (epoch) => schedule(epoch - 1);
  };
};

export const scheduleChoices: Choices<Make> = {
  constant: { settings: {}, make: (rate) => () => rate },
  stepDecay: {
    settings: { every: "number", factor: "number" },
    make: by<{ every?: number; factor?: number }>((rate, epochs, given) =>
      stepDecay(rate, { every: Math.max(1, Math.ceil(epochs / 3)), ...given }),
    ),
  },
  multiStepDecay: {
    settings: { milestones: "numbers", factor: "number" },
    make: by<{ milestones?: readonly number[]; factor?: number }>((rate, epochs, given) =>
      multiStepDecay(rate, { milestones: [Math.round(epochs / 2), Math.round((3 * epochs) / 4)], ...given }),
    ),
  },
  exponentialDecay: {
    settings: { factor: "number" },
    make: by<{ factor?: number }>((rate, _, { factor = 0.95 }) => exponentialDecay(rate, factor)),
  },
  cosineDecay: {
    settings: { least: "number" },
    make: by<{ least?: number }>((rate, epochs, given) =>
      cosineDecay(rate, { steps: Math.max(1, epochs - 1), least: least(rate), ...given }),
    ),
  },
  cosineRestarts: {
    settings: { period: "number", growth: "number", least: "number" },
    make: by<{ period?: number }>((rate, epochs, given) =>
      cosineRestarts(rate, { period: Math.max(1, Math.ceil(epochs / 3)), least: least(rate), ...given }),
    ),
  },
  linearDecay: {
    settings: { end: "number" },
    make: by<{ end?: number }>((rate, epochs, given) => linearDecay(rate, { steps: Math.max(1, epochs - 1), end: least(rate), ...given })),
  },
  polynomialDecay: {
    settings: { end: "number", power: "number" },
    make: by<{ end?: number }>((rate, epochs, given) =>
      polynomialDecay(rate, { steps: Math.max(1, epochs - 1), end: least(rate), power: 2, ...given }),
    ),
  },
  oneCycle: {
    settings: { rise: "number", startDivisor: "number", endDivisor: "number" },
    make: by<object>((rate, epochs, given) => oneCycle(rate, { steps: epochs, ...given })),
  },
  reduceOnPlateau: {
    settings: { factor: "number", patience: "number", threshold: "number", cooldown: "number", least: "number" },
    make: (rate, _, settings) => {
      const plateau = reduceOnPlateau(rate, settings as PlateauOptions);
      return (_epoch, history) => plateau(history.map(({ train, validation }) => (validation ?? train).loss));
    },
  },
};

const ALIASES: Aliases = { cosine: "cosineDecay" };

/** @throws InputError for names and settings that do not exist or are out of range */
export function scheduleOf(chosen: string, rate: number, epochs: number): RateOf {
  const { make, settings } = choose(scheduleChoices, chosen, ALIASES);
  return make(rate, epochs, settings);
}
