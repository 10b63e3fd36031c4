// Optimizers: settings, groups, skipping, resuming; and small networks trained to convergence.

import { describe, expect, it } from "vitest";
import { linspace, manualSeed, parameter, type Tensor, tensor } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { adam, adamW, type Optimizer, sgd } from "../../src/optim/index.ts";
import { setGradient } from "../goldens/goldens.ts";

const weight = (...values: number[]): Tensor => parameter(tensor(values));

describe("refuses", () => {
  const p = [weight(1)];
  it.each([
    ["a learning rate of 0", () => sgd(p, { learningRate: 0 }), "sgd: the learning rate must be a positive number, got 0"],
    ["a negative learning rate", () => adam(p, { learningRate: -1 }), "adam: the learning rate must be a positive number, got -1"],
    ["NaN as a learning rate", () => adamW(p, { learningRate: Number.NaN }), "adamW: the learning rate must be a positive number, got NaN"],
    ["no learning rate", () => sgd(p, {} as never), "sgd: the learning rate must be a positive number, got NaN"],
    ["an infinite learning rate", () => sgd(p, { learningRate: Number.POSITIVE_INFINITY }), "got Infinity"],
    ["a momentum of 1", () => sgd(p, { learningRate: 1, momentum: 1 }), "sgd: momentum must be in [0, 1), got 1"],
    [
      "Nesterov without momentum",
      () => sgd(p, { learningRate: 1, nesterov: true }),
      "sgd: nesterov needs a momentum and no dampening, got momentum 0 and dampening 0",
    ],
    ["negative weight decay", () => adamW(p, { weightDecay: -1 }), "adamW: weightDecay must not be negative, got -1"],
    ["beta2 of 1", () => adam(p, { beta2: 1 }), "adam: beta2 must be in [0, 1), got 1"],
    [
      "an unknown option",
      () => sgd(p, { learningrate: 1 } as never),
      'sgd: unknown option "learningrate"\n  try: did you mean learningRate?',
    ],
    ["no parameters", () => sgd([], { learningRate: 1 }), "sgd: expected at least one parameter, got none"],
    [
      "a layer instead of its parameters",
      () => sgd(nn.linear(1, 1) as never, { learningRate: 1 }),
      "sgd: expected parameters, got function",
    ],
    ["a parameter twice", () => sgd([...p, ...p], { learningRate: 1 }), 'sgd: parameter "1" is given twice'],
    ["numbers as parameters", () => sgd([3] as never, { learningRate: 1 }), "sgd: expected parameters to be tensors, got number"],
  ])("%s", (_name, run, sentence) => {
    expect(run).toThrow(sentence);
  });

  it("a learning rate set to NaN", () => {
    const optimizer = sgd(p, { learningRate: 1 });
    expect(() => {
      optimizer.learningRate = Number.NaN;
    }).toThrow("the learning rate must be a positive number, got NaN");
    expect(optimizer.learningRate).toBe(1);
  });
});

it("moves w = 3 with gradient 3 and rate 0.5 to 1.5, then with gradient −1 to 2 (textbook)", () => {
  const w = weight(3);
  const optimizer = sgd([w], { learningRate: 0.5 });
  setGradient(w, tensor([3]));
  optimizer.step();
  expect(w.toArray()).toEqual([1.5]);
  setGradient(w, tensor([-1]));
  optimizer.step();
  expect(w.toArray()).toEqual([2]);
  optimizer.zeroGrad();
  expect(w.grad).toBeUndefined();
});

it("skips parameters without a gradient, and frozen ones", () => {
  const [moved, idle, frozen] = [weight(1), weight(1), nn.linear(1, 1)];
  const kept = frozen.stateDict().get("weight")?.toArray();
  const optimizer = adam([moved, idle, ...frozen.parameters()]);
  frozen(tensor([[1]]))
    .sum()
    .backward();
  frozen.requiresGrad(false);
  setGradient(moved, tensor([1]));
  optimizer.step();
  expect(moved.item()).not.toBe(1);
  expect(idle.item()).toBe(1);
  expect(frozen.stateDict().get("weight")?.toArray()).toEqual(kept);
  expect(optimizer.stateDict().steps).toEqual({ 0: 1, 1: 0, 2: 0, 3: 0 });
});

it("does not hide a NaN gradient", () => {
  for (const make of [
    (p: Tensor[]) => sgd(p, { learningRate: 0.1 }),
    (p: Tensor[]) => sgd(p, { learningRate: 0.1, momentum: 0.9 }),
    (p: Tensor[]) => adam(p),
    (p: Tensor[]) => adamW(p),
  ]) {
    const w = weight(1, 2);
    setGradient(w, tensor([Number.NaN, 1]));
    make([w]).step();
    expect(w.data[0]).toBeNaN();
    expect(w.data[1]).toBeLessThan(2);
  }
});

it("groups have settings of their own; the learning rate keeps their ratios", () => {
  const [slow, fast] = [weight(1), weight(1)];
  const optimizer = sgd([{ parameters: [fast] }, { parameters: [slow], learningRate: 0.01, weightDecay: 0.5 }], { learningRate: 0.1 });
  optimizer.learningRate = 0.2;
  expect(optimizer.groups.map((group) => [group.learningRate, group.weightDecay])).toEqual([
    [0.2, 0],
    [0.02, 0.5],
  ]);
  for (const w of [slow, fast]) setGradient(w, tensor([1]));
  optimizer.step();
  expect(fast.item()).toBeCloseTo(1 - 0.2, 6);
  expect(slow.item()).toBeCloseTo(1 - 0.02 * 1.5, 6);
  optimizer.learningRate = 0;
  optimizer.step();
  expect(fast.item()).toBeCloseTo(1 - 0.2, 6);
});

