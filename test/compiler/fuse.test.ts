// Fusion: producers inside consumers, consumers as epilogues, and where neither may happen.

import { describe, expect, it } from "vitest";
import { fuseEpilogues, fuseIntoConsumers } from "../../src/compiler/fuse.ts";
import { eliminateDeadCode } from "../../src/compiler/simplify.ts";
import {
  averagePool,
  compile,
  concat,
  conv,
  einsum,
  layerNorm,
  maxPool,
  ones,
  parameter,
  relu,
  type Tensor,
  uniform,
  where,
  zeros,
} from "../../src/index.ts";
import type { StepGraph } from "../../src/nest/step-graph.ts";
import { keepsNumbers, through, traceOf } from "./support.ts";

const x = uniform([4, 6], -1, 1);
const image = uniform([2, 2, 6, 6], -1, 1);
const fused = (graph: StepGraph): StepGraph => keepsNumbers(keepsNumbers(through(graph, "drop"), fuseIntoConsumers), eliminateDeadCode);
const withEpilogues = (graph: StepGraph): StepGraph => keepsNumbers(through(graph, "drop"), fuseEpilogues);
const names = (graph: StepGraph): string[] => graph.operations.map(({ nest }) => nest.name);

describe("fuse", () => {
  it("makes one step of a chain of pointwise steps", () => {
    expect(fused(traceOf((v: Tensor) => v.exp().add(1).mul(v).sub(3), x)).operations).toHaveLength(1);
  });

  it("puts pointwise producers into reductions and moves into their readers", () => {
    expect(fused(traceOf((v: Tensor) => v.exp().sum(), x)).operations).toHaveLength(1);
    expect(fused(traceOf((v: Tensor) => v.transpose().slice([1, 5, 2], [null, null, -1]).add(1), x)).operations).toHaveLength(1);
    expect(fused(traceOf((v: Tensor) => v.reshape([24]).transpose([0]).mul(2), x)).operations).toHaveLength(1);
  });

  it("gives the fill outside a producer: 0 for sums, −∞ for maxima, the given number for padding", () => {
    for (const f of [
      (v: Tensor) => averagePool(v.mul(2).add(5), 3, { padding: 1, stride: 1 }),
      (v: Tensor) => maxPool(v.sub(5), 3, { padding: 1 }),
      (v: Tensor) =>
        v
          .add(5)
          .pad([[1, 2]], 3)
          .mul(2),
      (v: Tensor) =>
        v
          .add(5)
          .pad([[1, 2]])
          .pad([[-2, 1]], 7),
    ])
      fused(traceOf(f, image));
  });

  it("does not repeat costly functions for several readers, windows or repetitions", () => {
    expect(
      fused(
        traceOf((v: Tensor) => {
          const e = v.exp();
          return [e.sum(0), e.sum(1), e.mul(2)];
        }, x),
      ).operations,
    ).toHaveLength(4);
    expect(fused(traceOf((v: Tensor) => averagePool(v.exp(), 3, { stride: 1 }), image)).operations).toHaveLength(2);
    expect(fused(traceOf((v: Tensor) => v.sum(1, { keepDims: true }).exp().mul(v), x)).operations).toHaveLength(3);
  });

  it("leaves contractions their plain operands, but lets them read through moves", () => {
    expect(names(fused(traceOf((v: Tensor) => v.exp().matmul(v.transpose()), x)))).toEqual(["exp", "matmul"]);
  });

  it("reads buffers of several writers, gathers and scatters from memory", () => {
    fused(traceOf((v: Tensor) => concat([v, v.neg()]).mul(2), x));
    fused(traceOf((v: Tensor) => v.add(1).take([2, 0, 0]).mul(2), x));
    const w = parameter(uniform([4, 6]));
    fused(
      traceOf((v: Tensor) => {
        w.zeroGrad();
        w.mul(2)
          .take([1, 1, 3])
          .mul(v.slice([0, 3]))
          .sum()
          .backward();
        return w.grad!.add(1);
      }, x),
    );
  });

  it("does not grow without end where a formula uses itself twice", () => {
    const graph = traceOf((v: Tensor) => {
      let y = v;
      for (let n = 0; n < 40; n++) y = y.mul(y).sub(y);
      return y;
    }, x);
    expect(fused(graph).operations.length).toBeLessThan(41);
    const random = traceOf(() => {
      let y: Tensor = uniform([3]);
      for (let n = 0; n < 40; n++) y = y.mul(y);
      return y;
    });
    expect(fused(random).operations.length).toBeGreaterThan(1);
    const sums = traceOf((v: Tensor) => {
      let y = v.sum(1);
      for (let n = 0; n < 40; n++) y = y.mul(y);
      return y;
    }, x);
    expect(withEpilogues(sums).operations.length).toBeGreaterThan(1);
  });

  it("keeps dtypes: bools and ints computed on the way", () => {
    expect(
      fused(traceOf((v: Tensor) => where(v.greater(0.1).logicalAnd(v.less(0.5)), v, v.neg().to("int32").to("float32")), x)).operations,
    ).toHaveLength(1);
  });
});

