// kasane explain RUN: where any number of a recorded training step comes from, as far back as asked for.

import {
  explainTree,
  explanationTreeJson,
  explanationTreeText,
  firstNonFinite,
  nudge,
  selectableNames,
  selectElement,
} from "../inspect/index.ts";
import { UsageError } from "../util/errors.ts";
import { type RecordedSamples, recordPath } from "./recorded.ts";
import type { Terminal } from "./terminal.ts";
import { wrap } from "./terminal.ts";
import { walk } from "./walk.ts";

export interface ExplainRunOptions extends RecordedSamples {
  /** "hidden1[0, 3]", "output.weight.grad[1, 2]". */
  readonly at?: string;
  readonly depth?: number;
  readonly breadth?: number;
  /** Numbers written out of a long sum. */
  readonly terms?: number;
  /** Show an op of the run instead, by its number; true: all, or in a terminal one by one. */
  readonly step?: number | true;
  /** Change the number by so much, too, and see what the loss does. */
  readonly nudge?: number;
}

/** @returns the exit code */
export async function explainRun(terminal: Terminal, path: string, options: ExplainRunOptions): Promise<number> {
  const run = await recordPath(terminal.host.cwd, path, options);
  if (options.step !== undefined) return walk(terminal, run, { ...options, step: options.step });
  const { tensor, position } = selectElement(run, options.at ?? "loss");
  if (position === undefined)
    throw new UsageError(`--at ${options.at}: which of its numbers? Its shape is [${tensor.shape.join(", ")}]`, {
      hint: `--at "${options.at}[${tensor.shape.map(() => 0).join(", ")}]"`,
    });
  const { depth = 4, breadth = 3, terms = 8 } = options;
  const tree = explainTree(tensor, position, { depth, breadth, terms });
  terminal.print(explanationTreeText(tree, 4, terminal.width));
  const bad = firstNonFinite(run);
  if (bad !== undefined) terminal.print(`\n${bad}`);
  const nudged = options.nudge === undefined ? undefined : nudge(run, tensor, position, { by: options.nudge });
  if (nudged !== undefined) {
    terminal.print();
    for (const line of wrap(String(nudged), terminal.width)) terminal.print(line);
  }
  if (options.at === undefined) {
    terminal.print();
    for (const line of wrap(
      `others: ${selectableNames(run).join(", ")}; with .grad their gradients, with .new what the step made of parameters`,
      terminal.width,
    ))
      terminal.print(line);
  }
  terminal.result({
    ...explanationTreeJson(tree),
    ...(nudged === undefined ? {} : { nudge: { ...nudged } }),
    ...(bad === undefined ? {} : { notFinite: String(bad) }),
  });
  return 0;
}
