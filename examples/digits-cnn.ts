// A convolutional network reads handwritten digits: drawn ones, or MNIST's where its folder is given (npm run example -- digits-cnn FOLDER).

import { manualSeed, relu } from "kasane";
import { Dataset, digits } from "kasane/data";
import { loadMnist } from "kasane/data/node";
import { batchNorm, conv2d, crossEntropy, dropout, flatten, linear, maxPool2d, sequential } from "kasane/nn";
import { adam } from "kasane/optim";
import { accuracy, evaluate, fit, predict, predictedClasses } from "kasane/train";
import { savePicture, small } from "./support/output.ts";

const folder = process.argv[2];
const drawn = digits({ count: small ? 200 : 8000, seed: 1 });
const [train, test] =
  folder === undefined
    ? new Dataset({ x: drawn.images, y: drawn.labels }, { classNames: drawn.classNames }).split(0.8, { seed: 1 })
    : await loadMnist(folder).then((mnist) => [mnist.train, mnist.test] as const);

manualSeed(1);
const net = sequential(
  conv2d(1, 16, 3, { padding: 1 }), // [n, 1, 28, 28] → [n, 16, 28, 28]
  batchNorm(16),
  relu,
  maxPool2d(2), // → [n, 16, 14, 14]
  conv2d(16, 32, 3, { padding: 1 }),
  batchNorm(32),
  relu,
  maxPool2d(2), // → [n, 32, 7, 7]
  flatten(),
  dropout(0.25),
  linear(32 * 7 * 7, 10),
);

await fit(net, train, {
  loss: crossEntropy,
  optimizer: adam(net.parameters(), { learningRate: 0.002 }),
  epochs: small ? 1 : 6,
  batchSize: 64,
  metrics: [accuracy()],
  seed: 1,
  callbacks: [
    {
      onEpochEnd: ({ epoch, train: { loss, accuracy: share } }) =>
        console.log(`epoch ${epoch}: loss ${loss.toFixed(4)}, ${percent(share)}`),
    },
  ],
});

const { scores } = await evaluate(net, test, { loss: crossEntropy, metrics: [accuracy()] });
console.log(`accuracy on digits it has not seen: ${percent(scores.accuracy)}`);

const guesses = predictedClasses(await predict(net, test));
const wrong = [...guesses.keys()].filter((n) => guesses[n] !== test.fields.y.data[n]).slice(0, 20);
for (const n of wrong.slice(0, 5)) console.log(`  took a ${test.fields.y.data[n]} for a ${guesses[n]}`);
if (wrong.length > 0) await savePicture("digits-cnn-mistakes", test.gather(wrong).x);

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
