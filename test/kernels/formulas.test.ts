// Formulas of every kind and their gradients, compiled to WebAssembly, against the reference evaluator: odd shapes, borders, all types.

import { expect, test } from "vitest";
import { type Attributes, compareWithGradients, type Tensor, tensor } from "./conformance.ts";

type Case = readonly [name: string, formula: string, inputs: Readonly<Record<string, Tensor>>, attributes?: Attributes, tolerance?: number];

const f = (...shape: number[]) => tensor(shape);
const g = (seed: number, ...shape: number[]) => tensor(shape, "float32", undefined, seed);
const i = (...shape: number[]) => tensor(shape, "int32");
const sizes = (given: Record<string, number>): Attributes => ({ sizes: given });
const lists = (axes: readonly number[]): Attributes => ({ lists: { axes } });
const ids = (limit: number, ...shape: number[]) => {
  const made = tensor(shape, "int32");
  return { ...made, data: made.data.map((x) => (((x * 7) % limit) + limit) % limit) };
};
const POOL = (reducer: string) => `y[n, c, i, j] = ${reducer}[p < k, q < k](x[n, c, i*s + p - pad, j*s + q - pad])`;

const cases: Case[] = [
  ...[1, 2, 3, 4, 5, 7, 8, 16, 17, 63, 100, 1031].map((n): Case => [`sigmoid of ${n}`, "y = 1 / (1 + exp(-x))", { x: f(n) }]),
  ["a scalar", "y = x * x + 1", { x: f() }],
  ["nothing", "y = x * x", { x: f(0, 3) }],
  ["sum of nothing", "y[i] = sum[j](x[i, j])", { x: f(3, 0) }],
  ["max of nothing", "y[i] = max[j](x[i, j])", { x: f(3, 0) }],
  ["broadcast row", "y = a * b + b", { a: f(5, 7), b: g(2, 7) }],
  ["broadcast column", "y = a / (2 + b) * c", { a: f(5, 9), b: g(2, 5, 1), c: tensor([], "float32", [1.3]) }],
  ["broadcast both", "y = a * exp(b)", { a: f(6, 1), b: g(2, 1, 5) }],
  ["broadcast three", "y = a + b", { a: f(2, 1, 3), b: g(2, 2, 5, 3) }],
  ["parameter", "y = select(x > 0, x, slope * x)", { x: f(4, 5) }, { params: { slope: 0.3 } }],
  ["integer parameter", "y = x + n", { x: i(13) }, { params: { n: -3 }, types: { n: "int" } }],
  ["transpose", "y[j, i] = x[i, j]", { x: f(9, 13) }],
  ["transpose of few", "y[j, i] = x[i, j]", { x: f(3, 13) }],
  ["transpose, scaled and added", "y[j, i] = x[i, j] * 2 + b[j, i] + c[i]", { x: f(37, 133), b: g(2, 133, 37), c: g(3, 37) }],
  ["permutation", "y[k, i, j] = x[i, j, k]", { x: f(5, 6, 7) }],
  ["permutation inside", "y[n, j, i, c] = x[n, c, i, j]", { x: f(2, 5, 6, 7) }],
  ["symmetric part", "y[i, j] = x[i, j] + x[j, i]", { x: f(11, 11) }],
  ["flip", "y[i] = x[n - 1 - i]", { x: f(1001) }, sizes({ n: 1001 })],
  ["flip rows and columns", "y[i, j] = x[n - 1 - i, m - 1 - j] ^ 2", { x: f(9, 11) }, sizes({ n: 9, m: 11 })],
  ["slice with a step", "y[i < count] = x[i*step + start]", { x: f(37) }, sizes({ count: 11, step: 3, start: 2 })],
  ["every second", "y[i < count] = x[i*2 + 1] + x[i*2]", { x: f(38) }, sizes({ count: 19 })],
  ["differences", "y[i] = x[i + 1] - x[i]", { x: f(33) }],
  ["padding", "y[i < extent, j < extent] = x[i - 2, j - 3]", { x: f(7, 6) }, sizes({ extent: 13 })],
  ["padding with a value", "y[i < extent] = select(inside(x[i - low]), x[i - low], 3)", { x: f(7) }, sizes({ extent: 16, low: 4 })],
  ["far padding", "y[i < extent] = x[i - low]", { x: f(7) }, sizes({ extent: 3000, low: 2900 })],
  ["concatenation", "y[i] = a[i]; y[i + n] = b[i]", { a: f(9), b: g(2, 6) }, sizes({ n: 9 })],
  ["concatenation of columns", "y[r, i] = a[r, i]; y[r, i + n] = b[r, i]", { a: f(5, 9), b: g(2, 5, 6) }, sizes({ n: 9 })],
  ["interleaving", "y[2*i] = a[i]; y[2*i + 1] = b[i]", { a: f(9), b: g(2, 9) }],
  ["diagonal", "y[i] = x[i, i]", { x: f(13, 13) }],
  ["trace", "y = sum[i](x[i, i])", { x: f(13, 13) }],
  ...[1, 2, 5, 8, 31, 100, 5000].flatMap((n): Case[] => [
    [`sum of ${n}`, "y = sum[i](x[i])", { x: f(n) }, {}, 1e-5],
    [`sums of rows of ${n}`, "y[i] = sum[j](x[i, j])", { x: f(3, n) }, {}, 1e-5],
    [`sums of columns, ${n} rows`, "y[j] = sum[i](x[i, j])", { x: f(n, 9) }, {}, 1e-5],
    [`max of rows of ${n}`, "y[i] = max[j](x[i, j])", { x: f(3, n) }],
    [`product of rows of ${n}`, "y[i] = prod[j](x[i, j] * 0.1 + 1)", { x: f(3, n) }, {}, 1e-4],
    [`argmax of rows of ${n}`, "y[i] = argmax[j](x[i, j])", { x: f(3, n) }],
    [`argmin of columns, ${n} rows`, "y[j] = argmin[i](x[i, j])", { x: f(n, 9) }],
    [`argmax with ties of ${n}`, "y = argmax[j](x[j])", { x: tensor([n], "float32", [1, 3, 2, 3, 0]) }],
  ]),
  ["sums over the middle", "y[i, k] = sum[j](x[i, j, k])", { x: f(3, 17, 5) }],
  ["sums over both ends", "y[j] = sum[i, k](x[i, j, k])", { x: f(7, 5, 9) }],
  ["argmax over two axes", "y[j] = argmax[i, k](x[i, j, k])", { x: f(7, 5, 9) }],
  ["argmax of integers over the first", "y[j, k] = argmax[i](x[i, j, k])", { x: i(7, 3, 9) }],
  ["mean over listed axes", "y = mean[@axes](x * x)", { x: f(5, 6, 7) }, lists([0, 2])],
  ["variance", "m = mean[@axes](x); y = mean[@axes]((x - m) ^ 2)", { x: f(9, 33) }, lists([1])],
  ["softmax", "m = max[@axes](x); e = exp(x - m); y = e / sum[@axes](e)", { x: f(9, 33) }, lists([-1])],
  ["softmax over the first axis", "m = max[@axes](x); e = exp(x - m); y = e / sum[@axes](e)", { x: f(9, 33) }, lists([0])],
  ["nested reductions", "y[i] = sum[j](x[i, j] * sum[k](x[k, j] ^ 2))", { x: f(5, 7) }],
  ["NaN in a max", "y[i] = max[j](x[i, j])", { x: tensor([3, 11], "float32", [1, 5, Number.NaN, 2, -1, 0, 3]) }],
  ["NaN in an argmax", "y[i] = argmax[j](x[i, j])", { x: tensor([3, 11], "float32", [1, 5, 2, Number.NaN, -1, 0, 3, Number.NaN]) }],
  ["argmax of −∞ only", "y[i] = argmax[j](x[i, j])", { x: tensor([2, 9], "float32", [Number.NEGATIVE_INFINITY]) }],
  ["infinite sum", "y = sum[i](x[i])", { x: tensor([5000], "float32", [1, Number.POSITIVE_INFINITY, 2]) }],
  ...["max", "mean", "min", "sum"].flatMap((reducer): Case[] => [
    [`${reducer} pool 2×2`, POOL(reducer), { x: f(2, 3, 12, 14) }, sizes({ k: 2, s: 2, pad: 0 })],
    [`${reducer} pool 3×3, stride 2, padded`, POOL(reducer), { x: f(2, 3, 11, 13) }, sizes({ k: 3, s: 2, pad: 1 })],
    [`${reducer} pool 3×3, stride 1`, POOL(reducer), { x: f(1, 2, 9, 21) }, sizes({ k: 3, s: 1, pad: 1 })],
    [`${reducer} pool 7×7`, POOL(reducer), { x: f(2, 3, 7, 7) }, sizes({ k: 7, s: 7, pad: 0 })],
  ]),
  ["matmul", "y[m, n] = sum[k](a[m, k] * b[k, n])", { a: f(7, 9), b: g(2, 9, 5) }],
  ["batched matmul", "y[..., m, n] = sum[k](a[..., m, k] * b[..., k, n])", { a: f(3, 1, 4, 5), b: g(2, 2, 5, 6) }],
  ["linear with bias", "y[..., o] = tanh(sum[i](x[..., i] * w[o, i]) + b[o])", { x: f(6, 9), w: g(2, 5, 9), b: g(3, 5) }],
  ["bilinear", "y[n, o] = sum[i, j](a[n, i] * w[o, i, j] * b[n, j])", { a: f(2, 5), w: g(2, 3, 5, 6), b: g(3, 2, 6) }],
  ["embedding", "y[n, d] = w[ids[n], d]", { ids: ids(11, 17), w: f(11, 7) }],
  ["embedding out of range", "y[n, d] = w[ids[n], d]", { ids: i(17), w: f(5, 7) }],
  ["gather along the last axis", "y[n] = x[n, t[n]]", { x: f(9, 6), t: ids(6, 9) }],
  ["gather of scalars", "y[n] = x[t[n]]", { x: f(40), t: ids(40, 33) }],
  ["one-hot", "y[n, c < classes] = float(t[n] == c)", { t: ids(6, 9) }, sizes({ classes: 6 })],
  ["mixed types", "y = float(a) * x + float(b > 2) + float(c)", { a: i(21), x: f(21), b: tensor([21], "uint8"), c: tensor([21], "bool") }],
  ["integer arithmetic", "y = a * b - a % 5 + max(a, b) - abs(b)", { a: i(23), b: tensor([23], "int32", undefined, 7) }],
  ["bytes", "y = a + b", { a: tensor([23], "uint8"), b: tensor([23], "uint8", undefined, 3) }],
  ["logic", "y = (a > 0 && b) || !(a == 2)", { a: i(23), b: tensor([23], "bool") }],
  ["integer sums", "y[i] = sum[j](a[i, j])", { a: i(5, 37) }],
  ["integer max", "y[j] = max[i](a[i, j])", { a: i(37, 5) }],
  ["conv1d", "y[n, o, i] = sum[c, p](x[n, c, i*s + p - pad] * w[o, c, p])", { x: f(2, 2, 16), w: g(2, 3, 2, 3) }, sizes({ s: 2, pad: 1 })],
  [
    "transposed conv1d",
    "y[n, o, h < size] = sum[c, p](x[n, c, (h + pad - p) / s] * w[c, o, p])",
    { x: f(1, 2, 7), w: g(2, 2, 3, 3) },
    sizes({ size: 13, s: 2, pad: 1 }),
  ],
  ["stretching by three", "y[h < size] = x[h / s]", { x: f(11) }, sizes({ size: 31, s: 3 })],
  ["exact quotients summed", "y[h < size] = sum[p < k](x[(h + 1 - p) / s])", { x: f(11) }, sizes({ size: 24, s: 2, k: 3 })],
  [
    "every function",
    "y = sin(x) + cos(x) * tan(x) + asin(x) + acos(x) - atan(x) + sinh(x) * cosh(x) + erf(x) + log1p(x * x) + expm1(x)",
    { x: f(40) },
  ],
  ["rounding", "y = floor(x * 5) + ceil(x * 3) * round(x * 10) - trunc(x * 9) + sign(x)", { x: f(40) }],
  ["powers", "y = abs(x) ^ b + x ^ 3 + (x * x) ^ 0.5", { x: f(40), b: g(2, 40) }],
];

for (const [name, formula, inputs, attributes, tolerance] of cases) {
  test(name, () => {
    expect(compareWithGradients(formula, inputs, attributes, tolerance ?? 5e-6)).toEqual([]);
  });
}
