// Trains under watch, gathers the facts, and says what is wrong.

import { DataLoader, Dataset } from "../../data/index.ts";
import { type EpochReport, type FitOptions, fit, type Model, predict, type Samples, TrainingError } from "../../train/index.ts";
import { statisticsOf } from "../graph.ts";
import { type NonFinite, whereNotFinite } from "../non-finite.ts";
import { Recorder, type RecorderOptions } from "../recorder.ts";
import { diagnose } from "./diagnose.ts";
import type { DataFacts, Doubtful, Evidence, FeatureFacts, ParameterFacts, PredictionFacts } from "./evidence.ts";
import type { Finding } from "./finding.ts";
import type { Thresholds } from "./thresholds.ts";

/** How to examine a training. */
export interface ExamineOptions extends Omit<FitOptions, "recorder"> {
  readonly thresholds?: Partial<Thresholds>;
  /** What is recorded. Default: everything. */
  readonly record?: RecorderOptions;
  /** Also trains anew, from the same weights, on shuffled targets, to see whether there is something to learn. `optimizer` then makes one. Default false. */
  readonly control?: () => FitOptions["optimizer"];
}

/** What came of it. */
export interface Examination {
  readonly findings: readonly Finding[];
  readonly evidence: Evidence;
  readonly history: readonly EpochReport[];
}

/**
 * Trains a model as fit does, watched by a recorder, and diagnoses the run. A training whose loss is no longer finite ends, and is diagnosed.
 * @throws what fit throws for options and data that make no sense
 * @example const { findings } = await examine(net, train, { loss: crossEntropy, optimizer: adam(net.parameters()), epochs: 3 }); console.log(findingsText(findings));
 */
export async function examine(model: Model, data: Dataset<Samples>, options: ExamineOptions): Promise<Examination> {
  const { thresholds, record, control, ...training } = options;
  const recorder = new Recorder(model, record);
  const parameters = parameterFacts(model);
  const before = control === undefined ? undefined : model.stateDict();
  const history: EpochReport[] = [];
  const callbacks = [...(training.callbacks ?? []), { onEpochEnd: (report: EpochReport) => void history.push(report) }];
  let [failed, nonFinite]: [boolean, NonFinite | undefined] = [false, undefined];
  try {
    await fit(model, data, { ...training, callbacks, recorder });
  } catch (error) {
    if (!(error instanceof TrainingError)) throw error;
    failed = true;
    nonFinite = error.step && whereNotFinite(error.step);
  }
  const shuffled =
    before === undefined
      ? undefined
      : await shuffledLosses(model, before, data, { ...training, optimizer: control?.() ?? training.optimizer });
  const facts = dataFacts(data);
  const predictions = failed || facts.classes === undefined ? undefined : await predictionFacts(model, data, facts.classes.length);
  const evidence: Evidence = {
    events: recorder.events,
    history,
    parameters,
    data: facts,
    failed,
    ...(nonFinite === undefined ? {} : { nonFinite }),
    ...(predictions === undefined ? {} : { predictions }),
    ...(shuffled === undefined ? {} : { control: shuffled }),
  };
  return { findings: diagnose(evidence, thresholds), evidence, history };
}

function parameterFacts(model: Model): ParameterFacts[] {
  return [...model.namedParameters()].map(([name, { shape, requiresGrad, data }]) => ({
    name,
    shape,
    trainable: requiresGrad,
    std: statisticsOf(data).std,
  }));
}

/** Columns one by one; of images and sequences all numbers together. */
export function dataFacts({ fields: { x, y }, columnNames }: Dataset<Samples>): DataFacts {
  const whole = (name: string, data: ArrayLike<number>): FeatureFacts => {
    const { mean, std } = statisticsOf(data as Float32Array);
    return { name, mean, std };
  };
  const [count = 0, width = 0, ...more] = x.shape;
  const features =
    more.length > 0 || width > 1024 || x.shape.length === 1
      ? [whole("an input", x.data)]
      : Array.from({ length: width }, (_, column) =>
          whole(
            columnNames?.[column] ?? `input ${column}`,
            Float32Array.from({ length: count }, (_, row) => x.data[row * width + column] as number),
          ),
        );
  const isClasses = y.shape.length === 1 && !(y.data instanceof Float32Array || y.data instanceof Float64Array);
  if (!isClasses) return { features };
  const classes: number[] = [];
  for (const label of y.data) {
    while (classes.length <= label) classes.push(0);
    classes[label] = (classes[label] as number) + 1;
  }
  return { features, classes };
}

/** Most samples that are looked at one by one. */
const MOST_SAMPLES = 4096;

async function predictionFacts(model: Model, data: Dataset<Samples>, classes: number): Promise<PredictionFacts | undefined> {
  const some = data.size > MOST_SAMPLES ? data.subset(Int32Array.from({ length: MOST_SAMPLES }, (_, n) => n)) : data;
  const output = await predict(model, some.fields.x);
  if (output.shape.length !== 2 || (output.shape[1] as number) < classes) return undefined;
  const scores = output.softmax(1).data;
  const width = output.shape[1] as number;
  const doubtful: Doubtful[] = [];
  let right = 0;
  for (let sample = 0; sample < some.size; sample++) {
    const row = scores.subarray(sample * width, (sample + 1) * width);
    const label = some.fields.y.data[sample] as number;
    const predicted = row.indexOf(Math.max(...row));
    if (predicted === label) right++;
    else if ((row[predicted] as number) > 0.9) doubtful.push({ sample, label, predicted, probability: row[predicted] as number });
  }
  doubtful.sort((a, b) => b.probability - a.probability);
  return { samples: some.size, accuracy: right / some.size, doubtful };
}

/** The training losses of the same model on targets in another order; the model is as before afterwards. */
async function shuffledLosses(
  model: Model,
  weights: ReturnType<Model["stateDict"]>,
  data: Dataset<Samples>,
  options: FitOptions,
): Promise<number[]> {
  const after = model.stateDict();
  model.loadStateDict(weights);
  const { x, y } = data.fields;
  // One batch of all samples in another order.
  const [batch] = new DataLoader(new Dataset({ y }), { batchSize: data.size, shuffle: true, seed: 1 }).batches({ epoch: 0 });
  const { validation: _, earlyStopping: __, callbacks: ___, ...rest } = options;
  const other = new Dataset<Samples>({ x, y: (batch as { readonly y: typeof y }).y });
  try {
    return (await fit(model, other, rest)).history.map(({ train }) => train.loss);
  } finally {
    model.loadStateDict(after);
  }
}
