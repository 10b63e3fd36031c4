// One update of the weights as one compiled program, and its forward half.

import { type CompiledFunction, compile, type Tensor } from "../tensor/index.ts";
import { InputError } from "../util/errors.ts";
import type { FitOptions, Loss, Model } from "./types.ts";

export interface StepResult extends Readonly<Record<string, Tensor>> {
  readonly loss: Tensor;
  readonly prediction: Tensor;
}

export type CompiledTraining = CompiledFunction<[x: Tensor, target: Tensor], StepResult>;

/** In a run whose loss is not finite nothing is updated. */
export function compileStep(model: Model, optimizer: FitOptions["optimizer"], loss: Loss): CompiledTraining {
  const step = (x: Tensor, target: Tensor): StepResult => {
    optimizer.zeroGrad();
    const result = forward(model, loss, x, target);
    result.loss.backward();
    optimizer.step();
    return result;
  };
  return compile(step, { name: "training step", guard: (result: StepResult) => result.loss });
}

/** @throws InputError when the loss is not one number */
export function forward(model: Model, loss: Loss, x: Tensor, target: Tensor): StepResult {
  const prediction = model(x);
  const value = loss(prediction, target);
  if (value.size !== 1)
    throw new InputError(`fit: the loss must be one number, got shape [${value.shape.join(", ")}]`, {
      hint: "take its mean over the batch",
    });
  return { loss: value, prediction };
}
