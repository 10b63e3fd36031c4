// Steps joined into kernels: which of them are, what is handed on in registers, and that the numbers stay the same.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gatherReductions } from "../../src/compiler/gather.ts";
import { planMemory, type StepGraph } from "../../src/compiler/index.ts";
import { joinLoops } from "../../src/compiler/join.ts";
import { groupRows } from "../../src/compiler/rows.ts";
import {
  availableBackends,
  type CompileResult,
  compile,
  elu,
  gelu,
  getBackend,
  gradients,
  layerNorm,
  ones,
  parameter,
  setBackend,
  softmax,
  type Tensor,
  tensor,
  uniform,
  where,
  zeros,
} from "../../src/index.ts";
import type { FusedKernel } from "../../src/nest/step-graph.ts";
import { adam } from "../../src/optim/index.ts";
import { checkGraph, expectClose, facts, runGraph, through, traceOf } from "./support.ts";

const original = getBackend().name;
afterAll(() => setBackend(original));

type Traced = (...args: Tensor[]) => CompileResult;

const unjoined = (fn: Traced, ...args: Tensor[]): StepGraph => through(traceOf(fn, ...args), "in-place");
const inRows = (graph: StepGraph): StepGraph =>
  groupRows(graph, {
    ...facts,
    rows: { leastBytes: 0, blockBytes: 4096, mostRowBytes: 2 ** 30, leastRow: 1, leastRun: 1, leastBlocks: 2 },
  });

const names = (graph: StepGraph): string[][] =>
  (graph.fused ?? []).map(({ first, count }) => graph.operations.slice(first, first + count).map(({ nest }) => nest.name));

function adamStep(shape: readonly number[]): Traced {
  const weight = parameter(uniform(shape));
  const optimizer = adam([weight], { learningRate: 0.01 });
  return (x) => {
    optimizer.zeroGrad();
    const loss = weight
      .mul(x as Tensor)
      .square()
      .sum();
    loss.backward();
    optimizer.step();
    return loss;
  };
}

const geluBoth: Traced = (x, upstream) => {
  const y = gelu(x as Tensor);
  return [y, gradients(y.mul(upstream as Tensor).sum(), [x as Tensor])[0] as Tensor];
};

const statistics: Traced = (x) => {
  const value = x as Tensor;
  return [value.sum(1), value.square().sum(1), value.max(1), value.min(1), value.greater(0).to("float32").sum(1)];
};

const functions: Record<string, { readonly fn: Traced; readonly args: readonly Tensor[] }> = {
  "an Adam step": { fn: adamStep([24, 37]), args: [uniform([24, 37])] },
  "an Adam step of five numbers": { fn: adamStep([5]), args: [uniform([5])] },
  "GELU and its gradient": { fn: geluBoth, args: [parameter(uniform([9, 101])), uniform([9, 101])] },
  "statistics of rows": { fn: statistics, args: [uniform([19, 301])] },
  "statistics of columns": {
    fn: (x) => [(x as Tensor).sum(0), (x as Tensor).square().sum(0), (x as Tensor).max(0)],
    args: [uniform([301, 19])],
  },
  "long statistics of few columns": {
    fn: (x) => [(x as Tensor).sum(0), (x as Tensor).square().sum(0), (x as Tensor).max(0)],
    args: [uniform([4099, 67])],
  },
  "long statistics of everything": {
    fn: (x) => [(x as Tensor).sum(), (x as Tensor).square().mean(), (x as Tensor).min()],
    args: [uniform([307, 1013])],
  },
  // Exponentials are stored by the loops that add them up.
  "softmax of rows": { fn: (x) => [softmax(x as Tensor), (x as Tensor).exp()], args: [uniform([37, 48])] },
  "a value, and its sum over rows": {
    fn: (x) => {
      const y = elu((x as Tensor).mul(3)).exp();
      return [y, y.sum(1)];
    },
    args: [uniform([23, 77])],
  },
  "a value, and its long sum over columns": {
    fn: (x) => {
      const y = elu((x as Tensor).mul(3)).exp();
      return [y, y.sum(0)];
    },
    args: [uniform([5003, 33])],
  },
  "a value, and its sum over all but channels": {
    fn: (x, upstream) => {
      const masked = (x as Tensor).relu().mul(upstream as Tensor);
      return [masked, masked.sum([0, 2, 3]), masked.mul(x as Tensor).sum([0, 2, 3]), masked.add(1)];
    },
    args: [uniform([3, 10, 7, 6]), uniform([3, 10, 7, 6])],
  },
  "layer norm and its gradient": {
    fn: (x, w, b, upstream) => {
      const y = layerNorm(x as Tensor, w as Tensor, b as Tensor);
      return gradients(y.mul(upstream as Tensor).sum(), [x as Tensor, w as Tensor, b as Tensor]) as Tensor[];
    },
    args: [parameter(uniform([50, 32])), parameter(ones([32])), parameter(zeros([32])), uniform([50, 32])],
  },
  "numbers that are not finite": {
    fn: statistics,
    args: [
      tensor([
        [1, Number.NaN, 2, -1],
        [Number.POSITIVE_INFINITY, 1, 0, 5],
        [3, -0, 0, 7],
      ]),
    ],
  },
};

