// Three-dimensional convolution tells solid shapes apart: balls, boxes, crosses and rings in 16 × 16 × 16 voxels.

import { manualSeed, relu } from "kasane";
import { Dataset, ndArray } from "kasane/data";
import { averagePool3d, conv3d, crossEntropy, flatten, linear, maxPool3d, sequential } from "kasane/nn";
import { adam } from "kasane/optim";
import { accuracy, evaluate, fit } from "kasane/train";
import { Dice } from "./support/dice.ts";
import { savePicture, small } from "./support/output.ts";

const size = 16;
const count = small ? 40 : 1200;

/** Whether a point lies in the shape, measured from its centre in units of its size. */
const shapes: Readonly<Record<string, (x: number, y: number, z: number) => boolean>> = {
  ball: (x, y, z) => Math.hypot(x, y, z) < 1,
  box: (x, y, z) => Math.max(Math.abs(x), Math.abs(y), Math.abs(z)) < 0.8,
  cross: (x, y, z) => [Math.hypot(x, y), Math.hypot(y, z), Math.hypot(x, z)].some((far) => far < 0.35) && Math.hypot(x, y, z) < 1.1,
  ring: (x, y, z) => Math.hypot(Math.hypot(x, y) - 0.75, z) < 0.35,
};
const classNames = Object.keys(shapes);

const dice = new Dice(1);
const voxels = new Float32Array(count * size ** 3);
const labels = Int32Array.from({ length: count }, (_, n) => n % classNames.length);
for (let n = 0; n < count; n++) {
  const inside = shapes[classNames[labels[n] ?? 0] ?? ""];
  const [radius, cx, cy, cz] = [dice.between(3.5, 6.5), ...[1, 2, 3].map(() => size / 2 + dice.between(-2, 2))] as [
    number,
    number,
    number,
    number,
  ];
  const turn = dice.between(0, Math.PI);
  for (let z = 0; z < size; z++)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        const [u, v, w] = [(x - cx) / radius, (y - cy) / radius, (z - cz) / radius];
        const hit = inside?.(u * Math.cos(turn) - w * Math.sin(turn), v, u * Math.sin(turn) + w * Math.cos(turn)) === true;
        voxels[((n * size + z) * size + y) * size + x] = (hit ? 1 : 0) + dice.normal(0.3);
      }
}
const solids = new Dataset({ x: ndArray(voxels, [count, 1, size, size, size]), y: ndArray(labels, [count]) }, { classNames });
const [train, test] = solids.split(0.8, { seed: 1 });

manualSeed(1);
const net = sequential(
  conv3d(1, 8, 3, { padding: 1 }), // [n, 1, 16, 16, 16] → [n, 8, 16, 16, 16]
  relu,
  maxPool3d(2), // → [n, 8, 8, 8, 8]
  conv3d(8, 16, 3, { padding: 1 }),
  relu,
  averagePool3d(4), // → [n, 16, 2, 2, 2]
  flatten(),
  linear(16 * 2 ** 3, 4),
);
const measure = { loss: crossEntropy, metrics: [accuracy()] };
await fit(net, train, { ...measure, optimizer: adam(net.parameters(), { learningRate: 0.003 }), epochs: small ? 1 : 16, seed: 1 });
const { scores } = await evaluate(net, test, measure);
console.log(`accuracy on solids it has not seen: ${(100 * scores.accuracy).toFixed(1)} %`);

// One solid of each class, cut into its 16 layers.
await savePicture("voxels", { shape: [4 * size, 1, size, size], data: voxels.slice(0, 4 * size ** 3) }, { columns: size });
