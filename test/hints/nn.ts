// Advice of layers, losses and state dicts.

import { DataLoader } from "../../src/data/index.ts";
import * as kasane from "../../src/index.ts";
import { exp, noGrad, parameter, type Tensor, tensor, zeros } from "../../src/index.ts";
import { serializeSafetensors } from "../../src/io/index.ts";
import { loadSafetensors, saveSafetensors } from "../../src/io/node.ts";
import {
  batchNorm,
  binaryCrossEntropy,
  binaryCrossEntropyLogits,
  contrastiveLoss,
  conv2d,
  cosineEmbeddingLoss,
  crossEntropy,
  elu,
  flatten,
  gaussianNegativeLogLikelihood,
  groupNorm,
  hingeLoss,
  instanceNorm,
  klDivergence,
  type Layer,
  l2,
  layer,
  lazy,
  linear,
  meanSquaredError,
  multiClassHingeLoss,
  negativeLogLikelihood,
  poissonNegativeLogLikelihood,
  relu,
  reshape,
  residual,
  scaledDotProductAttention,
  sequential,
  summary,
  upsample,
} from "../../src/nn/index.ts";
import { type Advice, advice } from "./advice.ts";
import { inFolder, labels, net, once, samples, x } from "./models.ts";

type Called = (...inputs: Tensor[]) => Tensor;
const call = (made: unknown, ...inputs: Tensor[]): Tensor => (made as Called)(...inputs);
const normal = (): Layer => sequential(linear(2, 4), batchNorm(4), linear(4, 2)) as Layer;
const ids = (...values: number[]): Tensor => tensor(values, { dtype: "int32" });
const scores = (): Tensor => tensor([[1, 2], [3, 4], [5, 6]]); // biome-ignore format: a matrix
const one = (): Tensor => tensor([[1], [-2]]);
const query = (count: number): Tensor => zeros([1, count, 4]);
const trained = (value: Tensor): Tensor => parameter(value as never) as Tensor;
const CLASSES = "number classes from 0 (target.sub(1) where they begin at 1), or give the last layer an output for each";
const classesFor = (instead: string): string =>
  `${instead} for one output that tells two classes apart, or a last layer with one output for each class`;