describe.each(availableBackends())("on %s", (name) => {
  beforeAll(() => setBackend(name));

  it.each(Object.entries(functions))("%s: the same numbers joined", (_, { fn, args }) => {
    const graph = unjoined(fn, ...args);
    for (const before of [graph, inRows(graph)]) {
      const joined = joinLoops(before, facts);
      checkGraph(joined);
      expectClose(runGraph(joined, getBackend()), runGraph(before, getBackend()));
    }
    expect(joinLoops(graph, facts).fused?.length ?? 0).toBeGreaterThan(0);
  });

  it("an element that is overwritten in place is read before", () => {
    const cell = parameter(uniform([13, 21]));
    const fn: Traced = (x) => {
      const old = cell.mul(x as Tensor).exp();
      const sum = cell.mul(x as Tensor).sum(1);
      cell.assign(cell.mul(0.5).add(x as Tensor));
      return [old, sum, cell.mul(2).exp()];
    };
    const graph = unjoined(fn, uniform([13, 21]));
    expectClose(runGraph(joinLoops(graph, facts), getBackend()), runGraph(graph, getBackend()));
  });
});

describe("an epilogue, which comes after the loops", () => {
  it("reads what it would have read before the next step", () => {
    const cell = parameter(uniform([24, 1]));
    const fn: Traced = (x) => {
      // Over an axis of extent 1 the sum's element is the very one that is overwritten.
      const sum = cell.mul(x as Tensor).sum(1, { keepDims: true });
      const first = sum.add(cell);
      cell.assign(cell.mul(3));
      return [first, cell.mul(2).sum(1)];
    };
    const graph = unjoined(fn, uniform([24, 1]));
    setBackend(original);
    expectClose(runGraph(joinLoops(graph, facts), getBackend()), runGraph(graph));
  });
});

describe.each(availableBackends())("an element that another step overwrites, on %s", (name) => {
  beforeAll(() => setBackend(name));

  // Extents that leave a last vector that is not full.
  it.each([[[17]], [[100]], [[7, 19]], [[1003]], [[100_003]]])("is read before, in all of %j", (shape) => {
    const cell = uniform(shape);
    const before = cell.data.slice();
    const remember = compile((x: Tensor) => {
      const difference = x.sub(cell);
      cell.assign(x.mul(3));
      return difference;
    });
    const x = uniform(shape);
    const found = remember(x).data;
    expect([...found]).toEqual(Array.from(x.data, (value, n) => Math.fround(value - (before[n] as number))));
    expect([...cell.data]).toEqual(Array.from(x.data, (value) => Math.fround(value * 3)));
  });
});

