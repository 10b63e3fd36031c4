// The simplifier: shorter, and of the same value.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linearIn, solveFor } from "../../src/formula/affine.ts";
import { childrenOf, type Expression } from "../../src/formula/ast.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { printExpression } from "../../src/formula/print.ts";
import { simplify } from "../../src/formula/simplify.ts";
import { FUNCTIONS } from "../../src/nest/functions.ts";
import { scalarExpression } from "./arbitrary.ts";

type Values = Readonly<Record<string, number>>;

/** The value of an expression, and whether every part of it is finite. */
function evaluate(node: Expression, values: Values): { value: number; finite: boolean } {
  if (node.kind === "number") return { value: node.value, finite: true };
  if (node.kind === "name") return { value: values[node.name] as number, finite: true };
  if (node.kind !== "call") throw new Error(`no value for ${node.kind}`);
  const parts = node.args.map((arg) => evaluate(arg, values));
  const [a = 0, b = 0, c = 0, d = 0] = parts.map((part) => part.value);
  const value = FUNCTIONS[node.fn].evaluate(a, b, c, d);
  return { value, finite: Number.isFinite(value) && parts.every((part) => part.finite) };
}

const size = (node: Expression): number => 1 + childrenOf(node).reduce((total, child) => total + size(child), 0);
const valueOf = (source: string): Expression =>
  parseFormula(`y = ${source}`, { params: ["a", "b", "c"] }).statements[0]?.value as Expression;
const simplified = (source: string): string => printExpression(simplify(valueOf(source)));

const real = fc.double({ min: -3, max: 3, noNaN: true });

describe("simplify", () => {
  it("keeps the value wherever every part is finite", () => {
    fc.assert(
      fc.property(scalarExpression, fc.record({ a: real, b: real, c: real }), (expression, values) => {
        const before = evaluate(expression, values);
        fc.pre(before.finite && Math.abs(before.value) < 1e100);
        const after = evaluate(simplify(expression), values);
        const gap = Math.abs(after.value - before.value) / (1 + Math.abs(before.value));
        expect(gap, printExpression(expression)).toBeLessThan(1e-9);
      }),
      { numRuns: 3000 },
    );
  });
  it("never makes an expression longer", () => {
    fc.assert(
      fc.property(scalarExpression, (expression) => {
        expect(size(simplify(expression))).toBeLessThanOrEqual(size(expression));
      }),
      { numRuns: 1000 },
    );
  });
  it("is done after one call", () => {
    fc.assert(
      fc.property(scalarExpression, (expression) => {
        expect(simplify(simplify(expression))).toEqual(simplify(expression));
      }),
      { numRuns: 1000 },
    );
  });
  it.each([
    ["a + 0", "a"],
    ["0 + a", "a"],
    ["a + -b", "a - b"],
    ["-a + b", "b - a"],
    ["a - -b", "a + b"],
    ["0 - a", "-a"],
    ["-(a - b)", "b - a"],
    ["a * 1", "a"],
    ["a * 0", "0"],
    ["a * -1", "-a"],
    ["-a * -b", "a * b"],
    ["a * (1 / b)", "a / b"],
    ["a / 1", "a"],
    ["a / -1", "-a"],
    ["0 / a", "0"],
    ["a ^ 1", "a"],
    ["a ^ 0", "1"],
    ["2 + 3 * 4", "14"],
    ["sqrt(4)", "2"],
    ["select(1 < 2, a, b)", "a"],
    ["select(a < b, c, c)", "c"],
    ["a * select(b > 0, c, 0)", "select(b > 0, a * c, 0)"],
    ["select(b > 0, 0, c) / a", "select(b > 0, 0, c / a)"],
    ["sum[i](0 * a)", "0"],
    ["float(3)", "3"],
  ])("%s is %s", (source, expected) => {
    expect(simplified(source)).toBe(expected);
  });
  it.each(["1 / 0", "log(0)", "uniform(1, 2, 3, 0)", "int(2.5)", "a - a", "a / a"])("leaves %s as it is", (source) => {
    expect(simplified(source)).toBe(source);
  });
});

describe("index arithmetic", () => {
  const index = (source: string): Expression => parseFormula(`y[i] = x[${source}]`).statements[0]?.value as Expression;
  const inner = (source: string): Expression => {
    const access = index(source);
    return (access.kind === "access" ? access.indices[0] : undefined) as Expression;
  };
  it("splits an index into coefficient and rest", () => {
    const parts = linearIn(inner("i*s + p*d - pad"), "i");
    expect(parts && printExpression(parts.coefficient)).toBe("s");
    expect(parts && printExpression(parts.rest)).toBe("p * d - pad");
    expect(linearIn(inner("i * i"), "i")).toBeUndefined();
    expect(linearIn(inner("j / i"), "i")).toBeUndefined();
  });
  it("solves an index for an axis", () => {
    const solve = (source: string): string => printExpression(solveFor(inner(source), "i", inner("h")) as Expression);
    expect(solve("i + 1")).toBe("h - 1");
    expect(solve("i*s + p*d - pad")).toBe("(h - p * d + pad) / s");
    expect(solve("n - 1 - i")).toBe("n - 1 - h");
    expect(solve("(i + pad - p) / s")).toBe("h * s - pad + p");
  });
});
