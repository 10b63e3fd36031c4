// Formulas of every kind with inputs, run by several tests.

import { type Attributes, floats, type Inputs, ints } from "./support.ts";

export interface Case {
  readonly name?: string;
  readonly formula: string;
  readonly inputs: Inputs;
  readonly attributes?: Attributes;
  /** Skips second derivatives (none exist, or differences at a kink). */
  readonly firstOnly?: boolean;
}

const x = floats([3, 4]);
const positive = floats([5], [0.3, 0.9, 1.7, 2.2, 0.05]);
const sizes = (given: Record<string, number>): Attributes => ({ sizes: given });
const CONV = "y[n, o, i, j] = sum[c, p, q](x[n, c, i*s + p*d - pad, j*s + q*d - pad] * w[o, c, p, q])";
const convInputs = (size: number, kernel: number): Inputs => ({ x: floats([1, 2, size, size]), w: floats([2, 2, kernel, kernel]) });

export const CASES: readonly Case[] = [
  { name: "sigmoid", formula: "y = 1 / (1 + exp(-x))", inputs: { x } },
  { name: "softplus", formula: "y = max(x, 0) + log1p(exp(-abs(x)))", inputs: { x }, firstOnly: true },
  { name: "gelu", formula: "y = 0.5 * x * (1 + erf(x / sqrt(2)))", inputs: { x } },
  { name: "select", formula: "y = select(x > 0, x ^ 2, 0.1 * expm1(x))", inputs: { x } },
  { name: "a branch not taken is infinite", formula: "y = select(x > 0, log(x), x)", inputs: { x } },
  { name: "parameter", formula: "y = select(x > 0, x, slope * x) ^ 2", inputs: { x }, attributes: { params: { slope: 0.3 } } },
  { name: "broadcasting a row", formula: "y = a * b + b ^ 3", inputs: { a: x, b: floats([4]) } },
  { name: "broadcasting a column and a scalar", formula: "y = a / (2 + b) * c", inputs: { a: x, b: floats([3, 1]), c: floats([], [1.3]) } },
  { name: "broadcasting both ways", formula: "y = a * exp(b)", inputs: { a: floats([3, 1]), b: floats([1, 4]) } },
  {
    name: "sum over a list of axes",
    formula: "y = sum[@axes](x ^ 3)",
    inputs: { x: floats([2, 3, 2]) },
    attributes: { lists: { axes: [0, -1] } },
  },
  { name: "mean over every axis", formula: "y = mean[...](x * x)", inputs: { x } },
  { name: "max over a list of axes", formula: "y = max[@axes](x)", inputs: { x }, attributes: { lists: { axes: [1] } } },
  { name: "max squared", formula: "y = max[@axes](x) ^ 2", inputs: { x }, attributes: { lists: { axes: [-1] } } },
  { name: "min over axes", formula: "y[i] = min[j](x[i, j] ^ 2)", inputs: { x } },
  { name: "prod", formula: "y[i] = prod[j](x[i, j])", inputs: { x } },
  {
    name: "prod with a zero",
    formula: "y[i] = prod[j](x[i, j])",
    inputs: { x: floats([3, 3], [2, 0, 3, 0, 0, 5, 1, 2, 4]) },
    firstOnly: true,
  },
  { name: "prod of an expression", formula: "y = prod[@axes](1 + x)", inputs: { x }, attributes: { lists: { axes: [0] } } },
  { name: "variance", formula: "m = mean[@axes](x); y = mean[@axes]((x - m) ^ 2)", inputs: { x }, attributes: { lists: { axes: [1] } } },
  {
    name: "softmax",
    formula: "m = max[@axes](x); e = exp(x - m); y = e / sum[@axes](e)",
    inputs: { x },
    attributes: { lists: { axes: [-1] } },
  },
  {
    name: "log-sum-exp",
    formula: "m = max[@axes](x); y = m + log(sum[@axes](exp(x - m)))",
    inputs: { x },
    attributes: { lists: { axes: [-1] } },
  },
  { name: "nested reductions", formula: "y[i] = sum[j](x[i, j] * sum[k](x[k, j] ^ 2))", inputs: { x } },
  { name: "reductions beside each other", formula: "y[i] = sum[j](x[i, j]) * sum[j](x[i, j] ^ 2)", inputs: { x } },
  { name: "reduction and plain access", formula: "y[i, j] = x[i, j] / sum[k](exp(x[i, k]))", inputs: { x } },
  { name: "matmul", formula: "y[..., m, n] = sum[k](a[..., m, k] * b[..., k, n])", inputs: { a: floats([2, 3, 4]), b: floats([4, 2]) } },
  {
    name: "batched matmul, broadcast",
    formula: "y[..., m, n] = sum[k](a[..., m, k] * b[..., k, n])",
    inputs: { a: floats([2, 1, 3, 2]), b: floats([3, 2, 2]) },
  },
  { name: "matmul with itself", formula: "y[i, j] = sum[k](x[i, k] * x[j, k])", inputs: { x } },
  { name: "linear with bias", formula: "y[..., o] = sum[i](x[..., i] * w[o, i]) + b[o]", inputs: { x, w: floats([2, 4]), b: floats([2]) } },
  {
    name: "linear and an activation",
    formula: "y[..., o] = tanh(sum[i](x[..., i] * w[o, i]) + b[o])",
    inputs: { x, w: floats([2, 4]), b: floats([2]) },
  },
  {
    name: "bilinear",
    formula: "y[n, o] = sum[i, j](a[n, i] * w[o, i, j] * b[n, j])",
    inputs: { a: floats([2, 3]), w: floats([2, 3, 2]), b: floats([2, 2]) },
  },
  { name: "diagonal", formula: "y[i] = x[i, i] ^ 2", inputs: { x: floats([3, 3]) } },
  { name: "trace", formula: "y = sum[i](x[i, i] ^ 2)", inputs: { x: floats([3, 3]) } },
  { name: "transpose", formula: "y[j, i] = x[i, j] ^ 2", inputs: { x } },
  { name: "flip", formula: "y[i] = x[n - 1 - i] ^ 2", inputs: { x: floats([4]) }, attributes: sizes({ n: 4 }) },
  {
    name: "slice with a step",
    formula: "y[i < count] = x[i*step + start] ^ 2",
    inputs: { x: floats([7]) },
    attributes: sizes({ count: 2, step: 3, start: 1 }),
  },
  { name: "differences", formula: "y[i] = (x[i + 1] - x[i]) ^ 2", inputs: { x: floats([5]) } },
  {
    name: "padding",
    formula: "y[i < extent] = select(inside(x[i - low]), x[i - low] ^ 2, 3)",
    inputs: { x: floats([3]) },
    attributes: sizes({ extent: 6, low: 2 }),
  },
  {
    name: "concatenation",
    formula: "y[i] = a[i] ^ 2; y[i + n] = b[i] ^ 3",
    inputs: { a: floats([3]), b: floats([2]) },
    attributes: sizes({ n: 3 }),
  },
  {
    name: "concatenation with itself",
    formula: "y[i] = a[i] ^ 2; y[i + n] = a[i] ^ 3",
    inputs: { a: floats([3]) },
    attributes: sizes({ n: 3 }),
  },
  { name: "interleaving", formula: "y[2*i] = a[i] ^ 2; y[2*i + 1] = b[i] ^ 3", inputs: { a: floats([3]), b: floats([3]) } },
  {
    name: "conv1d",
    formula: "y[n, o, i] = sum[c, p](x[n, c, i*s + p - pad] * w[o, c, p])",
    inputs: { x: floats([2, 2, 6]), w: floats([2, 2, 3]) },
    attributes: sizes({ s: 2, pad: 1 }),
  },
  { name: "conv2d", formula: CONV, inputs: convInputs(4, 3), attributes: sizes({ s: 1, d: 1, pad: 0 }) },
  { name: "conv2d padded and strided", formula: CONV, inputs: convInputs(5, 3), attributes: sizes({ s: 2, d: 1, pad: 1 }) },
  { name: "conv2d where the stride leaves a rest", formula: CONV, inputs: convInputs(6, 3), attributes: sizes({ s: 2, d: 1, pad: 1 }) },
  { name: "conv2d dilated", formula: CONV, inputs: convInputs(5, 2), attributes: sizes({ s: 1, d: 2, pad: 1 }) },
  { name: "conv2d strided further than the kernel", formula: CONV, inputs: convInputs(5, 2), attributes: sizes({ s: 3, d: 1, pad: 0 }) },
  { name: "conv2d dilated and strided", formula: CONV, inputs: convInputs(7, 2), attributes: sizes({ s: 2, d: 3, pad: 2 }) },
  {
    name: "grouped conv1d",
    formula: "y[n, g, o, i] = sum[c, p](x[n, g, c, i + p - 1] * w[g, o, c, p])",
    inputs: { x: floats([1, 2, 2, 4]), w: floats([2, 2, 2, 3]) },
  },
  {
    name: "transposed convolution",
    formula: "y[n, o, h < size] = sum[c, p](x[n, c, (h + pad - p) / s] * w[c, o, p])",
    inputs: { x: floats([1, 2, 3]), w: floats([2, 2, 3]) },
    attributes: sizes({ size: 5, s: 2, pad: 1 }),
  },
  {
    name: "max pooling",
    formula: "y[n, i] = max[p < k](x[n, i*s + p - pad]) ^ 2",
    inputs: { x: floats([2, 7]) },
    attributes: sizes({ k: 3, s: 2, pad: 1 }),
  },
  {
    name: "overlapping max pooling",
    formula: "y[n, i, j] = max[p < k, q < k](x[n, i + p, j + q])",
    inputs: { x: floats([1, 4, 4]) },
    attributes: sizes({ k: 3 }),
  },
  {
    name: "average pooling that counts what is inside",
    formula: "y[i] = sum[p < k](x[i*s + p - pad]) / sum[p < k](float(inside(x[i*s + p - pad])))",
    inputs: { x: floats([6]) },
    attributes: sizes({ k: 3, s: 2, pad: 1 }),
  },
  { name: "embedding", formula: "y[..., d] = w[ids[...], d] ^ 2", inputs: { w: floats([4, 2]), ids: ints([3], [1, 3, 1]) } },
  { name: "embedding with two indices", formula: "y[n] = x[n, t[n]] ^ 2", inputs: { x, t: ints([3], [2, 0, 3]) } },
  {
    name: "scatter",
    formula: "y[ids[n], d] += x[n, d] ^ 2",
    inputs: { x: floats([3, 2]), ids: ints([3], [1, 0, 1]) },
    attributes: { resultShape: [3, 2] },
  },
  {
    name: "mask",
    formula: "y = select(mask == 1, x * x, 0) / 0.5",
    inputs: { x, mask: ints([3, 4], [1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0]) },
  },
  {
    name: "cross entropy",
    formula: "m[n] = max[c](x[n, c]); s[n] = sum[c](exp(x[n, c] - m[n])); y[n] = m[n] + log(s[n]) - x[n, t[n]]",
    inputs: { x, t: ints([3], [2, 0, 3]) },
  },
  {
    name: "layer norm",
    formula: "m = mean[@axes](x); v = mean[@axes]((x - m) ^ 2); y = (x - m) / sqrt(v + epsilon) * w + b",
    inputs: { x, w: floats([4]), b: floats([4]) },
    attributes: { lists: { axes: [-1] }, params: { epsilon: 0.01 } },
  },
  {
    name: "attention",
    formula:
      "s[i, j] = sum[d](q[i, d] * k[j, d]); m[i] = max[j](s[i, j]); e[i, j] = exp(s[i, j] - m[i]); p[i, j] = e[i, j] / sum[k2](e[i, k2]); y[i, d] = sum[j](p[i, j] * v[j, d])",
    inputs: { q: floats([2, 3]), k: floats([3, 3]), v: floats([3, 2]) },
  },
  {
    name: "cumulative sum",
    formula: "y[i < n] = sum[j < n](select(j <= i, x[j], 0))",
    inputs: { x: floats([5]) },
    attributes: sizes({ n: 5 }),
  },
  { name: "power of a tensor", formula: "y = a ^ b", inputs: { a: positive, b: floats([5]) } },
  { name: "modulo", formula: "y = (x % 0.4) ^ 2 + z % x", inputs: { x: positive, z: floats([1], [3.37]) } },
];
