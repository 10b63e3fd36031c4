// The zoo: small trainings with one planted disease each, and healthy ones; everything from seeds.

import { Dataset } from "../../src/data/index.ts";
import type { ExamineOptions, FindingKind } from "../../src/inspect/index.ts";
import {
  batchNorm,
  conv2d,
  crossEntropy,
  dropout,
  flatten,
  type Layer,
  layer,
  layerNorm,
  leakyRelu,
  linear,
  maxPool2d,
  meanSquaredError,
  relu,
  residual,
  sequential,
  sigmoid,
  tanh,
} from "../../src/nn/index.ts";
import { adam, adamW, cosineDecay, sgd } from "../../src/optim/index.ts";
import { manualSeed, normal, type Tensor } from "../../src/tensor/index.ts";
import type { FitOptions, Samples } from "../../src/train/index.ts";

export interface Patient {
  readonly name: string;
  readonly model: Layer;
  readonly data: Dataset<Samples>;
  readonly options: ExamineOptions;
}

export interface Sick {
  readonly name: string;
  readonly disease: FindingKind;
  /** Where it must be found; any of them. */
  readonly where: readonly string[];
  /** What may be found besides, as its consequence. */
  readonly consequences?: readonly FindingKind[];
  readonly make: (seed?: number) => Omit<Patient, "name">;
}

export interface Healthy {
  readonly name: string;
  readonly make: (seed?: number) => Omit<Patient, "name">;
}

export const net = (steps: Readonly<Record<string, unknown>>): Layer => sequential(steps as never) as unknown as Layer;

/** Points around as many centres as there are classes. */
export function blobs(
  seed: number,
  {
    count = 240,
    features = 6,
    classes = 3,
    scale = 1,
    offset = 0,
    spread = 0.7,
  }: Partial<Record<"count" | "features" | "classes" | "scale" | "offset" | "spread", number>> = {},
): { x: Float32Array; y: Int32Array; count: number; features: number } {
  manualSeed(seed);
  const centres = normal([classes, features]).data;
  const noise = normal([count, features]).data;
  const y = Int32Array.from({ length: count }, (_, n) => n % classes);
  const x = Float32Array.from({ length: count * features }, (_, k) => {
    const [n, f] = [Math.floor(k / features), k % features];
    return offset + scale * ((centres[(y[n] as number) * features + f] as number) * 1.2 + spread * (noise[k] as number));
  });
  return { x, y, count, features };
}

export function classes(
  seed: number,
  options: Parameters<typeof blobs>[1] = {},
  change: (y: Int32Array) => void = () => {},
): Dataset<Samples> {
  const { x, y, count, features } = blobs(seed, options);
  change(y);
  return new Dataset<Samples>({ x: { data: x, shape: [count, features] }, y: { data: y, shape: [count] } });
}

/** Small images of bars: standing, lying, or none. */
export function images(
  seed: number,
  { count = 120, low = 0, high = 1 }: { count?: number; low?: number; high?: number } = {},
): Dataset<Samples> {
  manualSeed(seed);
  const noise = normal([count, 1, 8, 8]).data;
  const y = Int32Array.from({ length: count }, (_, n) => n % 3);
  const x = Float32Array.from({ length: count * 64 }, (_, k) => {
    const [n, row, column] = [Math.floor(k / 64), Math.floor(k / 8) % 8, k % 8];
    const at = 1 + (Math.floor(n / 3) % 6);
    const on = y[n] === 0 ? column === at : y[n] === 1 ? row === at : false;
    return low + (high - low) * ((on ? 1 : 0) + 0.15 * (noise[k] as number));
  });
  return new Dataset<Samples>({ x: { data: x, shape: [count, 1, 8, 8] }, y: { data: y, shape: [count] } });
}

export function regression(seed: number, count = 200): Dataset<Samples> {
  manualSeed(seed);
  const [x, noise] = [normal([count, 4]).data, normal([count]).data];
  const y = Float32Array.from(
    { length: count },
    (_, n) => Math.sin(x[4 * n] as number) + 0.5 * (x[4 * n + 1] as number) + 0.05 * (noise[n] as number),
  );
  return new Dataset<Samples>({ x: { data: x, shape: [count, 4] }, y: { data: y, shape: [count, 1] } });
}

