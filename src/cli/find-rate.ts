// kasane lr-find: finds useful learning rates for the model and data of a run or module.

import { resolve } from "node:path";
import { short } from "../inspect/draw/chart.ts";
import { type ChartOptions, chartSvg, chartText, findLearningRate, type LearningRateRange } from "../inspect/index.ts";
import { writeFileAtomic } from "../io/node.ts";
import { UsageError } from "../util/errors.ts";
import { abandonable } from "./interrupt.ts";
import { openTraining } from "./subject.ts";
import type { Terminal } from "./terminal.ts";
import { wrap } from "./terminal.ts";

export interface FindRateOptions {
  readonly from?: number;
  readonly to?: number;
  readonly steps?: number;
  /** Begins with a run's weights, not with fresh ones. */
  readonly trained?: boolean;
  readonly svg?: string;
}

/** @returns the exit code: 1 when no rate makes the loss fall */
export async function findRate(terminal: Terminal, name: string, given: FindRateOptions): Promise<number> {
  const { from = 1e-6, to = 10, steps, svg, trained = false } = given;
  if (from >= to) throw new UsageError(`expected --from to be less than --to, got ${from} and ${to}`);
  const { model, data, options } = await openTraining(terminal.host.cwd, name, trained ? "trained" : "fresh");
  return abandonable(terminal, name, async (signal) => {
    const found = await findLearningRate(model, data, { ...options, signal, from, to, steps });
    await tell(terminal, found, `${name}: loss by learning rate, ${options.optimizer.kind}`, svg);
    const { nonFinite, ...result } = found;
    terminal.result({ name, ...result, ...(nonFinite === undefined ? {} : { nonFinite: String(nonFinite) }) });
    return found.range === undefined ? 1 : 0;
  });
}

async function tell(
  terminal: Terminal,
  { tried, range, reason, nonFinite }: LearningRateRange,
  title: string,
  svg: string | undefined,
): Promise<void> {
  const heights = tried.map(({ smoothed }) => smoothed).filter(Number.isFinite);
  const [least, most] = [Math.min(...heights), Math.max(...heights)];
  const chart: ChartOptions = {
    title,
    xTitle: "rate",
    yTitle: "smoothed loss",
    logX: true,
    // What diverged by powers of ten would leave nothing to see of the rest.
    logY: least > 0 && most > 10 * least,
    marks: range === undefined ? [] : Object.entries(range).map(([mark, x]) => ({ x, name: mark })),
  };
  const smoothed = { name: "smoothed loss", points: tried.map((point) => [point.rate, point.smoothed] as const) };
  const raw = { name: "loss", points: tried.map((point) => [point.rate, point.loss] as const) };
  terminal.print(chartText(smoothed, chart, { columns: terminal.width }));
  terminal.print();
  for (const line of wrap(reason, terminal.width)) terminal.print(line);
  if (nonFinite !== undefined) terminal.print(String(nonFinite));
  if (range !== undefined)
    terminal.print(
      terminal.colors.bold(
        `begin with ${short(range.best, 2)}; useful rates lie between ${short(range.low, 2)} and ${short(range.high, 2)}`,
      ),
    );
  if (svg === undefined) return;
  await writeFileAtomic(resolve(terminal.host.cwd, svg), chartSvg([raw, smoothed], chart));
  terminal.print(`the chart is in ${svg}`);
}
