// Sums of products: matrix products, linear layers, any einsum, and convolutions of one to three dimensions.

import { FormulaError } from "../util/errors.ts";
import { contract, family, type Op } from "./op.ts";

export const matmul = contract("matmul", "y[..., m, n] = sum[k](a[..., m, k] * b[..., k, n])", {
  axisNames: { k: "inner dimension" },
  doc: { en: "Matrix product of the last two dimensions; the others broadcast.", ja: "行列の積" },
});
export const linear = contract("linear", "y[..., o] = sum[i](x[..., i] * w[o, i])", {
  axisNames: { i: "input size" },
  doc: {
    en: "Fully connected layer without bias: every output is a weighted sum of all inputs.",
    ja: "全結合層（バイアスなし）",
    source: "textbook, linear transformation",
  },
});
export const linearBias = contract("linearBias", "y[..., o] = sum[i](x[..., i] * w[o, i]) + b[o]", {
  axisNames: { i: "input size", o: "output size" },
  doc: {
    en: "Fully connected layer: a weighted sum of all inputs plus a bias.",
    ja: "全結合層",
    source: "textbook, linear transformation",
  },
});

/** `einsum("bij,bjk->bik")`: inputs x0, x1, … in the order of the subscripts. */
export const einsum = family((subscripts: string): Op => {
  const [left, right, extra] = subscripts.replaceAll(" ", "").split("->");
  if (left === undefined || right === undefined || extra !== undefined || !/^[A-Za-z,.]*$/.test(left + right))
    throw new FormulaError(`einsum: expected subscripts such as "ij,jk->ik", got "${subscripts}"`);
  const indices = (text: string): string[] => text.match(/\.\.\.|[A-Za-z]/g) ?? [];
  const operands = left.split(",").map(indices);
  const free = new Set(indices(right));
  const summed = [...new Set(operands.flat())].filter((axis) => !free.has(axis));
  const missing = [...free].filter((axis) => axis !== "..." && !operands.flat().includes(axis));
  if (missing.length > 0) throw new FormulaError(`einsum: output axis ${missing.join(", ")} appears in no operand of "${subscripts}"`);
  if (free.size !== indices(right).length) throw new FormulaError(`einsum: an output axis appears twice in "${subscripts}"`);
  const access = (name: string, axes: readonly string[]): string =>
    axes.length === 0 ? `${name}[...none]` : `${name}[${axes.map(axisName).join(", ")}]`;
  const product = operands.map((axes, number) => access(`x${number}`, axes)).join(" * ");
  const value = summed.length === 0 ? product : `sum[${summed.map(axisName).join(", ")}](${product})`;
  return contract("einsum", `${access("y", indices(right))} = ${value}`, {
    doc: { en: `Sum of products over the axes the output lacks: ${subscripts}.` },
  });
});

function axisName(letter: string): string {
  return letter === "..." ? letter : `axis_${letter}`;
}

const SPATIAL = ["i", "j", "k"];
const WINDOW = ["p", "q", "r"];
/** Names of the attributes of dimension d: stride s0, dilation d0, padding p0. */
const windowIndex = (d: number): string => `${SPATIAL[d]}*stride${d} + ${WINDOW[d]}*dilation${d} - padding${d}`;

/**
 * Convolution over `dims` spatial dimensions (cross-correlation, as frameworks define it). Grouped: x[n, g, c, …], w[g,
 * o, c, …].
 */
export const convolution = family((dims: number, bias: boolean, grouped: boolean): Op => {
  const range = Array.from({ length: dims }, (_, d) => d);
  const out = range.map((d) => SPATIAL[d]).join(", ");
  const taps = range.map((d) => WINDOW[d]).join(", ");
  const windows = range.map(windowIndex).join(", ");
  const group = grouped ? "g, " : "";
  const added = bias ? ` + b[${group}o]` : "";
  return contract(
    `conv${dims}d`,
    `y[n, ${group}o, ${out}] = sum[c, ${taps}](x[n, ${group}c, ${windows}] * w[${group}o, c, ${taps}])${added}`,
    {
      axisNames: { c: "input channel count", o: "output channel count", g: "group count" },
      doc: {
        en: "Every output is the weighted sum of the window under the kernel, over all input channels.",
        ja: "畳み込み",
        source: "textbook, convolution",
      },
    },
  );
});

/**
 * Transposed convolution: the gradient of convolution by its input, as a layer. w[c, o, …]. The caller gives the
 * result's shape.
 */
export const convolutionTranspose = family((dims: number, bias: boolean, grouped: boolean): Op => {
  const range = Array.from({ length: dims }, (_, d) => d);
  const out = range.map((d) => SPATIAL[d]).join(", ");
  const taps = range.map((d) => WINDOW[d]).join(", ");
  const windows = range.map((d) => `(${SPATIAL[d]} + padding${d} - ${WINDOW[d]}*dilation${d}) / stride${d}`).join(", ");
  const group = grouped ? "g, " : "";
  const added = bias ? ` + b[${group}o]` : "";
  return contract(
    `convTranspose${dims}d`,
    `y[n, ${group}o, ${out}] = sum[c, ${taps}](x[n, ${group}c, ${windows}] * w[${group}c, o, ${taps}])${added}`,
    {
      axisNames: { c: "input channel count", o: "output channel count", g: "group count" },
      doc: {
        en: "Spreads every input over a window of the output; a division that is not exact reads 0.",
        ja: "転置畳み込み",
        source: "Zeiler et al. 2010",
      },
    },
  );
});
