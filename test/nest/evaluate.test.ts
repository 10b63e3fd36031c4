// What formulas mean: values of functions, types, reductions, padding, scatters, random numbers.

import { describe, expect, it } from "vitest";
import { bind } from "../../src/formula/bind/bind.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { evaluateProgram } from "../../src/nest/evaluate.ts";
import { erf, FUNCTIONS, philox } from "../../src/nest/functions.ts";
import { type Attributes, type Data, floats, type Inputs, ints, run } from "../formula/support.ts";

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

function valuesOf(formula: string, inputs: Inputs = {}, attributes: Attributes = {}): number[] {
  return [...run(formula, inputs, attributes).data];
}

const of = (...values: number[]): { x: Data } => ({ x: floats([values.length], values) });
const bools = (...values: number[]): Data => ({ shape: [values.length], data: Uint8Array.from(values), dtype: "bool" });

describe("Philox2x32-10", () => {
  // Known answers of the authors' library (Random123, kat_vectors): counter, key, output.
  it.each([
    [0x00000000, 0x00000000, 0x00000000, 0xff1dae59, 0x6cd10df2],
    [0xffffffff, 0xffffffff, 0xffffffff, 0x2c3f628b, 0xab4fd7ad],
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0xdd7ce038, 0xf62a4c12],
  ])("counter %i %i, key %i", (counter, stream, key, first, second) => {
    expect(philox(key, stream, counter)).toEqual([first, second]);
  });
  it("takes negative ints as the words they are stored as", () => {
    expect(philox(-1, -1, -1)).toEqual([0x2c3f628b, 0xab4fd7ad]);
  });
  it("gives uniform numbers of 24 bits from either word", () => {
    expect(valuesOf("y[i < 1] = uniform(0, 0, i, 0)")).toEqual([0xff1dae / 2 ** 24]);
    expect(valuesOf("y[i < 1] = uniform(0, 0, i, 1)")).toEqual([0x6cd10d / 2 ** 24]);
    const many = valuesOf("y[i < 4000] = uniform(7, 3, i, 0)");
    expect(Math.min(...many)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...many)).toBeLessThan(1);
    expect(many.reduce((a, b) => a + b) / many.length).toBeCloseTo(0.5, 1);
    expect(new Set(many).size).toBeGreaterThan(3990);
  });
});

