// Training, for Node and browsers: re-exports only.

export { type AverageOptions, f1Score, precision, type RocAucOptions, recall, rocAuc, topK } from "./class-metrics.ts";
export type { ClassReport } from "./confusion.ts";
export { ConfusionMatrix } from "./confusion.ts";
export type { TrainingPlace } from "./errors.ts";
export { TrainingError } from "./errors.ts";
export type { EvaluateOptions, Evaluation } from "./evaluate.ts";
export { evaluate, predict } from "./evaluate.ts";
export { fit } from "./fit.ts";
export type { Metric } from "./metrics.ts";
export { accuracy, binaryAccuracy, meanAbsoluteError, meanSquaredError, predictedClasses, rSquared } from "./metrics.ts";
export { peakSignalToNoise, perplexity, structuralSimilarity } from "./signal-metrics.ts";
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
  StopReason,
  Tensors,
  Training,
  TrainingState,
} from "./types.ts";
