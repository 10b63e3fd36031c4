// Shows a training as it goes: a moving bar on a terminal, a table row per epoch everywhere.

import stringWidth from "string-width";
import type { BatchReport, Callback, EpochReport } from "../train/index.ts";
import type { Terminal } from "./terminal.ts";
import { cutTo, duration, grouped, pad, percent } from "./terminal.ts";

/** Milliseconds between two drawings. */
const INTERVAL = 80;
/** On a terminal no more rows than these, evenly chosen; in a pipe every epoch has its line. */
const MOST_ROWS = 24;

const TITLES = {
  classification: ["epoch", "loss", "accuracy", "held-out loss", "held-out accuracy", "time"],
  regression: ["epoch", "loss", "mean error", "held-out loss", "held-out error", "time"],
} as const;

/** @param epochs in all; @param done epochs of a resumed run */
export function progress(terminal: Terminal, task: keyof typeof TITLES, epochs: number): Callback {
  const { colors } = terminal;
  const begun = performance.now();
  let drawn = 0;
  let batchesDone = 0;
  let samplesDone = 0;
  let hasHeading = false;
  const every = terminal.canMove ? Math.ceil(epochs / MOST_ROWS) : 1;
  return {
    onBatchEnd(report) {
      batchesDone++;
      samplesDone += report.samples;
      const now = performance.now();
      if (!terminal.canMove || now - drawn < INTERVAL) return;
      drawn = now;
      const seconds = (now - begun) / 1000;
      terminal.drawLine(bar(terminal, report, { perSecond: samplesDone / seconds, perBatch: seconds / batchesDone }));
    },
    onValidationBegin(epoch) {
      if (terminal.canMove && performance.now() - drawn >= INTERVAL)
        terminal.drawLine(`epoch ${epoch}/${epochs}  measuring on the held-out samples …`);
    },
    onEpochEnd(report) {
      if (report.epoch % every !== 0 && report.epoch !== 1 && report.epoch !== epochs) return;
      if (!hasHeading) terminal.print(colors.bold(row(TITLES[task])));
      hasHeading = true;
      terminal.print(row(cells(report, task, epochs)));
    },
  };
}

function cells({ epoch, train, validation, seconds }: EpochReport, task: keyof typeof TITLES, epochs: number): readonly string[] {
  const score = (scores: Readonly<Record<string, number>> | undefined): string => {
    const value = scores?.[task === "classification" ? "accuracy" : "meanAbsoluteError"] ?? Number.NaN;
    return task === "classification" ? percent(value) : value.toPrecision(4);
  };
  return [
    `${epoch}/${epochs}`,
    lossText(train.loss),
    score(train),
    lossText(validation?.loss ?? Number.NaN),
    score(validation),
    duration(seconds),
  ];
}

function row(texts: readonly string[]): string {
  const widths = [8, 9, 11, 15, 19, 10];
  return texts.map((text, n) => pad(text, widths[n]!, "right")).join("");
}

export function lossText(loss: number): string {
  return Number.isFinite(loss) ? (loss !== 0 && Math.abs(loss) < 0.001 ? loss.toExponential(2) : loss.toFixed(4)) : String(loss);
}

interface Speed {
  readonly perSecond: number;
  /** Seconds, validation included. */
  readonly perBatch: number;
}

function bar(terminal: Terminal, { epoch, epochs, batch, batches, loss }: BatchReport, { perSecond, perBatch }: Speed): string {
  const left = ((epochs - epoch) * batches + batches - batch) * perBatch;
  const before = `epoch ${epoch}/${epochs} `;
  const after = ` ${String(Math.floor((100 * batch) / batches)).padStart(3)} %  ${grouped(perSecond)} samples/s  loss ${lossText(loss)}  ${duration(left)} left`;
  // One column stays free: a full line would wrap on some terminals.
  const width = Math.min(terminal.width, terminal.host.stderr.columns ?? 80) - 1;
  const room = Math.min(30, width - stringWidth(before) - stringWidth(after));
  if (room < 4) return cutTo(before + after, width);
  const full = Math.round((room * batch) / batches);
  return `${before}${terminal.errorColors.cyan("█".repeat(full))}${terminal.errorColors.dim("░".repeat(room - full))}${after}`;
}
