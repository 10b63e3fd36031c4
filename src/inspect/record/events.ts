// The events of a recorder: statistics of layer outputs, gradients, parameter updates, and the results of a step.

import type { Histogram, Statistics } from "./measures.ts";

/** A layer, or a plain function among the steps of a sequential, has given its output. */
export interface ForwardEvent {
  readonly event: "forward";
  /** From 0. */
  readonly step: number;
  /** Where it stands in the model ("features.0"). */
  readonly path: string;
  /** "conv2d", "relu", … */
  readonly kind: string;
  readonly shape: readonly number[];
  readonly output: Statistics;
  /** In steps that `histograms` picks. */
  readonly histogram?: Histogram;
  /** For every unit of an activation that can be silent (relu and its like) how many of its outputs are not 0. */
  readonly active?: readonly number[];
  /**
   * Outputs of a squashing activation (sigmoid, tanh) so near its ends that its derivative is below a tenth of the
   * largest.
   */
  readonly saturated?: number;
  /**
   * Set where the layer does something else in training, but was in evaluation mode: batch normalization with running
   * statistics, dropout that drops nothing.
   */
  readonly evaluating?: true;
}

/** The gradient of the loss by a layer's output is complete. */
export interface BackwardEvent {
  readonly event: "backward";
  readonly step: number;
  readonly path: string;
  readonly kind: string;
  readonly shape: readonly number[];
  readonly gradient: Statistics;
  /** In steps that `histograms` picks. */
  readonly histogram?: Histogram;
}

/** The gradient of the loss by a parameter is complete. */
export interface GradientEvent {
  readonly event: "gradient";
  readonly step: number;
  /** The parameter's name ("features.0.weight"). */
  readonly parameter: string;
  readonly shape: readonly number[];
  readonly gradient: Statistics;
  /**
   * Norm of the gradient that was left from before this step, to which this one is added; undefined where there was
   * none.
   */
  readonly carried?: number;
}

/** An optimizer has moved a parameter. */
export interface UpdateEvent {
  readonly event: "update";
  readonly step: number;
  readonly parameter: string;
  readonly shape: readonly number[];
  /** Euclidean norm of the parameter before. */
  readonly norm: number;
  /** Euclidean norm of what was added to it. */
  readonly change: number;
}

/** A step is over. */
export interface ReportEvent {
  readonly event: "report";
  readonly step: number;
  /** What the caller of the step knows of it. */
  readonly report: Report;
}

/** What is known of a step from outside. */
export interface Report {
  /** From 1. */
  readonly epoch?: number;
  readonly loss?: number;
  readonly learningRate?: number;
}

/** Every event of a recorder. */
export type RecorderEvent = ForwardEvent | BackwardEvent | GradientEvent | UpdateEvent | ReportEvent;

/** The kinds of events. */
export type EventKind = RecorderEvent["event"];
