// Short calls with numbers that can be checked by hand: the API reference shows them where no longer program calls a function.

import {
  abs,
  adaptiveAveragePool,
  adaptiveMaxPool,
  alphaDropout,
  bilinear,
  channelDropout,
  convTranspose,
  copy,
  cos,
  dependsOn,
  exp,
  forkRandom,
  glu,
  groupNorm,
  hardSigmoid,
  hardSwish,
  hardtanh,
  isTensor,
  leakyRelu,
  localResponseNorm,
  log,
  logSigmoid,
  manualSeed,
  measureLimits,
  mish,
  nextStream,
  ones,
  padding,
  parameter,
  pixelShuffle,
  pixelUnshuffle,
  prelu,
  relu6,
  rmsNorm,
  selu,
  silu,
  sin,
  softplus,
  softsign,
  sqrt,
  type Tensor,
  tensor,
  UsageError,
  uniform,
  withOwnRandom,
  zeros,
} from "kasane";
import { checkFinite, checkLabels, gatherRows, ndArray, numericColumns, parseCsv } from "kasane/data";
import * as formula from "kasane/formula";
import { elementJson, explainElement, explainTree, machineLimits, record, tensorName, treeLines } from "kasane/inspect";
import { readBytes, reasonFor } from "kasane/io/node";
import * as nn from "kasane/nn";
import { makeOp } from "kasane/ops";
import { describe, expect, it } from "vitest";

const rounded = (y: Tensor): number[] => Array.from(y.data, (value) => Number(value.toFixed(2)) + 0);

describe("functions of single elements", () => {
  it("are what they are called", () => {
    expect(rounded(leakyRelu(tensor([-1, 2]), 0.1))).toEqual([-0.1, 2]);
    expect(rounded(hardtanh(tensor([-3, 0.5, 3])))).toEqual([-1, 0.5, 1]);
    expect(rounded(prelu(tensor([-4, 2]), tensor([0.25])))).toEqual([-1, 2]);
    expect(rounded(relu6(tensor([-1, 3, 8])))).toEqual([0, 3, 6]);
    expect(rounded(selu(tensor([0, 1])))).toEqual([0, 1.05]);
    expect(rounded(silu(tensor([0, 1])))).toEqual([0, 0.73]);
    expect(rounded(softplus(tensor([0, 20])))).toEqual([0.69, 20]);
    expect(rounded(softsign(tensor([-1, 0, 3])))).toEqual([-0.5, 0, 0.75]);
    expect(rounded(logSigmoid(tensor([0, 20])))).toEqual([-0.69, 0]);
    expect(rounded(hardSigmoid(tensor([-4, 0, 1.5])))).toEqual([0, 0.5, 0.75]);
    expect(rounded(hardSwish(tensor([-4, 0, 3])))).toEqual([0, 0, 3]);
    expect(rounded(mish(tensor([0, 1])))).toEqual([0, 0.87]);
    expect(rounded(exp(tensor([0, 1])))).toEqual([1, 2.72]);
    expect(rounded(log(tensor([1, Math.E])))).toEqual([0, 1]);
    expect(rounded(sqrt(tensor([0, 2, 9])))).toEqual([0, 1.41, 3]);
    expect(rounded(abs(tensor([-2, 3])))).toEqual([2, 3]);
    expect(rounded(sin(tensor([0, Math.PI / 2])))).toEqual([0, 1]);
    expect(rounded(cos(tensor([0, Math.PI])))).toEqual([1, -1]);
    expect(rounded(glu(tensor([6, 0])))).toEqual([3]);
    expect(copy(tensor([1, 2])).data).toEqual(new Float32Array([1, 2]));
  });
});

describe("functions of windows, channels and pairs", () => {
  it("are what they are called", () => {
    expect(rounded(groupNorm(tensor([[1, 3, 10, 30]]), 2, ones([4]), zeros([4])))).toEqual([-1, 1, -1, 1]);
    expect(rounded(rmsNorm(tensor([[3, 4]]), ones([2])))).toEqual([0.85, 1.13]);
    expect(rounded(localResponseNorm(tensor([[[1], [2]]]), 1, { alpha: 1, beta: 1, bias: 0 }))).toEqual([1, 0.5]);
    expect(rounded(bilinear(tensor([1, 2]), tensor([3]), tensor([[[1], [10]]])))).toEqual([63]);
    expect(rounded(convTranspose(tensor([[[1, 2]]]), tensor([[[1, 10]]]), undefined, { stride: 2 }))).toEqual([1, 10, 2, 20]);
    expect(rounded(adaptiveAveragePool(tensor([[[1, 3, 5, 7]]]), 2))).toEqual([2, 6]);
    expect(rounded(adaptiveMaxPool(tensor([[[1, 3, 5, 7]]]), 2))).toEqual([3, 7]);
    expect(rounded(padding(tensor([[[1, 2]]]), 1, { value: 9 }))).toEqual([9, 1, 2, 9]);
    expect(pixelShuffle(zeros([1, 8, 3, 3]), 2).shape).toEqual([1, 2, 6, 6]);
    expect(pixelUnshuffle(zeros([1, 2, 6, 6]), 2).shape).toEqual([1, 8, 3, 3]);
  });
});

