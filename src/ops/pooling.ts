// Pooling over windows of one to three spatial dimensions.

import { family, type Op, window } from "./op.ts";

const SPATIAL = ["i", "j", "k"];
const WINDOW = ["p", "q", "r"];

const parts = (dims: number): { out: string; taps: string; access: string; count: string } => {
  const range = Array.from({ length: dims }, (_, d) => d);
  return {
    out: range.map((d) => SPATIAL[d]).join(", "),
    taps: range.map((d) => `${WINDOW[d]} < kernel${d}`).join(", "),
    access: `x[n, c, ${range.map((d) => `${SPATIAL[d]}*stride${d} + ${WINDOW[d]}*dilation${d} - padding${d}`).join(", ")}]`,
    count: range.map((d) => `kernel${d}`).join(" * "),
  };
};

export const maxPool = family((dims: number): Op => {
  const { out, taps, access } = parts(dims);
  return window(`maxPool${dims}d`, `y[n, c, ${out}] = max[${taps}](${access})`, {
    doc: {
      en: "Largest value of each window; padding counts as −∞, and the first of equal values gets the gradient.",
      ja: "最大値プーリング",
      source: "textbook, pooling",
    },
  });
});

/** Average of each window: over its whole size, or over the part of it that lies inside the input. */
export const averagePool = family((dims: number, countPadding: boolean): Op => {
  const { out, taps, access, count } = parts(dims);
  const divisor = countPadding ? `(${count})` : `sum[${taps}](select(inside(${access}), 1, 0))`;
  return window(`averagePool${dims}d`, `y[n, c, ${out}] = sum[${taps}](${access}) / ${divisor}`, {
    sizes: Object.fromEntries(Array.from({ length: dims }, (_, d) => [`kernel${d}`, "required" as const])),
    doc: { en: "Mean of each window.", ja: "平均値プーリング", source: "textbook, pooling" },
  });
});
