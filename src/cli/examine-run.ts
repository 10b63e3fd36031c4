// kasane doctor RUN: trains a run's model a little further, under watch, and says what is wrong with it.

import { diagnose, examine, findingsText } from "../inspect/index.ts";
import { abandonable } from "./interrupt.ts";
import { openRun } from "./run-parts.ts";
import type { Terminal } from "./terminal.ts";
import { lossOf, optimizerOf } from "./training.ts";

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
    const { folder, config, model, source } = await openRun(terminal.host.cwd, name, fresh ? "fresh" : "trained");
    const { train } = source;
    const data =
      train.size > MOST_SAMPLES
        ? train.subset(Int32Array.from({ length: MOST_SAMPLES }, (_, n) => Math.floor((n * train.size) / MOST_SAMPLES)))
        : train;
    const { evidence } = await examine(model, data, {
      loss: lossOf(config.task),
      optimizer: optimizerOf(config.optimizer, model, config.learningRate),
      epochs,
      batchSize: Math.min(config.batchSize, Math.max(1, Math.floor(data.size / 8))),
      seed: config.seed,
      signal,
    });
    // fit ends in order where examine is to be given up.
    signal.throwIfAborted();
    // The run's own epochs tell how it went; what was watched, how it is now.
    const findings = diagnose({ ...evidence, history: await folder.readMetrics() });
    terminal.print(findingsText(findings));
    terminal.result({ run: name, findings });
    return findings.length === 0 ? 0 : 1;
  });
}