describe("functions", () => {
  it("erf agrees with tables to double precision", () => {
    const known = [
      [0, 0.0],
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [2.99, 0.9999764743969194],
      [3.01, 0.9999792610363629],
      [3.5, 0.9999992569016276],
      [5, 0.9999999999984626],
      [7, 1],
    ] as const;
    for (const [at, value] of known) {
      expect(Math.abs(erf(at) - value), `erf(${at})`).toBeLessThan(2e-15);
      expect(erf(-at)).toBe(-erf(at));
    }
    expect(erf(nan)).toBeNaN();
    expect([erf(inf), erf(-inf)]).toEqual([1, -1]);
  });
  it("rounds halves to even", () => {
    expect(valuesOf("y = round(x)", of(0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6, 1e15 + 0.5))).toEqual([0, 2, 2, -0, -2, 2, -3, 1e15]);
  });
  it("gives the remainder the sign of the divisor", () => {
    expect(valuesOf("y = x % 3", of(7, -7, 6, -6, 0))).toEqual([1, 2, 0, -0, 0]);
    expect(valuesOf("y = x % -3", of(7, -7))).toEqual([-2, -1]);
    expect(valuesOf("y = x % 0", of(1))).toEqual([nan]);
    expect(valuesOf("y = x % inf", of(5, -5))).toEqual([5, inf]);
  });
  it("passes NaN through min and max", () => {
    expect(valuesOf("y = max(x, 0)", of(nan, -1))).toEqual([nan, 0]);
    expect(valuesOf("y = min(x, 0)", of(nan, -1))).toEqual([nan, -1]);
  });
  it("fails every comparison with NaN but !=", () => {
    for (const operator of ["<", "<=", ">", ">=", "=="]) expect(valuesOf(`y = x ${operator} x`, of(nan)), operator).toEqual([0]);
    expect(valuesOf("y = x != x", of(nan))).toEqual([1]);
  });
  it("has powers as IEEE 754 says", () => {
    expect(valuesOf("y = x ^ 0", of(nan, 0, inf))).toEqual([1, 1, 1]);
    expect(valuesOf("y = 1 ^ x", of(nan, inf))).toEqual([1, 1]);
    expect(valuesOf("y = x ^ 0.5", of(-1))).toEqual([nan]);
    expect(valuesOf("y = x ^ 3", of(-2))).toEqual([-8]);
  });
  it("tells NaN and infinity apart", () => {
    expect(valuesOf("y = isnan(x)", of(nan, inf, 0))).toEqual([1, 0, 0]);
    expect(valuesOf("y = isfinite(x)", of(nan, inf, -inf, 0))).toEqual([0, 0, 0, 1]);
  });
  it("takes the sign of 0 as 0 and of NaN as NaN", () => {
    expect(valuesOf("y = sign(x)", of(-3, 0, 2, nan))).toEqual([-1, 0, 1, nan]);
  });
  it("is evaluated for every row of the table", () => {
    const checks: Record<string, readonly [args: readonly number[], value: number]> = {
      add: [[2, 3], 5],
      sub: [[2, 3], -1],
      mul: [[2, 3], 6],
      div: [[3, 2], 1.5],
      mod: [[7, 4], 3],
      neg: [[2], -2],
      pow: [[2, 3], 8],
      min: [[2, 3], 2],
      max: [[2, 3], 3],
      abs: [[-2], 2],
      bfloat16: [[1.005], 1.0078125],
      sign: [[-2], -1],
      exp: [[1], Math.E],
      expm1: [[1], Math.E - 1],
      log: [[Math.E], 1],
      log1p: [[0], 0],
      sqrt: [[9], 3],
      sin: [[Math.PI / 2], 1],
      cos: [[0], 1],
      tan: [[0], 0],
      asin: [[1], Math.PI / 2],
      acos: [[1], 0],
      atan: [[1], Math.PI / 4],
      sinh: [[0], 0],
      cosh: [[0], 1],
      tanh: [[0], 0],
      erf: [[0], 0],
      floor: [[-1.5], -2],
      ceil: [[-1.5], -1],
      round: [[2.5], 2],
      trunc: [[-1.5], -1],
      lt: [[1, 2], 1],
      le: [[2, 2], 1],
      gt: [[1, 2], 0],
      ge: [[2, 2], 1],
      eq: [[1, 2], 0],
      ne: [[1, 2], 1],
      and: [[1, 0], 0],
      or: [[1, 0], 1],
      not: [[0], 1],
      select: [[0, 5, 6], 6],
      isnan: [[1], 0],
      isfinite: [[1], 1],
      float: [[1.5], 1.5],
      int: [[-1.5], -1],
      bool: [[-0.5], 1],
      uniform: [[0, 0, 0, 1], 0x6cd10d / 2 ** 24],
    };
    for (const [fn, row] of Object.entries(FUNCTIONS)) {
      const [args, value] = checks[fn] ?? [[], nan];
      const [a = 0, b = 0, c = 0, d = 0] = args;
      expect(args.length, fn).toBe(row.parameters.length);
      expect(Math.abs(row.evaluate(a, b, c, d) - value), fn).toBeLessThan(1e-15);
    }
  });
});

describe("types", () => {
  const typeOf = (formula: string, inputs: Inputs): string => run(formula, inputs).dtype;
  const n = ints([2], [7, -7]);
  const single: Data = { shape: [2], data: Float32Array.of(1, 2), dtype: "float32" };
  it("promotes bool to int to float", () => {
    expect(typeOf("y = n + 1", { n })).toBe("int32");
    expect(typeOf("y = n + 0.5", { n })).toBe("float32");
    expect(typeOf("y = n / 2", { n })).toBe("float32");
    expect(typeOf("y = n + x", { n, x: single })).toBe("float32");
    expect(typeOf("y = n + x", { n, x: floats([2]) })).toBe("float64");
    expect(typeOf("y = n > 0", { n })).toBe("bool");
    expect(typeOf("y = b + b", { b: bools(1, 0) })).toBe("int32");
    expect(typeOf("y = sum[i](b[i])", { b: bools(1, 0) })).toBe("int32");
    expect(typeOf("y = exp(n)", { n })).toBe("float32");
    expect(typeOf("y = argmax[i](x[i])", { x: single })).toBe("int32");
  });
  it("rounds to float32 where values are stored, not between", () => {
    expect([...run("y = x * 16777217 - 16777216", { x: single }).data]).toEqual([1, 16777218]);
    expect([...run("t = x * 16777217; y = t - 16777216", { x: single }).data]).toEqual([0, 16777216]);
  });
  it("wraps ints at 32 bits", () => {
    const big = ints([2], [2147483647, -2147483648]);
    expect(valuesOf("y = n + 1", { n: big })).toEqual([-2147483648, -2147483647]);
    expect(valuesOf("y = -n", { n: big })).toEqual([-2147483647, -2147483648]);
    expect(valuesOf("y = n * n", { n: ints([1], [65537]) })).toEqual([131073]);
  });
  it("takes whole numbers beyond 32 bits as floats", () => {
    expect(valuesOf("y = n + 3000000000", { n })).toEqual([3000000007, 2999999993].map(Math.fround));
  });
  it("casts toward zero", () => {
    expect(valuesOf("y = int(x)", of(1.9, -1.9, 0.1))).toEqual([1, -1, 0]);
    expect(valuesOf("y = bool(x)", of(0.5, 0, -0, nan))).toEqual([1, 0, 0, 1]);
  });
});

