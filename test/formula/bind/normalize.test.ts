// Normalizing: at most one reduction a statement, of the same value.

import { describe, expect, it } from "vitest";
import { visit } from "../../../src/formula/ast.ts";
import { normalize } from "../../../src/formula/bind/normalize.ts";
import { parseFormula } from "../../../src/formula/parse.ts";
import { printFormula } from "../../../src/formula/print.ts";
import { floats, run } from "../support.ts";

const normal = (source: string): string[] => printFormula(normalize(parseFormula(source))).split("\n");

describe("normalize", () => {
  it.each([
    ["y = exp(x)", ["y = exp(x)"]],
    ["y[o] = tanh(sum[i](x[i] * w[o, i]) + b[o])", ["y[o] = tanh(sum[i](x[i] * w[o, i]) + b[o])"]],
    ["y[i] = sum[j](x[i, j]) * sum[j](w[i, j])", ["t0[i] = sum[j](w[i, j])", "y[i] = sum[j](x[i, j]) * t0[i]"]],
    ["y = sum[i](x[i] * max[k](x[k]))", ["t0[] = max[k](x[k])", "y = sum[i](x[i] * t0[])"]],
    ["y = x / sum[@axes](x)", ["t0 = sum[@axes](x)", "y = x / t0"]],
    ["y[i] = argmax[j](x[i, j]) + 1", ["t0[i] = argmax[j](x[i, j])", "y[i] = t0[i] + 1"]],
    ["y[ids[n]] += sum[j](x[n, j])", ["t0[n] = sum[j](x[n, j])", "y[ids[n]] += t0[n]"]],
  ])("%s", (source, expected) => {
    expect(normal(source)).toEqual(expected);
    expect(printFormula(parseFormula(expected.join("\n")))).toBe(expected.join("\n"));
  });
  it("avoids names in use", () => {
    expect(normal("t0 = x; y = t0 / sum[@axes](t0)")).toEqual(["t0 = x", "t1 = sum[@axes](t0)", "y = t0 / t1"]);
    expect(normal("y = t0 / sum[@t1](t0)")[0]).toBe("t1 = sum[@t1](t0)");
  });
  it("keeps the value", () => {
    const x = floats([3, 4]);
    const [nested, apart] = [
      "y[i] = sum[j](x[i, j] * sum[k](x[k, j] * max[l](x[k, l]))) / sum[j](exp(x[i, j]))",
      "m[k] = max[l](x[k, l]); s[j] = sum[k](x[k, j] * m[k]); e[i] = sum[j](exp(x[i, j])); y[i] = sum[j](x[i, j] * s[j]) / e[i]",
    ].map((source) => run(source, { x }).data);
    expect(nested).toEqual(apart);
  });
  it("leaves at most one reduction in a statement", () => {
    const { statements } = normalize(
      parseFormula("y[i] = sum[j](x[i, j] * sum[k](x[k, j] * max[l](x[k, l]))) / sum[j](exp(x[i, j])) + prod[j](x[i, j])"),
    );
    for (const { value } of statements) {
      let reductions = 0;
      visit(value, (node) => {
        if (node.kind === "reduce") reductions++;
      });
      expect(reductions).toBeLessThanOrEqual(1);
    }
  });
  it("is made once per formula", () => {
    const formula = parseFormula("y = x / sum[@axes](x)");
    expect(normalize(formula)).toBe(normalize(formula));
  });
});
