// A thousand random shapes of every kind of kernel, on every machine: what the reference gives, and no write outside a buffer.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { HostArray } from "../../src/backends/backend.ts";
import { printFormula } from "../../src/formula/print.ts";
import { evaluateProgram } from "../../src/nest/evaluate.ts";
import { programOf, tensor } from "../kernels/conformance.ts";
import { Source } from "../kernels/source.ts";
import { runGuarded, wasmEngine, x64Engine } from "./guarded.ts";
import { type Case, kinds } from "./stress-cases.ts";
import { here } from "./x64/harness.ts";

const engines = [["wasm", wasmEngine()] as const, ...here.map((name) => [name, x64Engine(name)] as const)];
const numRuns = Number(process.env.KASANE_RUNS ?? 1000);
const seed = Number(process.env.KASANE_SEED ?? 20_261);
console.log(`stress: ${numRuns} shapes per kind on ${engines.map(([name]) => name).join(", ")}, seed ${seed} (KASANE_RUNS, KASANE_SEED)`);

/** The first thing that is wrong on some machine, as a sentence, or "". */
function check(given: Case): string {
  const { program, arrays, params } = programOf(given.formula, given.inputs, given.attributes);
  const wanted = evaluateProgram(program, arrays, params);
  for (const [name, engine] of engines) {
    const { result, damage } = runGuarded(engine, program, arrays, params);
    const wrong = damage || difference(result, wanted);
    if (wrong !== "") return `${name}: ${wrong} in ${describe(given)}`;
  }
  return "";
}

function difference(got: HostArray, wanted: HostArray): string {
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [got[i]!, wanted[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    if (!(wanted instanceof Float32Array && Math.abs(a - b) <= 2e-5 * Math.max(1, Math.abs(b))))
      return `element ${i} is ${a} instead of ${b}`;
  }
  return "";
}

function describe({ formula, inputs, attributes }: Case): string {
  const shapes = formula.inputs.map((name) => `${name}: ${inputs[name]!.dtype}[${inputs[name]!.shape}]`);
  return `${printFormula(formula)} with ${shapes.join(", ")}, ${JSON.stringify(attributes)}`;
}

test("a write beside its buffer is noticed", () => {
  const { program, arrays } = programOf("y = x + 1", { x: tensor([20]) });
  const { nest, ...step } = program.operations[0]!;
  const index = nest.output.index.map((one) => (one.kind === "affine" ? { ...one, offset: 1 } : one));
  const wrong = { ...program, operations: [{ ...step, nest: { ...nest, output: { ...nest.output, index } } }] };
  for (const [, engine] of engines) {
    expect(runGuarded(engine, program, arrays, []).damage).toBe("");
    expect(runGuarded(engine, wrong, arrays, []).damage).toMatch(/^operation 0 of 1 \(test\) writes at \d+, outside its output/);
  }
});

test.each(Object.entries(kinds))("%s", (_, draw) => {
  fc.assert(
    fc.property(fc.array(fc.nat(5039), { minLength: 40, maxLength: 60 }), (numbers) => {
      expect(check(draw(new Source(numbers)))).toBe("");
    }),
    { numRuns, seed },
  );
});