describe("reductions", () => {
  it("of nothing give their identity", () => {
    const empty = { x: floats([2, 0], []) };
    expect(valuesOf("y[i] = sum[j](x[i, j])", empty)).toEqual([0, 0]);
    expect(valuesOf("y[i] = prod[j](x[i, j])", empty)).toEqual([1, 1]);
    expect(valuesOf("y[i] = max[j](x[i, j])", empty)).toEqual([-inf, -inf]);
    expect(valuesOf("y[i] = min[j](x[i, j])", empty)).toEqual([inf, inf]);
    expect(valuesOf("y[i] = argmax[j](x[i, j])", empty)).toEqual([0, 0]);
    expect(valuesOf("y[i] = mean[j](x[i, j])", empty)).toEqual([nan, nan]);
    expect(run("y = exp(x)", { x: floats([0, 3], []) }).shape).toEqual([0, 3]);
  });
  it("pass NaN on, and count it as the extremum", () => {
    const x = of(1, nan, 3);
    for (const reducer of ["sum", "prod", "max", "min", "mean"]) expect(valuesOf(`y = ${reducer}[i](x[i])`, x), reducer).toEqual([nan]);
    expect(valuesOf("y = argmax[i](x[i])", x)).toEqual([1]);
    expect(valuesOf("y = argmin[i](x[i])", of(2, nan, nan, 1))).toEqual([1]);
  });
  it("give the first of equal extrema", () => {
    expect(valuesOf("y = argmax[i](x[i])", of(1, 3, 3))).toEqual([1]);
    expect(valuesOf("y = argmin[i](x[i])", of(1, 1, 3))).toEqual([0]);
    expect(valuesOf("y = argmax[i](x[i])", of(-inf, -inf))).toEqual([0]);
    expect(valuesOf("y = argmax[i, j](x[i, j])", { x: floats([2, 2], [1, 2, 5, 4]) })).toEqual([2]);
  });
  it("over ints stay ints", () => {
    expect(valuesOf("y = max[i](n[i])", { n: ints([3], [-5, -2, -9]) })).toEqual([-2]);
    expect(valuesOf("y = max[i](n[i])", { n: ints([0], []) })).toEqual([-2147483648]);
  });
  it("over a list keep the axes with extent 1", () => {
    const x = floats([2, 3], [1, 2, 3, 4, 5, 6]);
    expect(run("y = sum[@axes](x)", { x }, { lists: { axes: [-1] } })).toMatchObject({ shape: [2, 1], data: Float64Array.of(6, 15) });
    expect(run("y = sum[@axes](x)", { x }, { lists: { axes: [1, 0] } })).toMatchObject({ shape: [1, 1], data: Float64Array.of(21) });
    expect(run("y = sum[@axes](x)", { x }, { lists: { axes: [] } }).data).toEqual(x.data);
  });
  it("may run without reading, and count", () => {
    expect(valuesOf("y[i < 3] = sum[j < 4](i * j)")).toEqual([0, 6, 12]);
    expect(valuesOf("y[i < 2, j < 3] = position[i, j]")).toEqual([0, 1, 2, 3, 4, 5]);
    expect(valuesOf("y[i] = count[i, j] + 0 * sum[j](x[i, j])", { x: floats([2, 3]) })).toEqual([6, 6]);
  });
});

