// Advice of optimizers.

import { compile, tensor } from "../../src/index.ts";
import { crossEntropy, type Layer, linear, relu } from "../../src/nn/index.ts";
import {
  adam,
  adamW,
  amsGrad,
  averageWeights,
  clipGradientNorm,
  clipGradientValue,
  lion,
  muon,
  type Optimizer,
  parameterGroups,
  sgd,
} from "../../src/optim/index.ts";
import { type Advice, advice } from "./advice.ts";
import { labels, net, x } from "./models.ts";

/** One step of a model, its gradients computed inside a compiled function. */
function step(where: "apart" | "inside" | "outside"): void {
  const model = net();
  const optimizer = sgd(model.parameters(), { learningRate: 0.1 });
  const loss = () => crossEntropy(model(x()) as never, labels());
  if (where === "outside") loss().backward();
  else
    compile(() => {
      loss().backward();
      if (where === "inside") optimizer.step();
    })();
  if (where !== "inside") optimizer.step();
}

const withMomentum = (optimizer: Optimizer): void => {
  optimizer.momentum = 0.8;
};

export const optimAdvice: readonly Advice[] = [
  advice(
    "adam(net.parameters(), { learningRate: 0.01 })",
    () => adam(net() as never),
    () => adam(net().parameters(), { learningRate: 0.01 }),
  ),
  advice(
    "sgd(net.parameters(), { learningRate: 0.01 })",
    () => sgd(net().parameters(), {} as never),
    () => sgd(net().parameters(), { learningRate: 0.01 }),
  ),
  advice(
    "adamW(net.parameters(), { learningRate: 0.01 })",
    () => adamW([net() as never]),
    () => adamW(net().parameters(), { learningRate: 0.01 }),
  ),
  advice(
    "pass net.parameters() of a layer that has weights",
    () => adam((relu as unknown as Layer).parameters?.() ?? []),
    () => adam(linear(2, 3).parameters()),
  ),
  advice(
    "each parameter to one optimizer and one group; net.namedParameters() gives names that are apart",
    () => adam([...net().parameters(), ...net().parameters().slice(0, 0), ...twice()]),
    () => adam(net().namedParameters()),
    () => adam([...new Set(twice())]),
  ),
  advice(
    "averageWeights(net.namedParameters())",
    () => averageWeights(net().parameters() as never),
    () => averageWeights(net().namedParameters()),
  ),
  advice(
    "names: 0.weight, 0.bias, 2.weight, 2.bias",
    () => parameterGroups(net().namedParameters(), [{ match: /^norm/, weightDecay: 0 }]),
    () =>
      ["0.weight", "0.bias", "2.weight", "2.bias"].map((name) => parameterGroups(net().namedParameters(), [{ match: new RegExp(name) }])),
  ),
  advice(
    "clipGradientNorm(net.parameters(), 1)",
    () => clipGradientNorm(net() as never, 1),
    () => clipGradientNorm(net().parameters(), 1),
  ),
  advice(
    "clipGradientValue(net.parameters(), 1)",
    () => clipGradientValue(net() as never, 1),
    () => clipGradientValue(net().parameters(), 1),
  ),
  advice(
    "give biases and norms to adamW, matrices to muon",
    () => {
      const model = net();
      crossEntropy(model(x()) as never, labels()).backward();
      muon(model.parameters()).step();
    },
    () => {
      const model = net();
      crossEntropy(model(x()) as never, labels()).backward();
      const all = model.parameters();
      adamW(all.filter(({ shape }) => shape.length < 2)).step();
      muon(all.filter(({ shape }) => shape.length > 1)).step();
    },
  ),
  advice(
    "call step() in that function, or backward() outside of it",
    () => step("apart"),
    () => step("inside"),
    () => step("outside"),
  ),
  advice(
    "sgd with a momentum, adam, adamW or amsGrad",
    () => withMomentum(lion(net().parameters())),
    () => withMomentum(sgd(net().parameters(), { learningRate: 0.1, momentum: 0.9 })),
    () => withMomentum(adam(net().parameters())),
    () => withMomentum(adamW(net().parameters())),
    () => withMomentum(amsGrad(net().parameters())),
  ),
  advice(
    "pass the parameters of the same model, named the same way",
    () => adam(net().parameters()).loadStateDict(adam(net().namedParameters()).stateDict()),
    () => adam(net().namedParameters()).loadStateDict(adam(net().namedParameters()).stateDict()),
  ),
  // Options of everything.
  advice(
    "{ learningRate: … }; options: …",
    () => sgd(net().parameters(), 0.1 as never),
    () => sgd(net().parameters(), { learningRate: 0.1 }),
  ),
  advice(
    "did you mean momentum?",
    () => sgd(net().parameters(), { momentun: 0.9 } as never),
    () => sgd(net().parameters(), { learningRate: 0.1, momentum: 0.9 }),
  ),
  advice(
    "options: dtype, requiresGrad",
    () => tensor([1], { quite: 1 } as never),
    () => tensor([1], { dtype: "int32", requiresGrad: false }),
  ),
];

function twice() {
  const own = linear(2, 3).parameters();
  return [...own, ...own];
}
