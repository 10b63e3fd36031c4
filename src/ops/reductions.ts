// Reductions over any axes; the reduced axes stay with extent 1 here, and the tensor layer drops them on request.

import { composite, reduce } from "./op.ts";

export const sum = reduce("sum", "y = sum[@axes](x)", { doc: { en: "Sum over the axes.", ja: "和" } });
export const mean = reduce("mean", "y = mean[@axes](x)", { doc: { en: "Mean over the axes.", ja: "平均" } });
export const prod = reduce("prod", "y = prod[@axes](x)", {
  doc: { en: "Product over the axes; its gradient is right with zeros among the factors.", ja: "積" },
});
export const max = reduce("max", "y = max[@axes](x)", {
  doc: { en: "Largest element over the axes; the first of equal ones gets the gradient.", ja: "最大値" },
});
export const min = reduce("min", "y = min[@axes](x)", {
  doc: { en: "Smallest element over the axes; the first of equal ones gets the gradient.", ja: "最小値" },
});
export const argmax = reduce("argmax", "y = argmax[@axes](x)", {
  doc: { en: "Position of the first largest element over the axes (int32).", ja: "最大の要素の位置" },
});
export const argmin = reduce("argmin", "y = argmin[@axes](x)", {
  doc: { en: "Position of the first smallest element over the axes (int32).", ja: "最小の要素の位置" },
});
export const variance = composite("variance", "m = mean[@axes](x); y = sum[@axes]((x - m) ^ 2) / (count[@axes] - correction)", {
  params: { correction: 0 },
  // The mean moves too, but distances from the mean sum to 0.
  gradient: { x: "gx = gy * (2 / (count[@axes] - correction)) * (x - mean[@axes](x))" },
  doc: { en: "Mean squared distance from the mean; correction 1 gives the unbiased estimate.", ja: "分散" },
});
// The gradients of the next two are 0 where they are 0, as PyTorch's: the root alone has no finite one there, and 0 · ∞
// would be NaN.
export const std = composite("std", "m = mean[@axes](x); y = sqrt(sum[@axes]((x - m) ^ 2) / (count[@axes] - correction))", {
  params: { correction: 0 },
  gradient: { x: "gx = select(y == 0, 0, gy * (x - mean[@axes](x)) / ((count[@axes] - correction) * y))" },
  doc: { en: "Root of the variance; its gradient is 0 where all elements are equal.", ja: "標準偏差" },
});
export const norm = composite("norm", "y = sqrt(sum[@axes](x * x))", {
  gradient: { x: "gx = select(y == 0, 0, gy * (x / y))" },
  doc: { en: "Euclidean length √Σx²; its gradient is 0 where all elements are 0.", ja: "ノルム" },
});
export const logSumExp = composite(
  "logSumExp",
  "m = max[@axes](x); shift = select(isfinite(m), m, 0); y = log(sum[@axes](exp(x - shift))) + shift",
  {
    // What is −∞ adds nothing, also where all are and y is −∞ too.
    gradient: { x: "gx = select(x == -inf, 0, gy * exp(x - y))" },
    doc: { en: "log Σ e^x over the axes, without overflow." },
  },
);
