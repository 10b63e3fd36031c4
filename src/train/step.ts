// One update of the weights: forward and backward (in parts where memory is short), clipping, the optimizer's step; eagerly or as one compiled program.

import { clipGradientNorm, clipGradientValue } from "../optim/index.ts";
import { autocast, type CompiledFunction, compile, concat, type Precision, type RandomState, type Tensor } from "../tensor/index.ts";
import { withOwnRandom } from "../tensor/random.ts";
import { InputError } from "../util/errors.ts";
import type { FailedStep } from "./errors.ts";
import type { FitOptions, Loss, Model } from "./types.ts";

export interface Forward extends Readonly<Record<string, Tensor>> {
  readonly loss: Tensor;
  readonly prediction: Tensor;
}

export interface StepResult extends Forward {
  /** The loss, plus the norm of the gradient where that is clipped: where it is not finite, the step is not made. */
  readonly guard: Tensor;
}

/** What a step needs of the options of fit. */
export type StepOptions = Pick<FitOptions, "loss" | "penalty" | "optimizer" | "clip" | "accumulate" | "averages" | "precision">;

export type CompiledTraining = CompiledFunction<[x: Tensor, target: Tensor], StepResult>;

/** In a run whose loss, or norm to clip, is not finite nothing is updated. */
export function compileStep(model: Model, options: StepOptions): CompiledTraining {
  const step = (x: Tensor, target: Tensor): StepResult => {
    const result = guarded(model, options, x, target);
    update(options);
    return result;
  };
  return compile(step, { name: "training step", guard: (result: StepResult) => result.guard });
}

/** The same op by op. */
export function eagerStep(model: Model, options: StepOptions, x: Tensor, target: Tensor): StepResult {
  const result = guarded(model, options, x, target);
  if (Number.isFinite(result.guard.item())) update(options);
  return result;
}

/** A step whose update did not happen, to be run again just as it was: random numbers go on from where they were. */
export function failedStep(model: Model, options: StepOptions, [x, target]: readonly [Tensor, Tensor], random: RandomState): FailedStep {
  return { model, optimizer: options.optimizer, run: () => withOwnRandom(random, () => guarded(model, options, x, target)) };
}

/** Gradients, clipped, and whether they may be used. */
function guarded(model: Model, options: StepOptions, x: Tensor, target: Tensor): StepResult {
  const { optimizer, clip = {} } = options;
  optimizer.zeroGrad();
  const result = learn(model, options, x, target);
  const loss = result.loss.detach();
  if (clip.value !== undefined) clipGradientValue(model.parameters(), clip.value);
  const norm = clip.norm === undefined ? undefined : clipGradientNorm(model.parameters(), clip.norm);
  return { ...result, guard: norm === undefined ? loss : loss.add(norm) };
}

function update({ optimizer, averages }: StepOptions): void {
  optimizer.step();
  averages?.update();
}

/** Forward and backward of a batch, in `accumulate` parts: each part's loss counts by its share of the samples. */
function learn(model: Model, { loss, penalty, accumulate = 1, precision = "float32" }: StepOptions, x: Tensor, target: Tensor): Forward {
  const count = x.shape[0] ?? 0;
  const size = Math.ceil(count / accumulate);
  if (size >= count) {
    const result = forward(model, loss, precision, x, target);
    (penalty === undefined ? result.loss : result.loss.add(penalty())).backward();
    return result;
  }
  const parts: Forward[] = [];
  for (let start = 0; start < count; start += size) {
    const end = Math.min(count, start + size);
    const { loss: value, prediction } = forward(model, loss, precision, x.slice([start, end]), target.slice([start, end]));
    const share = value.mul((end - start) / count);
    share.backward();
    parts.push({ loss: share.detach(), prediction: prediction.detach() });
  }
  penalty?.().backward();
  return { loss: parts.map((part) => part.loss).reduce((a, b) => a.add(b)), prediction: concat(parts.map((part) => part.prediction)) };
}

/** @throws InputError when the loss is not one number */
function forward(model: Model, loss: Loss, precision: Precision, x: Tensor, target: Tensor): Forward {
  const stored = autocast(precision, () => model(x));
  // Loss and metrics are computed from float32.
  const prediction = stored.dtype === "bfloat16" ? stored.to("float32") : stored;
  const value = loss(prediction, target);
  if (value.size !== 1)
    throw new InputError(`fit: the loss must be one number, got shape [${value.shape.join(", ")}]`, {
      hint: "take its mean over the batch",
    });
  return { loss: value, prediction };
}
