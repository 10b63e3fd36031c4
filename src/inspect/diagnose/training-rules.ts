// Rules about the course of a training: the learning rate, plateaus, overfitting.

import { bestOf } from "../../util/rank.ts";
import { lately, type Observations, type PredictionFacts, SURE, type Trend } from "./evidence.ts";
import { type Finding, percent, short } from "./finding.ts";
import { mean, median } from "./statistics.ts";
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
  return largest(
    weightUpdates(
      run,
      run.updates.filter(({ step }) => step <= third),
    ),
  );
}

function weightUpdates(run: Observations, updates: Observations["updates"]): Ratio[] {
  const own = updates.filter(({ parameter, norm }) => run.weights.includes(parameter) && norm > 0);
  return own.map(({ parameter, change, norm }) => ({ name: parameter, ratio: change / norm }));
}

function largest(ratios: readonly Ratio[]): Ratio {
  return bestOf(ratios, ({ ratio }) => ratio, "larger") ?? { name: "", ratio: Number.NaN };
}

/**
 * A layer most of whose units answered at first and do not any more: steps threw them where their inputs are negative
 * for all samples.
 */
function silencedUnits({ forward, steps }: Observations, most: number): string | undefined {
  if (steps.length < 8) return undefined;
  const [begin, end] = [steps[1]!, steps[steps.length >> 1]!];
  const answered = (events: Observations["forward"]): boolean[] =>
    (events[0]?.active ?? []).map((_, unit) => events.some(({ active }) => (active?.[unit] ?? 0) > 0));
  for (const path of new Set(forward.flatMap(({ path, active }) => (active === undefined ? [] : [path])))) {
    const own = forward.filter((event) => event.path === path);
    const before = answered(own.filter(({ step }) => step <= begin));
    const after = answered(own.filter(({ step }) => step >= end));
    const silenced = before.filter((was, unit) => was && after[unit] === false).length;
    if (silenced > 0 && silenced >= most * before.length)
      return `${silenced} of ${before.length} units of ${path} answered in the first steps, and to no sample any more`;
  }
  return undefined;
}

export function learningRateTooHigh(
  run: Observations,
  { updateHigh, replaced, diverged, rose, bettered, silenced: silencedMost, steps }: Thresholds,
): Finding[] {
  const { trend, trial, failed } = run;
  if (trend === undefined) return [];
  const { first, early: before, late, highest, ignorant, error } = trend;
  const [early, recent] = [firstRatio(run), updateRatio(run)];
  const { ratio, name } = early.ratio > replaced || Number.isNaN(recent.ratio) ? early : recent;
  const worst = Math.max(first, ignorant);
  const ended = failed === true || !Number.isFinite(late);
  const isDiverged = late > diverged * worst || (ended && highest > 2 * worst);
  // What was learned is lost again: by much of what there is to learn, not of a loss that was next to nothing.
  const isLost = run.losses.length >= steps && late - before > Math.max(rose * ignorant, SURE * error) && late > 2 * before;
  // A single long step does no harm where the loss falls well after it.
  const isLarge = (recent.ratio > updateHigh || (early.ratio > replaced && late > 0.5 * worst)) && run.losses.length >= steps;
  const isUnstable = run.losses.length >= steps && highest > 10 * worst;
  const better = trial === undefined ? 0 : trial.loss - trial.lowerLoss;
  const isMuch = better > bettered * ignorant || (better > 0.3 * bettered * ignorant && better > 0.4 * (trial?.loss ?? 0));
  const isBettered = trial !== undefined && isMuch && better > SURE * trial.error;
  const silenced = silencedUnits(run, silencedMost);
  if (!isDiverged && !isLost && !isLarge && !isUnstable && !isBettered && silenced === undefined) return [];
  const moved = Number.isNaN(ratio) ? "" : `; a step changed ${name} by ${percent(ratio)} of its size, 0.1 % is usual`;
  const went = ended
    ? `to ${short(highest)}, then not finite`
    : isUnstable && !isDiverged
      ? `up to ${short(highest)}, at last ${short(late)}`
      : `to ${short(late)}`;
  const compared =
    trial === undefined || !isBettered
      ? ""
      : `; ${trial.steps} steps more at ${short(trial.rate)} gave ${short(trial.loss)}, the same steps at ${short(trial.lowerRate)} ${short(trial.lowerLoss)}`;
  return [
    {
      kind: "learning rate too high",
      where: "optimizer",
      what: `the loss went from ${short(first)} ${went}${compared}${moved}${silenced === undefined ? "" : `; ${silenced}`}`,
      evidence: {
        ...{ first, last: late, highest, baseline: ignorant },
        ...(Number.isNaN(ratio) ? {} : { updateRatio: ratio }),
        ...(trial === undefined ? {} : { trialLoss: trial.loss, lowerLoss: trial.lowerLoss }),
      },
      why: "steps that are longer than the loss is straight jump over its valleys: it oscillates, or grows without end",
      advice: ["a tenth of the learning rate; kasane lr-find or findLearningRate() shows a range", "warm-up, or clip: { norm: 1 }"],
    },
  ];
}

