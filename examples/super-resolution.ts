// Super-resolution: a digit of 14 × 14 pixels becomes one of 28 × 28, sharper than interpolation makes it (Shi et al. 2016).

import { manualSeed, noGrad, relu, type Tensor } from "kasane";
import { Dataset, digits, ndArray } from "kasane/data";
import { absoluteError, averagePool2d, conv2d, layer, pixelShuffle, sequential, upsample } from "kasane/nn";
import { adam } from "kasane/optim";
import { evaluate, fit, peakSignalToNoise, predict, structuralSimilarity } from "kasane/train";
import { asTensor } from "./support/batches.ts";
import { rowsOf, savePicture, small } from "./support/output.ts";

manualSeed(1);
const sharp = digits({ count: small ? 40 : 4000, seed: 1 }).images;
const coarse = noGrad(() => averagePool2d(2)(asTensor(sharp)));
const pictures = new Dataset({ x: ndArray(coarse.data as Float32Array, coarse.shape), y: sharp });
const [train, test] = pictures.split(0.9, { seed: 1 });

const enlarge = upsample({ scale: 2, mode: "linear" });
const detail = sequential(
  conv2d(1, 32, 5, { padding: 2 }), // [n, 1, 14, 14] → [n, 32, 14, 14]
  relu,
  conv2d(32, 32, 3, { padding: 1 }),
  relu,
  conv2d(32, 4, 3, { padding: 1 }), // four pixels for every one
  pixelShuffle(2), // → [n, 1, 28, 28]
);
// The network learns only what interpolation leaves out.
const net = layer({ enlarge, detail }, (x: Tensor) => enlarge(x).add(detail(x)));

const measure = { loss: absoluteError, metrics: [peakSignalToNoise(), structuralSimilarity()] };
await fit(net, train, {
  loss: absoluteError,
  optimizer: adam(net.parameters(), { learningRate: 0.002 }),
  epochs: small ? 1 : 12,
  batchSize: 32,
  seed: 1,
});

const report = async (name: string, model: Parameters<typeof evaluate>[0]): Promise<void> => {
  const { scores } = await evaluate(model, test, measure);
  console.log(`${name}: ${scores.psnr.toFixed(2)} dB, similarity ${scores.ssim.toFixed(3)}`);
};
const cubic = upsample({ scale: 2, mode: "cubic" });
await report("bicubic interpolation", cubic);
await report("network", net);
const first = test.slice(0, Math.min(10, test.size)).fields;
const count = first.x.shape[0] as number;
const nearest = upsample({ scale: 2, mode: "nearest" });
const input = noGrad(() => nearest(asTensor(first.x)));
await savePicture("super-resolution", rowsOf(input, await predict(cubic, first.x), await predict(net, first.x), first.y), {
  columns: count,
});
