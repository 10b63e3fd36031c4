// The learning-rate finder: a short training whose rate grows exponentially, and what its losses say about useful rates.

import { DataLoader, type Dataset } from "../data/index.ts";
import { randomState, setRandomState } from "../tensor/index.ts";
import { toTensor } from "../train/evaluate.ts";
import type { FitOptions, Model, Samples } from "../train/index.ts";
import { compileStep, eagerStep } from "../train/step.ts";
import { InputError } from "../util/errors.ts";

/** How rates are tried. */
export interface LearningRateOptions
  extends Pick<FitOptions, "loss" | "optimizer" | "penalty" | "clip" | "batchSize" | "transform" | "signal"> {
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
  /** The first rate at which the loss falls, the rate at which it is least, and the rate to begin with; undefined where it never falls. */
  readonly range: { readonly low: number; readonly high: number; readonly best: number } | undefined;
  /** Whether the loss diverged before the largest rate. */
  readonly diverged: boolean;
  /** Why, in words with the numbers. */
  readonly reason: string;
}

/** Steps at the beginning whose smoothed loss is still mostly its first values. */
const BURN_IN = 0.1;
/** A smoothed loss so many times its smallest has diverged. */
const DIVERGED = 4;

/**
 * Trains for a few steps with rates that grow from `from` to `to`, from the weights as they are, and puts everything back afterwards: weights, running statistics,
 * the optimizer's state, random numbers; also when it throws. Smith 2015 (https://arxiv.org/abs/1506.01186).
 * @throws InputError for options that make no sense; what the model or the loss throws; the signal's reason
 * @example const { range } = await findLearningRate(net, train, { loss: crossEntropy, optimizer }); if (range) optimizer.learningRate = range.best;
 */
export async function findLearningRate(model: Model, data: Dataset<Samples>, options: LearningRateOptions): Promise<LearningRateRange> {
  const { from = 1e-6, to = 10, steps = 100, smoothing = 0.9, optimizer, signal } = options;
  if (!(from > 0 && to > from && Number.isFinite(to)))
    throw new InputError(`findLearningRate: expected 0 < from < to, got ${from} and ${to}`);
  if (!(Number.isInteger(steps) && steps >= 10)) throw new InputError(`findLearningRate: expected at least 10 steps, got ${steps}`);
  if (!(smoothing >= 0 && smoothing < 1)) throw new InputError(`findLearningRate: smoothing must be in [0, 1), got ${smoothing}`);
  const restore = remember(model, optimizer);
  try {
    model.train();
    const compiled = (options.compile ?? true) ? compileStep(model, options) : undefined;
    const tried: TriedRate[] = [];
    let [mean, least, diverged] = [0, Number.POSITIVE_INFINITY, false];
    for (const batch of endless(data, options)) {
      if (tried.length === steps || diverged) break;
      signal?.throwIfAborted();
      const rate = from * (to / from) ** (tried.length / (steps - 1));
      optimizer.learningRate = rate;
      const [x, y] = [toTensor(batch.x), toTensor(batch.y)];
      const loss = (compiled === undefined ? eagerStep(model, options, x, y) : compiled(x, y)).loss.item();
      mean = smoothing * mean + (1 - smoothing) * loss;
      const smoothed = mean / (1 - smoothing ** (tried.length + 1));
      tried.push({ rate, loss, smoothed });
      diverged = !Number.isFinite(loss) || (tried.length > BURN_IN * steps && smoothed > DIVERGED * least);
      least = Math.min(least, smoothed);
    }
    return judge(tried, diverged, Math.ceil(BURN_IN * steps));
  } finally {
    restore();
  }
}

/** What the losses of growing rates say. Pure. */
export function judge(tried: readonly TriedRate[], diverged: boolean, burnIn: number): LearningRateRange {
  const usable = tried.slice(Math.min(burnIn, tried.length - 1)).filter(({ smoothed }) => Number.isFinite(smoothed));
  const none = (reason: string): LearningRateRange => ({ tried, range: undefined, diverged, reason });
  const [first] = usable;
  if (first === undefined) return none("the loss was not a finite number from the first step on: look at the data and the model first");
  const lowest = usable.reduce((a, b) => (b.smoothed < a.smoothed ? b : a));
  const fall = first.smoothed - lowest.smoothed;
  if (!(fall > 0.02 * Math.abs(first.smoothed)))
    return none(
      `the loss never fell: it began at ${text(first.smoothed)} and its least is ${text(lowest.smoothed)}; it may not be learnable from here, or be learned already`,
    );
  const low = usable.find(({ smoothed }) => smoothed < first.smoothed - 0.1 * fall) as TriedRate;
  const falling = usable.slice(usable.indexOf(low), usable.indexOf(lowest) + 1);
  const steepest = falling.reduce(
    (found, point, n) => {
      const before = falling[n - 1];
      const slope = before === undefined ? 0 : (point.smoothed - before.smoothed) / Math.log(point.rate / before.rate);
      return slope < found.slope ? { slope, rate: point.rate } : found;
    },
    { slope: 0, rate: low.rate },
  );
  // At the least loss the rate is about to be too large: a third of it still is safe.
  const best = Math.min(steepest.rate, lowest.rate / 3);
  const last = tried.at(-1) as TriedRate;
  const end = diverged
    ? `it diverged at ${text(last.rate)}`
    : lowest === usable.at(-1)
      ? `it still fell at the largest rate tried, ${text(last.rate)}`
      : `it rose from there to ${text((usable.at(-1) as TriedRate).smoothed)}`;
  return {
    tried,
    range: { low: low.rate, high: lowest.rate, best },
    diverged,
    reason: `the loss began to fall at ${text(low.rate)}, fell fastest at ${text(steepest.rate)} and was least, ${text(lowest.smoothed)} after ${text(first.smoothed)}, at ${text(lowest.rate)}; ${end}`,
  };
}

function text(value: number): string {
  return String(Number(value.toPrecision(2)));
}

/** Batches for ever, each pass in another order. */
function* endless(data: Dataset<Samples>, { batchSize = 32, transform, seed = 0 }: LearningRateOptions): Generator<Samples> {
  const loader = new DataLoader(data, {
    batchSize: Math.min(batchSize, data.size),
    shuffle: true,
    dropLast: true,
    seed,
    ...(transform === undefined ? {} : { transform }),
  });
  for (let epoch = 0; ; epoch++) yield* loader.batches({ epoch }) as Iterable<Samples>;
}

/** Gives what puts model, optimizer and random numbers back. */
function remember(model: Model, optimizer: FitOptions["optimizer"]): () => void {
  const [weights, state, random] = [model.stateDict(), optimizer.stateDict(), randomState()];
  const modes = [...model.namedLayers().values()].map((inner) => [inner, inner.training] as const);
  return () => {
    model.loadStateDict(weights);
    optimizer.loadStateDict(state);
    setRandomState(random);
    // Outer layers first: train() also sets those inside.
    for (const [inner, on] of modes) inner.train(on);
  };
}
