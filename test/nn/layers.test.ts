// How layers behave: names, modes, freezing, state, sharing, printing, errors with the layer's path.

import { describe, expect, it } from "vitest";
import { callSite, manualSeed, parameter, type TapeNode, type Tensor, tensor, uniform, zeros } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { messageOf } from "../tensor/support.ts";

const { batchNorm, conv2d, dropout, embedding, flatten, layer, layerNorm, linear, maxPool2d, relu, sequential, summary } = nn;

describe("names", () => {
  it("come from the keys of a custom layer and the places in a sequential", () => {
    const conv1 = conv2d(1, 2, 3, { padding: 1 });
    const block = layer({ conv1, head: sequential({ flat: flatten(), fc1: linear(32, 3) }) }, (x) => conv1(x));
    expect([...block.namedParameters().keys()]).toEqual(["conv1.weight", "conv1.bias", "head.fc1.weight", "head.fc1.bias"]);
    expect([...sequential(linear(2, 3), relu, batchNorm(3)).namedParameters().keys()]).toEqual([
      "0.weight",
      "0.bias",
      "2.weight",
      "2.bias",
    ]);
    expect([...sequential(linear(2, 3), relu, batchNorm(3)).namedBuffers().keys()]).toEqual(["2.runningMean", "2.runningVariance"]);
    expect([...block.namedLayers().keys()]).toEqual(["", "conv1", "head", "head.flat", "head.fc1"]);
    expect(block.namedLayers().get("")).toBe(block);
    expect(block.children.get("conv1")).toBe(conv1);
  });

  it("tensors of a custom layer are parameters when they require a gradient, else buffers", () => {
    const gain = parameter(tensor([2]));
    const scale = layer({ gain, offset: tensor([1]) }, (x) => x.mul(gain));
    expect([...scale.namedParameters().keys()]).toEqual(["gain"]);
    expect([...scale.namedBuffers().keys()]).toEqual(["offset"]);
    expect(scale(tensor([3])).toArray()).toEqual([6]);
  });

  it("may not hold dots, which separate them", () => {
    expect(messageOf(() => sequential({ "a.b": relu }))).toContain('"a.b" cannot be the name of a part');
  });

  it("count a layer that is used twice once", () => {
    const shared = linear(3, 3);
    const net = sequential(shared, relu, shared);
    expect([...net.namedParameters().keys()]).toEqual(["0.weight", "0.bias"]);
    expect(net.parameters()).toHaveLength(2);
    expect(summary(net, [1, 3]).parameters).toBe(12);
    net(tensor([[1, 2, 3]]))
      .sum()
      .backward();
    expect(shared.parameters()[0]?.grad).toBeDefined();
    expect(String(net)).toContain("2: linear (shared, see above)");
  });

  it("count a weight that two layers own once", () => {
    const weight = parameter(zeros([2, 2]));
    const net = layer({ a: layer({ weight }, (x) => x), b: layer({ weight }, (x) => x) }, (x) => x);
    expect([...net.namedParameters().keys()]).toEqual(["a.weight"]);
  });
});

describe("modes", () => {
  it("reach all layers inside", () => {
    const inner = dropout(0.5);
    const net = sequential(linear(2, 2), sequential({ drop: inner }));
    expect(net.training && inner.training).toBe(true);
    expect(net.eval()).toBe(net);
    expect(net.training || inner.training).toBe(false);
    net.train();
    expect(inner.training).toBe(true);
  });

  it("dropout keeps about the share it says, scaled, and nothing changes in eval mode", () => {
    manualSeed(3);
    const x = tensor(new Float32Array(20_000).fill(1), [20_000]);
    const drop = dropout(0.2);
    const kept = [...drop(x).data].filter((value) => value !== 0);
    expect(kept.every((value) => Math.abs(value - 1.25) < 1e-6)).toBe(true);
    // Five standard deviations of a binomial count.
    expect(Math.abs(kept.length / x.size - 0.8)).toBeLessThan(5 * Math.sqrt((0.8 * 0.2) / x.size));
    expect(drop(x).toArray()).not.toEqual(drop(x).toArray());
    drop.eval();
    expect(drop(x)).toBe(x);
  });

  it("batch normalization's running statistics approach those of the data, and eval mode uses them", () => {
    manualSeed(4);
    const norm = batchNorm(2, { momentum: 0.1 });
    for (let step = 0; step < 200; step++) norm(uniform([64, 2], -1, 5));
    const [mean, variance] = [...norm.namedBuffers().values()].map((value) => [...value.data]) as [number[], number[]];
    // Uniform on [−1, 5): mean 2, variance 36 / 12 = 3.
    for (const value of mean) expect(Math.abs(value - 2)).toBeLessThan(0.3);
    for (const value of variance) expect(Math.abs(value - 3)).toBeLessThan(0.4);
    norm.eval();
    const before = norm.stateDict();
    expect(norm(tensor([[2, 2]])).data[0]).toBeCloseTo((2 - (mean[0] as number)) / Math.sqrt((variance[0] as number) + 1e-5), 5);
    expect(norm.stateDict().get("runningMean")?.toArray()).toEqual(before.get("runningMean")?.toArray());
  });

  it("batch normalization refuses one value per channel in training", () => {
    expect(messageOf(() => batchNorm(3)(zeros([1, 3])))).toMatch(
      /expected more than one value per channel in training, got shape \[1, 3\][\s\S]*eval\(\)/,
    );
  });
});

