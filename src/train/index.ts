// Training, for Node and browsers: re-exports only.

export type { StopSignal } from "../util/signal.ts";
export {
  type Average,
  type AveragedMetric,
  type AverageName,
  type AverageOptions,
  f1Score,
  intersectionOverUnion,
  precision,
  recall,
  topK,
} from "./class-metrics.ts";
export { type ClassCountOptions, predictedClasses } from "./classes.ts";
export type { ClassReport } from "./confusion.ts";
export { ConfusionMatrix } from "./confusion.ts";
export { crossEntropy, perplexity } from "./entropy-metrics.ts";
export type { FailedStep, TrainingPlace } from "./errors.ts";
export { TrainingError } from "./errors.ts";
export type { EvaluateOptions, Evaluation } from "./evaluate.ts";
export { evaluate, predict } from "./evaluate.ts";
export { fit } from "./fit.ts";
export { peakSignalToNoise, structuralSimilarity } from "./image-metrics.ts";
export type { Metric } from "./metrics.ts";
export { accuracy, binaryAccuracy, meanAbsoluteError, meanSquaredError, rSquared } from "./metrics.ts";
export { type RocAucOptions, rocAuc } from "./roc.ts";
export type {
  BatchReport,
  BestEpoch,
  Callback,
  EarlyStopping,
  EpochReport,
  FitOptions,
  FitResult,
  Loss,
  Model,
  Samples,
  Scores,
  StepRecorder,
  StopReason,
  Tensors,
  Training,
  TrainingState,
} from "./types.ts";
