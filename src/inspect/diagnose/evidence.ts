// The evidence of a diagnosis: recorder events, training history, and facts about model and data.

import type { EpochReport } from "../../train/index.ts";
import type { NonFinite } from "../explain/non-finite.ts";
import type { BackwardEvent, ForwardEvent, GradientEvent, RecorderEvent, ReportEvent, UpdateEvent } from "../record/events.ts";
import { deviationOf, mean } from "./statistics.ts";

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
  readonly samples: number;
  readonly features: readonly FeatureFacts[];
  /** Samples of each class; undefined for other targets. */
  readonly classes?: readonly number[];
  /** Of targets that are no classes. */
  readonly targets?: readonly FeatureFacts[];
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

/**
 * Predictions of the trained model on its training data (after a short training at a lower rate, which steadies them,
 * where one was tried).
 */
export interface PredictionFacts {
  readonly samples: number;
  /** Share of the labels that it agrees with. */
  readonly accuracy: number;
  /** Share of the most frequent label. */
  readonly mostFrequent: number;
  /** Those held with more than 0.9 for another class, which nearly all of their neighbours have; the surest first. */
  readonly doubtful: readonly Doubtful[];
  /**
   * The fifth of the samples that it is surest of: how many labels it agrees with there, and how sure it is in the
   * mean.
   */
  readonly surest: { readonly samples: number; readonly accuracy: number; readonly probability: number };
}

/** What the model gives, and what the loss makes of it. */
export interface OutputFacts {
  /** What its outputs have gone through, by their numbers. */
  readonly probabilities: "softmax" | "sigmoid" | "none";
  /** The loss takes them for logits, and does the same to them once more. */
  readonly squashedAgain: boolean;
}

/** Held-out samples whose inputs are those of a training sample, number for number. */
export interface DuplicateFacts {
  /** Held-out samples looked at, and how many of them are training samples. */
  readonly samples: number;
  readonly found: number;
  /** The share that chance would give, with so few different values in the columns. */
  readonly byChance: number;
  readonly pairs: readonly { readonly held: number; readonly train: number }[];
}

/** What the data tell without a model: how alike the targets of samples are that are near to each other. */
export interface NeighbourFacts {
  /**
   * By how many standard errors the targets of nearest neighbours are nearer to each other than those of any two
   * samples: above 3 the inputs tell something.
   */
  readonly score: number;
  /** Of classes: the share of samples whose label most of their neighbours have. */
  readonly agreement?: number;
}

/**
 * Two courses of some steps from the same weights over the same batches: at the training's rate, and at a lower one.
 */
export interface RateTrial {
  readonly steps: number;
  readonly rate: number;
  /** Mean over the second half of the steps. */
  readonly loss: number;
  readonly lowerRate: number;
  readonly lowerLoss: number;
  /** Standard error of the difference of the losses. */
  readonly error: number;
}

/** Everything a diagnosis can use; what is missing is not judged. */
export interface Evidence {
  readonly events: readonly RecorderEvent[];
  readonly history: readonly EpochReport[];
  readonly parameters?: readonly ParameterFacts[];
  readonly data?: DataFacts;
  readonly outputs?: OutputFacts;
  readonly predictions?: PredictionFacts;
  /** The same on held-out data. */
  readonly heldPredictions?: PredictionFacts;
  readonly duplicates?: DuplicateFacts;
  /** The loss of the best prediction that is the same for every sample, which any model must beat: see baselineOf. */
  readonly baseline?: number | undefined;
  /** Whether the first event is of a model that was trained before. */
  readonly trained?: boolean;
  readonly trial?: RateTrial;
  /** Losses of the same training on shuffled targets, by epoch. */
  readonly control?: readonly number[];
  readonly neighbours?: NeighbourFacts;
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
  /** How they went; undefined for fewer than two. */
  readonly trend: Trend | undefined;
  /** Numbers of the recorded steps, ascending. */
  readonly steps: readonly number[];
  /** Names of weights (not biases or scales) in the order of the forward pass. */
  readonly weights: readonly string[];
}

/** Losses at the beginning and at the end, and the scale by which a change is much or little. */
export interface Trend {
  /** Of the first step. */
  readonly first: number;
  /** Means of the first and the last steps: a quarter of them, at most 16. */
  readonly early: number;
  readonly late: number;
  /** Standard error of the difference of the two means, by how much neighbouring losses differ. */
  readonly error: number;
  readonly highest: number;
  /**
   * The loss of a model that knows nothing: the baseline, else the highest of the first epoch and the first step. A
   * trained model's first loss is no measure: one hard batch is many times that.
   */
  readonly ignorant: number;
  /** Whether the ignorant loss is a measured baseline. */
  readonly measured: boolean;
}

/** So many standard errors are no chance. */
export const SURE = 4;

function trendOf({ baseline, history }: Evidence, losses: readonly number[]): Trend | undefined {
  const [first] = losses;
  if (first === undefined || losses.length < 2) return undefined;
  const share = Math.min(16, Math.max(1, losses.length >> 2));
  const [begin, end] = [losses.slice(0, share), losses.slice(-share)];
  const deviation = deviationOf(losses);
  const began = history[0]?.train.loss ?? Number.NaN;
  return {
    first,
    early: mean(begin),
    late: mean(end),
    error: deviation * Math.sqrt(2 / share),
    highest: Math.max(...losses.filter(Number.isFinite)),
    ignorant: baseline ?? (began > first ? began : first),
    measured: baseline !== undefined,
  };
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
  const losses = reports.flatMap(({ report: { loss } }) => (loss === undefined ? [] : [loss]));
  return {
    ...evidence,
    forward,
    gradients,
    backward: of("backward"),
    updates: of("update"),
    losses,
    trend: trendOf(evidence, losses),
    steps: [...new Set(evidence.events.map(({ step }) => step))].sort((a, b) => a - b),
    weights: names.sort((a, b) => place(a) - place(b)),
  };
}

/** The layer of a parameter: "hidden.weight" → "hidden". */
export function layerOf(parameter: string): string {
  return parameter.split(".").slice(0, -1).join(".");
}

/** Events of the last half of the recorded steps. */
export function lately<Event extends { readonly step: number }>({ steps }: Observations, events: readonly Event[]): readonly Event[] {
  const from = steps[steps.length >> 1] ?? 0;
  return events.filter(({ step }) => step >= from);
}
