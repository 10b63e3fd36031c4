// Findings about how the training goes: the learning rate, and losses that do not fall, stand still, or fall only on the training data.

import { bestOf } from "../../util/rank.ts";
import { lately, median, type Observations } from "./evidence.ts";
import { type Finding, percent, short } from "./finding.ts";
import type { Thresholds } from "./thresholds.ts";

interface Ratio {
  readonly name: string;
  /** NaN where nothing was updated. */
  readonly ratio: number;
}

/** Norm of the update by norm of the weight, in the middle of the late steps, for the weight that moves most. */
function updateRatio(run: Observations): Ratio {
  const recent = weightUpdates(run, lately(run, run.updates));
  return largest(run.weights.map((name) => ({ name, ratio: median(recent.filter((one) => one.name === name).map(({ ratio }) => ratio)) })));
}

/** The largest single step relative to its weight in the first third. */
function firstRatio(run: Observations): Ratio {
  const third = run.steps[Math.floor(run.steps.length / 3)] ?? 0;
  return largest(weightUpdates(run, run.updates.filter(({ step }) => step <= third))); // biome-ignore format: one thought
}

function weightUpdates(run: Observations, updates: Observations["updates"]): Ratio[] {
  const own = updates.filter(({ parameter, norm }) => run.weights.includes(parameter) && norm > 0);
  return own.map(({ parameter, change, norm }) => ({ name: parameter, ratio: change / norm }));
}

function largest(ratios: readonly Ratio[]): Ratio {
  return bestOf(ratios, ({ ratio }) => ratio, "larger") ?? { name: "", ratio: Number.NaN };
}

/** Mean losses at the beginning and at the end: of a tenth of the steps each. */
function ends(losses: readonly number[]): { readonly first: number; readonly last: number } {
  const share = Math.max(1, Math.floor(losses.length / 10));
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return { first: mean(losses.slice(0, share)), last: mean(losses.slice(-share)) };
}

export function learningRateTooHigh(run: Observations, { updateHigh, replaced, diverged, steps }: Thresholds): Finding[] {
  if (run.losses.length < 2) return [];
  const [early, late] = [firstRatio(run), updateRatio(run)];
  const { ratio, name } = early.ratio > replaced || Number.isNaN(late.ratio) ? early : late;
  const [first = Number.NaN] = run.losses;
  const { last } = ends(run.losses);
  const highest = Math.max(...run.losses.filter(Number.isFinite));
  const ended = run.failed === true || !Number.isFinite(last);
  const isDiverged = last > diverged * first || (ended && highest > 2 * first);
  // A single long step does no harm where the loss falls well after it.
  const isLarge = (late.ratio > updateHigh || (early.ratio > replaced && last > 0.5 * first)) && run.losses.length >= steps;
  const isUnstable = run.losses.length >= steps && highest > 10 * first;
  if (!isDiverged && !isLarge && !isUnstable) return [];
  const moved = Number.isNaN(ratio) ? "" : `; a step changed ${name} by ${percent(ratio)} of its size, 0.1 % is usual`;
  const went = ended
    ? `to ${short(highest)}, then not finite`
    : isUnstable && !isDiverged
      ? `up to ${short(highest)}, at last ${short(last)}`
      : `to ${short(last)}`;
  return [
    {
      kind: "learning rate too high",
      where: "optimizer",
      what: `the loss went from ${short(first)} ${went}${moved}`,
      evidence: { first, last, highest, ...(Number.isNaN(ratio) ? {} : { updateRatio: ratio }) },
      why: "steps that are longer than the loss is straight jump over its valleys: it oscillates, or grows without end",
      advice: ["a tenth of the learning rate; kasane lr-find or findLearningRate() shows a range", "warm-up, or clip: { norm: 1 }"],
    },
  ];
}

