// The learning-rate finder: trains briefly with an exponentially growing rate and reads useful rates off the losses.

import type { Dataset } from "../../data/index.ts";
import { arrived } from "../../tensor/arrivals.ts";
import { randomState } from "../../tensor/index.ts";
import { batchTensors } from "../../train/border.ts";
import { checkSamples } from "../../train/check.ts";
import type { FitOptions, Model, Samples } from "../../train/index.ts";
import { isUncounted } from "../../train/loss.ts";
import { unsettle } from "../../train/modes.ts";
import { Pacer } from "../../train/pause.ts";
import { remember } from "../../train/remember.ts";
import { compileStep, failedStep, takeStep } from "../../train/step.ts";
import { checkArguments, FUNCTION, isNumber } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { textOf } from "../../util/kind-of.ts";
import { checkOptions } from "../../util/options.ts";
import { bestOf } from "../../util/rank.ts";
import type { StopSignal } from "../../util/signal.ts";
import { short } from "../draw/chart.ts";
import { type NonFinite, whereNotFinite } from "../explain/non-finite.ts";
import { MODEL, OPTIMIZER } from "../kinds.ts";
import { endless } from "./batches.ts";
import { deviationOf, mean } from "./statistics.ts";

/** How rates are tried. */
export interface LearningRateOptions
  extends Pick<FitOptions, "loss" | "optimizer" | "penalty" | "clip" | "accumulate" | "batchSize" | "transform"> {
  /** The smallest rate. Default 1e-6. */
  readonly from?: number;
  /** The largest rate. Default 10. */
  readonly to?: number;
  /** How many steps, each with a larger rate. Default 100. */
  readonly steps?: number;
  /** Share of the past in the smoothed loss, in [0, 1). Default 0.9. */
  readonly smoothing?: number;
  /** Decides the order of the data. Default 0. */
  readonly seed?: number;
  /** One compiled program for all steps. Default true. */
  readonly compile?: boolean;
  /** Ends the sweep after the present step: everything is put back, and the signal's reason is thrown. */
  readonly signal?: StopSignal;
}

/** One rate that was tried. */
export interface TriedRate {
  readonly rate: number;
  /** Of its batch, before the step. */
  readonly loss: number;
  readonly smoothed: number;
}

/** What the finder found. */
export interface LearningRateRange {
  /** In the order they were tried; the sweep ends early where the loss diverges. */
  readonly tried: readonly TriedRate[];
  /**
   * The first rate at which the loss falls, the rate at which it is least, and the rate to begin with; undefined where
   * it never falls.
   */
  readonly range: { readonly low: number; readonly high: number; readonly best: number } | undefined;
  /** Whether the loss diverged before the largest rate. */
  readonly diverged: boolean;
  /** Why, in words with the numbers. */
  readonly reason: string;
  /** Where the first number that is not finite came from, where already the first loss is none. */
  readonly nonFinite?: NonFinite;
}

/** Steps at the beginning whose smoothed loss is still mostly its first values. */
const BURN_IN = 0.1;
/** A smoothed loss that rose by so many times its fall has diverged. */
const DIVERGED = 2;
/** A fall counts when it is so many times the deviation that chance gives a smoothed loss. */
const CHANCE = 3;

/**
 * Trains for a few steps with rates that grow from `from` to `to`, from the weights as they are, and puts everything
 * back afterwards, to the last bit: weights, running statistics, gradients, the optimizer's state, random numbers,
 * modes; also when it throws. Smith 2015 (https://arxiv.org/abs/1506.01186).
 * @throws InputError for options that make no sense; what the model or the loss throws; the signal's reason
 * @example const { range } = await findLearningRate(net, train, { loss: crossEntropy, optimizer }); if (range) optimizer.learningRate = range.best;
 */
export async function findLearningRate(model: Model, data: Dataset<Samples>, options: LearningRateOptions): Promise<LearningRateRange> {
  const {
    from = 1e-6,
    to = 10,
    steps = 100,
    smoothing = 0.9,
    optimizer,
    signal,
  } = checkOptions<LearningRateOptions>("findLearningRate", options, {
    ...{ loss: true, optimizer: true, penalty: true, clip: true, accumulate: true, batchSize: true, transform: true },
    ...{ from: true, to: true, steps: true, smoothing: true, seed: true, compile: true, signal: true },
  });
  checkArguments("findLearningRate", { model: [model, MODEL], loss: [options?.loss, FUNCTION], optimizer: [optimizer, OPTIMIZER] });
  checkSamples("findLearningRate", data);
  if (!(from > 0 && to > from && Number.isFinite(to)))
    throw new InputError(`findLearningRate: expected 0 < from < to, got ${textOf(from)} and ${to}`);
  if (!(Number.isInteger(steps) && steps >= 10)) throw new InputError(`findLearningRate: expected at least 10 steps, got ${textOf(steps)}`);
  if (!(isNumber(smoothing) && smoothing >= 0 && smoothing < 1))
    throw new InputError(`findLearningRate: smoothing must be in [0, 1), got ${textOf(smoothing)}`);
  signal?.throwIfAborted();
  const burnIn = Math.ceil(BURN_IN * steps);
  const pacer = new Pacer();
  const restore = remember(model, optimizer);
  try {
    unsettle(model);
    const compiled = (options.compile ?? true) ? compileStep(model, options) : undefined;
    const tried: TriedRate[] = [];
    let [running, diverged, uncounted] = [0, false, 0];
    let nonFinite: NonFinite | undefined;
    for (const batch of endless(data, options)) {
      if (tried.length === steps || diverged) break;
      if (pacer.due) await pacer.pause();
      signal?.throwIfAborted();
      const rate = from * (to / from) ** (tried.length / (steps - 1));
      optimizer.learningRate = rate;
      const random = randomState();
      const [x, y] = batchTensors(model, batch, "findLearningRate");
      const result = await arrived(takeStep(model, options, compiled, [x, y]));
      if (isUncounted(result.account?.data)) {
        if (++uncounted > data.size)
          throw new InputError("findLearningRate: no sample counts in the loss", {
            hint: "targets of other classes than ignoreIndex, and weights above 0",
          });
        continue;
      }
      const loss = result.loss.item();
      running = smoothing * running + (1 - smoothing) * loss;
      const smoothed = running / (1 - smoothing ** (tried.length + 1));
      tried.push({ rate, loss, smoothed });
      // A first step that fails does so whatever the rate.
      if (tried.length === 1 && !Number.isFinite(loss)) nonFinite = whereNotFinite(failedStep(model, options, [x, y], random));
      diverged = !Number.isFinite(loss) || (tried.length > burnIn && hasDiverged(tried, burnIn, smoothing));
    }
    return { ...judge(tried, { diverged, burnIn, smoothing }), nonFinite };
  } finally {
    restore();
  }
}

