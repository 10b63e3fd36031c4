// Explanations of recorded runs: the textbook's network line by line, eager and compiled on every backend.

import { afterAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend, setBackend } from "../../../src/backends/choose.ts";
import {
  elementText,
  explainElement,
  explainTree,
  explanationTreeText,
  type RecordedTensor,
  type Recording,
  record,
  replay,
} from "../../../src/inspect/index.ts";
import { crossEntropy, linear, meanSquaredError, relu, sequential, sigmoid } from "../../../src/nn/index.ts";
import { adam, sgd } from "../../../src/optim/index.ts";
import { compile, conv, maxPool, type Tensor, tensor } from "../../../src/tensor/index.ts";

const before = getBackend().name;
afterAll(() => setBackend(before));

/** The textbook's 3-2-1 network, one step of gradient descent. */
function textbook(activation: "relu" | "sigmoid", compiled: boolean): Recording<Tensor> {
  const net = sequential(
    linear(3, 2, { bias: false }),
    activation === "relu" ? relu : sigmoid,
    linear(2, 1, { bias: false }),
    ...(activation === "relu" ? [] : [sigmoid]),
  );
  net.loadStateDict({ "0.weight": tensor([[3, 1, 2], [-2, -3, -1]]), "2.weight": tensor([[3, 2]]) } as never); // biome-ignore format: a matrix
  const optimizer = sgd(net.parameters(), { learningRate: 0.5 });
  const plain = (x: Tensor, t: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = meanSquaredError(net(x as Tensor<[1, 3]>) as Tensor, t);
    loss.backward();
    optimizer.step();
    return loss;
  };
  const step = compiled ? compile(plain) : plain;
  return record(() => step(tensor([[2, 3, 1]]), tensor([[20]])), net);
}