export const nnAdvice: readonly Advice[] = [
  // Layers.
  advice(
    "call it with its input: net(x), and noGrad(() => net(x))",
    () => noGrad(linear(2, 2) as never),
    () => linear(2, 2)(zeros([1, 2])),
    () => noGrad(() => linear(2, 2)(zeros([1, 2]))),
  ),
  advice(
    "write flatten() among the layers, or call x.flatten()",
    () => call(sequential(flatten as never), x()),
    () => call(sequential(flatten()), x()),
    () => x().flatten(),
  ),
  advice(
    "write reshape() among the layers, or call x.reshape([…])",
    () => reshape(x() as never),
    () => call(sequential(reshape([2, 1])), x()),
    () => x().reshape([2, 3]),
  ),
  advice(
    'write elu() among the layers, or import the function elu from "kasane"',
    () => elu(x() as never),
    () => call(sequential(elu()), x()),
    () => kasane.elu(x()),
  ),
  advice(
    "call it where the model is built: relu6Maker()",
    () => call(sequential(relu6Maker as never), x()),
    () => call(sequential(relu6Maker() as never), x()),
  ),
  advice(
    "give a shortcut that makes the same shape, such as a 1×1 convolution",
    () => call(residual(conv2d(1, 2, 1)), zeros([1, 1, 3, 3])),
    () => call(residual(conv2d(1, 2, 1), conv2d(1, 2, 1)), zeros([1, 1, 3, 3])),
  ),
  advice(
    "these channels make 1, 2 groups",
    () => conv2d(4, 6, 3, { groups: 3 }),
    () => conv2d(4, 6, 3, { groups: 1 }),
    () => conv2d(4, 6, 3, { groups: 2 }),
  ),
  advice(
    "groupNorm(groups, channels); 6 channels make 1, 2, 3, 6 groups",
    () => groupNorm(4, 6),
    () => [1, 2, 3, 6].map((groups) => call(groupNorm(groups, 6), zeros([2, 6, 3]))),
  ),
  advice(
    "layer({ first, second }, (x) => second(first(x)))",
    () => layer({ first: linear(2, 3) }, undefined as never),
    () => {
      const [first, second] = [linear(2, 3), linear(3, 2)];
      call(
        layer({ first, second }, (v: Tensor) => call(second, call(first, v))),
        x(),
      );
    },
  ),
  advice(
    "call the model once with a batch, net(x), before parameters(), optimizers and state dicts",
    () => lazy(([, features = 0]) => linear(features, 3)).parameters(),
    () => {
      const made = lazy(([, features = 0]) => linear(features, 3));
      call(made, x());
      return [made.parameters(), made.stateDict()];
    },
  ),
  advice(
    "lazy(([, features = 0]) => linear(features, 10))",
    () => lazy(linear(2, 10) as never),
    () =>
      call(
        lazy(([, features = 0]) => linear(features, 10)),
        x(),
      ),
  ),
  advice(
    "a number in its place, without a name: elu(1)",
    () => elu({ alpha: 1 } as never),
    () => elu(1),
  ),
  advice(
    'upsample({ scale: 2, mode: "linear" })',
    () => upsample({} as never),
    () => call(upsample({ scale: 2, mode: "linear" }), zeros([1, 1, 3])),
  ),
  advice(
    "put plain functions into sequential(…)",
    () => summary(((v: Tensor) => v) as never, [1, 2]),
    () => summary(sequential((v: Tensor) => v) as never, [1, 2]),
  ),
  advice(
    "l2(net, 1e-4)",
    () => l2(1 as never, 1e-4),
    () => l2(net(), 1e-4),
  ),
  advice(
    "leave out a last batch that is smaller (dropLast: true in fit and DataLoader), use larger batches, or call eval() to use the running statistics",
    () => once(normal(), { batchSize: 2, compile: false }),
    () => once(normal(), { batchSize: 2, dropLast: true }),
    () => [...new DataLoader(samples(), { batchSize: 2, dropLast: true })].map(({ x: batch }) => call(normal(), tensor(batch as never))),
    () => once(normal(), { batchSize: 3 }),
    () => call(batchNorm(4).eval(), zeros([1, 4])),
  ),
  advice(
    "use inputs with more than one position",
    () => call(instanceNorm(2), zeros([3, 2, 1])),
    () => call(instanceNorm(2), zeros([3, 2, 2])),
  ),
  advice(
    "pass a mask that says which keys each query may attend to",
    () => scaledDotProductAttention(query(2), query(3), query(3), { causal: true }),
    () => scaledDotProductAttention(query(2), query(3), query(3), { mask: tensor([[1, 1, 0], [1, 1, 1]], { dtype: "int32" }) as never }), // biome-ignore format: one call
  ),
  advice(
    "compare first, e.g. scores.greater(-1)",
    () => scaledDotProductAttention(query(2), query(2), query(2), { mask: zeros([2, 2]) }),
    () => scaledDotProductAttention(query(2), query(2), query(2), { mask: zeros([2, 2]).greater(-1) as never }),
  ),
  // States.
  advice(
    "build the same model as the one that was saved, or pass { strict: false } to load only the names both have",
    () => net().loadStateDict(new Map([...net().stateDict()].slice(1))),
    () => net().loadStateDict(net().stateDict()),
    () => net().loadStateDict(new Map([...net().stateDict()].slice(1)), { strict: false }),
  ),
  advice(
    "build the same model as the one that was saved, or give the tensors of the state the model's names",
    () => net().loadStateDict({ quite: tensor([1]), other: tensor([2]) }, { strict: false }),
    () => net().loadStateDict(net().stateDict()),
    () => {
      const names = [...net().stateDict().keys()];
      net().loadStateDict(new Map([...net().stateDict().values()].map((value, n) => [names[n] as string, value])));
    },
  ),
  advice(
    "build the model with the shapes of the one that was saved, or delete these names from the state and pass { strict: false }",
    () => linear(2, 3).loadStateDict(linear(2, 4).stateDict()),
    () => linear(2, 4).loadStateDict(linear(2, 4).stateDict()),
    () => {
      const state = new Map([...linear(2, 4).stateDict(), ["bias", zeros([3])]] as never) as Map<string, Tensor>;
      state.delete("weight");
      linear(2, 3).loadStateDict(state, { strict: false });
    },
  ),
  advice(
    'is "wieght" meant to be "weight"?',
    () => linear(2, 3).loadStateDict({ wieght: zeros([3, 2]), bias: zeros([3]) }),
    () => linear(2, 3).loadStateDict({ weight: zeros([3, 2]), bias: zeros([3]) }),
  ),
  advice(
    "(await loadSafetensors(path)).tensors, or net.stateDict()",
    () => net().loadStateDict("weights.safetensors" as never),
    () =>
      inFolder(async (path) => {
        await saveSafetensors(path("w"), net().stateDict());
        net().loadStateDict((await loadSafetensors(path("w"))).tensors);
      }),
    () => net().loadStateDict(net().stateDict()),
  ),
  advice(
    "tensor([…]), or { shape, data: new Float32Array(…) }",
    () => linear(2, 1).loadStateDict({ weight: [[1, 2]], bias: [0] } as never),
    () => linear(2, 1).loadStateDict({ weight: tensor([[1, 2]]), bias: tensor([0]) }),
    () =>
      linear(2, 1).loadStateDict({ weight: { shape: [1, 2], data: new Float32Array(2) }, bias: { shape: [1], data: new Float32Array(1) } }),
    () => serializeSafetensors({ weight: tensor([[1, 2]]), bias: { shape: [1], data: new Float32Array(1) } }),
  ),
  // Losses of numbers.
  advice(
    "reshape one of them: target.reshape([3, 1])",
    () => meanSquaredError(zeros([3, 1]), zeros([3])),
    () => meanSquaredError(zeros([3, 1]), zeros([3]).reshape([3, 1])),
  ),
  advice(
    "crossEntropy, if the targets are class numbers and the 2 predictions are one for each class",
    () => meanSquaredError(scores(), zeros([3])),
    () => crossEntropy(scores(), zeros([3])),
  ),
  advice(
    'reductions: "mean", "sum", "none"',
    () => meanSquaredError(x(), x(), { reduction: "average" as never }),
    () => (["mean", "sum", "none"] as const).map((reduction) => meanSquaredError(x(), x(), { reduction })),
  ),
  advice(
    'reductions: "batchMean", "mean", "sum", "none"',
    () => klDivergence(x(), x(), { reduction: "average" as never }),
    () => (["batchMean", "mean", "sum", "none"] as const).map((reduction) => klDivergence(x(), x(), { reduction })),
  ),
  advice(
    "logTarget: true for log-probabilities",
    () => klDivergence(tensor([[-1, -2]]), tensor([[-1, -2]])),
    () => klDivergence(tensor([[-1, -2]]), tensor([[-1, -2]]), { logTarget: true }),
  ),
  advice(
    "logInput: true where the model gives the logarithm",
    () => poissonNegativeLogLikelihood(tensor([-1]), tensor([2]), { logInput: false }),
    () => poissonNegativeLogLikelihood(tensor([-1]), tensor([2]), { logInput: true }),
  ),
  advice(
    "let the model give the logarithm and take exp, or use softplus",
    () => gaussianNegativeLogLikelihood(tensor([0]), tensor([1]), tensor([-1])),
    () => gaussianNegativeLogLikelihood(tensor([0]), tensor([1]), exp(tensor([-1]))),
    () => gaussianNegativeLogLikelihood(tensor([0]), tensor([1]), kasane.softplus(tensor([-1]))),
  ),
  advice(
    "target.mul(2).sub(1) for 0 and 1, or binaryCrossEntropyLogits",
    () => hingeLoss(tensor([1, 2]), tensor([0, 1])),
    () => hingeLoss(tensor([1, 2]), tensor([0, 1]).mul(2).sub(1)),
    () => binaryCrossEntropyLogits(tensor([1, 2]), tensor([0, 1])),
  ),
  advice(
    "target.mul(2).sub(1) for 0 and 1",
    () => cosineEmbeddingLoss(x(2), x(2), tensor([0, 1])),
    () => cosineEmbeddingLoss(x(2), x(2), tensor([0, 1]).mul(2).sub(1)),
  ),
  advice(
    "target.add(1).div(2) for −1 and 1",
    () => contrastiveLoss(x(2), x(2), tensor([-1, 1])),
    () => contrastiveLoss(x(2), x(2), tensor([-1, 1]).add(1).div(2)),
  ),
  // Losses of classes.
  advice(
    "for outputs without sigmoid use binaryCrossEntropyLogits",
    () => binaryCrossEntropy(tensor([3]), tensor([1])),
    () => binaryCrossEntropyLogits(tensor([3]), tensor([1])),
  ),
  advice(
    "target.sub(1) for labels 1 and 2, hingeLoss for −1 and 1, crossEntropy for the numbers of more classes",
    () => binaryCrossEntropyLogits(tensor([3, 1]), tensor([1, 2])),
    () => binaryCrossEntropyLogits(tensor([3, 1]), tensor([1, 2]).sub(1)),
    () => hingeLoss(tensor([3, 1]), tensor([-1, 1])),
    () => crossEntropy(zeros([2, 3]), tensor([1, 2])),
  ),
  advice(
    "target.reshape([3])",
    () => crossEntropy(scores(), labels().reshape([3, 1])),
    () => crossEntropy(scores(), labels().reshape([3, 1]).reshape([3])),
  ),
  advice(
    CLASSES,
    () => crossEntropy(scores(), ids(1, 2, 1)),
    () => crossEntropy(scores(), ids(1, 2, 1).sub(1)),
    () => crossEntropy(zeros([3, 3]), ids(1, 2, 1)),
  ),
  advice(
    "for class numbers a target of shape [3]",
    () => crossEntropy(scores(), scores()),
    () => crossEntropy(scores(), ids(0, 1, 1)),
  ),
  advice(
    "binaryCrossEntropyLogits, if none or several may be right at once",
    () => crossEntropy(scores(), kasane.ones([3, 2])),
    () => binaryCrossEntropyLogits(scores(), kasane.ones([3, 2])),
  ),
  advice(
    "crossEntropy for outputs without softmax and logarithm, or logSoftmax",
    () => negativeLogLikelihood(kasane.softmax(trained(scores())), labels()),
    () => crossEntropy(trained(scores()), labels()),
    () => negativeLogLikelihood(kasane.logSoftmax(trained(scores())), labels()),
  ),
  advice(
    "logSoftmax",
    () => klDivergence(kasane.softmax(trained(scores())), scores()),
    () => klDivergence(kasane.logSoftmax(trained(scores())), scores()),
  ),
  advice(
    classesFor("binaryCrossEntropyLogits"),
    () => crossEntropy(one(), ids(0, 0)),
    () => binaryCrossEntropyLogits(one(), tensor([[0], [1]])),
    () => crossEntropy(call(linear(2, 2), x(2)), ids(0, 0)),
  ),
  advice(
    classesFor("binaryCrossEntropy"),
    () => negativeLogLikelihood(one(), ids(0, 0)),
    () => binaryCrossEntropy(kasane.sigmoid(one()), tensor([[0], [1]])),
    () => negativeLogLikelihood(kasane.logSoftmax(call(linear(2, 2), x(2))), ids(0, 0)),
  ),
  advice(
    classesFor("hingeLoss"),
    () => multiClassHingeLoss(one(), ids(0, 0)),
    () => hingeLoss(one(), tensor([[-1], [1]])),
    () => multiClassHingeLoss(call(linear(2, 2), x(2)), ids(0, 0)),
  ),
];

function relu6Maker(): unknown {
  return relu;
}
