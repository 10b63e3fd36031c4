// The zoo's second house: diseases that come with three seeds each, and diseases that no rule was written for.

import { DataLoader, Dataset } from "../../src/data/index.ts";
import { baselineOf, diagnose, examine, type Finding, type FindingKind, Recorder } from "../../src/inspect/index.ts";
import { batchNorm, crossEntropy, dropout, type Layer, linear, relu, softmax, tanh } from "../../src/nn/index.ts";
import { adam, adamW, sgd } from "../../src/optim/index.ts";
import { compile, manualSeed, normal, type Tensor, tensor } from "../../src/tensor/index.ts";
import type { Samples } from "../../src/train/index.ts";
import { changed, classes, cnn, images, mlp, net, type Patient, patient, regression, scaled, withAdam, withSgd } from "./zoo.ts";

export const SEEDS = [1, 2, 3] as const;

export interface Seeded {
  readonly name: string;
  /** What must be found first; undefined where no rule was written for it. */
  readonly disease: FindingKind | undefined;
  readonly findings: (seed: number) => Promise<readonly Finding[]>;
}

/** Trained by fit, examined. */
const fitted = (make: (seed: number) => Omit<Patient, "name">) => async (seed: number) => {
  manualSeed(seed);
  const { model, data, options } = make(seed);
  return (await examine(model, data, options)).findings;
};

/** Trained by a loop of one's own under a recorder. */
const looped =
  (make: (seed: number) => { readonly model: Layer; readonly data: Dataset<Samples>; readonly step: (x: Tensor, y: Tensor) => Tensor }) =>
  async (seed: number) => {
    manualSeed(seed);
    const { model, data, step } = make(seed);
    const recorder = new Recorder(model);
    for (let epoch = 0; epoch < 4; epoch++)
      for (const { x, y } of new DataLoader(data, { batchSize: 24, shuffle: true, seed }).batches({ epoch }) as Iterable<Samples>)
        recorder.step(
          () => step(tensor(x), tensor(y)),
          (loss) => ({ epoch: epoch + 1, loss: loss.item() }),
        );
    const baseline = baselineOf(crossEntropy, [3], data.fields.y);
    return diagnose({ events: recorder.events, history: [], ...(baseline === undefined ? {} : { baseline }) });
  };

/** Each label anew with a probability, from all classes. */
const noisy =
  (seed: number, share: number, count = 3) =>
  (y: Int32Array): void => {
    manualSeed(1000 + seed);
    const [whether, which] = [normal([y.length]).data, normal([y.length]).data];
    const threshold = { 0.4: -0.253 }[share] ?? 0;
    y.forEach((label, n) => {
      if ((whether[n] as number) < threshold) y[n] = (label + 1 + (Math.floor(1e4 * Math.abs(which[n] as number)) % (count - 1))) % count;
    });
  };

const standardNormal = (model: Layer): Layer => changed(model, (name, value) => (/weight$/.test(name) ? normal(value.shape) : undefined));

/** The rows of y in another order, while x stays. */
function displaced(data: Dataset<Samples>, seed: number): Dataset<Samples> {
  const { x } = data.fields;
  manualSeed(2000 + seed);
  const keys = normal([data.size]).data;
  const order = Int32Array.from({ length: data.size }, (_, n) => n).sort((a, b) => (keys[a] as number) - (keys[b] as number));
  return new Dataset<Samples>({ x, y: data.subset(order).fields.y });
}

function withColumns(data: Dataset<Samples>, change: (row: Float32Array, label: number, sample: number) => void): Dataset<Samples> {
  const { x, y } = data.fields;
  const width = x.shape[1] as number;
  const numbers = Float32Array.from(x.data);
  for (let n = 0; n < data.size; n++) change(numbers.subarray(n * width, (n + 1) * width), y.data[n] as number, n);
  return new Dataset<Samples>({ x: { data: numbers, shape: x.shape }, y });
}

/** Noise of twice the inputs' size, another in every batch. */
const blurred = (batch: Samples): Samples => ({ ...batch, x: { shape: batch.x.shape, data: Float32Array.from(batch.x.data, (value, k) => value + 2 * Math.sin(12.9 * k + 78 * value)) } }); // biome-ignore format: one thought

const normalized = (): Layer => net({ hidden1: linear(6, 16), norm1: batchNorm(16), relu1: relu, output: linear(16, 3) });

