// The parser: what it reads, and that every error says what was expected and points at the place.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { call, type Expression, name, number } from "../../src/formula/ast.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { printExpression, printFormula } from "../../src/formula/print.ts";
import { FormulaError } from "../../src/util/errors.ts";
import { formulaText } from "./arbitrary.ts";

function valueOf(source: string): Expression {
  return parseFormula(`y = ${source}`, { params: ["a", "b", "c"] }).statements[0]?.value as Expression;
}

const [a, b, c] = [name("a"), name("b"), name("c")];

function errorOf(source: string): FormulaError {
  try {
    parseFormula(source);
  } catch (error) {
    if (error instanceof FormulaError) return error;
    throw error;
  }
  throw new Error(`"${source}" was accepted`);
}

describe("operators", () => {
  it.each([
    ["a + b * c", call("add", a, call("mul", b, c))],
    ["(a + b) * c", call("mul", call("add", a, b), c)],
    ["a - b - c", call("sub", call("sub", a, b), c)],
    ["a - (b - c)", call("sub", a, call("sub", b, c))],
    ["a / b / c", call("div", call("div", a, b), c)],
    ["a ^ b ^ c", call("pow", a, call("pow", b, c))],
    ["-a ^ 2", call("neg", call("pow", a, number(2)))],
    ["(-a) ^ 2", call("pow", call("neg", a), number(2))],
    ["a ^ -b", call("pow", a, call("neg", b))],
    ["-2", number(-2)],
    ["--a", call("neg", call("neg", a))],
    ["a * -b", call("mul", a, call("neg", b))],
    ["a % b * c", call("mul", call("mod", a, b), c)],
    ["a < b && b <= c || !c", call("or", call("and", call("lt", a, b), call("le", b, c)), call("not", c))],
    ["a + b == c", call("eq", call("add", a, b), c)],
    ["a != b", call("ne", a, b)],
    ["2 * pi", call("mul", number(2), number(Math.PI))],
    ["-inf", number(Number.NEGATIVE_INFINITY)],
    ["1.5e-3", number(0.0015)],
    [".5", number(0.5)],
  ])("%s", (source, expected) => {
    expect(valueOf(source)).toEqual(expected);
  });
});

describe("what names are", () => {
  it("tells inputs, sizes, parameters and lists apart", () => {
    const formula = parseFormula("m = max[@axes](x)\ny = alpha * (x - m) + sum[i](w[i*stride + shift])", { params: ["alpha"] });
    expect(formula).toMatchObject({ inputs: ["x", "w"], sizes: ["stride", "shift"], params: ["alpha"], lists: ["axes"] });
  });
  it("reads a bare name as all of a tensor", () => {
    expect(parseFormula("y = x")).toEqual(parseFormula("y[...] = x[...]"));
  });
  it("reads empty brackets as a tensor without axes", () => {
    expect(parseFormula("y[] = x[] + sum[i](w[i])").statements[0]).toMatchObject({ indices: [], value: { args: [{ indices: [] }, {}] } });
  });
  it("lets an axis be a value", () => {
    expect(parseFormula("y[i < n] = i * x").inputs).toEqual(["x"]);
  });
  it("writes mean as a sum over a count", () => {
    expect(parseFormula("y = mean[i](x[i])")).toEqual(parseFormula("y = sum[i](x[i]) / count[i]"));
  });
  it("takes an input from inside() alone", () => {
    expect(parseFormula("y[i < n] = float(inside(x[i - 1]))").inputs).toEqual(["x"]);
  });
  it("takes the axes of a scatter from what it reads", () => {
    expect(parseFormula("y[ids[n], d] += x[n, d]")).toMatchObject({ inputs: ["ids", "x"], sizes: [] });
    expect(parseFormula("y[ids[n]] += 1")).toMatchObject({ inputs: ["ids"], sizes: [] });
  });
  it("reads Unicode names", () => {
    expect(parseFormula("出力 = σ * 入力 + é̱_1").inputs).toEqual(["σ", "入力", "é̱_1"]);
  });
  it("allows lines, semicolons, empty statements and line breaks within parentheses", () => {
    expect(parseFormula("\n e = exp(\n x\n) ;; \r\n y = e * e \n")).toEqual(parseFormula("e = exp(x); y = e * e"));
  });
});