describe("epilogues", () => {
  it("activation and bias of a contraction are its epilogue, also of a convolution", () => {
    const w = uniform([3, 6]);
    const b = uniform([3]);
    expect(withEpilogues(traceOf((v: Tensor) => relu(v.matmul(w.transpose()).add(b)), x)).operations).toHaveLength(2);
    const kernel = uniform([3, 2, 3, 3]);
    expect(withEpilogues(traceOf((v: Tensor) => relu(conv(v, kernel)).mul(2), image)).operations).toHaveLength(1);
  });

  it("an epilogue may read other buffers, transposed ones too, and write transposed", () => {
    const square = uniform([4, 4]);
    expect(
      withEpilogues(traceOf((v: Tensor) => v.matmul(v.transpose()).add(square).mul(square.transpose()), x)).operations.length,
    ).toBeLessThan(5);
    withEpilogues(traceOf((v: Tensor) => v.matmul(v.transpose()).transpose().add(square), x));
  });

  it("not where the reduction has other readers or is itself a result", () => {
    expect(
      withEpilogues(
        traceOf((v: Tensor) => {
          const y = v.sum(1);
          return [y.add(1), y.add(2)];
        }, x),
      ).operations,
    ).toHaveLength(3);
    expect(
      withEpilogues(
        traceOf((v: Tensor) => {
          const y = v.sum(1);
          return [y, y.add(2)];
        }, x),
      ).operations,
    ).toHaveLength(2);
  });

  it("not where the consumer reads other elements than its own", () => {
    for (const f of [
      (v: Tensor) => einsum("ii->i", v.matmul(v.transpose())),
      (v: Tensor) => {
        const y = v.matmul(v.transpose());
        return y.add(y.transpose());
      },
      (v: Tensor) => v.sum(1).flip(0).mul(2),
      (v: Tensor) => v.sum(1).slice([1, null]).mul(2),
      (v: Tensor) => v.sum(1, { keepDims: true }).mul(v),
      (v: Tensor) => v.sum(1).pad([[1, 1]], 3),
    ])
      withEpilogues(traceOf(f, x));
    expect(withEpilogues(traceOf((v: Tensor) => einsum("ii->i", v.matmul(v.transpose())), x)).operations).toHaveLength(3);
  });

  it("argmax, maxima and products keep their types", () => {
    withEpilogues(
      traceOf(
        (v: Tensor) => [v.argmax(1).add(1), v.max(1).exp(), v.greater(0).to("float32").prod(1).add(1), v.argmin(0).to("float32").mul(0.5)],
        x,
      ),
    );
  });
});

it("softmax and layer norm of a training step shrink to few steps with the same numbers", () => {
  const w = parameter(uniform([6, 6], -1, 1));
  const graph = traceOf((v: Tensor) => {
    w.zeroGrad();
    const y = layerNorm(v.matmul(w), ones([6]), zeros([6]))
      .logSoftmax()
      .sum();
    y.backward();
    return [y, w.grad!];
  }, x);
  expect(fused(withEpilogues(graph)).operations.length).toBeLessThan(graph.operations.length);
});

it("listings show the graph and the code", () => {
  const compiled = compile((v: Tensor) => v.exp().sum());
  compiled(x);
  expect(compiled.steps[0]?.listing()).toMatch(/sum\(exp\(b0\[/);
});