describe("random numbers", () => {
  it("follow the seed", () => {
    manualSeed(1);
    const dropped = new Set(channelDropout(ones([1, 8, 4]), 0.5).sum(-1).data);
    expect([...dropped].sort()).toEqual([0, 8]);
    expect(alphaDropout(ones([4]), 0).data).toEqual(new Float32Array([1, 1, 1, 1]));
    expect(nextStream()).not.toEqual(nextStream());
    const own = forkRandom();
    const first = withOwnRandom(own, () => uniform([3]));
    expect(withOwnRandom(own, () => uniform([3])).data).toEqual(first.data);
  });
});

describe("small helpers", () => {
  it("say what they are asked", () => {
    expect([isTensor(tensor(1)), isTensor([1])]).toEqual([true, false]);
    const settings = { scale: 2 };
    const scaled = (x: Tensor): Tensor => x.mul(dependsOn(() => settings.scale));
    expect(rounded(scaled(tensor([1, 2])))).toEqual([2, 4]);
    expect(measureLimits([1], [])).toEqual([]);
    const limits = machineLimits();
    expect(limits === undefined || limits.operationsPerSecond > 0).toBe(true);
    const refused = new UsageError("expected a file, got a folder", { hint: "name a file" });
    expect(refused.message).toBe("expected a file, got a folder\n  try: name a file");
  });
});

describe("layers", () => {
  it("give the shapes they say", () => {
    expect(nn.convTranspose1d(2, 3, 4, { stride: 2 })(zeros([1, 2, 5])).shape).toEqual([1, 3, 12]);
    expect(nn.convTranspose3d(1, 2, 2)(zeros([1, 1, 3, 3, 3])).shape).toEqual([1, 2, 4, 4, 4]);
    expect(nn.averagePool1d(2)(tensor([[[1, 3, 5, 7]]])).data).toEqual(new Float32Array([2, 6]));
    expect(
      nn.globalMaxPool()(
        tensor([
          [
            [1, 3],
            [5, 2],
          ],
        ]),
      ).data,
    ).toEqual(new Float32Array([3, 5]));
    expect(nn.adaptiveAveragePool3d(1)(zeros([1, 2, 4, 4, 4])).shape).toEqual([1, 2, 1, 1, 1]);
    expect(nn.adaptiveMaxPool3d([1, 2, 2])(zeros([1, 2, 4, 4, 4])).shape).toEqual([1, 2, 1, 2, 2]);
    expect(nn.unflatten(1, [2, 3])(zeros([5, 6])).shape).toEqual([5, 2, 3]);
    expect(nn.bilinear(2, 3, 4)(zeros([5, 2]), zeros([5, 3])).shape).toEqual([5, 4]);
    expect(nn.localResponseNorm(5)(zeros([1, 8, 4, 4])).shape).toEqual([1, 8, 4, 4]);
    expect(rounded(nn.prelu()(tensor([-4, 2])))).toEqual([-1, 2]);
    expect(rounded(nn.elu()(tensor([-1, 2])))).toEqual([-0.63, 2]);
    expect(rounded(nn.hardtanh()(tensor([-3, 0.5])))).toEqual([-1, 0.5]);
    const decoder = nn.transformerDecoder(8, 2, { layers: 2 });
    expect(decoder(zeros([1, 3, 8]), zeros([1, 5, 8])).shape).toEqual([1, 3, 8]);
    expect([nn.isLayer(nn.linear(1, 1)), nn.isLayer(nn.relu)]).toEqual([true, false]);
  });

  it("begin as an initializer says", () => {
    expect(nn.linear(2, 3, { init: nn.init.constant(0.5) }).parameters()[0]?.data).toEqual(new Float32Array(6).fill(0.5));
    expect(nn.linear(2, 3, { init: nn.init.zeros() }).parameters()[0]?.sum().item()).toBe(0);
    expect(nn.linear(2, 3, { init: nn.init.ones() }).parameters()[0]?.sum().item()).toBe(6);
  });
});