describe("resuming", () => {
  const gradients = Array.from({ length: 6 }, (_, n) => tensor([Math.sin(n), Math.cos(n)]));
  const makers: Record<string, (p: ReadonlyMap<string, Tensor>) => Optimizer> = {
    sgd: (p) => sgd(p, { learningRate: 0.1, momentum: 0.9, dampening: 0.1 }),
    adam: (p) => adam(p, { learningRate: 0.1 }),
    adamW: (p) => adamW(p, { learningRate: 0.1 }),
  };
  const walk = (optimizer: Optimizer, w: Tensor, from: number, to: number): void => {
    for (const gradient of gradients.slice(from, to)) {
      setGradient(w, gradient);
      optimizer.step();
    }
  };

  it.each(Object.entries(makers))("%s goes on bit for bit", (_name, make) => {
    const straight = weight(1, 2);
    walk(make(new Map([["w", straight]])), straight, 0, 6);

    const first = weight(1, 2);
    const stopped = make(new Map([["w", first]]));
    walk(stopped, first, 0, 3);
    stopped.learningRate = 0.1;
    const saved = stopped.stateDict();
    const second = parameter(first.detach());
    const resumed = make(new Map([["w", second]]));
    walk(stopped, first, 3, 6);
    resumed.loadStateDict(saved);
    walk(resumed, second, 3, 6);
    expect([...second.data]).toEqual([...straight.data]);
  });

  it("restores the learning rate", () => {
    const saved = sgd([weight(1)], { learningRate: 0.25 }).stateDict();
    const other = sgd([weight(1)], { learningRate: 1 });
    other.loadStateDict(saved);
    expect(other.learningRate).toBe(0.25);
  });

  it("refuses the state of another optimizer or other parameters, and changes nothing", () => {
    const w = weight(1, 2);
    const optimizer = makers.sgd?.(new Map([["w", w]])) as Optimizer;
    walk(optimizer, w, 0, 1);
    const saved = optimizer.stateDict();
    expect(() => adam(new Map([["w", w]])).loadStateDict(saved)).toThrow("adam: the state belongs to another optimizer, sgd");
    expect(() => makers.sgd?.(new Map([["v", w]])).loadStateDict(saved)).toThrow(
      "sgd: the state belongs to other parameters: 1 are missing (v), 1 are unexpected (w)",
    );
    const wide = makers.sgd?.(new Map([["w", weight(1, 2, 3)]])) as Optimizer;
    expect(() => wide.loadStateDict(saved)).toThrow("sgd: w.velocity has shape [2] in the state, the parameter [3]");
    expect(wide.stateDict().steps).toEqual({ w: 0 });
  });
});

describe("training", () => {
  it.each<[string, (net: nn.Layer) => Optimizer]>([
    ["sgd with momentum", (net) => sgd(net.parameters(), { learningRate: 0.1, momentum: 0.9 })],
    ["adam", (net) => adam(net.parameters(), { learningRate: 0.05 })],
    ["adamW", (net) => adamW(net.namedParameters(), { learningRate: 0.05 })],
  ])("XOR is learned with %s", (_name, make) => {
    manualSeed(1);
    const net = nn.sequential(nn.linear(2, 8), nn.tanh, nn.linear(8, 2));
    const x = tensor([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    const t = tensor([0, 1, 1, 0], { dtype: "int32" });
    const optimizer = make(net);
    for (let step = 0; step < 300; step++) {
      optimizer.zeroGrad();
      nn.crossEntropy(net(x), t).backward();
      optimizer.step();
    }
    expect(nn.crossEntropy(net(x), t).item()).toBeLessThan(0.05);
    expect(net(x).argmax(1).toArray()).toEqual([0, 1, 1, 0]);
  });

  it("a straight line is found to five digits", () => {
    manualSeed(2);
    const net = nn.linear(1, 1);
    const x = linspace(-1, 1, 32).reshape([32, 1]);
    const t = x.mul(3).add(0.5);
    const optimizer = sgd(net.parameters(), { learningRate: 0.3, momentum: 0.5 });
    for (let step = 0; step < 200; step++) {
      optimizer.zeroGrad();
      nn.meanSquaredError(net(x), t).backward();
      optimizer.step();
    }
    expect(net.parameters()[0]?.item()).toBeCloseTo(3, 5);
    expect(net.parameters()[1]?.item()).toBeCloseTo(0.5, 5);
  });

  it("the same seed gives the same weights, bit for bit", () => {
    const train = (): number[] => {
      manualSeed(9);
      const net = nn.sequential(nn.linear(2, 4), nn.dropout(0.25), nn.relu, nn.linear(4, 1));
      const optimizer = adam(net.parameters());
      for (let step = 0; step < 20; step++) {
        optimizer.zeroGrad();
        net(
          tensor([
            [1, 2],
            [3, 4],
          ]),
        )
          .square()
          .mean()
          .backward();
        optimizer.step();
      }
      return net.parameters().flatMap((value) => [...value.data]);
    };
    expect(train()).toEqual(train());
  });
});
