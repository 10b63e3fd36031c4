// The models the command line can build, and the text in a weights file from which one is built again.

import type { Layer } from "../nn/index.ts";
import { conv2d, dropout, flatten, linear, maxPool2d, relu, sequential, sigmoid, tanh } from "../nn/index.ts";
import { InputError, UsageError } from "../util/errors.ts";
import { fields, list, numberFrom, oneOf, readAs, type Schema, whole, wrongField } from "../util/schema.ts";
import { shapeText } from "../util/shape-text.ts";
import { MOST } from "./limits.ts";

/** Everything needed to build a model again. */
export interface Architecture {
  readonly model: ModelName;
  /** Shape of one sample: [columns] or [channels, height, width]. */
  readonly input: readonly number[];
  /** Numbers it gives per sample. */
  readonly outputs: number;
  /** Widths of the hidden layers (mlp), of the last hidden layer (cnn). */
  readonly hidden: readonly number[];
  readonly activation: ActivationName;
  /** Probability of dropping before the last layer (cnn) or after each hidden layer (mlp); 0 for none. */
  readonly dropout: number;
}

const activations = { relu, sigmoid, tanh } as const;
export type ActivationName = keyof typeof activations;
export const activationNames = Object.keys(activations) as ActivationName[];

type ModelLayer = Layer | ((typeof activations)[ActivationName] & { readonly kind?: never });

const builders = {
  linear: (spec: Architecture) => ({ ...flattened(spec), output: linear(width(spec), spec.outputs) }),
  mlp: (spec: Architecture) => {
    const layers: Record<string, ModelLayer> = { ...flattened(spec) };
    let inputs = width(spec);
    for (const [index, outputs] of spec.hidden.entries()) {
      layers[`hidden${index + 1}`] = linear(inputs, outputs) as Layer;
      layers[`${spec.activation}${index + 1}`] = activations[spec.activation];
      if (spec.dropout > 0) layers[`dropout${index + 1}`] = dropout(spec.dropout) as Layer;
      inputs = outputs;
    }
    return { ...layers, output: linear(inputs, spec.outputs) };
  },
  cnn: (spec: Architecture) => {
    const [channels = 1, height = 28, columns = 28] = spec.input;
    const activation = activations[spec.activation];
    const layers: Record<string, ModelLayer> = {
      conv1: conv2d(channels, 16, 3, { padding: 1 }) as Layer,
      [`${spec.activation}1`]: activation,
      pool1: maxPool2d(2) as Layer,
      conv2: conv2d(16, 32, 3, { padding: 1 }) as Layer,
      [`${spec.activation}2`]: activation,
      pool2: maxPool2d(2) as Layer,
      flatten: flatten() as Layer,
    };
    let inputs = 32 * Math.floor(Math.floor(height / 2) / 2) * Math.floor(Math.floor(columns / 2) / 2);
    for (const [index, outputs] of spec.hidden.entries()) {
      layers[`hidden${index + 1}`] = linear(inputs, outputs) as Layer;
      layers[`${spec.activation}${index + 3}`] = activation;
      inputs = outputs;
    }
    if (spec.dropout > 0) layers.dropout = dropout(spec.dropout) as Layer;
    return { ...layers, output: linear(inputs, spec.outputs) };
  },
} satisfies Record<string, (spec: Architecture) => Readonly<Record<string, unknown>>>;

export type ModelName = keyof typeof builders;
export const modelNames = Object.keys(builders) as ModelName[];

/** @throws UsageError or InputError as checkArchitecture */
export function buildModel(spec: Architecture): Layer {
  checkArchitecture(spec);
  return sequential(builders[spec.model](spec) as Readonly<Record<string, Layer>>);
}

const sizes = (layers: number) => list(whole(1, MOST.hidden), "a list of whole numbers above 0", { most: layers });

export const architectureSchema: Schema<Architecture> = fields({
  model: oneOf(modelNames),
  input: list(whole(1, MOST.inputs), "a list of 1 or 3 whole numbers above 0", { least: 1, most: 3 }),
  outputs: whole(1, MOST.names),
  hidden: sizes(MOST.hiddenLayers),
  activation: oneOf(activationNames),
  dropout: numberFrom(0, 1 - 2 ** -53),
} satisfies Record<keyof Architecture, unknown>);

/** @throws FileError when a weights file does not say how to build its model */
export function readArchitecture(value: unknown, where: string): Architecture {
  const origin = { where: `${where}: architecture`, hint: "use the model.safetensors that kasane train wrote" };
  const spec = readAs(architectureSchema, value, origin);
  if (width(spec) > MOST.inputs) throw wrongField(origin, "input", `at most ${MOST.inputs} numbers per sample`, spec.input);
  return spec;
}

/**
 * Before memory is taken for it.
 * @throws UsageError when the model does not fit the shape of the data; InputError when it has more parameters than the
 * command line trains
 */
export function checkArchitecture(spec: Architecture): void {
  if (spec.model === "cnn" && (spec.input.length !== 3 || Math.min(...spec.input.slice(1)) < 4))
    throw new UsageError(`--model cnn needs images of at least 4 × 4 pixels, but one sample has shape ${shapeText(spec.input)}`, {
      hint: "--model mlp or --model linear",
    });
  const parameters = parameterCount(spec);
  if (parameters <= MOST.parameters && width(spec) <= MOST.inputs) return;
  throw new InputError(
    `expected a model of at most ${MOST.parameters.toLocaleString("en-US")} parameters, [${spec.hidden.join(", ")}] hidden units make ${parameters.toLocaleString("en-US")} (${((4 * parameters) / 2 ** 30).toFixed(1)} GiB)`,
    { hint: "fewer hidden units" },
  );
}

function parameterCount(spec: Architecture): number {
  const { model, input, hidden, outputs } = spec;
  const [channels = 1, height = 28, columns = 28] = input;
  const isCnn = model === "cnn";
  const pooled = 32 * Math.floor(Math.floor(height / 2) / 2) * Math.floor(Math.floor(columns / 2) / 2);
  const widths = [isCnn ? pooled : width(spec), ...(model === "linear" ? [] : hidden), outputs];
  const dense = widths.slice(1).reduce((sum, out, n) => sum + (widths[n]! + 1) * out, 0);
  return dense + (isCnn ? (9 * channels + 1) * 16 + (9 * 16 + 1) * 32 : 0);
}

/** How a person would write it down: "784 → 128 → 10". */
export function describeModel({ model, input, hidden, outputs, activation }: Architecture): string {
  if (model === "cnn") {
    const sizes = ["conv 3×3, 16", "pool", "conv 3×3, 32", "pool", ...hidden, outputs];
    return `${sizes.join(" → ")} (${activation})`;
  }
  return `${[input.join("×"), ...(model === "mlp" ? hidden : []), outputs].join(" → ")}${model === "mlp" && hidden.length > 0 ? ` (${activation})` : ""}`;
}

function flattened(spec: Architecture): Record<string, ModelLayer> {
  return spec.input.length > 1 ? { flatten: flatten() as Layer } : {};
}

function width({ input }: Architecture): number {
  return input.reduce((product, extent) => product * extent, 1);
}
