// Every function, constructor and method that takes options refuses one that nobody reads, by its name.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as data from "../../src/data/index.ts";
import * as dataNode from "../../src/data/node.ts";
import * as root from "../../src/index.ts";
import * as inspect from "../../src/inspect/index.ts";
import * as io from "../../src/io/index.ts";
import * as ioNode from "../../src/io/node.ts";
import * as nn from "../../src/nn/index.ts";
import * as optim from "../../src/optim/index.ts";
import * as train from "../../src/train/index.ts";
import * as trainNode from "../../src/train/node.ts";
import { checkOptions } from "../../src/util/options.ts";
import { takingOptions } from "./taking-options.ts";

const { tensor } = root;
const nonsense = { nonsense: 1 } as never;
const x = tensor([
  [0.1, 0.9],
  [0.4, 0.2],
]);
const weights = (): root.Tensor[] => [root.parameter([1, 2])];
const images = root.zeros([1, 1, 4, 4]);
const kernel = root.zeros([1, 1, 3, 3]);
const labels = tensor([0, 1], { dtype: "int32" });
const sequence = root.zeros([1, 2, 2]);
const samples = new data.Dataset({ x: data.ndArray(new Float32Array(4), [2, 2]), y: data.ndArray(new Int32Array([0, 1]), [2]) });
const net = nn.linear(2, 2);
const w = root.parameter([
  [1, 2],
  [3, 4],
]);
const recording = inspect.record(() => {
  const y = x.matmul(w).sum();
  y.backward();
  return y;
});
const recorded = recording.tensors.find((one) => one.source !== undefined) as inspect.RecordedTensor;
const series = { name: "a", points: [[1, 2]] as const };
const titles = { title: "t", xTitle: "x", yTitle: "y" };
let folder = "";

type Call = () => unknown;

/** The same call for each of several functions of one module. */
const each = (module: string, names: string, call: (fn: never) => unknown): Record<string, Call> =>
  Object.fromEntries(
    names.split(" ").map((name) => {
      const exports = { root, nn, optim, train, data, inspect }[module] as unknown as Record<string, never>;
      return [`${module} ${name}`, () => call(exports[name] as never)];
    }),
  );
type Fn = (...given: unknown[]) => unknown;