const update = (run: Recording, name: string) => {
  const found = run.updates.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no update of ${name}`);
  return found.after;
};

const FORWARD = `y[0, 0] of mean = 169 = 169 / 1
  y[0, 0] of squaredError = 169 = (33 - 20)^2
    y[0, 0] of 2 (linear) = 33 = 11·3 + 0·2
      y[0, 0] of 1 (relu) = 11 = max(11, 0)
        y[0, 0] of 0 (linear) = 11 = 2·3 + 3·1 + 1·2
          x[0, 0] = 2, data
          0.weight[0, 0] = 3, a parameter
          x[0, 1] = 3, data
          0.weight[0, 1] = 1, a parameter
          x[0, 2] = 1, data
          0.weight[0, 2] = 2, a parameter
      2.weight[0, 0] = 3, a parameter
      y[0, 1] of 1 (relu) = 0 = max(-14, 0)
        y[0, 1] of 0 (linear) = -14 = 2·(-2) + 3·(-3) + 1·(-1)
          x[0, 1] = 3, data
          0.weight[1, 1] = -3, a parameter
          x[0, 0] = 2, data
          0.weight[1, 0] = -2, a parameter
          x[0, 2] = 1, data
          0.weight[1, 2] = -1, a parameter
      2.weight[0, 1] = 2, a parameter
    t[0, 0] = 20, data`;

const gradientOf = (run: Recording, name: string): RecordedTensor => {
  const gradient = run.tensors.find((candidate) => candidate.name === name && candidate.origin === "parameter")?.gradient;
  if (gradient === undefined) throw new Error(`no gradient of ${name}`);
  return gradient;
};

const BACKWARD = `∂L/∂2.weight[0, 1] = ∂L/∂y[0, 0] · x[0, 1] = (-1.721) × 8.315e-7 = -1.431e-6
  ∂L/∂(y of 2 (linear))[0, 0] = ∂L/∂y[0, 0] · y[0, 0]·(1 - y[0, 0])
      = (-38.09) × 0.9526·(1 - 0.952572) = (-38.09) × 0.04518 = -1.721
    ∂L/∂(y of 3 (sigmoid))[0, 0] = ∂L/∂y[0, 0] · 2·(x[0, 0] - t[0, 0])
        = 1 × 2·(0.9526 - 20) = 1 × (-38.09) = -38.09
      ∂L/∂(y of squaredError)[0, 0] = ∂L/∂y[0, 0] · 1 / 1
          = 1 × 1 / 1 = 1 × 1 = 1
        ∂L/∂(y of mean)[0, 0] = 1, where the backward pass begins`;

describe.each(availableBackends())("on %s", (backend) => {
  describe.each([false, true])("compiled: %s", (compiled) => {
    it("explains the textbook's network with ReLU from the loss to the data", () => {
      setBackend(backend);
      const run = textbook("relu", compiled);
      expect(explanationTreeText(explainTree(run.tensorOf(run.result), [], { depth: 9, breadth: 9 }))).toBe(FORWARD);
    });

    it("explains gradients by the chain rule, with the textbook's numbers", () => {
      setBackend(backend);
      const run = textbook("sigmoid", compiled);
      const gradients = (name: string): number[] => {
        const parameter = run.tensors.find((candidate) => candidate.name === name && candidate.origin === "parameter");
        return Array.from(parameter?.gradient?.data ?? []);
      };
      [-1.72463398e-4, -2.58695098e-4, -8.62316992e-5, -5.7244797e-6, -8.58671954e-6, -2.86223985e-6].forEach((wanted, n) => {
        // The textbook's loss is half of ours less t = 20: the gradients of its squared error are these times a factor of the target.
        expect((gradients("0.weight")[n] as number) / (gradients("0.weight")[0] as number)).toBeCloseTo(wanted / -1.72463398e-4, 4);
      });
      const line = (name: string, at: readonly number[]): string[] => {
        const parameter = run.tensors.find((candidate) => candidate.name === name && candidate.origin === "parameter");
        if (parameter?.gradient === undefined) throw new Error("no gradient");
        return elementText(explainElement(parameter.gradient, at));
      };
      expect(line("2.weight", [0, 0])).toEqual(["∂L/∂2.weight[0, 0] = ∂L/∂y[0, 0] · x[0, 0] = (-1.721) × 1 = -1.721"]);
      expect(line("0.weight", [0, 1])[0]).toMatch(
        /^∂L\/∂0\.weight\[0, 1\] = ∂L\/∂y\[0, 0\] · x\[0, 1\] = \(-8\.6\d+e-5\) × 3 = -0\.000258\d*$/,
      );
    });

    it("has every digit that the textbook prints, in double precision", () => {
      setBackend(backend);
      const run = textbook("sigmoid", compiled);
      const wanted = {
        "0.weight": ["-1.72463398e-4", "-2.58695098e-4", "-8.62316992e-5", "-5.72447970e-6", "-8.58671954e-6", "-2.86223985e-6"],
        "2.weight": ["-1.72104507e+0", "-1.43112111e-6"],
      };
      for (const [name, digits] of Object.entries(wanted)) {
        const gradient = gradientOf(run, name);
        const exact = replay(run, [gradient], { double: true })(gradient);
        expect(Array.from(exact, (value) => value.toExponential(8))).toEqual(digits);
      }
    });

    it("takes gradients apart into upstream × local, down to the loss", () => {
      setBackend(backend);
      const run = textbook("sigmoid", compiled);
      const tree = explainTree(gradientOf(run, "2.weight"), [0, 1], { depth: 9, breadth: 1 });
      expect(explanationTreeText(tree)).toBe(BACKWARD);
    });

    it("says why a unit passes a gradient on, or does not", () => {
      setBackend(backend);
      const run = textbook("relu", compiled);
      const of = (path: string) => run.calls.find((call) => call.path === path)?.outputs[0]?.gradient as RecordedTensor;
      const text = (tensor: RecordedTensor, at: readonly number[]) => elementText(explainElement(tensor, at)).join("\n");
      expect(text(of("0"), [0, 0])).toBe(
        "∂L/∂(y of 0 (linear))[0, 0] = ∂L/∂y[0, 0] · (1 because y[0, 0] > 0) = 78 × (1 because 11 > 0) = 78 × 1 = 78",
      );
      // No element of the upstream gradient reaches it: the formula says why.
      expect(text(of("0"), [0, 1])).toBe("∂L/∂(y of 0 (linear))[0, 1] = 0 = 0 because 0 <= 0");
    });

    it("shows what a cancellation leaves", () => {
      setBackend(backend);
      const run = textbook("sigmoid", compiled);
      const hidden = run.calls.find(({ path }) => path === "0")?.outputs[0]?.gradient;
      if (hidden === undefined) throw new Error("no gradient");
      // A sigmoid of 11 is not 1, or its gradient would be 0.
      expect(elementText(explainElement(hidden, [0, 0]))[0]).toMatch(
        /^∂L\/∂\(y of 0 \(linear\)\)\[0, 0\] = ∂L\/∂y\[0, 0\] · y\[0, 0\]·\(1 - y\[0, 0\]\) = .*\(1 - 0\.99998\d+\) = \(-5\.163\) × 1\.669e-5 = -8\.617e-5$/,
      );
    });

    it("explains the update", () => {
      setBackend(backend);
      const run = textbook("relu", compiled);
      expect(explanationTreeText(explainTree(update(run, "2.weight"), [0, 0], { depth: 2 }))).toBe(
        `new 2.weight[0, 0] = -140 = 3 - 0.5·286
  ∂L/∂2.weight[0, 0] = ∂L/∂y[0, 0] · x[0, 0] = 26 × 11 = 286
    ∂L/∂(y of 2 (linear))[0, 0] = ∂L/∂y[0, 0] · 2·(x[0, 0] - t[0, 0])
        = 1 × 2·(33 - 20) = 1 × 26 = 26
    y[0, 0] of 1 (relu) = 11 = max(11, 0)
  2.weight[0, 0] = 3, a parameter`,
      );
    });
  });
});

describe("golden transcripts", () => {
  it("a convolution window: channel sums −2, 0, 1 and bias 1 make 0", () => {
    // One window of 3×3×3 whose products with the kernel sum to −2, 0 and 1 by channel.
    const x = tensor([[[[1, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 0], [0, 0, 1]], [[0, 0, 1], [0, 0, 0], [0, 0, 0]]]]); // biome-ignore format: an image
    const w = tensor([[[[-1, 0, 0], [0, -1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 0], [0, 0, -1]], [[0, 0, 1], [0, 0, 0], [0, 0, 0]]]]); // biome-ignore format: a kernel
    const run = record(() => conv(x, w, tensor([1])));
    const element = explainElement(run.tensorOf(run.result as Tensor), [0, 0, 0, 0], { terms: 27 });
    const byChannel = explainElement(run.tensorOf(run.result as Tensor), [0, 0, 0, 0], { group: "c" });
    expect(elementText(byChannel)).toEqual(["y[0, 0, 0, 0] of conv2d = 0 = -2 [c=0] + 0 [c=1] + 1 [c=2] + 1"]);
    expect(element.value).toBe(0);
    expect(elementText(element)).toMatchInlineSnapshot(`
      [
        "y[0, 0, 0, 0] of conv2d = 0 = 1·(-1) + 0·0 + 0·0 + 0·0 + 1·(-1) + 0·0 + 0·0 + 0·0 + 0·0 + 1·1 + 0·0 + 0·0 + 0·0 + 0·0 + 0·0 + 0·0 + 0·0 + 1·(-1) + 0·0 + 0·0 + 1·1 + 0·0 + 0·0 + 0·0 + 0·0 + 0·0 + 0·0 + 1",
      ]
    `);
  });

  it("a pooling window", () => {
    const run = record(() => maxPool(tensor([[[[1, 3], [5, 4]]]]), 2)); // biome-ignore format: an image
    expect(elementText(explainElement(run.tensorOf(run.result as Tensor), [0, 0, 0, 0]))).toMatchInlineSnapshot(`
      [
        "y[0, 0, 0, 0] of maxPool2d = 5 = max(1, 3, 5, 4)",
      ]
    `);
  });

  it("softmax with cross entropy, and its gradient", () => {
    const x = tensor([[2, 1, 0.1]], { requiresGrad: true });
    const run = record(() => {
      const loss = crossEntropy(x, tensor(Int32Array.from([0]), [1]));
      loss.backward();
      return loss;
    });
    expect(explanationTreeText(explainTree(run.tensorOf(run.result), []))).toMatchInlineSnapshot(`
      "y[0] of mean = 0.417 = 0.417 / 1
        y[0] of crossEntropy = 0.417 = log(1.517) + 2 - 2
          m[0] = 2 = max(2, 1, 0.1)
          s[0] = 1.517 = exp(2 - 2) + exp(1 - 2) + exp(0.1 - 2)
          x[0, 0] = 2, a parameter
          x[0, 1] = 1, a parameter
          x[0, 2] = 0.1, a parameter"
    `);
    const { gradient } = run.tensorOf(x);
    if (gradient === undefined) throw new Error("no gradient");
    expect(explanationTreeText(explainTree(gradient, [0, 0], { depth: 2 }))).toMatchInlineSnapshot(`
      "∂L/∂x[0, 0] = ∂L/∂y[0] · (exp(x[0, 0] - m[0]) / s[0] - (1 because t[0] == 0))
          = 1 × (exp(2 - 2) / 1.517 - (1 because 0 == 0)) = 1 × (-0.341) = -0.341
        m[0] = 2 = max(2, 1, 0.1)
        s[0] = 1.517 = exp(2 - 2) + exp(1 - 2) + exp(0.1 - 2)
        ∂L/∂(y of crossEntropy)[0] = ∂L/∂y[0] · 1 / 1 = 1 × 1 / 1 = 1 × 1 = 1
          ∂L/∂(y of mean)[0] = 1, where the backward pass begins
        x[0, 0] = 2, a parameter
        x[0, 1] = 1, a parameter"
    `);
  });

  it("a gradient that comes back from several outputs", () => {
    const upstream = (outputs: number): string => {
      const x = tensor([[1, 2]], { requiresGrad: true });
      const w = tensor(
        Float32Array.from({ length: 2 * outputs }, (_, n) => n + 1),
        [outputs, 2],
      );
      const net = linear(2, outputs, { bias: false });
      net.loadStateDict({ weight: w } as never);
      const run = record(() => (net(x as Tensor<[1, 2]>) as Tensor).square().sum().backward(), net);
      return elementText(explainElement(run.tensorOf(x).gradient as RecordedTensor, [0, 1]), 4, 80).join("\n");
    };
    expect(upstream(2)).toMatchInlineSnapshot(`
      "∂L/∂x[0, 1] = ∂L/∂y[0, 1] · weight[1, 1] + ∂L/∂y[0, 0] · weight[0, 1]
          = 22 × 4 + 10 × 2 = 108"
    `);
    expect(upstream(9)).toMatchInlineSnapshot(`
      "∂L/∂x[0, 1] = 6660, the sum of
          ∂L/∂y[0, 8] · weight[8, 1] = 106 × 18 = 1908
          ∂L/∂y[0, 7] · weight[7, 1] = 94 × 16 = 1504
          ∂L/∂y[0, 6] · weight[6, 1] = 82 × 14 = 1148
          ∂L/∂y[0, 5] · weight[5, 1] = 70 × 12 = 840
          ∂L/∂y[0, 4] · weight[4, 1] = 58 × 10 = 580
          ∂L/∂y[0, 3] · weight[3, 1] = 46 × 8 = 368
          ∂L/∂y[0, 2] · weight[2, 1] = 34 × 6 = 204
          ∂L/∂y[0, 1] · weight[1, 1] = 22 × 4 = 88
          … 1 more, together 20"
    `);
  });

  it("one step of Adam", () => {
    const w = tensor([0.5], { requiresGrad: true });
    const optimizer = adam([w], { learningRate: 0.1 });
    const run = record(() => {
      w.mul(2).sum().backward();
      optimizer.step();
    });
    const after = run.updates.at(-1)?.after;
    if (after === undefined) throw new Error("no update");
    expect(explanationTreeText(explainTree(after, [0], { depth: 2 }))).toMatchInlineSnapshot(`
      "new a[0] = 0.4 = 0.5·(1 - 0.1·0) - 0.1·sqrt(0.001) / 0.1·0.2
          / (sqrt(0.004) + 1e-8·sqrt(0.001))
        a[0] = 0.5, a parameter
        new m[0] = 0.2 = 0.9·0 + 0.1·(2 + 0·0.5)
          ∂L/∂a[0] = ∂L/∂y[0] · b = 1 × 2 = 2
          m[0] = 0, data
          a[0] = 0.5, a parameter
        new s[0] = 0.004 = 0.999·0 + 0.001·(2 + 0·0.5)^2
          ∂L/∂a[0] = ∂L/∂y[0] · b = 1 × 2 = 2
          a[0] = 0.5, a parameter
          s[0] = 0, data"
    `);
  });
});

describe("record", () => {
  it("follows a parameter through its updates", () => {
    const w = tensor([1], { requiresGrad: true });
    const optimizer = sgd([w], { learningRate: 0.1 });
    const step = compile(() => {
      optimizer.zeroGrad();
      w.square().sum().backward();
      optimizer.step();
    });
    const run = record(() => {
      step();
      step();
    });
    expect(run.updates.map(({ before, after }) => [before.data[0], after.data[0]].map((value) => value?.toFixed(3)))).toEqual([
      ["1.000", "0.800"],
      ["0.800", "0.640"],
    ]);
    expect(run.updates[1]?.before).toBe(run.updates[0]?.after);
  });

  it("says where: layer, line and pass", () => {
    const run = textbook("relu", true);
    const first = run.ops[0];
    expect(first).toMatchObject({ path: "0", pass: "forward" });
    expect(first?.site).toContain("explain.test.ts");
    expect([...new Set(run.ops.map(({ pass }) => pass))]).toEqual(["forward", "backward", "update"]);
    const backward = run.ops.find(({ op }) => op.name === "gradient of linear by x");
    expect(backward?.of).toBe(run.ops.find(({ path }) => path === "2"));
    expect(run.calls.map(({ path, kind }) => `${path} ${kind}`)).toEqual(["0 linear", "1 relu", "2 linear", " sequential"]);
  });

  it("refuses elements and tensors that are not there", () => {
    const run = textbook("relu", false);
    expect(() => explainElement(run.tensorOf(run.result), [1])).toThrow("there is no element [1]");
    expect(() => run.tensorOf(tensor([1, 2, 3]))).toThrow("took no part");
  });
});