describe("errors", () => {
  it.each<[source: string, message: RegExp, column: number]>([
    ["", /expected a formula such as y = 1 \/ \(1 \+ exp\(-x\)\)/, 1],
    [" ; \n ", /expected a formula such as/, 2],
    ["y", /expected '=', got the end of the formula/, 2],
    ["y =", /expected a number, a name or '\(', got the end of the formula/, 4],
    ["y = \n", /expected a number, a name or '\(', got the end of the line/, 5],
    ["= x", /expected a name to define, as in y = …, got '='/, 1],
    ["y = x +", /expected a number, a name or '\(', got the end/, 8],
    ["y = (x", /expected '\)', got the end of the formula/, 7],
    ["y = x)", /expected an operator or the end, got '\)'/, 6],
    ["y = 2x", /expected an operator or the end, got 'x'/, 6],
    ["y = x $ 2", /unexpected character '\$'/, 7],
    ["y = 🙂", /unexpected character '🙂'/, 5],
    ["y = x . 2", /unexpected character '\.'/, 7],
    ["y = foo(x)", /unknown function 'foo'/, 5],
    ["y = sum(x)", /unknown function 'sum'/, 5],
    ["y = exp(x, 2)", /exp takes 1 argument \(a\), got 2/, 5],
    ["y = select(x, 1)", /select takes 3 arguments \(condition, a, b\), got 2/, 5],
    ["y = exp()", /exp takes 1 argument \(a\), got 0/, 5],
    ["y = sum[](x)", /expected an axis name, got '\]'/, 9],
    ["y = sum[i] x", /expected '\(', got 'x'/, 12],
    ["y = x[i", /expected '\]', got the end/, 8],
    ["y = x[i,]", /expected a number, a name or '\(', got '\]'/, 9],
    ["y[i,] = x", /expected a number, a name or '\(', got '\]'/, 5],
    ["y[i*2 < 3] = x", /only a plain axis can be given an extent with </, 9],
    ["y = inside(x)", /inside takes one access, as in inside\(x\[i - 1\]\)/, 5],
    ["y = inside(x[i], 2)", /inside takes one access/, 5],
    ["y = 1e309", /the number 1e309 is too large/, 5],
    ["y = 1 < x < 3", /comparisons cannot be chained/, 11],
    ["pi = x", /pi has a meaning of its own and cannot be defined/, 1],
    ["sum = x; y = x", /sum has a meaning of its own/, 1],
    ["y = my + y", /y is read before it is defined/, 10],
    ["y = b; b = x", /b is read before it is defined/, 5],
    ["a = b; b = a; y = a", /b is read before it is defined/, 5],
    ["a = x; b = x; y = b", /a is defined but never used/, 1],
    ["a = x; b = a; a = b; y = a", /a is defined twice/, 15],
    ["y[i] = x[i] / sum[i](x[i])", /axis i is already in use around sum\[i\]/, 19],
    ["y = max[i](sum[i](x[i]))", /axis i is already in use around sum\[i\]/, 16],
  ])("%j", (source, message, column) => {
    const error = errorOf(source);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`at column ${column}\n`);
    const [, line = "", caret = ""] = error.message.split("\n");
    expect(caret.slice(2)).toBe(`${" ".repeat(column - 1)}^`);
    expect(source).toContain(line.slice(2));
  });
  it("shows the line of a longer formula", () => {
    expect(errorOf("e = exp(x)\n\ty = e +* 2\nz = y").message).toBe(
      "formula: expected a number, a name or '(', got '*' at column 9\n  \ty = e +* 2\n  \t       ^",
    );
  });
  it("hints at what to write", () => {
    expect(errorOf("y = sum(x)").hint).toBe("name the axes it runs over: sum[i](…)");
    expect(errorOf("y = relu(x)").hint).toMatch(/^known functions: add, sub, .*exp/);
  });
  it("does not take properties of objects for functions or numbers", () => {
    expect(errorOf("y = constructor(x)").message).toMatch(/unknown function 'constructor'/);
    expect(parseFormula("y = toString + hasOwnProperty").inputs).toEqual(["toString", "hasOwnProperty"]);
    expect(parseFormula("__proto__ = x").statements[0]?.target).toBe("__proto__");
  });
});

describe("absurdly deep formulas", () => {
  const deep = /nested more than 200 levels deep/;
  it.each([
    ["parentheses", `y = ${"(".repeat(50_000)}x${")".repeat(50_000)}`],
    ["calls", `y = ${"exp(".repeat(50_000)}x${")".repeat(50_000)}`],
    ["signs", `y = ${"-".repeat(50_000)}x`],
    ["negations", `y = ${"!".repeat(50_000)}x`],
    ["powers", `y = ${"x^".repeat(50_000)}x`],
    ["a long sum", `y = ${"x + ".repeat(50_000)}x`],
    ["indices", `y = ${"x[".repeat(50_000)}i${"]".repeat(50_000)}`],
    ["left-side indices", `y[${"(".repeat(50_000)}i${")".repeat(50_000)}] = x[i]`],
    ["a long left-side index", `y[${"i + ".repeat(50_000)}i] = x[i]`],
    ["a long extent", `y = sum[i < ${"n + ".repeat(50_000)}n](x[i])`],
    ["an unclosed parenthesis", `y = ${"(".repeat(50_000)}`],
  ])("%s", (_, source) => {
    const error = errorOf(source);
    expect(error.message).toMatch(deep);
    expect(error.message.length).toBeLessThan(1000);
  });
  it("are fine up to the limit", () => {
    expect(printFormula(parseFormula(`y = ${"exp(".repeat(150)}x${")".repeat(150)}`))).toContain("exp(x)");
    expect(printFormula(parseFormula(`y = ${"x + ".repeat(150)}x`))).toContain("x + x");
  });
});

describe("printing", () => {
  it("gives text that parses to the same formula", () => {
    fc.assert(
      fc.property(formulaText, (source) => {
        const formula = parseFormula(source, { params: ["p"] });
        const printed = printFormula(formula);
        expect(parseFormula(printed, { params: ["p"] })).toEqual(formula);
        expect(printFormula(parseFormula(printed, { params: ["p"] }))).toBe(printed);
      }),
      { numRuns: 500 },
    );
  });
  it.each([
    ["a * (b + c)", "a * (b + c)"],
    ["(a * b) + c", "a * b + c"],
    ["a - (b + c)", "a - (b + c)"],
    ["a / (b * c)", "a / (b * c)"],
    ["(a ^ b) ^ c", "(a ^ b) ^ c"],
    ["(-2) ^ a", "(-2) ^ a"],
    ["-(2 ^ a)", "-2 ^ a"],
    ["(a < b) == c", "(a < b) == c"],
    ["!(a && b)", "!(a && b)"],
    ["1e-7", "1e-7"],
    ["-0.0", "-0"],
  ])("%s as %s", (source, printed) => {
    expect(printExpression(valueOf(source))).toBe(printed);
    expect(valueOf(printed)).toEqual(valueOf(source));
  });
});
