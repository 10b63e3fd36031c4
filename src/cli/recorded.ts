// What the command line looks into: one recorded training step of a run, or one recorded call of a module's function.

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Recording, record } from "../inspect/index.ts";
import { isLayer } from "../nn/call.ts";
import { fromData, type Tensor } from "../tensor/index.ts";
import { eagerStep } from "../train/step.ts";
import { FileError, UsageError } from "../util/errors.ts";
import { loadModule } from "./module.ts";
import { openRun } from "./run-parts.ts";
import { lossOf, optimizerOf } from "./training.ts";

/** Which samples of a run's training data are recorded. */
export interface RecordedSamples {
  /** The first one, counted from 0. Default 0. */
  readonly sample?: number;
  /** How many of them. Default: a batch as in training. */
  readonly batch?: number;
}

const EXAMPLE = "export default () => { const loss = …; loss.backward(); return loss; }; export const model = net;";

/** @throws FileError when there is nothing, or nothing that can be recorded, at the path */
export async function recordPath(cwd: string, path: string, samples: RecordedSamples = {}): Promise<Recording> {
  const place = resolve(cwd, path);
  const found = await stat(place).catch(() => undefined);
  if (found === undefined)
    throw new FileError(`${path} is not there`, { hint: "the folder of a run, or a module with a function to record" });
  return found.isDirectory() ? recordRun(cwd, path, samples) : recordModule(place, path);
}

/** One step of the run's training, from its weights. */
async function recordRun(cwd: string, path: string, { sample = 0, batch }: RecordedSamples): Promise<Recording> {
  const { config, model, source } = await openRun(cwd, path, "trained");
  const { train } = source;
  const count = batch ?? Math.min(config.batchSize, train.size - sample);
  if (sample + count > train.size || count < 1)
    throw new UsageError(`the run trained on ${train.size} samples, there are no ${Math.max(1, count)} from number ${sample} on`);
  const { x, y } = train.subset(Int32Array.from({ length: count }, (_, n) => sample + n)).fields;
  const [input, target] = [x, y].map(({ data, shape }) => fromData(data, shape, data instanceof Float32Array ? "float32" : "int32"));
  const optimizer = optimizerOf(config.optimizer, model, config.learningRate);
  return record(() => eagerStep(model, { loss: lossOf(config.task), optimizer }, input as Tensor, target as Tensor), model);
}

/** One call of the module's default export with its `inputs`; its `model`, if it has one, names parameters. */
async function recordModule(place: string, path: string): Promise<Recording> {
  const { default: run, inputs = [], model } = await loadModule(place, path);
  if (typeof run !== "function")
    throw new FileError(`${path}: expected a function as default export, got ${run === undefined ? "none" : typeof run}`, {
      hint: EXAMPLE,
    });
  if (!Array.isArray(inputs))
    throw new FileError(`${path}: expected inputs to be a list of arguments, got ${typeof inputs}`, { hint: EXAMPLE });
  if (model !== undefined && !isLayer(model))
    throw new FileError(`${path}: expected model to be a layer, got ${typeof model}`, { hint: EXAMPLE });
  const recording = record(() => (run as (...given: readonly unknown[]) => unknown)(...inputs), model);
  if (recording.ops.length === 0) throw new FileError(`${path}: its function computed nothing with tensors`, { hint: EXAMPLE });
  return recording;
}
