// Checkpoints: the same numbers as without, eagerly, compiled, nested and mapped; side effects once; less memory.

import { describe, expect, it } from "vitest";
import {
  checkpoint,
  compile,
  dropout,
  grad,
  manualSeed,
  normal,
  parameter,
  randomState,
  type Tensor,
  tensor,
  vmap,
} from "../../../src/index.ts";
import { batchNorm } from "../../../src/nn/index.ts";
import { messageOf, onEveryBackend } from "../support.ts";

type Wrap = (fn: (x: Tensor) => Tensor) => (x: Tensor) => Tensor;
const plainly: Wrap = (fn) => fn;

interface Deep {
  readonly weights: readonly Tensor[];
  readonly run: (x: Tensor, wrap: Wrap) => Tensor;
}

/** A multilayer perceptron in segments of some layers each. */
function deep(size: number, layers: number, perSegment: number): Deep {
  manualSeed(5);
  const weights = Array.from({ length: layers }, () => parameter(normal([size, size]).mul(1 / Math.sqrt(size))));
  const run = (x: Tensor, wrap: Wrap): Tensor => {
    let at = x;
    for (let first = 0; first < layers; first += perSegment)
      at = wrap((input) => weights.slice(first, first + perSegment).reduce((h, w) => h.matmul(w).tanh(), input))(at);
    return at.square().mean();
  };
  return { weights, run };
}

function gradientsBy(weights: readonly Tensor[], run: () => Tensor): Tensor[] {
  for (const weight of weights) weight.zeroGrad();
  run().backward();
  return weights.map((weight) => weight.grad as Tensor);
}

/** Sums may be taken in another order. */
function expectClose(actual: Tensor, expected: Tensor): void {
  actual.data.forEach((value, n) => {
    const wanted = expected.data[n] as number;
    expect(Math.abs(value - wanted), `element ${n}`).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(wanted)));
  });
}

