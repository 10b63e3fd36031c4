// The diagnosis: every rule looks at the evidence, causes are told before their consequences.

import { badInitialisation, deadUnits, notFinite, saturatedActivations, symmetricInitialisation } from "./activation-rules.ts";
import { classImbalance, labelErrors, unscaledInputs } from "./data-rules.ts";
import { type Evidence, type Observations, observe } from "./evidence.ts";
import { FINDING_KINDS, type Finding, type FindingKind } from "./finding.ts";
import { explodingGradients, unusedParameters, vanishingGradients } from "./gradient-rules.ts";
import { THRESHOLDS, type Thresholds } from "./thresholds.ts";
import { learningRateTooHigh, learningRateTooLow, nothingToLearn, notLearning, overfitting, plateau } from "./training-rules.ts";

const rules: readonly ((run: Observations, thresholds: Thresholds) => Finding[])[] = [
  symmetricInitialisation,
  unscaledInputs,
  learningRateTooHigh,
  notFinite,
  badInitialisation,
  explodingGradients,
  deadUnits,
  saturatedActivations,
  vanishingGradients,
  unusedParameters,
  learningRateTooLow,
  classImbalance,
  labelErrors,
  overfitting,
  nothingToLearn,
  notLearning,
  plateau,
];

/** A general finding says nothing beside what explains it. */
const EXPLAINED: Partial<Record<FindingKind, (other: FindingKind) => boolean>> = {
  "not learning": (other) => other !== "not learning" && other !== "class imbalance" && other !== "frozen parameters",
  plateau: (other) => other !== "plateau" && other !== "class imbalance" && other !== "frozen parameters",
};

/** What is wrong with a run; nothing where nothing is. Pure: the same evidence gives the same findings. */
export function diagnose(evidence: Evidence, thresholds: Partial<Thresholds> = {}): Finding[] {
  const run = observe(evidence);
  const found = rules.flatMap((rule) => rule(run, { ...THRESHOLDS, ...thresholds }));
  const kinds = found.map(({ kind }) => kind);
  return found
    .filter(({ kind }) => !kinds.some((other) => EXPLAINED[kind]?.(other)))
    .sort((a, b) => FINDING_KINDS.indexOf(a.kind) - FINDING_KINDS.indexOf(b.kind));
}