describe("freezing", () => {
  it("stops gradients of the frozen layers only", () => {
    const body = linear(2, 3);
    const head = linear(3, 1);
    const net = sequential(body, relu, head);
    body.requiresGrad(false);
    net(uniform([4, 2]))
      .sum()
      .backward();
    expect(body.parameters().map((value) => value.grad)).toEqual([undefined, undefined]);
    expect(head.parameters().every((value) => value.grad !== undefined)).toBe(true);
    expect(summary(net, [1, 2]).trainableParameters).toBe(4);
    expect(String(summary(net, [1, 2]))).toContain("9 of the parameters are frozen");
    net.zeroGrad();
    expect(head.parameters().every((value) => value.grad === undefined)).toBe(true);
    body.requiresGrad(true);
    net(uniform([4, 2], 0.5, 1))
      .sum()
      .backward();
    expect(body.parameters().every((value) => value.grad !== undefined)).toBe(true);
  });
});

describe("state", () => {
  const make = (): nn.Layer => sequential({ fc1: linear(2, 3), norm: batchNorm(3), act: relu, fc2: linear(3, 1) });

  it("makes another model compute the same, running statistics included", () => {
    const [first, second] = [make(), make()];
    first(uniform([8, 2]));
    second.loadStateDict(first.stateDict());
    const x = uniform([5, 2]);
    expect(second.eval()(x).toArray()).toEqual(first.eval()(x).toArray());
    expect([...first.stateDict().keys()]).toEqual([
      "fc1.weight",
      "fc1.bias",
      "norm.weight",
      "norm.bias",
      "fc2.weight",
      "fc2.bias",
      "norm.runningMean",
      "norm.runningVariance",
    ]);
  });

  it("is a copy, both ways", () => {
    const net = make();
    const state = net.stateDict();
    const weight = net.namedParameters().get("fc1.weight") as Tensor;
    const before = weight.toArray();
    (state.get("fc1.weight") as Tensor).assign(zeros([3, 2]));
    expect(weight.toArray()).toEqual(before);
    net.loadStateDict(state);
    expect(weight.toArray()).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    expect(weight.requiresGrad).toBe(true);
    weight.assign(
      tensor([
        [1, 1],
        [1, 1],
        [1, 1],
      ]),
    );
    expect(state.get("fc1.weight")?.toArray()).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  it("takes the entries of a file: shapes with arrays of any float type", () => {
    const net = linear(2, 1);
    net.loadStateDict({ weight: { shape: [1, 2], data: Float64Array.of(0.1, 2) }, bias: { shape: [1], data: Float32Array.of(3) } });
    expect(net.parameters()[0]?.dtype).toBe("float32");
    expect([...(net.parameters()[0]?.data ?? [])]).toEqual([Math.fround(0.1), 2]);
  });

  it("says in one sentence what is missing, unexpected and of another shape, and changes nothing then", () => {
    const net = make();
    const before = net.stateDict();
    const wrong = new Map(make().stateDict());
    wrong.delete("fc1.bias");
    wrong.set("fc1.bais", zeros([3]));
    wrong.set("fc2.weight", zeros([2, 3]));
    expect(messageOf(() => net.loadStateDict(wrong))).toBe(
      'sequential: the state does not fit: missing fc1.bias; unexpected fc1.bais; fc2.weight has shape [1, 3] here but [2, 3] there\n  try: is "fc1.bais" meant to be "fc1.bias"?',
    );
    expect(messageOf(() => net.loadStateDict(wrong, { strict: false }))).toContain("fc2.weight has shape [1, 3] here but [2, 3] there");
    for (const [name, value] of net.stateDict()) expect(value.toArray(), name).toEqual(before.get(name)?.toArray());
    wrong.delete("fc2.weight");
    net.loadStateDict(wrong, { strict: false });
    expect(net.stateDict().get("fc1.weight")?.toArray()).toEqual(wrong.get("fc1.weight")?.toArray());
  });

  it("shortens long lists", () => {
    const net = sequential(...Array.from({ length: 12 }, () => linear(1, 1)));
    expect(messageOf(() => net.loadStateDict({}))).toContain(
      "missing 0.weight, 0.bias, 1.weight, 1.bias, 2.weight, 2.bias, 3.weight, 3.bias, and 16 more",
    );
  });
});

describe("errors", () => {
  it("name the layer by its path and the line of the call", () => {
    const net: nn.Layer = sequential(sequential({ fc1: linear(3, 4) }), relu);
    const message = messageOf(() => net(zeros([2, 5])));
    expect(message).toMatch(/^linear: expected 3 input features, got 5: x is \[2, 5\] \(in 0\.fc1, .*layers\.test\.ts:\d+:\d+\)$/);
  });

  it("find the name of a layer that a custom layer's code calls", () => {
    const conv1 = conv2d(3, 4, 3);
    const net: nn.Layer = sequential({ block: layer({ conv1 }, (x) => relu(conv1(x))) });
    expect(messageOf(() => net(zeros([1, 2, 5, 5])))).toMatch(
      /^conv2d: expected 3 input channels, got 2: x is \[1, 2, 5, 5\] \(in block\.conv1, /,
    );
    expect(messageOf(() => net(zeros([1, 3, 2, 2])))).toContain("(in block.conv1, ");
  });

  it("name the place of an op in a plain function", () => {
    const net: nn.Layer = sequential({ fc: linear(2, 3), odd: (x) => x.add(zeros([7])) });
    expect(messageOf(() => net(zeros([1, 2])))).toContain("(in odd, ");
  });

  it("leave no scope behind", () => {
    const net: nn.Layer = sequential({ fc: linear(2, 3) });
    messageOf(() => net(zeros([1, 5])));
    expect(messageOf(() => linear(2, 3)(zeros([1, 5]) as Tensor))).toMatch(/\(in \/.*layers\.test\.ts/);
  });

  it("record the layer on the tape, with the line that called the network", () => {
    const conv1 = conv2d(1, 1, 1);
    const net: nn.Layer = sequential({ a: sequential({ conv1 }) });
    const y = net(zeros([1, 1, 2, 2])) as unknown as { node: TapeNode };
    expect(y.node.scope).toEqual(["a", "conv1"]);
    const calledAt = callSite(y.node.site.stack);
    expect(calledAt).toMatch(/layers\.test\.ts:\d+:\d+$/);
    const inner = sequential({ own: (x) => x.mul(2) })(conv1(zeros([1, 1, 2, 2]))) as unknown as { node: TapeNode };
    expect(callSite(inner.node.site.stack)).not.toBe(calledAt);
  });

  it.each([
    ["linear(0, 2)", () => linear(0, 2), "linear: inputs must be a positive integer, got 0"],
    ["linear(2, 1.5)", () => linear(2, 1.5), "linear: outputs must be a positive integer, got 1.5"],
    [
      "conv2d with a bad kernel",
      () => conv2d(1, 1, [3, 3, 3]),
      "conv2d: kernelSize must be an integer of at least 1, or 2 of them, got [3, 3, 3]",
    ],
    [
      "conv2d with bad groups",
      () => conv2d(3, 4, 1, { groups: 2 }),
      "conv2d: 2 groups do not divide 3 input channels and 4 output channels",
    ],
    [
      "conv2d of a matrix",
      () => conv2d(1, 1, 1)(zeros([2, 2]) as Tensor),
      "conv2d: expected [batch, channels, height, width], got shape [2, 2]",
    ],
    [
      "maxPool2d of a matrix",
      () => maxPool2d(2)(zeros([2, 2]) as Tensor),
      "maxPool2d: expected [batch, channels, height, width], got shape [2, 2]",
    ],
    ["dropout(1)", () => dropout(1), "dropout: the probability must be in [0, 1), got 1"],
    ["dropout of a tensor", () => dropout(zeros([2]) as unknown as number), "dropout: makes a layer, but got a tensor"],
    ["elu of a tensor", () => nn.elu(zeros([2]) as unknown as number), "elu: makes a layer, but got a tensor"],
    ["batchNorm of other channels", () => batchNorm(3)(zeros([2, 4]) as Tensor), "batchNorm: expected 3 channels, got 4: x is [2, 4]"],
    [
      "layerNorm of another shape",
      () => layerNorm([3, 4])(zeros([2, 4])),
      "layerNorm: expected the last dimensions to be [3, 4], got shape [2, 4]",
    ],
    ["embedding of an unknown id", () => embedding(4, 2)(tensor([1, 4])), "embedding: expected ids from 0 to 3"],
    ["embedding of a fraction", () => embedding(4, 2)(tensor([1, 0.5])), "embedding: expected whole numbers, got 0.5 at position 1"],
    [
      "given weights of another shape",
      () => linear(2, 3, { init: zeros([2, 3]) }),
      "linear weight: expected starting values of shape [3, 2], got [2, 3]",
    ],
    [
      "a step that is no function",
      () => sequential(relu, 3 as unknown as nn.Step),
      "sequential: expected a layer or a function as layer 1, got number",
    ],
    [
      "a layer maker instead of a layer",
      () => sequential({ flat: flatten as unknown as nn.Step })(zeros([2, 2])),
      "flatten: makes a layer, but got a tensor",
    ],
    [
      "a step that returns nothing",
      () => sequential({ odd: (() => undefined) as unknown as nn.Step })(zeros([2])),
      "sequential: layer odd returned undefined, expected a tensor",
    ],
    ["a layer of numbers", () => sequential(linear(2, 3))([[1, 2]] as never), "linear: expected a tensor, got a list"],
    [
      "a part that is nothing",
      () => layer({ a: null as never }, (x) => x),
      'layer: expected "a" to be a layer, a function or a tensor, got null',
    ],
  ])("%s", (_name, run, sentence) => {
    expect(messageOf(run)).toContain(sentence);
  });
});

describe("looking at a layer", () => {
  const net = sequential({
    conv1: conv2d(1, 8, 3, { padding: 1 }),
    act: relu,
    pool: maxPool2d(2),
    flat: flatten(),
    fc: linear(8 * 4 * 4, 10),
  });

  it("prints its structure with shapes and parameter counts", () => {
    expect(String(net)).toBe(
      [
        "sequential  1,370 parameters",
        "  conv1: conv2d(inputs: 1, outputs: 8, kernelSize: 3, padding: 1)  weight [8, 1, 3, 3], bias [8], 80 parameters",
        "  act: relu",
        "  pool: maxPool2d(kernelSize: 2)",
        "  flat: flatten",
        "  fc: linear(inputs: 128, outputs: 10)  weight [10, 128], bias [10], 1,290 parameters",
      ].join("\n"),
    );
  });

  it("summary counts shapes, parameters and multiply-adds, and leaves modes and statistics alone", () => {
    const found = summary(net, [2, 1, 8, 8]);
    expect(
      found.rows.map(({ path, kind, outputShape, parameters, multiplyAdds }) => [path, kind, [...outputShape], parameters, multiplyAdds]),
    ).toEqual([
      ["conv1", "conv2d", [2, 8, 8, 8], 80, 2 * 8 * 64 * 9],
      ["act", "relu", [2, 8, 8, 8], 0, 0],
      ["pool", "maxPool2d", [2, 8, 4, 4], 0, 0],
      ["flat", "flatten", [2, 128], 0, 0],
      ["fc", "linear", [2, 10], 1290, 2 * 1280],
    ]);
    expect([found.parameters, found.trainableParameters, found.multiplyAdds]).toEqual([1370, 1370, 2 * 8 * 64 * 9 + 2560]);
    const mixed = sequential(batchNorm(3), dropout(0.5).eval());
    const before = mixed.stateDict();
    summary(mixed, [4, 3]);
    expect([mixed.training, mixed.children.get("0")?.training, mixed.children.get("1")?.training]).toEqual([true, true, false]);
    expect(mixed.stateDict().get("runningMean")?.toArray()).toEqual(before.get("runningMean")?.toArray());
  });

  it("fits 80 columns whatever the names", () => {
    const long = sequential({
      averyveryverylongnameofalayerthatgoesonandon: sequential({
        anotherverylongnameofalayerinside: conv2d(3, 100_000, 1, { init: nn.init.zeros() }),
      }),
    });
    const text = String(summary(long, [1, 3, 20, 20]));
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(text).toContain("400,000");
  });

  it("counts multiply-adds of transposed convolutions by their input", () => {
    expect(summary(nn.convTranspose2d(2, 4, 3, { stride: 2 }), [1, 2, 5, 5]).multiplyAdds).toBe(2 * 25 * 4 * 9);
  });

  it("tells observers of every call, inner ones first", () => {
    const seen: string[] = [];
    nn.observeLayers(
      ({ path, kind }) => seen.push(`${path}:${kind}`),
      () => sequential({ a: linear(2, 2), b: sequential({ c: relu }) })(zeros([1, 2])),
    );
    expect(seen).toEqual(["a:linear", "b.c:relu", "b:sequential", ":sequential"]);
  });
});
