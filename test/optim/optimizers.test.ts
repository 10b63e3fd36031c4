// Optimizers: settings, groups, skipping, resuming; and small networks trained to convergence.

import { describe, expect, it } from "vitest";
import { compile, linspace, manualSeed, parameter, type Tensor, tensor } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import {
  adaDelta,
  adaGrad,
  adam,
  adamax,
  adamW,
  amsGrad,
  combineOptimizers,
  cosineDecay,
  lamb,
  lars,
  lion,
  muon,
  nAdam,
  type Optimizer,
  type Parameters,
  rAdam,
  rmsProp,
  sgd,
  warmUp,
} from "../../src/optim/index.ts";
import { setGradient } from "../goldens/goldens.ts";

/** All with a rate at which the third digit moves in each step. */
const everyOptimizer: Record<string, (parameters: Parameters) => Optimizer> = {
  sgd: (p) => sgd(p, { learningRate: 0.1, momentum: 0.9, dampening: 0.1 }),
  adaDelta: (p) => adaDelta(p),
  adaGrad: (p) => adaGrad(p, { learningRate: 0.1, learningRateDecay: 0.1 }),
  adam: (p) => adam(p, { learningRate: 0.1 }),
  adamax: (p) => adamax(p, { learningRate: 0.1 }),
  adamW: (p) => adamW(p, { learningRate: 0.1 }),
  amsGrad: (p) => amsGrad(p, { learningRate: 0.1 }),
  lamb: (p) => lamb(p, { learningRate: 0.1 }),
  lars: (p) => lars(p, { learningRate: 0.5, trust: 0.1 }),
  lion: (p) => lion(p, { learningRate: 0.01 }),
  muon: (p) => muon(p, { learningRate: 0.1 }),
  nAdam: (p) => nAdam(p, { learningRate: 0.1 }),
  rAdam: (p) => rAdam(p, { learningRate: 0.1 }),
  rmsProp: (p) => rmsProp(p, { learningRate: 0.1, momentum: 0.5, centered: true }),
};
const rows = Object.entries(everyOptimizer);
const matrix = (): Tensor =>
  parameter(
    tensor([
      [1, 2],
      [3, 4],
    ]),
  );

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
    ["a learning rate as text", () => adam(p, { learningRate: "0.1" as never }), 'adam: expected learningRate to be a number, got "0.1"'],
    ["null", () => lion(p, { beta1: null as never }), "lion: expected beta1 to be a number, got null"],
    ["a number for yes or no", () => rmsProp(p, { centered: 1 as never }), "rmsProp: expected centered to be a boolean, got 1"],
    ["an unknown option of the others", () => nAdam(p, { momentumDcay: 1 } as never), "did you mean momentumDecay?"],
    ["rho of 1", () => adaDelta(p, { rho: 1 }), "adaDelta: rho must be in [0, 1), got 1"],
    ["a negative epsilon", () => adaGrad(p, { epsilon: -1 }), "adaGrad: epsilon must not be negative, got -1"],
    ["bad settings of a group", () => lion([{ parameters: p, beta2: 1 }]), "lion: beta2 must be in [0, 1), got 1"],
    ["nothing to combine", () => combineOptimizers(), "combineOptimizers: expected at least one optimizer, got none"],
    ["no optimizer to combine", () => combineOptimizers({} as never), "expected an optimizer of kasane/optim as argument 0"],
    [
      "parameters without names to combine",
      () => combineOptimizers(adam([weight(1)]), adam([weight(2)])),
      'combineOptimizers: parameter "0" is given twice',
    ],
    ["no parameters", () => sgd([], { learningRate: 1 }), "sgd: expected at least one parameter, got none"],
    [
      "a layer instead of its parameters",
      () => sgd(nn.linear(1, 1) as never, { learningRate: 1 }),
      "sgd: expected parameters, got a layer",
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
    }).toThrow("the learning rate must be a positive number or 0, got NaN");
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

