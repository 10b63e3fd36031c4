// Normalisation: bringing activations to mean 0 and variance 1.

import { composite, map } from "./op.ts";

export const normalise = map("normalise", "y = (x - mean) / sqrt(variance + epsilon) * weight + bias", {
  params: { epsilon: 1e-5 },
  doc: {
    en: "Shifts and scales by given statistics, then by learned weight and bias (batch normalisation with known statistics).",
    ja: "正規化",
    source: "Ioffe & Szegedy 2015",
  },
});
export const layerNorm = composite(
  "layerNorm",
  "m = mean[@axes](x); c = x - m; v = mean[@axes](c * c); y = c / sqrt(v + epsilon) * weight + bias",
  {
    params: { epsilon: 1e-5 },
    doc: { en: "Normalises each sample over the axes, then scales and shifts.", ja: "層正規化", source: "Ba, Kiros & Hinton 2016" },
  },
);
