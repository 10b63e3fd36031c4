// Looking inside: what every layer does while a model trains.

export type { ChartOptions, Series } from "./chart.ts";
export { chartSvg } from "./chart-svg.ts";
export { chartText, type TextChartSize } from "./chart-text.ts";
export { RunCursor, type RunStop, type StopInput, type StopPlace } from "./cursor.ts";
export { stopsText, stopText } from "./cursor-text.ts";
export * from "./diagnose/index.ts";
export { graphDot, graphMermaid, graphSvg } from "./draw-graph.ts";
export { elementName, positionOf, tensorName } from "./elements.ts";
export type * from "./events.ts";
export { type ElementRead, type ExplainedElement, explainElement } from "./explain.ts";
export { elementJson, explanationTreeJson, stopJson } from "./explain-json.ts";
export { elementMathml, elementTex, explanationTreeMathml, explanationTreeTex } from "./explain-markup.ts";
export { elementText, explanationTreeText } from "./explain-text.ts";
export { type ExplanationTree, explainTree, type TreeLine, type TreeOptions, treeLines } from "./explain-tree.ts";
export { type CheckedElement, checkGradients, type GradientCheck, type GradientCheckOptions } from "./gradient-check.ts";
export { type GraphEdge, type GraphGroup, type GraphNode, type GraphOptions, graphOf, type RunGraph } from "./graph.ts";
export type { KeepOptions, KeptStep, StepSelector } from "./keep.ts";
export { findLearningRate, type LearningRateOptions, type LearningRateRange, type TriedRate } from "./learning-rate.ts";
export { type Histogram, percentile, type Statistics } from "./measures.ts";
export { explainFailure, firstNonFinite, type NonFinite, whereNotFinite } from "./non-finite.ts";
export { type Nudge, type NudgeOptions, nudge } from "./nudge.ts";
export { opTimes } from "./op-times.ts";
export {
  chromeTrace,
  type KernelOrigin,
  type MachineLimits,
  machineLimits,
  type ProfiledKernel,
  type ProfileOptions,
  profile,
  type StepProfile,
} from "./profile.ts";
export { type LayerSelector, Recorder, type RecorderOptions } from "./recorder.ts";
export {
  type RecordedCall,
  type RecordedOp,
  type RecordedTensor,
  type RecordedUpdate,
  type Recording,
  record,
  recordAsync,
} from "./recording.ts";
export { type Replayed, type ReplayOptions, replay } from "./replay.ts";
export { firstElement, type SelectedElement, selectableNames, selectElement } from "./select.ts";
