// kasane explain RUN: explains any number of a recorded training step, as many ops back as asked for.

import {
  explainTree,
  explanationTreeJson,
  explanationTreeMathml,
  explanationTreeTex,
  explanationTreeText,
  firstElement,
  firstNonFinite,
  type NonFinite,
  type Nudge,
  nudge,
  type Recording,
  selectableNames,
  selectElement,
} from "../inspect/index.ts";
import { UsageError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import { type RecordedSamples, recordPath } from "./recorded.ts";
import { type Terminal, wrap } from "./terminal.ts";
import { type ExplainFormat, walk } from "./walk.ts";

export interface ExplainRunOptions extends RecordedSamples {
  /** "hidden1[0, 3]", "output.weight.grad[1, 2]". */
  readonly at?: string;
  readonly depth?: number;
  readonly breadth?: number;
  /** Numbers written out of a long sum. */
  readonly terms?: number;
  /** Show an op of the run instead, by its number; true: all, or in a terminal one by one. */
  readonly step?: number | true;
  readonly format?: ExplainFormat;
  /** Change the number by so much, too, and see what the loss does. */
  readonly nudge?: number;
}

/** @returns the exit code */
export async function explainRun(terminal: Terminal, path: string, options: ExplainRunOptions): Promise<number> {
  const run = await recordPath(terminal.host.cwd, path, options);
  const { format = "text", step } = options;
  if (step !== undefined) return walk(terminal, run, { ...options, step, format });
  const { tensor, position } = options.at === undefined ? firstElement(run) : selectElement(run, options.at);
  if (position === undefined)
    throw new UsageError(`--at ${options.at}: which of its numbers? Its shape is ${shapeText(tensor.shape)}`, {
      hint: `--at "${options.at}[${tensor.shape.map(() => 0).join(", ")}]"`,
    });
  const { depth = 4, breadth = 3, terms = 8 } = options;
  const tree = explainTree(tensor, position, { depth, breadth, terms });
  const bad = firstNonFinite(run);
  const nudged = options.nudge === undefined ? undefined : nudge(run, tensor, position, { by: options.nudge });
  const data = {
    ...explanationTreeJson(tree),
    ...(nudged === undefined ? {} : { nudge: { ...nudged } }),
    ...(bad === undefined ? {} : { notFinite: String(bad) }),
  };
  const write: Readonly<Record<ExplainFormat, () => string>> = {
    text: () => explanationTreeText(tree, 4, terminal.width),
    json: () => JSON.stringify(data, null, 2),
    tex: () => explanationTreeTex(tree),
    mathml: () => explanationTreeMathml(tree),
  };
  terminal.print(write[format]());
  if (format === "text") talk(terminal, run, { bad, nudged, others: options.at === undefined });
  terminal.result(data);
  return 0;
}

interface Talk {
  readonly bad: NonFinite | undefined;
  readonly nudged: Nudge | undefined;
  /** Whether to say what else can be explained. */
  readonly others: boolean;
}

/** What people are told beside the explanation. */
function talk(terminal: Terminal, run: Recording, { bad, nudged, others }: Talk): void {
  const paragraph = (text: string): void => {
    terminal.print();
    for (const line of wrap(text, terminal.width)) terminal.print(line);
  };
  if (bad !== undefined) terminal.print(`\n${bad}`);
  if (nudged !== undefined) paragraph(String(nudged));
  if (!others) return;
  const gradients = run.tensors.some(({ gradient }) => gradient !== undefined) ? "; with .grad their gradients" : "";
  const updates = run.updates.length > 0 ? ", with .new what the step made of parameters" : "";
  paragraph(`others: ${selectableNames(run).join(", ")}${gradients}${updates}`);
}
