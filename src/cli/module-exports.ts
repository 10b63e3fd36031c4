// The exports of a user's module that commands read, and the errors for missing or wrong ones.

import { Dataset } from "../data/index.ts";
import { isLayer } from "../nn/call.ts";
import type { Layer } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { parametersOf } from "../optim/optimizer.ts";
import { isTensor } from "../tensor/index.ts";
import { checkSamples } from "../train/check.ts";
import type { FitOptions, Samples } from "../train/index.ts";
import { FileError, KasaneError } from "../util/errors.ts";
import { isClass, isPromise, kindOf } from "../util/kind-of.ts";
import { nearestName } from "../util/nearest.ts";
import type { RunParts } from "./run-parts.ts";

/** What fit takes besides the model, the data and how long. */
type TrainingOptions = Pick<FitOptions, "loss" | "optimizer" | "penalty" | "clip" | "accumulate" | "transform" | "schedule" | "seed"> & {
  readonly batchSize: number;
};

/** A model with everything it is trained with. */
export interface Training {
  readonly kind: "training";
  /** As the user wrote it. */
  readonly name: string;
  readonly model: Layer;
  readonly data: Dataset<Samples>;
  readonly options: TrainingOptions;
  /** Undefined for a module. */
  readonly run?: RunParts;
}

/** A function and what to call it with. */
export interface Call {
  readonly kind: "call";
  readonly run: (...inputs: readonly unknown[]) => unknown;
  /** Undefined where the module exports none. */
  readonly inputs: readonly unknown[] | undefined;
  /** Whose parameters it uses, for their names. */
  readonly model: Layer | undefined;
}

export type Exports = Readonly<Record<string, unknown>>;

/** What FILE may be, for --help. */
export const MODULE_HELP = `
FILE is a JavaScript module that exports a training, in fit's words:
  export const model = sequential(linear(4, 8), relu, linear(8, 2));
  export const data = new Dataset({ x, y });
  export const loss = crossEntropy;
  export const optimizer = adam(model.parameters());
and, where wanted, batchSize, seed, penalty, clip, accumulate, transform, schedule`;

/** The same, for commands that take functions, too. */
export const FUNCTION_HELP = `${MODULE_HELP}
or a function, plain or made by compile(), and what to call it with:
  export default (x) => model(x).softmax();
  export const inputs = [tensor([[1, 2, 3, 4]])];
  export const model = …;   // names the parameters; may be left out`;

/** The same, for commands that look at numbers. */
export const NUMBERS_HELP = `${FUNCTION_HELP}
or tensors, computed where they are exported:
  export const w = tensor([[1, 2]], { requiresGrad: true });
  export const y = x.matmul(w.transpose());`;

/** The two forms of a module, for hints. */
export const MODULE_FORMS =
  "a module whose default export is a function, with its arguments as inputs; or one that exports model, data, loss and optimizer, as fit takes them";

export const CALL_EXAMPLE = "export default compile((x) => …); export const inputs = [x];";

interface Check {
  readonly fits: (value: unknown) => boolean;
  /** "a layer" */
  readonly expected: string;
  readonly example: string;
}

const isFunction = (value: unknown): boolean => typeof value === "function" && !isClass(value);
const isWhole = (value: unknown): boolean => Number.isInteger(value) && (value as number) > 0;
const isObject = (value: unknown): value is Exports => typeof value === "object" && value !== null;

/** What a training cannot do without. */
const required = {
  model: { fits: isLayer, expected: "a layer", example: "export const model = sequential(linear(4, 8), relu, linear(8, 2))" },
  data: { fits: isData, expected: "a data set, or an object with x and y", example: "export const data = new Dataset({ x, y })" },
  loss: { fits: isFunction, expected: "a function of prediction and target", example: "export const loss = crossEntropy" },
  optimizer: { fits: isOptimizer, expected: "an optimizer", example: "export const optimizer = adam(model.parameters())" },
} satisfies Record<string, Check>;

/** What else of fit's options a module may export. */
const optional = {
  batchSize: { fits: isWhole, expected: "a whole number of at least 1", example: "export const batchSize = 64" },
  accumulate: { fits: isWhole, expected: "a whole number of at least 1", example: "export const accumulate = 2" },
  seed: { fits: (value) => value === 0 || isWhole(value), expected: "a whole number", example: "export const seed = 1" },
  penalty: { fits: isFunction, expected: "a function", example: "export const penalty = () => l2(model, 1e-4)" },
  transform: { fits: isFunction, expected: "a transform of batches", example: "export const transform = randomFlip()" },
  schedule: { fits: isFunction, expected: "a function of the step", example: "export const schedule = cosineDecay(0.01, { steps: 1000 })" },
  clip: { fits: isObject, expected: "an object with norm or value", example: "export const clip = { norm: 1 }" },
} satisfies Partial<Record<keyof TrainingOptions, Check>>;

/** Whether the module's default export is a function to call; a layer is one where there are inputs for it. */
export function hasFunction({ default: run, inputs }: Exports): boolean {
  return typeof run === "function" && (!isLayer(run) || inputs !== undefined);
}

