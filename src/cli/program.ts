// The commands, their flags and their help; turns every failure into one sentence and an exit code.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { KasaneError, UsageError } from "../util/errors.ts";
import { blame } from "./blame.ts";
import { type CheckOptions, checkGradientsOf } from "./check-gradients.ts";
import { type Choices, settingsHelp } from "./choices.ts";
import { showCompiled, shownNames } from "./compile.ts";
import { doctor } from "./doctor.ts";
import { type ExamineRunOptions, examineRun } from "./examine-run.ts";
import { explain, opOf } from "./explain.ts";
import { type ExplainRunOptions, explainRun } from "./explain-run.ts";
import { type FindRateOptions, findRate } from "./find-rate.ts";
import { type GraphCommandOptions, graphFormats, showGraph } from "./graph.ts";
import { MOST } from "./limits.ts";
import { lossChoices, metricChoices } from "./measures.ts";
import { activationNames, modelNames } from "./models.ts";
import { isPath } from "./module.ts";
import { FUNCTION_HELP, MODULE_HELP, NUMBERS_HELP } from "./module-exports.ts";
import { checkOptimizer, optimizerChoices } from "./optimizers.ts";
import {
  anyNumber,
  collect,
  nameList,
  numbers,
  oneOf,
  place,
  positiveNumber,
  probability,
  seedNumber,
  sizes,
  understoodBy,
  wholeNumber,
} from "./options.ts";
import { type PredictOptions, predict } from "./predict.ts";
import { type ProfileCommandOptions, profilePath } from "./profile.ts";
import { scheduleChoices, scheduleOf } from "./schedules.ts";
import { GENERATED } from "./sources.ts";
import { summarize } from "./summary.ts";
import { type Host, Terminal } from "./terminal.ts";
import { train } from "./train.ts";
import type { TrainOptions } from "./training-run.ts";
import { version } from "./version.ts";
import { EXPLAIN_FORMATS } from "./walk.ts";

type Common = { readonly json?: boolean; readonly verbose?: boolean };

/**
 * Runs one command line.
 *
 * @returns the exit code: 0 done, 1 failed, 2 wrong use, 130 stopped by Ctrl-C, 143 by a request to end
 */
export async function run(argv: readonly string[], host: Host): Promise<number> {
  const json = argv.includes("--json");
  const terminal = new Terminal(host, { json, verbose: argv.includes("--verbose") });
  let code = 0;
  const set = async (result: Promise<number>): Promise<void> => {
    code = await result;
  };
  const program = build(terminal, set);
  try {
    if (argv.length === 0) {
      host.stdout.write(program.helpInformation());
      return 2;
    }
    await program.parseAsync(argv, { from: "user" });
    return code;
  } catch (error) {
    return fail(terminal, error);
  }
}

/** What every command is made with. */
interface Commands {
  readonly terminal: Terminal;
  /** Says what the command's action comes to. */
  readonly set: (result: Promise<number>) => Promise<void>;
  readonly command: (name: string, description: string, examples: readonly string[], more?: string) => Command;
}

function build(terminal: Terminal, set: (result: Promise<number>) => Promise<void>): Command {
  const program = new Command("kasane")
    .description("Neural networks written as formulas: train them, use them, look into them.")
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "show this help");
  // Commands made later inherit these.
  quiet(program, terminal);
  const commands: Commands = {
    terminal,
    set,
    command: (name, description, examples, more = "") =>
      program
        .command(name)
        .description(description)
        .helpOption("-h, --help", "show this help")
        .option("--json", "print exactly one JSON object on standard output; talk goes to standard error")
        .option("--verbose", "show where in the program an error came from")
        .addHelpText("after", `${more === "" ? "" : `${more}\n`}\nExamples:\n${examples.map((line) => `  kasane ${line}`).join("\n")}`),
  };
  for (const add of [
    addTrain,
    addPredict,
    addSummary,
    addExplain,
    addGraph,
    addCheckGradients,
    addCompile,
    addLrFind,
    addProfile,
    addDoctor,
  ])
    add(commands);
  for (const inner of program.commands) quiet(inner, terminal);
  return program;
}

