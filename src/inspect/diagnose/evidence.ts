// What a diagnosis looks at: events of a recorder, the history of the training, and facts about model and data.

import type { EpochReport } from "../../train/index.ts";
import { ranking } from "../../util/rank.ts";
import type { BackwardEvent, ForwardEvent, GradientEvent, RecorderEvent, ReportEvent, UpdateEvent } from "../events.ts";
import type { NonFinite } from "../non-finite.ts";

/** A parameter before training. */
export interface ParameterFacts {
  readonly name: string;
  readonly shape: readonly number[];
  readonly trainable: boolean;
  /** Standard deviation of its numbers, 0 when all are equal. */
  readonly std: number;
}

/** A feature of the inputs: a column, or all pixels of images together. */
export interface FeatureFacts {
  readonly name: string;
  readonly mean: number;
  readonly std: number;
}

/** The training data. */
export interface DataFacts {
  readonly features: readonly FeatureFacts[];
  /** Samples of each class; undefined for other targets. */
  readonly classes?: readonly number[];
}

/** A sample that the trained model holds for another class. */
export interface Doubtful {
  /** Its number in the training data. */
  readonly sample: number;
  readonly label: number;
  /** The class the model holds it for, and how surely. */
  readonly predicted: number;
  readonly probability: number;
}

/** Predictions of the trained model on its training data. */
export interface PredictionFacts {
  readonly samples: number;
  readonly accuracy: number;
  /** Those held with more than 0.9 for another class, the surest first. */
  readonly doubtful: readonly Doubtful[];
}

/** Everything a diagnosis can use; what is missing is not judged. */
export interface Evidence {
  readonly events: readonly RecorderEvent[];
  readonly history: readonly EpochReport[];
  readonly parameters?: readonly ParameterFacts[];
  readonly data?: DataFacts;
  readonly predictions?: PredictionFacts;
  /** Losses of the same training on shuffled targets, by epoch. */
  readonly control?: readonly number[];
  /** Whether training ended because a loss or gradient was not finite. */
  readonly failed?: boolean;
  /** Where the first of its numbers that is not finite came from. */
  readonly nonFinite?: NonFinite;
}

/** The events by kind and step, as rules read them. */
export interface Observations extends Evidence {
  readonly forward: readonly ForwardEvent[];
  readonly backward: readonly BackwardEvent[];
  readonly gradients: readonly GradientEvent[];
  readonly updates: readonly UpdateEvent[];
  /** Losses of the steps that reported one. */
  readonly losses: readonly number[];
  /** Numbers of the recorded steps, ascending. */
  readonly steps: readonly number[];
  /** Names of weights (not biases or scales) in the order of the forward pass. */
  readonly weights: readonly string[];
}

/** Sorts the events. */
export function observe(evidence: Evidence): Observations {
  const of = <Kind extends RecorderEvent["event"]>(kind: Kind) =>
    evidence.events.filter((event): event is Extract<RecorderEvent, { event: Kind }> => event.event === kind);
  const [forward, gradients] = [of("forward"), of("gradient")];
  const reports: readonly ReportEvent[] = of("report");
  const order = [...new Set(forward.map(({ path }) => path))];
  const names = [...new Set(gradients.filter(({ shape }) => shape.length > 1).map(({ parameter }) => parameter))];
  const place = (name: string): number => order.indexOf(layerOf(name));
  return {
    ...evidence,
    forward,
    gradients,
    backward: of("backward"),
    updates: of("update"),
    losses: reports.flatMap(({ report: { loss } }) => (loss === undefined ? [] : [loss])),
    steps: [...new Set(evidence.events.map(({ step }) => step))].sort((a, b) => a - b),
    weights: names.sort((a, b) => place(a) - place(b)),
  };
}

/** The layer of a parameter: "hidden.weight" → "hidden". */
export function layerOf(parameter: string): string {
  return parameter.split(".").slice(0, -1).join(".");
}

/** The middle of some numbers, NaN above all others; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.slice().sort(ranking("smaller"));
  return sorted.length === 0 ? Number.NaN : (sorted[sorted.length >> 1] as number);
}

/** Events of the last half of the recorded steps. */
export function lately<Event extends { readonly step: number }>({ steps }: Observations, events: readonly Event[]): readonly Event[] {
  const from = steps[steps.length >> 1] ?? 0;
  return events.filter(({ step }) => step >= from);
}
