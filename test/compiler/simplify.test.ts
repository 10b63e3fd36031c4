// Sharing and dropping: equal work is done once, unneeded work not at all.

import { describe, expect, it } from "vitest";
import { eliminateCommonSubexpressions, eliminateDeadCode } from "../../src/compiler/simplify.ts";
import { compile, concat, dropout, noGrad, parameter, type Tensor, tensor } from "../../src/index.ts";
import { facts, keepsNumbers, traceOf } from "./support.ts";

const x = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);

describe("share", () => {
  it("does equal steps once, also through equal steps before them", () => {
    const graph = traceOf((value: Tensor) => [value.exp().sum(0), value.exp().sum(0), value.exp().sum(1)], x);
    const after = keepsNumbers(graph, eliminateCommonSubexpressions);
    expect(graph.operations).toHaveLength(6);
    expect(after.operations).toHaveLength(3);
    expect(after.results[0]).toBe(after.results[1]);
    expect(after.results[0]).not.toBe(after.results[2]);
  });

  it("gives the same numbers twice as tensors of their own", () => {
    const [a, b] = compile((value: Tensor) => [value.exp(), value.exp()])(x) as [Tensor, Tensor];
    expect(a.data).toEqual(b.data);
    expect(a.data).not.toBe(b.data);
  });

  it("keeps apart other operands, other numbers and other random numbers", () => {
    const other = parameter(
      tensor([
        [1, 1, 1],
        [2, 2, 2],
      ]),
    );
    const graph = traceOf(
      (value: Tensor) => [
        value.mul(other),
        other.mul(value),
        value.add(2),
        value.add(3),
        value.add(-0),
        value.add(0),
        dropout(value),
        dropout(value),
      ],
      x,
    );
    expect(keepsNumbers(graph, eliminateCommonSubexpressions).operations).toHaveLength(graph.operations.length);
  });

  it("leaves buffers alone that several steps write", () => {
    const graph = traceOf((value: Tensor) => [concat([value, value.neg()]), concat([value, value.neg()])], x);
    keepsNumbers(graph, eliminateCommonSubexpressions);
  });

  it("does not mix numbers before and after an update", () => {
    const w = parameter(
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    );
    const graph = traceOf((value: Tensor) => {
      const before = value.mul(w);
      noGrad(() => w.assign(w.add(1)));
      return [before, value.mul(w)];
    }, x);
    expect(keepsNumbers(graph, eliminateCommonSubexpressions).operations).toHaveLength(3);
  });
});

describe("drop", () => {
  it("drops what neither results nor updates need, also chains of it", () => {
    const w = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const graph = traceOf((value: Tensor) => {
      value.exp().sum().mul(3);
      w.assign(w.add(value));
      return value.neg();
    }, x);
    const after = keepsNumbers(graph, eliminateDeadCode);
    expect(after.operations.map(({ nest }) => nest.name)).toEqual(["add", "neg"]);
  });

  it("keeps every piece of a buffer, and steps that write cells", () => {
    const graph = traceOf((value: Tensor) => concat([value, value.neg()]), x);
    expect(keepsNumbers(graph, eliminateDeadCode).operations).toHaveLength(graph.operations.length);
    const cell: typeof graph = { ...graph, inputs: [], cells: [...graph.inputs, ...graph.results], results: [] };
    expect(eliminateDeadCode(cell, facts).operations).toHaveLength(graph.operations.length);
  });

  it("may leave nothing", () => {
    expect(
      eliminateDeadCode(
        traceOf((value: Tensor) => void value.exp(), x),
        facts,
      ).operations,
    ).toHaveLength(0);
    expect(compile((value: Tensor) => value)(x).toArray()).toEqual(x.toArray());
  });
});
