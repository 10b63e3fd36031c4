// Checks the options of fit before anything runs.

import { Dataset } from "../data/index.ts";
import { type Optimizer, parametersOf } from "../optim/optimizer.ts";
import type { Precision } from "../tensor/index.ts";
import { InputError } from "../util/errors.ts";
import { nearestName } from "../util/nearest.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";
import type { Metric } from "./metrics.ts";
import type { EarlyStopping, FitOptions, Model, Samples, TrainingState } from "./types.ts";

export const FIT_OPTIONS: OptionNames<FitOptions> = {
  ...{ loss: true, optimizer: true, penalty: true, epochs: true, batchSize: true, shuffle: true, dropLast: true, transform: true },
  ...{ validation: true, metrics: true, callbacks: true, earlyStopping: true, learningRate: true, schedule: true, momentum: true },
  ...{
    clip: true,
    accumulate: true,
    averages: true,
    seed: true,
    precision: true,
    compile: true,
    recorder: true,
    signal: true,
    resume: true,
  },
};

const EARLY_STOPPING: OptionNames<EarlyStopping> = { patience: true, monitor: true, minimumChange: true, restoreBest: true };

const PRECISIONS = { float32: true, bfloat16: true } as const satisfies Record<Precision, true>;

/** @throws InputError naming the option, what was expected and what came */
export function checkFit(data: Dataset<Samples>, options: FitOptions): void {
  checkOptions<FitOptions>("fit", options, FIT_OPTIONS);
  checkOptions<EarlyStopping>("fit: earlyStopping", options.earlyStopping, EARLY_STOPPING);
  checkOptions<NonNullable<FitOptions["clip"]>>("fit: clip", options.clip, { norm: true, value: true });
  if (options.precision !== undefined && !Object.hasOwn(PRECISIONS, options.precision))
    throw new InputError(`fit: expected precision to be ${Object.keys(PRECISIONS).join(" or ")}, got ${JSON.stringify(options.precision)}`);
  const { epochs, batchSize, validation, metrics = [], earlyStopping, resume, accumulate, schedule, learningRate } = options;
  checkSamples("fit", data);
  whole("epochs", epochs);
  if (batchSize !== undefined) whole("batchSize", batchSize);
  if (accumulate !== undefined) whole("accumulate", accumulate);
  if (schedule !== undefined && learningRate !== undefined)
    throw new InputError("fit: schedule and learningRate both set the learning rate", {
      hint: "schedule counts steps, learningRate epochs: give one",
    });
  if (typeof validation === "number" && !(validation > 0 && validation < 1))
    throw new InputError(`fit: expected validation to be a data set or a fraction between 0 and 1, got ${validation}`);
  checkMetrics("fit", metrics);
  if (earlyStopping !== undefined) {
    whole("earlyStopping.patience", earlyStopping.patience);
    const { minimumChange = 0 } = earlyStopping;
    if (!(minimumChange >= 0)) throw new InputError(`fit: expected earlyStopping.minimumChange of at least 0, got ${minimumChange}`);
    const { monitor } = earlyStopping;
    const names = ["loss", ...metrics.map(({ name }) => name)];
    if (monitor !== undefined && !names.includes(monitor)) {
      const nearest = nearestName(monitor, names);
      throw new InputError(
        `fit: earlyStopping.monitor is "${monitor}", but what is measured is ${names.join(", ")}`,
        nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` },
      );
    }
  }
  if (resume !== undefined && resume.epochs > epochs)
    throw new InputError(`fit: the resumed state has ${resume.epochs} epochs already, more than the ${epochs} asked for`, {
      hint: "epochs counts those of the resumed state too",
    });
  if (resume !== undefined && resume.averages === undefined && options.averages !== undefined)
    throw new InputError("fit: the resumed state has no averages of weights to go on with", {
      hint: "leave averages out, or resume a training that took them",
    });
  if (typeof validation === "object") checkSamples("fit", validation);
}

/** @throws InputError unless all are metrics */
export function checkMetrics(name: string, metrics: unknown): asserts metrics is readonly Metric[] {
  if (!Array.isArray(metrics))
    throw new InputError(`${name}: expected metrics to be a list, got ${kindOf(metrics)}`, { hint: "metrics: [accuracy()]" });
  for (const [n, metric] of metrics.entries()) {
    if (typeof metric === "function")
      throw new InputError(`${name}: metrics[${n}] is a function, not what it makes`, { hint: "metrics: [accuracy()], with parentheses" });
    const { name: own, better, sums, add, value } = Object(metric) as Partial<Metric>;
    const isMetric = typeof own === "string" && typeof add === "function" && typeof value === "function" && Number.isInteger(sums);
    if (!isMetric)
      throw new InputError(`${name}: expected metrics[${n}] to be a metric, got ${kindOf(metric)}`, {
        hint: 'import { accuracy } from "kasane/train"; metrics: [accuracy()]',
      });
    if (better !== "smaller" && better !== "larger")
      throw new InputError(`${name}: metric "${own}" must say better: "smaller" or "larger", got ${JSON.stringify(better)}`);
  }
}

/** What a value is, in words. */
function kindOf(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : String(value);
}

/** @throws InputError when the optimizer would move nothing of a model that has something to move */
export function checkTrainable(model: Model, optimizer: Optimizer): void {
  const own = model.parameters();
  const known = parametersOf(optimizer);
  if (known.length === 0) return;
  const moved = known.filter(({ requiresGrad }) => requiresGrad);
  if (moved.length === 0 && own.length > 0 && !own.some(({ requiresGrad }) => requiresGrad))
    throw new InputError(`fit: all ${own.length} parameters of the model are frozen, so there is nothing to train`, {
      hint: "model.requiresGrad(true), or of single layers",
    });
  const trainable = new Set(own.filter(({ requiresGrad }) => requiresGrad));
  if (trainable.size === 0 || moved.some((parameter) => trainable.has(parameter))) return;
  throw new InputError(`fit: the optimizer moves ${moved.length} parameters, but none of the model's ${trainable.size}`, {
    hint: `make it from this model: ${optimizer.kind}(model.parameters())`,
  });
}

/** @param batches of an epoch @throws InputError when the state stands behind them */
export function checkPlace({ batches: done, epochs }: TrainingState, batches: number): void {
  if (done > batches)
    throw new InputError(`fit: the resumed state has done ${done} batches of epoch ${epochs + 1}, there are ${batches}`, {
      hint: "resume with the data and the batchSize that it was trained with",
    });
}

/**
 * @throws InputError unless it is a data set, whatever its fields: those of a view are copied when they are asked for
 */
export function checkDataset(name: string, data: unknown): asserts data is Dataset {
  if (!(data instanceof Dataset))
    throw new InputError(`${name}: expected a data set as the second argument, got ${kindOf(data)}`, {
      hint: "new Dataset({ x, y }), with tensors or ndArray(numbers, shape)",
    });
}

/** @throws InputError unless it is a data set with fields x and y */
export function checkSamples(name: string, data: unknown): asserts data is Dataset<Samples> {
  checkDataset(name, data);
  const fields = data.fields as Partial<Samples>;
  if (fields.x === undefined || fields.y === undefined)
    throw new InputError(`${name}: expected samples with fields x and y, got ${Object.keys(fields).join(", ")}`, {
      hint: "new Dataset({ x, y })",
    });
}

function whole(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw new InputError(`fit: expected ${name} to be a whole number of at least 1, got ${value}`);
}
