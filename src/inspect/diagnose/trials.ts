// Trials: the same steps at a lower rate, or training on shuffled targets. The model is restored afterwards.

import { DataLoader, Dataset } from "../../data/index.ts";
import { arrived } from "../../tensor/arrivals.ts";
import { batchTensors } from "../../train/border.ts";
import { type FitOptions, fit, type Model, type Samples, TrainingError } from "../../train/index.ts";
import { unsettle } from "../../train/modes.ts";
import { Pacer } from "../../train/pause.ts";
import { remember } from "../../train/remember.ts";
import { compileStep, takeStep } from "../../train/step.ts";
import { endless } from "./batches.ts";
import type { RateTrial } from "./evidence.ts";
import { errorOfDifference, mean } from "./statistics.ts";

/** Steps of each course of a trial; the second half is judged. */
const STEPS = 24;

/** By how much the rate of the other course is lower. */
const LOWER = 10;

/**
 * Trains on from the weights as they are, twice over the same batches: at the present rate and at a tenth of it.
 * @param look at the model after the course at the lower rate
 * @returns undefined where a loss is no longer finite, which is found without a trial
 */
export async function rateTrial<Seen>(
  model: Model,
  data: Dataset<Samples>,
  options: FitOptions,
  look: () => Promise<Seen>,
): Promise<{ readonly trial: RateTrial; readonly seen: Seen } | undefined> {
  const own = alone(options);
  const { optimizer } = own;
  const rate = optimizer.learningRate;
  const compiled = (own.compile ?? true) ? compileStep(model, own) : undefined;
  const course = async <Result>(rate: number, then: (losses: number[]) => Result | Promise<Result>): Promise<Result> => {
    const restore = remember(model, optimizer);
    const pacer = new Pacer();
    const losses: number[] = [];
    try {
      unsettle(model);
      optimizer.learningRate = rate;
      for (const batch of endless(data, own)) {
        if (losses.length === STEPS) break;
        if (pacer.due) await pacer.pause();
        const { loss } = await arrived(takeStep(model, own, compiled, batchTensors(model, batch, "examine")));
        losses.push(loss.item());
      }
      return await then(losses.slice(STEPS >> 1));
    } finally {
      restore();
    }
  };
  const same = await course(rate, (losses) => losses);
  const lower = await course(rate / LOWER, async (losses) => ({ losses, seen: await look() }));
  if (![...same, ...lower.losses].every(Number.isFinite)) return undefined;
  const error = errorOfDifference(same, lower.losses);
  return {
    trial: { steps: STEPS, rate, loss: mean(same), lowerRate: rate / LOWER, lowerLoss: mean(lower.losses), error },
    seen: lower.seen,
  };
}

/** The training losses, by epoch, of the model as it is on targets in another order. */
export async function shuffledLosses(model: Model, data: Dataset<Samples>, options: FitOptions): Promise<number[]> {
  const { x, y } = data.fields;
  // One batch of all samples in another order.
  const [batch] = new DataLoader(new Dataset({ y }, { allowNonFinite: true }), { batchSize: data.size, shuffle: true, seed: 1 }).batches({
    epoch: 0,
  });
  const other = new Dataset<Samples>({ x, y: (batch as { readonly y: typeof y }).y }, { allowNonFinite: true });
  try {
    return (await fit(model, other, alone(options))).history.map(({ train }) => train.loss);
  } catch (error) {
    if (error instanceof TrainingError) return [];
    throw error;
  }
}

/** The options of a trial: without validation, callbacks, averages and metrics. */
function alone(options: FitOptions): FitOptions {
  const { validation: _, earlyStopping: __, callbacks: ___, averages: ____, resume: _____, metrics: ______, ...rest } = options;
  return rest;
}
