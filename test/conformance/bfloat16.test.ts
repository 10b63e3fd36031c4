// Every op of the catalogue with bfloat16 inputs on every backend: against the truth on the reference, and the others against the reference.

import { describe, it } from "vitest";
import { compile, type HostArray, type Tensor } from "../../src/index.ts";
import { roundToBfloat16 } from "../../src/nest/bfloat16.ts";
import { catalogue } from "../../src/ops/catalogue.ts";
import {
  applyCase,
  backendOf,
  type Case,
  difference,
  drawInputs,
  gradientsByTape,
  type Numbers,
  on,
  rootMeanSquare,
  tensorsOf,
  variants,
} from "./support.ts";
import { type Spec, table } from "./table.ts";

/** Half a unit in the last place of bfloat16, relative: what one rounding may change. */
const ROUNDING = 2 ** -8;

/** Per op: what is beside the storage of numbers is tested in float32. */
const MOST_CASES = 3;

const others = variants.filter((variant) => variant !== "reference" && typeof backendOf(variant) !== "string");

const takesFloats = ({ inputs }: Case): boolean => Object.values(inputs).some(({ dtype }) => dtype === "float");

describe.each(catalogue.filter(({ name }) => table[name]?.cases.some(takesFloats)))("$name in bfloat16", (entry) => {
  const spec = table[entry.name] as Spec;
  const all = spec.cases.filter(takesFloats);
  const cases = [...all.slice(0, MOST_CASES - 1), ...all.slice(MOST_CASES - 1).slice(-1)];
  const rounded = (given: Case): Numbers =>
    Object.fromEntries(
      Object.entries(drawInputs(given, entry.name)).map(([name, values]) => [
        name,
        given.inputs[name]?.dtype === "float" ? values.map(roundToBfloat16) : values,
      ]),
    );
  const run = (given: Case): Tensor => applyCase(entry.op, given, tensorsOf(given, rounded(given), "bfloat16"));
  const expected = new Map<Case, Tensor>();
  const expectedOf = (given: Case): Tensor => {
    const known = expected.get(given) ?? run(given);
    expected.set(given, known);
    return known;
  };
  const slopes = (given: Case): (Tensor | undefined)[] => {
    const inputs = tensorsOf(given, rounded(given), "bfloat16", true);
    const result = applyCase(entry.op, given, inputs);
    return gradientsByTape(result, inputs, result.mul(0).add(1).detach());
  };

  it("reference: rounds the truth", () => {
    every(cases, (given) => {
      const truth = applyCase(entry.op, given, tensorsOf(given, rounded(given), "float64"));
      const actual = expectedOf(given);
      if (truth.dtype === "float64" && actual.dtype !== "bfloat16") return `dtype ${actual.dtype}`;
      return difference(
        actual.data,
        truth.data,
        (e) => (truth.dtype === "float64" ? ROUNDING * 1.01 : 0) * Math.max(Math.abs(e), 2 ** -126),
      );
    });
  });

  for (const backend of others) {
    it(`${backend}: values, eager and compiled`, () => {
      every(cases, (given) => {
        const wanted = expectedOf(given);
        const allowed = allowance(wanted.data, wanted.dtype, spec.forward.terms ? 4 : 2);
        const eager = on(backend, () => run(given));
        if (eager.dtype !== wanted.dtype) return `dtype ${eager.dtype} instead of ${wanted.dtype}`;
        const compiled = (): HostArray =>
          compile((...inputs: Tensor[]) => applyCase(entry.op, given, inputs))(...tensorsOf(given, rounded(given), "bfloat16")).data;
        return difference(eager.data, wanted.data, allowed) ?? difference(on(backend, compiled), wanted.data, allowed);
      });
    });

    if (!spec.constant)
      it(`${backend}: gradients`, () => {
        every(cases, (given) => {
          const wanted = slopes(given);
          const found = on(backend, () => slopes(given));
          for (const [place, gradient] of found.entries()) {
            const other = wanted[place];
            if (gradient === undefined || other === undefined) continue;
            if (gradient.dtype !== "bfloat16") return `gradient ${place} is ${gradient.dtype}`;
            const problem = difference(gradient.data, other.data, allowance(other.data, "bfloat16", 16));
            if (problem !== undefined) return `gradient ${place}: ${problem}`;
          }
          return undefined;
        });
      });
  }
});

/** Some roundings, of an element or of what is typical: where float32 sums differ, a rounding tips over. */
function allowance(wanted: HostArray, dtype: string, roundings: number): (value: number) => number {
  if (dtype !== "bfloat16") return () => 0;
  const typical = rootMeanSquare(wanted);
  return (value) => ROUNDING * roundings * Math.max(Math.abs(value), typical / 16);
}

function every(cases: readonly Case[], check: (given: Case) => string | undefined): void {
  const problems = cases.flatMap((given) => {
    const problem = check(given);
    return problem === undefined ? [] : [`${given.label}: ${problem}`];
  });
  if (problems.length > 0) throw new Error(`${problems.length} of ${cases.length} cases:\n${problems.slice(0, 5).join("\n")}`);
}
