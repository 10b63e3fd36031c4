// Diagnosing trainings: re-exports only.

export { baselineOf } from "./baseline.ts";
export { diagnose } from "./diagnose.ts";
export type {
  DataFacts,
  Doubtful,
  DuplicateFacts,
  Evidence,
  FeatureFacts,
  NeighbourFacts,
  OutputFacts,
  ParameterFacts,
  PredictionFacts,
  RateTrial,
} from "./evidence.ts";
export { type Examination, type ExamineOptions, examine } from "./examine.ts";
export { FINDING_KINDS, type Finding, type FindingKind, findingsText } from "./finding.ts";
export { THRESHOLDS, type Thresholds } from "./thresholds.ts";
