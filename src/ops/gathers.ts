// Reading and writing at positions that are data: embedding, gather, scatter, one-hot.

import { axisLetters, family, gather, map, type Op } from "./op.ts";

export const embedding = gather("embedding", "y[..., d] = w[ids[...], d]", {
  doc: { en: "Row ids of the table w; the gradient adds to exactly those rows.", ja: "埋め込み" },
});
export const oneHot = map("oneHot", "y[..., c < classes] = float(ids[...] == c)", {
  doc: { en: "1 at the class, 0 elsewhere.", ja: "ワンホット表現" },
});

/** y[…, i, …] = x[…, ids[…, i, …], …] along the axis: ids and y have the same shape. */
export const gatherAlong = family((rank: number, axis: number): Op => {
  const axes = axisLetters(rank);
  const all = axes.join(", ");
  const source = axes.map((name, d) => (d === axis ? `ids[${all}]` : name)).join(", ");
  return gather("gather", `y[${all}] = x[${source}]`, {
    doc: { en: "Picks, at every position, the element along the axis that ids says." },
  });
});

/** Whole slices: y[…, i, …] = x[…, ids[i], …] along the axis. */
export const take = family((rank: number, axis: number): Op => {
  const axes = axisLetters(rank);
  const source = axes.map((name, d) => (d === axis ? `ids[${name}]` : name)).join(", ");
  return gather("take", `y[${axes.join(", ")}] = x[${source}]`, { doc: { en: "Picks whole slices along an axis." } });
});

/** y[…, ids[i], …] += x[…, i, …] along the axis, starting from zeros. The caller gives the result's shape. */
export const scatterAdd = family((rank: number, axis: number): Op => {
  const axes = axisLetters(rank);
  const target = axes.map((name, d) => (d === axis ? `ids[${name}]` : name)).join(", ");
  return gather("scatterAdd", `y[${target}] += x[${axes.join(", ")}]`, {
    doc: { en: "Adds slices to the positions that ids says; the gradient of take." },
  });
});
