// Single steps as a textbook writes them: a linear unit, sigmoid, softmax with cross entropy, a window, pooling, one step of Adam, and their gradients.

import { describe, expect, it } from "vitest";
import type { Formula } from "../../src/formula/ast.ts";
import type { Binding } from "../../src/formula/bind/binding.ts";
import { chainRuleOf } from "../../src/formula/explain/chain-rule.ts";
import { explainElement, explanationText } from "../../src/formula/explain/explain.ts";
import { readsOf } from "../../src/formula/explain/explain-reads.ts";
import type { ExplainOptions, Explanation } from "../../src/formula/explain/explanation.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { chainRuleJson, explanationJson } from "../../src/formula/typeset/explain-json.ts";
import { chainRuleMathml, chainRuleTex, chainRuleText } from "../../src/formula/typeset/print-chain-rule.ts";
import { explanationTex } from "../../src/formula/typeset/print-tex.ts";
import { relu, sigmoid, softmax } from "../../src/ops/activations.ts";
import { convolution, linear, linearBias } from "../../src/ops/contractions.ts";
import { crossEntropy } from "../../src/ops/losses.ts";
import type { Op } from "../../src/ops/op.ts";
import { maxPool } from "../../src/ops/pooling.ts";
import { adamFirst, adamSecond, adamStep } from "../../src/ops/updates.ts";
import { gradientOps } from "../../src/tensor/autograd/parts.ts";
import { expectMathml } from "./markup.ts";
import { type Data, floats, ints, run } from "./support.ts";

type Numbers = Readonly<Record<string, number | readonly number[]>>;
type Named = Readonly<Record<string, Data>>;

function explain(
  formula: Formula,
  inputs: Named,
  position: readonly number[],
  numbers: Numbers = {},
  options: ExplainOptions = {},
  resultShape?: readonly number[],
): Explanation {
  const binding: Binding = {
    name: "op",
    inputs: Object.fromEntries(formula.inputs.map((name) => [name, inputs[name] as Data])),
    sizes: Object.fromEntries(formula.sizes.map((name) => [name, numbers[name] as number])),
    lists: Object.fromEntries(formula.lists.map((name) => [name, numbers[name] as readonly number[]])),
    ...(resultShape === undefined ? {} : { resultShape }),
  };
  const arrays = formula.inputs.map((name) => (inputs[name] as Data).data);
  return explainElement(
    formula,
    binding,
    arrays,
    formula.params.map((name) => numbers[name] as number),
    position,
    options,
  );
}

/** The gradient of an op by an input, explained. */
function backward(op: Op, by: string, inputs: Named, position: readonly number[], numbers: Numbers = {}): Explanation {
  const [gradient] = gradientOps(op, by) as [Op];
  return explain(gradient.formula, inputs, position, numbers, { lines: 50 }, (inputs[by] as Data).shape);
}

const backwardText = (...args: Parameters<typeof backward>): string => chainRuleText(chainRuleOf(backward(...args)));

const x = floats([1, 3], [2, 3, 1]);
const w = floats([2, 3], [3, 1, 2, -2, -3, -1]);

describe("a linear unit", () => {
  it("forward", () => {
    expect(explanationText(explain(linear.formula, { x, w }, [0, 0]))).toBe("11 = 2·3 + 3·1 + 1·2");
    expect(explanationText(explain(linearBias.formula, { x, w, b: floats([2], [1, -1]) }, [0, 1]))).toBe(
      "-15 = 2·(-2) + 3·(-3) + 1·(-1) + (-1)",
    );
  });
  it("backward, by its input and by its weights", () => {
    const gy = floats([1, 2], [0.5, 0.1]);
    expect(backwardText(linear, "x", { gy, w, x }, [0, 2])).toBe(
      "gx[0, 2] = gy[0, 0] · w[0, 2] + gy[0, 1] · w[1, 2] = 0.5 × 2 + 0.1 × (-1) = 0.9",
    );
    expect(backwardText(linear, "w", { gy, w, x }, [1, 1])).toBe("gw[1, 1] = gy[0, 1] · x[0, 1] = 0.1 × 3 = 0.3");
  });
  it("has every number that it read, by the size of its terms", () => {
    expect(
      readsOf(explain(linear.formula, { x, w }, [0, 0])).map(({ tensor, coordinates, contribution }) => [
        tensor,
        coordinates.join(),
        contribution,
      ]),
    ).toEqual([
      ["x", "0,0", 6],
      ["w", "0,0", 6],
      ["x", "0,1", 3],
      ["w", "0,1", 3],
      ["x", "0,2", 2],
      ["w", "0,2", 2],
    ]);
  });
});

