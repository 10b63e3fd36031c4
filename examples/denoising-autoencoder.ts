// A denoising autoencoder: from a noisy digit through 32 numbers back to the clean one (Vincent et al. 2008).

import { manualSeed, normal, relu, sigmoid } from "kasane";
import { Dataset, digits, ndArray } from "kasane/data";
import { conv2d, convTranspose2d, flatten, layer, linear, meanSquaredError, sequential } from "kasane/nn";
import { adam } from "kasane/optim";
import { fit, predict } from "kasane/train";
import { rowsOf, savePicture, small } from "./support/output.ts";

manualSeed(1);
const clean = digits({ count: small ? 64 : 5000, seed: 1 }).images;
const noise = normal(clean.shape, 0, 0.4).data;
const noisy = ndArray(
  clean.data.map((value, n) => value + (noise[n] ?? 0)),
  clean.shape,
);
const [train, test] = new Dataset({ x: noisy, y: clean }).split(0.9, { seed: 1 });

const encoder = sequential(
  conv2d(1, 16, 3, { stride: 2, padding: 1 }), // [n, 1, 28, 28] → [n, 16, 14, 14]
  relu,
  conv2d(16, 32, 3, { stride: 2, padding: 1 }), // → [n, 32, 7, 7]
  relu,
  flatten(),
  linear(32 * 7 * 7, 32),
);
const expand = linear(32, 32 * 7 * 7);
const grow = sequential(
  convTranspose2d(32, 16, 4, { stride: 2, padding: 1 }),
  relu,
  convTranspose2d(16, 1, 4, { stride: 2, padding: 1 }),
  sigmoid,
);
const autoencoder = layer({ encoder, expand, grow }, (x) => grow(relu(expand(encoder(x))).reshape([-1, 32, 7, 7])));

const { history } = await fit(autoencoder, train, {
  loss: meanSquaredError,
  optimizer: adam(autoencoder.parameters(), { learningRate: 0.002 }),
  epochs: small ? 1 : 15,
  batchSize: 64,
  seed: 1,
});
console.log(`mean squared error: ${history.map(({ train: { loss } }) => loss.toFixed(4)).join(", ")}`);

const cleaned = await predict(autoencoder, test);
const error = (images: ArrayLike<number>): number =>
  test.fields.y.data.reduce((sum: number, value: number, n: number) => sum + (value - (images[n] ?? 0)) ** 2, 0) /
  test.fields.y.data.length;
console.log(`on digits it has not seen: noisy ${error(test.fields.x.data).toFixed(4)}, cleaned ${error(cleaned.data).toFixed(4)}`);
const first = test.slice(0, Math.min(12, test.size)).fields;
await savePicture("denoising-autoencoder", rowsOf(first.x, cleaned.slice([0, first.x.shape[0]]), first.y), { columns: first.x.shape[0] });