describe("outside of a tensor", () => {
  const x = floats([3], [-1, -2, -3]);
  it("a read is the identity of the reduction around it", () => {
    expect(valuesOf("y[i < 3] = sum[p < 3](x[i + p - 1])", { x })).toEqual([-3, -6, -5]);
    expect(valuesOf("y[i < 3] = max[p < 3](x[i + p - 1])", { x })).toEqual([-1, -1, -2]);
    expect(valuesOf("y[i < 3] = min[p < 3](x[i + p - 1])", { x })).toEqual([-2, -3, -3]);
    expect(valuesOf("y[i < 3] = prod[p < 3](x[i + p - 1])", { x })).toEqual([2, -6, 6]);
    expect(valuesOf("y[i < 5] = x[i - 1]", { x })).toEqual([0, -1, -2, -3, 0]);
  });
  it("an index that does not divide exactly is outside", () => {
    expect(valuesOf("y[i < 6] = x[i / 2]", { x })).toEqual([-1, 0, -2, 0, -3, 0]);
    expect(valuesOf("y[i < 6] = x[(i - 1) / 2]", { x })).toEqual([0, -1, 0, -2, 0, -3]);
  });
  it("an indirect index too", () => {
    expect(valuesOf("y[i] = x[ids[i]]", { x, ids: ints([4], [2, -1, 3, 0]) })).toEqual([-3, 0, 0, -1]);
  });
  it("inside() says so", () => {
    expect(valuesOf("y[i < 5] = inside(x[i - 1])", { x })).toEqual([0, 1, 1, 1, 0]);
    expect(valuesOf("y[i] = inside(x[ids[i]])", { x, ids: ints([3], [2, -1, 3]) })).toEqual([1, 0, 0]);
  });
  it("a select does not read what it does not take", () => {
    expect(valuesOf("y[i < 5] = select(inside(x[i - 1]), x[i - 1], 9)", { x })).toEqual([9, -1, -2, -3, 9]);
  });
  it("a huge index neither crashes nor wraps around, and one that 32 bits do not hold is refused", () => {
    expect(valuesOf("y[i] = x[i + 400000000]", { x }, { resultShape: [3] })).toEqual([0, 0, 0]);
    expect(valuesOf("y[i] = x[i*10000000 + 1]", { x }, { resultShape: [3] })).toEqual([-2, 0, 0]);
    expect(() => valuesOf("y[i] = x[i + 4294967296]", { x }, { resultShape: [3] })).toThrow(/an index must be an integer from/);
    expect(() => valuesOf("y[i] = x[i*1000000000 + 1]", { x }, { resultShape: [3] })).toThrow(/the 1000000000 in an index .* in 32 bits/);
  });
});

describe("pieces and scatters", () => {
  it("join tensors", () => {
    expect(valuesOf("y[i] = a[i]; y[i + n] = b[i]", { a: floats([2], [1, 2]), b: floats([3], [3, 4, 5]) }, { sizes: { n: 2 } })).toEqual([
      1, 2, 3, 4, 5,
    ]);
  });
  it("leave zeros where nothing is defined", () => {
    expect(valuesOf("y[2*i + 1] = a[i]", { a: floats([3], [1, 2, 3]) })).toEqual([0, 1, 0, 2, 0, 3]);
    expect(valuesOf("y[i, i] = a[i]", { a: floats([2], [1, 2]) })).toEqual([1, 0, 0, 2]);
  });
  it("scatter adds, and drops what lies outside", () => {
    const ids = ints([4], [1, 0, 1, 7]);
    expect(valuesOf("y[ids[n]] += x[n]", { ids, ...of(1, 2, 4, 8) }, { resultShape: [3] })).toEqual([2, 5, 0]);
    expect(valuesOf("y[ids[n]] += 1", { ids }, { resultShape: [3] })).toEqual([1, 2, 0]);
  });
  it("give the same every time the program runs", () => {
    const formula = parseFormula("y[ids[n]] += x[n]");
    const inputs = { ids: ints([2], [0, 0]), ...of(1, 2) };
    const program = bind(formula, { name: "op", inputs, resultShape: [1] });
    const arrays = formula.inputs.map((name) => inputs[name as "ids" | "x"].data);
    expect([...evaluateProgram(program, arrays, [])]).toEqual([3]);
    expect([...evaluateProgram(program, arrays, [])]).toEqual([3]);
  });
});
