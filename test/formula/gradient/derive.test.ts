// Derived gradients against central differences in double precision, first and second order.

import { describe, expect, it } from "vitest";
import { deriveGradient } from "../../../src/formula/gradient/derive.ts";
import { parseFormula } from "../../../src/formula/parse.ts";
import { printFormula } from "../../../src/formula/print.ts";
import { FUNCTIONS } from "../../../src/nest/functions.ts";
import { CASES } from "../cases.ts";
import { compareGradient, compareSecond, distance, floats, type Inputs, Tape } from "../support.ts";

const floatInputs = (inputs: Inputs): string[] => Object.keys(inputs).filter((name) => inputs[name]?.dtype === "float64");

describe("gradients against central differences", () => {
  it.each(CASES.map((entry) => [entry.name ?? entry.formula, entry] as const))("%s", (_, { formula, inputs, attributes }) => {
    for (const by of floatInputs(inputs)) expect(distance(compareGradient(formula, inputs, by, attributes)), `by ${by}`).toBeLessThan(1e-6);
  });
});

describe("second derivatives, by deriving the derived formulas", () => {
  it.each(CASES.filter((entry) => !entry.firstOnly).map((entry) => [entry.name ?? entry.formula, entry] as const))(
    "%s",
    (_, { formula, inputs, attributes }) => {
      for (const first of floatInputs(inputs))
        for (const by of floatInputs(inputs))
          expect(distance(compareSecond(formula, inputs, first, by, attributes)), `by ${first}, then ${by}`).toBeLessThan(1e-5);
    },
  );
});

describe("every function that has a derivative", () => {
  /** Points inside the domain and off the kinks. */
  const POINTS: Record<string, readonly number[]> = {
    asin: [-0.9, -0.2, 0.3, 0.8],
    acos: [-0.9, -0.2, 0.3, 0.8],
    log: [0.2, 1, 3],
    sqrt: [0.2, 1, 3],
    log1p: [-0.5, 0.1, 3],
    pow: [0.4, 1.2, 3],
  };
  const rows = Object.entries(FUNCTIONS).filter(([fn, row]) => row.derivative !== undefined && !["select", "bfloat16"].includes(fn));
  it.each(rows)("%s", (fn, row) => {
    const points = POINTS[fn] ?? [-2.3, -0.6, 0.35, 1.9];
    const formula = row.parameters.length === 1 ? `y = ${fn}(a)` : `y = ${fn}(a, b)`;
    const inputs: Inputs = { a: floats([points.length, 1], points) };
    const all: Inputs = row.parameters.length === 1 ? inputs : { ...inputs, b: floats([3], [-1.3, 0.45, 2.6]) };
    for (const by of Object.keys(row.derivative ?? {})) expect(distance(compareGradient(formula, all, by)), `by ${by}`).toBeLessThan(1e-6);
    for (const first of Object.keys(row.derivative ?? {}))
      for (const by of Object.keys(row.derivative ?? {}))
        expect(distance(compareSecond(formula, all, first, by)), `by ${first}, then ${by}`).toBeLessThan(1e-5);
  });

  it("lets gradients through the rounding to bfloat16, whose own slopes are 0", () => {
    expect(deriveGradient(parseFormula("y = 3 * bfloat16(x)"), "x").map(printFormula)).toEqual(["gx = gy * 3"]);
  });

  it("gives nothing for functions that are flat", () => {
    for (const fn of ["floor", "ceil", "round", "trunc", "sign", "isnan", "bool", "not"])
      expect(deriveGradient(parseFormula(`y = ${fn}(x)`), "x"), fn).toEqual([]);
    for (const fn of ["lt", "le", "gt", "ge", "eq", "ne", "and", "or"])
      expect(deriveGradient(parseFormula(`y = ${fn}(x, 1)`), "x"), fn).toEqual([]);
  });
});

