// Elements explained with their numbers: the same values as the evaluator gives, and the sentences a person reads.

import { describe, expect, it } from "vitest";
import { bind } from "../../../src/formula/bind/bind.ts";
import type { Binding } from "../../../src/formula/bind/binding.ts";
import { explainElement, explanationText } from "../../../src/formula/explain/explain.ts";
import type { ExplainOptions, Explanation } from "../../../src/formula/explain/explanation.ts";
import { numberText } from "../../../src/formula/numbers.ts";
import { parseFormula } from "../../../src/formula/parse.ts";
import { explanationMathml } from "../../../src/formula/typeset/print-mathml.ts";
import { explanationTex } from "../../../src/formula/typeset/print-tex.ts";
import { sizeOfShape } from "../../../src/nest/evaluate.ts";
import { InputError } from "../../../src/util/errors.ts";
import { CASES } from "../cases.ts";
import { expectMathml, expectTex } from "../markup.ts";
import { type Attributes, type Data, floats, type Inputs, ints, run } from "../support.ts";

function explain(
  source: string,
  inputs: Inputs,
  position: readonly number[],
  attributes: Attributes = {},
  options: ExplainOptions = {},
): Explanation {
  const formula = parseFormula(source, { params: Object.keys(attributes.params ?? {}) });
  const binding: Binding = { name: "op", inputs, ...attributes, params: {} };
  const arrays = formula.inputs.map((name) => (inputs[name] as Data).data);
  const params = formula.params.map((name) => attributes.params?.[name] ?? 0);
  return explainElement(formula, binding, arrays, params, position, options);
}

const text = (...args: Parameters<typeof explain>): string => explanationText(explain(...args));

/** Coordinates of every element. */
function positions(shape: readonly number[]): number[][] {
  return Array.from({ length: sizeOfShape(shape) }, (_, flat) =>
    shape.map((extent, d) => Math.floor(flat / sizeOfShape(shape.slice(d + 1))) % extent),
  );
}

describe("explained values", () => {
  it.each(CASES.map((entry) => [entry.name ?? entry.formula, entry] as const))(
    "%s: every element as the evaluator has it",
    (_, { formula, inputs, attributes }) => {
      const result = run(formula, inputs, attributes);
      positions(result.shape).forEach((position, flat) => {
        const explanation = explain(formula, inputs, position, attributes);
        expect(explanation.value, `at ${position.join(", ")}`).toBe(result.data[flat]);
        expectTex(explanationTex(explanation));
        expectMathml(explanationMathml(explanation));
      });
    },
  );
  it.each([
    ["y[i] = max[j](x[i, j])"],
    ["y[i] = argmin[j](x[i, j])"],
    ["y[i] = prod[j](x[i, j]) + sum[j](x[i, j])"],
    ["y = isnan(x) || x > 2"],
    ["y = x == x && !(x < 0)"],
    ["y = int(x) % 3 + max(int(x), 1) * 2147483647"],
    ["y[i < 4, j] = sum[k < 3](x[i + k - 1, j] * x[i + 0, j])"],
    ["y[2*i + 1, j] = x[i, j]; y[2*i, j] = x[i, j] + 1"],
    ["y = uniform(1, 2, position[...], 0) * x"],
    ["y[i < 2] = count[i]"],
  ])("%s, with NaN, infinity and zeros", (formula) => {
    const inputs = { x: floats([3, 3], [1, Number.NaN, -2, 0, -0, 5.5, Number.POSITIVE_INFINITY, 3, Number.NEGATIVE_INFINITY]) };
    const result = run(formula, inputs);
    positions(result.shape).forEach((position, flat) =>
      expect(explain(formula, inputs, position).value + 0, `at ${position}`).toBe((result.data[flat] as number) + 0),
    );
  });
  it("are rounded where tensors are stored", () => {
    const x: Data = { shape: [1], data: Float32Array.of(0.1), dtype: "float32" };
    const source = "t = x * 3; y = t * 7";
    expect(explain(source, { x }, [0]).value).toBe(run(source, { x }).data[0]);
    expect(explain(source, { x }, [0]).value).toBe(Math.fround(Math.fround(Math.fround(0.1) * 3) * 7));
  });
  it("touch only what the element depends on", () => {
    const x: Data = { shape: [1000, 1000], data: new Float64Array(1e6).fill(1), dtype: "float64" };
    expect(text("m[i] = max[j](x[i, j]); y[i, j] = x[i, j] - m[i]", { x }, [999, 999])).toBe(
      "m[999] = 1 = max(1, 1, 1, 1, … 992 more …, 1, 1, 1, 1)\ny[999, 999] = 0 = 1 - 1",
    );
  });
});