describe("sigmoid and relu", () => {
  it("forward", () => {
    expect(explanationText(explain(sigmoid.formula, { x: floats([1], [2.99]) }, [0]))).toBe("0.9521 = 1 / (1 + exp(-2.99))");
  });
  it("backward: y(1 − y), at most a quarter", () => {
    const inputs = { x: floats([2], [2.99, 0]), y: floats([2], [0.95257194, 0.5]), gy: floats([2], [0.5, -1]) };
    expect(backwardText(sigmoid, "x", inputs, [0])).toBe(
      "gx[0] = gy[0] · y[0]·(1 - y[0]) = 0.5 × 0.9526·(1 - 0.952572) = 0.5 × 0.04518 = 0.02259",
    );
    expect(backwardText(sigmoid, "x", inputs, [1])).toBe("gx[1] = gy[1] · y[1]·(1 - y[1]) = (-1) × 0.5·(1 - 0.5) = (-1) × 0.25 = -0.25");
    expect(chainRuleTex(chainRuleOf(backward(sigmoid, "x", inputs, [1])))).toBe(
      [
        "\\begin{aligned}",
        "  \\frac{\\partial L}{\\partial x_{1}} &= \\frac{\\partial L}{\\partial y_{1}} \\cdot y_{1} \\cdot \\left( 1 - y_{1} \\right) \\\\",
        "   &= \\left( -1 \\right) \\times 0.5 \\cdot \\left( 1 - 0.5 \\right) \\\\",
        "   &= \\left( -1 \\right) \\times 0.25 \\\\",
        "   &= -0.25",
        "\\end{aligned}",
      ].join("\n"),
    );
    expectMathml(chainRuleMathml(chainRuleOf(backward(sigmoid, "x", inputs, [1]))));
  });
  it("a unit that is off lets nothing through", () => {
    const inputs = { x: floats([2], [11, -14]), y: floats([2], [11, 0]), gy: floats([2], [26, 7]) };
    expect(backwardText(relu, "x", inputs, [0])).toBe("gx[0] = gy[0] · (1 because y[0] > 0) = 26 × (1 because 11 > 0) = 26 × 1 = 26");
    expect(backwardText(relu, "x", inputs, [1])).toBe("gx[1] = 0 = 0 because 0 <= 0\n(no element of gy reaches it)");
  });
});

describe("softmax with cross entropy", () => {
  const logits = floats([1, 3], [1, 2, 4]);
  const t = ints([1], [1]);
  it("forward", () => {
    const explanation = explain(crossEntropy.formula, { x: logits, t }, [0]);
    expect(explanationText(explanation)).toBe(
      "m[0] = 4 = max(1, 2, 4)\ns[0] = 1.185 = exp(1 - 4) + exp(2 - 4) + exp(4 - 4)\ny[0] = 2.17 = log(1.185) + 4 - 2",
    );
    const reads = readsOf(explanation);
    expect(reads[0]).toMatchObject({ tensor: "x", coordinates: [0, 2] });
    expect(reads.at(-1)).toEqual({ tensor: "t", coordinates: [0], value: 1, contribution: 0, decides: true });
  });
  it("backward: probability minus one for the right class", () => {
    const inputs = { x: logits, t, gy: floats([1], [1]) };
    expect(backwardText(crossEntropy, "x", inputs, [0, 1])).toBe(
      "gx[0, 1] = gy[0] · (exp(x[0, 1] - m[0]) / s[0] - (1 because t[0] == 1)) = 1 × (exp(2 - 4) / 1.185 - (1 because 1 == 1)) = 1 × (-0.8858) = -0.8858",
    );
  });
  it("softmax alone, each logit reaching every probability", () => {
    const y = run(softmax.formula, { x: logits }, { lists: { axes: [-1] } });
    const inputs = { x: logits, y, gy: floats([1, 3], [0, 0.5, -1]) };
    const explanation = backward(softmax, "x", inputs, [0, 2], { axes: [-1] });
    expect(chainRuleText(chainRuleOf(explanation))).toBe(
      "gx[0, 2] = gy[0, 2] · y[0, 2]·(1 - y[0, 2]) + gy[0, 1] · y[0, 2]·(-y[0, 1]) + gy[0, 0] · y[0, 2]·(-y[0, 0])" +
        " = (-1) × 0.8438·(1 - 0.8438) + 0.5 × 0.8438·(-0.1142) + 0 × 0.8438·(-0.04201) = (-1) × 0.1318 + 0.5 × (-0.09636) + 0 × (-0.03545) = -0.18",
    );
  });
});

