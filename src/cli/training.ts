// Loss, metrics and optimizer of a run.

import type { Layer } from "../nn/index.ts";
import { crossEntropy, meanSquaredError } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { adam, adamW, sgd } from "../optim/index.ts";
import type { Loss, Metric } from "../train/index.ts";
import { accuracy, meanAbsoluteError, rSquared } from "../train/index.ts";
import type { OptimizerName } from "./settings.ts";

const makers = {
  sgd: (model, learningRate) => sgd(model.namedParameters(), { learningRate }),
  momentum: (model, learningRate) => sgd(model.namedParameters(), { learningRate, momentum: 0.9 }),
  adam: (model, learningRate) => adam(model.namedParameters(), { learningRate }),
  adamw: (model, learningRate) => adamW(model.namedParameters(), { learningRate }),
} satisfies Record<OptimizerName, (model: Layer, learningRate: number) => Optimizer>;

export function optimizerOf(name: OptimizerName, model: Layer, learningRate: number): Optimizer {
  return makers[name](model, learningRate);
}

export function lossOf(task: "classification" | "regression"): Loss {
  return task === "classification" ? crossEntropy : meanSquaredError;
}

export function metricsOf(task: "classification" | "regression"): readonly Metric<"accuracy" | "meanAbsoluteError" | "rSquared">[] {
  return task === "classification" ? [accuracy()] : [meanAbsoluteError(), rSquared()];
}
