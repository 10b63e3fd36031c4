// Trained networks' forward passes: evaluation mode, no gradients, compiled; the output is read back.

import { compile, noGrad, type Tensor } from "kasane";
import { isLayer, type Layer } from "kasane/nn";
import { excerpt } from "../agreement.ts";
import { uniform } from "../data.ts";
import { memoryOf } from "../resident.ts";
import type { Prepared, Workload } from "../workload.ts";
import { type Batch, cifarBatches, convnet, lenet, lenetBatches, mlp, mnistBatches, resnet18 } from "./models.ts";

export function forward(model: Layer | ((x: Tensor) => Tensor), x: Tensor): Prepared {
  if (isLayer(model)) model.eval();
  const run = compile((input: Tensor) => noGrad(() => model(input)));
  return { run: () => run(x), profile: () => run.profile(x).kernels, memory: () => memoryOf(run), outcome: { results: [excerpt(run(x))] } };
}

const first = (batches: readonly Batch[]): Tensor => (batches[0] as Batch)[0];

const resnet = (batch: number): Workload => ({
  name: `resnet18-fwd-b${batch}`,
  what: `ResNet-18 at 224×224, batch ${batch}, forward`,
  flops: 3_628_146_688 * batch,
  prepare: () => forward(resnet18(), uniform(90, [batch, 3, 224, 224])),
});

export const inference: readonly Workload[] = [
  {
    name: "mlp-mnist-fwd",
    what: "784-512-512-10, batch 128, forward",
    flops: 171_180_032,
    prepare: () => forward(mlp([784, 512, 512, 10]), first(mnistBatches())),
  },
  {
    name: "lenet-fwd",
    what: "20 and 50 5×5 filters, 500 hidden, batch 64, forward",
    flops: 293_504_000,
    prepare: () => forward(lenet(), first(lenetBatches())),
  },
  {
    name: "convnet-cifar-fwd",
    what: "six 3×3 conv-BN-ReLU, batch 64, forward",
    flops: 4_945_248_256,
    prepare: () => forward(convnet(), first(cifarBatches())),
  },
  resnet(1),
  resnet(8),
];
