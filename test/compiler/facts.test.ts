// What passes are told of a machine holds for what they make: operands per kernel, bytes of elements, whether rows run together.

import * as fc from "fast-check";
import { expect, it } from "vitest";
import { bytesOn, type MachineFacts, optimize, planGraph, type StepGraph } from "../../src/compiler/index.ts";
import { compile } from "../../src/index.ts";
import { type Arguments, type Instruction, KINDS, makeArguments, makeState, runProgram } from "./programs.ts";
import { expectClose, facts, runGraph } from "./support.ts";

/** A machine as unlike a processor as can be. */
const other: MachineFacts = {
  ...facts,
  elementBytes: { ...facts.elementBytes, bool: 4, uint8: 4 },
  alignment: 256,
  slack: 0,
  mostTensors: 4,
  rows: undefined,
};

const touched = ({ reads, writes }: { readonly reads: readonly number[]; readonly writes: readonly number[] }): number =>
  new Set([...reads, ...writes]).size;

it("holds for the plans of random programs, which compute the same", () => {
  const instruction: fc.Arbitrary<Instruction> = fc.tuple(fc.nat(KINDS - 1), fc.nat(63), fc.nat(63), fc.nat(63));
  let larger = 0;
  let compared = 0;
  fc.assert(
    fc.property(fc.array(instruction, { minLength: 1, maxLength: 20, size: "max" }), (program) => {
      let traced: StepGraph | undefined;
      const state = makeState();
      compile((...args: Arguments) => runProgram(program, state, args, []), {
        onPass: (name, graph) => void (name === "trace" && (traced = graph)),
      })(...makeArguments(0));
      const graph = traced as StepGraph;
      // A step that had more from the start stays as it is.
      const most = Math.max(other.mostTensors, ...graph.operations.map(({ reads, writes }) => touched({ reads, writes: [writes] })));
      const { graph: mine, units, memory } = planGraph(optimize(graph, other), other);
      for (const { kernels } of units) for (const kernel of kernels) expect(touched(kernel)).toBeLessThanOrEqual(most);
      for (const unit of planGraph(optimize(graph, facts), facts).units)
        larger += unit.kernels.filter((kernel) => touched(kernel) > most).length;
      expect(mine.groups ?? []).toEqual([]);
      memory.offsets.forEach((offset, buffer) => {
        if (offset === undefined) return;
        expect(mine.views?.some((view) => view.buffer === buffer) || offset % 256 === 0).toBe(true);
        expect(offset + bytesOn(other, mine.buffers[buffer]!)).toBeLessThanOrEqual(memory.bytes);
      });
      // Numbers go by the position of a cell: known ones are no cells afterwards, and unused ones are gone.
      if (graph.constants?.size !== 0 || mine.cells.length !== graph.cells.length) return;
      compared++;
      expectClose(runGraph(mine), runGraph(graph));
    }),
    { seed: 11, numRuns: 40 },
  );
  expect(larger).toBeGreaterThan(0);
  expect(compared).toBeGreaterThan(0);
});