/**
 * Whether the smoothed loss rose by far more than it fell, than chance moves it, and than it was. Losses may be
 * negative.
 */
function hasDiverged(tried: readonly TriedRate[], burnIn: number, smoothing: number): boolean {
  const usable = tried.slice(burnIn - 1).map(({ smoothed }) => smoothed);
  const [first, last] = [usable[0]!, usable.at(-1)!];
  const least = usable.reduce((a, b) => Math.min(a, b));
  const usual = Math.max(first - least, chance(tried.slice(0, burnIn), smoothing), Math.abs(first) / DIVERGED);
  return last - least > DIVERGED * usual;
}

/** How far chance takes a smoothed loss: some deviations of the mean that smoothing is. */
function chance(tried: readonly TriedRate[], smoothing: number): number {
  return CHANCE * deviationOf(tried.map(({ loss }) => loss)) * Math.sqrt((1 - smoothing) / (1 + smoothing));
}

/** How a sweep went, for its judge. */
interface Sweep {
  readonly diverged: boolean;
  /** Steps at the beginning that do not count. */
  readonly burnIn: number;
  readonly smoothing: number;
}

/** What the losses of growing rates say. Pure. */
export function judge(tried: readonly TriedRate[], { diverged, burnIn, smoothing }: Sweep): LearningRateRange {
  const usable = tried.slice(Math.min(burnIn, tried.length - 1)).filter(({ smoothed }) => Number.isFinite(smoothed));
  const none = (reason: string): LearningRateRange => ({ tried, range: undefined, diverged, reason });
  const lowest = bestOf(usable, ({ smoothed }) => smoothed, "smaller");
  if (lowest === undefined) {
    const [{ rate, loss } = { rate: 0, loss: Number.NaN }] = tried;
    return none(
      Number.isFinite(loss)
        ? `the loss was no finite number any more after the first of the rates, ${short(rate, 2)}: begin with smaller ones`
        : `the loss was not a finite number from the first step on, ${loss}: look at the data and the model first`,
    );
  }
  const start = mean(
    tried
      .slice(0, Math.max(1, 2 * burnIn))
      .map(({ loss }) => loss)
      .filter(Number.isFinite),
  );
  const fall = start - lowest.smoothed;
  const [began, least] = apart(start, lowest.smoothed);
  const byChance = chance(tried.slice(0, tried.indexOf(lowest)), smoothing);
  // Below that a float32 loss is the same number.
  if (!(fall > Math.max(byChance, 1e-6 * Math.abs(start))))
    return none(
      `the loss never fell by more than chance: it began at ${began} and its least is ${least}; it may not be learnable from here, or be learned already`,
    );
  const falling = usable.slice(0, usable.indexOf(lowest) + 1);
  // It falls from where it does not come back to a tenth of the fall.
  falling.splice(0, falling.findLastIndex(({ smoothed }) => smoothed >= start - 0.1 * fall) + 1);
  const low = falling[0]!;
  const steepest = steepestOf(falling, Math.round(0.5 / (1 - smoothing)));
  // At the least loss the rate is about to be too large: a third of it still is safe.
  const best = Math.min(steepest, lowest.rate / 3);
  const last = tried.at(-1)!;
  const end = diverged
    ? `it diverged at ${short(last.rate, 2)}`
    : lowest === usable.at(-1)
      ? `it still fell at the largest rate tried, ${short(last.rate, 2)}`
      : `at the largest rate tried, ${short(last.rate, 2)}, it was ${short(last.smoothed, 2)}`;
  return {
    tried,
    range: { low: low.rate, high: lowest.rate, best },
    diverged,
    reason: `the loss began to fall at ${short(low.rate, 2)}, fell fastest at ${short(steepest, 2)} and was least, ${least} after ${began}, at ${short(lowest.rate, 2)}; ${end}`,
  };
}

/** The rate in the middle of the steps over which the smoothed loss falls most by a factor of the rate. */
function steepestOf(falling: readonly TriedRate[], width: number): number {
  const span = Math.max(1, Math.min(width, falling.length - 1));
  const slopes = falling.slice(span).map(({ rate, smoothed }, n) => {
    const before = falling[n]!;
    return (smoothed - before.smoothed) / Math.log(rate / before.rate);
  });
  const place = slopes.reduce((found, slope, n) => (slope < slopes[found]! ? n : found), 0);
  return falling[Math.min(falling.length - 1, place + Math.ceil(span / 2))]!.rate;
}

/** Two numbers with so many digits that they differ. */
function apart(a: number, b: number): [string, string] {
  const digits = [2, 3, 4, 5, 6, 7].find((count) => short(a, count) !== short(b, count)) ?? 2;
  return [short(a, digits), short(b, digits)];
}
