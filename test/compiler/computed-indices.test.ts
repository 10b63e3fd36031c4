// Indices, labels and limits that a compiled step computes are checked by the step: the same sentence as without compile, before anything is updated.

import { expect, it } from "vitest";
import { compile, embedding, oneHot, parameter, scatterAdd, type Tensor, tensor, vmap } from "../../src/index.ts";
import {
  binaryCrossEntropy,
  cosineEmbeddingLoss,
  crossEntropy,
  ctcLoss,
  gaussianNegativeLogLikelihood,
  hingeLoss,
  multiClassHingeLoss,
  negativeLogLikelihood,
} from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { onEveryBackend } from "../tensor/support.ts";

interface Case {
  /** Numbers that are right, and some that are not. */
  readonly good: readonly number[];
  readonly bad: readonly number[];
  readonly shape?: readonly number[];
  readonly dtype?: "int32" | "float32";
  /** Makes a number of weights [4, 3] and what was given. */
  readonly use: (w: Tensor, given: Tensor) => Tensor;
}

const cases: Readonly<Record<string, Case>> = {
  take: { good: [0, 3], bad: [0, 4], use: (w, ids) => w.take(ids).sum() },
  "take along the last": { good: [0, 2], bad: [-1, 0], use: (w, ids) => w.take(ids, 1).sum() },
  "take by floats": { good: [0, 3], bad: [0, 1.5], dtype: "float32", use: (w, ids) => w.take(ids).sum() },
  "take by NaN": { good: [0, 3], bad: [Number.NaN, 1], dtype: "float32", use: (w, ids) => w.take(ids).sum() },
  gather: { good: [0, 1, 2, 0], bad: [0, 1, 3, 0], shape: [4, 1], use: (w, ids) => w.gather(ids, 1).sum() },
  embedding: { good: [1, 3, 0], bad: [1, 3, -5], use: (w, ids) => embedding(w, ids).square().sum() },
  "embedding by floats": { good: [1, 3, 0], bad: [1, 2 ** 32, 0], dtype: "float32", use: (w, ids) => embedding(w, ids).sum() },
  oneHot: { good: [0, 2], bad: [3, 2], use: (w, ids) => oneHot(ids, 3).matmul(w.transpose()).sum() },
  scatterAdd: { good: [0, 4, 2, 2], bad: [0, 5, 2, 2], use: (w, ids) => scatterAdd(w, ids, 5).square().sum() },
  crossEntropy: { good: [0, 1, 2, 2], bad: [0, 1, -1, 2], use: (w, t) => crossEntropy(w, t) },
  "crossEntropy of floats": { good: [0, 1, 2, 2], bad: [0, 0.5, 1, 2], dtype: "float32", use: (w, t) => crossEntropy(w, t) },
  "crossEntropy with ignoreIndex": { good: [0, -1, 2, 2], bad: [0, -1, -2, 2], use: (w, t) => crossEntropy(w, t, { ignoreIndex: -1 }) },
  "crossEntropy with weights": {
    good: [0, 1, 2, 2],
    bad: [0, 1, 7, 2],
    use: (w, t) => crossEntropy(w, t, { weights: tensor([1, 2, 3]) }),
  },
  negativeLogLikelihood: { good: [0, 1, 2, 2], bad: [0, 3, 2, 2], use: (w, t) => negativeLogLikelihood(w.logSoftmax(), t) },
  multiClassHingeLoss: { good: [0, 1, 2, 2], bad: [0, 1, 2, 3], use: (w, t) => multiClassHingeLoss(w, t) },
  hingeLoss: { good: [1, -1, 1, -1], bad: [1, 0, 1, -1], use: (w, t) => hingeLoss(w.sum(1), t) },
  cosineEmbeddingLoss: { good: [1, -1, 1, -1], bad: [1, -1, 2, -1], use: (w, t) => cosineEmbeddingLoss(w, w.square(), t) },
  "binaryCrossEntropy of predictions": {
    good: [0.5, 0, 1, Number.NaN],
    bad: [0.5, 0, 1.5, 1],
    dtype: "float32",
    use: (w, p) => binaryCrossEntropy(p, p.mul(0)).add(w.sum()),
  },
  gaussianNegativeLogLikelihood: {
    good: [1, 2, 3, 0],
    bad: [1, 2, -3, 1],
    dtype: "float32",
    use: (w, v) => gaussianNegativeLogLikelihood(w.sum(1), w.sum(1).detach(), v),
  },
  "ctcLoss labels": {
    good: [1, 2],
    bad: [1, 3],
    shape: [1, 2],
    use: (w, labels) => ctcLoss(w.logSoftmax().reshape([1, 4, 3]), labels, { time: [4], labels: [2] }),
  },
  "ctcLoss blank": {
    good: [1, 2],
    bad: [1, 0],
    shape: [1, 2],
    use: (w, labels) => ctcLoss(w.logSoftmax().reshape([1, 4, 3]), labels, { time: [4], labels: [2] }),
  },
  "ctcLoss lengths": {
    good: [2],
    bad: [3],
    use: (w, counts) => ctcLoss(w.logSoftmax().reshape([1, 4, 3]), tensor([[1, 2]], { dtype: "int32" }), { time: [4], labels: counts }),
  },
  "take inside vmap": {
    good: [0, 1, 2, 3],
    bad: [0, 1, 2, 4],
    shape: [2, 2],
    use: (w, ids) => vmap((row: Tensor) => w.take(row).sum())(ids).sum(),
  },
};

