// Runs all rules on the evidence; causes come before their consequences.

import { checkArguments } from "../../util/arguments.ts";
import { checkOptions, type OptionNames } from "../../util/options.ts";
import { EVIDENCE } from "../kinds.ts";
import { badInitialization, deadUnits, notFinite, saturatedActivations, symmetricInitialization } from "./activation-rules.ts";
import { classImbalance, duplicates, labelErrors, noisyLabels, unscaledInputs, unscaledTargets } from "./data-rules.ts";
import { type Evidence, type Observations, observe } from "./evidence.ts";
import { FINDING_KINDS, type Finding, type FindingKind } from "./finding.ts";
import { explodingGradients, unusedParameters, vanishingGradients } from "./gradient-rules.ts";
import { evaluationMode, gradientsNotZeroed, softmaxTwice } from "./loop-rules.ts";
import { THRESHOLDS, type Thresholds } from "./thresholds.ts";
import { learningRateTooHigh, learningRateTooLow, nothingToLearn, notLearning, overfitting, plateau } from "./training-rules.ts";

const rules: readonly ((run: Observations, thresholds: Thresholds) => Finding[])[] = [
  symmetricInitialization,
  unscaledInputs,
  unscaledTargets,
  gradientsNotZeroed,
  evaluationMode,
  softmaxTwice,
  learningRateTooHigh,
  notFinite,
  badInitialization,
  explodingGradients,
  deadUnits,
  saturatedActivations,
  vanishingGradients,
  unusedParameters,
  learningRateTooLow,
  classImbalance,
  labelErrors,
  noisyLabels,
  duplicates,
  overfitting,
  nothingToLearn,
  notLearning,
  plateau,
];

const GENERAL: readonly FindingKind[] = ["class imbalance", "frozen parameters", "duplicates"];

const anythingElse = (kind: FindingKind) => (other: FindingKind) => other !== kind && !GENERAL.includes(other);
const among =
  (...kinds: readonly FindingKind[]) =>
  (other: FindingKind) =>
    kinds.includes(other);

/** What only tells that something is wrong. */
const SYMPTOMS: readonly FindingKind[] = ["plateau", "not learning", "overfitting", "label errors"];

/** A finding says nothing beside what explains it. */
const EXPLAINED: Partial<Record<FindingKind, (other: FindingKind) => boolean>> = {
  "not learning": anythingElse("not learning"),
  plateau: anythingElse("plateau"),
  // What a model believes that was thrown about says nothing about labels.
  "label errors": among("learning rate too high", "not finite", "noisy labels", "nothing to learn"),
  // Labels are judged by a model that has learned what it could.
  "noisy labels": (other) => other !== "noisy labels" && !GENERAL.includes(other) && !SYMPTOMS.includes(other),
  "nothing to learn": (other) => ![...GENERAL, ...SYMPTOMS, "nothing to learn", "noisy labels"].includes(other),
  "learning rate too low": among("learning rate too high"),
  // Steps along a sum of gradients are long ones.
  "learning rate too high": among("gradients not zeroed"),
};

/** @throws InputError for a threshold that there is not */
export function checkThresholds(what: string, thresholds: Partial<Thresholds> | undefined): void {
  checkOptions(`${what}: thresholds`, thresholds, THRESHOLDS as unknown as OptionNames<Partial<Thresholds>>);
}

/** What is wrong with a run; nothing where nothing is. Pure: the same evidence gives the same findings. */
export function diagnose(evidence: Evidence, thresholds: Partial<Thresholds> = {}): Finding[] {
  checkThresholds("diagnose", thresholds);
  checkArguments("diagnose", { evidence: [evidence, EVIDENCE] });
  const run = observe(evidence);
  const found = rules.flatMap((rule) => rule(run, { ...THRESHOLDS, ...thresholds }));
  const kinds = found.map(({ kind }) => kind);
  return found
    .filter(({ kind }) => !kinds.some((other) => EXPLAINED[kind]?.(other)))
    .sort((a, b) => FINDING_KINDS.indexOf(a.kind) - FINDING_KINDS.indexOf(b.kind));
}
