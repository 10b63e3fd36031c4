// Whole training steps: forward, loss, backward and update, from the same initial weights and batches as other frameworks are given.

import { compile, type Tensor, tensor } from "kasane";
import { conv2d, crossEntropy, flatten, type Layer, linear, maxPool2d, relu, sequential } from "kasane/nn";
import { adam, sgd } from "kasane/optim";
import { labels, uniform } from "../data.ts";
import type { Prepared, Workload } from "../workload.ts";

/** Gives a linear or convolution layer the numbers of a seed: weight and bias within ± bound. */
function seeded(layer: Layer, seed: number, bound: number): Layer {
  const parameters = layer.namedParameters();
  for (const [name, value] of parameters) value.assign(uniform(seed + (name.endsWith("bias") ? 1 : 0), value.shape, bound));
  return layer;
}

const dense = (inputs: number, outputs: number, seed: number): Layer => seeded(linear(inputs, outputs), seed, 1 / Math.sqrt(inputs));
const mlp = (sizes: readonly number[]): Layer => {
  const layers: (Layer | typeof relu)[] = [];
  for (let n = 1; n < sizes.length; n++) {
    if (n > 1) layers.push(relu);
    layers.push(dense(sizes[n - 1] as number, sizes[n] as number, 90 + 10 * n));
  }
  return sequential(...layers) as Layer;
};

interface Optimizer {
  step(): void;
  zeroGrad(): void;
}

function training(model: Layer, optimizer: Optimizer, batches: readonly (readonly [Tensor, Tensor])[]): Prepared {
  let count = 0;
  const step = compile((x: Tensor, target: Tensor) => {
    optimizer.zeroGrad();
    const loss = crossEntropy(model(x), target);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const run = (): Tensor => {
    const [x, target] = batches[count++ % batches.length] as readonly [Tensor, Tensor];
    return step(x, target);
  };
  return { losses: [run().item(), run().item(), run().item()], run };
}

const batches = (seed: number, labelSeed: number, shape: readonly number[], classes: number, bound: number, offset: number): [Tensor, Tensor][] =>
  [0, 1, 2, 3].map((n) => [tensor(uniform(seed + n, shape, bound, offset).data, shape), labels(labelSeed + n, shape[0] as number, classes)]);

export const steps: readonly Workload[] = [
  {
    name: "mlp-small", what: "4-8-2 ReLU softmax classifier, batch 32, SGD step", flops: 15_360,
    prepare: () => {
      const model = mlp([4, 8, 2]);
      return training(model, sgd(model.parameters(), { learningRate: 0.1 }), batches(10, 20, [32, 4], 2, 1, 0));
    },
  },
  {
    name: "mlp-mnist-sgd", what: "784-512-512-10, batch 128, SGD step", flops: 410_779_648,
    prepare: () => {
      const model = mlp([784, 512, 512, 10]);
      return training(model, sgd(model.parameters(), { learningRate: 0.01 }), batches(30, 40, [128, 784], 10, 0.5, 0.5));
    },
  },
  {
    name: "mlp-mnist-adam", what: "784-512-512-10, batch 128, Adam step", flops: 410_779_648,
    prepare: () => {
      const model = mlp([784, 512, 512, 10]);
      return training(model, adam(model.parameters(), { learningRate: 1e-3 }), batches(30, 40, [128, 784], 10, 0.5, 0.5));
    },
  },
  {
    name: "lenet", what: "20 and 50 5×5 filters, 500 hidden, batch 64, momentum step", flops: 843_648_000,
    prepare: () => {
      const model = sequential(
        seeded(conv2d(1, 20, 5), 200, 1 / 5), relu, maxPool2d(2),
        seeded(conv2d(20, 50, 5), 210, 1 / Math.sqrt(500)), relu, maxPool2d(2),
        flatten(), dense(800, 500, 220), relu, dense(500, 10, 230),
      ) as Layer;
      return training(model, sgd(model.parameters(), { learningRate: 0.01, momentum: 0.9 }), batches(50, 60, [64, 1, 28, 28], 10, 0.5, 0.5));
    },
  },
];
