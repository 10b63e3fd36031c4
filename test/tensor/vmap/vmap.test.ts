// vmap: equal to a loop over the examples for every kind of op, nested, differentiated from inside and outside, compiled; what it refuses.

import { describe, expect, it } from "vitest";
import {
  averagePool,
  bernoulli,
  compile,
  concat,
  dropout,
  einsum,
  embedding,
  grad,
  gradients,
  jacobian,
  layerNorm,
  manualSeed,
  maxPool,
  normal,
  oneHot,
  ones,
  parameter,
  scatterAdd,
  stack,
  type Tensor,
  tensor,
  uniform,
  vmap,
  where,
  zeros,
} from "../../../src/index.ts";
import { batchNorm } from "../../../src/nn/index.ts";
import { messageOf, onEveryBackend } from "../support.ts";

const ids = tensor(Int32Array.of(2, 0, 3, 1, 1, 0), [3, 2]);

/** Functions of one example x [4, 6] and of what all examples share, w [6, 5]. */
const functions: Readonly<Record<string, (x: Tensor, w: Tensor, id: Tensor) => Tensor>> = {
  pointwise: (x) => x.mul(2).add(x.sin()).div(x.square().add(1)),
  "broadcast against what is shared": (x, w) => x.add(w.slice(null, 0)),
  "what is shared only": (_, w) => w.exp(),
  matmul: (x, w) => x.matmul(w),
  "matmul of a vector": (x, w) => x.slice(1).matmul(w),
  "matmul of examples with each other": (x) => x.matmul(x.transpose()),
  "sum over an axis": (x) => x.sum(1),
  "negative axes": (x) => x.max(-1, { keepDims: true }).add(x.mean(-2, { keepDims: true })),
  "the whole sum": (x) => x.sum(),
  variance: (x) => x.variance(0),
  std: (x) => x.std(0),
  norm: (x) => x.norm(0),
  argmax: (x) => x.argmax(0).to("float32"),
  "product over an axis": (x) => x.prod(0),
  softmax: (x) => x.softmax(-1).log(),
  logSumExp: (x) => x.logSumExp(0),
  layerNorm: (x) => layerNorm(x, ones([6]), zeros([6])),
  reshape: (x) =>
    x
      .reshape([2, 12])
      .transpose()
      .mul(x.reshape([12, 2])),
  "slice and flip": (x) => x.slice([1, 3], [null, null, -2]).flip(0),
  pad: (x) =>
    x.pad(
      [
        [1, 0],
        [0, 2],
      ],
      3,
    ),
  "concat and stack": (x, w) => stack([concat([x, x.slice([0, 1])]).sum(0), w.sum(1)]),
  split: (x) => (x.split(2)[1] as Tensor).mul(x.split(2)[0] as Tensor),
  "take at own positions": (x, _, id) => x.take(id),
  "gather at own positions": (x, _, id) =>
    x.gather(
      id
        .reshape([2, 1])
        .broadcastTo([2, 1])
        .reshape([1, 2])
        .broadcastTo([1, 2])
        .reshape([2, 1])
        .pad([
          [0, 2],
          [0, 0],
        ]),
    ),
  "embedding of own ids": (_, w, id) => embedding(w, id),
  oneHot: (_, __, id) => oneHot(id, 4),
  scatter: (x, _, id) => scatterAdd(x.slice([0, 2]), id, 5),
  where: (x) => where(x.greater(0), x, x.mul(0.1)),
  einsum: (x, w) => einsum("ij,jk->k", x, w),
  pooling: (x) => maxPool(x.reshape([1, 1, 4, 6]), 2).add(averagePool(x.reshape([1, 1, 4, 6]), 2, { stride: 2 })),
  "clone and detach": (x) => x.clone().add(x.detach()),
};

function close(actual: Tensor, expected: Tensor, tolerance = 2e-6): void {
  expect(actual.shape).toEqual(expected.shape);
  Array.from(expected.data).forEach((value, n) => {
    expect(Math.abs((actual.data[n] as number) - value), `element ${n}`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(value)));
  });
}