function addTrain({ terminal, set, command }: Commands): void {
  command(
    "train",
    "Train a network; writes a folder with configuration, metrics, weights and summary.",
    [
      "train digits",
      "train spirals --hidden 32,32 --epochs 200 --lr 0.005",
      "train wine --data FOLDER",
      "train --csv iris.csv --target species",
      "train --mnist FOLDER --model linear",
      "train moons --optimizer adamW:weightDecay=0.1 --schedule oneCycle",
      "train --resume runs/digits-1 --epochs 10",
    ],
    CHOICES_HELP,
  )
    .argument("[DATASET]", `${GENERATED.join(", ")}`, oneOf(GENERATED))
    .option("--csv <FILE>", "a table with a header line", place)
    .option("--target <COLUMN>", "the column of the table to predict")
    .option("--columns <NAME,NAME,…>", "the columns of the table to predict from (default: all others)", nameList)
    .option("--separator <MARK>", "what separates the table's cells (default: found out)")
    .option("--mnist <FOLDER>", "images and labels in MNIST's format, as they are or .gz", place)
    .option("--data <FOLDER>", "wine: the two files of the UCI Wine Quality set", place)
    .option("--samples <N>", "how many samples to make, or to take of the files", wholeNumber(10, MOST.samples))
    .option("--model <NAME>", `${modelNames.join(", ")} (default: what suits the data)`, oneOf(modelNames))
    .option("--hidden <N,N,…>", "widths of the hidden layers", sizes)
    .option("--activation <NAME>", `${activationNames.join(", ")} (default: relu)`, oneOf(activationNames))
    .option("--dropout <P>", "probability of dropping a hidden value (default: 0)", probability)
    .option("--epochs <N>", "passes over the training samples", wholeNumber(1, MOST.epochs))
    .option("--batch <N>", "samples per step", wholeNumber(1, MOST.batch))
    .option("--lr <RATE>", "learning rate", positiveNumber)
    .option("--optimizer <NAME[:…]>", "how weights move (default: adam)", understoodBy(checkOptimizer))
    .option(
      "--schedule <NAME[:…]>",
      "how the learning rate goes over the epochs",
      understoodBy((text) => scheduleOf(text, 0.1, 10)),
    )
    .option("--loss <NAME[:…]>", "what is made small (default: crossEntropy for classes, meanSquaredError for numbers)")
    .option("--metric <NAME[:…]>", "what is measured, too (may be repeated)", collect(String))
    .option("--patience <N>", "stop after N epochs without a lower held-out loss; keep the best weights", wholeNumber(1, MOST.epochs))
    .option("--seed <N>", "decides data, weights and order (default: 0)", seedNumber)
    .option("--out <FOLDER>", "where the run goes (default: runs/DATASET-1, -2, …)", place)
    .option("--resume [RUN]", "go on with an interrupted run, bit for bit", place)
    .option("--force", "replace the run that is in --out")
    .option("--watch", "after every epoch the size of each layer's gradient, and what looks wrong")
    .action((dataset: string | undefined, options: TrainOptions & Common) => set(train(terminal, dataset, options)));
}

function addPredict({ terminal, set, command }: Commands): void {
  command("predict", "Use a trained network: classes with probabilities, or numbers.", [
    "predict runs/digits-1 --sample 0 --sample 7",
    "predict runs/wine-1 --input 3.2,12.5,6.1,4.8",
    "predict runs/csv-1 new-rows.csv",
    "predict runs/mnist-1 t10k-images-idx3-ubyte.gz",
  ])
    .argument("<RUN>", "the folder of a run", place)
    .argument("[FILE]", "a CSV table with the same columns, or images in IDX format", place)
    .option("--input <N,N,…>", "one row of numbers (may be repeated); begin with --input= when the first is negative", collect(numbers))
    .option("--sample <N>", "a held-out sample of the run, counted from 0 (may be repeated)", collect(wholeNumber(0)))
    .action((folder: string, file: string | undefined, options: PredictOptions & Common) => set(predict(terminal, folder, file, options)));
}

function addSummary({ terminal, set, command }: Commands): void {
  command("summary", "What a run is and how it went: layers, parameters, epochs, result.", ["summary runs/digits-1"])
    .argument("<RUN>", "the folder of a run", place)
    .action((folder: string) => set(summarize(terminal, folder)));
}

