// Random functions of tensors: compiled equals eager on every backend, with all passes and without each of them.

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { getBackend } from "../../src/backends/choose.ts";
import { PASSES, type StepGraph } from "../../src/compiler/index.ts";
import { groupRows } from "../../src/compiler/rows.ts";
import { availableBackends, compile, manualSeed, setBackend, type Tensor } from "../../src/index.ts";
import { type Arguments, type Instruction, KINDS, makeArguments, makeState, runProgram, type State } from "./programs.ts";
import { checkGraph, expectArray, expectClose, facts, runGraph, through } from "./support.ts";

const original = getBackend().name;
afterAll(() => setBackend(original));

const instruction: fc.Arbitrary<Instruction> = fc.tuple(fc.nat(KINDS - 1), fc.nat(63), fc.nat(63), fc.nat(63));
const programs = fc.array(instruction, { minLength: 1, maxLength: 24, size: "max" });
const CALLS = 3;
const RUNS = Number(process.env.KASANE_RANDOM_RUNS ?? 60);
const SEED = process.env.KASANE_RANDOM_SEED === undefined ? 1 : Number(process.env.KASANE_RANDOM_SEED);

type Step = (...args: Arguments) => Tensor[];

interface Outcome {
  readonly numbers: Float64Array[];
  readonly log: readonly string[];
}

/** Results and state after each of several calls. */
function outcomes(step: Step, state: State, log: string[]): Outcome[] {
  manualSeed(7);
  return Array.from({ length: CALLS }, (_, call) => {
    log.length = call === 0 ? 0 : log.length;
    const results = step(...makeArguments(call));
    return { numbers: [...results, ...state.weights, ...state.cells].map((tensor) => Float64Array.from(tensor.data)), log: log.slice() };
  });
}

function eager(program: readonly Instruction[]): Outcome[] {
  const state = makeState();
  const log: string[] = [];
  const run: Parameters<typeof outcomes>[0] = (...args) => {
    log.length = 0;
    return runProgram(program, state, args, log);
  };
  return outcomes(run, state, log);
}

describe.each(availableBackends())("on %s", (backend) => {
  beforeAll(() => setBackend(backend));

  it("compiled equals eager, call after call", () => {
    const done = new Map<string, number>();
    fc.assert(
      fc.property(programs, (program) => {
        const expected = eager(program);
        const state = makeState();
        const log: string[] = [];
        const compiled = compile((...args: Arguments) => runProgram(program, state, args, log));
        const found = outcomes(compiled as Step, state, log);
        expected.forEach(({ numbers, log: rules }, call) => {
          expect(found[call]?.log).toEqual(rules);
          numbers.forEach((array, n) =>
            expectArray((found[call] as Outcome).numbers[n] as Float64Array, array, `call ${call}, tensor ${n}`),
          );
          for (const rule of rules) done.set(rule, (done.get(rule) ?? 0) + 1);
        });
        expect(compiled.steps).toHaveLength(1);
        checkGraph((compiled.steps[0] as { graph: StepGraph }).graph);
      }),
      { numRuns: RUNS, seed: SEED },
    );
    if (process.env.KASANE_RANDOM_RUNS !== undefined) console.log(Object.fromEntries(done));
    // The generator reaches what it is meant to reach.
    for (const rule of ["backward", "learn", "swap", "momentum", "move a cell", "conv", "crossEntropy"])
      expect(done.get(rule) ?? 0, rule).toBeGreaterThan(0);
  });

  it("rows together equal step after step", () => {
    const rows = {
      leastBytes: 0,
      blockBytes: 256,
      mostRowBytes: Number.POSITIVE_INFINITY,
      leastRow: 1,
      leastRun: 1,
      leastBlocks: 2,
    };
    let groups = 0;
    fc.assert(
      fc.property(programs, (program) => {
        let graph: StepGraph | undefined;
        const state = makeState();
        compile((...args: Arguments) => runProgram(program, state, args, []), {
          onPass: (name, current) => void (name === "trace" && (graph = current)),
        })(...makeArguments(0));
        const alone = through(graph as StepGraph, "in-place");
        const together = groupRows(alone, { ...facts, rows });
        groups += together.groups?.length ?? 0;
        checkGraph(together);
        if (!together.buffers.every(({ dtype }) => getBackend().dtypes.has(dtype))) return;
        expectClose(runGraph(together, getBackend()), runGraph(alone, getBackend()));
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(groups).toBeGreaterThan(RUNS / 4);
  });

  it("every pass can be left out", () => {
    fc.assert(
      fc.property(programs, (program) => {
        let graph: StepGraph | undefined;
        const state = makeState();
        compile((...args: Arguments) => runProgram(program, state, args, []), {
          onPass: (name, after) => void (name === "trace" && (graph = after)),
        })(...makeArguments(0));
        const whole = graph as StepGraph;
        const plain = through(whole, "constants");
        const expected = runGraph(plain);
        for (const { name } of [...PASSES.slice(1), { name: "" }]) {
          const optimized = through(whole, "in-place", [name]);
          checkGraph(optimized);
          expectClose(runGraph(optimized, getBackend()), expected);
        }
      }),
      { numRuns: Math.ceil(RUNS / 4), seed: SEED },
    );
  });
});