export const seeded: readonly Seeded[] = [
  { name: "N(0, 1) weights, MLP", disease: "bad initialization", findings: fitted((seed) => patient(standardNormal(mlp([6, 64, 64, 3], relu, "relu")), classes(seed), withAdam(1e-3))) },
  { name: "N(0, 1) weights, CNN", disease: "bad initialization", findings: fitted((seed) => patient(standardNormal(cnn()), images(seed), withAdam(1e-3))) },
  { name: "softmax before cross entropy", disease: "softmax twice", findings: fitted((seed) => patient(net({ hidden1: linear(6, 24), relu1: relu, output: linear(24, 3), probabilities: (x: Tensor) => x.softmax(1) }), classes(seed), withAdam(3e-3), { epochs: 8 })) },
  { name: "softmax before cross entropy, CNN", disease: "softmax twice", findings: fitted((seed) => patient(net({ cnn: cnn(), softmax: softmax() }), images(seed), withAdam(3e-3), { epochs: 6 })) },
  { name: "40 % of the labels wrong", disease: "noisy labels", findings: fitted((seed) => patient(mlp([6, 24, 3], relu, "relu"), classes(seed, { count: 900, spread: 0.4 }, noisy(seed, 0.4)), withAdam(5e-3), { epochs: 12 })) },
  { name: "40 % of the labels wrong, held-out part", disease: "noisy labels", findings: fitted((seed) => patient(mlp([6, 24, 3], tanh, "tanh"), classes(seed, { count: 900, spread: 0.4 }, noisy(seed, 0.4)), withAdam(5e-3), { epochs: 10, validation: 0.3 })) },
  { name: "training samples held out, too", disease: "duplicates", findings: fitted((seed) => { const all = classes(seed, { count: 240 }); return patient(mlp([6, 16, 3], relu, "relu"), all.slice(0, 200), withAdam(3e-3), { epochs: 6, validation: all.slice(170) }); }) },
  { name: "every row twice before a split", disease: "duplicates", findings: fitted((seed) => { const all = classes(seed, { count: 150 }); return patient(mlp([6, 16, 3], relu, "relu"), all.subset(Int32Array.from({ length: 300 }, (_, n) => n % 150)), withAdam(3e-3), { epochs: 6, validation: 0.25 }); }) },
  { name: "batch norm left in eval, own loop", disease: "evaluation mode", findings: looped((seed) => { const model = normalized(); const optimizer = adam(model.parameters(), { learningRate: 3e-3 }); model.eval(); const step = compile((x: Tensor, y: Tensor) => { optimizer.zeroGrad(); const loss = crossEntropy(model(x), y); loss.backward(); optimizer.step(); return loss; }); return { model, data: classes(seed), step }; }) },
  { name: "zeroGrad forgotten, eager, SGD", disease: "gradients not zeroed", findings: looped((seed) => { const model = mlp([6, 16, 3], relu, "relu"); const optimizer = sgd(model.parameters(), { learningRate: 0.05 }); return { model, data: classes(seed), step: (x, y) => { const loss = crossEntropy(model(x), y); loss.backward(); optimizer.step(); return loss; } }; }) },
  { name: "zeroGrad forgotten, eager, Adam", disease: "gradients not zeroed", findings: looped((seed) => { const model = mlp([6, 16, 3], tanh, "tanh"); const optimizer = adam(model.parameters(), { learningRate: 3e-3 }); return { model, data: classes(seed), step: (x, y) => { const loss = crossEntropy(model(x), y); loss.backward(); optimizer.step(); return loss; } }; }) },
  { name: "rows in another order than their targets", disease: "nothing to learn", findings: fitted((seed) => patient(mlp([6, 16, 3], relu, "relu"), displaced(classes(seed), seed), withAdam(3e-3), { epochs: 8 })) },
  { name: "rows in another order, learned by heart", disease: "nothing to learn", findings: fitted((seed) => patient(mlp([6, 96, 96, 3], relu, "relu"), displaced(classes(seed), seed), withAdam(5e-3), { epochs: 25 })) },
  { name: "rows in another order, regression", disease: "nothing to learn", findings: fitted((seed) => patient(mlp([4, 24, 1], tanh, "tanh"), displaced(regression(seed), seed), withAdam(5e-3), { epochs: 10 })) },
  { name: "Adam at a hundred times its rate", disease: "learning rate too high", findings: fitted((seed) => patient(mlp([6, 32, 32, 32, 3], relu, "relu"), classes(seed, { count: 600, spread: 0.9 }), withAdam(0.3), { epochs: 8 })) },
  { name: "Adam at a hundred times its rate, CNN", disease: "learning rate too high", findings: fitted((seed) => patient(cnn(), images(seed, { count: 360 }), withAdam(0.3), { epochs: 6 })) },
  { name: "targets in thousands", disease: "unscaled targets", findings: fitted((seed) => { const { x, y } = regression(seed).fields; return patient(mlp([4, 24, 1], tanh, "tanh"), new Dataset<Samples>({ x, y: { data: Float32Array.from(y.data, (v) => 2000 + 300 * v), shape: y.shape } }), withAdam(5e-3)); }) },
]; // biome-ignore format: rows

