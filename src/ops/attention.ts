// Attention: masked scores and softmax weights.

import { composite, map } from "./op.ts";

export const causalMask = map("causalMask", "y[i < extent, j < extent] = j <= i", {
  doc: { en: "True where position j is not after position i: what a token may attend to when it must not see the future." },
});
export const maskedSoftmax = composite(
  "maskedSoftmax",
  "m = max[@axes](select(mask != 0, x, -inf)); e = select(mask != 0, exp(x - m), 0); s = sum[@axes](e); y = e * select(s > 0, 1 / s, 0)",
  {
    storedLike: "x",
    gradient: { x: "gx = select(mask != 0, y * (gy - sum[@axes](select(mask != 0, gy * y, 0))), 0)" },
    doc: { en: "Softmax over the elements where the mask holds; the others get 0, and so do all where it holds nowhere." },
  },
);