onEveryBackend("vmap", () => {
  it.each(Object.keys(functions))("equals a loop: %s", (name) => {
    const fn = functions[name] as (x: Tensor, w: Tensor, id: Tensor) => Tensor;
    manualSeed(1);
    const [x, w] = [normal([3, 4, 6]), normal([6, 5])];
    const loop = (a: Tensor, b: Tensor): Tensor => stack([0, 1, 2].map((n) => fn(a.slice(n), b, ids.slice(n))));
    const all = vmap(fn, { inputs: [0, null, 0] });
    close(all(x, w, ids), loop(x, w));
    close(compile((a: Tensor, b: Tensor, i: Tensor) => all(a, b, i))(x, w, ids), loop(x, w));
    const along = vmap(fn, { inputs: [-1, null, 1] });
    close(along(x.transpose([1, 2, 0]), w, ids.transpose()), loop(x, w));
    const weights = normal(loop(x, w).shape);
    const both = (a: Tensor, b: Tensor, run: (a: Tensor, b: Tensor) => Tensor): Tensor[] =>
      grad((p: readonly Tensor[]) =>
        run(p[0] as Tensor, p[1] as Tensor)
          .mul(weights)
          .sum(),
      )([a, b]) as Tensor[];
    const expected = both(x, w, loop);
    both(x, w, (a, b) => all(a, b, ids)).forEach((found, n) => {
      close(found, expected[n] as Tensor, 1e-5);
    });
    const own = vmap(
      grad((a: Tensor, b: Tensor, i: Tensor) => fn(a, b, i).square().sum(), { argument: [0, 1] }),
      { inputs: [0, null, 0] },
    );
    own(x, w, ids).forEach((found, n) => {
      const each = [0, 1, 2].map(
        (k) => grad((a: Tensor, b: Tensor) => fn(a, b, ids.slice(k)).square().sum(), { argument: [0, 1] })(x.slice(k), w)[n],
      );
      close(found, stack(each as Tensor[]), 1e-5);
    });
  });

  it("puts the examples where outputs says", () => {
    const [x, w] = [normal([3, 4, 6]), normal([6, 5])];
    const fn = (a: Tensor, b: Tensor): { product: Tensor; both: Tensor[]; shared: Tensor } => ({
      product: a.matmul(b),
      both: [a.sum(0), a.exp()],
      shared: b.tanh(),
    });
    const each = [0, 1, 2].map((n) => fn(x.slice(n), w));
    const run = (a: Tensor, b: Tensor): Tensor[] => {
      const { product, both, shared } = vmap(fn, { inputs: [0, null], outputs: { product: 2, both: -1, shared: null } })(a, b);
      return [product, ...both, shared];
    };
    const expected = [
      stack(
        each.map(({ product }) => product),
        2,
      ),
      stack(
        each.map(({ both }) => both[0] as Tensor),
        1,
      ),
      stack(
        each.map(({ both }) => both[1] as Tensor),
        2,
      ),
      w.tanh(),
    ];
    for (const found of [run(x, w), compile(run)(x, w)])
      found.forEach((tensor, n) => {
        close(tensor, expected[n] as Tensor);
      });
    const weights = expected.map(({ shape }) => normal(shape));
    const weighted = (results: readonly Tensor[]): Tensor =>
      results.map((result, n) => result.mul(weights[n] as Tensor).sum()).reduce((a, b) => a.add(b));
    const loop = (a: Tensor, b: Tensor): Tensor[] => {
      const made = [0, 1, 2].map((n) => fn(a.slice(n), b));
      const along = (pick: (one: ReturnType<typeof fn>) => Tensor, axis: number): Tensor => stack(made.map(pick), axis);
      return [
        along(({ product }) => product, 2),
        along(({ both }) => both[0] as Tensor, 1),
        along(({ both }) => both[1] as Tensor, 2),
        b.tanh(),
      ];
    };
    const wanted = grad((p: readonly Tensor[]) => weighted(loop(p[0] as Tensor, p[1] as Tensor)))([x, w]) as Tensor[];
    (grad((p: readonly Tensor[]) => weighted(run(p[0] as Tensor, p[1] as Tensor)))([x, w]) as Tensor[]).forEach((found, n) => {
      close(found, wanted[n] as Tensor, 1e-5);
    });
    // Inner maps put their examples in place within one example of the outer map.
    const [a, b] = [normal([3, 4]), normal([5, 4])];
    const table = vmap((row: Tensor) => vmap((other: Tensor) => row.mul(other), { outputs: 1 })(b), { outputs: -1 })(a);
    close(table, a.unsqueeze(1).mul(b.unsqueeze(0)).transpose([2, 1, 0]));
    const [list] = vmap((row: Tensor) => [row.exp()], { outputs: [1] })(a);
    close(list as Tensor, a.exp().transpose());
  });

  it("nests", () => {
    const [a, b] = [normal([3, 4]), normal([5, 4])];
    const products = vmap((x: Tensor) => vmap((y: Tensor) => x.mul(y).sum())(b))(a);
    close(products, a.matmul(b.transpose()));
    const table = vmap(
      vmap((x: Tensor, y: Tensor) => x.sub(y).square().sum(), { inputs: [null, 0] }),
      { inputs: [0, null] },
    )(a, b);
    const expected = a.unsqueeze(1).sub(b.unsqueeze(0)).square().sum(2);
    close(table, expected, 1e-5);
    const pull = (run: (x: Tensor) => Tensor): Tensor => grad((x: Tensor) => run(x).square().sum())(a);
    close(
      pull((x) => vmap((one: Tensor) => vmap((y: Tensor) => one.mul(y).sum())(b))(x)),
      pull((x) => x.matmul(b.transpose())),
      1e-5,
    );
  });

  it("may lie inside what is differentiated by vmap", () => {
    const x = normal([2, 3]);
    const rows = (at: Tensor): Tensor => vmap((row: Tensor) => row.softmax().mul(row.sum()))(at);
    const plain = (at: Tensor): Tensor => at.softmax(1).mul(at.sum(1, { keepDims: true }));
    close(jacobian(rows)(x), jacobian(plain)(x), 1e-5);
    const second = (run: (at: Tensor) => Tensor): Tensor => jacobian((at) => grad((point: Tensor) => run(point).square().sum())(at))(x);
    close(second(rows), second(plain), 1e-5);
  });

  it("sums the gradients of what all examples share with those from outside the map", () => {
    const w = parameter(tensor([1, 2]));
    const x = tensor([
      [1, 1],
      [2, 3],
      [0, 5],
    ]);
    const mapped = vmap((row: Tensor) => row.mul(w).add(w).sum())(x);
    const [found] = gradients(mapped.sum().add(w.square().sum()), [w]) as [Tensor];
    expect(found.toArray()).toEqual([3 + 3 + 2, 9 + 3 + 4]);
    mapped.sum().backward();
    expect(w.grad?.toArray()).toEqual([6, 12]);
  });

  it("draws other random numbers for every example, the same in backward, and the same compiled", () => {
    const x = ones([4, 50]);
    const noise = vmap((_: Tensor) => uniform([50]))(x);
    expect(noise.shape).toEqual([4, 50]);
    expect(new Set(noise.data).size).toBeGreaterThan(195);
    manualSeed(7);
    const kept = vmap((row: Tensor) => dropout(row, 0.5))(x);
    expect(kept.slice(0).toArray()).not.toEqual(kept.slice(1).toArray());
    manualSeed(7);
    expect(compile((a: Tensor) => vmap((row: Tensor) => dropout(row, 0.5))(a))(x).toArray()).toEqual(kept.toArray());
    manualSeed(7);
    expect(vmap(grad((row: Tensor) => dropout(row, 0.5).sum()))(x).toArray()).toEqual(kept.toArray());
    manualSeed(7);
    expect(grad((a: Tensor) => vmap((row: Tensor) => dropout(row, 0.5))(a).sum())(x).toArray()).toEqual(kept.toArray());
    manualSeed(7);
    const shared = ones([50]);
    const outside = grad((w: Tensor) => vmap((row: Tensor) => dropout(w, 0.5).mul(row))(x).sum())(shared);
    close(outside, kept.sum(0));
    expect(vmap((_: Tensor) => vmap((__: Tensor) => bernoulli([8]))(zeros([3])))(zeros([2])).shape).toEqual([2, 3, 8]);
  });

  it("draws no numbers anew for the one-hot gradients of a Jacobian, outside of a map and inside", () => {
    const diagonal = (values: readonly number[]): number[][] => values.map((value, n) => values.map((_, m) => (n === m ? value : 0)));
    for (const noisy of [(x: Tensor) => dropout(x, 0.5), compile((x: Tensor) => dropout(x, 0.5)) as (x: Tensor) => Tensor]) {
      manualSeed(7);
      const kept = dropout(ones([40]), 0.5).toArray() as number[];
      manualSeed(7);
      expect(jacobian(noisy)(ones([40])).toArray()).toEqual(diagonal(kept));
      const x = ones([3, 20]);
      manualSeed(7);
      const rows = vmap(noisy)(x).toArray() as number[][];
      manualSeed(7);
      expect(vmap((row: Tensor) => jacobian(noisy)(row))(x).toArray()).toEqual(rows.map(diagonal));
    }
  });

  it("runs compiled functions as part of the map", () => {
    const inner = compile((row: Tensor) => row.mul(2).sum());
    expect(
      vmap((row: Tensor) => inner(row))(
        tensor([
          [1, 2],
          [3, 4],
        ]),
      ).toArray(),
    ).toEqual([6, 14]);
  });
});

