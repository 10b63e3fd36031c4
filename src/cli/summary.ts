// kasane summary: what a run is and how it went.

import { summary } from "../nn/index.ts";
import { bestOf } from "../util/rank.ts";
import { quoted } from "../util/shell.ts";
import { buildModel, describeModel } from "./models.ts";
import { lossText } from "./progress.ts";
import type { RunSummary } from "./report.ts";
import { openFolder } from "./run-parts.ts";
import type { Terminal } from "./terminal.ts";
import { duration, grouped, percent, table, wrap } from "./terminal.ts";

/** Rows of a long history: the first and the last ones. */
const SHOWN_EPOCHS = 12;

/** @returns the exit code */
export async function summarize(terminal: Terminal, name: string): Promise<number> {
  const { folder, config } = await openFolder(terminal.host.cwd, name);
  const { architecture } = config;
  const layers = summary(buildModel(architecture), [1, ...architecture.input]);
  const history = await folder.readMetrics();
  const last = (await folder.readSummary()) as RunSummary | null | undefined;
  // Of fewer epochs while the run is trained further.
  const result = last?.epochs === history.length ? last : undefined;
  const { colors } = terminal;
  const measure = config.task === "classification" ? "accuracy" : "meanAbsoluteError";
  const show = (value: number | undefined): string =>
    value === undefined ? "–" : config.task === "classification" ? percent(value) : value.toPrecision(4);
  const best = bestOf(history, ({ validation }) => validation?.loss ?? Number.NaN, "smaller");
  terminal.print(colors.bold(`${name}: ${config.data.kind}, ${describeModel(architecture)}`));
  for (const line of wrap(
    `${config.optimizer}, learning rate ${config.learningRate} (${config.schedule}), batches of ${config.batchSize},${config.loss === undefined ? "" : ` ${config.loss},`} seed ${config.seed}; ${grouped(config.samples.train)} samples to train, ${grouped(config.samples.validation)} held out`,
    terminal.width,
  ))
    terminal.print(line);
  terminal.print();
  terminal.print(layers.toString());
  terminal.print();
  const rows = history.map(({ epoch, train, validation, seconds }) => {
    const scores = validation as Readonly<Record<string, number>> | undefined;
    return [
      `${epoch}${epoch === best?.epoch ? "*" : " "}`,
      lossText(train.loss),
      show((train as Readonly<Record<string, number>>)[measure]),
      lossText(validation?.loss ?? Number.NaN),
      show(scores?.[measure]),
      duration(seconds),
    ];
  });
  const what = config.task === "classification" ? "accuracy" : "error";
  const lines = table(
    ["epoch ", "loss", what, "held-out loss", `held-out ${what}`, "time"].map((title) => ({ title })),
    rows,
    colors.bold,
  );
  if (rows.length === 0) terminal.print("no epoch is finished yet");
  else if (lines.length - 1 <= SHOWN_EPOCHS) for (const line of lines) terminal.print(line);
  else
    for (const line of [...lines.slice(0, 6), `… ${lines.length - 12} more in metrics.jsonl …`, ...lines.slice(-6)]) terminal.print(line);
  if (best !== undefined)
    terminal.print(
      `* lowest held-out loss: epoch ${best.epoch}, ${lossText(best.validation?.loss ?? Number.NaN)}, ${what} ${show((best.validation as Readonly<Record<string, number>> | undefined)?.[measure])}`,
    );
  if (result === undefined)
    terminal.print(
      `not finished: ${history.length} of ${config.epochs} epochs; go on with: ${terminal.host.self} train --resume ${quoted(name)}`,
    );
  terminal.result({
    run: name,
    finished: result !== undefined,
    config,
    layers: {
      rows: layers.rows,
      parameters: layers.parameters,
      multiplyAdds: layers.multiplyAdds,
      activationBytes: layers.activationBytes,
    },
    history,
    bestEpoch: best?.epoch,
    result,
  });
  return 0;
}