export function learningRateTooLow(run: Observations, { updateLow, notLearned, steps }: Thresholds): Finding[] {
  const { trend } = run;
  if (trend === undefined || run.losses.length < steps) return [];
  const { early, late, ignorant } = trend;
  const { ratio, name } = updateRatio(run);
  const hasGradients = run.gradients.some(({ parameter, gradient }) => parameter === name && gradient.norm > 0);
  if (!(ratio / lowered(run) < updateLow && hasGradients && late > notLearned * ignorant && !falls(run, trend))) return [];
  return [
    {
      kind: "learning rate too low",
      where: "optimizer",
      what: `a step changes ${name}, which moves most, by ${short(ratio)} of its size; the loss went from ${short(early)} to ${short(late)} in ${run.losses.length} steps`,
      evidence: { updateRatio: ratio, first: early, last: late, baseline: ignorant },
      why: "at this pace the weights need a hundred thousand steps to change by their own size",
      advice: ["ten to a hundred times the learning rate; kasane lr-find or findLearningRate() shows a range"],
    },
  ];
}

/** A loss that moved by less of the ignorant one stands still. */
const MOVED = 0.02;

/** Epochs see the same samples, so that what chance gives to batches does not count between them. */
function falls({ history }: Observations, { early, late, ignorant, error }: Trend): boolean {
  const losses = history.map(({ train }) => train.loss);
  const lately = losses.length < 3 ? 0 : losses[losses.length >> 1]! - losses.at(-1)!;
  return early - late > Math.max(SURE * error, MOVED * ignorant) || lately > MOVED * ignorant;
}

/**
 * The last rate as a share of the largest of the training: what a schedule has lowered by the end was not too low all
 * the time.
 */
function lowered({ history, events }: Observations): number {
  const rates = history.map(({ learningRate }) => learningRate);
  const own = events
    .flatMap((event) => (event.event === "report" ? [event.report.learningRate ?? Number.NaN] : []))
    .filter((rate) => rate > 0);
  const last = own.at(-1) ?? Number.NaN;
  const share = last / Math.max(...own, ...rates);
  return share > 0 ? share : 1;
}

