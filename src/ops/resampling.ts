// Resampling one dimension by tables: interpolation, and pooling over windows of different lengths.

import { gather } from "./op.ts";

/** x [a, extent, s], ids and w [out, taps] → [a, out, s]; an id outside of x, such as −1, reads 0. */
export const resample = gather("resample", "y[a, i, s] = sum[p](x[a, ids[i, p], s] * w[i, p])", {
  doc: { en: "Every output is a weighted sum of the few inputs that its row of ids names: interpolation along one dimension." },
});
/** x [a, extent, s], ids [out, taps] → [a, out, s]; an id outside of x, such as −1, is no element. */
export const resampleMax = gather("resampleMax", "y[a, i, s] = max[p](x[a, ids[i, p], s])", {
  doc: { en: "Every output is the largest of the inputs that its row of ids names; the first of equal ones gets the gradient." },
});
