// Terms by size, partial sums, and many elements explained from one bound program.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bind } from "../../src/formula/bind/bind.ts";
import type { Binding } from "../../src/formula/bind/binding.ts";
import { explainElement, explainerOf, explanationText } from "../../src/formula/explain/explain.ts";
import type { ExplainOptions, Explanation } from "../../src/formula/explain/explanation.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { explanationMathml } from "../../src/formula/typeset/print-mathml.ts";
import { explanationTex } from "../../src/formula/typeset/print-tex.ts";
import type { Reducer } from "../../src/nest/nest.ts";
import { CASES } from "./cases.ts";
import { expectMathml, expectTex } from "./markup.ts";
import { type Data, floats, type Inputs, ints, run } from "./support.ts";

function explain(source: string, inputs: Inputs, position: readonly number[], options: ExplainOptions): Explanation {
  const formula = parseFormula(source);
  const arrays = formula.inputs.map((name) => (inputs[name] as Data).data);
  return explainElement(formula, { name: "op", inputs }, arrays, [], position, { order: "size", ...options });
}

const text = (...args: Parameters<typeof explain>): string => explanationText(explain(...args));
const row = (...data: number[]): Data => floats([data.length], data);

describe("by size", () => {
  it.each<[expected: string, formula: string, x: Data, terms: number]>([
    ["10 = 9 [i=3] + (-4) [i=1] + … 2 more, together 5", "y = sum[i](x[i])", row(3, -4, 2, 9), 2],
    ["10 = 3 + (-4) + 2 + 9", "y = sum[i](x[i])", row(3, -4, 2, 9), 4],
    ["5 = 5", "y = sum[i](x[i])", row(5), 4],
    ["2.5 = (9 [i=3] + (-4) [i=1] + … 2 more, together 5) / 4", "y = mean[i](x[i])", row(3, -4, 2, 9), 2],
    ["0 = 2 [i=0] + (-2) [i=1] + … 2 more, together 0", "y = sum[i](x[i])", row(2, -2, 2, -2), 2],
    ["NaN = NaN [i=2] + (-inf) [i=1] + … 1 more, together 1", "y = sum[i](x[i])", row(1, Number.NEGATIVE_INFINITY, Number.NaN), 2],
    ["9 = max(9 [i=3], 3 [i=0], … 2 more, none larger)", "y = max[i](x[i])", row(3, -4, 2, 9), 2],
    ["-4 = min(-4 [i=1], 2 [i=2], … 2 more, none smaller)", "y = min[i](x[i])", row(3, -4, 2, 9), 2],
    ["3 = argmax(9 [i=3], 3 [i=0], … 2 more, none larger)", "y = argmax[i](x[i])", row(3, -4, 2, 9), 2],
    ["1 = argmin(-4 [i=1], 2 [i=2], … 2 more, none smaller)", "y = argmin[i](x[i])", row(3, -4, 2, 9), 2],
    ["NaN = max(NaN [i=1], 7 [i=2], … 1 more, none larger)", "y = max[i](x[i])", row(1, Number.NaN, 7), 2],
    ["-1.6 = 0.1 [i=2]·(-8) [i=1]·… 2 more, together 2", "y = prod[i](x[i])", row(2, -8, 0.1, 1), 2],
    ["0 = 0 [i=1]·5 [i=0]·… 1 more, together 2", "y = prod[i](x[i])", row(5, 0, 2), 2],
  ])("%s", (expected, formula, x, terms) => {
    expect(text(formula, { x }, [], { terms })).toBe(expected);
  });
  it("says where the reduction stood along several axes", () => {
    const inputs = { x: floats([2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) };
    expect(text("y[n] = sum[i, j](x[n, i, j])", inputs, [1], { terms: 2 })).toBe(
      "57 = 12 [i=1, j=2] + 11 [i=1, j=1] + … 4 more, together 34",
    );
    expect(text("y = sum[...](x[...])", inputs, [0, 0, 0], { terms: 2 })).toBe("78 = 12 [1, 1, 2] + 11 [1, 1, 1] + … 10 more, together 55");
  });
  it("counts padding apart", () => {
    expect(text("y[i] = sum[p](x[i + p - 1] * w[p])", { x: row(1, 2, 3), w: row(1, 2, 3) }, [0], {})).toBe(
      "8 = 1·2 + 2·3 (1 more in the padding)",
    );
  });
  it("orders what a scatter adds up", () => {
    const formula = parseFormula("y[ids[n], d] += x[n, d]");
    const inputs = { ids: ints([3], [1, 0, 1]), x: floats([3, 2], [1, 2, 3, 4, 5, 6]) };
    const explanation = explainElement(
      formula,
      { name: "op", inputs, resultShape: [3, 2] },
      formula.inputs.map((name) => inputs[name as "x"].data),
      [],
      [1, 1],
      { order: "size" },
    );
    expect(explanationText(explanation)).toBe("8 = 2 + 6");
  });
  it("is drawn with braces in TeX and MathML", () => {
    const explanation = explain("y = sum[i](x[i] * x[i])", { x: row(3, -4, 2, 9) }, [], { terms: 2 });
    expect(explanationTex(explanation)).toBe(
      "110 = \\underbrace{9 \\cdot 9}_{i = 3} + \\underbrace{\\left( -4 \\right) \\cdot \\left( -4 \\right)}_{i = 1} + \\underbrace{13}_{\\ \\text{2 more, together}\\ }",
    );
    expectTex(explanationTex(explanation));
    expectMathml(explanationMathml(explanation));
    expect(explanationMathml(explanation)).toContain("<mtext>\u00a02 more, together\u00a0</mtext>");
  });
  it("never changes values, and shown terms with the rest make the whole", () => {
    for (const { formula, inputs, attributes } of CASES) {
      const parsed = parseFormula(formula, { params: Object.keys(attributes?.params ?? {}) });
      const binding: Binding = { name: "op", inputs, ...attributes, params: {} };
      const arrays = parsed.inputs.map((name) => (inputs[name] as Data).data);
      const params = parsed.params.map((name) => attributes?.params?.[name] ?? 0);
      const explainAt = explainerOf(parsed, binding, arrays, params, { order: "size", terms: 2 });
      const result = run(formula, inputs, attributes);
      const last = result.shape.map((extent) => extent - 1);
      if (result.data.length === 0) continue;
      const explanation = explainAt(last);
      expect(explanation.value, formula).toBe(result.data[result.data.length - 1]);
      expectTex(explanationTex(explanation));
      expectMathml(explanationMathml(explanation));
    }
  });
  it("keeps the largest of any numbers", () => {
    const reducers: Reducer[] = ["sum", "prod", "max", "min", "argmax", "argmin"];
    fc.assert(
      fc.property(
        fc.array(fc.double(), { maxLength: 30 }),
        fc.integer({ min: 2, max: 8 }),
        fc.constantFrom(...reducers),
        (data, terms, reducer) => {
          const chain = explain(`y = ${reducer}[i](x[i])`, { x: row(...data) }, [], { terms }).lines[0]?.filled;
          if (chain?.kind !== "chain") throw new Error("no chain");
          const size = (value: number): number => {
            if (Number.isNaN(value)) return Number.MAX_VALUE;
            const plain = reducer === "sum" ? Math.abs(value) : reducer === "prod" ? Math.abs(Math.log(Math.abs(value))) : value;
            return Math.min(reducer.endsWith("min") ? -plain : plain, 1e308);
          };
          const places = data.map((_, place) => place).sort((a, b) => size(data[b] as number) - size(data[a] as number) || a - b);
          const large = data.filter((value) => size(value) === 1e308).length;
          if (large === 0)
            expect(chain.terms.map((term) => term.place)).toEqual(data.length <= terms ? [...data.keys()] : places.slice(0, terms));
          expect(chain.count).toBe(data.length);
          const left = data.filter((_, place) => !chain.terms.some((term) => term.place === place));
          expect(chain.rest === undefined).toBe(left.length === 0 || (reducer !== "sum" && reducer !== "prod"));
          if (reducer === "sum" && left.length === 1) expect(chain.rest).toBe((left[0] as number) + 0);
          if (reducer === "sum" && data.every((value) => Math.abs(value) < 1e300)) {
            const whole = chain.terms.reduce((total, { term }) => total + term.value, chain.rest ?? 0);
            const scale = data.reduce((total, value) => total + Math.abs(value), 0);
            expect(Math.abs(whole - chain.value)).toBeLessThanOrEqual(1e-13 * scale);
          }
        },
      ),
    );
  });
});

describe("partial sums", () => {
  const inputs = {
    x: floats([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
    w: floats([2, 2, 2], [1, 0, 0, -1, 1, 1, 0, 0]),
  };
  const formula = "y = sum[c, p, q](x[c, p, q] * w[c, p, q]) + 1";
  it("are terms that unfold", () => {
    const explanation = explain(formula, inputs, [], { order: "position", group: "c" });
    expect(explanationText(explanation)).toBe("9 = -3 [c=0] + 11 [c=1] + 1");
    const [first, second] = explanation.lines[0]?.terms ?? [];
    expect(first).toMatchObject({ place: 0, at: [{ name: "c", step: 0 }], term: { kind: "chain", value: -3, count: 4 } });
    expect(second?.term).toMatchObject({ terms: [{ at: [{}, {}], term: { value: 5 } }, { term: { value: 6 } }, {}, {}] });
  });
  it("come by size too", () => {
    expect(text(formula, inputs, [], { group: "c" })).toBe("9 = -3 [c=0] + 11 [c=1] + 1");
    expect(explanationTex(explain(formula, inputs, [], { group: "c" }))).toBe(
      "9 = \\underbrace{-3}_{c = 0} + \\underbrace{11}_{c = 1} + 1",
    );
  });
  it("of a maximum are maxima", () => {
    expect(text("y = max[p, q](x[0, p, q])", inputs, [], { group: "p" })).toBe("4 = max(2 [p=0], 4 [p=1])");
  });
  it("by an axis that is not there are the terms", () => {
    expect(text("y = sum[i](x[i])", { x: row(1, 2) }, [], { group: "c" })).toBe("3 = 1 + 2");
  });
});

describe("one program for many elements", () => {
  it("gives what binding anew gives", () => {
    const formula = parseFormula("m = max[@axes](x); e = exp(x - m); r = 1 / sum[@axes](e); y = e * r");
    const x = floats([3, 4]);
    const binding: Binding = { name: "softmax", inputs: { x }, lists: { axes: [-1] } };
    const explainAt = explainerOf(formula, bind(formula, binding), [x.data], []);
    for (const position of [
      [0, 0],
      [2, 3],
      [1, 1],
      [2, 3],
    ])
      expect(explainAt(position)).toEqual(explainElement(formula, binding, [x.data], [], position));
    expect(() => explainAt([3, 0])).toThrow("softmax: there is no element [3, 0] in a result of shape [3, 4]");
  });
  it("computes only what an element needs", () => {
    let reads = 0;
    const data = new Proxy(new Float64Array(1e6), {
      get: (target, key) => {
        if (typeof key === "string" && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key);
      },
    });
    const formula = parseFormula("m[i] = max[j](x[i, j]); y[i, j] = x[i, j] - m[i]");
    const explainAt = explainerOf(formula, { name: "op", inputs: { x: { shape: [1000, 1000], dtype: "float64" } } }, [data], []);
    expect(explainAt([999, 999]).value).toBe(0);
    expect(reads).toBeLessThan(3000);
  });
});
