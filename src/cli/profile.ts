// kasane profile: where the time of a run's training step, or of a module's compiled function, goes.

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { chromeTrace, profile, type StepProfile } from "../inspect/index.ts";
import { writeFileAtomic } from "../io/node.ts";
import { type CompileArgument, type CompiledFunction, type CompileResult, fromData } from "../tensor/index.ts";
import { compileStep } from "../train/step.ts";
import { FileError } from "../util/errors.ts";
import { loadModule } from "./module.ts";
import { openRun } from "./run-parts.ts";
import type { Terminal } from "./terminal.ts";
import { lossOf, optimizerOf } from "./training.ts";

export interface ProfileCommandOptions {
  readonly runs?: number;
  /** Where Chrome's trace goes. */
  readonly trace?: string;
}

type Compiled = CompiledFunction<readonly CompileArgument[], CompileResult>;

/** @returns the exit code */
export async function profilePath(terminal: Terminal, path: string, { runs = 5, trace }: ProfileCommandOptions): Promise<number> {
  const place = resolve(terminal.host.cwd, path);
  const found = await stat(place).catch(() => undefined);
  if (found === undefined)
    throw new FileError(`${path} is not there`, { hint: "a module whose default export is made by compile(), or the folder of a run" });
  const [step, args] = found.isDirectory() ? await stepOfRun(terminal.host.cwd, path) : await stepOfModule(place, path);
  const profiled = profile(step, args, { runs });
  terminal.print(String(profiled));
  if (trace !== undefined) {
    await writeFileAtomic(resolve(terminal.host.cwd, trace), chromeTrace(profiled));
    terminal.print(`the trace is in ${trace}`);
  }
  terminal.result(asData(profiled));
  return 0;
}

/** Trains in memory only: the run stays as it is. */
async function stepOfRun(cwd: string, path: string): Promise<readonly [Compiled, readonly CompileArgument[]]> {
  const { config, model, source } = await openRun(cwd, path, "trained");
  const step = compileStep(model, { loss: lossOf(config.task), optimizer: optimizerOf(config.optimizer, model, config.learningRate) });
  const { x, y } = source.train.slice(0, Math.min(config.batchSize, source.train.size)).fields;
  const args = [x, y].map(({ data, shape }) => fromData(data, shape, data instanceof Float32Array ? "float32" : "int32"));
  return [step as unknown as Compiled, args];
}

async function stepOfModule(place: string, path: string): Promise<readonly [Compiled, readonly CompileArgument[]]> {
  const { default: compiled, inputs = [] } = await loadModule(place, path);
  if (typeof compiled !== "function" || !("profile" in compiled) || !Array.isArray(inputs))
    throw new FileError(`${path}: expected a default export made by compile()`, {
      hint: "export default compile((x) => …); export const inputs = [x];",
    });
  return [compiled as unknown as Compiled, inputs];
}

function asData({ kernels, milliseconds, limits, byLayer, byPass, byLine }: StepProfile): object {
  const times = (by: ReadonlyMap<string, number>): object => Object.fromEntries(by);
  return {
    milliseconds,
    ...(limits === undefined ? {} : { limits }),
    byPass: times(byPass),
    byLayer: times(byLayer),
    byLine: times(byLine),
    kernels,
  };
}