describe("sentences", () => {
  const x = floats([2], [2.99, -3]);
  it.each<[expected: string, ...args: Parameters<typeof explain>]>([
    ["0.9521 = 1 / (1 + exp(-2.99))", "y = 1 / (1 + exp(-x))", { x }, [0]],
    ["0.952 = 1 / (1 + exp(-2.99))", "y = 1 / (1 + exp(-x))", { x }, [0], {}, { digits: 3 }],
    ["0.04743 = 1 / (1 + exp(-(-3)))", "y = 1 / (1 + exp(-x))", { x }, [1]],
    ["11 = 3·2 + 1·3 + 2·1", "y[o] = sum[i](w[o, i] * x[i])", { w: floats([2, 3], [3, 1, 2, -2, -3, -1]), x: floats([3], [2, 3, 1]) }, [0]],
    [
      "-14 = (-2)·2 + (-3)·3 + (-1)·1",
      "y[o] = sum[i](w[o, i] * x[i])",
      { w: floats([2, 3], [3, 1, 2, -2, -3, -1]), x: floats([3], [2, 3, 1]) },
      [1],
    ],
    ["169 = (33 - 20)^2", "y = (x - t) ^ 2", { x: floats([], [33]), t: floats([], [20]) }, []],
    ["0 = max(-14, 0)", "y = max(x, 0)", { x: floats([2], [11, -14]) }, [1]],
    ["2.99 = 2.99 because 2.99 > 0", "y = select(x > 0, x, 0.01 * x)", { x }, [0]],
    ["-0.03 = 0.01·(-3) because -3 <= 0", "y = select(x > 0, x, 0.01 * x)", { x }, [1]],
    ["NaN = 0.01·NaN because not (NaN > 0)", "y = select(x > 0, x, 0.01 * x)", { x: floats([1], [Number.NaN]) }, [0]],
    ["1 = (2 because 2.99 > 0 && 2.99 < 9) - 1", "y = select(x > 0 && x < 9, 2, 3) - 1", { x }, [0]],
    ["-2.5 = -(2.5 because 2.5 > 0)", "y = -select(x > 0, x, 0)", { x: floats([1], [2.5]) }, [0]],
    ["2 = (1 + 2 + 3) / 3", "y = mean[i](x[i])", { x: floats([3], [1, 2, 3]) }, []],
    ["6 = w[2, 1]", "y[..., d] = w[ids[...], d]", { w: floats([3, 2], [1, 2, 3, 4, 5, 6]), ids: ints([2], [0, 2]) }, [1, 1]],
    ["0 = w[9, 1] (outside of the tensor)", "y[..., d] = w[ids[...], d]", { w: floats([3, 2]), ids: ints([1], [9]) }, [0, 1]],
    ["5 = x[1, 0]", "y[j, i] = x[i, j]", { x: floats([2, 2], [3, 4, 5, 6]) }, [0, 1]],
    [
      "5 = max(1, 2, 4, 5) (5 more in the padding)",
      "y[i, j] = max[p < 3, q < 3](x[i + p - 1, j + q - 1])",
      { x: floats([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]) },
      [0, 0],
    ],
    [
      "8 = 1·2 + 2·3 (1 more in the padding)",
      "y[i] = sum[p](x[i + p - 1] * w[p])",
      { x: floats([3], [1, 2, 3]), w: floats([3], [1, 2, 3]) },
      [0],
    ],
    [
      "NaN = 0·inf + 1·2",
      "y[i < 1] = sum[p](x[i + p - 1] * w[p])",
      { x: floats([1], [1]), w: floats([2], [Number.POSITIVE_INFINITY, 2]) },
      [0],
    ],
    ["2 = argmax(3, 1, 9)", "y = argmax[i](x[i])", { x: floats([3], [3, 1, 9]) }, []],
    ["24 = 2·3·4", "y = prod[i](x[i])", { x: floats([3], [2, 3, 4]) }, []],
    ["0 = 0", "y = sum[i](x[i])", { x: floats([0], []) }, []],
    ["-inf = max()", "y = max[i](x[i])", { x: floats([0], []) }, []],
    [
      "8 = 2 + 6",
      "y[ids[n], d] += x[n, d]",
      { ids: ints([3], [1, 0, 1]), x: floats([3, 2], [1, 2, 3, 4, 5, 6]) },
      [1, 1],
      { resultShape: [3, 2] },
    ],
    ["0 = 0", "y[ids[n]] += x[n]", { ids: ints([1], [1]), x: floats([1], [4]) }, [0], { resultShape: [2] }],
    ["5 = 2 + 3", "y = x", { x: floats([2], [2, 3]) }, [], { resultShape: [] }],
    ["2 = a[1]", "y[i] = a[i]; y[i + n] = b[i]", { a: floats([2], [1, 2]), b: floats([1], [3]) }, [1], { sizes: { n: 2 } }],
    ["3 = b[0]", "y[i] = a[i]; y[i + n] = b[i]", { a: floats([2], [1, 2]), b: floats([1], [3]) }, [2], { sizes: { n: 2 } }],
    ["true = 2.99 > 0", "y = x > 0", { x }, [0]],
    ["1 = (2.99 > 0) + (-3 > 0)", "y = sum[i](x[i] > 0)", { x }, []],
    ["0.03162 = sqrt(0.001)", "y = sqrt(epsilon)", {}, [], { params: { epsilon: 0.001 } }],
    ["6.283 = 2·3.142", "y = 2 * pi", {}, []],
  ])("%s", (expected, ...args) => {
    expect(text(...args)).toBe(expected);
  });
  it("shorten long sums in the middle and keep the total exact", () => {
    const inputs = {
      x: floats(
        [100],
        Array.from({ length: 100 }, (_, n) => n + 0.5),
      ),
    };
    const explanation = explain("y = sum[i](x[i] ^ 2)", inputs, []);
    expect(explanationText(explanation)).toBe("333325 = 0.5^2 + 1.5^2 + 2.5^2 + 3.5^2 + … 92 more … + 96.5^2 + 97.5^2 + 98.5^2 + 99.5^2");
    expect(explanation.value).toBe(333325);
    expect(explanation.lines[0]?.terms.map((term) => term.place)).toEqual([0, 1, 2, 3, 96, 97, 98, 99]);
    expect(text("y = sum[i](x[i] ^ 2)", inputs, [], {}, { terms: 3 })).toBe("333325 = 0.5^2 + 1.5^2 + … 97 more … + 99.5^2");
  });
  it("show the largest even from the middle", () => {
    const values = Array.from({ length: 20 }, (_, n) => (n === 10 ? 7 : -1 - n));
    expect(text("y = max[i](x[i])", { x: floats([20], values) }, [], {}, { terms: 4 })).toBe(
      "7 = max(-1, -2, … 8 more …, 7, … 7 more …, -19, -20)",
    );
  });
  it("give intermediate values lines of their own, in order", () => {
    const softmax = "m = max[@axes](x); e = exp(x - m); y = e / sum[@axes](e)";
    expect(text(softmax, { x: floats([3], [1, 2, 4]) }, [1], { lists: { axes: [-1] } }).split("\n")).toEqual([
      "m[0] = 4 = max(1, 2, 4)",
      "e[1] = 0.1353 = exp(2 - 4)",
      "e[0] = 0.04979 = exp(1 - 4)",
      "e[2] = 1 = exp(4 - 4)",
      "t0[0] = 1.185 = 0.04979 + 0.1353 + 1",
      "y[1] = 0.1142 = 0.1353 / 1.185",
    ]);
  });
  it("say how many intermediate values have no line", () => {
    const x = floats([40], Array(40).fill(1));
    const lines = text("e[i] = exp(x[i]); y = prod[i](e[i])", { x }, [], {}, { lines: 3, terms: 10 }).split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[3]).toBe("(7 more intermediate values)");
  });
  it("have the symbols beside the numbers", () => {
    const [line] = explain("y[..., o] = sum[i](x[..., i] * w[o, i])", { x: floats([2], [1, 2]), w: floats([1, 2], [3, 4]) }, [0]).lines;
    expect(line).toMatchObject({
      target: "y",
      position: [0],
      formula: "y[..., o] = sum[i](x[..., i] * w[o, i])",
      substituted: "1·3 + 2·4",
      sentence: "11 = 1·3 + 2·4",
      value: 11,
      type: "float",
    });
    expect(line?.terms.map((term) => term.term.value)).toEqual([3, 8]);
  });
  it("are plain data", () => {
    const explanation = explain("y = select(x > 0, x, 0)", { x }, [0]);
    expect(JSON.parse(JSON.stringify(explanation))).toEqual(JSON.parse(JSON.stringify(structuredClone(explanation))));
  });
  it("refuse a position that is not there", () => {
    for (const position of [[2], [-1], [0.5], [], [0, 0], [Number.NaN]])
      expect(() => explain("y = x", { x }, position)).toThrow(InputError);
    expect(() => explain("y = x", { x }, [2])).toThrow("op: there is no element [2] in a result of shape [2]");
  });
  it("refuse too few numbers", () => {
    const formula = parseFormula("y = x");
    expect(() =>
      explainElement(formula, { name: "op", inputs: { x: { dtype: "float32", shape: [3] } } }, [Float32Array.of(1)], [], [0]),
    ).toThrow("op: expected 3 numbers for x, got 1");
  });
});

