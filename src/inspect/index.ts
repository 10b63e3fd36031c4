// Looking inside: what every layer does while a model trains.

export { positionOf } from "../nest/positions.ts";
export * from "./diagnose/index.ts";
export { findLearningRate, type LearningRateOptions, type LearningRateRange, type TriedRate } from "./diagnose/learning-rate.ts";
export type { ChartOptions, Series } from "./draw/chart.ts";
export { chartSvg } from "./draw/chart-svg.ts";
export { chartText, type TextChartSize } from "./draw/chart-text.ts";
export { graphDot, graphMermaid, graphSvg } from "./draw/draw-graph.ts";
export { type GraphEdge, type GraphGroup, type GraphNode, type GraphOptions, graphOf, type RunGraph } from "./draw/graph.ts";
export { RunCursor, type RunStop, type StopInput, type StopPlace } from "./explain/cursor.ts";
export { stopsText, stopText } from "./explain/cursor-text.ts";
export { type ElementRead, type ExplainedElement, explainElement } from "./explain/explain.ts";
export { elementJson, explanationTreeJson, stopJson } from "./explain/explain-json.ts";
export { elementMathml, elementTex, explanationTreeMathml, explanationTreeTex } from "./explain/explain-markup.ts";
export { elementText, explanationTreeText } from "./explain/explain-text.ts";
export { type ExplanationTree, explainTree, type TreeLine, type TreeOptions, treeLines } from "./explain/explain-tree.ts";
export { type CheckedElement, checkGradients, type GradientCheck, type GradientCheckOptions } from "./explain/gradient-check.ts";
export { explainFailure, firstNonFinite, type NonFinite, whereNotFinite } from "./explain/non-finite.ts";
export { type Nudge, type NudgeOptions, nudge } from "./explain/nudge.ts";
export { type Replayed, type ReplayOptions, replay } from "./explain/replay.ts";
export { firstElement, type SelectedElement, selectableNames, selectElement } from "./explain/select.ts";
export { opTimes } from "./profile/op-times.ts";
export {
  chromeTrace,
  type KernelOrigin,
  type MachineLimits,
  machineLimits,
  type ProfiledKernel,
  type ProfileOptions,
  profile,
  type StepProfile,
} from "./profile/profile.ts";
export { elementName, tensorName } from "./record/elements.ts";
export type * from "./record/events.ts";
export type { KeepOptions, KeptStep, StepSelector } from "./record/keep.ts";
export { type Histogram, percentile, type Statistics } from "./record/measures.ts";
export { type LayerSelector, Recorder, type RecorderOptions } from "./record/recorder.ts";
export {
  type RecordedCall,
  type RecordedOp,
  type RecordedTensor,
  type RecordedUpdate,
  type Recording,
  record,
  recordAsync,
} from "./record/recording.ts";