const calls: Record<string, Call> = {
  ...each("root", "arange", (fn: Fn) => fn(0, 2, 1, nonsense)),
  ...each("root", "linspace", (fn: Fn) => fn(0, 2, 3, nonsense)),
  ...each("root", "eye", (fn: Fn) => fn(2, nonsense)),
  ...each("root", "full", (fn: Fn) => fn([2], 1, nonsense)),
  ...each("root", "zeros ones", (fn: Fn) => fn([2], nonsense)),
  ...each("root", "conv convTranspose", (fn: Fn) => fn(images, kernel, undefined, nonsense)),
  ...each("root", "maxPool averagePool localResponseNorm padding", (fn: Fn) => fn(images, 2, nonsense)),
  ...each("root", "upsample", (fn: Fn) => fn(images, { scale: 2, nonsense: 1 })),
  ...each("root", "compile grad valueAndGrad vmap", (fn: Fn) => (fn((a: root.Tensor) => a, nonsense) as Fn)(tensor(1))),
  ...each("root", "gradients", (fn: Fn) => fn(w.sum(), [w], nonsense)),
  ...each("root", "defineOp", (fn: Fn) => fn("y = x", nonsense)),
  "root applyOp": () => root.applyOp(root.defineOp("y = x").op, [x], nonsense),
  "root DefinedOp.with": () => root.defineOp("y = x").with(nonsense),
  "root DefinedOp.with attributes": () => root.defineOp("y = x").with({ attributes: nonsense }),
  "root tensor": () => tensor([1], nonsense),
  "root closeTensors": () => root.closeTensors(nonsense),
  "root Tensor.backward": () => w.sum().backward(undefined, nonsense),
  ...Object.fromEntries(
    ["argmax", "argmin", "logSumExp", "max", "mean", "min", "norm", "prod", "std", "sum", "variance"].map((name) => [
      `root Tensor.${name}`,
      () => (x as unknown as Record<string, Fn>)[name]?.(1, nonsense),
    ]),
  ),
  ...each("nn", "linear rnnCell lstmCell gruCell rnn lstm gru embedding learnedPositions", (fn: Fn) => fn(2, 2, nonsense)),
  ...each("nn", "multiHeadAttention transformerEncoderLayer transformerDecoderLayer transformerEncoder transformerDecoder", (fn: Fn) =>
    fn(2, 2, nonsense),
  ),
  ...each("nn", "conv1d conv2d conv3d convTranspose1d convTranspose2d convTranspose3d separableConv2d maxout swiGlu bilinear", (fn: Fn) =>
    fn(2, 2, 2, nonsense),
  ),
  ...each("nn", "depthwiseConv2d groupNorm", (fn: Fn) => fn(2, 2, nonsense)),
  ...each("nn", "batchNorm instanceNorm layerNorm rmsNorm localResponseNorm padding prelu", (fn: Fn) => fn(2, nonsense)),
  ...each("nn", "maxPool1d maxPool2d maxPool3d averagePool1d averagePool2d averagePool3d", (fn: Fn) => fn(2, nonsense)),
  ...each("nn", "flatten globalAveragePool globalMaxPool", (fn: Fn) => fn(nonsense)),
  ...each("nn", "upsample", (fn: Fn) => fn({ scale: 2, nonsense: 1 })),
  ...each("nn", "layer", (fn: Fn) => fn({}, (a: unknown) => a, nonsense)),
  ...each("nn", "rotary", (fn: Fn) => fn(sequence, nonsense)),
  ...each("nn", "summary", (fn: Fn) => fn(net, [1, 2], nonsense)),
  ...each("nn", "scaledDotProductAttention", (fn: Fn) => fn(sequence, sequence, sequence, nonsense)),
  ...each(
    "nn",
    "meanSquaredError absoluteError huber smoothL1 poissonNegativeLogLikelihood focalLoss binaryCrossEntropy binaryCrossEntropyLogits",
    (fn: Fn) => fn(x, x, nonsense),
  ),
  ...each("nn", "klDivergence hingeLoss", (fn: Fn) => fn(root.zeros([2, 2]), root.ones([2, 2]), nonsense)),
  ...each("nn", "crossEntropy negativeLogLikelihood multiClassHingeLoss", (fn: Fn) => fn(root.zeros([2, 2]), labels, nonsense)),
  ...each("nn", "cosineEmbeddingLoss contrastiveLoss", (fn: Fn) => fn(x, x, tensor([1, 1]), nonsense)),
  ...each("nn", "gaussianNegativeLogLikelihood tripletLoss", (fn: Fn) => fn(x, x, x, nonsense)),
  "nn ctcLoss": () => nn.ctcLoss(sequence, tensor([[1]], { dtype: "int32" }), { time: [2], labels: [1] }, nonsense),
  "nn ctcLoss lengths": () => nn.ctcLoss(sequence, tensor([[1]], { dtype: "int32" }), { time: [2], labels: [1], nonsense: 1 } as never),
  "nn Layer.loadStateDict": () => net.loadStateDict(net.stateDict(), nonsense),
  "nn lstm(x)": () => (nn.lstm(2, 2) as unknown as Fn)(sequence, nonsense),
  "nn lstm.run": () => nn.lstm(2, 2).run(sequence, nonsense),
  "nn multiHeadAttention(x)": () => (nn.multiHeadAttention(2, 1) as unknown as Fn)(sequence, nonsense),
  "nn multiHeadAttention rotary": () => nn.multiHeadAttention(2, 1, { rotary: nonsense }),
  "nn transformerEncoderLayer(x)": () => (nn.transformerEncoderLayer(2, 1) as unknown as Fn)(sequence, nonsense),
  ...each("optim", "adaDelta adaGrad adam adamW adamax amsGrad lamb lars lion muon nAdam rAdam rmsProp sgd", (fn: Fn) =>
    fn(weights(), { learningRate: 0.1, nonsense: 1 }),
  ),
  "optim groups": () => optim.adam([{ parameters: weights(), nonsense: 1 } as never]),
  ...each("optim", "cosineDecay linearDecay polynomialDecay", (fn: Fn) => fn(1, { steps: 2, nonsense: 1 })),
  ...each("optim", "cosineRestarts", (fn: Fn) => fn(1, { period: 2, nonsense: 1 })),
  ...each("optim", "multiStepDecay", (fn: Fn) => fn(1, { milestones: [2], nonsense: 1 })),
  ...each("optim", "stepDecay", (fn: Fn) => fn(1, { every: 2, nonsense: 1 })),
  ...each("optim", "oneCycle", (fn: Fn) => fn(1, { steps: 2, nonsense: 1 })),
  ...each("optim", "oneCycleMomentum", (fn: Fn) => fn({ steps: 2, nonsense: 1 })),
  ...each("optim", "reduceOnPlateau", (fn: Fn) => fn(1, nonsense)),
  ...each("optim", "warmUp", (fn: Fn) => fn(2, () => 1, nonsense)),
  ...each("train", "accuracy crossEntropy perplexity rocAuc", (fn: Fn) => fn(nonsense)),
  ...each("train", "topK precision recall f1Score intersectionOverUnion", (fn: Fn) => fn(2, nonsense)),
  "train ConfusionMatrix.add": () => new train.ConfusionMatrix(["a", "b"]).add(x, labels, nonsense),
  "train evaluate": () => train.evaluate(net as never, samples as never, { loss: nn.crossEntropy, nonsense: 1 } as never),
  "train predict": () => train.predict(net as never, x, nonsense),
  ...Object.fromEntries(
    [{ nonsense: 1 }, { earlyStopping: { patience: 1, nonsense: 1 } }, { clip: { nonsense: 1 } }].map((more) => [
      `train fit${Object.keys(more)[0] === "nonsense" ? "" : ` ${Object.keys(more)[0]}`}`,
      () =>
        train.fit(net as never, samples as never, {
          ...{ loss: nn.crossEntropy, optimizer: optim.adam(net.parameters()), epochs: 1 },
          ...(more as object),
        }),
    ]),
  ),
  "train/node RunFolder.create": () => trainNode.RunFolder.create(join(folder, "run"), nonsense),
  ...each("data", "digits", (fn: Fn) => fn({ count: 2, nonsense: 1 })),
  ...each("data", "moons spirals wine xor mixup cutmix randomFlip randomErasing", (fn: Fn) => fn(nonsense)),
  ...each("data", "centerCrop randomCrop cutout", (fn: Fn) => fn({ size: 2, nonsense: 1 })),
  ...each("data", "gaussianNoise", (fn: Fn) => fn({ deviation: 1, nonsense: 1 })),
  ...each("data", "randomAffine randomBrightnessContrast", (fn: Fn) => fn(nonsense)),
  ...each("data", "randomRotation", (fn: Fn) => fn(5, nonsense)),
  ...each("data", "tokenWindows", (fn: Fn) => fn([1, 2, 3], { length: 2, nonsense: 1 })),
  ...each("data", "parseCsv", (fn: Fn) => fn("a,b\n1,2\n", nonsense)),
  ...each("data", "readTable", (fn: Fn) => fn("a,b\n1,2\n", { target: "b", nonsense: 1 })),
  "data BytePairTokenizer.train": () => data.BytePairTokenizer.train("aa", { size: 300, nonsense: 1 } as never),
  "data VocabularyTokenizer.fit": () => data.VocabularyTokenizer.fit("aa", nonsense),
  "data CategoryEncoder.fit": () => data.CategoryEncoder.fit(["a"], nonsense),
  "data Standardizer.fit": () => data.Standardizer.fit(samples.fields.x, nonsense),
  "data Dataset": () => new data.Dataset({ x: samples.fields.x }, nonsense),
  "data Dataset.map": () => samples.map((fields) => fields, nonsense),
  "data Dataset.split": () => samples.split(0.5, nonsense),
  "data DataLoader": () => new data.DataLoader(samples, { batchSize: 1, nonsense: 1 } as never),
  "data DataLoader.batches": () => [...new data.DataLoader(samples, { batchSize: 1 }).batches(nonsense)],
  "data/node loadCsv": () => dataNode.loadCsv("no such file", { target: "a", nonsense: 1 } as never),
  "data/node loadMnist": () => dataNode.loadMnist("no such folder", nonsense),
  "io parseSafetensors": () => io.parseSafetensors(new Uint8Array(0), "data", nonsense),
  "io/node loadSafetensors": () => ioNode.loadSafetensors("no such file", nonsense),
  "io/node readBytes": () => ioNode.readBytes("no such file", nonsense),
  "io/node writeFileAtomic": () => ioNode.writeFileAtomic(join(folder, "file"), "", nonsense),
  "io/node saveSafetensors": () => ioNode.saveSafetensors(join(folder, "file"), {}, {}, nonsense),
  "inspect Recorder": () => new inspect.Recorder(net, nonsense),
  "inspect Recorder keep": () => new inspect.Recorder(net, { keep: { steps: 1, nonsense: 1 } as never }),
  "inspect RunCursor": () => new inspect.RunCursor(recording, nonsense),
  "inspect chartSvg": () => inspect.chartSvg([series], { ...titles, nonsense: 1 } as never),
  "inspect chartText": () => inspect.chartText(series, { ...titles, nonsense: 1 } as never),
  "inspect chartText size": () => inspect.chartText(series, titles, nonsense),
  "inspect checkGradients": () => inspect.checkGradients(recording, nonsense),
  "inspect explainElement": () => inspect.explainElement(recorded, [0, 0], nonsense),
  "inspect explainTree": () => inspect.explainTree(recorded, [0, 0], nonsense),
  "inspect graphOf": () => inspect.graphOf(recording, nonsense),
  "inspect nudge": () => inspect.nudge(recording, recorded, [0, 0], nonsense),
  "inspect profile": () =>
    inspect.profile(
      root.compile((a) => a.mul(2)),
      [x],
      nonsense,
    ),
  "inspect replay": () => inspect.replay(recording, [recorded], nonsense),
  "inspect diagnose": () => inspect.diagnose({} as never, nonsense),
  ...Object.fromEntries(
    [{ nonsense: 1 }, { thresholds: nonsense }, { record: nonsense }, { recorder: new inspect.Recorder(net) }].map((more) => [
      `inspect examine${Object.keys(more)[0] === "nonsense" ? "" : ` ${Object.keys(more)[0]}`}`,
      () =>
        inspect.examine(
          net as never,
          samples as never,
          {
            ...{ loss: nn.crossEntropy, optimizer: optim.adam(net.parameters()), epochs: 1 },
            ...(more as object),
          } as never,
        ),
    ]),
  ),
  "inspect findLearningRate": () =>
    inspect.findLearningRate(
      net as never,
      samples as never,
      { loss: nn.crossEntropy, optimizer: optim.adam(net.parameters()), nonsense: 1 } as never,
    ),
};

