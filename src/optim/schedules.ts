// Learning-rate schedules: functions from a step (or epoch) number, counted from 0, to a learning rate.

import { InputError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { type Better, isBetter } from "../util/rank.ts";

/** The learning rate of step 0, 1, 2, …: steps or epochs, whichever it is asked by. */
export type Schedule = (step: number) => number;

/** rate · factor^⌊step / every⌋. @throws InputError when an argument is out of range */
export function stepDecay(rate: number, options: { readonly every: number; readonly factor?: number }): Schedule {
  const { every, factor = 0.1 } = checkOptions("stepDecay", options, {
    every: true,
    factor: true,
  });
  positive("stepDecay", { rate, every, factor });
  return (step) => rate * factor ** Math.floor(step / every);
}

/** rate · factor^(how many of the milestones are reached). @throws InputError when an argument is out of range */
export function multiStepDecay(rate: number, options: { readonly milestones: readonly number[]; readonly factor?: number }): Schedule {
  const { milestones, factor = 0.1 } = checkOptions("multiStepDecay", options, { milestones: true, factor: true });
  positive("multiStepDecay", { rate, factor });
  notNegative("multiStepDecay", Object.fromEntries(milestones.map((milestone, n) => [`milestone ${n}`, milestone])));
  return (step) => rate * factor ** milestones.filter((milestone) => step >= milestone).length;
}

/** rate · factor^step. @throws InputError when an argument is out of range */
export function exponentialDecay(rate: number, factor: number): Schedule {
  positive("exponentialDecay", { rate, factor });
  return (step) => rate * factor ** step;
}

/**
 * From rate to least along half a cosine in so many steps, then least. Loshchilov & Hutter 2017.
 * @throws InputError when an argument is out of range
 */
export function cosineDecay(rate: number, options: { readonly steps: number; readonly least?: number }): Schedule {
  const { steps, least = 0 } = checkOptions("cosineDecay", options, {
    steps: true,
    least: true,
  });
  positive("cosineDecay", { rate, steps });
  notNegative("cosineDecay", { least });
  return (step) => halfCosine(rate, least, Math.min(1, step / steps));
}

/**
 * Half a cosine from rate to least, again and again; every period is `growth` times as long as the one before.
 * Loshchilov & Hutter 2017 (SGDR).
 * @throws InputError when an argument is out of range
 */
export function cosineRestarts(
  rate: number,
  options: { readonly period: number; readonly growth?: number; readonly least?: number },
): Schedule {
  const {
    period,
    growth = 1,
    least = 0,
  } = checkOptions("cosineRestarts", options, {
    period: true,
    growth: true,
    least: true,
  });
  positive("cosineRestarts", { rate, period });
  notNegative("cosineRestarts", { least });
  if (!(growth >= 1)) throw new InputError(`cosineRestarts: growth must be at least 1, got ${growth}`);
  return (step) => {
    let [start, length] = [0, period];
    if (growth === 1) start = Math.floor(step / period) * period;
    else
      while (step >= start + length) {
        start += length;
        length *= growth;
      }
    return halfCosine(rate, least, (step - start) / length);
  };
}

/**
 * A straight line from one rate to another in so many steps, then that.
 * @throws InputError when an argument is out of range
 */
export function linearDecay(rate: number, options: { readonly steps: number; readonly end?: number }): Schedule {
  const { steps, end = 0 } = checkOptions("linearDecay", options, {
    steps: true,
    end: true,
  });
  positive("linearDecay", { steps });
  notNegative("linearDecay", { rate, end });
  return polynomialDecay(rate, { steps, end, power: 1 });
}

/** end + (rate − end) · (1 − step / steps)^power, then end. @throws InputError when an argument is out of range */
export function polynomialDecay(
  rate: number,
  options: { readonly steps: number; readonly end?: number; readonly power?: number },
): Schedule {
  const {
    steps,
    end = 0,
    power = 1,
  } = checkOptions("polynomialDecay", options, {
    steps: true,
    end: true,
    power: true,
  });
  positive("polynomialDecay", { steps, power });
  notNegative("polynomialDecay", { rate, end });
  return (step) => end + (rate - end) * (1 - Math.min(1, step / steps)) ** power;
}

/**
 * One rise and one long fall along half cosines: from peak / startDivisor to peak, then to peak / startDivisor /
 * endDivisor. Smith & Topin 2018.
 * @throws InputError when an argument is out of range
 */
export function oneCycle(
  peak: number,
  options: {
    /** Steps of the whole training. */
    readonly steps: number;
    /** Share of the steps spent rising. Default 0.3. */
    readonly rise?: number;
    /** Default 25. */
    readonly startDivisor?: number;
    /** Default 10 000. */
    readonly endDivisor?: number;
  },
): Schedule {
  const {
    steps,
    rise = 0.3,
    startDivisor = 25,
    endDivisor = 1e4,
  } = checkOptions<typeof options>("oneCycle", options, { steps: true, rise: true, startDivisor: true, endDivisor: true });
  positive("oneCycle", { peak, startDivisor, endDivisor });
  const start = peak / startDivisor;
  return cycle("oneCycle", { steps, rise }, [start, peak, start / endDivisor]);
}

/** From the first value to the second along half a cosine, then to the third. */
function cycle(
  name: string,
  { steps, rise }: { steps: number; rise: number },
  [start, middle, end]: readonly [number, number, number],
): Schedule {
  positive(name, { steps });
  if (!(rise >= 0 && rise <= 1)) throw new InputError(`${name}: rise must be in [0, 1], got ${rise}`);
  const top = rise * steps - 1;
  return (step) => {
    const now = Math.min(step, steps - 1);
    if (now <= top) return halfCosine(start, middle, top === 0 ? 1 : now / top);
    return halfCosine(middle, end, (now - top) / (steps - 1 - top));
  };
}

/**
 * The momentum that belongs to oneCycle: from `high` to `low` while the rate rises, back while it falls, along half
 * cosines. Smith & Topin 2018.
 * @throws InputError when an argument is out of range
 */
export function oneCycleMomentum(options: {
  /** Steps of the whole training. */
  readonly steps: number;
  /** Share of the steps spent falling. Default 0.3. */
  readonly rise?: number;
  /** Default 0.95. */
  readonly high?: number;
  /** Default 0.85. */
  readonly low?: number;
}): Schedule {
  const {
    steps,
    rise = 0.3,
    high = 0.95,
    low = 0.85,
  } = checkOptions<typeof options>("oneCycleMomentum", options, { steps: true, rise: true, high: true, low: true });
  notNegative("oneCycleMomentum", { high, low });
  if (!(high < 1 && low < 1)) throw new InputError(`oneCycleMomentum: high and low must be in [0, 1), got ${high} and ${low}`);
  return cycle("oneCycleMomentum", { steps, rise }, [high, low, high]);
}

/**
 * Rises from `from` · rate in a straight line over so many steps to what the schedule says then; the schedule begins
 * after them.
 * @throws InputError when an argument is out of range
 */
export function warmUp(steps: number, schedule: Schedule, options: { readonly from?: number } = {}): Schedule {
  const { from = 0 } = checkOptions("warmUp", options, { from: true });
  positive("warmUp", { steps });
  notNegative("warmUp", { from });
  const goal = schedule(0);
  return (step) => (step < steps ? goal * (from + ((1 - from) * step) / steps) : schedule(step - steps));
}

/**
 * One schedule after another: each but the last for so many steps, each counting from 0.
 * @throws InputError when there is none, or one but the last has no length
 */
export function inSequence(...parts: readonly { readonly schedule: Schedule; readonly steps?: number }[]): Schedule {
  if (parts.length === 0) throw new InputError("inSequence: expected at least one schedule, got none");
  parts.slice(0, -1).forEach(({ steps }, n) => {
    if (steps === undefined || !(steps > 0))
      throw new InputError(`inSequence: schedule ${n} needs a positive number of steps, got ${steps}`);
  });
  return (step) => {
    let start = 0;
    for (const { schedule, steps = Number.POSITIVE_INFINITY } of parts.slice(0, -1)) {
      if (step < start + steps) return schedule(step - start);
      start += steps;
    }
    return parts.at(-1)!.schedule(step - start);
  };
}

/** When and how far the rate falls on a plateau. */
export interface PlateauOptions {
  /** Share of the rate that is left when there was no improvement. Default 0.1. */
  readonly factor?: number;
  /** Epochs without improvement that are let pass. Default 10. */
  readonly patience?: number;
  /** What counts as better. Default "smaller". */
  readonly better?: Better;
  /** An improvement is more than this share of the best value's size. NaN is never one. Default 1e-4. */
  readonly threshold?: number;
  /** Epochs after a reduction that are not counted. Default 0. */
  readonly cooldown?: number;
  /** Default 0. */
  readonly least?: number;
}

/**
 * Reduces the rate when a measured value stops improving. A function of all values so far, so nothing has to be saved
 * for going on later:
 * `fit(…, { learningRate: (epoch, history) => plateau(history.map((report) => report.validation?.loss ?? report.train.loss)) })`.
 * @throws InputError when an argument is out of range
 */
export function reduceOnPlateau(rate: number, options: PlateauOptions = {}): (values: readonly number[]) => number {
  const {
    factor = 0.1,
    patience = 10,
    better = "smaller",
    threshold = 1e-4,
    cooldown = 0,
    least = 0,
  } = checkOptions<PlateauOptions>("reduceOnPlateau", options, {
    factor: true,
    patience: true,
    better: true,
    threshold: true,
    cooldown: true,
    least: true,
  });
  positive("reduceOnPlateau", { rate, factor });
  notNegative("reduceOnPlateau", { patience, threshold, cooldown, least });
  if (!(factor < 1)) throw new InputError(`reduceOnPlateau: factor must be below 1, got ${factor}`);
  if (better !== "smaller" && better !== "larger")
    throw new InputError(`reduceOnPlateau: better must be "smaller" or "larger", got ${JSON.stringify(better)}`);
  return (values) => {
    let [now, best, bad, cooling] = [rate, Number.NaN, 0, 0];
    for (const value of values) {
      const margin = Number.isFinite(best) ? threshold * Math.abs(best) : 0;
      if (isBetter(value, best, better, margin)) [best, bad] = [value, 0];
      else bad++;
      if (cooling > 0) [cooling, bad] = [cooling - 1, 0];
      if (bad > patience) [now, cooling, bad] = [Math.max(now * factor, least), cooldown, 0];
    }
    return now;
  };
}

function halfCosine(from: number, to: number, share: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
}

function positive(name: string, numbers: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(numbers))
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) throw new InputError(`${name}: ${key} must be a positive number, got ${value}`);
}

function notNegative(name: string, numbers: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(numbers))
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw new InputError(`${name}: ${key} must not be negative, got ${value}`);
}
