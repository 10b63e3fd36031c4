// Metrics of images: peak signal-to-noise ratio, structural similarity.

import type { Tensor } from "../tensor/index.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import { type Metric, ratio } from "./metrics.ts";

/**
 * 10 · log₁₀(range² / mean squared error) of each image, in dB, averaged over the images. prediction and target: [n, …]
 * of one shape; equal images give infinity.
 * @param range difference between the largest and smallest possible value, e.g. 255 for bytes
 * @throws InputError when the range is not positive; when added to, ShapeError when the shapes differ
 */
export function peakSignalToNoise(range = 1): Metric<"psnr"> {
  positive("peakSignalToNoise", range);
  return {
    name: "psnr",
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      const count = sameShape("peakSignalToNoise", prediction, target);
      const [a, b] = [prediction.data, target.data];
      const size = a.length / count;
      for (let n = 0; n < count; n++) {
        let error = 0;
        for (let at = n * size; at < (n + 1) * size; at++) error += (a[at]! - b[at]!) ** 2;
        sums[0]! += 10 * Math.log10((range * range * size) / error);
        sums[1]! += 1;
      }
    },
    value: ratio,
  };
}

const WINDOW = 11;

const bell = gaussian(1.5);

/**
 * Structural similarity of images, averaged over them: means, variances and covariance under an 11 × 11 Gaussian window
 * (deviation 1.5), only where the window lies inside. prediction and target: [n, channels, height, width] of one shape.
 * 1 for equal images, at least −1. Wang et al. 2004.
 * @param range difference between the largest and smallest possible value, e.g. 255 for bytes
 * @throws InputError when the range is not positive; when added to, ShapeError when the shapes differ or images are
 * smaller than the window
 */
export function structuralSimilarity(range = 1): Metric<"ssim"> {
  positive("structuralSimilarity", range);
  return {
    name: "ssim",
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      const count = sameShape("structuralSimilarity", prediction, target);
      const [, channels = 0, height = 0, width = 0] = prediction.shape;
      if (prediction.rank !== 4 || height < WINDOW || width < WINDOW)
        throw new ShapeError(
          `structuralSimilarity: expected images [n, channels, height, width] of at least 11 × 11 pixels, got ${shapeText(prediction.shape)}`,
        );
      const [a, b] = [prediction.data, target.data];
      const size = height * width;
      for (let plane = 0; plane < count * channels; plane++) {
        const here = (data: typeof a): Float64Array => Float64Array.from(data.subarray(plane * size, (plane + 1) * size));
        sums[0]! += similarity(here(a), here(b), height, width, range) / channels;
      }
      sums[1]! += count;
    },
    value: ratio,
  };
}

/**
 * Mean over all windows of two planes. In double precision: a variance is a small difference of large means of squares.
 */
function similarity(a: Float64Array, b: Float64Array, height: number, width: number, range: number): number {
  const smooth = (pixel: (n: number) => number): Float64Array =>
    slide(
      slide(
        a.map((_, n) => pixel(n)),
        height,
        width,
      ),
      width - WINDOW + 1,
      height,
    );
  const [ma, mb] = [smooth((n) => a[n]!), smooth((n) => b[n]!)];
  const [squares, products] = [smooth((n) => a[n]! ** 2 + b[n]! ** 2), smooth((n) => a[n]! * b[n]!)];
  const [c1, c2] = [(0.01 * range) ** 2, (0.03 * range) ** 2];
  let sum = 0;
  for (let n = 0; n < ma.length; n++) {
    const [x, y] = [ma[n]!, mb[n]!];
    const [both, product] = [x * x + y * y, x * y];
    sum += ((2 * product + c1) * (2 * (products[n]! - product) + c2)) / ((both + c1) * (squares[n]! - both + c2));
  }
  return sum / ma.length;
}

/** Weighted means of 11 neighbours along each row of [rows, columns], transposed: [columns − 10, rows]. */
function slide(plane: Float64Array, rows: number, columns: number): Float64Array {
  const kept = columns - WINDOW + 1;
  const result = new Float64Array(kept * rows);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < kept; c++) {
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += bell[k]! * plane[r * columns + c + k]!;
      result[c * rows + r] = sum;
    }
  return result;
}

/** Of sum 1. */
function gaussian(deviation: number): Float64Array {
  const heights = Float64Array.from({ length: WINDOW }, (_, n) => Math.exp(-((n - (WINDOW - 1) / 2) ** 2) / (2 * deviation ** 2)));
  const total = heights.reduce((a, b) => a + b);
  return heights.map((height) => height / total);
}

function positive(name: string, range: number): void {
  if (!(range > 0 && range < Number.POSITIVE_INFINITY)) throw new InputError(`${name}: the range of values must be positive, got ${range}`);
}

/** How many samples there are. */
function sameShape(name: string, prediction: Tensor, target: Tensor): number {
  if (prediction.shape.join() !== target.shape.join())
    throw new ShapeError(
      `${name}: prediction ${shapeText(prediction.shape)} and target ${shapeText(target.shape)} must have the same shape`,
    );
  return prediction.shape[0] ?? 1;
}
