// Predicted classes of the trained model, and samples whose label is another class.

import type { Dataset } from "../../data/index.ts";
import { type Model, predict, predictedClasses, type Samples } from "../../train/index.ts";
import type { Doubtful, PredictionFacts } from "./evidence.ts";
import { classCounts, isClasses, probabilityRows } from "./facts.ts";
import { confirmed } from "./neighbours.ts";
import { mean } from "./statistics.ts";

/** The share of samples that a model is surest of: enough to count, few enough to lie far from where classes meet. */
const SUREST = 0.2;

/**
 * @returns undefined where the targets are no class numbers, or the model gives something else than a score for each
 * class
 */
export async function predictionFacts(model: Model, data: Dataset<Samples>): Promise<PredictionFacts | undefined> {
  const { x, y } = data.fields;
  if (!isClasses(y)) return undefined;
  const output = await predict(model, x);
  const [, width = 0] = output.shape;
  if (output.shape.length !== 2 || width < 2 || y.data.some((label) => label >= width)) return undefined;
  const probabilities = (probabilityRows(output).rows ? output : output.softmax(1)).data;
  const judged = Array.from(predictedClasses(output), (predicted, sample) => {
    const probability = probabilities[sample * width + predicted] ?? Number.NaN;
    return { sample, label: y.data[sample]!, predicted, probability };
  });
  const agreement = (some: readonly Doubtful[]): number => mean(some.map(({ label, predicted }) => Number(label === predicted)));
  const bySurety = judged.slice().sort((a, b) => b.probability - a.probability);
  const surest = bySurety.slice(0, Math.ceil(SUREST * judged.length));
  const doubtful = bySurety.filter(({ label, predicted, probability }) => label !== predicted && probability > 0.9);
  return {
    samples: data.size,
    accuracy: agreement(judged),
    mostFrequent: Math.max(...classCounts(y)) / data.size,
    doubtful: confirmed(data, doubtful),
    surest: { samples: surest.length, accuracy: agreement(surest), probability: mean(surest.map(({ probability }) => probability)) },
  };
}