/** Whether the module is about the tensors it exports: it has no function, and nothing to train with. */
export function holdsTensors(exports: Exports): boolean {
  return !hasFunction(exports) && exports.optimizer === undefined && exports.data === undefined && Object.values(exports).some(isTensor);
}

/** A module's function. @throws FileError when `inputs` or `model` is something else */
export function callIn(exports: Exports, path: string): Call {
  const { default: run, inputs, model = isLayer(exports.default) ? exports.default : undefined } = exports;
  check(path, "its default export", run, { fits: isFunction, expected: "a function", example: CALL_EXAMPLE });
  if (inputs !== undefined && !Array.isArray(inputs))
    throw wrong(path, "inputs", "a list of arguments", inputs, "export const inputs = [x]");
  if (inputs === undefined && (run as Call["run"]).length > 0)
    throw new FileError(`${path}: its function takes arguments, but the module exports no inputs`, { hint: CALL_EXAMPLE });
  if (model !== undefined) check(path, "model", model, required.model);
  return { kind: "call", run: run as Call["run"], inputs, model: model as Layer | undefined };
}

/** A module's training. @param isWanted a function would not do @throws FileError naming what is missing or wrong */
export function trainingIn(exports: Exports, path: string, isWanted = false): Training {
  const { default: whole } = exports;
  // `export default model`, `export default { model, … }`, and what CommonJS modules export.
  const given: Exports = { ...(isLayer(whole) ? { model: whole } : isObject(whole) ? whole : {}), ...exports };
  const names = Object.keys(required) as (keyof typeof required)[];
  const missing = names.filter((name) => given[name] === undefined);
  if (missing.length > 0) throw missed(path, given, missing, isWanted);
  for (const name of names) check(path, name, given[name], required[name]);
  const more = Object.keys(optional).filter((name) => given[name] !== undefined) as (keyof typeof optional)[];
  for (const name of more) check(path, name, given[name], optional[name]);
  const [model, optimizer] = [given.model as Layer, given.optimizer as Optimizer];
  const moved = new Set(parametersOf(optimizer));
  if (moved.size > 0 && !model.parameters().some((parameter) => moved.has(parameter)))
    throw new FileError(`${path}: its optimizer moves none of its model's parameters`, { hint: required.optimizer.example });
  const options = { loss: given.loss, optimizer, batchSize: 32, ...Object.fromEntries(more.map((name) => [name, given[name]])) };
  return { kind: "training", name: path, model, data: dataOf(given.data, path), options: options as TrainingOptions };
}

function missed(path: string, given: Exports, missing: readonly (keyof typeof required)[], isWanted: boolean): FileError {
  const [first] = missing as [keyof typeof required];
  const all = missing.length === Object.keys(required).length;
  const names = Object.keys(given);
  const found =
    names.length === 0
      ? "it exports nothing"
      : `it exports ${names.map((name) => (name === "default" ? `${kindOf(given[name])} as default` : name)).join(", ")}`;
  if (all && !isWanted)
    return new FileError(`${path}: expected a function as default export, or exports model, data, loss and optimizer; ${found}`, {
      hint: CALL_EXAMPLE,
    });
  const similar = nearestName(first, names);
  return new FileError(
    `${path}: expected exports model, data, loss and optimizer to train with; ${all ? found : `missing: ${missing.join(", ")}`}`,
    { hint: similar === undefined || similar in required ? required[first].example : `is ${similar} meant to be ${first}?` },
  );
}

function check(path: string, name: string, value: unknown, { fits, expected, example }: Check): void {
  if (!fits(value)) throw wrong(path, name, expected, value, example);
}

function wrong(path: string, name: string, expected: string, value: unknown, example: string): FileError {
  const hint = isPromise(value)
    ? `export const ${name} = await …`
    : isForeign(value)
      ? "the command of the project's own copy, npx kasane: this one comes from another copy of kasane"
      : example;
  return new FileError(`${path}: expected ${name} to be ${expected}, got ${kindOf(value)}`, { hint });
}

/** A layer or data set of another copy of the library, which this one cannot know. */
function isForeign(value: unknown): boolean {
  const members = value as Partial<Layer & Dataset> | undefined;
  return (
    (typeof value === "function" && typeof members?.namedParameters === "function" && !isLayer(value)) ||
    (isObject(value) && value.constructor?.name === "Dataset" && !(value instanceof Dataset))
  );
}

function isOptimizer(value: unknown): boolean {
  const { kind, learningRate, step, zeroGrad, stateDict, loadStateDict } = (isObject(value) ? value : {}) as Partial<Optimizer>;
  return (
    typeof kind === "string" &&
    typeof learningRate === "number" &&
    [step, zeroGrad, stateDict, loadStateDict].every((method) => typeof method === "function")
  );
}

function isData(value: unknown): boolean {
  return value instanceof Dataset || (isObject(value) && isObject(value.x) && isObject(value.y) && value.constructor?.name !== "Dataset");
}

/** @throws FileError for samples that make no data set */
function dataOf(value: unknown, path: string): Dataset<Samples> {
  try {
    const data = value instanceof Dataset ? value : new Dataset(value as Samples);
    checkSamples("data", data);
    return data;
  } catch (error) {
    if (!(error instanceof KasaneError)) throw error;
    throw new FileError(`${path}: its data make no data set: ${error.message}`, { cause: error });
  }
}
