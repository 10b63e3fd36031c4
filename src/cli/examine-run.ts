// kasane doctor RUN or FILE: trains a model a little further, watches it, and reports what is wrong.

import { spread } from "../inspect/diagnose/facts.ts";
import { diagnose, type Evidence, examine, findingsText } from "../inspect/index.ts";
import { abandonable } from "./interrupt.ts";
import type { Training } from "./module-exports.ts";
import { openTraining } from "./subject.ts";
import { grouped, type Terminal } from "./terminal.ts";

export interface ExamineRunOptions {
  /** Epochs to watch. */
  readonly epochs?: number;
  /** Begins with fresh weights, as the run did. */
  readonly fresh?: boolean;
}

/** Most samples that are trained on: enough for sixteen batches of 128. */
const MOST_SAMPLES = 2048;

/** @returns the exit code: 1 when something is wrong */
export async function examineRun(terminal: Terminal, name: string, { epochs = 1, fresh = false }: ExamineRunOptions): Promise<number> {
  const training = await openTraining(terminal.host.cwd, name, fresh ? "fresh" : "trained");
  return abandonable(terminal, name, async (signal) => {
    const { model, options, run } = training;
    const { data, numbers } = someOf(terminal, training);
    const isTrained = run !== undefined && !fresh;
    if (isTrained) await asItEnded(training);
    // A run's batches may be too few to tell much; a module's author chose their size.
    const batchSize = run === undefined ? options.batchSize : Math.min(options.batchSize, Math.max(1, Math.floor(data.size / 8)));
    const { evidence } = await examine(model, data, { ...options, batchSize, epochs, signal, trained: isTrained });
    // fit ends in order where examine is to be given up.
    signal.throwIfAborted();
    const findings = diagnose(inTheRun(evidence, numbers, isTrained ? await run.folder.readMetrics() : undefined));
    terminal.print(findingsText(findings));
    terminal.result({ name, findings });
    return findings.length === 0 ? 0 : 1;
  });
}

/** All samples, or so many of them from everywhere, with their numbers in the whole. */
function someOf(terminal: Terminal, { data }: Training): ReturnType<typeof spread> {
  if (data.size > MOST_SAMPLES) terminal.say(`watching ${grouped(MOST_SAMPLES)} of ${grouped(data.size)} samples`);
  return spread(data, MOST_SAMPLES);
}

/**
 * The optimizer goes on as it stood at the end of the run: with its moments, and the rate that the schedule had come
 * to.
 */
async function asItEnded({ options: { optimizer }, run }: Training): Promise<void> {
  if (run === undefined || !(await run.folder.has("checkpoint"))) return;
  optimizer.loadStateDict((await run.folder.loadCheckpoint()).optimizer);
}

/**
 * A run's own epochs tell how it went; what was watched, how it is now. Samples are told by their numbers in the whole
 * training data.
 */
function inTheRun(evidence: Evidence, numbers: ArrayLike<number>, history: Evidence["history"] | undefined): Evidence {
  const { predictions } = evidence;
  return {
    ...evidence,
    ...(history === undefined ? {} : { history, control: [] }),
    ...(predictions === undefined
      ? {}
      : {
          predictions: {
            ...predictions,
            doubtful: predictions.doubtful.map((one) => ({ ...one, sample: numbers[one.sample]! })),
          },
        }),
  };
}