/** What takes an object apart that is no options: the state of something saved, a measurement, what an error says. */
const others = [
  ...["data BytePairTokenizer", "data CategoryEncoder", "data Draws", "data Imputer", "data Standardizer", "data VocabularyTokenizer"],
  ...["inspect chromeTrace", "inspect graphDot", "inspect graphMermaid", "inspect opTimes", "inspect percentile", "inspect stopJson"],
  ...[
    "inspect stopText",
    "inspect stopsText",
    "inspect whereNotFinite",
    "io serializeSafetensors",
    "root KasaneError",
    "train TrainingError",
  ],
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kasane-options-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("options that nobody reads", () => {
  it("are asked for here of all that take any", () => {
    const known = new Set([...Object.keys(calls), ...others]);
    expect(takingOptions().filter((name) => !known.has(name))).toEqual([]);
  });

  it.each(Object.entries(calls))("%s", async (name, call) => {
    let thrown: unknown;
    try {
      await call();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(root.InputError);
    expect((thrown as Error).message).toContain(`unknown option "${name === "inspect examine recorder" ? "recorder" : "nonsense"}"`);
  });

  it.each([
    [() => nn.linear(2, 2, { biass: false } as never), 'linear: unknown option "biass"', "did you mean bias?"],
    [
      () => nn.crossEntropy(x, labels, { ignore_index: 1 } as never),
      'crossEntropy: unknown option "ignore_index"',
      "did you mean ignoreIndex?",
    ],
    [() => nn.lstm(2, 2, { numLayers: 2 } as never), 'lstm: unknown option "numLayers"', "did you mean layers?"],
    [() => x.sum(1, { keepdim: true } as never), 'sum: unknown option "keepdim"', "did you mean keepDims?"],
    [() => nn.lstm(2, 2, { activation: "relu" } as never), 'lstm: unknown option "activation"', "options: layers"],
    [() => nn.maxPool2d(2, { countPadding: true } as never), 'maxPool2d: unknown option "countPadding"', "options: stride"],
    [() => nn.linear(2, 2, false as never), "linear: expected options by name, got false", "{ init: … }"],
    [() => nn.linear(2, 2, null as never), "linear: expected options by name, got null", "{ init: … }"],
  ])("are named with the nearest that there is", (call, message, hint) => {
    expect(call).toThrow(message);
    expect(call).toThrow(hint);
  });

  it("known ones pass, undefined ones too, and names that every object has do not", () => {
    const known = { a: true, b: true } as const;
    expect(checkOptions<{ a?: number; b?: number }>("f", { a: 1 }, known)).toEqual({ a: 1 });
    expect(checkOptions<{ a?: number; b?: number }>("f", undefined, known)).toEqual({});
    expect(() => checkOptions("f", { toString: 1 } as never, known)).toThrow('unknown option "toString"');
  });
});