describe("what vmap refuses", () => {
  const x = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  it.each([
    ["an axis out of range", () => vmap((a: Tensor) => a, { inputs: [2] })(x), /argument 0: axis 2 does not exist/],
    [
      "different numbers of examples",
      () => vmap((a: Tensor, b: Tensor) => a.add(b))(x, tensor([1, 2])),
      /argument 0 has 3 examples, argument 1 has 2/,
    ],
    ["no mapped argument", () => vmap((a: Tensor) => a, { inputs: [null] })(x), /none of the arguments is mapped/],
    ["an output axis out of range", () => vmap((a: Tensor) => a, { outputs: 2 })(x), /function's result: axis 2 does not exist/],
    ["axes for other results", () => vmap((a: Tensor) => [a, a], { outputs: [0] })(x), /axes for 0, the function's result is 0, 1/],
    ["axes for a single result", () => vmap((a: Tensor) => a, { outputs: { a: 0 } })(x), /axes for a, the function's result is one tensor/],
    ["what differs as the same for all", () => vmap((a: Tensor) => a, { outputs: null })(x), /shape \[2\] differs between examples/],
    ["reading numbers", () => vmap((a: Tensor) => a.mul(a.sum().item()))(x), /numbers of a tensor were read inside vmap/],
    ["other results", () => vmap((_: Tensor) => 3 as unknown as Tensor)(x), /result: expected a tensor.* got number/],
    ["shapes that do not fit one example", () => vmap((a: Tensor) => a.matmul(ones([3, 2])))(x), /2 and 3 differ/],
    [
      "backward()",
      () =>
        vmap((a: Tensor) => {
          const w = parameter(ones([2]));
          outer.mul(a).mul(w).sum().backward();
          return a;
        })(x),
      /one gradient per example/,
    ],
    ["ids out of range", () => vmap((i: Tensor) => embedding(x, i))(tensor(Int32Array.of(0, 3))), /expected ids from 0 to 2 .* got 3/],
    ["moving statistics", () => vmap((a: Tensor) => norm(a.reshape([2, 1])).sum())(x), /cannot be assigned what differs/],
  ])("%s", (_, run, message) => {
    expect(messageOf(run)).toMatch(message);
  });
  const outer = parameter(ones([2]));
  const norm = batchNorm(1);
});
