// Looking inside: what every layer does while a model trains.

export type * from "./events.ts";
export {
  type ElementRead,
  type ExplainedElement,
  type ExplanationTree,
  elementText,
  explainElement,
  explainTree,
  explanationTreeText,
  partialSums,
  type TreeOptions,
  tensorName,
} from "./explain.ts";
export { type Histogram, percentile, type Statistics } from "./measures.ts";
export { type LayerSelector, Recorder, type RecorderOptions } from "./recorder.ts";
export { type RecordedCall, type RecordedOp, type RecordedTensor, type RecordedUpdate, type Recording, record } from "./recording.ts";
