// Programs of many ops: expressions that passes make stay shallow enough for any stack, compilation takes time in proportion, long tapes run back.

import { afterAll, describe, expect, it, vi } from "vitest";
import { mergeOperations } from "../../src/compiler/merge.ts";
import { Dataset } from "../../src/data/index.ts";
import {
  availableBackends,
  compile,
  concat,
  defineOp,
  getBackend,
  linear as linearOf,
  noGrad,
  parameter,
  relu,
  setBackend,
  type Tensor,
  tensor,
  where,
} from "../../src/index.ts";
import { depthOf, expressionsOf, MOST_DEPTH, type StepGraph, unitsOf } from "../../src/nest/step-graph.ts";
import { linear, meanSquaredError } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { fit } from "../../src/train/index.ts";
import { expectArray } from "./support.ts";

const original = getBackend().name;
afterAll(() => setBackend(original));

const others = Array.from({ length: 20 }, (_, n) => tensor([0.5 + n / 40, 0.3, 0.2, 0.9]) as Tensor);
const deep = defineOp(`y = ${"tanh(".repeat(20)}x${")".repeat(20)}`);
const LINKS: Readonly<Record<string, (y: Tensor, n: number) => Tensor>> = {
  "mul · add": (y, n) => y.mul(1.0001 + n * 1e-6).add(0.001),
  tanh: (y) => y.tanh(),
  "y · y": (y) => y.mul(y).add(0.4),
  "many tensors": (y, n) => y.mul(others[n % 20] as Tensor).add(others[(n + 7) % 20] as Tensor),
  where: (y) => where(y.greater(0.2), y.mul(0.9), y.add(0.1)),
  "a sum of all": (y) => y.sub(y.sum().mul(1e-3)),
  softmax: (y) => y.softmax(),
  slices: (y) => y.pad([[1, 1]]).slice([1, -1]),
  concat: (y) => concat([y, y.slice([0, 1])]).slice([1, null]),
  take: (y) => y.take([1, 2, 3, 0]),
  "take by numbers": (y) => y.take(y.mul(2).clip(0, 3).to("int32")),
  reshape: (y, n) => y.reshape(n % 2 ? [4] : [2, 2]),
  bfloat16: (y) => y.to("bfloat16").mul(0.99).to("float32"),
  relu: (y) => relu(y.sub(1e-4)),
  linear: (y) =>
    linearOf(y.reshape([1, 4]), LINEAR)
      .tanh()
      .reshape([4]),
  "a deep formula": (y) => deep(y),
};
const LINEAR = tensor(Array.from({ length: 4 }, (_, i) => Array.from({ length: 4 }, (_, j) => ((i * 4 + j) % 5) / 10))) as Tensor;

/** Long enough that joined steps, or one expression of all, would be deeper. */
const LENGTH = 300;

const chain = (link: (y: Tensor, n: number) => Tensor, count: number) => (x: Tensor) => {
  let y = x;
  for (let n = 0; n < count; n++) y = link(y, n);
  return y;
};

describe("no expression of a kernel is deeper than passes may make it", () => {
  it.each(Object.entries(LINKS))("%s, forward and back", (kind, link) => {
    const x = parameter(tensor([0.1, 0.2, 0.3, 0.4])) as Tensor;
    for (const differentiates of [false, true]) {
      const graphs: StepGraph[] = [];
      const step = (value: Tensor): Tensor => {
        x.zeroGrad();
        const y = chain(link, LENGTH)(x).sum().add(value);
        if (differentiates) y.backward();
        return differentiates ? (x.grad as Tensor) : y;
      };
      setBackend("reference");
      // Only the graph is looked at: no machine runs it.
      const seen = new Error("seen");
      const stop = (name: string, graph: StepGraph): void => {
        graphs.push(graph);
        if (name === "join") throw seen;
      };
      expect(() => compile(step, { onPass: stop })(tensor(0) as Tensor)).toThrow(seen);
      const kernels = unitsOf(graphs.at(-1) as StepGraph).flatMap(({ kernels: all }) => all);
      const deepest = kernels
        .map(mergeOperations)
        .flatMap(({ nest }) => [nest, ...(nest.joined ?? []).map((result) => ({ ...nest, ...result }))])
        .flatMap((nest) => expressionsOf(nest).map(depthOf));
      expect(Math.max(...deepest)).toBeLessThanOrEqual(MOST_DEPTH);
      // Fusion still does its work.
      if (kind === "mul · add" && !differentiates) expect(kernels.length).toBeLessThan(LENGTH / 10);
    }
  });
});

describe("long chains run", () => {
  const cases: readonly (readonly [string, keyof typeof LINKS, number])[] = [
    ["x64", "mul · add", 1000],
    ["wasm", "tanh", 3000],
    ["reference", "mul · add", 500],
    ["wasm", "where", 300],
  ];
  it.each(cases.filter(([backend]) => availableBackends().includes(backend as "x64")))("on %s, %s × %i", (backend, kind, count) => {
    setBackend(backend as "x64");
    const f = chain(LINKS[kind] as (y: Tensor, n: number) => Tensor, count);
    const x = tensor([0.1, 0.2, 0.3, 0.4]) as Tensor;
    noGrad(() => expectArray(compile(f)(x).data, f(x).data, kind as string));
    setBackend(original);
  });

  it("back over a tape of 100 000 ops", () => {
    const x = parameter(tensor([1, 2])) as Tensor;
    chain(
      (y) => y.neg(),
      100_000,
    )(x)
      .sum()
      .backward();
    expect(x.grad?.toArray()).toEqual([1, 1]);
  });
});

describe("where the stack does not suffice", () => {
  const overflow = (): never => {
    throw new RangeError("Maximum call stack size exceeded");
  };

  it("compile() says so", () => {
    const step = compile((x: Tensor) => x.mul(2), { name: "mine", onPass: (name) => void (name === "fuse" && overflow()) });
    expect(() => step(tensor([1]))).toThrow(/not enough stack left to compile "mine".*shallower/s);
  });

  it("fit goes on op by op, and says so once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const backend = getBackend();
    const { compile: compiled } = backend;
    const compiling = vi
      .spyOn(backend, "compile")
      .mockImplementation((plan) => (plan.graph.cells.length > 0 ? overflow() : compiled.call(backend, plan)));
    try {
      const net = linear(2, 1);
      const data = new Dataset({
        x: tensor([
          [1, 2],
          [3, 4],
          [5, 6],
        ]) as Tensor,
        y: tensor([[1], [2], [3]]) as Tensor,
      });
      const { history } = await fit(net, data, {
        loss: meanSquaredError,
        optimizer: sgd(net.parameters(), { learningRate: 0.01 }),
        epochs: 2,
        batchSize: 1,
      });
      expect(history).toHaveLength(2);
      expect(warn.mock.calls.flat()).toEqual([expect.stringMatching(/fit runs its steps op by op.*not enough stack left/s)]);
    } finally {
      warn.mockRestore();
      compiling.mockRestore();
    }
  });
});
