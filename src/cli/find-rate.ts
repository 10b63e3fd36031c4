// kasane lr-find: which learning rates suit a run's model and data.

import { resolve } from "node:path";
import { type ChartOptions, chartSvg, chartText, findLearningRate } from "../inspect/index.ts";
import { writeFileAtomic } from "../io/node.ts";
import { openRun } from "./run-parts.ts";
import type { Terminal } from "./terminal.ts";
import { wrap } from "./terminal.ts";
import { lossOf, optimizerOf } from "./training.ts";

export interface FindRateOptions {
  readonly from?: number;
  readonly to?: number;
  readonly steps?: number;
  /** Begins with the run's weights, not with fresh ones. */
  readonly trained?: boolean;
  readonly svg?: string;
}

/** @returns the exit code: 1 when no rate makes the loss fall */
export async function findRate(terminal: Terminal, name: string, { svg, trained = false, ...options }: FindRateOptions): Promise<number> {
  const { config, model, source } = await openRun(terminal.host.cwd, name, trained ? "trained" : "fresh");
  const found = await findLearningRate(model, source.train, {
    loss: lossOf(config.task),
    optimizer: optimizerOf(config.optimizer, model, config.learningRate),
    batchSize: config.batchSize,
    seed: config.seed,
    ...options,
  });
  const { tried, range, reason } = found;
  const chart: ChartOptions = {
    title: `${name}: loss by learning rate, ${config.optimizer}`,
    xTitle: "rate",
    yTitle: "smoothed loss",
    logX: true,
    marks: range === undefined ? [] : Object.entries(range).map(([mark, x]) => ({ x, name: mark })),
  };
  const smoothed = { name: "smoothed loss", points: tried.map((point) => [point.rate, point.smoothed] as const) };
  terminal.print(chartText(smoothed, chart));
  terminal.print();
  for (const line of wrap(reason, terminal.width)) terminal.print(line);
  if (range !== undefined)
    terminal.print(
      terminal.colors.bold(`begin with ${short(range.best)}; useful rates lie between ${short(range.low)} and ${short(range.high)}`),
    );
  if (svg !== undefined) {
    const raw = { name: "loss", points: tried.map((point) => [point.rate, point.loss] as const) };
    await writeFileAtomic(resolve(terminal.host.cwd, svg), chartSvg([raw, smoothed], chart));
    terminal.print(`the chart is in ${svg}`);
  }
  terminal.result({ run: name, ...found });
  return range === undefined ? 1 : 0;
}

function short(rate: number): string {
  return String(Number(rate.toPrecision(2)));
}
