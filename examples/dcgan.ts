// Two convolutional networks play against each other: one draws digits, the other tells drawn from real (Radford et al. 2016).

import { compile, manualSeed, noGrad, normal, ones, relu, sigmoid, type Tensor, zeros } from "kasane";
import { Dataset, digits } from "kasane/data";
import {
  batchNorm,
  binaryCrossEntropyLogits,
  conv2d,
  convTranspose2d,
  flatten,
  init,
  layer,
  leakyRelu,
  linear,
  sequential,
} from "kasane/nn";
import { adam } from "kasane/optim";
import { batches } from "./support/batches.ts";
import { savePicture, small } from "./support/output.ts";

const codes = 64;
const batchSize = small ? 16 : 64;
const { images, labels } = digits({ count: small ? 32 : 6000, seed: 1 });
const data = new Dataset({ x: images, y: labels });

manualSeed(1);
const start = { init: init.normal(0, 0.02) };
const expand = linear(codes, 64 * 7 * 7, start);
const grow = sequential(
  batchNorm(64),
  relu,
  convTranspose2d(64, 32, 4, { stride: 2, padding: 1, bias: false, ...start }), // [n, 64, 7, 7] → [n, 32, 14, 14]
  batchNorm(32),
  relu,
  convTranspose2d(32, 1, 4, { stride: 2, padding: 1, ...start }), // → [n, 1, 28, 28]
  sigmoid,
);
const generator = layer({ expand, grow }, (z: Tensor) => grow(expand(z).reshape([-1, 64, 7, 7])));
const discriminator = sequential(
  conv2d(1, 32, 4, { stride: 2, padding: 1, ...start }),
  leakyRelu(0.2),
  conv2d(32, 64, 4, { stride: 2, padding: 1, bias: false, ...start }),
  batchNorm(64),
  leakyRelu(0.2),
  flatten(),
  linear(64 * 7 * 7, 1, start),
);
const settings = { learningRate: 0.0004, beta1: 0.5 };
const drawing = adam(generator.parameters(), settings);
const judging = adam(discriminator.parameters(), settings);

// Real pictures are called 0.9, not 1: a judge that is never quite sure keeps teaching (Salimans et al. 2016).
const real = ones([batchSize, 1]).mul(0.9);
const drawn = zeros([batchSize, 1]);
const step = compile((x: Tensor) => {
  const picture = generator(normal([batchSize, codes]));
  judging.zeroGrad();
  const judgement = binaryCrossEntropyLogits(discriminator(x), real).add(binaryCrossEntropyLogits(discriminator(picture.detach()), drawn));
  judgement.backward();
  judging.step();
  drawing.zeroGrad();
  const deception = binaryCrossEntropyLogits(discriminator(picture), real);
  deception.backward();
  drawing.step();
  return { judgement, deception };
});

for (let epoch = 0; epoch < (small ? 1 : 30); epoch++) {
  let [judgement, deception, count] = [0, 0, 0];
  for (const { x } of batches(data, batchSize, epoch)) {
    const losses = step(x);
    judgement += losses.judgement.item();
    deception += losses.deception.item();
    count++;
  }
  console.log(`epoch ${epoch + 1}: loss of the judge ${(judgement / count).toFixed(3)}, of the drawer ${(deception / count).toFixed(3)}`);
}

generator.eval();
await savePicture(
  "dcgan",
  noGrad(() => generator(normal([small ? 10 : 100, codes]))),
);