const start = Float32Array.from({ length: 12 }, (_, n) => Math.sin(n));

/** The message of whatever a function throws; undefined where it throws nothing. */
function thrown(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    // Where it was thrown is told apart from what it says.
    return (error as Error).message.replace(/ \(in [^)]*\)/g, "");
  }
  return undefined;
}

function expectNear(found: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(found.length).toBe(wanted.length);
  for (let n = 0; n < wanted.length; n++) {
    if (Number.isNaN(wanted[n])) expect(found[n]).toBeNaN();
    else expect(found[n]).toBeCloseTo(wanted[n] as number, 4);
  }
}

onEveryBackend("what a step computes", () => {
  it.each(Object.entries(cases))("%s", (_, { good, bad, shape = [good.length], dtype = "int32", use }) => {
    const given = (numbers: readonly number[]): Tensor => tensor([...numbers], shape, { dtype });
    for (const makeOptimizer of [sgd, adam]) {
      const train = () => {
        const w = parameter(tensor(start.slice(), [4, 3]));
        const optimizer = makeOptimizer([w], { learningRate: 0.1 });
        const step = (x: Tensor): Tensor => {
          optimizer.zeroGrad();
          // Computed, so that nothing is known of it before the run.
          const loss = use(w, x.mul(tensor(1, { dtype }).add(0)));
          loss.backward();
          optimizer.step();
          return loss;
        };
        return { w, optimizer, step };
      };
      const [eager, compiled] = [train(), train()];
      const run = compile(compiled.step);
      expectNear(run(given(good)).data, eager.step(given(good)).data);
      const [weights, state] = [[...compiled.w.data], JSON.stringify(compiled.optimizer.stateDict())];
      const message = thrown(() => eager.step(given(bad)));
      expect(message).toMatch(/expected|blank|out of range/);
      expect(thrown(() => run(given(bad)))).toBe(message);
      expect([...compiled.w.data]).toEqual(weights);
      expect(JSON.stringify(compiled.optimizer.stateDict())).toBe(state);
      // The step goes on as if nothing had been.
      run(given(good));
      eager.step(given(good));
      expectNear(compiled.w.data, eager.w.data);
    }
  });

  it("nothing is handed out, and a guard of its own still counts", () => {
    const w = parameter(tensor([1, 2]));
    const step = compile(
      (x: Tensor, ids: Tensor) => {
        const loss = w.take(ids.add(0)).mul(x).sum();
        w.assign(w.add(1));
        return loss;
      },
      { guard: (loss: Tensor) => loss },
    );
    const ids = (n: number): Tensor => tensor([n], { dtype: "int32" });
    expect(step(tensor([1]), ids(1)).item()).toBe(2);
    expect(step(tensor([Number.NaN]), ids(1)).item()).toBeNaN();
    expect([...w.data]).toEqual([2, 3]);
    expect(thrown(() => step(tensor([1]), ids(2)))).toBe("take: expected ids from 0 to 1 (dimension 0 of [2]), got 2 at position 0");
    expect(thrown(() => step(tensor([Number.NaN]), ids(-1)))).toContain("got -1 at position 0");
    expect([...w.data]).toEqual([2, 3]);
  });

  it("what the step moved itself is checked in the next run", () => {
    const ids = tensor([0], { dtype: "int32" });
    const w = tensor([5, 6]);
    const step = compile(() => {
      const found = w.take(ids);
      ids.assign(ids.add(1));
      return found;
    });
    expect(step().item()).toBe(5);
    expect(step().item()).toBe(6);
    expect(thrown(() => step())).toContain("got 2 at position 0");
    expect(ids.item()).toBe(2);
    ids.assign(tensor([1], { dtype: "int32" }));
    expect(step().item()).toBe(6);
  });
});
