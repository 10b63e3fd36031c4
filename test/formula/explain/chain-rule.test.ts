// Gradients path by path: for every op of the catalogue upstream × local adds up, and local is the derivative.

import { describe, expect, it } from "vitest";
import type { Formula, Statement } from "../../../src/formula/ast.ts";
import { bind } from "../../../src/formula/bind/bind.ts";
import type { Binding } from "../../../src/formula/bind/binding.ts";
import { chainRuleOf } from "../../../src/formula/explain/chain-rule.ts";
import { explainerOf } from "../../../src/formula/explain/explain.ts";
import type { ExplainOptions } from "../../../src/formula/explain/explanation.ts";
import { parseFormula } from "../../../src/formula/parse.ts";
import { chainRuleMathml, chainRuleTex, chainRuleText } from "../../../src/formula/typeset/print-chain-rule.ts";
import type { NumberArray } from "../../../src/nest/arrays.ts";
import { evaluateProgram, sizeOfShape } from "../../../src/nest/evaluate.ts";
import type { Operand } from "../../../src/nest/nest.ts";
import { catalogue } from "../../../src/ops/catalogue.ts";
import type { Op } from "../../../src/ops/op.ts";
import { gradientOps, partsOf, shapeOfPart } from "../../../src/tensor/autograd/parts.ts";
import { expectMathml, expectTex } from "../markup.ts";
import { type Data, floats, pattern } from "../support.ts";

type Named = Record<string, Data>;
type Numbers = Readonly<Record<string, number | readonly number[]>>;

function bindingOf(op: Op, attributes: Numbers, inputs: Named, resultShape: readonly number[] | undefined): Binding {
  const numbers = { ...op.defaults, ...attributes };
  return {
    name: op.name,
    inputs: Object.fromEntries(op.formula.inputs.map((name) => [name, inputs[name] as Data])),
    sizes: Object.fromEntries(op.formula.sizes.map((name) => [name, numbers[name] as number])),
    lists: Object.fromEntries(op.formula.lists.map((name) => [name, numbers[name] as readonly number[]])),
    params: op.params,
    ...(resultShape === undefined ? {} : { resultShape }),
  };
}

const paramsOf = (op: Op, attributes: Numbers): number[] =>
  op.formula.params.map((name) => Number(attributes[name] ?? op.defaults[name] ?? 0));
const arraysOf = (formula: Formula, inputs: Named): NumberArray[] => formula.inputs.map((name) => (inputs[name] as Data).data);

function positionsOf(shape: readonly number[], most: number): number[][] {
  const size = sizeOfShape(shape);
  const chosen = size <= most ? [...Array(size).keys()] : Array.from({ length: most }, (_, n) => Math.floor((n * size) / most));
  return chosen.map((flat) => shape.map((extent, d) => Math.floor(flat / sizeOfShape(shape.slice(d + 1))) % extent));
}

/** How the gradients of an op were found: every path held against the gradient for that upstream element alone. */
function checkGradients(op: Op, attributes: Numbers, known: Named, resultShape: readonly number[] | undefined): number {
  const target = (op.formula.statements.at(-1) as Statement).target;
  const params = paramsOf(op, attributes);
  const forward = bind(op.formula, bindingOf(op, attributes, known, resultShape));
  const { shape, dtype } = forward.buffers[forward.result] as Operand;
  const y: Data = { shape, dtype, data: evaluateProgram(forward, arraysOf(op.formula, known), params) };
  known[target] = y;
  if (!dtype.startsWith("float")) return 0;
  let paths = 0;
  // Zeros among the upstream numbers: local must be right there too.
  const upstream = floats(
    shape,
    pattern(sizeOfShape(shape), 3).map((value, n) => (n % 3 === 1 ? 0 : value)),
  );
  for (const input of op.formula.inputs) {
    const given = known[input] as Data;
    if (!given.dtype.startsWith("float")) continue;
    for (const gradient of gradientOps(op, input)) {
      const inputs: Named = { ...known, [`g${target}`]: upstream };
      const program = bind(gradient.formula, bindingOf(gradient, attributes, inputs, given.shape));
      const arrays = arraysOf(gradient.formula, inputs);
      const own = paramsOf(gradient, attributes);
      const whole = evaluateProgram(program, arrays, own);
      const gradientShape = program.buffers[program.result]?.shape as readonly number[];
      const explainAt = explainerOf(gradient.formula, program, arrays, own, { terms: Number.POSITIVE_INFINITY, lines: 1e6 });
      for (const position of positionsOf(gradientShape, 12)) {
        const rule = chainRuleOf(explainAt(position), `g${target}`);
        const place = position.reduce((at, step, d) => at * (gradientShape[d] as number) + step, 0);
        expect(rule.obstacle, gradient.name).toBeUndefined();
        expect(rule.omitted).toBe(0);
        const total = rule.paths.reduce((sum, path) => sum + path.contribution, 0);
        const scale = rule.paths.reduce((sum, path) => sum + Math.abs(path.contribution), 0);
        expect(Math.abs(total - (whole[place] as number)), `${gradient.name} at ${position}`).toBeLessThanOrEqual(3e-7 * scale + 1e-12);
        for (const path of rule.paths.slice(0, 4)) {
          const alone = floats(shape, Array(sizeOfShape(shape)).fill(0));
          alone.data[path.upstream.coordinates.reduce((at, step, d) => at * (shape[d] as number) + step, 0)] = 1;
          const one = evaluateProgram(program, arraysOf(gradient.formula, { ...inputs, [`g${target}`]: alone }), own);
          expect(Math.abs(path.local.value - (one[place] as number))).toBeLessThanOrEqual(3e-7 * (1 + Math.abs(path.local.value)));
        }
        const sizes = rule.paths.map((path) => Math.abs(path.contribution));
        expect(sizes).toEqual(sizes.slice().sort((a, b) => b - a));
        paths += rule.paths.length;
        if (rule.paths.length === 0) continue;
        expectTex(chainRuleTex(rule));
        expectMathml(chainRuleMathml(rule));
      }
    }
  }
  return paths;
}

