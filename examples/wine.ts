// The textbook's wine example: age, alcohol, colour and smell of a bottle tell whether it is white or red.

import { manualSeed, relu, softmax, tensor } from "kasane";
import { Dataset, Standardizer, tableDataset, wine } from "kasane/data";
import { crossEntropy, linear, sequential } from "kasane/nn";
import { adam } from "kasane/optim";
import { accuracy, evaluate, fit } from "kasane/train";

const [train, heldOut] = tableDataset(wine({ count: 1000, seed: 1 })).split(0.8, { seed: 1 });
const scale = Standardizer.fit(train.fields.x);
const scaled = ({ fields, classNames = [] }: typeof train) => new Dataset({ x: scale.apply(fields.x), y: fields.y }, { classNames });

manualSeed(1);
const net = sequential(linear(4, 8), relu, linear(8, 2));
const measure = { loss: crossEntropy, metrics: [accuracy()] };
await fit(net, scaled(train), { ...measure, optimizer: adam(net.parameters(), { learningRate: 0.01 }), epochs: 30, seed: 1 });

const bottle = [4, 13.2, 7.5, 5.6];
const standard = scale.apply({ shape: [1, 4], data: Float32Array.from(bottle) });
const [white = 0, red = 0] = softmax(net(tensor(standard.data, [1, 4]))).data;
console.log(
  `4 measurements -> 2 classes; a bottle with ${bottle.join(", ")}: white ${white.toFixed(3)}, red ${red.toFixed(3)}, together ${(white + red).toFixed(3)}`,
);
const { scores } = await evaluate(net, scaled(heldOut), measure);
console.log(`accuracy on held-out bottles: ${(100 * scores.accuracy).toFixed(1)} %`);