/** No rule was written for these: what is found, if anything, is written down as it is. */
export const unruled: readonly Seeded[] = [
  { name: "samples sorted by class, not shuffled", disease: undefined, findings: fitted((seed) => { const data = classes(seed); const order = Int32Array.from({ length: data.size }, (_, n) => n).sort((a, b) => (a % 3) - (b % 3)); return patient(mlp([6, 16, 3], relu, "relu"), data.subset(order), withSgd(0.1), { shuffle: false, epochs: 6 }); }) },
  { name: "gradients clipped to a norm of 0.0001", disease: undefined, findings: fitted((seed) => patient(mlp([6, 16, 3], relu, "relu"), classes(seed), withSgd(0.1), { clip: { norm: 1e-4 }, epochs: 6 })) },
  { name: "weight decay of 20", disease: undefined, findings: fitted((seed) => patient(mlp([6, 16, 3], relu, "relu"), classes(seed), (p) => adamW(p, { learningRate: 5e-3, weightDecay: 20 }), { epochs: 8 })) },
  { name: "dropout of 0.95", disease: undefined, findings: fitted((seed) => patient(mlp([6, 16, 3], relu, "relu", () => ({ drop: dropout(0.95) })), classes(seed), withAdam(3e-3), { epochs: 8 })) },
  { name: "relu after the last layer", disease: undefined, findings: fitted((seed) => patient(net({ hidden1: linear(4, 24), tanh1: tanh, output: linear(24, 1), relu1: relu }), regression(seed), withAdam(5e-3), { epochs: 10 })) },
  { name: "missing values written as −999", disease: undefined, findings: fitted((seed) => patient(mlp([6, 16, 3], relu, "relu"), withColumns(classes(seed), (row, _, n) => { if (n % 20 === 0) row[n % 6] = -999; }), withAdam(3e-3), { epochs: 6 })) },
  { name: "columns in another order in every batch", disease: undefined, findings: fitted((seed) => patient(mlp([6, 16, 3], relu, "relu"), classes(seed), withAdam(3e-3), { epochs: 8, transform: (batch, draws) => { const width = batch.x.shape[1] as number; const by = Math.floor(draws.batch().uniform() * width); return { ...batch, x: { shape: batch.x.shape, data: Float32Array.from(batch.x.data, (_, k) => batch.x.data[Math.floor(k / width) * width + ((k + by) % width)] as number) } }; } })) },
  { name: "momentum of 0.999", disease: undefined, findings: fitted((seed) => patient(mlp([6, 16, 3], relu, "relu"), classes(seed), withSgd(0.05, 0.999), { epochs: 8 })) },
  { name: "the label among the inputs", disease: undefined, findings: fitted((seed) => patient(mlp([6, 16, 3], relu, "relu"), withColumns(classes(seed, { spread: 2 }), (row, label) => { row[5] = label; }), withAdam(5e-3), { epochs: 10, validation: 0.25 })) },
  { name: "held-out data scaled in another way", disease: undefined, findings: fitted((seed) => { const all = classes(seed, { count: 300 }); return patient(mlp([6, 16, 3], relu, "relu"), all.slice(0, 240), withAdam(3e-3), { epochs: 8, validation: withColumns(all.slice(240), (row) => { row.forEach((v, k) => { row[k] = 8 * v + 5; }); }) }); }) },
]; // biome-ignore format: rows

/** Good data, and trainings that are thrown about, begin badly or see noise: their models are surely wrong about many samples. The seeds at which rules blamed the data. */
export const blameless: readonly (Omit<Seeded, "disease"> & { readonly seeds: readonly number[] })[] = [
  { name: "momentum of 0.999", seeds: [12, 16, 19, 20], findings: (unruled.find(({ name }) => name === "momentum of 0.999") as Seeded).findings },
  { name: "N(0, 1) weights", seeds: [1, 2, 4, 6], findings: fitted((seed) => patient(standardNormal(mlp([6, 64, 64, 3], relu, "relu")), classes(100 + seed), withAdam(1e-3), { epochs: 8 })) },
  { name: "weights four times too large", seeds: [2, 4, 5, 6], findings: fitted((seed) => patient(scaled(mlp([6, 32, 32, 32, 3], relu, "relu"), 4), classes(100 + seed), withAdam(1e-3), { epochs: 8 })) },
  { name: "Adam at a hundred times its rate, classes that overlap", seeds: [1, 2, 3], findings: fitted((seed) => patient(mlp([6, 16, 3], relu, "relu"), classes(200 + seed, { count: 300, spread: 2.5 }), withAdam(0.3), { epochs: 10, validation: 0.3 })) },
  { name: "noise in every batch", seeds: [1, 4], findings: fitted((seed) => patient(cnn(), images(200 + seed, { count: 240 }), withAdam(0.01), { epochs: 10, transform: blurred })) },
]; // biome-ignore format: rows
