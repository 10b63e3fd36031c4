// Looking inside: what every layer does while a model trains.

export type * from "./events.ts";
export { type Histogram, percentile, type Statistics } from "./measures.ts";
export { type LayerSelector, Recorder, type RecorderOptions } from "./recorder.ts";