describe("numbers", () => {
  it.each<[number, string]>([
    [0, "0"],
    [-0, "-0"],
    [1, "1"],
    [-14, "-14"],
    [123456, "123456"],
    [1234567, "1.235e6"],
    [0.95257194, "0.9526"],
    [-0.000172463, "-0.0001725"],
    [-0.0000143, "-1.43e-5"],
    [9.99996, "10"],
    [123.456, "123.5"],
    [12345.678, "12346"],
    [0.1 + 0.2, "0.3"],
    [1e300, "1e300"],
    [5e-324, "4.941e-324"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "inf"],
    [Number.NEGATIVE_INFINITY, "-inf"],
  ])("%f is written %s", (value, expected) => {
    expect(numberText(value)).toBe(expected);
  });
  it("keep every digit of ints, and are words for bools", () => {
    expect(numberText(2147483647, "int")).toBe("2147483647");
    expect(numberText(1, "bool")).toBe("true");
    expect(numberText(0, "bool")).toBe("false");
  });
  it("have as many digits as asked for", () => {
    expect([1, 2, 6, 9].map((digits) => numberText(0.95257194, "float", digits))).toEqual(["1", "0.95", "0.952572", "0.95257194"]);
  });
});

describe("programs and explanations", () => {
  it("agree on which statement each step is", () => {
    const source = "a = x + 1; b = max[@axes](a); y[i] = a[i]; y[i + 3] = b[i]";
    const inputs = { x: floats([3], [1, 2, 3]) };
    const program = bind(parseFormula(source), { name: "op", inputs, lists: { axes: [0] } });
    expect(program.operations).toHaveLength(4);
    expect(
      text(source, inputs, [3], { lists: { axes: [0] } })
        .split("\n")
        .at(-1),
    ).toBe("y[3] = 4 = b[0]");
  });
});
