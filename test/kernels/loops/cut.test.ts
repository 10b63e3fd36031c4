// Long reductions to few results, cut in parts: every reducer as in the reference, and the same bits for any number of threads.

import { describe, expect, test } from "vitest";
import type { Backend, HostArray } from "../../../src/backends/backend.ts";
import { createWasmBackend } from "../../../src/backends/wasm/wasm.ts";
import { createX64Backend, runnable } from "../../../src/backends/x64/index.ts";
import { cutReduction } from "../../../src/kernels/loops/cut.ts";
import { evaluateProgram } from "../../../src/nest/evaluate.ts";
import type { DType, Nest, Operand, Operation, Program, Reducer } from "../../../src/nest/nest.ts";
import { compileProgram } from "../../backends/program.ts";
import { programOf, programOfNest, tensor } from "../conformance.ts";

const reducers: readonly Reducer[] = ["sum", "prod", "max", "min"];

/** The cut reduction as a program: parts into buffers of their own, in phases. */
function cutProgram(nest: Nest, axis: number, length: number): Program {
  const { parts, partials, last } = cutReduction(nest, axis, length);
  const [partial] = partials as [Operand];
  const inputs = nest.operands;
  const reads = inputs.map((_, number) => number);
  const between = inputs.length;
  const result = between + 1;
  const steps = parts.map((part): Operation => ({ nest: part, reads, writes: between, clear: false }));
  steps.push({ nest: last, reads: [...reads, between], writes: result, clear: false });
  return { name: "cut", inputs, buffers: [...inputs, partial, nest.output], result, params: [], operations: steps };
}

describe("a cut reduction is the reduction", () => {
  const values: readonly (readonly [string, DType, readonly number[] | undefined])[] = [
    ["numbers", "float32", undefined],
    ["ties", "float32", [1, -2, 3, 3, -2, 0, 3]],
    ["a NaN", "float32", [...Array.from({ length: 29 }, (_, i) => i % 5), Number.NaN, 7]],
    ["infinities", "float32", [1, Number.POSITIVE_INFINITY, 2, 5, 5]],
    ["whole numbers", "int32", undefined],
  ];
  for (const reducer of reducers) {
    for (const [what, dtype, given] of values) {
      test(`${reducer} of ${what}`, () => {
        for (const [formula, shape] of [
          ["y = R[i](x[i])", [37]],
          ["y[j] = R[i](x[i, j])", [12, 3]],
          ["y[j] = R[i, k](x[j, i, k]) + j", [3, 8, 5]],
          ["y = R[i, k](x[i, k] * (i + 1))", [7, 4]],
        ] as const) {
          const { program, arrays } = programOf(formula.replace("R", reducer), { x: tensor(shape, dtype, given) });
          const { nest } = program.operations[0]!;
          const want = evaluateProgram(programOfNest(nest), arrays, []);
          for (let axis = nest.free; axis < nest.axes.length; axis++) {
            for (let length = 1; length < nest.axes[axis]!.extent; length++) {
              close(evaluateProgram(cutProgram(nest, axis, length), arrays, []), want, reducer === "sum" || reducer === "prod" ? 2e-6 : 0);
            }
          }
        }
      });
    }
  }
});

const machines = runnable();
const team = (threads: number) => ({ threads, leastPiece: 0, leastProgram: 0 });
const backends: readonly (readonly [string, (threads: number) => Backend])[] = [
  ["wasm", (threads) => createWasmBackend(team(threads))],
  ...(["avx512", "avx2"] as const).flatMap((name) =>
    typeof machines !== "string" && machines.has(name) ? [[name, (threads: number) => createX64Backend(name, team(threads))] as const] : [],
  ),
];

for (const [name, create] of backends) {
  test(`${name}: long reductions give the reference's numbers, and the same bits with one thread and two`, () => {
    const [one, two] = [create(1), create(2)];
    for (const reducer of reducers) {
      for (const [formula, shape] of [
        ["y = R[i](x[i])", [300_007]],
        ["y[j] = R[i](x[j, i])", [3, 100_003]],
        ["y[j] = R[i](x[i, j])", [10_007, 29]],
        ["y = R[i, j](x[j, i] + 0)", [3, 90_001]],
        ["y = R[i](x[i + 1] * x[i])", [262_145]],
      ] as const) {
        const steep = reducer === "prod";
        const data = tensor(shape, "float32", undefined, 7);
        if (steep) for (let i = 0; i < data.data.length; i++) data.data[i] = i % 1009 === 0 ? 1 + data.data[i]! / 8 : 1;
        const { program, arrays } = programOf(formula.replace("R", reducer), { x: data });
        const [compiled] = [compileProgram(one, program)];
        expect(compiled.listing()).toContain("parts of");
        const found = compiled.run(arrays, []).slice();
        expect(compileProgram(two, program).run(arrays, [])).toEqual(found);
        close(found, evaluateProgram(program, arrays, []), steep ? 1e-5 : reducer === "sum" ? data.data.length * 1e-8 : 0);
      }
    }
    const bits = tensor([200_003], "bool", [0, 0, 0]);
    bits.data[190_001] = 1;
    const { program, arrays } = programOf("y = sum[i](x[i])", { x: bits });
    expect(compileProgram(one, program).run(arrays, [])).toEqual(evaluateProgram(program, arrays, []));
  });

  test(`${name}: a NaN in a later part is found`, () => {
    const backend = create(2);
    const x = tensor([400_000]);
    x.data[390_001] = Number.NaN;
    x.data[390_007] = Number.NaN;
    for (const [reducer, want] of [
      ["max", Number.NaN],
      ["min", Number.NaN],
    ] as const) {
      const { program, arrays } = programOf(`y = ${reducer}[i](x[i])`, { x });
      expect(compileProgram(backend, program).run(arrays, [])[0]).toBe(want);
    }
  });
}

function close(found: HostArray, want: HostArray, tolerance: number): void {
  expect(found).toHaveLength(want.length);
  for (let i = 0; i < want.length; i++) {
    if (Object.is(found[i], want[i]) || found[i] === want[i]) continue;
    expect(Math.abs(found[i]! - want[i]!), `${found[i]} for ${want[i]} at ${i}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(want[i]!)),
    );
  }
}
