// Moving elements without computing: transpose, slice, pad, concatenate, broadcast.

import { axisLetters, family, makeOp, map, move, type Op } from "./op.ts";

/** The same elements in another shape: nothing is copied. The caller gives the result's shape. */
export const reshape = makeOp("view", "reshape", "y = x", {
  doc: { en: "The same elements in row-major order under another shape; copies nothing.", ja: "形の変更" },
});

/** Repeats dimensions of extent 1 and adds leading ones. The caller gives the result's shape. */
export const broadcastTo = move("broadcastTo", "y = x", {
  doc: { en: "Repeats dimensions of extent 1 to a larger shape.", ja: "ブロードキャスト" },
});

/** A copy, e.g. to break the sharing of memory. */
export const copy = map("copy", "y = x", { doc: { en: "A copy.", ja: "コピー" } });

/** Result dimension d is input dimension permutation[d]. */
export const transpose = family((permutation: readonly number[]): Op => {
  const axes = axisLetters(permutation.length);
  const left = permutation.map((d) => axes[d]).join(", ");
  return move("transpose", `y[${left}] = x[${axes.join(", ")}]`, { doc: { en: "Reorders the dimensions.", ja: "転置" } });
});

/** Elements start, start + step, … (`extent` of them) of every dimension; a negative step walks backward. */
export const slice = family((rank: number): Op => {
  const axes = axisLetters(rank);
  const left = axes.map((axis, d) => `${axis} < extent${d}`).join(", ");
  const right = axes.map((axis, d) => `${axis}*step${d} + start${d}`).join(", ");
  return move("slice", `y[${left}] = x[${right}]`, { doc: { en: "A rectangular part, with steps; negative steps reverse." } });
});

/** The input at offset low_d in a larger tensor, `value` elsewhere; negative amounts crop. */
export const pad = family((rank: number): Op => {
  const axes = axisLetters(rank);
  const left = axes.map((axis, d) => `${axis} < extent${d}`).join(", ");
  const access = `x[${axes.map((axis, d) => `${axis} - low${d}`).join(", ")}]`;
  return move("pad", `y[${left}] = select(inside(${access}), ${access}, value)`, {
    params: { value: 0 },
    doc: { en: "Surrounds the input with a value." },
  });
});

/** Inputs x0, x1, … one after another along the axis; piece k starts at offset_k. */
export const concatenate = family((rank: number, axis: number, count: number): Op => {
  const axes = axisLetters(rank);
  const statements = Array.from({ length: count }, (_, number) => {
    const left = axes.map((name, d) => (d === axis ? `${name} + offset${number}` : name));
    return `y[${left.join(", ")}] = x${number}[${axes.join(", ")}]`;
  });
  return move("concatenate", statements.join("\n"), {
    axisNames: Object.fromEntries(axes.map((name, d) => [name, `dimension ${d} extent`])),
    doc: { en: "Joins tensors along an axis; all other dimensions must agree.", ja: "結合" },
  });
});