describe("losses", () => {
  it("are what they are called", () => {
    const even = tensor([[0.5, 0.5]]);
    expect(rounded(nn.klDivergence(even.log(), even))).toEqual([0]);
    expect(rounded(nn.binaryCrossEntropy(tensor([0.5, 0.5]), tensor([0, 1])))).toEqual([0.69]);
    expect(rounded(nn.poissonNegativeLogLikelihood(tensor([0]), tensor([2])))).toEqual([1]);
    expect(rounded(nn.gaussianNegativeLogLikelihood(tensor([1]), tensor([3]), tensor([4])))).toEqual([1.19]);
    expect(rounded(nn.smoothL1(tensor([0.2, 3]), tensor([0, 0]), { reduction: "none" }))).toEqual([0.02, 2.5]);
    expect(rounded(nn.hingeLoss(tensor([2, 0.5]), tensor([1, 1]), { reduction: "none" }))).toEqual([0, 0.5]);
    expect(rounded(nn.multiClassHingeLoss(tensor([[1, 0.5]]), tensor([0])))).toEqual([0.25]);
    expect(rounded(nn.cosineEmbeddingLoss(tensor([[1, 0]]), tensor([[0, 1]]), tensor([1])))).toEqual([1]);
    expect(rounded(nn.cosineSimilarity(tensor([1, 0]), tensor([3, 4])))).toEqual([0.6]);
    expect(rounded(nn.tripletLoss(tensor([[0]]), tensor([[1]]), tensor([[3]]), { margin: 3 }))).toEqual([1]);
    expect(rounded(nn.contrastiveLoss(tensor([[0, 0]]), tensor([[3, 4]]), tensor([1])))).toEqual([25]);
    const weight = parameter(tensor([3, -4]));
    expect(rounded(nn.elasticNet([weight], 0.1))).toEqual([1.6]);
  });
});

describe("initializers", () => {
  it("draw with the spread they say", () => {
    manualSeed(2);
    const fans = nn.init.fansOf([400, 100]);
    expect(fans).toEqual({ in: 100, out: 400 });
    const spread = (values: Tensor): number => Number(values.std().item().toFixed(2));
    expect(spread(nn.init.lecunNormal()([400, 100], fans))).toBe(0.1);
    expect(spread(nn.init.lecunUniform()([400, 100], fans))).toBe(0.1);
    expect(spread(nn.init.glorotNormal()([400, 100], fans))).toBe(0.06);
    expect(spread(nn.init.glorotUniform()([400, 100], fans))).toBe(0.06);
    expect(spread(nn.init.heNormal()([400, 100], fans))).toBe(0.14);
    expect(spread(nn.init.heUniform()([400, 100], fans))).toBe(0.14);
    expect(spread(nn.init.uniform(-1, 1)([400, 100], fans))).toBe(0.58);
    expect(nn.init.start("my weight", nn.init.zeros(), [2, 3], fans).requiresGrad).toBe(true);
  });
});

describe("data and files", () => {
  it("are read and checked", async () => {
    const rows = ndArray(new Float32Array([1, 2, 3, 4, 5, 6]), [3, 2]);
    expect(gatherRows(rows, [2, 0]).data).toEqual(new Float32Array([5, 6, 1, 2]));
    expect(() => checkFinite(ndArray(new Float32Array([1, Number.NaN]), [2]), "prices")).toThrow("prices");
    expect(() => checkLabels(ndArray(new Int32Array([0, 3]), [2]), 3)).toThrow("3");
    expect(Array.from(numericColumns(parseCsv("a,b\n1,2\n3,4\n"), ["b"]).data)).toEqual([2, 4]);
    expect((await readBytes(import.meta.filename)).length).toBeGreaterThan(1000);
    const failed = await readBytes("/no/such/file").catch((error: unknown) => error as Error);
    expect(reasonFor((failed as Error).cause)).toContain("no such file");
  });
});

describe("formulas", () => {
  it("are trees", () => {
    const { statements } = formula.parseFormula("y[i] = sum[j](x[i, j] * w[j])");
    expect(formula.printStatement(statements[0]!)).toBe("y[i] = sum[j](x[i, j] * w[j])");
    const line = { filled: { kind: "value", type: "float", value: 3 }, value: 3, type: "float" } as const;
    expect(formula.sentenceOf(line, 4)).toBe("3 = 3");
    expect(formula.elementName({ target: "y", position: [0, 2] })).toBe("y[0, 2]");
    const square = makeOp("map", "square", "y = x * x");
    expect(square.formula.inputs).toEqual(["x"]);
  });
});

describe("numbers of a run", () => {
  it("are named, and told as JSON and as a tree", () => {
    const x = tensor([2, 3]);
    let y: Tensor = x;
    const run = record(() => {
      y = x.mul(x);
    });
    const squares = run.tensorOf(y)!;
    expect(tensorName(squares)).toBe("y of mul");
    expect(elementJson(explainElement(squares, [1]))).toMatchObject({ value: 9 });
    expect(treeLines(explainTree(squares, [1])).length).toBeGreaterThan(0);
  });
});