function addExplain({ terminal, set, command }: Commands): void {
  command(
    "explain",
    "A number of a run: how it was computed, and from what. An op: its formula, derivatives and an example.",
    [
      "explain",
      "explain sigmoid",
      "explain runs/digits-1",
      'explain runs/digits-1 --at "output[0, 3]" --depth 2',
      'explain runs/digits-1 --at "output.weight.grad[3, 17]" --nudge 0.001',
      "explain runs/digits-1 --step",
      "explain training.js --at loss",
    ],
    NUMBERS_HELP,
  )
    .argument("[OP|RUN|FILE]", "an op's name; the folder of a run; a module (see below). Without it all ops are listed", place)
    .option(
      "--at <ELEMENT>",
      "which number: a layer or parameter with its place, .grad or .new behind the name (default: the loss, else of the result)",
    )
    .option("--depth <N>", "how many steps back (default: 4)", wholeNumber(0))
    .option("--breadth <N>", "how many numbers to follow at each step (default: 3)", wholeNumber(1))
    .option("--format <NAME>", `${EXPLAIN_FORMATS.join(", ")} (default: text)`, oneOf(EXPLAIN_FORMATS))
    .option("--terms <N>", "how many terms of a long sum to write out (default: 8)", wholeNumber(2))
    .option("--step [N]", "op N of the run instead: what went in and came out; without N all, in a terminal one by one", wholeNumber(1))
    .option("--nudge <BY>", "also change the number by so much and see what the loss does", anyNumber)
    .option("--sample <N>", "the first training sample to record, counted from 0 (default: 0)", wholeNumber(0))
    .option("--batch <N>", "how many samples (default: as in training)", wholeNumber(1))
    .action((name: string | undefined, options: ExplainRunOptions & Common) =>
      set(name !== undefined && isSubject(terminal, name) ? explainRun(terminal, name, options) : explain(terminal, name, options.format)),
    );
}

function addGraph({ terminal, set, command }: Commands): void {
  command(
    "graph",
    "One training step as a picture: layers that open into ops, with shapes, numbers and memory.",
    ["graph runs/digits-1", "graph runs/digits-1 --format svg --out digits.svg", "graph model.js --depth 1 --format dot"],
    NUMBERS_HELP,
  )
    .argument("<RUN|FILE>", "the folder of a run, or a module (see below)", place)
    .option("--format <NAME>", `${graphFormats.join(", ")} (default: mermaid)`, oneOf(graphFormats))
    .option("--out <FILE>", "write it there instead of printing it", place)
    .option("--depth <N>", "layers nested deeper are drawn as one (default: all are open)", wholeNumber(0))
    .option("--backward", "the backward pass and the update, too")
    .option("--time", "how long each node takes in the compiled step of a whole batch")
    .option("--sample <N>", "the first training sample to record, counted from 0 (default: 0)", wholeNumber(0))
    .option("--batch <N>", "how many samples (default: as in training)", wholeNumber(1))
    .action((path: string, options: GraphCommandOptions & Common) => set(showGraph(terminal, path, options)));
}

function addCheckGradients({ terminal, set, command }: Commands): void {
  command(
    "check-gradients",
    "The gradients of a training step against finite differences, in double precision.",
    ["check-gradients runs/digits-1", "check-gradients my-op.js --elements 20"],
    NUMBERS_HELP,
  )
    .argument("<RUN|FILE>", "the folder of a run, or a module (see below)", place)
    .option("--elements <N>", "how many numbers of each tensor (default: 4)", wholeNumber(1))
    .option("--sample <N>", "the first training sample to record, counted from 0 (default: 0)", wholeNumber(0))
    .option("--batch <N>", "how many samples (default: 4)", wholeNumber(1))
    .action((path: string, options: CheckOptions & Common) => set(checkGradientsOf(terminal, path, options)));
}

function addCompile({ terminal, set, command }: Commands): void {
  command(
    "compile",
    "What compile() makes of a function: its graph after each pass, its kernels, its code, its memory.",
    ["compile model.js", "compile model.js --show fuse", "compile runs/digits-1 --show kernels"],
    FUNCTION_HELP,
  )
    .argument("<RUN|FILE>", "the folder of a run, or a module (see below)", place)
    .option("--show <PASS>", `${shownNames.join(", ")}: the graph after a pass, or what is emitted`, oneOf(shownNames))
    .action((file: string, options: { show?: string } & Common) => set(showCompiled(terminal, file, options)));
}

function addLrFind({ terminal, set, command }: Commands): void {
  command(
    "lr-find",
    "Which learning rates suit: a short training whose rate grows, with a chart of its losses.",
    ["lr-find runs/digits-1", "lr-find runs/digits-1 --svg rates.svg --to 1", "lr-find training.js"],
    MODULE_HELP,
  )
    .argument("<RUN|FILE>", "the folder of a run, which stays as it is, or a module (see below)", place)
    .option("--from <RATE>", "the smallest rate (default: 0.000001)", positiveNumber)
    .option("--to <RATE>", "the largest rate (default: 10)", positiveNumber)
    .option("--steps <N>", "how many rates (default: 100)", wholeNumber(10))
    .option("--trained", "begin with a run's weights instead of fresh ones")
    .option("--svg <FILE>", "also draw the chart there", place)
    .action((name: string, options: FindRateOptions & Common) => set(findRate(terminal, name, options)));
}

