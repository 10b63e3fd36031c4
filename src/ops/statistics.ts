// Statistics for recorders, over axes that keep extent 1: sums and extremes are of finite numbers only.

import { reduce } from "./op.ts";

export const finiteSum = reduce("finiteSum", "y = sum[@axes](select(isfinite(x), x - shift, 0))", {
  doc: { en: "Sum of the distances from a shift; numbers that are not finite do not count." },
});
export const finiteSquares = reduce("finiteSquares", "y = sum[@axes](select(isfinite(x), (x - shift) ^ 2, 0))", {
  doc: {
    en: "Sum of the squared distances from a shift; with a shift among the numbers the variance keeps its digits.",
    source: "Chan, Golub & LeVeque 1983, shifted data",
  },
});
export const finiteMin = reduce("finiteMin", "y = min[@axes](select(isfinite(x), x, inf))", {
  doc: { en: "Smallest finite number; infinity where there is none." },
});
export const finiteMax = reduce("finiteMax", "y = max[@axes](select(isfinite(x), x, -inf))", {
  doc: { en: "Largest finite number; minus infinity where there is none." },
});
export const countZeros = reduce("countZeros", "y = sum[@axes](int(x == 0))", {
  doc: { en: "How many numbers are 0." },
});
export const countNaN = reduce("countNaN", "y = sum[@axes](int(isnan(x)))", {
  doc: { en: "How many are not a number." },
});
export const countFinite = reduce("countFinite", "y = sum[@axes](int(isfinite(x)))", {
  doc: { en: "How many are neither infinite nor NaN." },
});
export const countOutside = reduce("countOutside", "y = sum[@axes](int(x < low || x > high))", {
  params: { low: "float", high: "float" },
  doc: { en: "How many lie below low or above high: saturated activations." },
});
export const histogram = reduce(
  "histogram",
  "y[b < bins] = sum[...](int(isfinite(x[...]) && min(max(floor((x[...] - low[]) * scale[]), 0), bins - 1) == b))",
  {
    sizes: { bins: "required" },
    doc: { en: "How many numbers fall into each of `bins` equal intervals from low, 1 / scale wide; those beyond count at the ends." },
  },
);