describe("every gradient of the catalogue", () => {
  const withoutPaths: string[] = [];
  it.each(catalogue.filter(({ op }) => op.kind !== "view").map((entry) => [entry.name, entry] as const))(
    "%s is the sum of upstream × local",
    (name, { op, example: { inputs, attributes, resultShape } }) => {
      const known: Named = Object.fromEntries(
        Object.entries(inputs).map(([input, { dtype, shape, data }]) => [
          input,
          dtype.startsWith("float")
            ? floats(shape, data)
            : { dtype, shape, data: dtype === "int32" ? Int32Array.from(data) : Uint8Array.from(data) },
        ]),
      );
      const isWritten = op.formula.inputs.every((input) => !known[input]?.dtype.startsWith("float") || op.gradient[input] !== undefined);
      const parts = isWritten ? [op] : partsOf(op);
      const target = (op.formula.statements.at(-1) as Statement).target;
      let paths = 0;
      parts.forEach((part, n) => {
        const isLast = n === parts.length - 1;
        const shape = isLast ? resultShape : resultShape && shapeOfPart(part, target, resultShape);
        paths += checkGradients(part, attributes, known, shape);
      });
      if (paths === 0) withoutPaths.push(name);
    },
  );
  it("has paths but where there is nothing to differentiate", () => {
    expect(withoutPaths.join(" ")).toBe(
      "sign floor ceil round trunc less lessEqual greater greaterEqual equal notEqual logicalAnd logicalOr logicalNot isNaN isFinite toFloat toInt " +
        "toBool causalMask argmax argmin countZeros countNaN countFinite countOutside histogram oneHot randomUniform randomNormal randomBernoulli randomInteger randomIntegerOfMany",
    );
  });
});

describe("as a textbook writes it", () => {
  const rule = (source: string, inputs: Named, position: number[], options: ExplainOptions = {}, rest: Partial<Binding> = {}) => {
    const formula = parseFormula(source);
    return chainRuleOf(explainerOf(formula, { name: "op", inputs, ...rest }, arraysOf(formula, inputs), [], options)(position));
  };
  const text = (...args: Parameters<typeof rule>): string => chainRuleText(rule(...args));
  const linear = "gx[i] = sum[o](gy[o] * w[o, i])";
  const w = floats([2, 3], [3, 1, 2, -2, -3, -1]);
  it("a linear unit", () => {
    expect(text(linear, { gy: floats([2], [0.5, 0.1]), w }, [0])).toBe(
      "gx[0] = gy[0] · w[0, 0] + gy[1] · w[1, 0] = 0.5 × 3 + 0.1 × (-2) = 1.3",
    );
    expect(chainRuleTex(rule(linear, { gy: floats([2], [0.5, 0.1]), w }, [0]))).toBe(
      [
        "\\begin{aligned}",
        "  \\frac{\\partial L}{\\partial x_{0}} &= \\frac{\\partial L}{\\partial y_{0}} \\cdot w_{0,\\, 0} + \\frac{\\partial L}{\\partial y_{1}} \\cdot w_{1,\\, 0} \\\\",
        "   &= 0.5 \\times 3 + 0.1 \\times \\left( -2 \\right) \\\\",
        "   &= 1.3",
        "\\end{aligned}",
      ].join("\n"),
    );
  });
  it("a local derivative of several parts, with other names and within a width", () => {
    const inputs = { gy: floats([1], [2]), y: floats([1], [0.25]) };
    const sigmoid = "gx = gy * y * (1 - y)";
    expect(text(sigmoid, inputs, [0])).toBe("gx[0] = gy[0] · y[0]·(1 - y[0]) = 2 × 0.25·(1 - 0.25) = 2 × 0.1875 = 0.375");
    expect(chainRuleText(rule(sigmoid, inputs, [0]), { name: "∂L/∂x[0]", upstream: "∂L/∂y", width: 40 })).toBe(
      "∂L/∂x[0] = ∂L/∂y[0] · y[0]·(1 - y[0])\n    = 2 × 0.25·(1 - 0.25) = 2 × 0.1875\n    = 0.375",
    );
  });
  it("many paths, a line each, and what the others come to", () => {
    const inputs = { gy: floats([6], [1, 2, 3, 4, 5, 6]), w: floats([6, 1], [1, 1, 1, 1, 1, 1]) };
    expect(text(linear, inputs, [0], { terms: 4, order: "size" })).toBe(
      [
        "gx[0] = 21, the sum of",
        "    gy[5] · w[5, 0] = 6 × 1 = 6",
        "    gy[4] · w[4, 0] = 5 × 1 = 5",
        "    gy[3] · w[3, 0] = 4 × 1 = 4",
        "    gy[2] · w[2, 0] = 3 × 1 = 3",
        "    … 2 more, together 3",
      ].join("\n"),
    );
  });
  it("names the intermediate values behind a local derivative", () => {
    const softmax = "s = sum[i](exp(x[i]))\ngx[i] = gy[i] * exp(x[i]) / s";
    const found = rule(softmax, { gy: floats([2], [1, 2]), x: floats([2], [0, 1]) }, [1]);
    expect(found.behind.map(({ sentence }) => sentence)).toEqual(["3.718 = exp(0) + exp(1)"]);
    expect(chainRuleText(found)).toBe("gx[1] = gy[1] · exp(x[1]) / s = 2 × exp(1) / 3.718 = 2 × 0.7311 = 1.462");
  });
});
