// Constants: known numbers inside formulas, computed where all are known, and only where their buffer is read inside its shape.

import { expect, it } from "vitest";
import { foldConstants } from "../../src/compiler/constants.ts";
import { printGraph } from "../../src/compiler/index.ts";
import { manualSeed, parameter, sigmoid, tensor, uniform } from "../../src/index.ts";
import { keepsNumbers, runGraph, through, traceOf } from "./support.ts";

const x = tensor([1, 2, 3]);

it("puts the 2 of mul(2) into the formula and drops its operand", () => {
  const graph = traceOf((value: typeof x) => value.mul(2).add(0.5), x);
  expect(graph.constants?.size).toBe(2);
  const after = keepsNumbers(graph, foldConstants);
  expect(after.operations.map(({ reads }) => reads.length)).toEqual([1, 1]);
  expect(printGraph(after)).toMatch(/\[e0\] \* 2\).*\[e0\] \+ 0\.5\)/s);
});

it("computes what has only constants", () => {
  const graph = traceOf((value: typeof x) => {
    const half = value.mul(0).sum().mul(0).add(4);
    return [half, value.mul(half.detach().sqrt())];
  }, x);
  keepsNumbers(graph, foldConstants);
  const w = parameter(tensor(3));
  // The gradient of w begins as the number 1: 1 · 5 is known.
  const gradient = traceOf(() => {
    w.zeroGrad();
    w.mul(5).backward();
    return w.grad!;
  });
  const after = keepsNumbers(gradient, foldConstants);
  expect(runGraph(after).results[0]?.[0]).toBe(5);
  expect(after.operations.every(({ reads }) => reads.length === 0 || reads.every((buffer) => !after.constants?.has(buffer)))).toBe(true);
});

it("leaves what is multiplied or divided by 1 as it is, also where the 1 comes from a gradient", () => {
  const graph = traceOf((value: typeof x) => value.mul(1).div(1).exp(), x);
  expect(printGraph(through(graph, "drop-fused"))).not.toMatch(/[*/] 1\b/);
  const w = parameter(tensor([1, 2, 3]));
  const product = traceOf((value: typeof x) => {
    w.zeroGrad();
    w.mul(value).sum().backward();
    return w.grad!;
  }, x);
  const after = through(product, "drop-fused");
  expect(printGraph(after)).not.toMatch(/\b1 \*|\* 1\b/);
  expect(runGraph(after)).toEqual(runGraph(product));
});

it("keeps the fill where a known number is read outside of its buffer", () => {
  const w = parameter(tensor([1, 2, 3, 4]));
  const graph = traceOf(() => {
    w.zeroGrad();
    w.slice([2, 3]).backward();
    return w.grad!;
  });
  expect([...(runGraph(keepsNumbers(graph, foldConstants)).results[0] ?? [])]).toEqual([0, 0, 1, 0]);
});

it("a result, an update and a guard may be known numbers", () => {
  const w = parameter(tensor([7]));
  const graph = traceOf(() => {
    w.zeroGrad();
    w.backward();
    return [w.grad!, w.grad!.reshape([1, 1])];
  });
  const after = keepsNumbers(graph, foldConstants);
  expect(runGraph(after).results.map((result) => [...result])).toEqual([[1], [1]]);
});

it("does not take numbers that change for constants", () => {
  manualSeed(1);
  const one = tensor(2);
  const graph = traceOf((value: typeof x) => sigmoid(value.mul(one)).add(uniform([3])), x);
  expect(graph.constants?.size).toBe(0);
  keepsNumbers(graph, foldConstants);
});
