// TeX and MathML of formulas.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalize } from "../../src/formula/bind/normalize.ts";
import { deriveGradient } from "../../src/formula/gradient/derive.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { mathmlOf, mathmlOfExpression, mathmlOfStatement } from "../../src/formula/typeset/print-mathml.ts";
import { texOf, texOfExpression, texOfStatement } from "../../src/formula/typeset/print-tex.ts";
import { formulaText } from "./arbitrary.ts";
import { CASES } from "./cases.ts";
import { expectMathml, expectTex } from "./markup.ts";

const tex = (source: string, params: readonly string[] = []): string => texOf(parseFormula(source, { params }));
const mathml = (source: string): string => mathmlOf(parseFormula(source)).replace(/^<math[^>]*>|<\/math>$/g, "");

describe("TeX", () => {
  it.each([
    ["y = 1 / (1 + exp(-x))", String.raw`y = \frac{1}{1 + \exp\left( -x \right)}`],
    ["y[..., o] = sum[i](x[..., i] * w[o, i])", String.raw`y_{\dots,\, o} = \sum_{i} x_{\dots,\, i} \cdot w_{o,\, i}`],
    ["y[i] = max[p < k](x[i*s + p - pad])", String.raw`y_{i} = \max_{p \lt k} \left( x_{i \cdot s + p - \mathit{pad}} \right)`],
    ["y = sum[@axes](x)", String.raw`y = \sum_{\operatorname{axes}} x`],
    ["y = (a + b) * c", String.raw`y = \left( a + b \right) \cdot c`],
    ["y = a - (b - c)", String.raw`y = a - \left( b - c \right)`],
    ["y = a - b * c", String.raw`y = a - b \cdot c`],
    ["y = a + -b", String.raw`y = a + \left( -b \right)`],
    ["y = -(a + b)", String.raw`y = -\left( a + b \right)`],
    ["y = a * -2", String.raw`y = a \cdot \left( -2 \right)`],
    ["y = x ^ 2 ^ n", "y = x^{2^{n}}"],
    ["y = (x ^ 2) ^ n", String.raw`y = \left( x^{2} \right)^{n}`],
    ["y = (a / b) ^ 2", String.raw`y = \left( \frac{a}{b} \right)^{2}`],
    ["y = a / b * c", String.raw`y = \frac{a}{b} \cdot c`],
    ["y = x ^ (a / b)", "y = x^{a / b}"],
    ["y[i] = x[i] ^ 2", "y_{i} = {x_{i}}^{2}"],
    [
      "y = sqrt(x) + abs(x) + floor(x) + ceil(x)",
      String.raw`y = \sqrt{x} + \left\vert x \right\vert + \left\lfloor x \right\rfloor + \left\lceil x \right\rceil`,
    ],
    [
      "y = log(x) + erf(x) + sign(x)",
      String.raw`y = \ln\left( x \right) + \operatorname{erf}\left( x \right) + \operatorname{sgn}\left( x \right)`,
    ],
    [
      "y = select(x > 0, x, select(x < -1, 2, 3))",
      String.raw`y = \begin{cases} x & \ \text{if}\  x \gt 0 \\ 2 & \ \text{if}\  x \lt -1 \\ 3 & \ \text{otherwise}\  \end{cases}`,
    ],
    [
      "y = 2 * select(x > 0, x, 0)",
      String.raw`y = 2 \cdot \left( \begin{cases} x & \ \text{if}\  x \gt 0 \\ 0 & \ \text{otherwise}\  \end{cases} \right)`,
    ],
    ["y = a <= b && c != d || !e", String.raw`y = a \le b \land c \ne d \lor \lnot e`],
    ["y = mu + sigma * epsilon + Omega", String.raw`y = \mu + \sigma \cdot \epsilon + \Omega`],
    ["y = μ * 入力", String.raw`y = \mu \cdot \mathit{入力}`],
    ["y = running_mean", String.raw`y = \mathit{running\_mean}`],
    ["y = 1e-7 + 2.5e10 * pi", String.raw`y = 1 \times 10^{-7} + 25000000000 \cdot \pi`],
    ["y = -inf", String.raw`y = -\infty`],
    ["y[ids[n], d] += x[n, d]", String.raw`y_{\mathit{ids}_{n},\, d} \mathrel{+}= x_{n,\, d}`],
    ["y = x - sum[i](w[i])", String.raw`y = x - \sum_{i} w_{i}`],
    ["y = sum[i](w[i]) * x", String.raw`y = \left( \sum_{i} w_{i} \right) \cdot x`],
    ["y = sum[i](w[i] + 1)", String.raw`y = \sum_{i} \left( w_{i} + 1 \right)`],
    ["y[i < n] = x[i / 2] % 3", String.raw`y_{i \lt n} = x_{i / 2} \bmod 3`],
    ["y = x[] * w[...a, 3]", String.raw`y = x \cdot w_{\dots a,\, 3}`],
  ])("%s", (source, expected) => {
    expect(tex(source)).toBe(expected);
    expectTex(expected);
  });
  it("aligns several statements", () => {
    expect(tex("e = exp(x); y = e / sum[@axes](e)")).toBe(
      "\\begin{aligned}\n  e &= \\exp\\left( x \\right) \\\\\n  y &= \\frac{e}{\\sum_{\\operatorname{axes}} e}\n\\end{aligned}",
    );
  });
  it("draws gradients as ∂L/∂x when told of which tensors", () => {
    const [gradient] = deriveGradient(parseFormula("y[o] = sum[i](x[i] * w[o, i])"), "x");
    if (!gradient) throw new Error("no gradient");
    expect(texOf(gradient)).toBe(String.raw`\mathit{gx}_{i} = \sum_{o} \mathit{gy}_{o} \cdot w_{o,\, i}`);
    expect(texOf(gradient, { gradients: ["x", "y"] })).toBe(
      String.raw`\frac{\partial L}{\partial x_{i}} = \sum_{o} \frac{\partial L}{\partial y_{o}} \cdot w_{o,\, i}`,
    );
  });
  it("draws statements and expressions alone", () => {
    const [statement] = parseFormula("y = x / 2").statements;
    if (!statement) throw new Error("no statement");
    expect(texOfStatement(statement)).toBe(String.raw`y = \frac{x}{2}`);
    expect(texOfExpression(statement.value)).toBe(String.raw`\frac{x}{2}`);
  });
});

