// A variational autoencoder draws digits of its own from two-dimensional and larger codes (Kingma & Welling 2014).

import { compile, manualSeed, noGrad, normal, relu, sigmoid, type Tensor } from "kasane";
import { Dataset, digits } from "kasane/data";
import { binaryCrossEntropyLogits, conv2d, convTranspose2d, flatten, layer, linear, sequential } from "kasane/nn";
import { adam } from "kasane/optim";
import { batches } from "./support/batches.ts";
import { savePicture, small } from "./support/output.ts";

const codes = 16;
const batchSize = small ? 16 : 64;
const { images, labels } = digits({ count: small ? 48 : 6000, seed: 1 });
const data = new Dataset({ x: images, y: labels });

manualSeed(1);
const encoder = sequential(
  conv2d(1, 32, 4, { stride: 2, padding: 1 }), // [n, 1, 28, 28] → [n, 32, 14, 14]
  relu,
  conv2d(32, 64, 4, { stride: 2, padding: 1 }), // → [n, 64, 7, 7]
  relu,
  flatten(),
  linear(64 * 7 * 7, 2 * codes), // a mean and a log variance for every code
);
const expand = linear(codes, 64 * 7 * 7);
const grow = sequential(convTranspose2d(64, 32, 4, { stride: 2, padding: 1 }), relu, convTranspose2d(32, 1, 4, { stride: 2, padding: 1 }));
const decoder = layer({ expand, grow }, (z: Tensor) => grow(relu(expand(z)).reshape([-1, 64, 7, 7])));
const optimizer = adam([...encoder.parameters(), ...decoder.parameters()], { learningRate: 0.001 });

/** Reconstruction and distance of the codes from a standard normal distribution, per image. */
const step = compile((x: Tensor) => {
  optimizer.zeroGrad();
  const [mean, logVariance] = encoder(x).split(codes, 1) as [Tensor, Tensor];
  const z = mean.add(
    logVariance
      .mul(0.5)
      .exp()
      .mul(normal([batchSize, codes])),
  );
  const reconstruction = binaryCrossEntropyLogits(decoder(z), x, { reduction: "sum" }).div(batchSize);
  const divergence = mean.square().add(logVariance.exp()).sub(logVariance).sub(1).sum().mul(0.5).div(batchSize);
  reconstruction.add(divergence).backward();
  optimizer.step();
  return { reconstruction, divergence };
});

for (let epoch = 0; epoch < (small ? 1 : 20); epoch++) {
  let [reconstruction, divergence, count] = [0, 0, 0];
  for (const { x } of batches(data, batchSize, epoch)) {
    const parts = step(x);
    reconstruction += parts.reconstruction.item();
    divergence += parts.divergence.item();
    count++;
  }
  console.log(
    `epoch ${epoch + 1}: reconstruction ${(reconstruction / count).toFixed(1)}, divergence ${(divergence / count).toFixed(1)} nats per image`,
  );
}

await savePicture(
  "vae-drawn",
  noGrad(() => sigmoid(decoder(normal([small ? 10 : 100, codes])))),
);

// From one digit to another: the codes between theirs are digits too.
const between = noGrad(() => {
  const [mean] = encoder(batches(data, batchSize, 0).next().value?.x as Tensor).split(codes, 1) as [Tensor];
  const [from, to] = [mean.slice([0, 5]), mean.slice([5, 10])];
  const frames = Array.from({ length: 10 }, (_, n) => sigmoid(decoder(from.mul(1 - n / 9).add(to.mul(n / 9)))));
  return frames;
});
const walk = new Float32Array(5 * 10 * 28 * 28);
between.forEach((frame, n) => {
  for (let row = 0; row < 5; row++) walk.set(frame.data.slice(row * 784, (row + 1) * 784) as Float32Array, (row * 10 + n) * 784);
});
await savePicture("vae-between", { shape: [50, 1, 28, 28], data: walk });
