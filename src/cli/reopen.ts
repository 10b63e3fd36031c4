// kasane train --resume: opens an interrupted run and finds out what is left to do.

import type { TrainingState } from "../train/index.ts";
import type { RunFolder } from "../train/node.ts";
import { InputError, UsageError } from "../util/errors.ts";
import { nameOf } from "./run-name.ts";
import { openFolder, sourceOf } from "./run-parts.ts";
import type { Terminal } from "./terminal.ts";
import type { Run, TrainOptions } from "./training-run.ts";

/** What may be given beside --resume. */
const CHANGEABLE: readonly string[] = ["resume", "out", "epochs", "watch", "json", "verbose"];

/**
 * The run, claimed.
 * @throws UsageError when there is nothing left to do; FileError or InputError when it cannot go on
 */
export async function reopen(terminal: Terminal, dataset: string | undefined, options: TrainOptions): Promise<Run> {
  const path = options.resume === true ? options.out : options.resume;
  if (path === undefined)
    throw new UsageError("--resume: expected the folder of a run", { hint: `${terminal.host.self} train --resume runs/digits-1` });
  const changed = Object.entries(options).find(([name, value]) => value !== undefined && !CHANGEABLE.includes(name));
  if (changed !== undefined)
    throw new UsageError(`--resume goes on as the run began: --${changed[0]} cannot change`, {
      hint: "leave it out, or begin a new run; only --epochs may be given",
    });
  const { folder, config: before } = await openFolder(terminal.host.cwd, path);
  if (dataset !== undefined && dataset !== before.data.kind)
    throw new UsageError(`--resume: ${path} was trained on ${before.data.kind}, not on ${dataset}`);
  const config = { ...before, epochs: options.epochs ?? before.epochs };
  const source = await sourceOf(config, path);
  if (source.fingerprint !== config.fingerprint)
    throw new InputError(
      `${path} cannot be resumed: the data is no longer what it was${config.data.path === undefined ? "" : ` in ${config.data.path}`}`,
      { hint: "put the same files back, or begin a new run" },
    );
  await folder.claim();
  try {
    const state = await stateOf(folder, path, config.epochs);
    const name = nameOf(terminal, folder.path);
    terminal.print(beginning(name, state, config.epochs));
    // Rows that a crash left behind the checkpoint are trained again.
    await folder.writeMetrics(state?.history ?? []);
    if (config.epochs !== before.epochs) await folder.writeConfig(config);
    return { folder, name, config, source, state };
  } catch (error) {
    await folder.release();
    throw error;
  }
}

/** Where it stopped; undefined before the first checkpoint. */
async function stateOf(folder: RunFolder, path: string, epochs: number): Promise<TrainingState | undefined> {
  if (!(await folder.has("checkpoint"))) return undefined;
  const state = await folder.loadCheckpoint();
  if (state.epochs > epochs || (state.epochs === epochs && (await isFinished(folder, state.epochs))))
    throw new UsageError(`--resume: ${path} has all of its ${state.epochs} epochs already`, {
      hint: `--epochs ${state.epochs + 5} to train it further`,
    });
  return state;
}

/** Whether weights and summary are those of so many epochs: a process may have been killed before it wrote them. */
async function isFinished(folder: RunFolder, epochs: number): Promise<boolean> {
  const summary = (await folder.readSummary()) as { readonly epochs?: unknown } | null | undefined;
  return summary?.epochs === epochs && (await folder.has("model"));
}

function beginning(name: string, state: TrainingState | undefined, epochs: number): string {
  if (state === undefined) return `${name} was stopped before its first epoch was saved; it begins again with its settings`;
  if (state.epochs === epochs) return `${name} has all of its ${epochs} epochs; what it lacks is made now`;
  return `going on with ${name} after epoch ${state.epochs}${state.batches > 0 ? ` and ${state.batches} batches` : ""}`;
}