describe("compile time", () => {
  it("does not grow with what expressions are as trees", () => {
    setBackend(original);
    const chain = compile((x: Tensor) => {
      const values: Tensor[] = [];
      let value = x;
      for (let depth = 0; depth < 9; depth++) {
        let product = value.mul(0.1);
        for (let use = 1; use < 6; use++) product = product.mul(value).add(0.1);
        value = product;
        values.push(value);
      }
      return [...values, where(value.isFinite(), value, Number.NEGATIVE_INFINITY).max()];
    });
    const results = chain(uniform([100]));
    expect(results.at(-1)?.item()).toBe(Math.max(...(results.at(-2) as Tensor).data));
  });
});

describe("what is gathered", () => {
  const apart: Traced = (x, y) => {
    const sum = (x as Tensor).sum(1);
    const other = (y as Tensor).exp();
    const squares = (x as Tensor).square().sum(1);
    const scaled = other.mul(sum.mean());
    return [sum, other, squares, scaled, scaled.sum(1), other.max(1)];
  };

  it("are reductions over the same loops, past what they do not need", () => {
    const graph = unjoined(apart, uniform([64, 96]), uniform([64, 96]));
    const gathered = gatherReductions(graph, facts);
    checkGraph(gathered);
    expect(names(joinLoops(graph, facts))).not.toContainEqual(["sum", "sum"]);
    expect(names(joinLoops(gathered, facts))).toContainEqual(["sum", "sum"]);
    expect(runGraph(gathered)).toEqual(runGraph(graph));
    setBackend(original);
    expectClose(runGraph(joinLoops(gathered, facts), getBackend()), runGraph(graph));
  });

  it("is nothing that would be read before it is written, or after it is overwritten", () => {
    const cell = parameter(uniform([32, 48]));
    const graph = unjoined(
      (x) => {
        const before = cell.mul(x as Tensor).sum(1);
        cell.assign(cell.mul(before.mean()));
        return [before, cell.mul(x as Tensor).max(1)];
      },
      uniform([32, 48]),
    );
    const gathered = gatherReductions(graph, facts);
    checkGraph(gathered);
    expect(runGraph(gathered)).toEqual(runGraph(graph));
  });
});

describe("what is joined", () => {
  it("is an update's moments and its step", () => {
    const graph = joinLoops(unjoined(adamStep([24, 37]), uniform([24, 37])), facts);
    expect(names(graph).map((group) => group.slice(-3))).toContainEqual(["adamFirst", "adamSecond", "adamStep"]);
  });

  it("is an activation and its gradient, which hand on what they share in registers", () => {
    const graph = joinLoops(unjoined(geluBoth, parameter(uniform([64, 64])), uniform([64, 64])), facts);
    const [{ count, passed }] = graph.fused as [FusedKernel];
    expect(count).toBe(3);
    expect(passed).toHaveLength(1);
    expect(planMemory(graph, facts).offsets[passed[0] as number]).toBeUndefined();
  });

  it("is statistics of one tensor: it is read once", () => {
    const graph = joinLoops(unjoined(statistics, uniform([64, 300])), facts);
    expect(graph.fused).toMatchObject([{ first: 0, count: 5 }]);
  });

  it("is nothing that reads another element of what is written", () => {
    const graph = unjoined(
      (x) => {
        const y = (x as Tensor).exp();
        return [y, y.transpose().exp(), y.sum(0)];
      },
      uniform([32, 32]),
    );
    const { operations: steps } = graph;
    for (const { first, count } of joinLoops(graph, facts).fused ?? []) {
      const members = steps.slice(first, first + count);
      expect(members.filter(({ reads, nest }) => nest.name === "transpose" || reads.includes(steps[0]?.writes as number))).toHaveLength(0);
    }
    expectClose(runGraph(joinLoops(graph, facts), getBackend()), runGraph(graph, getBackend()));
  });

  it("is nothing that shares nothing", () => {
    const graph = unjoined((x, y) => [(x as Tensor).exp(), (y as Tensor).exp()], uniform([32, 32]), uniform([32, 32]));
    expect(joinLoops(graph, facts).fused).toBeUndefined();
  });
});
