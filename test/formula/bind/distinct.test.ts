// Steps that write one element: refused where = would keep any one of them, allowed where += adds them up.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bind } from "../../../src/formula/bind/bind.ts";
import { parseFormula } from "../../../src/formula/parse.ts";
import { FormulaError } from "../../../src/index.ts";
import { evaluateProgram } from "../../../src/nest/evaluate.ts";

function bound(text: string, shape: readonly number[], sizes: Readonly<Record<string, number>> = {}) {
  return bind(parseFormula(text), { name: "f", inputs: { x: { dtype: "float32", shape } }, sizes });
}

describe("several steps that write one element", () => {
  const refused: readonly (readonly [string, readonly number[], Readonly<Record<string, number>>, RegExp])[] = [
    ["y[i*b] = x[i]", [4], { b: 0 }, /several steps of i \(4 steps\) write one element of y[\s\S]*\+= adds/],
    ["y[i + j] = x[i, j]", [3, 3], {}, /steps of i \(3 steps\) and j \(3 steps\)/],
    ["y[i*b + j] = x[i, j]", [3, 3], { b: 2 }, /several steps/],
    ["y[i + j, k] = x[i, j, k]", [3, 3, 2], {}, /steps of i \(3 steps\) and j/],
    ["y[i + j, 2*i + 2*j] = x[i, j]", [3, 3], {}, /several steps/],
    ["y[i*300 + j] = x[i, j]", [300, 301], {}, /several steps/],
  ];
  it.each(refused)("are refused: %s of %j with %j", (text, shape, sizes, message) => {
    expect(() => bound(text, shape, sizes)).toThrow(FormulaError);
    expect(() => bound(text, shape, sizes)).toThrow(message);
  });

  const allowed: readonly (readonly [string, readonly number[], Readonly<Record<string, number>>])[] = [
    ["y[i*b] = x[i]", [1], { b: 0 }],
    ["y[i*b] = x[i]", [4], { b: -2 }],
    ["y[i*b + j] = x[i, j]", [3, 2], { b: 2 }],
    ["y[i*3 - j + 2] = x[i, j]", [3, 3], {}],
    ["y[i + j, i - j + 2] = x[i, j]", [3, 3], {}],
    ["y[j, i] = x[i, j]", [300, 300], {}],
    ["y[i, i] = x[i]", [3], {}],
  ];
  it.each(allowed)("are not what %s of %j with %j does", (text, shape, sizes) => {
    expect(() => bound(text, shape, sizes)).not.toThrow();
  });

  it("property: what is bound writes as many elements as there are steps", () => {
    const size = fc.integer({ min: -4, max: 4 });
    let tried = 0;
    fc.assert(
      fc.property(size, size, size, size, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), (a, b, c, d, rows, columns) => {
        const x = Float32Array.from({ length: rows * columns }, (_, n) => n + 1);
        const text = "y[i*a + j*b + 40, i*c + j*d + 40] = x[i, j]";
        const places = new Set<string>();
        for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) places.add(`${i * a + j * b},${i * c + j * d}`);
        if (places.size < rows * columns) expect(() => bound(text, [rows, columns], { a, b, c, d })).toThrow(/several steps/);
        else {
          const y = evaluateProgram(bound(text, [rows, columns], { a, b, c, d }), [x], []);
          expect(y.filter((value) => value !== 0).sort()).toEqual(x.slice().sort());
          tried++;
        }
      }),
      { numRuns: 200 },
    );
    expect(tried).toBeGreaterThan(20);
  });
});
