// Binding: shapes, windows, broadcasting, index maps, and the sentences of errors.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Formula } from "../../../src/formula/ast.ts";
import { bind } from "../../../src/formula/bind/bind.ts";
import type { Binding } from "../../../src/formula/bind/binding.ts";
import { parseFormula } from "../../../src/formula/parse.ts";
import { sizeOfShape } from "../../../src/nest/evaluate.ts";
import { FormulaError, InputError, KasaneError, ShapeError } from "../../../src/util/errors.ts";
import { floats, ints, run } from "../support.ts";

function shapeOf(source: string, shapes: Readonly<Record<string, readonly number[]>>, extra: Partial<Binding> = {}): readonly number[] {
  const program = bindTo(parseFormula(source, { params: Object.keys(extra.params ?? {}) }), shapes, extra);
  return program.buffers[program.result]?.shape ?? [];
}

function bindTo(
  formula: Formula,
  shapes: Readonly<Record<string, readonly number[]>>,
  extra: Partial<Binding> = {},
): ReturnType<typeof bind> {
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { dtype: name === "ids" ? ("int32" as const) : ("float32" as const), shape }]),
  );
  return bind(formula, { name: "op", inputs, ...extra });
}

describe("windows", () => {
  it("have the extent floor((n + 2p − d(k − 1) − 1) / s) + 1, in one and two dimensions", () => {
    let combinations = 0;
    for (const n of [1, 2, 5, 6, 7, 13])
      for (const k of [1, 2, 3, 5])
        for (const s of [1, 2, 3])
          for (const d of [1, 2, 3])
            for (const pad of [0, 1, 2]) {
              const expected = Math.floor((n + 2 * pad - d * (k - 1) - 1) / s) + 1;
              const sizes = { s, d, pad };
              const conv = (): readonly number[] =>
                shapeOf("y[n, o, i] = sum[c, p](x[n, c, i*s + p*d - pad] * w[o, c, p])", { x: [2, 3, n], w: [4, 3, k] }, { sizes });
              const pool = (): readonly number[] =>
                shapeOf("y[i, j] = max[p < k, q < 2](x[i*s + p*d - pad, j + q])", { x: [n, 4] }, { sizes: { ...sizes, k } });
              if (expected >= 1) {
                expect(conv(), JSON.stringify({ n, k, s, d, pad })).toEqual([2, 4, expected]);
                expect(pool()).toEqual([expected, 3]);
              } else {
                expect(conv).toThrow(/op: a window of \d+ does not fit into \d+ with padding \d: x is \[2, 3, \d+\]/);
                expect(pool).toThrow(ShapeError);
              }
              combinations++;
            }
    expect(combinations).toBe(648);
  });
  it("never read outside without padding", () => {
    for (const [n, k, s] of [
      [7, 3, 2],
      [8, 3, 2],
      [5, 5, 1],
    ] as const) {
      const program = bindTo(parseFormula("y[i] = sum[p](x[i*s + p] * w[p])"), { x: [n], w: [k] }, { sizes: { s } });
      expect(JSON.stringify(program.operations[0]?.nest.body)).not.toContain('"checked":true');
    }
    const padded = bindTo(parseFormula("y[i] = sum[p](x[i + p - 1] * w[p])"), { x: [7], w: [3] });
    expect(JSON.stringify(padded.operations[0]?.nest.body)).toContain('"checked":true');
  });
  it("walk backward too", () => {
    expect(shapeOf("y[i] = x[n - 1 - i]", { x: [5] }, { sizes: { n: 5 } })).toEqual([5]);
    expect([...run("y[i] = x[n - 1 - i]", { x: floats([3], [1, 2, 3]) }, { sizes: { n: 3 } }).data]).toEqual([3, 2, 1]);
    expect(shapeOf("y[i] = sum[p < 2](x[n - 1 - 2*i - p])", { x: [5] }, { sizes: { n: 5 } })).toEqual([2]);
  });
  it("give the second axis of differences one less", () => {
    expect(shapeOf("y[..., i] = x[..., i + 1] - x[..., i + 0]", { x: [2, 5] })).toEqual([2, 4]);
  });
});

