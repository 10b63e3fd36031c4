// From image to image: a small U-Net paints digits from their outlines (Ronneberger et al. 2015; the task of Isola et al. 2017).

import { concat, conv, manualSeed, noGrad, relu, sigmoid, type Tensor, tensor } from "kasane";
import { Dataset, digits, ndArray } from "kasane/data";
import { absoluteError, batchNorm, conv2d, convTranspose2d, layer, maxPool2d, sequential } from "kasane/nn";
import { adam } from "kasane/optim";
import { fit, predict } from "kasane/train";
import { asTensor } from "./support/batches.ts";
import { rowsOf, savePicture, small } from "./support/output.ts";

manualSeed(1);
const painted = digits({ count: small ? 40 : 3000, seed: 1 }).images;
// Outlines: where ink is more than the mean around it.
const around = tensor(
  new Float32Array(9).fill(-1 / 9).map((value, n) => (n === 4 ? value + 1 : value)),
  [1, 1, 3, 3],
);
const outlines = noGrad(() =>
  conv(asTensor(painted).greater(0.5).to("float32"), around, undefined, { padding: 1 }).greater(0.15).to("float32"),
);
const pairs = new Dataset({ x: ndArray(outlines.data as Float32Array, outlines.shape), y: painted });
const [train, test] = pairs.split(0.9, { seed: 1 });

const block = (inputs: number, outputs: number) =>
  sequential(
    conv2d(inputs, outputs, 3, { padding: 1 }),
    batchNorm(outputs),
    relu,
    conv2d(outputs, outputs, 3, { padding: 1 }),
    batchNorm(outputs),
    relu,
  );
const [fine, middle, deep] = [block(1, 8), block(8, 16), block(16, 32)];
const [pool, up, upmost] = [maxPool2d(2), convTranspose2d(32, 16, 2, { stride: 2 }), convTranspose2d(16, 8, 2, { stride: 2 })];
const [joinMiddle, joinFine, paint] = [block(32, 16), block(16, 8), conv2d(8, 1, 1)];
const parts = { fine, middle, deep, pool, up, upmost, joinMiddle, joinFine, paint };
const net = layer(parts, (x: Tensor) => {
  const first = fine(x); // [n, 8, 28, 28]
  const second = middle(pool(first)); // [n, 16, 14, 14]
  const third = deep(pool(second)); // [n, 32, 7, 7]
  const back = joinMiddle(concat([up(third), second], 1)); // what was seen on the way down comes along
  return sigmoid(paint(joinFine(concat([upmost(back), first], 1))));
});

const { history } = await fit(net, train, {
  loss: absoluteError,
  optimizer: adam(net.parameters(), { learningRate: 0.003 }),
  epochs: small ? 1 : 8,
  batchSize: 32,
  validation: test,
  seed: 1,
});
for (const {
  epoch,
  train: { loss },
  validation,
} of history)
  console.log(`epoch ${epoch}: mean error ${loss.toFixed(4)}, of outlines it has not seen ${validation?.loss.toFixed(4)}`);
const first = test.slice(0, Math.min(12, test.size)).fields;
await savePicture("image-to-image", rowsOf(first.x, await predict(net, first.x), first.y), { columns: first.x.shape[0] as number });
