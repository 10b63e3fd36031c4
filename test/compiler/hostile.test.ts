// What compiled functions meet in practice: code that cannot be traced, changes between calls, errors, NaN, sharing.

import { afterAll, beforeEach, describe, expect, it } from "vitest";
import {
  availableBackends,
  type CompileResult,
  checkpoint,
  compile,
  dropout,
  embedding,
  fromData,
  getBackend,
  manualSeed,
  noGrad,
  normal,
  onEachRun,
  parameter,
  permutation,
  relu,
  setBackend,
  type Tensor,
  tensor,
  uniform,
  vmap,
  where,
} from "../../src/index.ts";
import { batchNorm, crossEntropy, dropout as dropoutLayer, type Layer, linear, sequential } from "../../src/nn/index.ts";
import { adam, type Optimizer, sgd } from "../../src/optim/index.ts";
import { expectArray } from "./support.ts";

const original = getBackend().name;
afterAll(() => setBackend(original));
beforeEach(() => {
  setBackend(original);
  manualSeed(4);
});

const x = tensor([1, 2, 3]);
const wrong = (fn: unknown): ((value: Tensor) => CompileResult) => fn as (value: Tensor) => CompileResult;

describe("what cannot be traced is refused at the user's line", () => {
  it.each<[string, (value: Tensor) => unknown]>([
    ["item", (value) => value.sum().item()],
    ["data", (value) => value.mul(2).data],
    ["toArray", (value) => value.toArray()],
    ["text", (value) => `${value}`],
    ["a branch", (value) => (value.max().item() > 2 ? value : value.neg())],
  ])("reading numbers by %s", (_, fn) => {
    expect(() => compile(wrong(fn))(x)).toThrow(
      /numbers of a tensor were read while the function is being traced.*hostile\.test\.ts:\d+.*where\(/s,
    );
  });

  it.each<[string, unknown, RegExp]>([
    ["a number", () => 3, /must return tensors.*got number.*item\(\) outside/s],
    ["null", () => null, /got null/],
    ["text", () => "loss", /got string/],
    ["a promise", async (value: Tensor) => value.neg(), /must not be async/],
    ["numbers in a record", (value: Tensor) => ({ value, count: 3 }), /'count' is number/],
    ["lists of lists", (value: Tensor) => [[value]], /'0' is object/],
  ])("returning %s", (_, fn, message) => {
    expect(() => compile(wrong(fn))(x)).toThrow(message);
  });

  it.each<[string, unknown]>([
    ["an array", [x]],
    ["a record", { x }],
    ["a function", () => x],
  ])("%s as argument", (_, argument) => {
    const fn = compile((value: Tensor) => value);
    expect(() => fn(argument as Tensor)).toThrow(/argument 0 of "step" is .*must be tensors, numbers, strings or booleans/s);
  });

  it("tensors of another trace, or of this one outside of it", () => {
    let leaked: Tensor | undefined;
    compile((value: Tensor) => {
      leaked = value.mul(2);
      return leaked;
    })(x);
    expect(() => leaked?.toArray()).toThrow(/stay inside "step".*return it from the function/s);
    expect(() => leaked?.add(1)).toThrow(/stay inside "step"/);
    expect(() => compile((value: Tensor) => value.add(leaked as Tensor))(x)).toThrow(/from another trace/);
  });

  it("orders decided outside of tensors, and assignments to arguments", () => {
    expect(() => compile(() => void permutation(3))()).toThrow(/permutation: cannot be traced/);
    expect(() => compile((value: Tensor) => value.assign(value.neg()))(x)).toThrow(/only tensors from outside/);
  });

  it("reading numbers that the step itself changes", () => {
    const w = parameter(tensor([1]));
    expect(() =>
      compile(() => {
        noGrad(() => w.assign(w.add(1)));
        return w.mul(w.item());
      })(),
    ).toThrow(/were read while the function is being traced/);
    expect(() =>
      compile(() => {
        const factor = w.item();
        noGrad(() => w.assign(w.mul(factor)));
      })(),
    ).toThrow(/reads this tensor's numbers itself, so it cannot change them/);
    expect(w.item()).toBe(1);
  });

  it("backward() into what was computed outside", () => {
    const w = parameter(tensor([1, 2]));
    const step = compile((value: Tensor) => {
      const loss = value.square().sum();
      if (loss.requiresGrad) loss.backward();
      return loss;
    });
    expect(() => step(w.mul(2))).toThrow(/reached argument 0, which was itself computed/);
    expect(step(w.mul(2).detach()).item()).toBe(20);
  });
});

describe("a failed trace changes nothing", () => {
  it("parameters, state, gradients and random numbers stay; the next call works", () => {
    const w = parameter(tensor([1, 2, 3]));
    const optimizer = adam([w], { learningRate: 0.1 });
    w.mul(2).sum().backward();
    const gradient = w.grad;
    let fails = true;
    const step = compile((value: Tensor) => {
      optimizer.zeroGrad();
      const loss = dropout(value, 0.3).mul(w).sum();
      loss.backward();
      optimizer.step();
      if (fails) throw new Error("mine");
      return loss;
    });
    const random = uniform([2]).toArray();
    manualSeed(4);
    expect(() => step(x)).toThrow(/^mine$/);
    expect(uniform([2]).toArray()).toEqual(random);
    expect(w.grad).toBe(gradient);
    expect([w.toArray(), optimizer.stateDict().steps]).toEqual([[1, 2, 3], { 0: 0 }]);
    expect(w.mul(1).toArray()).toEqual([1, 2, 3]);
    fails = false;
    step(x);
    expect(optimizer.stateDict().steps).toEqual({ 0: 1 });
    expect(w.toArray()).not.toEqual([1, 2, 3]);
  });
});

/** The same training twice: eager and compiled. */
interface Pair {
  readonly eager: Training;
  readonly compiled: Training;
}

interface Training {
  readonly first: Layer;
  readonly net: Layer;
  readonly optimizer: Optimizer;
  readonly step: (value: Tensor, target: Tensor) => Tensor;
}

function training(isCompiled: boolean): Training {
  manualSeed(4);
  const first = linear(3, 8);
  const net = sequential(first, relu, batchNorm(8), dropoutLayer(0.2), linear(8, 2)) as unknown as Training["net"];
  const optimizer = sgd(net.parameters(), { learningRate: 0.1, momentum: 0.9, dampening: 0.1 });
  const step = (value: Tensor, target: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = crossEntropy(net(value), target) as Tensor;
    loss.backward();
    optimizer.step();
    return loss;
  };
  return { first, net, optimizer, step: isCompiled ? compile(step) : step };
}

const batch = (): Tensor => uniform([6, 3], -1, 1);
const labels = tensor([0, 1, 1, 0, 1, 0], { dtype: "int32" });

function expectSame({ eager, compiled }: Pair): void {
  const [one, other] = [eager.net.stateDict(), compiled.net.stateDict()];
  for (const [name, { data }] of one) expectArray(other.get(name)?.data as ArrayLike<number>, data as ArrayLike<number>, name);
}

describe.each(availableBackends())("changes between calls, on %s", (backend) => {
  beforeEach(() => setBackend(backend));

  const changes: readonly (readonly [string, (training: Training) => void])[] = [
    ["nothing", () => {}],
    ["the learning rate", ({ optimizer }) => void (optimizer.learningRate = 0.01)],
    ["eval()", ({ net }) => void net.eval()],
    ["eval() and train()", ({ net }) => void net.eval().train()],
    ["freezing a layer", ({ first }) => void first.requiresGrad(false)],
    ["the seed", () => manualSeed(99)],
    ["other weights", ({ net }) => net.loadStateDict(training(false).net.stateDict())],
    ["an optimizer's state", ({ optimizer }) => optimizer.loadStateDict(training(false).optimizer.stateDict())],
    [
      "an optimizer's state with other settings",
      ({ optimizer }) => {
        const state = optimizer.stateDict();
        optimizer.loadStateDict({ ...state, groups: state.groups.map((group) => ({ ...group, momentum: 0.5, weightDecay: 0.1 })) });
      },
    ],
    ["a parameter assigned", ({ net }) => noGrad(() => (net.parameters()[0] as Tensor).assign((net.parameters()[0] as Tensor).mul(0.5)))],
    [
      "an eager step",
      ({ optimizer, net }) => {
        optimizer.zeroGrad();
        crossEntropy(net(batch()), labels).backward();
        optimizer.step();
      },
    ],
  ];

  it.each(changes)("%s", (_, change) => {
    const run = (isCompiled: boolean): { training: Training; losses: number[] } => {
      const made = training(isCompiled);
      const losses = Array.from({ length: 6 }, (__, n) => {
        if (n === 3) change(made);
        return made.step(batch(), labels).item();
      });
      return { training: made, losses };
    };
    const [one, other] = [run(false), run(true)];
    expectArray(other.losses, one.losses, "losses");
    expectSame({ eager: one.training, compiled: other.training });
    expect(other.training.optimizer.stateDict().steps).toEqual(one.training.optimizer.stateDict().steps);
  });
});

describe("tracing anew", () => {
  it("when what a parameter needs changes, when other numbers are read, on another backend", () => {
    let traces = 0;
    const scale = tensor([2]);
    const step = compile((value: Tensor) => {
      traces++;
      return value.mul(scale.item());
    });
    expect([step(x).toArray(), step(x).toArray(), traces]).toEqual([[2, 4, 6], [2, 4, 6], 1]);
    scale.assign(tensor([3]));
    expect([step(x).toArray(), traces]).toEqual([[3, 6, 9], 2]);
    setBackend("reference");
    expect([step(x).toArray(), traces]).toEqual([[3, 6, 9], 3]);
    setBackend(original);
    expect([step(x).toArray(), traces]).toEqual([[3, 6, 9], 3]);
  });

  it("for every fixed argument that differs, NaN and −0 too", () => {
    const f = compile((value: Tensor, factor: number | string | boolean | null | undefined) =>
      value.mul(typeof factor === "number" ? factor : 0).add(factor === null ? 1 : 0),
    );
    const of = (factor: number | string | boolean | null | undefined): number => f(tensor([1]), factor).item();
    expect([of(Number.NaN), of(null), of(Number.POSITIVE_INFINITY), of(undefined), of("null"), of(-0)]).toEqual([
      Number.NaN,
      1,
      Number.POSITIVE_INFINITY,
      0,
      0,
      0,
    ]);
    expect(f.steps).toHaveLength(6);
  });

  it("keeps a bounded number of traces, and their memory", () => {
    const f = compile((value: Tensor) => value.exp().sum());
    for (let n = 1; n <= 100; n++) expect(f(uniform([n], 0, 0)).item()).toBeCloseTo(n, 4);
    expect(f.steps).toHaveLength(32);
    const w = tensor([1]);
    const reads = compile(() => w.mul(w.item()));
    for (let n = 1; n <= 100; n++) {
      w.assign(tensor([n]));
      expect(reads().item()).toBe(n * n);
    }
    expect(reads.steps.length).toBeLessThanOrEqual(32);
  });

  it("inside another compiled function it is part of that one", () => {
    const w = parameter(tensor([2]));
    const inner = compile((value: Tensor) => {
      noGrad(() => w.assign(w.add(1)));
      return value.mul(w);
    });
    const outer = compile((value: Tensor) => inner(value).add(inner(value)));
    expect([outer(tensor([1])).item(), w.item(), inner(tensor([1])).item(), w.item()]).toEqual([7, 4, 5, 5]);
    expect(inner.steps).toHaveLength(1);
    const options = { name: "guarded", guard: (result: Tensor) => result };
    const guarded = compile((value: Tensor) => value.square().sum(), options);
    expect(compile((value: Tensor) => guarded(value))(tensor([1, 2])).item()).toBe(5);
    expect(vmap((value: Tensor) => guarded(value))(tensor([[1, 2]])).toArray()).toEqual([5]);
    const changing = compile((value: Tensor) => {
      noGrad(() => w.assign(w.add(1)));
      return value.sum();
    }, options);
    const before = w.item();
    for (const part of [
      compile((value: Tensor) => changing(value)),
      vmap((value: Tensor) => changing(value)),
      checkpoint((value: Tensor) => changing(value)),
    ])
      expect(() => part(parameter(tensor([[1]])))).toThrow(/"guarded" has a guard and assigns tensors, so it cannot be part of another/);
    expect(w.item()).toBe(before);
    expect(changing(tensor([1])).item()).toBe(1);
  });
});

describe("gradients", () => {
  const w = (): Tensor => parameter(tensor([1, 2]));

  it("accumulate over several backward() in one step", () => {
    const weight = w();
    const step = compile((value: Tensor) => {
      weight.zeroGrad();
      weight.mul(value).sum().backward();
      weight.square().sum().backward();
      return weight.grad as Tensor;
    });
    expect(step(tensor([10, 20])).toArray()).toEqual([12, 24]);
    expect(step(tensor([10, 20])).toArray()).toEqual([12, 24]);
  });

  it("that are there before the first call count as in eager", () => {
    const weight = w();
    weight.sum().backward();
    const step = compile(() => {
      weight.mul(3).sum().backward();
      return weight.grad as Tensor;
    });
    expect(step().toArray()).toEqual([4, 4]);
    // Eager would go on adding; the sum stayed inside, and that is said.
    expect(() => step()).toThrow(
      /backward adds to the gradient of shape \[2\], whose numbers stay inside "step".*zeroGrad\(\) in "step" before/s,
    );
    weight.zeroGrad();
    expect(step().toArray()).toEqual([3, 3]);
  });

  it("are forgotten by zeroGrad() in the step, whatever was there", () => {
    const weight = w();
    weight.sum().backward();
    const step = compile(() => {
      weight.zeroGrad();
      weight.mul(3).sum().backward();
      return weight.grad as Tensor;
    });
    expect([step().toArray(), step().toArray()]).toEqual([
      [3, 3],
      [3, 3],
    ]);
    expect(step.steps).toHaveLength(1);
  });

  it("stay inside: reading or adding to them outside is an error, never a wrong number", () => {
    const weight = w();
    const optimizer = sgd([weight], { learningRate: 1 });
    compile(() => {
      weight.zeroGrad();
      weight.sum().backward();
    })();
    expect(() => weight.grad?.toArray()).toThrow(/stay inside "step".*return weight\.grad/s);
    expect(() => optimizer.step()).toThrow(/sgd: step\(\) needs the gradient of .* stay inside "step".*call step\(\) in that function/s);
    expect(() => weight.sum().backward()).toThrow(
      /backward adds to the gradient of shape \[2\].* stay inside "step".*zeroGrad\(\) before backward/s,
    );
    weight.zeroGrad();
    weight.sum().backward();
    expect(weight.grad?.toArray()).toEqual([1, 1]);
  });

  it("are gone where the step ends with zeroGrad(), and may be made outside for a step inside", () => {
    const weight = w();
    const optimizer = sgd([weight], { learningRate: 1 });
    const update = compile(() => {
      optimizer.step();
      optimizer.zeroGrad();
    });
    for (let n = 1; n <= 3; n++) {
      weight.mul(n).sum().backward();
      update();
      expect(weight.grad).toBeUndefined();
    }
    expect(weight.toArray()).toEqual([-5, -4]);
  });

  it("of arguments can be returned", () => {
    const step = compile((value: Tensor) => {
      value.square().sum().backward();
      return value.grad as Tensor;
    });
    expect(step(tensor([1, 2], { requiresGrad: true })).toArray()).toEqual([2, 4]);
    expect(() => step(tensor([1, 2]))).toThrow(/requires a gradient/);
  });

  it("of gradients", () => {
    const step = compile((value: Tensor) => {
      value.pow(3).sum().backward(undefined, { createGraph: true });
      const first = value.grad as Tensor;
      value.zeroGrad();
      first.sum().backward();
      return value.grad as Tensor;
    });
    expectArray(step(tensor([1, 2], { requiresGrad: true })).data, [6, 12], "second derivative");
  });
});

describe("results", () => {
  it("are what the function returned then: old numbers, new numbers, views, inputs, nothing", () => {
    const w = tensor([1, 2]);
    const step = compile((value: Tensor) => {
      const before = w.detach();
      w.assign(w.add(value));
      return { before, view: before.reshape([2, 1]), after: w, input: value, inputView: value.reshape([1, 2]) };
    });
    const found = step(tensor([10, 20]));
    expect(Object.fromEntries(Object.entries(found).map(([name, value]) => [name, value.toArray()]))).toEqual({
      before: [1, 2],
      view: [[1], [2]],
      after: [11, 22],
      input: [10, 20],
      inputView: [[10, 20]],
    });
    const one = parameter(tensor([5]));
    const seed = compile(() => {
      one.zeroGrad();
      one.backward();
      return one.grad as Tensor;
    });
    expect(seed().toArray()).toEqual([1]);
    expect(compile(() => undefined)()).toBeUndefined();
    expect(compile((value: Tensor) => [value, value])(x).map((value) => value.toArray())).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it("keep their dtype: clone() of ints and bools", () => {
    const [ints, bools] = compile((n: Tensor, flags: Tensor) => [n.clone(), flags.clone()])(
      tensor([1, 2], { dtype: "int32" }),
      tensor([true, false]),
    ) as [Tensor, Tensor];
    expect([ints.dtype, bools.dtype, ints.toArray(), bools.toArray()]).toEqual(["int32", "bool", [1, 2], [1, 0]]);
  });

  it("float64 runs, on the reference backend", () => {
    const step = compile((value: Tensor) => value.div(3).sum());
    expect(step(tensor([1, 1], { dtype: "float64" })).item()).toBe(1 / 3 + 1 / 3);
  });
});

describe("checks at every run", () => {
  it("labels out of range: position and line, nothing updated, the next call works", () => {
    const { net, step, optimizer } = training(true);
    const bad = tensor([0, 1, 1, 7, 1, 0], { dtype: "int32" });
    step(batch(), labels);
    const before = net.stateDict();
    const random = uniform([1]).item();
    manualSeed(4);
    for (let n = 0; n < 2; n++) expect(() => step(batch(), bad)).toThrow(/class 7 at position 3 is out of range/);
    for (const [name, { data }] of net.stateDict()) expect(data).toEqual(before.get(name)?.data);
    expect(Object.values(optimizer.stateDict().steps)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(random).not.toBeNaN();
    step(batch(), labels);
  });

  it("at the first call too, and of tensors from outside when they change", () => {
    const table = parameter(uniform([5, 2]));
    const ids = tensor([0, 4], { dtype: "int32" });
    const step = compile(() => embedding(table, ids));
    expect(step().shape).toEqual([2, 2]);
    ids.assign(tensor([0, 5], { dtype: "int32" }));
    expect(() => step()).toThrow(/expected ids from 0 to 4.*got 5 at position 1/);
    ids.assign(tensor([3, 3], { dtype: "int32" }));
    expectArray(step().data, embedding(table, ids).data, "rows");
    expect(() => compile((rows: Tensor) => embedding(table, rows.reshape([2])))(tensor([[9], [0]], { dtype: "int32" }))).toThrow(
      /got 9 at position 0/,
    );
    expect(step.steps).toHaveLength(1);
  });

  it("another dtype is another trace, or an error that names it", () => {
    const step = compile((value: Tensor) => value.add(1));
    expect([step(x).dtype, step(tensor([1], { dtype: "int32" })).dtype]).toEqual(["float32", "int32"]);
  });
});

describe("guard", () => {
  it("a loss that is not finite updates nothing and counts no step; the next run goes on", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const w = parameter(tensor([1, 2, 3]));
      const mean = tensor([0, 0, 0]);
      const optimizer = adam([w], { learningRate: 0.1 });
      let runs = 0;
      const step = compile(
        (value: Tensor) => {
          onEachRun(() => void runs++);
          optimizer.zeroGrad();
          mean.assign(mean.add(value));
          const loss = w.mul(value).sum();
          loss.backward();
          optimizer.step();
          return { loss, doubled: w.mul(2) };
        },
        { guard: ({ loss }: { loss: Tensor }) => loss },
      );
      step(x);
      const [weights, state] = [w.toArray(), optimizer.stateDict()];
      expect(Number.isFinite(step(tensor([1, bad, 3])).loss.item())).toBe(false);
      expect([w.toArray(), mean.toArray(), runs]).toEqual([weights, [1, 2, 3], 2]);
      expect(optimizer.stateDict()).toEqual(state);
      step(x);
      expect(optimizer.stateDict().steps).toEqual({ 0: 2 });
      expect(w.toArray()).not.toEqual(weights);
    }
  });

  it("must be one number", () => {
    expect(() => compile((value: Tensor) => value, { guard: (value: Tensor) => value })(x)).toThrow(
      /guard must be one number, got shape \[3\]/,
    );
  });
});

describe("sharing", () => {
  it("one parameter in a training step and an evaluation step, and in eager code between", () => {
    const w = parameter(tensor([1]));
    const train = compile((value: Tensor) => {
      w.zeroGrad();
      const loss = w.mul(value).sum();
      loss.backward();
      noGrad(() => w.assign(w.sub(w.grad as Tensor)));
      return loss;
    });
    const evaluate = compile((value: Tensor) => w.mul(value));
    const found: number[] = [];
    for (let n = 0; n < 3; n++) found.push(train(tensor([1])).item(), evaluate(tensor([10])).item(), w.mul(100).item());
    expect(found).toEqual([1, 0, 0, 0, -10, -100, -1, -20, -200]);
  });

  it("by steps on two backends in turn", () => {
    const w = parameter(tensor([1, 1, 1, 1, 1]));
    const grow = compile(() => noGrad(() => w.assign(w.mul(2))));
    for (const name of [...availableBackends(), ...availableBackends()]) {
      setBackend(name);
      grow();
    }
    setBackend(original);
    expect(w.toArray()).toEqual(Array.from({ length: 5 }, () => 2 ** (2 * availableBackends().length)));
  });

  it("by two traces of one function for batches of two sizes", () => {
    const w = tensor([0]);
    const add = compile((value: Tensor) => w.assign(w.add(value.sum())));
    for (const values of [[1, 2], [3], [4, 5], [6]]) add(tensor(values));
    expect(w.item()).toBe(21);
    expect(add.steps).toHaveLength(2);
  });
});

it("manualSeed() inside a step seeds every run", () => {
  const step = compile(() => {
    manualSeed(5);
    return normal([3]);
  });
  expect(step().toArray()).toEqual(step().toArray());
});

it("conditions belong into where()", () => {
  const step = compile((value: Tensor) => where(value.sum().greater(0), value, value.neg()));
  expect([step(tensor([1])).toArray(), step(tensor([-1])).toArray()]).toEqual([[1], [1]]);
});

it("an empty batch runs", () => {
  const step = compile((value: Tensor) => value.mul(2).sum(0));
  expect(step(fromData(new Float32Array(0), [0, 3], "float32")).toArray()).toEqual([0, 0, 0]);
});
