// The networks, with the numbers other frameworks start from: every tensor is uniform(seed, shape, bound, offset) of data.ts.

import { maxPool, type Tensor } from "kasane";
import {
  batchNorm,
  conv2d,
  flatten,
  globalAveragePool,
  type Layer,
  layer,
  linear,
  maxPool2d,
  relu,
  type Step,
  sequential,
} from "kasane/nn";
import { labels, uniform } from "../data.ts";

export type Batch = readonly [x: Tensor, labels: Tensor];

const batches = (seed: number, labelSeed: number, shape: readonly number[], classes: number, bound: number, offset: number): Batch[] =>
  [0, 1, 2, 3].map((n) => [uniform(seed + n, shape, bound, offset), labels(labelSeed + n, shape[0] as number, classes)]);

/** Four batches that take turns. */
export const smallBatches = (): Batch[] => batches(10, 20, [32, 4], 2, 1, 0);
export const mnistBatches = (): Batch[] => batches(30, 40, [128, 784], 10, 0.5, 0.5);
export const lenetBatches = (): Batch[] => batches(50, 60, [64, 1, 28, 28], 10, 0.5, 0.5);
export const cifarBatches = (): Batch[] => batches(70, 80, [64, 3, 32, 32], 10, 1, 0);

/** Dense layers with ReLU between them. */
export function mlp(sizes: readonly number[]): Layer {
  const layers = sizes.slice(1).map((outputs, n) => dense(sizes[n] as number, outputs, 100 + 10 * n));
  return chain(layers.flatMap((one, n) => (n === 0 ? [one] : [relu, one])));
}

/** 20 and 50 filters of 5×5, 500 hidden units. */
export function lenet(): Layer {
  const first = seeded(conv2d(1, 20, 5), 200, 1 / 5);
  const second = seeded(conv2d(20, 50, 5), 210, 1 / Math.sqrt(500));
  return chain([first, relu, maxPool2d(2), second, relu, maxPool2d(2), flatten(), dense(800, 500, 220), relu, dense(500, 10, 230)]);
}

/** Six times 3×3 convolution, batch norm, ReLU; max pool after every second. */
export function convnet(): Layer {
  const channels = [
    [3, 32],
    [32, 32],
    [32, 64],
    [64, 64],
    [64, 128],
    [128, 128],
  ] as const;
  const blocks = channels.flatMap(([inputs, outputs], n): Step[] => {
    const conv = conv2d(inputs, outputs, 3, { padding: 1, bias: false });
    fill(conv, "weight", 300 + 10 * n, Math.sqrt(6 / (9 * inputs)));
    const norm = batchNorm(outputs);
    fill(norm, "weight", 301 + 10 * n, 0.2, 1);
    fill(norm, "bias", 302 + 10 * n, 0.1);
    return [conv as Step, norm as Step, relu, ...(n % 2 === 1 ? [maxPool2d(2) as Step] : [])];
  });
  return chain([...blocks, globalAveragePool() as Step, dense(128, 10, 390)]);
}

/** ResNet-18 (He et al. 2015) for 224×224. */
export function resnet18(): Layer {
  let seed = 1000;
  const next = (): number => (seed += 10) - 10;
  const convNorm = (inputs: number, outputs: number, kernel: number, stride: number, padding: number): Layer => {
    const conv = conv2d(inputs, outputs, kernel, { stride, padding, bias: false });
    fill(conv, "weight", next(), Math.sqrt(6 / (inputs * kernel * kernel)));
    const norm = batchNorm(outputs);
    const first = next();
    fill(norm, "weight", first, 0.2, 0.8);
    fill(norm, "bias", first + 1, 0.1);
    fill(norm, "runningMean", first + 2, 0.1);
    fill(norm, "runningVariance", first + 3, 0.5, 1);
    return chain([conv as Step, norm as Step]);
  };
  const block = (inputs: number, outputs: number, stride: number): Step => {
    const first = convNorm(inputs, outputs, 3, stride, 1);
    const second = convNorm(outputs, outputs, 3, 1, 1);
    const shortcut = stride === 1 && inputs === outputs ? undefined : convNorm(inputs, outputs, 1, stride, 0);
    return layer({ first, second, ...(shortcut === undefined ? {} : { shortcut }) }, (x: Tensor) =>
      relu(second(relu(first(x))).add(shortcut === undefined ? x : shortcut(x))),
    ) as Step;
  };
  const stem = convNorm(3, 64, 7, 2, 3);
  const stages = [
    [64, 64, 1],
    [64, 128, 2],
    [128, 256, 2],
    [256, 512, 2],
  ] as const;
  const blocks = stages.flatMap(([inputs, outputs, stride]) => [block(inputs, outputs, stride), block(outputs, outputs, 1)]);
  const pool: Step = (x) => maxPool(x, 3, { stride: 2, padding: 1 });
  return chain([stem, relu, pool, ...blocks, globalAveragePool() as Step, dense(512, 1000, next())]);
}

function dense(inputs: number, outputs: number, seed: number): Layer {
  return seeded(linear(inputs, outputs) as Layer, seed, 1 / Math.sqrt(inputs));
}

/** Weight from the seed, bias from the next one, both within ± bound. */
function seeded(made: unknown, seed: number, bound: number): Layer {
  fill(made, "weight", seed, bound);
  fill(made, "bias", seed + 1, bound);
  return made as Layer;
}

export function fill(made: unknown, name: string, seed: number, bound: number, offset = 0): void {
  const target = (made as Layer).namedParameters().get(name) ?? (made as Layer).namedBuffers().get(name);
  if (target === undefined) throw new Error(`the layer ${(made as Layer).kind} has no ${name}`);
  target.assign(uniform(seed, target.shape, bound, offset));
}

function chain(steps: readonly Step[]): Layer {
  return (sequential as (...steps: readonly Step[]) => Layer)(...steps);
}
