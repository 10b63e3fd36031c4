// Finds what a command works on: the training of a run or module, or a module's function with its arguments.

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { FileError } from "../util/errors.ts";
import { quoted } from "../util/shell.ts";
import { lossOf } from "./measures.ts";
import { isPath, loadModule } from "./module.ts";
import { type Call, callIn, type Exports, hasFunction, holdsTensors, MODULE_FORMS, type Training, trainingIn } from "./module-exports.ts";
import { optimizerOf } from "./optimizers.ts";
import { openRun } from "./run-parts.ts";

/** A module of tensors, computed where it is loaded. */
export interface Tensors {
  readonly kind: "tensors";
  /** Loads the module once more; gives its exports. */
  readonly load: () => Promise<Exports>;
}

/** With which weights a run's model begins; a module's begins as the module leaves it. */
export type Weights = "trained" | "fresh";

/**
 * A run's training, a module's function, or else the training it describes.
 * @throws FileError when there is neither at the path
 */
export async function openSubject(cwd: string, path: string, weights: Weights): Promise<Training | Call | Tensors> {
  const exports = await exportsAt(cwd, path);
  if (exports === undefined) return trainingOfRun(cwd, path, weights);
  if (holdsTensors(exports)) return { kind: "tensors", load: () => loadModule(resolve(cwd, path), path, true) };
  return hasFunction(exports) ? callIn(exports, path) : trainingIn(exports, path);
}

/** The same for what needs a training. @throws FileError when the path holds none */
export async function openTraining(cwd: string, path: string, weights: Weights): Promise<Training> {
  const exports = await exportsAt(cwd, path);
  return exports === undefined ? trainingOfRun(cwd, path, weights) : trainingIn(exports, path, true);
}

/** Undefined for a folder. @throws FileError when the path is no file, or not plainly one of code */
async function exportsAt(cwd: string, path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const place = resolve(cwd, path);
  const found = await stat(place).catch(() => undefined);
  if (found === undefined) throw new FileError(`${path} is not there`, { hint: `${MODULE_FORMS}; or the folder of a run` });
  if (found.isDirectory()) return undefined;
  if (!isPath(path))
    throw new FileError(`${path} is a file whose name does not say that it is a module; it was not run`, {
      hint: `${quoted(`./${path}`)} if it is one; else a file that ends in .js or .mjs, or the folder of a run`,
    });
  return loadModule(place, path);
}

async function trainingOfRun(cwd: string, name: string, weights: Weights): Promise<Training> {
  const run = await openRun(cwd, name, weights);
  const { config, model, source } = run;
  const optimizer = optimizerOf(config.optimizer, model, config.learningRate);
  const options = { loss: lossOf(config), optimizer, batchSize: config.batchSize, seed: config.seed };
  return { kind: "training", name, model, data: source.train, options, run };
}