onEveryBackend("checkpoint", () => {
  it("gives the same values and gradients, also compiled and nested", () => {
    const { weights, run } = deep(8, 6, 3);
    const x = normal([4, 8]);
    const nested: Wrap = (fn) => checkpoint((at: Tensor) => checkpoint(fn)(at));
    const expected = gradientsBy(weights, () => run(x, plainly)).map((gradient) => gradient.toArray());
    for (const wrap of [checkpoint as Wrap, nested]) {
      expect(run(x, wrap).item()).toBe(run(x, plainly).item());
      expect(gradientsBy(weights, () => run(x, wrap)).map((gradient) => gradient.toArray())).toEqual(expected);
      const step = compile((at: Tensor) => gradientsBy(weights, () => run(at, wrap)));
      step(x).forEach((gradient, n) => {
        const numbers = (expected[n] as number[][]).flat();
        gradient.data.forEach((value, place) => {
          expect(value).toBeCloseTo(numbers[place] as number, 5);
        });
      });
    }
  });

  it("draws the same random numbers again, and as many as without", () => {
    const w = parameter(normal([20, 20]));
    const x = normal([4, 20]);
    const block = (at: Tensor): Tensor => dropout(dropout(at.matmul(w)).tanh(), 0.3);
    const measure = (wrap: Wrap): readonly [gradient: Tensor, state: unknown] => {
      manualSeed(11);
      const [gradient] = gradientsBy([w], () => wrap(wrap(block))(x).add(wrap(block)(x)).square().sum()) as [Tensor];
      return [gradient, randomState()];
    };
    const expected = measure(plainly);
    const [gradient, state] = measure(checkpoint as Wrap);
    expect(state).toEqual(expected[1]);
    expectClose(gradient, expected[0]);
    const compiled = (wrap: Wrap): readonly Tensor[] => {
      const step = compile((at: Tensor) => gradientsBy([w], () => wrap(block)(at).square().sum())[0] as Tensor);
      manualSeed(11);
      return [step(x), step(x)];
    };
    const plain = compiled(plainly);
    compiled(checkpoint as Wrap).forEach((found, n) => {
      expectClose(found, plain[n] as Tensor);
    });
  });

  it("moves running statistics once", () => {
    const measure = (wrap: Wrap, isCompiled: boolean): unknown[] => {
      const norm = batchNorm(3);
      const x = tensor([
        [1, 2, 3],
        [5, 1, 0],
        [2, 2, 7],
      ]);
      const step = (at: Tensor): Tensor => {
        const weights = [...norm.namedParameters().values()];
        return gradientsBy(weights, () => wrap((input) => norm(input).tanh())(at).sum())[0] as Tensor;
      };
      const gradient = (isCompiled ? compile(step) : step)(x);
      return [gradient.toArray(), ...[...norm.stateDict().values()].map((buffer) => buffer.toArray())];
    };
    for (const isCompiled of [false, true]) expect(measure(checkpoint as Wrap, isCompiled)).toEqual(measure(plainly, isCompiled));
  });

  it("takes and gives several tensors, some of which it did not make", () => {
    const [a, b] = [parameter(tensor([1, 2])), parameter(tensor([3, 4]))];
    const pair = checkpoint((p: Tensor, q: Tensor, factor: number) => ({ product: p.mul(q).mul(factor), sum: p.add(q), q }));
    const { product, sum, q } = pair(a, b, 2);
    expect(q).toBe(b);
    product.add(sum.square()).sum().backward();
    expect([a.grad?.toArray(), b.grad?.toArray()]).toEqual([
      [14, 20],
      [10, 16],
    ]);
  });

  it("gives results of several dtypes", () => {
    const numbers = Array.from({ length: 40 }, (_, n) => n / 7 - 2);
    const [single, double] = [parameter(tensor(numbers)), parameter(tensor(numbers, [40], { dtype: "float64" }))];
    const measure = (wrap: (fn: (a: Tensor, b: Tensor) => readonly Tensor[]) => (a: Tensor, b: Tensor) => readonly Tensor[]): unknown => {
      manualSeed(4);
      for (const weight of [single, double]) weight.zeroGrad();
      const run = wrap((a, b) => {
        const [p, q] = [dropout(a.tanh()), dropout(b.square())];
        return [p.exp(), q, p.mul(3), q.sin(), a.greater(0)];
      });
      const results = run(single, double);
      const [x, y, z, w] = results as [Tensor, Tensor, Tensor, Tensor];
      x.mul(z).sum().backward();
      y.mul(w).sum().backward();
      return [results.map(({ dtype }) => dtype), ...[...results, single.grad, double.grad].map((value) => value?.toArray())];
    };
    const found = measure(checkpoint);
    expect(found).toEqual(measure((fn) => fn));
    expect((found as readonly unknown[])[0]).toEqual(["float32", "float64", "float32", "float64", "bool"]);
  });

  it("has second derivatives, and lies in and around other functions of functions", () => {
    const cube = checkpoint((x: Tensor) => x.mul(x).mul(x).sum());
    const second = (x: Tensor): Tensor => grad((at: Tensor) => grad(cube)(at).sum())(x);
    expect(second(tensor([2, -1])).toArray()).toEqual([12, -6]);
    const rows = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(vmap(grad(cube))(rows).toArray()).toEqual([
      [3, 12],
      [27, 48],
    ]);
    expect(grad((x: Tensor) => vmap(cube)(x).sum())(rows).toArray()).toEqual([
      [3, 12],
      [27, 48],
    ]);
    expect(grad(checkpoint((x: Tensor) => vmap((row: Tensor) => row.square().sum())(x).sum()))(rows).toArray()).toEqual([
      [2, 4],
      [6, 8],
    ]);
    const noisy = (wrap: Wrap): unknown => {
      manualSeed(2);
      return grad((x: Tensor) => vmap(wrap((row) => dropout(row.exp()).sum()))(x).sum())(rows).toArray();
    };
    expect(noisy(checkpoint as Wrap)).toEqual(noisy(plainly));
  });
});

describe("checkpoint", () => {
  it("needs less memory in a compiled step of a deep network", () => {
    const { weights, run } = deep(32, 24, 4);
    const x = normal([512, 32]);
    const bytes = (wrap: Wrap): number => {
      const step = compile((at: Tensor) => gradientsBy(weights, () => run(at, wrap)));
      step(x);
      return step.steps[0]?.memory.bytes as number;
    };
    const [before, after] = [bytes(plainly), bytes(checkpoint as Wrap)];
    // 24 activations of 64 KiB; with checkpoints 6 of them, and 4 of the segment that is computed again.
    expect(after).toBeLessThan(0.6 * before);
  });

  it("refuses functions that give no tensors", () => {
    expect(messageOf(() => checkpoint((() => 1) as unknown as (x: Tensor) => Tensor)(tensor([1])))).toMatch(
      /expected a tensor.* got number/,
    );
  });
});