describe("broadcasting", () => {
  it.each([
    [[3, 4], [4], [3, 4]],
    [
      [3, 1],
      [1, 4],
      [3, 4],
    ],
    [[], [2, 3], [2, 3]],
    [[1], [0], [0]],
    [
      [5, 1, 3],
      [2, 1],
      [5, 2, 3],
    ],
  ])("%j with %j is %j", (a, b, expected) => {
    expect(shapeOf("y = a + b", { a, b })).toEqual(expected);
  });
  it("follows the rule from the last dimension, for any shapes", () => {
    const shape = fc.array(fc.constantFrom(1, 1, 2, 3), { maxLength: 4 });
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        const rank = Math.max(a.length, b.length);
        const pairs = Array.from({ length: rank }, (_, d) => [a[a.length - rank + d] ?? 1, b[b.length - rank + d] ?? 1] as const);
        const fits = pairs.every(([m, n]) => m === n || m === 1 || n === 1);
        if (fits) {
          const expected = pairs.map(([m, n]) => Math.max(m, n));
          const result = run("y = a * 100 + b", { a: floats(a), b: floats(b) });
          expect(result.shape).toEqual(expected);
          const [left, right] = [floats(a).data, floats(b).data];
          const at = (data: ArrayLike<number>, own: readonly number[], place: readonly number[]): number =>
            data[
              own.reduce((flat, extent, d) => flat * extent + (extent === 1 ? 0 : (place[rank - own.length + d] as number)), 0)
            ] as number;
          for (let flat = 0; flat < sizeOfShape(expected); flat++) {
            const place = expected.map((extent, d) => Math.floor(flat / sizeOfShape(expected.slice(d + 1))) % extent);
            expect(result.data[flat]).toBe(at(left, a, place) * 100 + at(right, b, place));
          }
        } else expect(() => shapeOf("y = a + b", { a, b })).toThrow(/op: cannot broadcast dimensions \d and \d/);
      }),
      { numRuns: 200 },
    );
  });
  it("keeps groups apart", () => {
    expect(shapeOf("y[...a, ...b] = x[...a] * w[...b]", { x: [2, 3], w: [4] }) as unknown).toEqual([2, 3, 4]);
    expect(shapeOf("y[i, ..., j] = x[i, ...] * w[..., j]", { x: [2, 5, 1], w: [3, 4] })).toEqual([2, 5, 3, 4]);
  });
  it("sums what the result lacks when its shape is given", () => {
    const x = floats([2, 3], [1, 2, 3, 4, 5, 6]);
    expect([...run("y = x", { x }, { resultShape: [3] }).data]).toEqual([5, 7, 9]);
    expect([...run("y = x", { x }, { resultShape: [2, 1] }).data]).toEqual([6, 15]);
    expect([...run("y = x", { x }, { resultShape: [] }).data]).toEqual([21]);
    expect([...run("y = x", { x: floats([], [5]) }, { resultShape: [2] }).data]).toEqual([5, 5]);
  });
});

describe("index maps", () => {
  const indexOf = (index: string, sizes: Record<string, number> = {}): unknown => {
    const program = bindTo(parseFormula(`y[i, j] = x[i, j] + w[${index}]`), { x: [4, 5], w: [9] }, { sizes });
    const body = program.operations[0]?.nest.body;
    const load = body?.kind === "call" ? body.args[1] : undefined;
    return load?.kind === "load" ? load.index[0] : undefined;
  };
  it("are coefficients per axis, an offset and a divisor", () => {
    expect(indexOf("2*i + j*s - 1", { s: 3 })).toEqual({
      kind: "affine",
      terms: [
        { axis: 0, coefficient: 2 },
        { axis: 1, coefficient: 3 },
      ],
      offset: -1,
      divisor: 1,
      checked: true,
    });
    expect(indexOf("(i + j) - (i - 1)")).toEqual({
      kind: "affine",
      terms: [{ axis: 1, coefficient: 1 }],
      offset: 1,
      divisor: 1,
      checked: false,
    });
    expect(indexOf("(4*i + 2) / 2")).toEqual({
      kind: "affine",
      terms: [{ axis: 0, coefficient: 2 }],
      offset: 1,
      divisor: 1,
      checked: false,
    });
    expect(indexOf("(i + 1) / -2")).toEqual({
      kind: "affine",
      terms: [{ axis: 0, coefficient: -1 }],
      offset: -1,
      divisor: 2,
      checked: true,
    });
    expect(indexOf("i / 2 / 2")).toEqual({ kind: "affine", terms: [{ axis: 0, coefficient: 1 }], offset: 0, divisor: 4, checked: true });
  });
});