/** Every hidden linear layer followed by its activation. */
export function mlp(
  widths: readonly number[],
  activation: unknown,
  name: string,
  more: (n: number) => Readonly<Record<string, unknown>> = () => ({}),
): Layer {
  const steps: Record<string, unknown> = {};
  for (let n = 0; n + 2 < widths.length; n++) {
    steps[`hidden${n + 1}`] = linear(widths[n] as number, widths[n + 1] as number);
    Object.assign(steps, more(n));
    steps[`${name}${n + 1}`] = activation;
  }
  return net({ ...steps, output: linear(widths.at(-2) as number, widths.at(-1) as number) });
}

export function cnn(activation: unknown = relu, name = "relu"): Layer {
  return net({
    conv1: conv2d(1, 6, 3, { padding: 1 }),
    [`${name}1`]: activation,
    pool1: maxPool2d(2),
    conv2: conv2d(6, 8, 3, { padding: 1 }),
    [`${name}2`]: activation,
    flat: flatten(),
    output: linear(8 * 16, 3),
  });
}

/** The weights of some layers times a factor, their biases plus a number. */
export function changed(model: Layer, change: (name: string, tensor: Tensor) => Tensor | undefined): Layer {
  for (const [name, parameter] of model.namedParameters()) {
    const other = change(name, parameter.detach());
    if (other !== undefined) parameter.assign(other.detach());
  }
  return model;
}

export const scaled = (model: Layer, factor: number, which: RegExp = /weight$/): Layer =>
  changed(model, (name, value) => (which.test(name) ? value.mul(factor) : undefined));
const shifted = (model: Layer, by: number, which: RegExp): Layer =>
  changed(model, (name, value) => (which.test(name) ? value.add(by) : undefined));

type Optimize = (parameters: ReturnType<Layer["parameters"]>) => FitOptions["optimizer"];
export const withSgd =
  (learningRate: number, momentum = 0): Optimize =>
  (p) =>
    sgd(p, { learningRate, momentum });
export const withAdam =
  (learningRate: number): Optimize =>
  (p) =>
    adam(p, { learningRate });

export function patient(
  model: Layer,
  data: Dataset<Samples>,
  optimize: Optimize,
  more: Partial<ExamineOptions> = {},
): Omit<Patient, "name"> {
  const { data: y } = data.fields.y;
  const loss = y instanceof Float32Array ? meanSquaredError : crossEntropy;
  return {
    model,
    data,
    options: { loss: loss as FitOptions["loss"], optimizer: optimize(model.parameters()), epochs: 4, batchSize: 24, seed: 1, ...more },
  };
}

/** Everything is made after the seed is set: the patient's own, or another. */
const seeded =
  (own: number, make: (seed: number) => Omit<Patient, "name">) =>
  (seed = own): Omit<Patient, "name"> => {
    manualSeed(seed);
    return make(seed);
  };

const detached = (x: Tensor): Tensor => x.detach();
const logarithm = (x: Tensor): Tensor => x.sub(1.5).log();
const root = (x: Tensor): Tensor => x.sub(0.5).sqrt();

