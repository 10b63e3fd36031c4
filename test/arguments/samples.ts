// Right arguments for everything that these entry points export: what a test puts something wrong in the place of, one after the other.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as data from "../../src/data/index.ts";
import * as formula from "../../src/formula/index.ts";
import * as root from "../../src/index.ts";
import * as inspect from "../../src/inspect/index.ts";
import * as nn from "../../src/nn/index.ts";
import * as optim from "../../src/optim/index.ts";
import type { Fn } from "./entries.ts";

/** Fresh arguments for one call. */
export type Sample = () => readonly unknown[];

const { tensor } = root;
export const folder = mkdtempSync(join(tmpdir(), "kasane-arguments-"));
writeFileSync(join(folder, "table.csv"), "a;b;quality\n1;2;3\n4;5;6\n");
writeFileSync(join(folder, "empty.bin"), "");

const x = (): root.Tensor =>
  tensor([
    [0.1, 0.9],
    [0.4, 0.2],
  ]);
const _row = (): root.Tensor => tensor([0.3, 0.7]);
const labels = (): root.Tensor => tensor([0, 1], { dtype: "int32" });
const _images = (): root.Tensor => root.full([1, 4, 4, 4], 0.5);
const _sequence = (): root.Tensor => root.full([1, 2, 2], 0.5);
const weights = (): root.Tensor[] => [root.parameter([1, 2])];
const samples = () => new data.Dataset({ x: data.ndArray(new Float32Array([1, 2, 3, 4]), [2, 2]), y: data.ndArray(new Int32Array([0, 1]), [2]) }); // biome-ignore format: one thought
const pixels = () => new data.Dataset({ x: data.ndArray(new Float32Array(32), [2, 4, 4, 1]), y: data.ndArray(new Int32Array([0, 1]), [2]) }); // biome-ignore format: one thought
const training = () => {
  const model = nn.linear(2, 2);
  return [model, samples(), { loss: nn.crossEntropy, optimizer: optim.sgd(model.parameters(), { learningRate: 0.1 }), epochs: 1 }] as const;
};
/** Made once: nobody changes it. */
const once = <Made>(make: () => Made): (() => Made) => {
  let made: Made | undefined;
  return () => {
    made ??= make();
    return made;
  };
};
const recording = once(() => {
  const w = root.parameter(x());
  return inspect.record(() => {
    const y = x().matmul(w).sum();
    y.backward();
    return y;
  });
});
const recorded = (run: inspect.Recording) => run.tensors.find((one) => one.source !== undefined) as inspect.RecordedTensor;
const ofRecording =
  (...more: unknown[]): Sample =>
  () => {
    const run = recording();
    return [run, recorded(run), recorded(run).shape.map(() => 0), ...more];
  };
const first = () => ofRecording()().slice(1) as [inspect.RecordedTensor, number[]];
const explained = once(() => inspect.explainElement(...first()));
const tree = once(() => inspect.explainTree(...first()));
const series = () => [
  {
    name: "a",
    points: [
      [1, 2],
      [2, 3],
    ] as const,
  },
];
const titles = () => ({ title: "t", xTitle: "x", yTitle: "y" });
const compiled = () => root.compile((a: root.Tensor) => a.mul(2));
const profiled = once(() => inspect.profile(compiled(), [x()]));
const parsed = () => formula.parseFormula("y[i] = sum[j](x[i, j] * 2)");
const binding = (): formula.Binding => ({ name: "f", inputs: { x: { dtype: "float32", shape: [2, 2] } } });
const _explanation = once(() => formula.explainElement(parsed(), binding(), [new Float32Array(4)], [], [0]));
const _statement = () => parsed().statements[0];
const _expression = () => parsed().statements[0]?.value;
const idx = () => new Uint8Array([0, 0, 8, 1, 0, 0, 0, 2, 1, 2]);
const table = () => data.readTable("a,b\n1,0\n2,1\n", { target: "b" });
const _own = (): Fn => (a) => (a as root.Tensor).mul(2);
const _scalar = (): Fn => (a) => (a as root.Tensor).square().sum();