describe("windows", () => {
  // One window of 3×3×3 whose products with the kernel sum to −2, 0 and 1 by channel.
  const image = floats([1, 3, 3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const kernel = floats([1, 3, 3, 3], [-1, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const steps = { stride0: 1, stride1: 1, dilation0: 1, dilation1: 1, padding0: 0, padding1: 0 };
  const conv = convolution(2, true, false).formula;
  const inputs = { x: image, w: kernel, b: floats([1], [1]) };
  it("a convolution by channel: −2, 0 and 1, with bias 1 that is 0", () => {
    const explanation = explain(conv, inputs, [0, 0, 0, 0], steps, { group: "c" });
    expect(explanationText(explanation)).toBe("0 = -2 [c=0] + 0 [c=1] + 1 [c=2] + 1");
    expect(explanationTex(explanation)).toBe("0 = \\underbrace{-2}_{c = 0} + \\underbrace{0}_{c = 1} + \\underbrace{1}_{c = 2} + 1");
  });
  it("a convolution's largest terms", () => {
    expect(explanationText(explain(conv, inputs, [0, 0, 0, 0], steps, { order: "size", terms: 3 }))).toBe(
      "0 = 1·(-1) [c=0, p=0, q=0] + 1·(-1) [c=0, p=1, q=1] + 1·1 [c=1, p=0, q=0] + … 24 more, together 0 + 1",
    );
  });
  it("a pooling window, and the way back to its winner", () => {
    const pool = maxPool(2);
    const area = floats([1, 1, 2, 2], [1, 5, -3, 2]);
    const numbers = { ...steps, stride0: 2, stride1: 2, kernel0: 2, kernel1: 2 };
    expect(explanationText(explain(pool.formula, { x: area }, [0, 0, 0, 0], numbers))).toBe("5 = max(1, 5, -3, 2)");
    const back = { x: area, y: floats([1, 1, 1, 1], [5]), gy: floats([1, 1, 1, 1], [0.7]) };
    expect(backwardText(pool, "x", back, [0, 0, 0, 1], numbers)).toMatch(
      /^gx\[0, 0, 0, 1\] = gy\[0, 0, 0, 0\] · \(?1.* = 0\.7 × 1 = 0\.7$/,
    );
    const reads = readsOf(explain(pool.formula, { x: area }, [0, 0, 0, 0], numbers));
    expect(reads.map(({ value, contribution, decides }) => [value, contribution, decides])).toEqual([
      [5, 5, false],
      [1, 0, true],
      [-3, 0, true],
      [2, 0, true],
    ]);
  });
});

describe("one step of Adam", () => {
  const at = (op: Op, inputs: Named, numbers: Numbers): Explanation => explain(op.formula, inputs, [0], { ...op.defaults, ...numbers });
  const one = (value: number): Data => floats([1], [value]);
  it("in three lines", () => {
    const first = at(adamFirst, { m: one(0), g: one(0.5), w: one(3) }, {});
    const second = at(adamSecond, { s: one(0), g: one(0.5), w: one(3) }, {});
    expect(explanationText(first)).toBe("0.05 = 0.9·0 + 0.1·(0.5 + 0·3)");
    expect(explanationText(second)).toBe("0.00025 = 0.999·0 + 0.001·(0.5 + 0·3)^2");
    const step = at(
      adamStep,
      { w: one(3), m: one(first.value), s: one(second.value) },
      { rate: 0.1, correction1: 0.1, correction2: 0.001 },
    );
    expect(explanationText(step)).toBe("2.9 = 3·(1 - 0.1·0) - 0.1·sqrt(0.001) / 0.1·0.05 / (sqrt(0.00025) + 1e-8·sqrt(0.001))");
    expect(readsOf(step).map(({ tensor, contribution }) => [tensor, Number(contribution.toPrecision(5))])).toEqual([
      ["w", 3],
      ["m", -0.1],
      ["s", -0.1],
    ]);
  });
});

describe("what was read", () => {
  const reads = (source: string, inputs: Named, position: number[] = []): string =>
    readsOf(explain(parseFormula(source), inputs, position))
      .map((read) => {
        const place = read.coordinates.length === 0 ? "" : `[${read.coordinates}]`;
        return `${read.tensor}${place} ${read.decides ? "decides" : read.contribution}`;
      })
      .join(", ");
  const numbers = { a: floats([], [2]), b: floats([], [3]), c: floats([], [4]) };
  it.each([
    ["y = a * b + c", "a 6, b 6, c 4"],
    ["y = (a + b) * c", "c 20, b 12, a 8"],
    ["y = a * a - a", "a 2"],
    ["y = (a + b) * (a + c)", "c 20, a 18, b 18"],
    ["y = (a + b) / c", "c 1.25, b 0.75, a 0.5"],
    ["y = a / (a + b)", "a 0.4, b 0.4"],
    ["y = exp(a * 0) * b", "a 3, b 3"],
    ["y = -a + max(b, c)", "c 4, a -2, b decides"],
    ["y = select(a > b, a, c)", "c 4, a decides, b decides"],
    ["y = a + select(a > b, b, c)", "c 4, a 2, b decides"],
    ["t = a + b; u = t * c; y = u - t", "c 20, b 9, a 6"],
  ])("%s: %s", (source, expected) => {
    expect(reads(source, numbers)).toBe(expected);
  });
  it("in products, extremes and positions, but not in the padding", () => {
    const x = floats([3], [2, -3, 4]);
    expect(reads("y = prod[i](x[i])", { x })).toBe("x[0] -24, x[1] -24, x[2] -24");
    expect(reads("y = argmax[i](x[i])", { x })).toBe("x[2] 2, x[0] decides, x[1] decides");
    expect(reads("y[n] = x[ids[n]]", { x, ids: ints([1], [1]) }, [0])).toBe("x[1] -3, ids[0] decides");
    expect(reads("y = sum[i < 5](x[i - 1])", { x })).toBe("x[2] 4, x[1] -3, x[0] 2");
  });
});

describe("as JSON", () => {
  it("keeps NaN, the infinities and −0, and every field", () => {
    const x = floats([4], [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0]);
    const json = JSON.parse(JSON.stringify(explanationJson(explain(parseFormula("y = sum[i](x[i])"), { x }, []))));
    expect(json).toMatchObject({
      name: "op",
      inputs: ["x"],
      value: "NaN",
      omitted: 0,
      lines: [{ element: "y", formula: "y = sum[i](x[i])" }],
    });
    const terms = json.lines[0].filled.terms.map(({ term }: { term: { value: number | string } }) => term.value);
    expect(terms).toEqual(["NaN", "Infinity", "-Infinity", "-0"]);
    expect(terms.map(Number)).toEqual([...x.data]);
    expect(Object.keys(json)).toEqual(["name", "inputs", "value", "digits", "omitted", "lines", "reads"]);
    expect(Object.keys(json.lines[0])).toEqual([
      "element",
      "target",
      "position",
      "formula",
      "filled",
      "substituted",
      "sentence",
      "value",
      "type",
    ]);
  });
  it("has chain rules by path", () => {
    const formula = parseFormula("gx[i] = sum[o](gy[o] * w[o, i])");
    const json = chainRuleJson(chainRuleOf(explain(formula, { gy: floats([2], [0.5, -0]), w }, [2])));
    expect(JSON.parse(JSON.stringify(json))).toEqual({
      element: "gx[2]",
      target: "gx",
      position: [2],
      value: 1,
      upstream: "gy",
      paths: [
        {
          upstream: { tensor: "gy", coordinates: [0], value: 0.5 },
          local: { value: 2, named: "w[0, 2]", substituted: "w[0, 2]" },
          contribution: 1,
        },
        {
          upstream: { tensor: "gy", coordinates: [1], value: "-0" },
          local: { value: -1, named: "w[1, 2]", substituted: "w[1, 2]" },
          contribution: 0,
        },
      ],
      omitted: 0,
      rest: 0,
      text: "gx[2] = gy[0] · w[0, 2] + gy[1] · w[1, 2] = 0.5 × 2 + (-0) × (-1) = 1",
    });
  });
});

describe("chain rules that are long, shortened or none", () => {
  const long = parseFormula("gx = sum[o](gy[o] * w[o])");
  const gy = floats(
    [20],
    Array.from({ length: 20 }, (_, n) => n / 10),
  );
  const ones = floats(
    [20],
    Array.from({ length: 20 }, () => 2),
  );
  it("have a line for each path, and what the others come to", () => {
    const rule = chainRuleOf(explain(long, { gy, w: ones }, [], {}, { order: "size", terms: 4 }));
    expect(chainRuleText(rule)).toBe(
      "gx = 38, the sum of\n    gy[19] · w[19] = 1.9 × 2 = 3.8\n    gy[18] · w[18] = 1.8 × 2 = 3.6\n    gy[17] · w[17] = 1.7 × 2 = 3.4\n" +
        "    gy[16] · w[16] = 1.6 × 2 = 3.2\n    … 16 more, together 24",
    );
    expect(chainRuleTex(chainRuleOf(explain(long, { gy, w: ones }, [], {}, { order: "size", terms: 2 })))).toContain(
      "&= 1.9 \\times 2 + 1.8 \\times 2 + \\underbrace{30.6}_{\\ \\text{18 more, together}\\ }",
    );
  });
  it("do not count shortened sums that upstream has no part in", () => {
    const rule = chainRuleOf(explain(parseFormula("gx = gy * sum[o](w[o])"), { gy: floats([], [3]), w: ones }, [], {}, { terms: 2 }));
    expect(chainRuleText(rule)).toBe("gx = gy · (w[0] + … 18 more … + w[19]) = 3 × (2 + … 18 more … + 2) = 3 × 40 = 120");
  });
  it.each([
    ["gx[i] = gy[i] ^ 2", "gx[0] = 0 = 0^2\n(pow is applied to what depends on gy)"],
    ["gx[i] = gy[i] + 1", "gx[0] = 1 = 0 + 1\n(1 of it does not depend on gy)"],
    ["gx = max[i](gy[i])", "gx = 1.9 = max(0, 0.1, 0.2, 0.3, … 12 more …, 1.6, 1.7, 1.8, 1.9)\n(max is taken over what depends on gy)"],
    ["gx[i] = select(gy[i] > 1, gy[i], 0)", "gx[0] = 0 = 0 because 0 <= 1\n(a condition depends on gy)"],
  ])("%s is none", (source, expected) => {
    const formula = parseFormula(source);
    const rule = chainRuleOf(explain(formula, { gy }, source.startsWith("gx[i]") ? [0] : []));
    expect(chainRuleText(rule)).toBe(expected);
    expect(chainRuleTex(rule)).toBe("");
  });
  it("are scaled by what a shortened sum is multiplied with", () => {
    const rule = chainRuleOf(
      explain(parseFormula("t = sum[o](gy[o] * w[o]); gx = -t / 4"), { gy, w: ones }, [], {}, { order: "size", terms: 2 }),
    );
    expect(rule.paths.reduce((total, path) => total + path.contribution, rule.rest)).toBeCloseTo(-9.5, 12);
    expect(rule.omitted).toBe(18);
  });
});