describe("at kinks and singular points", () => {
  const gradientAt = (formula: string, values: readonly number[]): number[] => {
    const tape = new Tape();
    const input = floats([values.length], values);
    const output = tape.apply(formula, { x: input });
    return [
      ...tape.gradient(
        output,
        floats(
          output.shape,
          [...output.data].map(() => 1),
        ),
        input,
      ).data,
    ];
  };
  it("shares the gradient of equal arguments of max and min", () => {
    expect(gradientAt("y = max(x, 0)", [-1, 0, 2])).toEqual([0, 0.5, 1]);
    expect(gradientAt("y = min(x, 0)", [-1, 0, 2])).toEqual([1, 0.5, 0]);
  });
  it("gives the first of equal maxima all of the gradient", () => {
    expect(gradientAt("y = max[i](x[i])", [1, 3, 3, 2])).toEqual([0, 1, 0, 0]);
    expect(gradientAt("y = min[i](x[i])", [4, 3, 3, 5])).toEqual([0, 1, 0, 0]);
  });
  it("takes the product of the others where factors are zero", () => {
    expect(gradientAt("y = prod[i](x[i])", [2, 0, 3])).toEqual([0, 6, 0]);
    expect(gradientAt("y = prod[i](x[i])", [2, 0, 0])).toEqual([0, 0, 0]);
  });
  it("is finite for powers at zero", () => {
    expect(gradientAt("y = x ^ 2", [0, -3])).toEqual([0, -6]);
    expect(gradientAt("y = x ^ 0", [0, 2])).toEqual([0, 0]);
    expect(gradientAt("y = x ^ 1", [0, 2])).toEqual([1, 1]);
  });
  it("keeps the NaN of an untaken branch out", () => {
    expect(gradientAt("y = select(x > 0, sqrt(x), 0)", [-1, 4])).toEqual([0, 0.25]);
  });
  it("does not divide by what lies beyond a tensor", () => {
    const tape = new Tape();
    const inputs = { x: floats([4]), w: floats([3], [2, 4, 5]) };
    const output = tape.apply("y[i] = x[i + 1] / w[i]", inputs);
    expect([...tape.gradient(output, floats([3], [1, 1, 1]), inputs.x).data]).toEqual([0, 0.5, 0.25, 0.2]);
  });
  it("passes NaN on", () => {
    expect(gradientAt("y = x * x", [Number.NaN, 1])).toEqual([Number.NaN, 2]);
  });
});

describe("the form of derived gradients", () => {
  const derived = (formula: string, by: string): string[] => deriveGradient(parseFormula(formula), by).map(printFormula);
  it("reads the result instead of computing it again", () => {
    expect(derived("y = exp(x)", "x")).toEqual(["gx = gy * y"]);
    expect(derived("y = tanh(x)", "x")).toEqual(["gx = gy * (1 - y ^ 2)"]);
  });
  it("turns a strided convolution's gradient into an exactly divided index", () => {
    expect(derived("y[n, o, i] = sum[c, p](x[n, c, i*s + p - pad] * w[o, c, p])", "x")).toEqual([
      "gx[n, c, h] = sum[o, p](gy[n, o, (h - p + pad) / s] * w[o, c, p])",
    ]);
  });
  it("scatters where an index is the value of a tensor", () => {
    expect(derived("y[..., d] = w[ids[...], d]", "w")).toEqual(["gw[ids[...], d] += gy[..., d]"]);
  });
  it("finds names that are free", () => {
    expect(derived("gx = gy * y", "y")).toEqual(["gy2 = ggx * gy"]);
    expect(derived("y = x * gx", "x")).toEqual(["gx2 = gy * gx"]);
    expect(distance(compareGradient("y = sum0 * prod[i](x[i] + sum0)", { x: floats([3]), sum0: floats([], [0.4]) }, "x"))).toBeLessThan(
      1e-6,
    );
  });
  it("refuses an input with the name of the upstream gradient", () => {
    expect(() => deriveGradient(parseFormula("y = x * gy"), "x")).toThrow("formula: the input gy has the name of the gradient of y");
  });
  it("reads other tensors only where the gradient is inside", () => {
    expect(derived("y[i] = x[i + 1] / w[i]", "x")).toEqual(["gx[h] = select(inside(gy[h - 1]), gy[h - 1] / w[h - 1], 0)"]);
  });
  it("holds for deep formulas", () => {
    for (const formula of [`y = ${"tanh(".repeat(190)}x${")".repeat(190)}`, `y = x${" * (1 + x / 90)".repeat(90)}`])
      expect(distance(compareGradient(formula, { x: floats([2]) }, "x"))).toBeLessThan(1e-6);
  });
  it("refuses several statements at once", () => {
    expect(() => deriveGradient(parseFormula("e = exp(x); y = e * e"), "x")).toThrow(/one statement at a time/);
  });
});