export function learningRateTooLow(run: Observations, { updateLow, notLearning, steps }: Thresholds): Finding[] {
  if (run.losses.length < steps) return [];
  const { ratio, name } = updateRatio(run);
  const { first, last } = ends(run.losses);
  const hasGradients = run.gradients.some(({ parameter, gradient }) => parameter === name && gradient.norm > 0);
  if (!(ratio < updateLow && hasGradients && last > notLearning * first)) return [];
  return [
    {
      kind: "learning rate too low",
      where: "optimizer",
      what: `a step changes ${name}, which moves most, by ${short(ratio)} of its size; the loss went from ${short(first)} to ${short(last)} in ${run.losses.length} steps`,
      evidence: { updateRatio: ratio, first, last },
      why: "at this pace the weights need a hundred thousand steps to change by their own size",
      advice: ["ten to a hundred times the learning rate; kasane lr-find or findLearningRate() shows a range"],
    },
  ];
}

export function overfitting({ history }: Observations, { overfitting: most }: Thresholds): Finding[] {
  const epochs = history.flatMap(({ epoch, train, validation }) =>
    validation === undefined ? [] : [{ epoch, train: train.loss, held: validation.loss }],
  );
  const best = epochs.reduce<(typeof epochs)[number] | undefined>((a, b) => (a === undefined || b.held < a.held ? b : a), undefined);
  const last = epochs.at(-1);
  if (best === undefined || last === undefined || last.epoch - best.epoch < 3) return [];
  if (!(last.held > most * best.held && last.train < best.train && last.held > 2 * last.train)) return [];
  return [
    {
      kind: "overfitting",
      where: "loss",
      what: `the held-out loss was least in epoch ${best.epoch}, ${short(best.held)}, and is ${short(last.held)} now, while the training loss fell from ${short(best.train)} to ${short(last.train)}`,
      evidence: { bestEpoch: best.epoch, best: best.held, last: last.held, train: last.train },
      why: "the model learns the training samples by heart: it has more freedom than they have information",
      advice: [
        "earlyStopping: { patience: 3 }, which keeps the best weights",
        "dropout, weight decay, or a smaller model",
        "more data, or transforms that vary it",
      ],
    },
  ];
}

export function nothingToLearn({ history, control }: Observations): Finding[] {
  const [real, shuffled] = [history.at(-1)?.train.loss, control?.at(-1)];
  if (real === undefined || shuffled === undefined || real < 0.97 * shuffled) return [];
  return [
    {
      kind: "nothing to learn",
      where: "data",
      what: `after ${history.length} epochs the loss is ${short(real)}; with shuffled targets it is ${short(shuffled)}`,
      evidence: { loss: real, control: shuffled },
      why: "targets that have nothing to do with their inputs are learned as well as these: inputs and targets are not matched, or the inputs do not tell the targets",
      advice: [
        "check that row n of the targets belongs to row n of the inputs (were both shuffled alike?)",
        "look at some samples with their targets",
      ],
    },
  ];
}

export function notLearning(run: Observations, { notLearning: least, steps }: Thresholds): Finding[] {
  const { first, last } = ends(run.losses);
  if (run.losses.length < 2 * steps || !(last > least * first)) return [];
  return [
    {
      kind: "not learning",
      where: "loss",
      what: `in ${run.losses.length} steps the loss went from ${short(first)} to ${short(last)}`,
      evidence: { first, last, steps: run.losses.length },
      why: "the gradients do not lead anywhere: targets that the inputs do not tell, a loss that does not fit the output, or a part of the model that is cut off",
      advice: [
        "train on ten samples only: a model that cannot learn these has a fault",
        "compare with shuffled targets: examine(net, data, { …, control: true })",
      ],
    },
  ];
}

export function plateau({ history }: Observations, { plateau: least }: Thresholds): Finding[] {
  const losses = history.map(({ train }) => train.loss);
  const [first, half, last] = [losses[0], losses[losses.length >> 1], losses.at(-1)];
  if (first === undefined || half === undefined || last === undefined || losses.length < 6) return [];
  const late = losses.slice(losses.length >> 1);
  const range = Math.max(...late) - Math.min(...late);
  if (!(range < least * first && last > 0.5 * first && half < 0.98 * first)) return [];
  return [
    {
      kind: "plateau",
      where: "loss",
      what: `the loss fell from ${short(first)} to ${short(half)}, and has moved by ${short(range)} in the last ${late.length} epochs`,
      evidence: { first, last, range, epochs: late.length },
      why: "the steps are too small for a flat stretch (a schedule that ended too early), or the model cannot tell more",
      advice: ["a schedule that decays later, or restarts", "a larger model, or other features"],
    },
  ];
}
