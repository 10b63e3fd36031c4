// Trains a model while recording, gathers evidence, and diagnoses it.

import type { Dataset } from "../../data/index.ts";
import { randomState } from "../../tensor/index.ts";
import { checkFit, FIT_OPTIONS } from "../../train/check.ts";
import { type EpochReport, type FitOptions, fit, type Model, type Samples, TrainingError } from "../../train/index.ts";
import { remember } from "../../train/remember.ts";
import { checkOptions, type OptionNames } from "../../util/options.ts";
import { type NonFinite, whereNotFinite } from "../explain/non-finite.ts";
import { Recorder, type RecorderOptions } from "../record/recorder.ts";
import { baselineOf } from "./baseline.ts";
import { checkThresholds, diagnose } from "./diagnose.ts";
import { type Evidence, observe, type PredictionFacts } from "./evidence.ts";
import { dataFacts, duplicateFacts, outputsOf, type Parts, parameterFacts, partsOf, spread } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { neighbourFacts } from "./neighbours.ts";
import { predictionFacts } from "./predictions.ts";
import type { Thresholds } from "./thresholds.ts";
import { rateTrial, shuffledLosses } from "./trials.ts";

/** How to examine a training. */
export interface ExamineOptions extends Omit<FitOptions, "recorder"> {
  readonly thresholds?: Partial<Thresholds>;
  /** What is recorded. Default: everything. */
  readonly record?: RecorderOptions;
  /**
   * Also trains anew, from the same weights, on shuffled targets, to see whether there is something to learn. Default:
   * where the loss did not soon fall well below that of a prediction which is the same for every sample.
   */
  readonly control?: boolean;
  /** Also trains on for some steps at a lower rate, to see whether that is better. Default true. */
  readonly trial?: boolean;
  /** Whether the model was trained before, so that its weights are not initial ones. Default false. */
  readonly trained?: boolean;
}

/** The results. */
export interface Examination {
  readonly findings: readonly Finding[];
  readonly evidence: Evidence;
  readonly history: readonly EpochReport[];
}

/** Most samples that are looked at one by one. */
const MOST_SAMPLES = 4096;

const { recorder: _, ...fitOptions } = FIT_OPTIONS;
const EXAMINE_OPTIONS: OptionNames<ExamineOptions> = {
  ...{ ...fitOptions, thresholds: true, record: true, control: true, trial: true, trained: true },
};

/**
 * Trains a model as fit does, watched by a recorder, and diagnoses the run. A training whose loss is no longer finite
 * ends, and is diagnosed. Trials and controls train further, or anew, and put everything back.
 * @throws what fit throws for options and data that make no sense
 * @example const { findings } = await examine(net, train, { loss: crossEntropy, optimizer: adam(net.parameters()), epochs: 3 }); console.log(findingsText(findings));
 */
export async function examine(model: Model, data: Dataset<Samples>, options: ExamineOptions): Promise<Examination> {
  const { thresholds, record, control, trial = true, trained = false, ...training } = checkOptions("examine", options, EXAMINE_OPTIONS);
  checkThresholds("examine", thresholds);
  checkFit(data, training);
  const { optimizer, loss, validation, signal } = training;
  const recorder = new Recorder(model, record);
  const parts = partsOf(data, validation, training.resume?.seed ?? training.seed ?? randomState().seed);
  const some = spread(parts.train, MOST_SAMPLES);
  const before = { parameters: parameterFacts(model), restore: remember(model, optimizer) };
  const history: EpochReport[] = [];
  const callbacks = [...(training.callbacks ?? []), { onEpochEnd: (report: EpochReport) => void history.push(report) }];
  const own: FitOptions = { ...training, ...(parts.held === undefined ? {} : { validation: parts.held }) };
  let [failed, nonFinite]: [boolean, NonFinite | undefined] = [false, undefined];
  try {
    await fit(model, parts.train, { ...own, callbacks, recorder });
  } catch (error) {
    if (!(error instanceof TrainingError)) throw error;
    failed = true;
    nonFinite = error.step && whereNotFinite(error.step);
  }
  const outputs = await outputsOf(model, some.data, loss);
  const baseline = baselineOf(loss, outputs.shape, some.data.fields.y);
  const seen: Evidence = {
    events: recorder.events,
    history,
    trained,
    parameters: before.parameters,
    data: dataFacts(parts.train),
    failed,
    ...(baseline === undefined ? {} : { baseline }),
    ...(nonFinite === undefined ? {} : { nonFinite }),
    ...(parts.held === undefined ? {} : { duplicates: duplicateFacts(parts.train, parts.held) }),
  };
  if (failed || signal?.aborted === true) return concluded(seen, thresholds);
  const look = (): Promise<Predictions> => predictionsOf(model, parts, some);
  const tried = trial ? await rateTrial(model, parts.train, own, look) : undefined;
  const isAsked = control ?? isDoubtful(seen);
  const shuffled = isAsked ? await controlled(model, parts.train, own, before.restore) : [];
  return concluded(
    {
      ...seen,
      ...(tried?.seen ?? (await look())),
      outputs: outputs.facts,
      ...(tried === undefined ? {} : { trial: tried.trial }),
      ...(isAsked ? { control: shuffled } : {}),
      neighbours: neighbourFacts(parts.train),
    },
    thresholds,
  );
}

function concluded(evidence: Evidence, thresholds: Partial<Thresholds> | undefined): Examination {
  return { findings: diagnose(evidence, thresholds), evidence, history: evidence.history };
}

type Predictions = Pick<Evidence, "predictions" | "heldPredictions">;

/** Predictions on training samples, by their numbers in the data, and on held-out ones. */
async function predictionsOf(model: Model, { held, numbers }: Parts, some: ReturnType<typeof spread>): Promise<Predictions> {
  const own = await predictionFacts(model, some.data);
  const others = held && (await predictionFacts(model, spread(held, MOST_SAMPLES).data));
  const numbered = (found: PredictionFacts): PredictionFacts => ({
    ...found,
    doubtful: found.doubtful.map((one) => {
      const sample = some.numbers[one.sample]!;
      return { ...one, sample: numbers === undefined ? sample : numbers[sample]! };
    }),
  });
  return { ...(own === undefined ? {} : { predictions: numbered(own) }), ...(others === undefined ? {} : { heldPredictions: others }) };
}

/** The training anew on shuffled targets; model and optimizer are as they were afterwards. */
async function controlled(model: Model, data: Dataset<Samples>, options: FitOptions, begin: () => void): Promise<number[]> {
  const restore = remember(model, options.optimizer);
  try {
    begin();
    return await shuffledLosses(model, data, options);
  } finally {
    restore();
  }
}

/** Whether the training may have learned nothing but its samples by heart: good inputs help within the first epoch. */
function isDoubtful(evidence: Evidence): boolean {
  const { trend } = observe(evidence);
  const [first] = evidence.history;
  if (trend === undefined || first === undefined) return false;
  return trend.late > 0.8 * trend.ignorant || first.train.loss > 0.9 * trend.ignorant;
}