describe("MathML", () => {
  it.each([
    ["y = 1 / x", "<mrow><mi>y</mi><mo>=</mo><mfrac><mn>1</mn><mi>x</mi></mfrac></mrow>"],
    [
      "y = exp(-x)",
      '<mrow><mi>y</mi><mo>=</mo><mrow><mi>exp</mi><mo>\u2061</mo><mrow><mo fence="true" form="prefix">(</mo><mrow><mo>−</mo><mi>x</mi></mrow><mo fence="true" form="postfix">)</mo></mrow></mrow></mrow>',
    ],
    [
      "y = sum[i](x[i])",
      "<mrow><mi>y</mi><mo>=</mo><mrow><munder><mo>∑</mo><mi>i</mi></munder><msub><mi>x</mi><mi>i</mi></msub></mrow></mrow>",
    ],
    ["y = sigma ^ 2", "<mrow><mi>y</mi><mo>=</mo><msup><mi>σ</mi><mn>2</mn></msup></mrow>"],
    ["y = sqrt(x)", "<mrow><mi>y</mi><mo>=</mo><msqrt><mi>x</mi></msqrt></mrow>"],
    ["y = a < b", "<mrow><mi>y</mi><mo>=</mo><mrow><mi>a</mi><mo>&lt;</mo><mi>b</mi></mrow></mrow>"],
  ])("%s", (source, expected) => {
    expect(mathml(source)).toBe(expected);
  });
  it("is a table for several statements and cases", () => {
    expect(mathml("e = x; y = e").match(/<mtr>/g)).toHaveLength(2);
    expect(mathml("y = select(x > 0, 1, 2)")).toMatch(
      /<mo fence="true" form="prefix">\{<\/mo><mtable><mtr>.*if.*<\/mtr><mtr>.*otherwise.*<\/mtr><\/mtable>/,
    );
  });
  it("draws statements and expressions alone", () => {
    const [statement] = parseFormula("y = x / 2").statements;
    if (!statement) throw new Error("no statement");
    expectMathml(mathmlOfStatement(statement));
    expectMathml(mathmlOfExpression(statement.value));
  });
});

describe("both", () => {
  it("are well formed for any formula", () => {
    fc.assert(
      fc.property(formulaText, (source) => {
        const formula = parseFormula(source, { params: ["p"] });
        expectTex(texOf(formula));
        expectMathml(mathmlOf(formula));
      }),
      { numRuns: 300 },
    );
  });
  it("are well formed for gradients", () => {
    for (const { formula, inputs, attributes } of CASES) {
      const parsed = parseFormula(formula, { params: Object.keys(attributes?.params ?? {}) });
      if (normalize(parsed).statements.length > 1) continue;
      for (const input of Object.keys(inputs))
        for (const gradient of deriveGradient(parsed, input)) {
          expectTex(texOf(gradient, { gradients: [...Object.keys(inputs), "y"] }));
          expectMathml(mathmlOf(gradient));
        }
    }
  });
});
