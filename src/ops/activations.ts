// Activation functions: the non-linear transformations between layers.

import { composite, map } from "./op.ts";

export const sigmoid = map("sigmoid", "y = 1 / (1 + exp(-x))", {
  gradient: { x: "gy * y * (1 - y)" },
  doc: {
    en: "Squashes any number into (0, 1). Its derivative y(1 − y) is at most 0.25, so gradients shrink layer by layer.",
    ja: "どんな数も (0, 1) に押し込む。微分は最大 0.25",
    source: "textbook, sigmoid function",
  },
});
export const tanh = map("tanh", "y = tanh(x)", { doc: { en: "Squashes any number into (−1, 1).", ja: "どんな数も (−1, 1) に押し込む" } });
export const relu = map("relu", "y = max(x, 0)", {
  gradient: { x: "select(y > 0, gy, 0)" },
  doc: {
    en: "Keeps positive numbers and sets the others to 0. Its derivative is 1 or 0 (0 at 0).",
    ja: "正の数はそのまま、負の数は 0",
    source: "Nair & Hinton 2010",
  },
});
export const leakyRelu = map("leakyRelu", "y = select(x > 0, x, slope * x)", {
  params: { slope: 0.01 },
  doc: {
    en: "Like ReLU, but negative numbers keep a small slope.",
    ja: "ReLU と同じだが、負の数にも小さな傾きを残す",
    source: "Maas et al. 2013",
  },
});
export const relu6 = map("relu6", "y = min(max(x, 0), 6)", {
  gradient: { x: "select(x > 0 && x < 6, gy, 0)" },
  doc: { en: "ReLU limited to 6." },
});
export const elu = map("elu", "y = select(x > 0, x, alpha * expm1(x))", {
  params: { alpha: 1 },
  doc: { en: "Exponential linear unit: negative numbers saturate at −alpha.", source: "Clevert et al. 2015" },
});
export const selu = map("selu", "y = 1.0507009873554805 * select(x > 0, x, 1.6732632423543772 * expm1(x))", {
  doc: { en: "ELU scaled so that activations keep mean 0 and variance 1.", source: "Klambauer et al. 2017" },
});
export const gelu = map("gelu", "y = 0.5 * x * (1 + erf(sqrt(0.5) * x))", {
  gradient: { x: "gy * (0.5 * (1 + erf(sqrt(0.5) * x)) + sqrt(0.5 / pi) * x * exp(-0.5 * x ^ 2))" },
  doc: { en: "x times the probability that a standard normal number is below x.", source: "Hendrycks & Gimpel 2016" },
});
export const geluTanh = map("geluTanh", "y = 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ^ 3)))", {
  doc: { en: "The tanh approximation of GELU.", source: "Hendrycks & Gimpel 2016" },
});
export const silu = map("silu", "y = x / (1 + exp(-x))", {
  gradient: { x: "s = 1 / (1 + exp(-x)); gx = gy * s * (1 + x * (1 - s))" },
  doc: { en: "x times its sigmoid (swish).", source: "Ramachandran et al. 2017" },
});
export const softplus = map("softplus", "y = max(x, 0) + log1p(exp(-abs(x)))", {
  gradient: { x: "gy / (1 + exp(-x))" },
  doc: { en: "log(1 + e^x), written so that it never overflows: a smooth ReLU.", ja: "なめらかな ReLU" },
});
export const softsign = map("softsign", "y = x / (1 + abs(x))", {
  gradient: { x: "gy / (1 + abs(x)) ^ 2" },
  doc: { en: "x / (1 + |x|)." },
});
export const logSigmoid = map("logSigmoid", "y = min(x, 0) - log1p(exp(-abs(x)))", {
  gradient: { x: "gy / (1 + exp(x))" },
  doc: { en: "Logarithm of the sigmoid, without overflow." },
});
export const hardtanh = map("hardtanh", "y = min(max(x, low), high)", {
  params: { low: -1, high: 1 },
  gradient: { x: "select(x > low && x < high, gy, 0)" },
  doc: { en: "Limits x to [low, high]; no gradient outside." },
});
export const hardSigmoid = map("hardSigmoid", "y = min(max(x / 6 + 0.5, 0), 1)", {
  gradient: { x: "select(x > -3 && x < 3, gy / 6, 0)" },
  doc: { en: "A piecewise linear sigmoid.", source: "Howard et al. 2019" },
});
export const hardSwish = map("hardSwish", "y = x * min(max(x / 6 + 0.5, 0), 1)", {
  gradient: { x: "select(x <= -3, 0, select(x >= 3, gy, gy * (x / 3 + 0.5)))" },
  doc: { en: "x times its hard sigmoid.", source: "Howard et al. 2019" },
});
export const mish = map("mish", "y = x * tanh(max(x, 0) + log1p(exp(-abs(x))))", {
  gradient: {
    x: "t = tanh(max(x, 0) + log1p(exp(-abs(x)))); gx = gy * (t + x * (1 - t * t) / (1 + exp(-x)))",
  },
  doc: { en: "x times the tanh of its softplus: smooth, and slightly negative below 0.", source: "Misra 2019" },
});
export const prelu = map("prelu", "y = select(x > 0, x, slope * x)", {
  doc: { en: "Leaky ReLU whose slope is learned, per channel or one for all.", source: "He et al. 2015" },
});

export const softmax = composite("softmax", "m = max[@axes](x); e = exp(x - m); r = 1 / sum[@axes](e); y = e * r", {
  storedLike: "x",
  gradient: { x: "gx = y * (gy - sum[@axes](gy * y))" },
  doc: {
    en: "Turns numbers into probabilities that sum to 1 along the axes; subtracting the maximum changes nothing but avoids overflow.",
    ja: "合計が 1 になる確率に変換する",
    source: "textbook, softmax function",
  },
});
export const logSoftmax = composite("logSoftmax", "m = max[@axes](x); s = sum[@axes](exp(x - m)); y = x - m - log(s)", {
  gradient: { x: "gx = gy - exp(y) * sum[@axes](gy)" },
  doc: { en: "Logarithm of softmax, without overflow or loss of small probabilities.", ja: "softmax の対数" },
});
