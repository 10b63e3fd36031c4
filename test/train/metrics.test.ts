// Metrics over uneven batches against formulas over all samples at once.

import { describe, expect, it } from "vitest";
import { manualSeed, type Tensor, tensor, uniform } from "../../src/index.ts";
import {
  f1Score,
  type Metric,
  peakSignalToNoise,
  perplexity,
  precision,
  recall,
  rocAuc,
  structuralSimilarity,
  topK,
} from "../../src/train/index.ts";

/** The metric after batches of the given sizes. */
function measure(metric: Metric, prediction: Tensor, target: Tensor, sizes: readonly number[]): number {
  const sums = new Float64Array(metric.sums);
  let start = 0;
  for (const size of sizes) {
    metric.add(sums, prediction.slice([start, start + size]), target.slice([start, start + size]));
    start += size;
  }
  return metric.value(sums);
}

manualSeed(3);
const logits = uniform([30, 4], -2, 2);
const labels = tensor(
  Int32Array.from({ length: 30 }, (_, n) => (n * 7 + (n % 3)) % 4),
  [30],
);
const called = Array.from({ length: 30 }, (_, n) => {
  const row = [...logits.data.slice(4 * n, 4 * n + 4)];
  return row.indexOf(Math.max(...row));
});
const sizes = [11, 1, 16, 2];
const count = (test: (found: number, real: number) => boolean): number =>
  called.filter((found, n) => test(found, labels.data[n] as number)).length;
const stats = [0, 1, 2, 3].map((c) => {
  const [right, found, real] = [count((f, r) => f === c && r === c), count((f) => f === c), count((_, r) => r === c)];
  return { precision: right / found, recall: right / real, f1: (2 * right) / (found + real) };
});
const mean = (name: "precision" | "recall" | "f1"): number => stats.reduce((sum, item) => sum + item[name], 0) / 4;

describe("classes", () => {
  it("precision, recall and F1: macro, micro, of one class", () => {
    expect(measure(precision(4), logits, labels, sizes)).toBeCloseTo(mean("precision"), 10);
    expect(measure(recall(4), logits, labels, sizes)).toBeCloseTo(mean("recall"), 10);
    expect(measure(f1Score(4), logits, labels, sizes)).toBeCloseTo(mean("f1"), 10);
    const accuracy = count((f, r) => f === r) / 30;
    for (const metric of [precision, recall, f1Score])
      expect(measure(metric(4, { average: "micro" }), logits, labels, sizes)).toBeCloseTo(accuracy, 10);
    expect(measure(recall(4, { average: 2 }), logits, labels, sizes)).toBeCloseTo(stats[2]?.recall as number, 10);
  });

  it("leave out classes that neither occur nor are predicted, and count 0 of something as 0", () => {
    const prediction = tensor([
      [1, 0, 0],
      [1, 0, 0],
    ]);
    expect(measure(f1Score(3), prediction, tensor([0, 1]), [2])).toBeCloseTo((2 / 3 + 0) / 2, 10);
    expect(measure(precision(3), prediction, tensor([0, 0]), [1, 1])).toBe(1);
  });

  it("top k, with ties to the earlier class and nothing for NaN", () => {
    const among = (k: number): number =>
      Array.from({ length: 30 }, (_, n) => {
        const row = [...logits.data.slice(4 * n, 4 * n + 4)];
        const own = row[labels.data[n] as number] as number;
        return Number(row.filter((value) => value > own).length < k);
      }).reduce((a, b) => a + b) / 30;
    for (const k of [1, 2, 3]) expect(measure(topK(k), logits, labels, sizes)).toBeCloseTo(among(k), 10);
    expect(topK(5).name).toBe("top5");
    expect(
      measure(
        topK(1),
        tensor([
          [1, 1],
          [1, 1],
          [Number.NaN, 1],
        ]),
        tensor([0, 1, 0]),
        [3],
      ),
    ).toBeCloseTo(1 / 3, 10);
  });

  it("area under the ROC curve: every pair, ties half", () => {
    const scores = tensor([-1, 0.5, 0.5, 2, -3, 0.5]);
    const truth = tensor([0, 1, 0, 1, 0, 0]);
    // Pairs of the two positives with four negatives: 0.5 wins 2 and ties 2, 2 wins 4.
    expect(measure(rocAuc(), scores, truth, [2, 1, 3])).toBeCloseTo((3 + 4) / 8, 10);
    manualSeed(4);
    const many = uniform([400], 0, 1);
    const real = tensor(
      Int32Array.from(many.data, (value, n) => Number(value + ((n * 37) % 100) / 100 > 1)),
      [400],
    );
    let [wins, pairs] = [0, 0];
    many.data.forEach((a: number, n: number) =>
      many.data.forEach((b: number, m: number) => {
        if (real.data[n] !== 1 || real.data[m] !== 0) return;
        pairs++;
        wins += a > b ? 1 : a === b ? 0.5 : 0;
      }),
    );
    expect(measure(rocAuc({ from: "probabilities", bins: 2 ** 16 }), many, real, [1, 300, 99])).toBeCloseTo(wins / pairs, 3);
    expect(measure(rocAuc(), scores, tensor([1, 1, 1, 1, 1, 1]), [6])).toBeNaN();
  });

  it("are NaN of nothing, and refuse what makes no sense", () => {
    for (const metric of [precision(3), topK(1), rocAuc(), perplexity(), peakSignalToNoise(), structuralSimilarity()])
      expect(metric.value(new Float64Array(metric.sums))).toBeNaN();
    expect(() => precision(1)).toThrow("precision: expected at least 2 classes, got 1");
    expect(() => recall(3, { average: 3 })).toThrow('average must be "macro", "micro" or a class from 0 to 2, got 3');
    expect(() => measure(precision(3), logits, labels, [30])).toThrow("made for 3 classes, got predictions of shape [30, 4]");
    expect(() => topK(0)).toThrow("k must be a whole number of at least 1, got 0");
    expect(() => measure(rocAuc(), tensor([1]), tensor([2]), [1])).toThrow("expected targets 0 and 1, got 2 at position 0");
    expect(() => measure(rocAuc({ from: "probabilities" }), tensor([1.5]), tensor([1]), [1])).toThrow("got 1.5 at position 0");
    expect(() => peakSignalToNoise(0)).toThrow("the range of values must be positive, got 0");
  });
});

