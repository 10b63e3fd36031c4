// Loss functions per element or per sample; the mean over the batch is taken by the caller.

import { composite, map } from "./op.ts";

export const squaredError = map("squaredError", "y = (x - t) ^ 2", {
  doc: { en: "Squared difference between prediction and target.", ja: "二乗誤差", source: "textbook, mean squared error" },
});
export const absoluteError = map("absoluteError", "y = abs(x - t)", {
  doc: { en: "Absolute difference between prediction and target.", ja: "絶対誤差" },
});
export const huber = map("huber", "y = select(abs(x - t) <= delta, 0.5 * (x - t) ^ 2, delta * (abs(x - t) - 0.5 * delta))", {
  params: { delta: 1 },
  doc: { en: "Squared near the target, linear beyond delta.", source: "Huber 1964" },
});
export const crossEntropy = composite(
  "crossEntropy",
  "m[n] = max[c](x[n, c]); s[n] = sum[c](exp(x[n, c] - m[n])); y[n] = log(s[n]) + m[n] - x[n, t[n]]",
  {
    gradient: {
      // Not exp(x − x[t] − y): where the loss is large, y no longer has the digits that difference needs.
      x: "m[n] = max[c](x[n, c]); s[n] = sum[c](exp(x[n, c] - m[n])); gx[n, c] = gy[n] * (exp(x[n, c] - m[n]) / s[n] - select(t[n] == c, 1, 0))",
    },
    axisNames: { n: "batch size" },
    doc: {
      en: "−log of the softmax probability of the right class t, from logits x. The gradient is softmax − one-hot.",
      ja: "交差エントロピー",
      source: "textbook, cross entropy (there also divided by the number of classes)",
    },
  },
);
export const crossEntropyProbabilities = composite(
  "crossEntropyProbabilities",
  "m[n] = max[c](x[n, c]); s[n] = sum[c](exp(x[n, c] - m[n])); z[n] = log(s[n]) + m[n]; y[n] = sum[c](select(t[n, c] == 0, 0, t[n, c] * (z[n] - x[n, c])))",
  {
    gradient: {
      x: "m[n] = max[c](x[n, c]); s[n] = sum[c](exp(x[n, c] - m[n])); total[n] = sum[c](t[n, c]); gx[n, c] = gy[n] * (exp(x[n, c] - m[n]) / s[n] * total[n] - t[n, c])",
      t: "m[n] = max[c](x[n, c]); s[n] = sum[c](exp(x[n, c] - m[n])); gt[n, c] = select(t[n, c] == 0 && x[n, c] == -inf, 0, gy[n] * (log(s[n]) + m[n] - x[n, c]))",
    },
    axisNames: { n: "batch size", c: "class count" },
    doc: {
      en: "−Σ t log softmax(x) for target probabilities t (one-hot or soft); 0 · log 0 is 0.",
      ja: "交差エントロピー（確率の教師）",
      source: "textbook, cross entropy",
    },
  },
);
export const binaryCrossEntropyLogits = map("binaryCrossEntropyLogits", "y = max(x, 0) - x * t + log1p(exp(-abs(x)))", {
  gradient: { x: "gy * (1 / (1 + exp(-x)) - t)", t: "-gy * x" },
  doc: { en: "Binary cross entropy from a logit x, without overflow.", ja: "二値交差エントロピー（ロジットから）" },
});
export const binaryCrossEntropy = map("binaryCrossEntropy", "y = -(max(log(x), -100) * t + max(log(1 - x), -100) * (1 - t))", {
  gradient: { x: "gy * (x - t) / max(x * (1 - x), 1e-12)", t: "gy * (max(log(1 - x), -100) - max(log(x), -100))" },
  doc: { en: "Binary cross entropy of a probability x in [0, 1]; logarithms are limited to −100.", ja: "二値交差エントロピー" },
});
export const negativeLogLikelihood = map("negativeLogLikelihood", "y[n] = -x[n, t[n]]", {
  axisNames: { n: "batch size" },
  doc: { en: "Minus the log-probability of the right class t." },
});
