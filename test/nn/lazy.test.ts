// Layers whose sizes the first input decides: before it, after it, inside of other layers and compiled steps, with seeds, modes and state.

import { describe, expect, it } from "vitest";
import { compile, manualSeed, noGrad, type Tensor, uniform, zeros } from "../../src/index.ts";
import {
  batchNorm,
  conv2d,
  crossEntropy,
  dropout,
  flatten,
  type Layer,
  lazy,
  linear,
  relu,
  sequential,
  summary,
} from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { messageOf } from "../tensor/support.ts";

const last = (shape: readonly number[]): number => shape.at(-1) ?? 0;
const make = (): Layer =>
  sequential({
    conv: conv2d(1, 2, 3),
    act: relu,
    flat: flatten(),
    head: lazy((shape) => sequential(linear(last(shape), 4), batchNorm(4))),
  });

describe("before its first input a lazy layer", () => {
  it.each([
    ["parameters()", (net: Layer) => net.parameters()],
    ["namedBuffers()", (net: Layer) => net.namedBuffers()],
    ["stateDict()", (net: Layer) => net.stateDict()],
    ["loadStateDict()", (net: Layer) => net.loadStateDict({})],
    ["requiresGrad(false)", (net: Layer) => net.requiresGrad(false)],
    ["an optimizer", (net: Layer) => sgd(net.parameters(), { learningRate: 0.1 })],
  ])("refuses %s, with its name and what to do", (_name, use) => {
    expect(messageOf(() => use(make()))).toBe(
      "sequential: layer head has no parameters before its first input decides its sizes\n  try: call the model once with a batch, net(x), before parameters(), optimizers and state dicts",
    );
  });

  it("prints what is known", () => {
    expect(String(make())).toContain("head: lazy  sizes come from the first input");
    expect(String(make())).toContain("sequential  20 parameters, others after the first input");
  });
});

describe("after its first input a lazy layer", () => {
  it("is the layer that was built, under the same names", () => {
    const net = make();
    expect(net(zeros([3, 1, 6, 6])).shape).toEqual([3, 4]);
    expect([...net.namedParameters()].map(([name, value]) => [name, value.shape])).toEqual([
      ["conv.weight", [2, 1, 3, 3]],
      ["conv.bias", [2]],
      ["head.0.weight", [4, 32]],
      ["head.0.bias", [4]],
      ["head.1.weight", [4]],
      ["head.1.bias", [4]],
    ]);
    const explicit = sequential({ conv: conv2d(1, 2, 3), act: relu, flat: flatten(), head: sequential(linear(32, 4), batchNorm(4)) });
    explicit.loadStateDict(net.stateDict());
    const x = uniform([2, 1, 6, 6]);
    expect(explicit.eval()(x).toArray()).toEqual(net.eval()(x).toArray());
    expect(String(net)).toBe(String(explicit));
    expect(net.children.get("head")?.kind).toBe("sequential");
  });

  it("keeps its sizes", () => {
    const fc = lazy((shape) => linear(last(shape), 2));
    fc(zeros([1, 3]));
    expect(fc.settings).toEqual({ inputs: 3, outputs: 2 });
    expect(messageOf(() => fc(zeros([1, 5])))).toContain("linear: expected 3 input features, got 5: x is [1, 5]");
  });

  it("has the mode that was set before", () => {
    const drop = sequential(lazy(() => sequential(dropout(0.5))));
    drop.eval();
    const x = uniform([4, 4]);
    expect(drop(x).toArray()).toEqual(x.toArray());
    expect([...drop.namedLayers().values()].map((inner) => inner.training)).toEqual([false, false, false]);
    const fresh = make();
    expect(summary(fresh, [1, 1, 6, 6]).parameters).toBe(20 + 132 + 8);
    expect([...fresh.namedLayers().values()].every((inner) => inner.training)).toBe(true);
  });

  it("starts from the seed and its place in the model, whenever the input comes", () => {
    const weights = (before: () => unknown): unknown => {
      manualSeed(7);
      const net = make();
      const tail = linear(2, 2);
      before();
      noGrad(() => net(zeros([2, 1, 6, 6])));
      return [...net.parameters(), ...tail.parameters()].map((value) => value.toArray());
    };
    const expected = weights(() => undefined);
    expect(weights(() => uniform([100]))).toEqual(expected);
    manualSeed(8);
    const other = make();
    other(zeros([2, 1, 6, 6]));
    expect(other.parameters().map((value) => value.toArray())).not.toEqual((expected as unknown[]).slice(0, 6));
  });

  it("leaves the random numbers of others alone", () => {
    const drawn = (use: boolean): unknown => {
      manualSeed(3);
      const fc = lazy((shape) => linear(last(shape), 2));
      if (use) fc(zeros([1, 5]));
      return uniform([4]).toArray();
    };
    expect(drawn(true)).toEqual(drawn(false));
  });
});

describe("in a compiled step a lazy layer", () => {
  it("is decided by tracing, with the numbers it would have eagerly, and trains", () => {
    const train = (first: (net: Layer, x: Tensor) => unknown): number[] => {
      manualSeed(5);
      const net = sequential(
        lazy((shape) => linear(last(shape), 8)),
        relu,
        lazy((shape) => linear(last(shape), 2)),
      );
      const x = uniform([6, 3]);
      const t = zeros([6], { dtype: "int32" });
      first(net, x);
      const optimizer = sgd(net.parameters(), { learningRate: 0.5 });
      const step = compile((images: Tensor, labels: Tensor) => {
        net.zeroGrad();
        const loss = crossEntropy(net(images), labels);
        loss.backward();
        optimizer.step();
        return loss;
      });
      return Array.from({ length: 5 }, () => step(x, t).item());
    };
    const eager = train((net, x) => net(x));
    const traced = train((net, x) => compile((given: Tensor) => net(given))(x));
    expect(traced).toEqual(eager);
    expect(eager[4] as number).toBeLessThan(eager[0] as number);
  });
});

describe("a lazy layer refuses", () => {
  it.each([
    [
      "a layer instead of a function",
      () => lazy(linear(2, 3) as never),
      "expected a function from the shape of the first input to a layer",
    ],
    [
      "a function that returns something else",
      () => lazy((() => 5) as unknown as () => Layer)(zeros([2, 3])),
      "for the first input of shape [2, 3], got number",
    ],
    [
      "a function that returns a lazy layer",
      () => lazy<Layer>(() => lazy<Layer>(() => linear(1, 1)))(zeros([2, 1])),
      "expected a layer with sizes",
    ],
    ["an input that is no tensor", () => lazy(() => linear(1, 1))(3 as never), "lazy: expected a tensor, got the number 3"],
  ])("%s", (_name, run, sentence) => {
    expect(messageOf(run)).toContain(sentence);
  });
});