export const samplesOf: Readonly<Record<string, Sample>> = {
  ...each("./data", "centerCrop cutout randomCrop", () => [{ size: 2 }]),
  ...each("./data", "cutmix mixup moons spirals wine xor randomErasing randomFlip randomAffine randomBrightnessContrast", () => [{}]),
  ...each("./data", "BytePairTokenizer.fromJSON BytePairTokenizer", () => [data.BytePairTokenizer.train("aaab", { size: 258 }).toJSON()]),
  ...each("./data", "VocabularyTokenizer.fromJSON VocabularyTokenizer", () => [data.VocabularyTokenizer.fit("abc").toJSON()]),
  ...each("./data", "CategoryEncoder.fromJSON CategoryEncoder", () => [data.CategoryEncoder.fit(["a", "b"]).toJSON()]),
  ...each("./data", "Imputer.fromJSON Imputer", () => [data.Imputer.fit(data.ndArray(new Float32Array(4), [2, 2])).toJSON()]),
  ...each("./data", "Standardizer.fromJSON Standardizer", () => [data.Standardizer.fit(data.ndArray(new Float32Array([1, 2, 3, 4]), [2, 2])).toJSON()]), // biome-ignore format: one thought
  "./data BytePairTokenizer.train": () => ["aaab", { size: 258 }],
  "./data VocabularyTokenizer.fit": () => ["abc", { level: "character" }],
  "./data CategoryEncoder.fit": () => [["a", "b"], { unknown: "error" }],
  "./data Imputer.fit": () => [data.ndArray(new Float32Array(4), [2, 2]), "mean"],
  "./data Standardizer.fit": () => [data.ndArray(new Float32Array([1, 2, 3, 4]), [2, 2]), { axis: 1 }],
  "./data DataLoader": () => [samples(), { batchSize: 1 }],
  "./data Dataset": () => [{ x: data.ndArray(new Float32Array(4), [2, 2]) }, { columnNames: ["a", "b"] }],
  "./data Draws": () => [{ seed: 1, epoch: 0, samples: [0, 1] }],
  "./data checkFinite": () => [data.ndArray(new Float32Array(4), [2, 2]), "here", ["a", "b"]],
  "./data checkLabels": () => [data.ndArray(new Int32Array([0, 1]), [2]), 2, "labels"],
  "./data compose": () => [data.randomFlip(), data.randomFlip()],
  "./data digits": () => [{ count: 2 }],
  "./data gatherRows": () => [data.ndArray(new Float32Array(4), [2, 2]), [0, 1]],
  "./data gaussianNoise": () => [{ deviation: 1 }],
  "./data joinColumns": () => [data.ndArray(new Float32Array(4), [2, 2]), data.ndArray(new Float32Array(4), [2, 2])],
  "./data mapField": () => ["x", (array: unknown) => array],
  "./data ndArray": () => [new Float32Array(4), [2, 2]],
  "./data numericColumns": () => [data.parseCsv("a,b\n1,2\n"), ["a"]],
  "./data oneHot": () => [data.ndArray(new Int32Array([0, 1]), [2]), 2],
  "./data parseCsv": () => ["a,b\n1,2\n", {}],
  "./data randomRotation": () => [5, {}],
  "./data readIdx": () => [idx(), "name"],
  "./data readIdxFile": () => [idx(), "name"],
  "./data readTable": () => ["a,b\n1,0\n2,1\n", { target: "b" }],
  "./data tableDataset": () => [table()],
  "./data tokenWindows": () => [[1, 2, 3], { length: 2 }],
  "./data/node loadCsv": () => [join(folder, "table.csv"), { target: "quality", separator: ";" }],
  "./data/node loadMnist": () => [folder, {}],
  "./data/node loadWineQuality": () => [folder],

  ...each("./inspect", "elementJson", () => [explained()]),
  ...each("./inspect", "elementMathml elementTex elementText", () => [explained(), 4]),
  ...each("./inspect", "explanationTreeJson treeLines", () => [tree()]),
  ...each("./inspect", "explanationTreeMathml explanationTreeTex explanationTreeText", () => [tree(), 4]),
  ...each("./inspect", "firstElement firstNonFinite selectableNames", () => [recording()]),
  ...each("./inspect", "graphDot graphMermaid graphSvg", () => [inspect.graphOf(recording())]),
  ...each("./inspect", "examine", training),
  ...each("./inspect", "record recordAsync", () => [() => x(), nn.linear(2, 2)]),
  ...each("./inspect", "stopJson stopText", () => [new inspect.RunCursor(recording()).stop]),
  "./inspect Recorder": () => [nn.linear(2, 2), { steps: 1 }],
  "./inspect RunCursor": () => [recording(), {}],
  "./inspect baselineOf": () => [nn.crossEntropy, [2], labels()],
  "./inspect chartSvg": () => [series(), titles()],
  "./inspect chartText": () => [series()[0], titles(), { columns: 40 }],
  "./inspect checkGradients": () => [recording(), {}],
  "./inspect chromeTrace": () => [profiled()],
  "./inspect diagnose": () => [{ events: [], history: [] }, {}],
  "./inspect elementName": () => ofRecording()().slice(1),
  "./inspect explainElement": () => ofRecording({})().slice(1),
  "./inspect explainFailure": () => [new Error("no")],
  "./inspect explainTree": () => ofRecording({})().slice(1),
  "./inspect findLearningRate": () => {
    const [model, set, { loss, optimizer }] = training();
    return [model, set, { loss, optimizer }];
  },
  "./inspect findingsText": () => [
    [{ kind: "plateau", severity: "warning", where: "loss", what: "a", evidence: {}, why: "b", advice: ["c"] }],
  ],
  "./inspect graphOf": () => [recording(), {}],
  "./inspect machineLimits": () => [],
  "./inspect nudge": ofRecording({}),
  "./inspect opTimes": () => [recording().ops, profiled()],
  "./inspect percentile": () => [{ low: 0, high: 1, counts: [1, 2] }, 0.5],
  "./inspect positionOf": () => [1, [2, 2]],
  "./inspect profile": () => [compiled(), [x()], {}],
  "./inspect replay": () =>
    ofRecording()()
      .slice(0, 1)
      .concat([[recorded(recording())]], {}),
  "./inspect selectElement": () => [recording(), inspect.selectableNames(recording())[0]],
  "./inspect stopsText": () => [new inspect.RunCursor(recording()), 3, 80],
  "./inspect tensorName": () => ofRecording()().slice(1, 2),
  "./inspect whereNotFinite": () => [{ model: nn.linear(2, 2), optimizer: optim.sgd(weights(), { learningRate: 1 }), run: () => x() }],
};

/** What functions make that is called in turn: by which arguments. */
export const calls: Readonly<Record<string, Sample>> = {
  ...each("./data", "centerCrop compose cutmix cutout gaussianNoise mixup randomAffine randomBrightnessContrast randomCrop randomErasing randomFlip randomRotation mapField", () => [pixels().fields, new data.Draws({ samples: [0, 1] })]), // biome-ignore format: one thought
};

function each(place: string, names: string, sample: Sample): Record<string, Sample> {
  return Object.fromEntries(names.split(" ").map((name) => [`${place} ${name}`, sample]));
}
