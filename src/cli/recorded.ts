// Records what a command looks at: one training step, or one call of a module's function.

import { type Recording, record, recordAsync } from "../inspect/index.ts";
import { batchTensors } from "../train/border.ts";
import { inTraining } from "../train/modes.ts";
import { eagerStep } from "../train/step.ts";
import { FileError, UsageError } from "../util/errors.ts";
import { comes } from "./module.ts";
import type { Call, Training } from "./module-exports.ts";
import { openSubject } from "./subject.ts";

/** Which samples of the training data are recorded. */
export interface RecordedSamples {
  /** The first one, counted from 0. Default 0. */
  readonly sample?: number;
  /** How many of them. Default: a batch as in training. */
  readonly batch?: number;
  /** How many at most where `batch` does not say. */
  readonly most?: number;
}

/** @throws FileError when there is nothing, or nothing that can be recorded, at the path */
export async function recordPath(cwd: string, path: string, samples: RecordedSamples = {}): Promise<Recording> {
  const subject = await openSubject(cwd, path, "trained");
  if (subject.kind === "training") return recordStep(subject, samples);
  const recording = subject.kind === "tensors" ? await recordAsync(subject.load) : await recordCall(subject, path);
  if (recording.ops.length === 0)
    throw new FileError(`${path}: its function computed nothing with tensors`, {
      hint: "export default () => { const loss = …; loss.backward(); return loss; }; export const model = net;",
    });
  return recording;
}

/** A call of the function; what it was given is called by its place, what it gave is the result. */
function recordCall({ run, inputs = [], model }: Call, path: string): Promise<Recording> {
  const name = (place: number): string => (inputs.length === 1 ? "input" : `input${place}`);
  const given = Object.fromEntries(inputs.map((input, place) => [name(place), input]));
  const result = (): Promise<unknown> => comes(run(...inputs), `${path}: its function`, "look at what it awaits");
  return recordAsync(async () => ({ ...given, result: await result() }), model);
}

/** One step of the training, from its weights. */
function recordStep(
  { name, model, data, options }: Training,
  { sample = 0, batch, most = Number.POSITIVE_INFINITY }: RecordedSamples,
): Recording {
  const count = batch ?? Math.min(options.batchSize, most, data.size - sample);
  if (sample + count > data.size || count < 1)
    throw new UsageError(
      `${name} trains on ${data.size} samples, there ${count < 1 ? "is none" : `are no ${count}`} from number ${sample} on`,
    );
  const { x, y } = data.gather(Int32Array.from({ length: count }, (_, n) => sample + n));
  return record(() => inTraining(model, () => eagerStep(model, options, ...batchTensors(model, { x, y }, "record"))), model);
}
