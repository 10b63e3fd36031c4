// Normalization to mean 0 and variance 1.

import { composite, map } from "./op.ts";

// The written gradients divide once per channel where the derived ones divide at every element.
export const normalize = map("normalize", "y = (x - mean) / sqrt(variance + epsilon) * weight + bias", {
  params: { epsilon: 1e-5 },
  gradient: {
    x: "gy * (weight / sqrt(variance + epsilon))",
    mean: "gy * (-weight / sqrt(variance + epsilon))",
    variance: "gy * (x - mean) * (-weight / (2 * (variance + epsilon) * sqrt(variance + epsilon)))",
    weight: "gy * (x - mean) * (1 / sqrt(variance + epsilon))",
  },
  storedLike: "x",
  doc: {
    en: "Shifts and scales by given statistics, then by learned weight and bias (batch normalization with known statistics).",
    ja: "正規化",
    source: "Ioffe & Szegedy 2015",
  },
});
export const layerNorm = composite(
  "layerNorm",
  "m = mean[@axes](x); c = x - m; v = mean[@axes](c * c); y = c / sqrt(v + epsilon) * weight + bias",
  {
    params: { epsilon: 1e-5 },
    storedLike: "x",
    doc: {
      en: "Normalizes over the axes, then scales and shifts: layer, group and instance normalization.",
      ja: "層正規化",
      source: "Ba, Kiros & Hinton 2016; Wu & He 2018; Ulyanov et al. 2016",
    },
  },
);
export const rmsNorm = composite("rmsNorm", "v = mean[@axes](x * x); y = x / sqrt(v + epsilon) * weight", {
  params: { epsilon: 1e-6 },
  storedLike: "x",
  doc: {
    en: "Divides by the root mean square over the axes, then scales: layer normalization without the mean.",
    source: "Zhang & Sennrich 2019",
  },
});
export const localResponseNorm = composite(
  "localResponseNorm",
  "t[n, c < channels, s] = sum[p < size](x[n, c + p - before, s] ^ 2); y[n, c, s] = x[n, c, s] / (bias + alpha / size * t[n, c, s]) ^ beta",
  {
    params: { alpha: 1e-4, beta: 0.75, bias: 1 },
    storedLike: "x",
    sizes: { size: "required", before: "required", channels: "required" },
    doc: {
      en: "Divides by a power of the mean square of the neighbouring channels, from `before` below the own one on.",
      source: "Krizhevsky et al. 2012, as PyTorch defines it",
    },
  },
);