export const sick: readonly Sick[] = [
  {
    name: "eight sigmoid layers",
    disease: "vanishing gradients",
    where: ["hidden1"],
    make: seeded(1, (seed) => patient(mlp([6, 16, 16, 16, 16, 16, 16, 16, 3], sigmoid, "sigmoid"), classes(seed), withSgd(0.1))),
  },
  {
    name: "ten sigmoid layers, Adam",
    disease: "vanishing gradients",
    where: ["hidden1"],
    make: seeded(2, (seed) =>
      patient(mlp([6, 12, 12, 12, 12, 12, 12, 12, 12, 12, 3], sigmoid, "sigmoid"), classes(seed), withAdam(1e-3), { epochs: 2 }),
    ),
  },
  {
    name: "deep relu with halved weights",
    disease: "bad initialization",
    where: ["hidden8", "hidden7", "output"],
    consequences: ["learning rate too low", "dead units", "vanishing gradients"],
    make: seeded(3, (seed) =>
      patient(scaled(mlp([6, 16, 16, 16, 16, 16, 16, 16, 16, 3], relu, "relu"), 0.4), classes(seed), withSgd(0.01)),
    ),
  },
  {
    name: "deep relu with weights of 1",
    disease: "bad initialization",
    where: ["hidden5", "output", "hidden4"],
    consequences: ["learning rate too low", "exploding gradients", "learning rate too high", "dead units"],
    make: seeded(4, (seed) => patient(scaled(mlp([6, 32, 32, 32, 32, 32, 3], relu, "relu"), 6, /weight$/), classes(seed), withSgd(1e-9))),
  },
  {
    name: "tanh with large weights",
    disease: "saturated activations",
    where: ["tanh1", "tanh2"],
    make: seeded(5, (seed) => patient(scaled(mlp([6, 16, 16, 3], tanh, "tanh"), 12, /hidden.*weight/), classes(seed), withSgd(0.01))),
  },
  {
    name: "sigmoid with large weights",
    disease: "saturated activations",
    where: ["sigmoid1", "sigmoid2"],
    make: seeded(6, (seed) =>
      patient(scaled(mlp([6, 16, 16, 3], sigmoid, "sigmoid"), 25, /hidden.*weight/), classes(seed), withAdam(1e-3)),
    ),
  },
  {
    name: "a convolution saturated by its bias",
    disease: "saturated activations",
    where: ["tanh1"],
    consequences: ["vanishing gradients"],
    make: seeded(7, (seed) => patient(shifted(cnn(tanh, "tanh"), 6, /conv1.bias/), images(seed), withSgd(0.02))),
  },
  {
    name: "relu killed by biases",
    disease: "dead units",
    where: ["relu1"],
    consequences: ["saturated activations", "vanishing gradients"],
    make: seeded(8, (seed) => patient(shifted(mlp([6, 16, 16, 3], relu, "relu"), -30, /hidden1.bias/), classes(seed), withSgd(0.05))),
  },
  {
    name: "the second relu killed",
    disease: "dead units",
    where: ["relu2"],
    consequences: ["vanishing gradients"],
    make: seeded(9, (seed) => patient(shifted(mlp([6, 16, 16, 3], relu, "relu"), -30, /hidden2.bias/), classes(seed), withAdam(1e-3))),
  },
  {
    name: "channels killed in a CNN",
    disease: "dead units",
    where: ["relu2"],
    consequences: ["vanishing gradients"],
    make: seeded(10, (seed) => patient(shifted(cnn(), -20, /conv2.bias/), images(seed), withSgd(0.02))),
  },
  {
    name: "SGD that diverges",
    disease: "learning rate too high",
    where: ["optimizer"],
    consequences: ["not finite", "exploding gradients", "dead units"],
    make: seeded(11, (seed) => patient(mlp([4, 16, 1], relu, "relu"), regression(seed), withSgd(3))),
  },
  {
    name: "Adam with steps of 3",
    disease: "learning rate too high",
    where: ["optimizer"],
    consequences: ["not finite", "exploding gradients", "dead units", "not learning", "saturated activations"],
    make: seeded(12, (seed) => patient(mlp([6, 16, 16, 3], tanh, "tanh"), classes(seed), withAdam(3))),
  },
  {
    name: "momentum that diverges",
    disease: "learning rate too high",
    where: ["optimizer"],
    consequences: ["not finite", "exploding gradients", "dead units"],
    make: seeded(13, (seed) => patient(mlp([4, 16, 16, 1], relu, "relu"), regression(seed), withSgd(0.6, 0.95))),
  },
  {
    name: "a CNN with a large rate",
    disease: "learning rate too high",
    where: ["optimizer"],
    consequences: ["not finite", "exploding gradients", "dead units", "not learning"],
    make: seeded(14, (seed) => patient(cnn(), images(seed), withSgd(8))),
  },
  {
    name: "a tiny rate",
    disease: "learning rate too low",
    where: ["optimizer"],
    make: seeded(15, (seed) => patient(mlp([6, 16, 3], relu, "relu"), classes(seed), withSgd(1e-7))),
  },
  {
    name: "a tiny rate with Adam",
    disease: "learning rate too low",
    where: ["optimizer"],
    make: seeded(16, (seed) => patient(mlp([6, 16, 3], tanh, "tanh"), classes(seed), withAdam(1e-8))),
  },
  {
    name: "zero weights",
    disease: "symmetric initialization",
    where: ["hidden1"],
    consequences: ["not learning", "dead units", "unused parameters", "vanishing gradients"],
    make: seeded(17, (seed) => patient(scaled(mlp([6, 16, 16, 3], relu, "relu"), 0), classes(seed), withSgd(0.1))),
  },
  {
    name: "equal weights in one layer",
    disease: "symmetric initialization",
    where: ["hidden2"],
    consequences: ["not learning", "vanishing gradients"],
    make: seeded(18, (seed) =>
      patient(
        changed(mlp([6, 16, 16, 3], tanh, "tanh"), (name, value) => (name === "hidden2.weight" ? value.mul(0).add(0.1) : undefined)),
        classes(seed),
        withAdam(1e-3),
      ),
    ),
  },
  {
    name: "inputs in thousands",
    disease: "unscaled inputs",
    where: ["data"],
    consequences: [
      "learning rate too high",
      "not finite",
      "dead units",
      "exploding gradients",
      "not learning",
      "saturated activations",
      "bad initialization",
    ],
    make: seeded(19, (seed) => patient(mlp([6, 16, 3], relu, "relu"), classes(seed, { scale: 1000 }), withSgd(0.01))),
  },
  {
    name: "pixels to 255",
    disease: "unscaled inputs",
    where: ["data"],
    consequences: ["learning rate too high", "not finite", "dead units", "exploding gradients", "not learning", "bad initialization"],
    make: seeded(20, (seed) => patient(cnn(), images(seed, { high: 255 }), withSgd(0.01))),
  },
  {
    name: "a large offset",
    disease: "unscaled inputs",
    where: ["data"],
    consequences: ["learning rate too high", "not learning", "saturated activations", "dead units"],
    make: seeded(21, (seed) => patient(mlp([6, 16, 3], tanh, "tanh"), classes(seed, { offset: 500 }), withAdam(1e-3))),
  },
  { name: "one class in fifty", disease: "class imbalance", where: ["data"], consequences: ["label errors", "plateau", "not learning"], make: seeded(22, (seed) => patient(mlp([6, 16, 2], relu, "relu"), classes(seed, { classes: 2 }, (y) => y.forEach((_, n) => { y[n] = n % 50 === 0 ? 1 : 0; })), withAdam(3e-3))) }, // biome-ignore format: a row
  { name: "flipped labels", disease: "label errors", where: ["data"], make: seeded(23, (seed) => patient(mlp([6, 24, 3], relu, "relu"), classes(seed, { count: 480, spread: 0.4 }, (y) => y.forEach((label, n) => { if (n % 16 === 0) y[n] = (label + 1) % 3; })), withAdam(5e-3), { epochs: 10 })) }, // biome-ignore format: a row
  {
    name: "few samples, many weights",
    disease: "overfitting",
    where: ["loss"],
    make: seeded(24, (seed) =>
      patient(mlp([6, 64, 64, 3], relu, "relu"), classes(seed, { count: 300, spread: 2.2 }).slice(0, 60), withAdam(5e-3), {
        epochs: 40,
        validation: classes(seed, { count: 300, spread: 2.2 }).slice(60),
      }),
    ),
  },
  { name: "a layer that is not called", disease: "unused parameters", where: ["spare.weight"], make: seeded(25, (seed) => { const [first, spare, last] = [linear(6, 16), linear(16, 16), linear(16, 3)]; return patient(layer({ first, spare, last }, (x: Tensor) => last(relu(first(x as never)) as never)) as unknown as Layer, classes(seed), withAdam(1e-3)); }) }, // biome-ignore format: a row
  {
    name: "a detached middle",
    disease: "unused parameters",
    where: ["hidden1.weight"],
    make: seeded(26, (seed) =>
      patient(net({ hidden1: linear(6, 16), relu1: relu, detached, output: linear(16, 3) }), classes(seed), withAdam(1e-3)),
    ),
  },
  { name: "a frozen layer", disease: "frozen parameters", where: ["hidden1.weight"], make: seeded(27, (seed) => { const first = linear(6, 16); first.requiresGrad(false); return patient(net({ hidden1: first, relu1: relu, output: linear(16, 3) }), classes(seed), withAdam(1e-3)); }) }, // biome-ignore format: a row
  {
    name: "the logarithm of negative numbers",
    disease: "not finite",
    where: ["logarithm"],
    consequences: ["learning rate too high"],
    make: seeded(28, (seed) => patient(net({ hidden1: linear(6, 16), logarithm, output: linear(16, 3) }), classes(seed), withAdam(1e-3))),
  },
  {
    name: "the root of negative numbers",
    disease: "not finite",
    where: ["root"],
    consequences: ["learning rate too high"],
    make: seeded(29, (seed) =>
      patient(net({ hidden1: linear(6, 8), relu1: relu, root, output: linear(8, 3) }), classes(seed), withSgd(0.01)),
    ),
  },
  { name: "labels in random order", disease: "nothing to learn", where: ["data"], consequences: ["not learning"], make: seeded(30, (seed) => { const made = patient(mlp([6, 16, 3], relu, "relu"), classes(seed, {}, (y) => { const noise = normal([y.length]).data; y.forEach((_, n) => { y[n] = Math.abs(Math.round(1000 * (noise[n] as number))) % 3; }); }), withAdam(3e-3), { epochs: 6 }); return { ...made, options: { ...made.options, control: true } }; }) }, // biome-ignore format: a row
];

