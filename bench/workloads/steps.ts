// Whole training steps: forward, loss, backward and update, compiled as one program.

import { autocast, compile, type Tensor } from "kasane";
import { Recorder, type RecorderOptions } from "kasane/inspect";
import { crossEntropy, type Layer, layer } from "kasane/nn";
import { adam, type Optimizer, type Parameters, sgd } from "kasane/optim";
import { memoryOf } from "../resident.ts";
import type { Prepared, Workload } from "../workload.ts";
import { type Batch, cifarBatches, convnet, lenet, lenetBatches, mlp, mnistBatches, smallBatches } from "./models.ts";

/** @param checked how many first losses to compare */
export function training(
  model: Layer,
  optimize: (parameters: Parameters) => Optimizer,
  batches: readonly Batch[],
  checked: number,
  lossOf: (output: Tensor, target: Tensor) => Tensor = crossEntropy,
  watched: (run: () => Tensor) => Tensor = (run) => run(),
): Prepared {
  const optimizer = optimize(model.parameters());
  const step = compile((x: Tensor, target: Tensor) => {
    optimizer.zeroGrad();
    const loss = lossOf(model(x), target);
    loss.backward();
    optimizer.step();
    return loss;
  });
  let count = 0;
  const next = (): Batch => batches[count++ % batches.length] as Batch;
  const run = (): Tensor => watched(() => step(...next()));
  return {
    outcome: { losses: Array.from({ length: checked }, () => run().item()) },
    run,
    profile: () => step.profile(...next()).kernels,
    memory: () => memoryOf(step),
  };
}

/** The model under autocast, its predictions in float32. */
function mixed(model: Layer): Layer {
  return layer({ model }, (x: Tensor) => autocast("bfloat16", () => model(x)).to("float32"));
}

const MNIST = [784, 512, 512, 10];

export const steps: readonly Workload[] = [
  {
    name: "mlp-small",
    what: "4-8-2 ReLU softmax classifier, batch 32, SGD step",
    flops: 15_360,
    prepare: () => training(mlp([4, 8, 2]), (p) => sgd(p, { learningRate: 0.1 }), smallBatches(), 20),
  },
  {
    name: "mlp-mnist-sgd",
    what: "784-512-512-10, batch 128, SGD step",
    flops: 410_779_648,
    prepare: () => training(mlp(MNIST), (p) => sgd(p, { learningRate: 0.01 }), mnistBatches(), 10),
  },
  {
    name: "mlp-mnist-adam",
    what: "784-512-512-10, batch 128, Adam step",
    flops: 410_779_648,
    prepare: () => training(mlp(MNIST), (p) => adam(p, { learningRate: 1e-3 }), mnistBatches(), 10),
  },
  {
    name: "lenet",
    what: "20 and 50 5×5 filters, 500 hidden, batch 64, momentum step",
    flops: 843_648_000,
    prepare: () => training(lenet(), (p) => sgd(p, { learningRate: 0.01, momentum: 0.9 }), lenetBatches(), 10),
  },
  {
    name: "convnet-cifar",
    what: "six 3×3 conv-BN-ReLU, 32/64/128 channels, 32×32, batch 64, Adam step",
    flops: 14_722_498_560,
    prepare: () => training(convnet(), (p) => adam(p, { learningRate: 1e-3 }), cifarBatches(), 4),
  },
  {
    name: "convnet-cifar-idle",
    what: "convnet-cifar with a recorder that picks none of these steps",
    flops: 14_722_498_560,
    baseline: "convnet-cifar",
    prepare: () => recorded({ steps: () => false }),
  },
  {
    name: "convnet-cifar-watched",
    what: "convnet-cifar with statistics of every layer's output and gradient and of every update, each step",
    flops: 14_722_498_560,
    baseline: "convnet-cifar",
    prepare: () => recorded({ most: 1000 }),
  },
  {
    name: "convnet-cifar-bf16",
    what: "convnet-cifar in mixed precision: activations stored as bfloat16",
    flops: 14_722_498_560,
    baseline: "convnet-cifar",
    prepare: () => training(mixed(convnet()), (p) => adam(p, { learningRate: 1e-3 }), cifarBatches(), 4),
  },
];

function recorded(options: RecorderOptions): Prepared {
  const model = convnet();
  const recorder = new Recorder(model, options);
  const optimize = (p: Parameters): Optimizer => adam(p, { learningRate: 1e-3 });
  return training(model, optimize, cifarBatches(), 4, crossEntropy, (run) => recorder.step(run));
}
