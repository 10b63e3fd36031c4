// Explanations of recorded runs as TeX, MathML and JSON: whole trees of many kinds of networks are well formed, the textbook's read as printed.

import { afterAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend, setBackend } from "../../../src/backends/choose.ts";
import {
  elementMathml,
  elementTex,
  explainElement,
  explainTree,
  explanationTreeJson,
  explanationTreeMathml,
  explanationTreeTex,
  type RecordedTensor,
  type Recording,
  record,
} from "../../../src/inspect/index.ts";
import {
  batchNorm,
  conv2d,
  crossEntropy,
  flatten,
  linear,
  maxPool2d,
  meanSquaredError,
  relu,
  sequential,
  sigmoid,
} from "../../../src/nn/index.ts";
import { adam } from "../../../src/optim/index.ts";
import { compile, manualSeed, normal, type Tensor, tensor } from "../../../src/tensor/index.ts";
import { expectMathml, expectTex } from "../../formula/markup.ts";

const before = getBackend().name;
afterAll(() => setBackend(before));

function textbook(compiled: boolean): Recording<Tensor> {
  const net = sequential(linear(3, 2, { bias: false }), sigmoid, linear(2, 1, { bias: false }));
  net.loadStateDict({ "0.weight": tensor([[3, 1, 2], [-2, -3, -1]]), "2.weight": tensor([[3, 2]]) } as never); // biome-ignore format: a matrix
  const plain = (x: Tensor, t: Tensor): Tensor => {
    net.zeroGrad();
    const loss = meanSquaredError(net(x as Tensor<[1, 3]>) as Tensor, t);
    loss.backward();
    return loss;
  };
  const step = compiled ? compile(plain) : plain;
  return record(() => step(tensor([[2, 3, 1]]), tensor([[20]])), net);
}

/** Convolutions, statistics, maxima, a loss that picks classes, and an update with state. */
function convolutional(): Recording<Tensor> {
  manualSeed(5);
  const net = sequential(conv2d(1, 3, 3), batchNorm(3), relu, maxPool2d(2), flatten(), linear(12, 4));
  const optimizer = adam(net.parameters());
  return record(() => {
    const loss = crossEntropy(net(normal([4, 1, 6, 6])) as Tensor, tensor(Int32Array.from([0, 1, 2, 3]), [4]));
    loss.backward();
    optimizer.step();
    return loss;
  }, net);
}

const gradient = (run: Recording, name: string): RecordedTensor =>
  run.tensors.find((candidate) => candidate.name === name && candidate.origin === "parameter")?.gradient as RecordedTensor;

describe.each(availableBackends())("on %s", (backend) => {
  it.each([false, true])("the textbook's gradient reads as printed (compiled: %s)", (compiled) => {
    setBackend(backend);
    const tree = explainTree(gradient(textbook(compiled), "2.weight"), [0, 1], { depth: 2, breadth: 2 });
    const [tex, mathml] = [explanationTreeTex(tree), explanationTreeMathml(tree)];
    expectTex(tex);
    expectMathml(mathml);
    expect(tex).toMatchInlineSnapshot(`
      "\\begin{aligned}
         & \\frac{\\partial L}{\\partial \\mathit{2.weight}_{0,\\, 1}} = \\frac{\\partial L}{\\partial y_{0,\\, 0}} \\cdot x_{0,\\, 1} \\\\
         & \\quad\\quad = \\left( -34 \\right) \\times 8.315 \\times 10^{-7} \\\\
         & \\quad\\quad = -2.827 \\times 10^{-5} \\\\
         & \\quad \\frac{\\partial L}{\\partial y_{0,\\, 0} \\ \\text{of 2 (linear)}\\ } = \\frac{\\partial L}{\\partial y_{0,\\, 0}} \\cdot 2 \\cdot \\left( x_{0,\\, 0} - t_{0,\\, 0} \\right) \\\\
         & \\quad \\quad\\quad = 1 \\times 2 \\cdot \\left( 3 - 20 \\right) \\\\
         & \\quad \\quad\\quad = 1 \\times \\left( -34 \\right) \\\\
         & \\quad \\quad\\quad = -34 \\\\
         & \\quad\\quad \\frac{\\partial L}{\\partial y_{0,\\, 0} \\ \\text{of squaredError}\\ } = \\frac{\\partial L}{\\partial y_{0,\\, 0}} \\cdot \\frac{1}{1} \\\\
         & \\quad\\quad \\quad\\quad = 1 \\times \\frac{1}{1} \\\\
         & \\quad\\quad \\quad\\quad = 1 \\times 1 \\\\
         & \\quad\\quad \\quad\\quad = 1 \\\\
         & \\quad\\quad t_{0,\\, 0} = 20 \\ \\text{, data}\\  \\\\
         & \\quad y_{0,\\, 1} \\ \\text{of 1 (sigmoid)}\\  = 8.315 \\times 10^{-7} = \\frac{1}{1 + \\exp\\left( -\\left( -14 \\right) \\right)} \\\\
         & \\quad\\quad y_{0,\\, 1} \\ \\text{of 0 (linear)}\\  = -14 = 2 \\cdot \\left( -2 \\right) + 3 \\cdot \\left( -3 \\right) + 1 \\cdot \\left( -1 \\right)
      \\end{aligned}"
    `);
    expect(mathml).toContain(
      '<mtd style="text-align: left"><mrow><mspace width="1em"></mspace><mrow><mfrac><mrow><mo>∂</mo><mi>L</mi></mrow>',
    );
  });
});

describe("well-formed markup", () => {
  it("of every tensor of a network's training step, and of all it rests on", () => {
    const run = convolutional();
    let rows = 0;
    for (const tensor of run.tensors) {
      const position = tensor.shape.map((extent) => extent - 1);
      const element = explainElement(tensor, position);
      expectTex(elementTex(element));
      expectMathml(elementMathml(element));
      if (tensor.id % 7 !== 0) continue;
      const tree = explainTree(tensor, position, { depth: 6, breadth: 2 });
      const tex = explanationTreeTex(tree);
      expectTex(tex);
      expectMathml(explanationTreeMathml(tree));
      rows += tex.split("\n").length;
      const json = JSON.stringify(explanationTreeJson(tree));
      expect(JSON.parse(json)).toMatchObject({ name: tree.name, because: tree.because.map(({ name }) => ({ name })) });
      expect(json).not.toContain("null");
    }
    expect(rows).toBeGreaterThan(100);
  });

  it("of what is not a number, of negative zeros and of names with marks", () => {
    const run = record(() => tensor([Number.NaN, Number.NEGATIVE_INFINITY, -0, 1], { requiresGrad: true }).mul(-0));
    const output = run.tensorOf(run.result);
    for (const at of [0, 1, 2, 3]) {
      const element = explainElement(output, [at]);
      expectTex(elementTex(element));
      expectMathml(elementMathml(element));
    }
    const json = explanationTreeJson(explainTree(output, [0]));
    expect(json).toMatchObject({ value: "NaN", because: [{ value: "NaN" }] });
    expect(JSON.parse(JSON.stringify(explanationTreeJson(explainTree(output, [3]))))).toMatchObject({ value: "-0" });
    const named = { ...output, name: "a_b<&$%#{}" };
    expectTex(elementTex(explainElement(named, [3])));
    expectMathml(elementMathml(explainElement(named, [3])));
  });
});
