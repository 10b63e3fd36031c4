// How long compile() takes, from the function to code that can run: the first call's time without its run.

import { compile, type Tensor } from "kasane";
import { crossEntropy, type Layer } from "kasane/nn";
import { type Optimizer, sgd } from "kasane/optim";
import { labels, uniform } from "../data.ts";
import type { Prepared, Workload } from "../workload.ts";
import { type Batch, mlp, resnet18, smallBatches } from "./models.ts";

/** Every run compiles anew. Programs of equal structure are compiled once, so each loss has a factor of its own. */
function compiling(model: Layer, optimizer: Optimizer, [x, target]: Batch): Prepared {
  let runs = 0;
  let lastMs = 0;
  const run = (): void => {
    runs += 1;
    const factor = 1 + runs / 2 ** 20;
    const step = compile((x: Tensor, target: Tensor) => {
      optimizer.zeroGrad();
      const loss = crossEntropy(model(x) as Tensor, target).mul(factor);
      loss.backward();
      optimizer.step();
      return loss;
    });
    step(x, target);
    lastMs = step.steps[0]?.compileMs ?? Number.NaN;
  };
  return { run, lastMs: () => lastMs };
}

export const compilations: readonly Workload[] = [
  {
    name: "compile-mlp-small",
    what: "compiling the step of mlp-small in a warm process",
    prepare: () => {
      const model = mlp([4, 8, 2]);
      return compiling(model, sgd(model.parameters(), { learningRate: 0.1 }), smallBatches()[0] as Batch);
    },
  },
  {
    name: "compile-resnet18-step",
    what: "compiling a momentum step of ResNet-18, batch 8, 224×224",
    prepare: () => {
      const model = resnet18();
      const optimizer = sgd(model.parameters(), { learningRate: 0.01, momentum: 0.9 });
      return compiling(model, optimizer, [uniform(1, [8, 3, 224, 224]), labels(2, 8, 1000)]);
    },
  },
];
