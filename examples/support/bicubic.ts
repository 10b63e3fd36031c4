// Bicubic interpolation to twice the size: the baseline of the super-resolution example (Keys 1981 with a = −0.5).

import { einsum, type Tensor, tensor } from "kasane";

const a = -0.5;

/** The weight of a pixel at a distance. */
function weight(distance: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * (x ** 3 - 5 * x ** 2 + 8 * x - 4) : 0;
}

/** How much each of `size` pixels counts in each of 2 · size; pixels beyond the border are those at the border. */
function weights(size: number): Tensor {
  const rows = new Float32Array(2 * size * size);
  for (let to = 0; to < 2 * size; to++) {
    const place = (to + 0.5) / 2 - 0.5;
    for (let tap = Math.floor(place) - 1; tap <= Math.floor(place) + 2; tap++) {
      const from = Math.min(size - 1, Math.max(0, tap));
      const at = to * size + from;
      rows[at] = (rows[at] ?? 0) + weight(place - tap);
    }
  }
  return tensor(rows, [2 * size, size]);
}

/** [n, channels, height, width] → [n, channels, 2 · height, 2 · width]. */
export function bicubic(x: Tensor): Tensor {
  const [, , height = 0, width = 0] = x.shape;
  return einsum("nchw,ih,jw->ncij", x, weights(height), weights(width)).clip(0, 1);
}
