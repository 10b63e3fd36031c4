// The memory plan: buffers that live at the same time never overlap.

import * as fc from "fast-check";
import { expect, it } from "vitest";
import { optimize, planMemory } from "../../src/compiler/index.ts";
import { compile, type Tensor, uniform } from "../../src/index.ts";
import { byteLength } from "../../src/nest/arrays.ts";
import type { Nest, Operand } from "../../src/nest/nest.ts";
import type { StepGraph } from "../../src/nest/step-graph.ts";
import { type Arguments, type Instruction, KINDS, makeArguments, makeState, runProgram } from "./programs.ts";
import { facts } from "./support.ts";

/** Bytes that a kernel may read beyond the end of a buffer. */
const BEYOND = 64;

/** When each buffer must hold its numbers: from before its first writer (inputs: from the start) until its last reader. */
function lifeOf(graph: StepGraph, buffer: number): readonly [first: number, last: number] {
  const writes = graph.operations.flatMap((step, time) => (step.writes === buffer ? [time] : []));
  const reads = graph.operations.flatMap((step, time) => (step.reads.includes(buffer) ? [time] : []));
  const lasts = graph.results.includes(buffer) || graph.updates.some(({ from }) => from === buffer) ? [graph.operations.length] : [];
  const first = graph.inputs.includes(buffer) ? -1 : Math.min(...writes);
  return [first, Math.max(first, ...writes, ...reads, ...lasts)];
}

function expectApart(graph: StepGraph): void {
  const plan = planMemory(graph, facts);
  const placed = graph.buffers.flatMap((operand, buffer) => {
    const offset = plan.offsets[buffer];
    return offset === undefined ? [] : [{ buffer, offset, end: offset + byteLength(operand) + BEYOND, life: lifeOf(graph, buffer) }];
  });
  for (const one of placed) {
    expect(one.offset % 64).toBe(0);
    expect(one.end).toBeLessThanOrEqual(plan.bytes);
    for (const other of placed) {
      if (other.buffer <= one.buffer || one.life[1] < other.life[0] || other.life[1] < one.life[0]) continue;
      const apart = one.end <= other.offset || other.end <= one.offset;
      expect(apart, `buffers ${one.buffer} and ${other.buffer} overlap`).toBe(true);
    }
  }
  const used = new Set([...graph.inputs, ...graph.results, ...graph.operations.flatMap((step) => [...step.reads, step.writes])]);
  for (const buffer of used) expect(plan.offsets[buffer] === undefined).toBe(graph.cells.includes(buffer));
  expect(plan.bytes).toBeLessThanOrEqual(plan.unshared);
}

const nest = (reads: readonly Operand[], target: Operand): Nest => ({
  name: "step",
  operands: reads,
  params: [],
  axes: [],
  free: 0,
  reducer: undefined,
  epilogue: undefined,
  body: { kind: "constant", value: 0, type: "float" },
  output: { ...target, index: [], accumulate: false },
});

it("holds for random orders of reading and writing", () => {
  const step = fc.tuple(fc.array(fc.nat(30), { maxLength: 3 }), fc.nat(400), fc.boolean());
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 30, size: "max" }),
      fc.array(fc.nat(30), { maxLength: 3 }),
      (program, results) => {
        const buffers: Operand[] = [
          { dtype: "float32", shape: [10] },
          { dtype: "bool", shape: [3] },
          { dtype: "float32", shape: [100] },
        ];
        const steps = program.map(([reads, size, again]) => {
          const from = reads.map((read) => read % buffers.length);
          // Some buffers are written in several pieces.
          const writes =
            again && buffers.length > 3 ? buffers.length - 1 : buffers.push({ dtype: size % 2 ? "float32" : "bool", shape: [size] }) - 1;
          const apart = from.filter((buffer) => buffer !== writes);
          return {
            nest: nest(
              apart.map((buffer) => buffers[buffer] as Operand),
              buffers[writes] as Operand,
            ),
            reads: apart,
            writes,
            clear: false,
          };
        });
        const last = results.map((result) => result % buffers.length).filter((buffer) => buffer !== 2);
        expectApart({
          name: "random",
          buffers,
          inputs: [0, 1],
          cells: [2],
          updates: [{ cell: 2, from: 0 }],
          results: last,
          params: [],
          operations: steps,
        });
      },
    ),
    { seed: 1, numRuns: 200 },
  );
});

it("holds for the graphs of random programs", () => {
  const instruction: fc.Arbitrary<Instruction> = fc.tuple(fc.nat(KINDS - 1), fc.nat(63), fc.nat(63), fc.nat(63));
  fc.assert(
    fc.property(fc.array(instruction, { minLength: 1, maxLength: 20, size: "max" }), (program) => {
      const state = makeState();
      const compiled = compile((...args: Arguments) => runProgram(program, state, args, []));
      compiled(...makeArguments(0));
      expectApart((compiled.steps[0] as (typeof compiled.steps)[number]).graph);
    }),
    { seed: 2, numRuns: 15 },
  );
});

it("a chain of steps needs the room of two, however long", () => {
  const compiled = compile((x: Tensor) => {
    let y = x;
    for (let n = 0; n < 20; n++) y = y.cosh().matmul(y).softmax();
    return y.sum();
  });
  compiled(uniform([64, 64]));
  const { memory, graph } = compiled.steps[0] as (typeof compiled.steps)[number];
  expect(memory.bytes).toBeLessThan(5 * 64 * 64 * 4);
  expect(memory.unshared).toBeGreaterThan(20 * 64 * 64 * 4);
  expect(planMemory(optimize(graph, facts), facts).bytes).toBeLessThanOrEqual(memory.bytes);
});
