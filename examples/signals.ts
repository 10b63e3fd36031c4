// One-dimensional convolution names the shape of a noisy signal: sine, square, saw tooth or rising chirp.

import { manualSeed, relu } from "kasane";
import { Dataset, ndArray } from "kasane/data";
import { batchNorm, conv1d, crossEntropy, globalAveragePool, linear, maxPool1d, sequential } from "kasane/nn";
import { adam } from "kasane/optim";
import { accuracy, evaluate, fit } from "kasane/train";
import { Dice } from "./support/dice.ts";
import { saveText, small } from "./support/output.ts";

const length = 128;
const count = small ? 40 : 2000;
const full = 2 * Math.PI;
const waves: Readonly<Record<string, (phase: number, time: number) => number>> = {
  sine: (phase) => Math.sin(phase),
  square: (phase) => Math.sign(Math.sin(phase)),
  saw: (phase) => 2 * ((((phase / full) % 1) + 1) % 1) - 1,
  chirp: (phase, time) => Math.sin(phase * (1 + 2 * time)),
};
const classNames = Object.keys(waves);

const dice = new Dice(1);
const signals = new Float32Array(count * length);
const labels = Int32Array.from({ length: count }, (_, n) => n % classNames.length);
for (let n = 0; n < count; n++) {
  const wave = waves[classNames[labels[n] ?? 0] ?? ""];
  const [cycles, shift, noise] = [dice.between(2, 6), dice.between(0, full), dice.between(0.1, 0.7)];
  for (let t = 0; t < length; t++) {
    const time = t / length;
    signals[n * length + t] = (wave?.(full * cycles * time + shift, time) ?? 0) + dice.normal(noise);
  }
}
const data = new Dataset({ x: ndArray(signals, [count, 1, length]), y: ndArray(labels, [count]) }, { classNames });
const [train, test] = data.split(0.8, { seed: 1 });

manualSeed(1);
const net = sequential(
  conv1d(1, 16, 7, { padding: 3 }), // [n, 1, 128] → [n, 16, 128]
  batchNorm(16),
  relu,
  maxPool1d(2), // → [n, 16, 64]
  conv1d(16, 32, 5, { padding: 2 }),
  batchNorm(32),
  relu,
  globalAveragePool(), // → [n, 32]
  linear(32, 4),
);
const measure = { loss: crossEntropy, metrics: [accuracy()] };
await fit(net, train, { ...measure, optimizer: adam(net.parameters(), { learningRate: 0.005 }), epochs: small ? 1 : 15, seed: 1 });
const { scores, confusion } = await evaluate(net, test, { ...measure, confusion: true });
console.log(`accuracy on signals it has not seen: ${(100 * scores.accuracy).toFixed(1)} %`);
const table = classNames.map(
  (name, row) => `${name.padEnd(8)}${classNames.map((_, column) => String(confusion?.counts[row]?.[column]).padStart(8)).join("")}`,
);
await saveText(
  "signals",
  [
    `taken for${classNames
      .map((name) => name.padStart(8))
      .join("")
      .slice(1)}`,
    ...table,
    "",
  ].join("\n"),
);
