// Rules about data: input scale, class balance, suspicious labels.

import { bestOf } from "../../util/rank.ts";
import type { FeatureFacts, Observations } from "./evidence.ts";
import { type Finding, percent, short } from "./finding.ts";
import type { Thresholds } from "./thresholds.ts";

/** The feature of the largest mean or standard deviation, where that is too large. */
function unscaled(features: readonly FeatureFacts[], most: number): FeatureFacts | undefined {
  const size = ({ mean, std }: FeatureFacts): number => Math.max(Math.abs(mean), std);
  const worst = bestOf(features, size, "larger");
  return worst !== undefined && size(worst) > most ? worst : undefined;
}

export function unscaledInputs({ data }: Observations, { inputScale }: Thresholds): Finding[] {
  const worst = unscaled(data?.features ?? [], inputScale);
  if (worst === undefined) return [];
  return [
    {
      kind: "unscaled inputs",
      where: "data",
      what: `${worst.name} has mean ${short(worst.mean)} and standard deviation ${short(worst.std)}`,
      evidence: { mean: worst.mean, std: worst.std, feature: worst.name },
      why: "large inputs make large activations and gradients, and features of different size need different learning rates",
      advice: ["Standardizer.fit(train) for tables: mean 0, standard deviation 1", "pixels divided by 255"],
    },
  ];
}

export function unscaledTargets({ data }: Observations, { inputScale }: Thresholds): Finding[] {
  const worst = unscaled(data?.targets ?? [], inputScale);
  if (worst === undefined) return [];
  return [
    {
      kind: "unscaled targets",
      where: "data",
      what: `${worst.name} has mean ${short(worst.mean)} and standard deviation ${short(worst.std)}`,
      evidence: { mean: worst.mean, std: worst.std, target: worst.name },
      why: "a model begins with outputs of about −1…1: the way to large numbers takes many steps, and their loss makes large gradients",
      advice: ["Standardizer.fit(y) of the training targets; predictions go back through its invert()"],
    },
  ];
}

export function classImbalance({ data }: Observations, { imbalance }: Thresholds): Finding[] {
  const counts = data?.classes ?? [];
  if (counts.length < 2) return [];
  const [most, least] = [Math.max(...counts), Math.min(...counts)];
  if (most < imbalance * Math.max(1, least)) return [];
  return [
    {
      kind: "class imbalance",
      where: "data",
      what: `class ${counts.indexOf(most)} has ${most} samples, class ${counts.indexOf(least)} ${least}`,
      evidence: { counts, ratio: most / Math.max(1, least) },
      why: "a model that always says the large class is right most of the time, so that the small one is not learned; accuracy hides it",
      advice: [
        "class weights in the loss: (y, t) => crossEntropy(y, t, { weights })",
        "f1Score or recall of each class as metric",
        "more samples of the small class",
      ],
    },
  ];
}

export function labelErrors({ predictions }: Observations, { labelErrors: least }: Thresholds): Finding[] {
  if (predictions === undefined || predictions.accuracy < 0.8) return [];
  const { doubtful, samples } = predictions;
  if (doubtful.length < Math.max(2, least * samples)) return [];
  const shown = doubtful
    .slice(0, 5)
    .map(({ sample, label, predicted, probability }) => `${sample} (labelled ${label}, looks like ${predicted}: ${percent(probability)})`);
  return [
    {
      kind: "label errors",
      where: "data",
      what: `the model holds ${doubtful.length} of ${samples} training samples with more than 90 % for another class than their label, for that of nearly all samples near them: ${shown.join(", ")}${doubtful.length > 5 ? ", …" : ""}`,
      evidence: { count: doubtful.length, samples, which: doubtful.map(({ sample }) => sample) },
      why: "a model that fits the rest well is sure about these, and samples like them have another label",
      advice: ["look at these samples and correct their labels", "labelSmoothing in crossEntropy, where that is impossible"],
    },
  ];
}

export function noisyLabels(
  { predictions, heldPredictions, neighbours, trend, history }: Observations,
  { noisyLabels: least }: Thresholds,
): Finding[] {
  // Samples that were trained on may be known by heart.
  const facts = heldPredictions ?? predictions;
  if (facts === undefined || trend === undefined || trend.late > 0.98 * trend.ignorant) return [];
  const { samples, surest, accuracy } = facts;
  // A model that is less sure than it is right has not learned all yet; classes that overlap agree far from where they
  // meet.
  const isCapped = surest.accuracy < least && surest.accuracy - accuracy < 0.15 && surest.probability > surest.accuracy - 0.05;
  // Where neighbours tell labels better than a model where it is surest, the fault is the model's.
  if ((neighbours?.agreement ?? 0) > surest.accuracy + 0.05) return [];
  const losses = history.map(({ train }) => train.loss);
  const stillFalls = losses.length < 4 || losses[losses.length >> 1]! - losses.at(-1)! > 0.03 * trend.ignorant;
  if (!isCapped || samples < 100 || stillFalls) return [];
  return [
    {
      kind: "noisy labels",
      where: "data",
      what: `the model agrees with ${percent(accuracy)} of the labels, and with no more than ${percent(surest.accuracy)} of the ${surest.samples} that it is surest of`,
      evidence: { accuracy, surest: surest.accuracy, samples },
      why: "where classes only overlap, labels are clear far from where they meet; here they disagree everywhere: many are wrong, or depend on something that is not among the inputs",
      advice: [
        "look at some samples with their labels, and where the labels come from",
        "fewer, but checked labels",
        "inputs that tell more",
      ],
    },
  ];
}

export function duplicates({ duplicates: facts }: Observations, { duplicates: most }: Thresholds): Finding[] {
  if (facts === undefined || facts.found < 2 || facts.found / facts.samples <= most + 2 * facts.byChance) return [];
  const shown = facts.pairs.slice(0, 3).map(({ held, train }) => `held-out sample ${held} is training sample ${train}`);
  return [
    {
      kind: "duplicates",
      where: "data",
      what: `${facts.found} of ${facts.samples} held-out samples are among the training samples: ${shown.join(", ")}${facts.found > 3 ? ", …" : ""}`,
      evidence: { found: facts.found, samples: facts.samples, byChance: facts.byChance },
      why: "what is measured on them is how well the model remembers, not how well it does on new samples",
      advice: ["remove copies before splitting", "where rows belong together (a patient, a video), keep all rows of one in one part"],
    },
  ];
}
