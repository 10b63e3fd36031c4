// A page's worker that trains a small classifier without pause, and tells the page when it begins and what came of it.
// @ts-nocheck: the page serves the built library under this path.

import { compile, getBackend, manualSeed, noGrad, parameter, uniform } from "/dist/index.js";

const rows = 256;
const sizes = [64, 256, 8];

self.onmessage = async ({ data: { steps } }) => {
  manualSeed(5);
  const x = uniform([rows, sizes[0]], -1, 1);
  const target = x.slice(null, [0, sizes[2]]).softmax(-1);
  const weights = [1, 2].map((n) => parameter(uniform([sizes[n], sizes[n - 1]], -0.1, 0.1)));
  const step = compile((input, wanted) => {
    for (const weight of weights) weight.zeroGrad();
    const hidden = input.matmul(weights[0].transpose()).relu();
    const loss = hidden.matmul(weights[1].transpose()).logSoftmax(-1).mul(wanted).sum().div(-rows);
    loss.backward();
    noGrad(() => {
      for (const weight of weights) weight.assign(weight.sub(weight.grad.mul(0.5)));
    });
    return loss;
  });
  const losses = [step(x, target).item()];
  // Helpers of this worker start while it lets them.
  const helpers = () => performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("page-worker.js")).length;
  for (let round = 0; round < 20; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    losses.push(step(x, target).item());
  }
  self.postMessage({ began: true });
  for (let n = 0; n < steps; n++) losses.push(step(x, target).item());
  self.postMessage({ losses, description: getBackend().description, helpers: helpers(), isPage: typeof document !== "undefined" });
};
