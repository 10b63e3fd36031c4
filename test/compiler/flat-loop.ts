// Run by flat.test.ts with --expose-gc: trains the 4-8-2 classifier for many steps and makes many short-lived compiled steps; prints memory as JSON.

import { compile, getBackend, manualSeed, type Tensor, tensor, uniform, zeros } from "../../src/index.ts";
import { crossEntropy, linear, relu, sequential } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";

const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined) throw new Error("run with --expose-gc");

export interface Measured {
  readonly heap: number;
  readonly resident: number;
}

async function measured(): Promise<Measured> {
  for (let pass = 0; pass < 4; pass++) {
    collect?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, resident: rss };
}

/** Memory after each of six rounds; the first one warms up. */
async function rounds(run: (round: number) => void): Promise<Measured[]> {
  const found: Measured[] = [];
  for (let round = 0; round < 6; round++) {
    run(round);
    found.push(await measured());
  }
  return found.slice(1);
}

function classifier(): (x: Tensor, target: Tensor) => Tensor {
  manualSeed(1);
  const net = sequential(linear(4, 8), relu, linear(8, 2));
  const optimizer = adam(net.parameters(), { learningRate: 0.001 });
  return (x, target) => {
    optimizer.zeroGrad();
    const loss = crossEntropy(net(x), target);
    loss.backward();
    optimizer.step();
    return loss;
  };
}

const x = uniform([32, 4], -1, 1) as Tensor;
const target = tensor(
  Int32Array.from({ length: 32 }, (_, n) => n % 2),
  [32],
) as Tensor;
/** The reference backend does less. */
const slow = getBackend().name === "reference" ? 40 : 1;
const repeat = (count: number, step: (x: Tensor, target: Tensor) => Tensor) => () => {
  for (let n = 0; n < count / slow; n++) step(x, target);
};

const compiled = await rounds(repeat(20_000, compile(classifier())));
const eager = await rounds(repeat(4_000, classifier()));
/** Each with a cell and an arena of a megabyte or more; neither is freed by hand. */
const shortLived = await rounds(() => {
  for (let n = 0; n < 20 / slow; n++) {
    const cell = uniform([256, 1024]) as Tensor;
    compile((other: Tensor) => cell.assign(cell.mul(0.5).add(other)))(uniform([256, 1024]));
  }
});
/** One function, traced for more shapes than it keeps. */
const summing = compile((value: Tensor) => value.exp().mul(value).sum(0));
const shapes = await rounds(() => {
  for (let n = 0; n < 40; n++) summing(zeros([Math.ceil(200 / slow), 1000 + n]));
});
console.log(JSON.stringify({ compiled, eager, shortLived, shapes }));
