// Transfer learning: a network that knows the digits 0 to 4 learns 5 to 9 from 25 pictures, its convolutions frozen, then fine-tuned.

import { manualSeed, relu } from "kasane";
import { Dataset, digits, ndArray } from "kasane/data";
import { conv2d, crossEntropy, flatten, type Layer, linear, maxPool2d, sequential } from "kasane/nn";
import { adam } from "kasane/optim";
import { accuracy, evaluate, fit } from "kasane/train";
import { saveText, small } from "./support/output.ts";

const { images, labels } = digits({ count: small ? 400 : 6000, seed: 1 });
const all = new Dataset({ x: images, y: labels });
const rows = (low: number): number[] => [...labels.data.keys()].filter((n) => Math.floor((labels.data[n] ?? 0) / 5) === low / 5);
const digitsFrom = (low: number) => {
  const { x, y } = all.subset(rows(low)).fields;
  const named = {
    x,
    y: ndArray(
      y.data.map((label) => label - low),
      y.shape,
    ),
  };
  return new Dataset(named, { classNames: [0, 1, 2, 3, 4].map((digit) => String(low + digit)) });
};
const known = digitsFrom(0);
const fresh = digitsFrom(5);
const few = fresh.slice(0, 25);
const test = fresh.slice(25);

const makeFeatures = () =>
  sequential(conv2d(1, 16, 3, { padding: 1 }), relu, maxPool2d(2), conv2d(16, 32, 3, { padding: 1 }), relu, maxPool2d(2), flatten());
const measure = { loss: crossEntropy, metrics: [accuracy()] };

async function train(net: Layer, data: typeof known, epochs: number, learningRate: number): Promise<void> {
  const trained = net.parameters().filter((weight) => weight.requiresGrad);
  await fit(net, data, { ...measure, optimizer: adam(trained, { learningRate }), epochs: small ? 1 : epochs, batchSize: 25, seed: 1 });
}
async function report(name: string, net: Layer): Promise<string> {
  const { scores } = await evaluate(net, test, measure);
  const line = `${name}: ${(100 * scores.accuracy).toFixed(1)} % of the digits 5 to 9`;
  console.log(line);
  return line;
}

manualSeed(1);
const features = makeFeatures();
await train(sequential(features, linear(32 * 7 * 7, 5)), known, 4, 0.002);

const fromScratch = sequential(makeFeatures(), linear(32 * 7 * 7, 5));
await train(fromScratch, few, 40, 0.002);

const transferred = sequential(features, linear(32 * 7 * 7, 5));
features.freeze();
await train(transferred, few, 40, 0.002);
const lines = [
  await report("25 pictures, nothing known", fromScratch),
  await report("25 pictures, convolutions known and frozen", transferred),
];

features.unfreeze();
await train(transferred, few, 20, 0.0002);
lines.push(await report("then all of it fine-tuned", transferred));
await saveText("transfer-learning", `${lines.join("\n")}\n`);
