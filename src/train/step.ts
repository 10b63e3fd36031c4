// One update of the weights: forward, backward (in parts with `accumulate`), clipping, optimizer; eager or compiled.

import { getBackend } from "../backends/choose.ts";
import { clipGradientNorm, clipGradientValue } from "../optim/index.ts";
import { readable } from "../tensor/arrivals.ts";
import { autocast, type CompiledFunction, compile, concat, type Precision, type RandomState, type Tensor } from "../tensor/index.ts";
import { observer, observing } from "../tensor/observe.ts";
import { withOwnRandom } from "../tensor/random.ts";
import type { FailedStep } from "./errors.ts";
import { type BatchLoss, lossOf, lossOfParts, type MicroBatch, whereCounted, wholesOf } from "./loss.ts";
import { inTraining } from "./modes.ts";
import type { FitOptions, Model } from "./types.ts";

/** A loss with its account, where it has one, and the prediction. */
type Forward = BatchLoss & { readonly prediction: Tensor };

export type StepResult = Forward & {
  /** The loss, plus the norm of the gradient where that is clipped: where it is not finite, the step is not made. */
  readonly guard: Tensor;
};

/** What a step needs of the options of fit. */
export type StepOptions = Pick<FitOptions, "loss" | "penalty" | "optimizer" | "clip" | "accumulate" | "averages" | "precision">;

export type CompiledTraining = CompiledFunction<[x: Tensor, target: Tensor], StepResult>;

/** In a run whose loss, or norm to clip, is not finite nothing is updated. */
export function compileStep(model: Model, options: StepOptions): CompiledTraining {
  const step = (x: Tensor, target: Tensor): StepResult => {
    const result = guarded(model, options, x, target);
    update(options);
    // What is measured of them is no part of the step.
    return Object.fromEntries(Object.entries(result).map(([name, one]) => [name, one.detach()])) as unknown as StepResult;
  };
  return compile(step, { name: "training step of fit", guard: (result: StepResult) => result.guard });
}

/** The same op by op. */
export function eagerStep(model: Model, options: StepOptions, x: Tensor, target: Tensor): StepResult | Promise<StepResult> {
  const result = guarded(model, options, x, target);
  const finish = (): StepResult => {
    if (Number.isFinite(result.guard.item())) update(options);
    return result;
  };
  const watch = observer();
  return readable([result.guard])?.then(() => observing(watch, finish)) ?? finish();
}

/** One step, compiled or not; a promise where reading takes time. */
export function takeStep(
  model: Model,
  options: StepOptions,
  compiled: CompiledTraining | undefined,
  [x, target]: readonly [Tensor, Tensor],
): StepResult | Promise<StepResult> {
  return inTraining(model, () => {
    if (compiled === undefined) return eagerStep(model, options, x, target);
    return getBackend().memory === "own" ? compiled.async(x, target) : compiled(x, target);
  });
}

/** A step whose update did not happen, to be run again exactly: random numbers continue from where they were. */
export function failedStep(model: Model, options: StepOptions, [x, target]: readonly [Tensor, Tensor], random: RandomState): FailedStep {
  return {
    model,
    optimizer: options.optimizer,
    run: () => withOwnRandom(random, () => inTraining(model, () => guarded(model, options, x, target))),
  };
}

/** Gradients, clipped, and whether they may be used: not where no sample of the batch counts, either. */
function guarded(model: Model, options: StepOptions, x: Tensor, target: Tensor): StepResult {
  const { optimizer, clip = {} } = options;
  optimizer.zeroGrad();
  const result = learn(model, options, x, target);
  const loss = result.loss.detach();
  if (clip.value !== undefined) clipGradientValue(model.parameters(), clip.value);
  const norm = clip.norm === undefined ? undefined : clipGradientNorm(model.parameters(), clip.norm);
  return { ...result, guard: whereCounted(norm === undefined ? loss : loss.add(norm), result) };
}

function update({ optimizer, averages }: StepOptions): void {
  optimizer.step();
  averages?.update();
}

/** Forward and backward of a batch, in `accumulate` parts: their gradients add up to those of the whole batch. */
function learn(model: Model, { loss, penalty, accumulate = 1, precision = "float32" }: StepOptions, x: Tensor, target: Tensor): Forward {
  const count = x.shape[0] ?? 0;
  const size = Math.ceil(count / accumulate);
  if (size >= count) {
    const prediction = predictionOf(model, precision, x);
    const result = lossOf(loss, prediction, target);
    (penalty === undefined ? result.loss : result.loss.add(penalty())).backward();
    return { ...result, prediction };
  }
  const ranges = Array.from({ length: Math.ceil(count / size) }, (_, n) => [n * size, Math.min(count, (n + 1) * size)] as const);
  const targets = ranges.map((range) => target.slice(range));
  const predictions: Tensor[] = [];
  const next = (range: readonly [number, number]): Tensor => {
    const prediction = predictionOf(model, precision, x.slice(range));
    predictions.push(prediction.detach());
    return prediction;
  };
  // What a part was computed from is let go before the next one is computed.
  const waiting = [next(ranges[0]!)];
  const wholes = wholesOf(loss, predictions[0]!, targets);
  const parts = function* (): Generator<MicroBatch> {
    for (const [n, range] of ranges.entries()) yield { prediction: waiting.pop() ?? next(range), target: targets[n]! };
  };
  const result = lossOfParts(loss, parts(), count, wholes, (part) => part.backward());
  penalty?.().backward();
  return { ...result, prediction: concat(predictions) };
}

/** Loss and metrics are computed from float32. */
function predictionOf(model: Model, precision: Precision, x: Tensor): Tensor {
  const stored = autocast(precision, () => model(x));
  return stored.dtype === "bfloat16" ? stored.to("float32") : stored;
}