it.each(rows)("%s does not hide a NaN gradient, nor leaves a parameter without one", (_name, make) => {
  const [w, idle] = [matrix(), matrix()];
  const optimizer = make([w, idle]);
  for (const first of [Number.NaN, 1]) {
    setGradient(
      w,
      tensor([
        [first, 1],
        [1, 1],
      ]),
    );
    optimizer.step();
    expect(w.data[0]).toBeNaN();
  }
  expect([...idle.data]).toEqual([1, 2, 3, 4]);
  expect(optimizer.stateDict().steps).toEqual({ 0: 2, 1: 0 });
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

it("groups keep their ratios through a rate of 0, also from a saved state", () => {
  const make = (): Optimizer => sgd([{ parameters: [weight(1)] }, { parameters: [weight(1)], learningRate: 0.01 }], { learningRate: 0.1 });
  const schedule = warmUp(2, cosineDecay(0.1, { steps: 10 }));
  const optimizer = make();
  optimizer.learningRate = schedule(0);
  const resumed = make();
  resumed.loadStateDict(optimizer.stateDict());
  for (const each of [optimizer, resumed]) {
    expect(each.groups.map((group) => group.learningRate)).toEqual([0, 0]);
    each.learningRate = schedule(2);
    expect(each.groups.map((group) => group.learningRate)).toEqual([0.1, expect.closeTo(0.01, 12)]);
  }
});

describe("several as one", () => {
  const make = () => {
    const [hidden, bias] = [matrix(), weight(1, 2)];
    const parts = [
      muon(new Map([["hidden", hidden]]), { learningRate: 0.02 }),
      adamW(new Map([["bias", bias]]), { learningRate: 0.01 }),
    ] as const;
    const step = (optimizer: Pick<Optimizer, "step" | "zeroGrad">) => (x: Tensor) => {
      optimizer.zeroGrad();
      const loss = x.matmul(hidden).add(bias).square().sum();
      loss.backward();
      optimizer.step();
      return loss;
    };
    const values = (): number[] => [...hidden.data, ...bias.data];
    return { parts, whole: combineOptimizers(...parts), step, values };
  };
  const inputs = Array.from({ length: 6 }, (_, n) => tensor([[Math.sin(n), Math.cos(n)]]));

  it("step as each alone, eagerly and compiled, and go on from a state bit for bit", () => {
    const [apart, eager, compiled, resumed] = [make(), make(), make(), make()];
    const both = {
      step: () => apart.parts.forEach((part) => part.step()),
      zeroGrad: () => apart.parts.forEach((part) => part.zeroGrad()),
    };
    inputs.forEach(apart.step(both));
    inputs.forEach((x) => eager.step(eager.whole)(x));
    expect(eager.values()).toEqual(apart.values());
    const run = compile(compiled.step(compiled.whole));
    inputs.forEach((x) => run(x));
    expect(compiled.values()).toEqual(eager.values().map((value) => expect.closeTo(value, 5)));

    const half = make();
    for (const x of inputs.slice(0, 3)) half.step(half.whole)(x);
    expect(half.whole.stateDict()).toMatchObject({ kind: "muon+adamW", steps: { hidden: 3, bias: 3 } });
    resumed.whole.loadStateDict(half.whole.stateDict());
    const weights = half.values();
    for (const x of inputs.slice(3)) half.step(half.whole)(x);
    expect(half.values()).toEqual(eager.values());
    expect(weights).not.toEqual(half.values());
    expect(resumed.whole.stateDict().groups.map(({ learningRate }) => learningRate)).toEqual([0.02, 0.01]);
  });

  it("have rates in one ratio, and refuse the state of one alone", () => {
    const { whole, parts } = make();
    whole.learningRate = 0.04;
    expect(whole.groups.map(({ learningRate }) => learningRate)).toEqual([0.04, expect.closeTo(0.02, 12)]);
    expect(() => whole.loadStateDict(parts[0].stateDict())).toThrow("muon+adamW: the state belongs to another optimizer, muon");
  });
});

describe("resuming", () => {
  const gradients = Array.from({ length: 16 }, (_, n) =>
    tensor([
      [Math.sin(n), Math.cos(n)],
      [Math.cos(2 * n), 0.5],
    ]),
  );
  it.each(rows)("%s goes on bit for bit, eagerly and compiled", (_name, make) => {
    for (const isCompiled of [false, true]) {
      const start = (w: Tensor) => {
        const optimizer = make(new Map([["w", w]]));
        const step = (gradient: Tensor): Tensor => {
          optimizer.zeroGrad();
          const loss = w.mul(gradient).sum();
          loss.backward();
          optimizer.step();
          return loss;
        };
        const run = isCompiled ? compile(step) : step;
        return { optimizer, walk: (from: number, to: number) => gradients.slice(from, to).forEach((gradient) => void run(gradient)) };
      };
      const [straight, first] = [matrix(), matrix()];
      start(straight).walk(0, 16);
      const stopped = start(first);
      stopped.walk(0, 8);
      const saved = stopped.optimizer.stateDict();
      const second = parameter(first.detach().clone());
      stopped.walk(8, 16);
      const resumed = start(second);
      resumed.optimizer.loadStateDict(saved);
      resumed.walk(8, 16);
      expect([...second.data]).toEqual([...straight.data]);
      expect(Math.abs((second.data[0] as number) - (first.data[0] as number))).toBe(0);
      expect(Math.abs((second.data[0] as number) - 1)).toBeGreaterThan(1e-3);
    }
  });

  it.each(rows)("%s goes back to its beginning, eagerly and compiled", (_name, make) => {
    for (const isCompiled of [false, true]) {
      const w = matrix();
      const optimizer = make(new Map([["w", w]]));
      const step = (gradient: Tensor): Tensor => {
        optimizer.zeroGrad();
        const loss = w.mul(gradient).sum();
        loss.backward();
        optimizer.step();
        return loss;
      };
      const run = isCompiled ? compile(step) : step;
      const [start, fresh] = [w.detach().clone(), optimizer.stateDict()];
      const walk = (): number[] => {
        for (const gradient of gradients.slice(0, 5)) run(gradient);
        return [...w.data];
      };
      const first = walk();
      w.assign(start);
      optimizer.loadStateDict(fresh);
      expect([...optimizer.stateDict().tensors.keys()]).toEqual([]);
      expect(walk()).toEqual(first);
      expect(optimizer.stateDict().steps).toEqual({ w: 5 });
    }
  });

  it("restores the learning rate", () => {
    const saved = sgd([weight(1)], { learningRate: 0.25 }).stateDict();
    const other = sgd([weight(1)], { learningRate: 1 });
    other.loadStateDict(saved);
    expect(other.learningRate).toBe(0.25);
  });

  it("refuses the state of another optimizer or other parameters, and changes nothing", () => {
    const w = weight(1, 2);
    const momentum = everyOptimizer.sgd as (parameters: Parameters) => Optimizer;
    const optimizer = momentum(new Map([["w", w]]));
    setGradient(w, tensor([1, 1]));
    optimizer.step();
    const saved = optimizer.stateDict();
    expect(() => adam(new Map([["w", w]])).loadStateDict(saved)).toThrow("adam: the state belongs to another optimizer, sgd");
    expect(() => momentum(new Map([["v", w]])).loadStateDict(saved)).toThrow(
      "sgd: the state belongs to other parameters: 1 are missing (v), 1 are unexpected (w)",
    );
    const wide = momentum(new Map([["w", weight(1, 2, 3)]]));
    expect(() => wide.loadStateDict(saved)).toThrow("sgd: w.velocity has shape [2] in the state, the parameter [3]");
    expect(wide.stateDict().steps).toEqual({ w: 0 });
    expect(() => optimizer.loadStateDict({ ...saved, steps: { w: Number.NaN } })).toThrow('sgd: the state has NaN steps of "w"');
    expect(() => optimizer.loadStateDict({ ...saved, groups: [{ learningRate: 1, momentum: 2 }] })).toThrow("momentum must be in [0, 1)");
    expect(optimizer.stateDict().steps).toEqual({ w: 1 });
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

describe("centered rmsProp under a gradient that hardly changes", () => {
  // The mean square less the squared mean is rounding noise of either sign from about the thousandth step on.
  it.each([
    ["constant", () => 0.37],
    ["alternating by a millionth", (n: number) => 1 + (n % 2) * 1e-6],
  ] as const)("%s: the variance is that of double precision", (_name, gradientAt) => {
    const weight = parameter(tensor([1]));
    const optimizer = rmsProp([weight], { learningRate: 1e-6, centered: true });
    let [variance, mean] = [0, 0];
    for (let n = 0; n < 3000; n++) {
      const gradient = Math.fround(gradientAt(n));
      setGradient(weight, tensor([gradient]));
      optimizer.step();
      variance = 0.99 * (variance + 0.01 * (gradient - mean) ** 2);
      mean += 0.01 * (gradient - mean);
    }
    const found = optimizer.stateDict().tensors.get("0.variance")?.data[0] as number;
    expect(Number.isFinite(weight.item())).toBe(true);
    expect(found).toBeGreaterThanOrEqual(0);
    expect(Math.abs(found - variance)).toBeLessThan(1e-10);
  });
});
