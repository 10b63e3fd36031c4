// Advice of training, evaluation, metrics and run folders.

import { appendFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { Dataset, ndArray, Standardizer } from "../../src/data/index.ts";
import { type Tensor, tensor, zeros } from "../../src/index.ts";
import { saveSafetensors } from "../../src/io/node.ts";
import { crossEntropy, linear, meanSquaredError, relu, sequential } from "../../src/nn/index.ts";
import { adam, averageWeights, sgd, stepDecay } from "../../src/optim/index.ts";
import {
  accuracy,
  binaryAccuracy,
  evaluate,
  type Metric,
  meanAbsoluteError,
  precision,
  predict,
  rSquared,
  type TrainingState,
  topK,
} from "../../src/train/index.ts";
import { RunFolder } from "../../src/train/node.ts";
import { type Advice, advice, type Run } from "./advice.ts";
import { inFolder, labels, net, once, samples, x } from "./models.ts";

const measured = (metric: Metric, prediction: Tensor, target: Tensor): number => {
  const sums = new Float64Array(metric.sums);
  metric.add(sums, prediction, target);
  return metric.value(sums);
};
const ids = (...values: number[]): Tensor => tensor(values, { dtype: "int32" });
const one = (): Tensor => tensor([[1], [-2]]);
const huge = () => ndArray(new Float64Array([1e39, 0, 1, 2, 3, 4]), [3, 2]);
const numbers = (given: object) => new Dataset({ x: given, y: tensor([[1], [2], [3]]) } as never) as never;
const regression = (data: never, more: object = {}) => once(linear(2, 1), { loss: meanSquaredError, ...more }, data);

/** A state after some epochs, or in the middle of one. */
async function stateOf(more: object = {}, model: unknown = net()): Promise<TrainingState> {
  return (await once(model, { epochs: 2, ...more }, samples(6))).state as TrainingState;
}

const midEpoch = (): Promise<TrainingState> =>
  stateOf({
    batchSize: 1,
    callbacks: [
      {
        onBatchEnd: ({ batch }: { batch: number }, training: { stop(why: string): void }) => void (batch === 4 && training.stop("enough")),
      },
    ],
  });

const averaged = (model = net()) => ({ model, averages: averageWeights(model.namedParameters()) });

/** The loss of a run that stops being finite, after a first epoch or at once. */
const failing = (data: never, learningRate: number, more: object = {}) => {
  const model = linear(2, 1);
  return once(
    model,
    { loss: meanSquaredError, optimizer: sgd(model.parameters(), { learningRate }), epochs: 200, batchSize: 3, ...more },
    data,
  );
};
const steepInputs = (scale: number) => tensor([[scale, 1], [1, scale], [2, scale]]); // biome-ignore format: a matrix
const steep = (scale: number) => numbers(steepInputs(scale));

/** A run folder with what is asked for in it. */
const inRun = (run: (folder: RunFolder, path: string) => unknown, more: Run = () => {}) =>
  inFolder(async (path) => {
    const folder = await RunFolder.create(path("run"));
    await folder.writeConfig({ some: 1 });
    await more();
    try {
      return await run(folder, path("run"));
    } finally {
      await folder.release();
    }
  });

export const trainAdvice: readonly Advice[] = [
  // What is trained, and on what.
  advice(
    "new Dataset({ x, y }), with tensors or ndArray(numbers, shape)",
    () => once(net(), {}, { x: x(), y: labels() } as never),
    () => once(net(), {}, new Dataset({ x: x(), y: labels() } as never) as never),
    () => once(net(), {}, new Dataset({ x: ndArray(new Float32Array(6), [3, 2]), y: ndArray(new Int32Array(3), [3]) }) as never),
  ),
  advice(
    "new Dataset({ x, y })",
    () => once(net(), {}, new Dataset({ inputs: x(), targets: labels() } as never) as never),
    () => once(net(), {}, new Dataset({ x: x(), y: labels() } as never) as never),
  ),
  advice(
    "return { ...batch, x: changed }",
    () => once(net(), { transform: ({ x: given }: { x: unknown }) => ({ x: given }) }),
    () => once(net(), { transform: (batch: { x: unknown }) => ({ ...batch, x: batch.x }) }),
  ),
  advice(
    "standardize the field before: Standardizer.fit(train.fields.x).apply(…)",
    () => regression(numbers(huge())),
    () => regression(numbers(Standardizer.fit(huge()).apply(huge()))),
  ),
  advice(
    "tensor([…]), or ndArray(new Float32Array(…), [rows, columns])",
    () => predict(net() as never, [[1, 2]] as never),
    () => predict(net() as never, tensor([[1, 2]]) as never),
    () => predict(net() as never, ndArray(new Float32Array([1, 2]), [1, 2])),
  ),
  advice(
    "model.requiresGrad(true), or of single layers",
    () => once(net().requiresGrad(false)),
    () => once(net().requiresGrad(false).requiresGrad(true)),
    () => {
      const [first, last] = [linear(2, 4), linear(4, 2)];
      const model = sequential(first, relu, last).requiresGrad(false);
      last.requiresGrad(true);
      return once(model);
    },
  ),
  advice(
    "make it from this model: adam(model.parameters())",
    () => once(net(), { optimizer: adam(net().parameters()) }),
    () => {
      const model = net();
      return once(model, { optimizer: adam(model.parameters()) });
    },
  ),
  // Options.
  advice(
    "schedule counts steps, learningRate epochs: give one",
    () => once(net(), { schedule: stepDecay(0.1, { every: 2 } as never), learningRate: () => 0.1 }),
    () => once(net(), { schedule: () => 0.1 }),
    () => once(net(), { learningRate: () => 0.1 }),
  ),
  advice(
    'did you mean "accuracy"?',
    () => once(net(), { metrics: [accuracy()], earlyStopping: { patience: 1, monitor: "acuracy" } }),
    () => once(net(), { metrics: [accuracy()], earlyStopping: { patience: 1, monitor: "accuracy" } }),
  ),
  advice(
    "metrics: [accuracy()]",
    () => once(net(), { metrics: accuracy() }),
    () => once(net(), { metrics: [accuracy()] }),
  ),
  advice(
    "metrics: [accuracy()], with parentheses",
    () => once(net(), { metrics: [accuracy] }),
    () => once(net(), { metrics: [accuracy()] }),
  ),
  advice(
    'import { accuracy } from "kasane/train"; metrics: [accuracy()]',
    () => once(net(), { metrics: ["accuracy"] }),
    async () => once(net(), { metrics: [(await import("../../src/train/index.ts")).accuracy()] }),
  ),
  advice(
    "new Dataset(fields, { classNames })",
    () => evaluate(net() as never, samples(), { loss: crossEntropy, confusion: true } as never),
    () => evaluate(net() as never, new Dataset({ x: x(), y: labels() } as never, { classNames: ["a", "b"] }) as never, { loss: crossEntropy, confusion: true } as never), // biome-ignore format: one call
  ),
  advice(
    "loss: crossEntropy",
    () => once(net(), { loss: "crossEntropy" }),
    () => once(net(), { loss: crossEntropy }),
  ),
  advice(
    "a loss that is not async, nor waits for anything",
    () => once(net(), { loss: async (p: Tensor, t: Tensor) => crossEntropy(p, t), compile: false }),
    () => once(net(), { loss: (p: Tensor, t: Tensor) => crossEntropy(p, t) }),
  ),
  advice(
    "return what crossEntropy(prediction, target) gives",
    () => once(net(), { loss: (p: Tensor, t: Tensor) => void crossEntropy(p, t), compile: false }),
    () => once(net(), { loss: (p: Tensor, t: Tensor) => crossEntropy(p, t) }),
  ),
  advice(
    "take its mean over the batch",
    () => once(net(), { loss: (p: Tensor) => p.square(), compile: false }),
    () => once(net(), { loss: (p: Tensor) => p.square().mean() }),
  ),
  // Going on.
  advice(
    "epochs counts those of the resumed state too",
    async () => once(net(), { epochs: 1, resume: await stateOf() }, samples(6)),
    async () => once(net(), { epochs: 3, resume: await stateOf() }, samples(6)),
  ),
  advice(
    "leave averages out, or resume a training that took them",
    async () => {
      const { model, averages } = averaged();
      return once(model, { epochs: 3, averages, resume: await stateOf({}, model) }, samples(6));
    },
    async () => once(net(), { epochs: 3, resume: await stateOf() }, samples(6)),
    async () => {
      const { model, averages } = averaged();
      return once(model, { epochs: 3, averages, resume: await stateOf({ averages }, model) }, samples(6));
    },
  ),
  advice(
    "resume with the data and the batchSize that it was trained with",
    async () => once(net(), { epochs: 3, batchSize: 6, resume: await midEpoch() }, samples(6)),
    async () => once(net(), { epochs: 3, batchSize: 1, resume: await midEpoch() }, samples(6)),
  ),
  advice(
    "give the same metrics in the same order",
    async () => once(net(), { epochs: 3, batchSize: 1, metrics: [topK(1), rSquared()], resume: await midEpoch() }, samples(6)),
    async () => once(net(), { epochs: 3, batchSize: 1, resume: await midEpoch() }, samples(6)),
  ),
  // Numbers that are not finite.
  advice(
    "check the data for extreme values and the model's first layers; scale the inputs to about −1…1",
    () => failing(steep(1e30), 0.01),
    () => failing(numbers(Standardizer.fit(ndArray(steepInputs(1e30).data, [3, 2])).apply(ndArray(steepInputs(1e30).data, [3, 2]))), 0.01),
  ),
  advice(
    "a smaller learning rate (now 0.3; a tenth of it is a good next try), inputs scaled to about −1…1, or clipped gradients",
    () => failing(steep(3), 0.3),
    () => failing(steep(3), 0.03),
    () => failing(numbers(steepInputs(3).div(3)), 0.3),
    () => failing(steep(3), 0.3, { clip: { norm: 0.1 } }),
  ),
  // Metrics.
  advice(
    "binaryAccuracy() for one output that tells two classes apart",
    () => measured(accuracy() as never, one(), ids(1, 0)),
    () => measured(binaryAccuracy() as never, one(), tensor([[1], [0]])),
  ),
  advice(
    "{ threshold: 0 } for one output that tells two classes apart, 0.5 for probabilities",
    () => measured(precision(2) as never, one(), ids(1, 0)),
    () => measured(precision(2, { threshold: 0 } as never) as never, one(), tensor([[1], [0]])),
    () => measured(precision(2, { threshold: 0.5 } as never) as never, one().sigmoid(), tensor([[1], [0]])),
  ),
  advice(
    "a last layer with one output for each class",
    () => measured(topK(1) as never, one(), ids(1, 0)),
    () => measured(topK(1) as never, (linear(2, 2) as unknown as (v: Tensor) => Tensor)(x(2)), ids(1, 0)),
  ),
  advice(
    "end the model with a layer that gives one number per class",
    () => measured(accuracy() as never, tensor([1, 2]), ids(1, 0)),
    () => measured(accuracy() as never, (linear(2, 2) as unknown as (v: Tensor) => Tensor)(x(2)), ids(1, 0)),
  ),
  advice(
    "accuracy() for the numbers of more classes",
    () => measured(binaryAccuracy() as never, tensor([1, 2]), tensor([0, 2])),
    () => measured(accuracy() as never, zeros([2, 3]), tensor([0, 2])),
  ),
  advice(
    "accuracy(), if the targets are class numbers",
    () => measured(meanAbsoluteError() as never, zeros([2, 3]), ids(1, 0)),
    () => measured(accuracy() as never, zeros([2, 3]), ids(1, 0)),
  ),
  // Run folders.
  advice(
    "a folder of its own for the run, or --force",
    () => inFolder((path) => writeFile(path("a.txt"), "a").then(() => RunFolder.create(path()))),
    () => inFolder(async (path) => (await RunFolder.create(path("run"))).release()),
    () =>
      inFolder(async (path) => {
        await writeFile(path("a.txt"), "a");
        return (await RunFolder.create(path(), { replace: true })).release();
      }),
  ),
  advice(
    "another folder, --resume to go on with that run, or --force to replace it",
    () =>
      inRun(async (folder, path) => {
        await folder.release();
        return RunFolder.create(path);
      }),
    () => inRun(async (_, path) => (await RunFolder.create(`${path}-2`)).release()),
    () =>
      inRun(async (folder, path) => {
        await folder.release();
        return (await RunFolder.create(path, { replace: true })).release();
      }),
    () => inRun(async (_, path) => RunFolder.open(path)),
  ),
  advice(
    "give the folder that kasane train named at its end",
    () => inFolder((path) => RunFolder.open(path())),
    () => inRun((_, path) => RunFolder.open(path)),
  ),
  advice(
    "choose another folder with --out",
    () =>
      inFolder(async (path) => {
        await writeFile(path("run"), "");
        return RunFolder.create(path("run"));
      }),
    () => inFolder(async (path) => (await RunFolder.create(path("other"))).release()),
  ),
  advice(
    "train anew, or leave the damaged lines out",
    () =>
      inRun(async (folder, path) => {
        await appendFile(`${path}/metrics.jsonl`, '{"epoch":1}\n');
        return folder.readMetrics();
      }),
    () =>
      inRun(async (folder, path) => {
        await appendFile(`${path}/metrics.jsonl`, '{"epoch":1}\n');
        const lines = (await readFile(`${path}/metrics.jsonl`, "utf8")).split("\n").slice(1);
        await writeFile(`${path}/metrics.jsonl`, lines.join("\n"));
        return folder.readMetrics();
      }),
    () => inRun((folder) => folder.readMetrics()),
  ),
  advice(
    "it was interrupted; go on: kasane train --resume …",
    () =>
      inRun(async (folder) => {
        await folder.saveCheckpoint(await stateOf());
        return folder.loadModel();
      }),
    () =>
      inRun(async (folder) => {
        await folder.saveCheckpoint(await stateOf());
        const model = net();
        await once(model, { epochs: 3, resume: await folder.loadCheckpoint() }, samples(6));
        await folder.saveModel(model.stateDict(), {});
        return folder.loadModel();
      }),
  ),
  advice(
    "let it train for at least one epoch",
    () => inRun((folder) => folder.loadModel()),
    () =>
      inRun(async (folder) => {
        const model = net();
        await once(model);
        await folder.saveModel(model.stateDict(), {});
        return folder.loadModel();
      }),
  ),
  advice(
    "train anew",
    () => inRun((folder) => folder.loadCheckpoint()),
    () =>
      inRun(async (folder) => {
        await folder.saveCheckpoint(await stateOf());
        return folder.loadCheckpoint();
      }),
  ),
  advice(
    "train anew, or use a run whose files are whole",
    () =>
      inRun(async (folder, path) => {
        await saveSafetensors(`${path}/checkpoint.safetensors`, { a: zeros([1]) });
        return folder.loadCheckpoint();
      }),
    () =>
      inRun(async (folder) => {
        await folder.saveCheckpoint(await stateOf());
        return folder.loadCheckpoint();
      }),
  ),
  advice(
    "another folder, or stop that process; if it is something else by now, delete …",
    () =>
      inRun(async (folder, path) => {
        await folder.release();
        await claimedElsewhere(path);
        return folder.claim();
      }),
    () =>
      inRun(async (folder, path) => {
        await folder.release();
        await claimedElsewhere(path);
        return (await RunFolder.create(`${path}-2`)).release();
      }),
    () =>
      inRun(async (folder, path) => {
        await folder.release();
        await claimedElsewhere(path);
        await rm(`${path}/training.pid`);
        return folder.claim();
      }),
  ),
  advice(
    "move it elsewhere, or give another folder",
    () =>
      inRun(async (folder, path) => {
        await mkdir(`${path}/summary.json`);
        return folder.claim();
      }),
    () =>
      inRun(async (folder, path) => {
        await mkdir(`${path}/summary.json`);
        await rename(`${path}/summary.json`, `${path}/mine`);
        return folder.claim();
      }),
    () => inRun(async (_, path) => (await RunFolder.create(`${path}-2`)).release()),
  ),
  advice(
    "delete it, or give another folder",
    () =>
      inRun(async (folder, path) => {
        await folder.release();
        await mkdir(`${path}/training.pid`);
        return folder.claim();
      }),
    () =>
      inRun(async (folder, path) => {
        await folder.release();
        await mkdir(`${path}/training.pid`);
        await rm(`${path}/training.pid`, { recursive: true });
        return folder.claim();
      }),
    () => inRun(async (_, path) => (await RunFolder.create(`${path}-2`)).release()),
  ),
];

/** What a process of another machine leaves, which nobody can look for here. */
async function claimedElsewhere(path: string): Promise<void> {
  await writeFile(`${path}/training.pid`, "1\n1.1.boot.elsewhere\n");
}
