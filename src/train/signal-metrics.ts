// Metrics of language and images: perplexity, peak signal-to-noise ratio, structural similarity.

import { crossEntropy } from "../nn/index.ts";
import { conv, noGrad, type Tensor, tensor } from "../tensor/index.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import type { Metric } from "./metrics.ts";

/** e to the mean cross entropy per position. prediction: logits [n, classes] or [n, classes, …positions], target: class numbers of the other dimensions. @throws what crossEntropy throws */
export function perplexity(options: { readonly ignoreIndex?: number } = {}): Metric<"perplexity"> {
  const { ignoreIndex } = options;
  return {
    name: "perplexity",
    better: "smaller",
    sums: 2,
    add(sums, prediction, target) {
      sums[0]! += noGrad(() => crossEntropy(prediction, target, { ...options, reduction: "sum" })).item();
      for (const label of target.data) if (label !== ignoreIndex) sums[1]! += 1;
    },
    value: (sums) => (sums[1] === 0 ? Number.NaN : Math.exp(sums[0]! / sums[1]!)),
  };
}

/** 10 · log₁₀(range² / mean squared error) of each image, in dB, averaged over the images. prediction and target: [n, …] of one shape; equal images give infinity. @throws ShapeError when the shapes differ; InputError when the range is not positive */
export function peakSignalToNoise(range = 1): Metric<"psnr"> {
  positive("peakSignalToNoise", range);
  return {
    name: "psnr",
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      const count = sameShape("peakSignalToNoise", prediction, target);
      const size = prediction.size / count;
      for (let n = 0; n < count; n++) {
        let error = 0;
        for (let at = n * size; at < (n + 1) * size; at++) error += ((prediction.data[at] as number) - (target.data[at] as number)) ** 2;
        sums[0]! += 10 * Math.log10((range * range * size) / error);
        sums[1]! += 1;
      }
    },
    value: (sums) => (sums[1] === 0 ? Number.NaN : sums[0]! / sums[1]!),
  };
}

const WINDOW = 11;

/**
 * Structural similarity of images, averaged over them: means, variances and covariance under an 11 × 11 Gaussian window (deviation 1.5), only
 * where the window lies inside. prediction and target: [n, channels, height, width] of one shape. 1 for equal images. Wang et al. 2004.
 * @throws ShapeError when the shapes differ or images are smaller than the window; InputError when the range is not positive
 */
export function structuralSimilarity(range = 1): Metric<"ssim"> {
  positive("structuralSimilarity", range);
  const bell = Array.from({ length: WINDOW }, (_, n) => Math.exp(-((n - 5) ** 2) / (2 * 1.5 ** 2)));
  const total = bell.reduce((a, b) => a + b);
  const window = tensor(
    Float32Array.from(
      { length: WINDOW ** 2 },
      (_, n) => ((bell[Math.floor(n / WINDOW)] as number) * (bell[n % WINDOW] as number)) / total ** 2,
    ),
    [1, 1, WINDOW, WINDOW],
  );
  const [c1, c2] = [(0.01 * range) ** 2, (0.03 * range) ** 2];
  return {
    name: "ssim",
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      const count = sameShape("structuralSimilarity", prediction, target);
      const [, channels = 0, height = 0, width = 0] = prediction.shape;
      if (prediction.rank !== 4 || height < WINDOW || width < WINDOW)
        throw new ShapeError(
          `structuralSimilarity: expected images [n, channels, height, width] of at least 11 × 11 pixels, got [${prediction.shape.join(", ")}]`,
        );
      const similarity = noGrad(() => {
        const smooth = (x: Tensor): Tensor => conv(x.reshape([count * channels, 1, height, width]), window);
        const [a, b] = [smooth(prediction), smooth(target)];
        const [aa, bb, ab] = [a.square(), b.square(), a.mul(b)];
        const [va, vb] = [smooth(prediction.square()).sub(aa), smooth(target.square()).sub(bb)];
        const covariance = smooth(prediction.mul(target)).sub(ab);
        const upper = ab.mul(2).add(c1).mul(covariance.mul(2).add(c2));
        return upper.div(aa.add(bb).add(c1).mul(va.add(vb).add(c2))).mean();
      });
      sums[0]! += similarity.item() * count;
      sums[1]! += count;
    },
    value: (sums) => (sums[1] === 0 ? Number.NaN : sums[0]! / sums[1]!),
  };
}

function positive(name: string, range: number): void {
  if (!(range > 0 && range < Number.POSITIVE_INFINITY)) throw new InputError(`${name}: the range of values must be positive, got ${range}`);
}

/** How many samples there are. */
function sameShape(name: string, prediction: Tensor, target: Tensor): number {
  if (prediction.shape.join() !== target.shape.join())
    throw new ShapeError(
      `${name}: prediction [${prediction.shape.join(", ")}] and target [${target.shape.join(", ")}] must have the same shape`,
    );
  return prediction.shape[0] ?? 1;
}