function addProfile({ terminal, set, command }: Commands): void {
  command(
    "profile",
    "Where the time of a training step goes: every kernel with its work, its layers and its share of what the machine can do.",
    ["profile runs/digits-1", "profile model.js --trace trace.json"],
    FUNCTION_HELP,
  )
    .argument("<RUN|FILE>", "the folder of a run, or a module (see below)", place)
    .option("--runs <N>", "how often it is run; the middle counts (default: 5)", wholeNumber(1))
    .option("--trace <FILE>", "also write Chrome's trace events there (chrome://tracing, Perfetto)", place)
    .action((path: string, options: ProfileCommandOptions & Common) => set(profilePath(terminal, path, options)));
}

function addDoctor({ terminal, set, command }: Commands): void {
  command(
    "doctor",
    "What is wrong with a training, and what to try. Without one: what this machine offers and what kasane chose.",
    ["doctor runs/digits-1", "doctor training.js --epochs 3", "doctor --machine"],
    MODULE_HELP,
  )
    .argument(
      "[RUN|FILE]",
      "the folder of a run, which is trained a little further under watch and stays as it is; or a module (see below)",
      place,
    )
    .option("--epochs <N>", "how many epochs to watch (default: 1)", wholeNumber(1))
    .option("--fresh", "begin with fresh weights, as a run did")
    .option("--machine", "backend, SIMD features, Node")
    .action((name: string | undefined, options: ExamineRunOptions & Common) =>
      set(name === undefined ? doctor(terminal) : examineRun(terminal, name, options)),
    );
}

const CHOICES_HELP = [
  ["--optimizer", optimizerChoices],
  ["--schedule", scheduleChoices],
  ["--loss for classes", lossChoices.classification],
  ["--loss for numbers", lossChoices.regression],
  ["--metric for classes", metricChoices.classification],
  ["--metric for numbers", metricChoices.regression],
]
  .map(([flag, choices]) => [`\n${flag}`, ...settingsHelp(choices as Choices<unknown>).map((line) => `  ${line}`)].join("\n"))
  .join("");

/**
 * Whether a word names a run or a module. What is not plainly a path is an op first: a folder or file may have its
 * name.
 */
function isSubject({ host }: Terminal, word: string): boolean {
  return isPath(word) || (opOf(word) === undefined && existsSync(resolve(host.cwd, word)));
}

/** Errors are thrown to us instead of printed and ending the process. */
function quiet(command: Command, { host }: Terminal): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => host.stdout.write(text),
    writeErr: () => undefined,
    getOutHelpWidth: () => Math.min(100, host.stdout.columns ?? 80),
    getErrHelpWidth: () => 80,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
}

/** Says what went wrong. @returns the exit code */
export function fail(terminal: Terminal, error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === "commander.help") return 2;
    return fail(terminal, usageOf(error));
  }
  const known = error instanceof KasaneError;
  const { text, hint } = known ? { text: error.message, hint: error.hint } : blame(error, terminal.host.cwd);
  terminal.say(`${terminal.errorColors.red("kasane:")} ${text}`);
  if (terminal.verbose && error instanceof Error) terminal.say(error.stack?.slice(error.stack.indexOf("\n    at") + 1) ?? "");
  else if (!known) terminal.say(`  try: ${hint}`);
  const message = known ? (text.split("\n  try: ")[0] ?? text) : text;
  terminal.result({ error: { message, ...(known && hint === undefined ? {} : { hint }) } });
  return error instanceof UsageError ? 2 : 1;
}

/** Commander's sentence in the form of ours. */
function usageOf({ message }: CommanderError): UsageError {
  const [first = "", ...rest] = message.replace(/^error: /, "").split("\n");
  const meant = rest.join(" ").match(/Did you mean (?:one of )?(.*)\?\)/)?.[1];
  const sentence = first
    .replace(/\.$/, "")
    .replace(/^option '(--\w+)[^']*' argument '(.*)' is invalid\. (.*)$/, "$1 $2: $3")
    .replace(/^command-argument value '(.*)' is invalid for argument '(.*)'\. (.*)$/, "$2 $1: $3")
    .replace(": Expected", ": expected");
  return new UsageError(sentence, { hint: meant === undefined ? "--help lists what there is" : `did you mean ${meant}?` });
}
