// kasane doctor RUN or FILE: trains a model a little further, under watch, and says what is wrong with it.

import { diagnose, examine, findingsText } from "../inspect/index.ts";
import { abandonable } from "./interrupt.ts";
import { openTraining, type Training } from "./subject.ts";
import type { Terminal } from "./terminal.ts";
import { grouped } from "./terminal.ts";

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
  return abandonable(terminal, name, async (signal) => {
    const training = await openTraining(terminal.host.cwd, name, fresh ? "fresh" : "trained");
    const { model, options, run } = training;
    const data = someOf(terminal, training);
    // A run's batches may be too few to tell much; a module's author chose their size.
    const batchSize = run === undefined ? options.batchSize : Math.min(options.batchSize, Math.max(1, Math.floor(data.size / 8)));
    const { evidence } = await examine(model, data, { ...options, batchSize, epochs, signal });
    // fit ends in order where examine is to be given up.
    signal.throwIfAborted();
    // A run's own epochs tell how it went; what was watched, how it is now.
    const findings = diagnose(run === undefined ? evidence : { ...evidence, history: await run.folder.readMetrics() });
    terminal.print(findingsText(findings));
    terminal.result({ name, findings });
    return findings.length === 0 ? 0 : 1;
  });
}

/** All samples, or so many of them from everywhere. */
function someOf(terminal: Terminal, { data }: Training): Training["data"] {
  if (data.size <= MOST_SAMPLES) return data;
  terminal.say(`watching ${grouped(MOST_SAMPLES)} of ${grouped(data.size)} samples`);
  return data.subset(Int32Array.from({ length: MOST_SAMPLES }, (_, n) => Math.floor((n * data.size) / MOST_SAMPLES)));
}
