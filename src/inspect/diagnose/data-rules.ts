// Findings about the data: scale of the inputs, balance of the classes, labels that look wrong.

import type { Observations } from "./evidence.ts";
import { type Finding, percent, short } from "./finding.ts";
import type { Thresholds } from "./thresholds.ts";

export function unscaledInputs({ data }: Observations, { inputScale }: Thresholds): Finding[] {
  const size = ({ mean, std }: { readonly mean: number; readonly std: number }): number => Math.max(Math.abs(mean), std);
  const features = data?.features ?? [];
  const worst = features.reduce<(typeof features)[number] | undefined>((a, b) => (a === undefined || size(b) > size(a) ? b : a), undefined);
  if (worst === undefined || size(worst) <= inputScale) return [];
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
      what: `the model holds ${doubtful.length} of ${samples} training samples with more than 90 % for another class than their label: ${shown.join(", ")}${doubtful.length > 5 ? ", …" : ""}`,
      evidence: { count: doubtful.length, samples, which: doubtful.map(({ sample }) => sample) },
      why: "a model that fits the rest well and is sure about these has seen many samples like them with another label",
      advice: ["look at these samples and correct their labels", "labelSmoothing in crossEntropy, where that is impossible"],
    },
  ];
}