export const healthy: readonly Healthy[] = [
  {
    name: "MLP with Adam",
    make: seeded(101, (seed) => patient(mlp([6, 24, 3], relu, "relu"), classes(seed), withAdam(3e-3), { epochs: 8 })),
  },
  {
    name: "MLP with SGD",
    make: seeded(102, (seed) => patient(mlp([6, 24, 24, 3], relu, "relu"), classes(seed), withSgd(0.1), { epochs: 8 })),
  },
  {
    name: "tanh with momentum",
    make: seeded(103, (seed) => patient(mlp([6, 16, 16, 3], tanh, "tanh"), classes(seed), withSgd(0.02, 0.9), { epochs: 6 })),
  },
  {
    name: "one sigmoid layer",
    make: seeded(104, (seed) => patient(mlp([6, 24, 3], sigmoid, "sigmoid"), classes(seed), withAdam(1e-2), { epochs: 6 })),
  },
  { name: "CNN", make: seeded(105, (seed) => patient(cnn(), images(seed), withAdam(3e-3), { epochs: 6 })) },
  { name: "CNN with SGD and momentum", make: seeded(106, (seed) => patient(cnn(), images(seed), withSgd(0.02, 0.9), { epochs: 6 })) },
  {
    name: "CNN with batch norm",
    make: seeded(107, (seed) =>
      patient(
        net({
          conv1: conv2d(1, 6, 3, { padding: 1 }),
          norm1: batchNorm(6),
          relu1: relu,
          pool: maxPool2d(2),
          flat: flatten(),
          output: linear(96, 3),
        }),
        images(seed),
        withAdam(3e-3),
        { epochs: 5 },
      ),
    ),
  },
  {
    name: "residual blocks",
    make: seeded(108, (seed) =>
      patient(
        net({
          first: linear(6, 16),
          block1: residual(sequential(linear(16, 16), relu, linear(16, 16))),
          block2: residual(sequential(linear(16, 16), relu, linear(16, 16))),
          output: linear(16, 3),
        }),
        classes(seed),
        withAdam(2e-3),
        { epochs: 6 },
      ),
    ),
  },
  {
    name: "deep relu, He initialization",
    make: seeded(109, (seed) => patient(mlp([6, 32, 32, 32, 32, 32, 3], relu, "relu"), classes(seed), withAdam(1e-3), { epochs: 6 })),
  },
  {
    name: "regression",
    make: seeded(110, (seed) => patient(mlp([4, 24, 1], tanh, "tanh"), regression(seed), withAdam(5e-3), { epochs: 10 })),
  },
  {
    name: "regression with SGD",
    make: seeded(111, (seed) => patient(mlp([4, 24, 24, 1], relu, "relu"), regression(seed), withSgd(0.05), { epochs: 10 })),
  },
  {
    name: "dropout and weight decay",
    make: seeded(112, (seed) =>
      patient(
        mlp([6, 32, 3], relu, "relu", () => ({ drop: dropout(0.3) })),
        classes(seed),
        (p) => adamW(p, { learningRate: 3e-3, weightDecay: 0.01 }),
        { epochs: 6 },
      ),
    ),
  },
  {
    name: "layer norm and a cosine schedule",
    make: seeded(113, (seed) =>
      patient(
        mlp([6, 24, 24, 3], leakyRelu(), "leaky", (n) => ({ [`norm${n}`]: layerNorm(24) })),
        classes(seed),
        withAdam(5e-3),
        { epochs: 6, schedule: cosineDecay(5e-3, { steps: 60 }) },
      ),
    ),
  },
  { name: "small data, held-out data, control", make: seeded(114, (seed) => { const made = patient(mlp([6, 12, 3], relu, "relu"), classes(seed, { count: 150 }).slice(0, 90), withAdam(5e-3), { epochs: 8, validation: classes(seed, { count: 150 }).slice(90) }); return { ...made, options: { ...made.options, control: true } }; }) }, // biome-ignore format: a row
  {
    name: "linear, long and eager",
    make: seeded(115, (seed) => patient(net({ output: linear(6, 3) }), classes(seed), withSgd(0.3), { epochs: 15, compile: false })),
  },
];
