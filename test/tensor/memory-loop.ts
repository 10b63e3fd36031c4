// Run by memory.test.ts with --expose-gc: prints bytes in use after warm-up and after each round of ops, as JSON.

import { linear, noGrad, parameter, relu, type Tensor, tensor, uniform } from "../../src/index.ts";

const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined) throw new Error("run with --expose-gc");

const first = parameter(uniform([8, 4], -0.5, 0.5)) as Tensor;
const second = parameter(uniform([2, 8], -0.5, 0.5)) as Tensor;
const x = uniform([16, 4]) as Tensor;

function step(): void {
  const loss = linear(relu(linear(x, first)), second)
    .square()
    .mean();
  loss.backward();
  noGrad(() => {
    for (const weight of [first, second]) {
      if (weight.grad) weight.assign(weight.grad.mul(-0.01).add(weight.detach()));
      weight.zeroGrad();
    }
  });
}

function round(): void {
  let y: Tensor = tensor([1, 2, 3, 4]);
  for (let n = 0; n < 5_000; n++) y = y.mul(0.5).add(1);
  for (let n = 0; n < 500; n++) step();
}

const used: number[] = [];
round();
for (let n = 0; n < 5; n++) {
  if (n > 0) round();
  for (let pass = 0; pass < 3; pass++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  used.push(heapUsed + external);
}
console.log(JSON.stringify(used));
