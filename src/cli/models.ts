// The models that the command line can build, and the text in a weights file from which one is built again.

import type { Layer } from "../nn/index.ts";
import { conv2d, dropout, flatten, linear, maxPool2d, relu, sequential, sigmoid, tanh } from "../nn/index.ts";
import { FileError, UsageError } from "../util/errors.ts";

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

type Step = Layer | ((typeof activations)[ActivationName] & { readonly kind?: never });

const builders = {
  linear: (spec: Architecture) => ({ ...flattened(spec), output: linear(width(spec), spec.outputs) }),
  mlp: (spec: Architecture) => {
    const steps: Record<string, Step> = { ...flattened(spec) };
    let inputs = width(spec);
    for (const [index, outputs] of spec.hidden.entries()) {
      steps[`hidden${index + 1}`] = linear(inputs, outputs) as Layer;
      steps[`${spec.activation}${index + 1}`] = activations[spec.activation];
      if (spec.dropout > 0) steps[`dropout${index + 1}`] = dropout(spec.dropout) as Layer;
      inputs = outputs;
    }
    return { ...steps, output: linear(inputs, spec.outputs) };
  },
  cnn: (spec: Architecture) => {
    const [channels = 1, height = 28, columns = 28] = spec.input;
    const activation = activations[spec.activation];
    const steps: Record<string, Step> = {
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
      steps[`hidden${index + 1}`] = linear(inputs, outputs) as Layer;
      steps[`${spec.activation}${index + 3}`] = activation;
      inputs = outputs;
    }
    if (spec.dropout > 0) steps.dropout = dropout(spec.dropout) as Layer;
    return { ...steps, output: linear(inputs, spec.outputs) };
  },
} satisfies Record<string, (spec: Architecture) => Readonly<Record<string, unknown>>>;

export type ModelName = keyof typeof builders;
export const modelNames = Object.keys(builders) as ModelName[];

/** @throws UsageError when the model does not fit the shape of the data */
export function buildModel(spec: Architecture): Layer {
  if (spec.model === "cnn" && (spec.input.length !== 3 || Math.min(...spec.input.slice(1)) < 4))
    throw new UsageError(`--model cnn needs images of at least 4 × 4 pixels, but one sample has shape [${spec.input.join(", ")}]`, {
      hint: "--model mlp or --model linear",
    });
  return sequential(builders[spec.model](spec) as Readonly<Record<string, Layer>>);
}

/** @throws FileError when a weights file does not say how to build its model */
export function readArchitecture(value: unknown, where: string): Architecture {
  const spec = (value ?? {}) as Partial<Architecture>;
  const fits =
    modelNames.includes(spec.model as ModelName) &&
    isSizes(spec.input) &&
    isSizes(spec.hidden) &&
    isSizes([spec.outputs]) &&
    activationNames.includes(spec.activation as ActivationName) &&
    typeof spec.dropout === "number";
  if (!fits)
    throw new FileError(`${where}: expected weights with the architecture of a kasane model in their notes`, {
      hint: "use the model.safetensors that kasane train wrote",
    });
  return spec as Architecture;
}

/** How a person would write it down: "784 → 128 → 10". */
export function describeModel({ model, input, hidden, outputs, activation }: Architecture): string {
  if (model === "cnn") {
    const sizes = ["conv 3×3, 16", "pool", "conv 3×3, 32", "pool", ...hidden, outputs];
    return `${sizes.join(" → ")} (${activation})`;
  }
  return `${[input.join("×"), ...(model === "mlp" ? hidden : []), outputs].join(" → ")}${model === "mlp" && hidden.length > 0 ? ` (${activation})` : ""}`;
}

function flattened(spec: Architecture): Record<string, Step> {
  return spec.input.length > 1 ? { flatten: flatten() as Layer } : {};
}

function width({ input }: Architecture): number {
  return input.reduce((product, extent) => product * extent, 1);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item > 0);
}