describe("language and images", () => {
  it("perplexity of equal logits is the number of classes; ignored positions do not count", () => {
    const even = tensor(new Float32Array(24), [6, 4]);
    const wanted = tensor([0, 1, 2, 3, 0, 1]);
    expect(measure(perplexity(), even, wanted, [1, 5])).toBeCloseTo(4, 5);
    const half = tensor([
      [10, 0],
      [0, 0],
      [0, 0],
    ]);
    expect(measure(perplexity({ ignoreIndex: 1 }), half, tensor([1, 0, 0]), [1, 2])).toBeCloseTo(2, 5);
  });

  it("peak signal-to-noise ratio image by image", () => {
    const [a, b] = [
      tensor([
        [0, 0],
        [1, 1],
        [0.5, 0.5],
      ]),
      tensor([
        [0.1, 0.1],
        [1, 0.8],
        [0.5, 0],
      ]),
    ];
    const expected = [0.01, 0.02, 0.125].map((error) => 10 * Math.log10(1 / error)).reduce((x, y) => x + y) / 3;
    expect(measure(peakSignalToNoise(), a, b, [2, 1])).toBeCloseTo(expected, 4);
    expect(measure(peakSignalToNoise(), a, a, [3])).toBe(Number.POSITIVE_INFINITY);
  });

  it("structural similarity by its definition, window by window", () => {
    manualSeed(5);
    const [x, y] = [uniform([2, 1, 12, 13]), uniform([2, 1, 12, 13])];
    const bell = Array.from({ length: 11 }, (_, n) => Math.exp(-((n - 5) ** 2) / 4.5));
    const total = bell.reduce((p, q) => p + q);
    let [sum, windows] = [0, 0];
    for (let n = 0; n < 2; n++)
      for (let top = 0; top < 2; top++)
        for (let left = 0; left < 3; left++) {
          let [mx, my, xx, yy, xy] = [0, 0, 0, 0, 0];
          for (let i = 0; i < 11; i++)
            for (let j = 0; j < 11; j++) {
              const weight = ((bell[i] as number) * (bell[j] as number)) / total ** 2;
              const at = (n * 12 + top + i) * 13 + left + j;
              const [p, q] = [x.data[at] as number, y.data[at] as number];
              mx += weight * p;
              my += weight * q;
              xx += weight * p * p;
              yy += weight * q * q;
              xy += weight * p * q;
            }
          const [c1, c2] = [1e-4, 9e-4];
          sum += ((2 * mx * my + c1) * (2 * (xy - mx * my) + c2)) / ((mx * mx + my * my + c1) * (xx - mx * mx + yy - my * my + c2));
          windows++;
        }
    expect(measure(structuralSimilarity(), x, y, [1, 1])).toBeCloseTo(sum / windows, 4);
    expect(measure(structuralSimilarity(), x, x, [2])).toBeCloseTo(1, 5);
    expect(() => measure(structuralSimilarity(), tensor([[[[1]]]]), tensor([[[[1]]]]), [1])).toThrow(
      "at least 11 × 11 pixels, got [1, 1, 1, 1]",
    );
  });
});
