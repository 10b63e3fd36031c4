// Steps that run a block of rows at a time: which of them do, and that the numbers stay the same.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../../src/backends/reference/reference.ts";
import type { RowLimits } from "../../src/compiler/facts.ts";
import { planMemory, type StepGraph } from "../../src/compiler/index.ts";
import { groupRows } from "../../src/compiler/rows.ts";
import {
  availableBackends,
  type CompileResult,
  concat,
  elu,
  getBackend,
  gradients,
  layerNorm,
  ones,
  parameter,
  setBackend,
  softmax,
  type Tensor,
  uniform,
  zeros,
} from "../../src/index.ts";
import { crossEntropy } from "../../src/nn/index.ts";
import { checkGraph, expectClose, facts, runGraph, through, traceOf } from "./support.ts";

const original = getBackend().name;
afterAll(() => setBackend(original));

/** Groups whatever can be grouped. */
const eagerly: RowLimits = {
  leastBytes: 0,
  blockBytes: 4096,
  mostRowBytes: Number.POSITIVE_INFINITY,
  leastRow: 1,
  leastRun: 1,
  leastBlocks: 2,
};
/** Groups in blocks of one row. */
const singly: RowLimits = {
  leastBytes: 0,
  blockBytes: 0,
  mostRowBytes: Number.POSITIVE_INFINITY,
  leastRow: 1,
  leastRun: 1,
  leastBlocks: 2,
};

const inRows = (rows: RowLimits, graph: StepGraph): StepGraph => groupRows(graph, { ...facts, rows });

const ungrouped = (fn: (...args: Tensor[]) => CompileResult, ...args: Tensor[]): StepGraph => ({
  ...through(traceOf(fn, ...args), "in-place"),
  groups: [],
});

const names = (graph: StepGraph): string[][] =>
  (graph.groups ?? []).map(({ first, axes }) => graph.operations.slice(first, first + axes.length).map(({ nest }) => nest.name));

const functions: Record<string, { readonly fn: (...args: Tensor[]) => CompileResult; readonly args: readonly Tensor[] }> = {
  softmax: { fn: (x) => softmax(x as Tensor), args: [uniform([37, 48])] },
  "softmax over three dimensions": { fn: (x) => softmax(x as Tensor), args: [uniform([3, 21, 32])] },
  "softmax and its gradient": {
    fn: (x, upstream) => {
      const y = softmax(x as Tensor);
      return [y, gradients(y.mul(upstream as Tensor).sum(), [x as Tensor])[0] as Tensor];
    },
    args: [parameter(uniform([33, 64])), uniform([33, 64])],
  },
  "softmax of columns": { fn: (x) => softmax(x as Tensor, 0), args: [uniform([40, 48])] },
  layerNorm: { fn: (x, w, b) => layerNorm(x as Tensor, w as Tensor, b as Tensor), args: [uniform([50, 32]), ones([32]), zeros([32])] },
  // Of the joined tensor only the second half is written by steps of the group.
  "softmax of joined tensors": {
    fn: (x, y) => softmax(concat([(x as Tensor).mul(2), (y as Tensor).mul(3)], 1)),
    args: [uniform([32, 64]), uniform([32, 64])],
  },
  // The sum is written in four dimensions and read in three.
  "a sum in another shape": {
    fn: (x) => {
      const sum = (x as Tensor).sum([0]);
      return [sum, elu(sum.sub(0.07))];
    },
    args: [uniform([2, 2, 32, 32])],
  },
  crossEntropy: {
    fn: (x, t) => crossEntropy(x as Tensor, softmax(t as Tensor)),
    args: [uniform([64, 16]), uniform([64, 16])],
  },
};

describe.each(availableBackends())("on %s", (name) => {
  beforeAll(() => setBackend(name));

  it.each(Object.entries(functions))("%s gives the same numbers in rows", (_, { fn, args }) => {
    const graph = ungrouped(fn, ...args);
    for (const rows of [eagerly, singly]) {
      const grouped = inRows(rows, graph);
      expect(grouped.groups?.length ?? 0).toBeGreaterThan(0);
      checkGraph(grouped);
      // Vectors may lie along another axis than without rows: sums are taken in another order.
      expectClose(runGraph(grouped, getBackend()), runGraph(graph, getBackend()));
      expect(runGraph(grouped)).toEqual(runGraph(graph, referenceBackend));
    }
  });
});

describe("what is grouped", () => {
  it("is a softmax from maximum to quotient, which needs one block of its exponentials", () => {
    const graph = inRows(
      eagerly,
      ungrouped((x) => softmax(x as Tensor), uniform([64, 64])),
    );
    expect(names(graph)).toEqual([["softmax", "softmax", "softmax", "softmax"]]);
    const [group] = graph.groups as NonNullable<StepGraph["groups"]>;
    expect(group).toMatchObject({ extent: 64, own: expect.anything() });
    const exponentials = graph.operations[1]?.writes as number;
    expect(group?.own).toContain(exponentials);
    expect(planMemory(graph, facts).offsets[exponentials]).toBeUndefined();
  });

  it("is nothing that reads other rows", () => {
    const turned = ungrouped(
      (x) =>
        (x as Tensor)
          .exp()
          .transpose()
          .mul(x as Tensor)
          .exp()
          .sum([0]),
      uniform([32, 32]),
    );
    for (const { first, axes } of inRows(eagerly, turned).groups ?? []) {
      const members = turned.operations.slice(first, first + axes.length);
      expect(members.length).toBeGreaterThan(1);
    }
    expect(runGraph(inRows(eagerly, turned))).toEqual(runGraph(turned));
    const shifted = ungrouped(
      (x) => {
        const e = (x as Tensor).exp();
        return [e, e.sum([0]).add(e.sum([1]))];
      },
      uniform([32, 32]),
    );
    expect(runGraph(inRows(eagerly, shifted))).toEqual(runGraph(shifted));
    setBackend(original);
    expectClose(runGraph(inRows(eagerly, shifted), getBackend()), runGraph(shifted, getBackend()));
  });

  it("is nothing small: there is little to gain", () => {
    const graph = through(
      traceOf((x: Tensor) => softmax(x), uniform([64, 64])),
      "rows",
    );
    expect(graph.groups ?? []).toEqual([]);
    const large = through(
      traceOf((x: Tensor) => softmax(x), uniform([1024, 1024])),
      "rows",
    );
    expect(names(large)).toEqual([["softmax", "softmax", "softmax", "softmax"]]);
  });
});
