// Slices and joined tensors without copies.

import { describe, expect, it } from "vitest";
import { getBackend } from "../../src/backends/choose.ts";
import { PASSES, type StepGraph } from "../../src/compiler/index.ts";
import { groupRows } from "../../src/compiler/rows.ts";
import { concat, gradients, linear, stack, type Tensor, tensor } from "../../src/index.ts";
import { checkGraph, expectClose, facts, runGraph, through, traceOf } from "./support.ts";

const filled = (shape: readonly number[], seed: number, requiresGrad = false): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, n) => Math.sin(seed + n)),
    shape,
    { requiresGrad },
  );

/** A recurrent network with gates, as small as whole cache lines allow. */
function recurrent(): Tensor[] {
  const [x, w, u] = [filled([5, 4, 16], 1), filled([32, 16], 2, true), filled([32, 16], 3, true)];
  let state: Tensor = filled([4, 16], 4);
  const states: Tensor[] = [];
  for (const given of linear(x, w).split(1)) {
    const [keep, fresh] = given.squeeze(0).add(linear(state, u)).split(16, -1) as [Tensor, Tensor];
    state = keep.sigmoid().mul(state).add(fresh.tanh());
    states.push(state);
  }
  const all = stack(states);
  return [all.mul(1), ...gradients(all.square().sum(), [w, u])] as Tensor[];
}

describe("views", () => {
  const graph = traceOf(recurrent);

  it("leave the numbers as they are, whatever else is left out", () => {
    const expected = runGraph(through(graph, "constants"));
    for (const { name } of [{ name: "" }, ...PASSES.slice(1)]) {
      const optimized = through(graph, PASSES.at(-1)?.name as string, [name]);
      checkGraph(optimized);
      expectClose(runGraph(optimized), expected);
      expectClose(runGraph(optimized, getBackend()), expected);
    }
  });

  it("stay apart from rows that run together", () => {
    const rows = { leastBytes: 0, blockBytes: 256, mostRowBytes: 2 ** 20, leastRow: 1, leastRun: 1, leastBlocks: 1 };
    const inRows = through(
      traceOf(() => {
        const halves = filled([8, 16], 1)
          .exp()
          .split(4)
          .map((part) => part.sigmoid());
        const joined = concat(halves).mul(2);
        return [joined.flip(0).add(concat(halves)), ...joined.split(4).map((part) => part.exp())];
      }),
      "in-place",
    );
    for (const one of [through(graph, "in-place"), inRows]) {
      expect(one.views?.length).toBeGreaterThan(0);
      const grouped = groupRows(one, { ...facts, rows });
      checkGraph(grouped);
      expectClose(runGraph(grouped), runGraph({ ...one }));
      expectClose(runGraph(grouped, getBackend()), runGraph({ ...one }));
    }
  });

  it("leave no slices, and of what is joined along leading axes only what is joined in two ways", () => {
    const copies = (of: StepGraph): string[] => of.operations.filter(({ nest }) => nest.body.kind === "load").map(({ nest }) => nest.name);
    expect(copies(through(graph, "drop")).length).toBeGreaterThan(30);
    expect(copies(through(graph, "in-place"))).toEqual(new Array(5).fill("concatenate"));
  });

  it("give all steps of a recurrent network the same kernels", () => {
    const nests = through(graph, "in-place").operations.map(({ nest }) => JSON.stringify({ ...nest, name: "" }));
    expect(nests.length).toBeGreaterThan(40);
    expect(new Set(nests).size).toBeLessThan(25);
  });

  it("are not made of cells, of slices that lie across rows, or off the start of a cache line", () => {
    const views = (fn: () => Tensor[]): number => through(traceOf(fn), "pieces").views?.length ?? 0;
    const [cell, wide] = [filled([4, 16], 1), filled([4, 32], 2)];
    expect(views(() => cell.split(2).map((part) => part.exp()))).toBe(0);
    expect(
      views(() =>
        wide
          .exp()
          .split(16, 1)
          .map((part) => part.sum()),
      ),
    ).toBe(0);
    expect(
      views(() =>
        filled([4, 5], 3)
          .exp()
          .split(1)
          .map((part) => part.sum(1)),
      ),
    ).toBe(1);
    expect(
      views(() =>
        cell
          .exp()
          .split(1)
          .map((part) => part.sum(1)),
      ),
    ).toBe(4);
  });
});