describe("errors", () => {
  const cases: readonly [
    name: string,
    source: string,
    shapes: Record<string, number[]>,
    extra: Partial<Binding>,
    kind: typeof KasaneError,
    message: RegExp,
  ][] = [
    [
      "axes that disagree",
      "y[i, j] = sum[k](a[i, k] * b[k, j])",
      { a: [2, 3], b: [4, 5] },
      {},
      ShapeError,
      /^op: axis k: 3 and 4 differ: a is \[2, 3\], b is \[4, 5\]$/,
    ],
    [
      "… with a name",
      "y[i, j] = sum[k](a[i, k] * b[k, j])",
      { a: [2, 3], b: [4, 5] },
      { axisNames: { k: "inner dimension" } },
      ShapeError,
      /^op: inner dimensions 3 and 4 differ/,
    ],
    [
      "broadcasting",
      "y = a + b",
      { a: [2, 3], b: [4] },
      {},
      ShapeError,
      /^op: cannot broadcast dimensions 3 and 4: a is \[2, 3\], b is \[4\]\n {2}try: /,
    ],
    [
      "a rank that is too small",
      "y[..., i] = x[..., i]",
      { x: [] },
      {},
      ShapeError,
      /^op: x must have at least 1 dimension, got shape \[\]$/,
    ],
    ["another rank", "y[i, j] = x[i, j]", { x: [2] }, {}, ShapeError, /^op: x must have 2 dimensions, got shape \[2\]$/],
    ["an unknown extent", "y[i] = 3", {}, {}, FormulaError, /^op: the extent of axis i cannot be inferred\n {2}try: .*\[i < 3\]/],
    [
      "a missing size",
      "y[i] = x[i + k]",
      { x: [3] },
      {},
      FormulaError,
      /^op: the formula needs the size 'k'\n {2}try: give it among the attributes: op\.with\(\{ attributes: \{ k: 3 \} \}\)/,
    ],
    ["a size that is not whole", "y[i] = x[i + k]", { x: [3] }, { sizes: { k: 0.5 } }, KasaneError, /^op: k must be an integer, got 0.5$/],
    ["a stride of 0", "y[i] = x[i*s]", { x: [3] }, { sizes: { s: 0 } }, ShapeError, /^op: axis i moves by 0 elements a step/],
    [
      "an index that is not affine",
      "y[i] = x[i*i]",
      { x: [3] },
      { resultShape: [3] },
      FormulaError,
      /^op: an index must be affine in the axes/,
    ],
    [
      "an index with a fraction",
      "y[i] = x[i + 0.5]",
      { x: [3] },
      { resultShape: [3] },
      KasaneError,
      /^op: an index must be an integer, got 0.5$/,
    ],
    ["a missing list", "y = sum[@axes](x)", { x: [3] }, {}, FormulaError, /^op: the formula needs the axis list 'axes'/],
    [
      "an axis that does not exist",
      "y = sum[@axes](x)",
      { x: [3] },
      { lists: { axes: [1] } },
      ShapeError,
      /^op: axis 1 does not exist: the tensor has 1 dimension\n {2}try: axes go from -1 to 0/,
    ],
    [
      "an axis named twice",
      "y = sum[@axes](x)",
      { x: [3, 3] },
      { lists: { axes: [1, -1] } },
      ShapeError,
      /^op: axis -1 is named twice in \[1, -1\]$/,
    ],
    [
      "an input that is not given",
      "y = x + z",
      { x: [3] },
      {},
      FormulaError,
      /^op: the formula reads z, which is neither given nor defined/,
    ],
    [
      "a negative extent",
      "y[i < n] = i",
      {},
      { sizes: { n: -1 } },
      ShapeError,
      /^op: the extent of axis i must be an integer from 0 to 2147483647, got -1$/,
    ],
    ["an extent with a fraction", "y[i < 2.5] = i", {}, {}, ShapeError, /must be an integer from 0 to 2147483647, got 2.5$/],
    [
      "a huge extent",
      "y[i < n] = i",
      {},
      { sizes: { n: 1e15 } },
      InputError,
      /^op: n must be an integer from -2147483647 to 2147483647, got 1000000000000000$/,
    ],
    [
      "a huge result",
      "y[i < n, j < n] = i",
      {},
      { sizes: { n: 100000 } },
      ShapeError,
      /^op: y would have shape \[100000, 100000\], more than 2147483647 elements/,
    ],
    ["a huge piece", "y[i*n] = x[i]", { x: [3] }, { sizes: { n: 2147483646 } }, ShapeError, /^op: y would have shape \[4294967293\]/],
    [
      "a scatter without a shape",
      "y[ids[n]] += x[n]",
      { ids: [2], x: [2] },
      {},
      FormulaError,
      /^op: the shape of y cannot be inferred from a scatter/,
    ],
    [
      "a result of another shape",
      "y[i] = x[i]",
      { x: [3] },
      { resultShape: [4] },
      ShapeError,
      /^op: axis i: 3 and 4 differ: x is \[3\], y must be \[4\]$/,
    ],
    [
      "a word that is not constant",
      "y[i < 2] = uniform(1, 2, 3, i)",
      {},
      {},
      FormulaError,
      /^op: the last argument of uniform must be 0 or 1$/,
    ],
  ];
  it.each(cases)("%s", (_, source, shapes, extra, kind, message) => {
    let error: unknown;
    try {
      shapeOf(source, shapes, extra);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
  });
});

describe("programs", () => {
  it("number inputs, intermediate tensors and the result", () => {
    const program = bindTo(
      parseFormula("m = max[@axes](x)\ny = exp(x - m) / sum[@axes](exp(x - m))"),
      { x: [2, 3] },
      { lists: { axes: [-1] } },
    );
    expect(program.inputs).toHaveLength(1);
    expect(program.buffers.map((buffer) => buffer.shape)).toEqual([
      [2, 3],
      [2, 1],
      [2, 1],
      [2, 3],
    ]);
    expect(program.operations.map((step) => [step.reads, step.writes])).toEqual([
      [[0], 1],
      [[0, 1], 2],
      [[0, 1, 2], 3],
    ]);
    expect(program.result).toBe(3);
  });
  it("clear what they do not cover", () => {
    const clears = (source: string, shapes: Record<string, number[]>, extra: Partial<Binding> = {}): boolean[] =>
      bindTo(parseFormula(source), shapes, extra).operations.map((step) => step.clear);
    expect(clears("y = exp(x)", { x: [3] })).toEqual([false]);
    expect(clears("y[2*i + 1] = x[i]", { x: [3] })).toEqual([true]);
    expect(clears("y[i] = a[i]; y[i + 2] = b[i]", { a: [2], b: [3] })).toEqual([false, false]);
    expect(clears("y[i] = a[i]; y[i + 3] = b[i]", { a: [2], b: [3] })).toEqual([true, false]);
    expect(clears("y[ids[n]] += x[n]", { ids: [2], x: [2] }, { resultShape: [4] })).toEqual([true]);
  });
  it("do nothing on empty tensors", () => {
    expect(run("y[..., o] = sum[i](x[..., i] * w[o, i])", { x: floats([0, 3], []), w: floats([2, 3]) })).toMatchObject({ shape: [0, 2] });
    expect(run("y[..., d] = w[ids[...], d]", { w: floats([4, 2]), ids: ints([0], []) })).toMatchObject({ shape: [0, 2] });
  });
});