export function overfitting({ history, trend }: Observations, { overfitting: most }: Thresholds): Finding[] {
  const epochs = history.flatMap(({ epoch, train, validation }) =>
    validation === undefined ? [] : [{ epoch, train: train.loss, held: validation.loss }],
  );
  const best = bestOf(epochs, ({ held }) => held, "smaller");
  const last = epochs.at(-1);
  if (best === undefined || last === undefined || last.epoch - best.epoch < 3) return [];
  // A few held-out samples more or less move a small loss by a lot.
  if (last.held - best.held < 0.1 * (trend?.ignorant ?? 0)) return [];
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

export function nothingToLearn(run: Observations, { gap, notLearning }: Thresholds): Finding[] {
  const { history, control = [], baseline, trend, heldPredictions, data, neighbours } = run;
  // Where the targets of neighbours are alike there is something to learn, whatever this training made of it.
  if (neighbours !== undefined && neighbours.score >= 3) return [];
  const real = history.map(({ train }) => train.loss);
  const scale = baseline ?? trend?.ignorant ?? Number.NaN;
  const common = Math.min(real.length, control.length);
  const differences = control.slice(0, common).map((loss, n) => loss - real[n]!);
  const advice = [
    "check that row n of the targets belongs to row n of the inputs (were both shuffled alike?)",
    "look at some samples with their targets",
  ];
  const why =
    "targets that have nothing to do with their inputs are learned as well as these: inputs and targets are not matched, or the inputs do not tell the targets";
  const found = (what: string, evidence: Finding["evidence"]): Finding[] => [
    { kind: "nothing to learn", where: "data", what, evidence, why, advice },
  ];
  const last = real.at(-1)!;
  // A loss that is still on its way down to that of ignorance falls alike for all targets.
  const hasArrived = trend === undefined || last - scale < 0.5 * Math.max(0.04 * scale, Math.max(trend.early, real[0]!) - scale);
  // Over all epochs, and at the end: a model that learns its samples by heart does so with any targets, but no sooner
  // with these. Of two orders of few samples, one is learned sooner by chance.
  const byChance = Math.max(gap, 1 / Math.sqrt(data?.samples ?? Number.POSITIVE_INFINITY)) * scale;
  const isNoBetter = mean(differences) < byChance && differences.at(-1)! < 3 * byChance;
  if (common > 0 && hasArrived && isNoBetter)
    return found(`after ${real.length} epochs the loss is ${short(last)}; with shuffled targets it is ${short(control.at(-1)!)}`, {
      loss: last,
      control: control.at(-1)!,
    });
  const held = history.flatMap(({ validation }) => (validation === undefined ? [] : [validation.loss]));
  const least = Math.min(...held);
  const isAtChance = heldPredictions === undefined || isByChance(heldPredictions);
  if (baseline === undefined || held.length < HELD_EPOCHS || !isAtChance || !(least > 0.99 * baseline && last < notLearning * baseline))
    return [];
  return found(
    `in ${held.length} epochs the held-out loss was never below ${short(least)}, and ${short(baseline)} comes of a prediction that is the same for every sample, while the training loss fell to ${short(last)}`,
    { least, baseline, loss: last },
  );
}

/** Whether the share of right answers is not surely above that of always giving the most frequent class. */
function isByChance({ samples, accuracy, mostFrequent }: PredictionFacts): boolean {
  return accuracy < mostFrequent + 2 * Math.sqrt((mostFrequent * (1 - mostFrequent)) / samples);
}

/** So many epochs must have gone by before held-out losses say that nothing was learned. */
const HELD_EPOCHS = 5;

export function notLearning(run: Observations, { notLearning: least, steps }: Thresholds): Finding[] {
  const { trend, trained } = run;
  if (trend === undefined || run.losses.length < 2 * steps) return [];
  const { early, late, ignorant, measured } = trend;
  // Of a model that was trained before, only a baseline tells that it has learned nothing.
  if (falls(run, trend) || !(late > least * ignorant) || (trained === true && !measured)) return [];
  const compared = measured ? `; ${short(ignorant)} comes of a prediction that is the same for every sample` : "";
  return [
    {
      kind: "not learning",
      where: "loss",
      what: `in ${run.losses.length} steps the loss went from ${short(early)} to ${short(late)}${compared}`,
      evidence: { first: early, last: late, steps: run.losses.length, ...(measured ? { baseline: ignorant } : {}) },
      why: "the gradients do not lead anywhere: targets that the inputs do not tell, a loss that does not fit the output, or a part of the model that is cut off",
      advice: [
        "train on ten samples only: a model that cannot learn these has a fault",
        "compare with shuffled targets: examine(net, data, { …, control: true })",
      ],
    },
  ];
}

export function plateau({ history, trend }: Observations, { plateau: least, notLearned }: Thresholds): Finding[] {
  const losses = history.map(({ train }) => train.loss);
  const [first, half, last] = [losses[0], losses[losses.length >> 1], losses.at(-1)];
  if (first === undefined || half === undefined || last === undefined || losses.length < 6 || trend === undefined) return [];
  const late = losses.slice(losses.length >> 1);
  const range = Math.max(...late) - Math.min(...late);
  if (!(range < least * trend.ignorant && last > notLearned * trend.ignorant && half < 0.98 * first)) return [];
  return [
    {
      kind: "plateau",
      where: "loss",
      what: `the loss fell from ${short(first)} to ${short(half)}, and has moved by ${short(range)} in the last ${late.length} epochs`,
      evidence: { first, last, range, epochs: late.length },
      why: "the steps are too small for a flat stretch (a schedule that ended too early), the model cannot tell more, or the inputs do not",
      advice: ["a schedule that decays later, or restarts", "a larger model, or other features"],
    },
  ];
}
