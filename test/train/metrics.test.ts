// Metrics over uneven batches against formulas over all samples at once.

import { describe, expect, it } from "vitest";
import { Dataset } from "../../src/data/index.ts";
import { full, logSoftmax, manualSeed, type Tensor, tensor, uniform, zeros } from "../../src/index.ts";
import { crossEntropy as crossEntropyLoss, linear } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import {
  accuracy,
  binaryAccuracy,
  ConfusionMatrix,
  crossEntropy,
  f1Score,
  fit,
  intersectionOverUnion,
  type Metric,
  meanAbsoluteError,
  meanSquaredError,
  peakSignalToNoise,
  perplexity,
  precision,
  predictedClasses,
  recall,
  rocAuc,
  rSquared,
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
  return { precision: right / found, recall: right / real, f1: (2 * right) / (found + real), iou: right / (found + real - right) };
});
const mean = (name: "precision" | "recall" | "f1" | "iou"): number => stats.reduce((sum, item) => sum + item[name], 0) / 4;

describe("classes", () => {
  it("precision, recall and F1: macro, micro, of one class", () => {
    expect(measure(precision(4), logits, labels, sizes)).toBeCloseTo(mean("precision"), 10);
    expect(measure(recall(4), logits, labels, sizes)).toBeCloseTo(mean("recall"), 10);
    expect(measure(f1Score(4), logits, labels, sizes)).toBeCloseTo(mean("f1"), 10);
    expect(measure(intersectionOverUnion(4), logits, labels, sizes)).toBeCloseTo(mean("iou"), 10);
    const share = count((f, r) => f === r) / 30;
    for (const metric of [precision, recall, f1Score])
      expect(measure(metric(4, { average: "micro" }), logits, labels, sizes)).toBeCloseTo(share, 10);
    expect(measure(intersectionOverUnion(4, { average: "micro" }), logits, labels, sizes)).toBeCloseTo(share / (2 - share), 10);
    expect(measure(accuracy(), logits, labels, sizes)).toBeCloseTo(share, 10);
    expect(measure(recall(4, { average: 2 }), logits, labels, sizes)).toBeCloseTo(stats[2]?.recall as number, 10);
  });

  it("have names of their own for each average", () => {
    const names = [precision(4), recall(4, { average: "micro" }), f1Score(4, { average: 2 }), intersectionOverUnion(4, { average: 0 })];
    expect(names.map(({ name }) => name)).toEqual(["precision", "microRecall", "f12", "iou0"]);
  });

  it("of every position: [n, classes, height, width] is [n · height · width, classes]; ignored positions do not count", () => {
    manualSeed(6);
    const x = uniform([3, 4, 2, 5]);
    const rows = x.transpose([0, 2, 3, 1]).reshape([30, 4]);
    const truth = labels.reshape([3, 2, 5]);
    const kept = [...labels.data].flatMap((label, n) => (label === 1 ? [] : [n]));
    const some = (t: Tensor): Tensor => t.take(tensor(Int32Array.from(kept), [kept.length]));
    const makers: readonly ((options?: { readonly ignoreIndex?: number }) => Metric)[] = [
      accuracy,
      (options) => topK(2, options),
      (options) => precision(4, options),
      (options) => recall(4, options),
      (options) => f1Score(4, options),
      (options) => intersectionOverUnion(4, options),
      crossEntropy,
      perplexity,
    ];
    for (const make of makers) {
      expect(measure(make(), x, truth, [1, 2])).toBeCloseTo(measure(make(), rows, labels, [30]), 5);
      expect(measure(make({ ignoreIndex: 1 }), x, truth, [2, 1])).toBeCloseTo(measure(make(), some(rows), some(labels), [kept.length]), 5);
      expect(measure(make({ ignoreIndex: 7 }), x, full([3, 2, 5], 7), [3])).toBeNaN();
    }
    const matrix = new ConfusionMatrix(["a", "b", "c", "d"]);
    matrix.add(x, truth, { ignoreIndex: 1 });
    expect(matrix.total).toBe(kept.length);
    expect(matrix.counts[1]).toEqual([0, 0, 0, 0]);
  });

  it("of one number per sample, by a threshold", () => {
    const [x, t] = [tensor([[2], [-1], [0.5], [-3], [Number.NaN]]), tensor([1, 1, 0, 0, 1])];
    for (const [metric, expected] of [
      [precision(2, { average: 1, threshold: 0 }), 1 / 2],
      [recall(2, { average: 1, threshold: 0 }), 1 / 3],
      [f1Score(2, { average: 1, threshold: 0 }), 2 / 5],
      [intersectionOverUnion(2, { average: 1, threshold: 0 }), 1 / 4],
      [recall(2, { average: 0, threshold: 1 }), 1],
    ] as const)
      expect(measure(metric, x, t, [2, 3])).toBeCloseTo(expected, 10);
    expect(() => measure(precision(2, { threshold: 0 }), x, tensor([1, 1, 0, 0, 2]), [5])).toThrow("expected targets 0 and 1, got 2");
  });

  it("count NaN as wrong and predict no class from it", () => {
    const bad = tensor([
      [Number.NaN, 0],
      [1, 0],
      [0, Number.NaN],
    ]);
    expect([...predictedClasses(bad)]).toEqual([-1, 0, -1]);
    expect(measure(accuracy(), bad, tensor([0, 0, 0]), [3])).toBeCloseTo(1 / 3, 10);
    expect(measure(recall(2, { average: 0 }), bad, tensor([0, 0, 0]), [3])).toBeCloseTo(1 / 3, 10);
    expect(measure(precision(2, { average: 0 }), bad, tensor([0, 0, 0]), [3])).toBe(1);
    expect(measure(binaryAccuracy(), tensor([Number.NaN, -1]), tensor([0, 0]), [2])).toBe(0.5);
    expect(() => new ConfusionMatrix(["a", "b"]).add(bad, tensor([0, 0, 0]))).toThrow("a prediction is NaN, which is no class");
  });

  it.each<[string, Tensor, Tensor, string]>([
    ["a class too large", zeros([2, 3]), tensor([0, 3]), "class 3 at position 1 is out of range: expected 0 to 2"],
    ["a negative class", zeros([2, 3]), tensor([-1, 0]), "class -1 at position 0 is out of range"],
    ["a class between two", zeros([2, 3]), tensor([0, 0.5]), "class 0.5 at position 1 is out of range"],
    ["NaN as a class", zeros([1, 3]), tensor([Number.NaN]), "class NaN at position 0 is out of range"],
    ["targets of another shape", zeros([2, 3]), zeros([2, 1]), "expected targets of shape [2] (class numbers) or [2, 3], got [2, 1]"],
  ])("refuse %s, and count nothing of it", (_what, x, t, message) => {
    for (const metric of [accuracy(), topK(1), precision(3), recall(3), f1Score(3), intersectionOverUnion(3)]) {
      const sums = new Float64Array(metric.sums);
      expect(() => metric.add(sums, x, t)).toThrow(message);
      expect(sums.every((sum) => sum === 0)).toBe(true);
    }
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
    const images = zeros([0, 1, 11, 11]);
    const nothing: readonly [Metric, Tensor, Tensor][] = [
      ...[accuracy(), precision(3), intersectionOverUnion(3), topK(1), perplexity(), crossEntropy()].map(
        (metric): [Metric, Tensor, Tensor] => [metric, zeros([0, 3]), zeros([0])],
      ),
      ...[rocAuc(), binaryAccuracy(), meanSquaredError(), meanAbsoluteError(), rSquared(), peakSignalToNoise(), structuralSimilarity()].map(
        (metric): [Metric, Tensor, Tensor] => [metric, images, images],
      ),
    ];
    for (const [metric, x, t] of nothing) {
      const sums = new Float64Array(metric.sums);
      expect(metric.value(sums)).toBeNaN();
      metric.add(sums, x, t);
      expect(sums.every((sum) => sum === 0)).toBe(true);
    }
    expect(() => precision(1)).toThrow("precision: expected at least 2 classes, got 1");
    expect(() => recall(3, { average: 3 })).toThrow('average must be "macro", "micro" or a class from 0 to 2, got 3');
    expect(() => measure(precision(3), logits, labels, [30])).toThrow("made for 3 classes, got predictions of shape [30, 4]");
    expect(() => f1Score(3, { threshold: 0 })).toThrow("a threshold tells 2 classes apart, not 3");
    expect(() => measure(accuracy({ ignoreIndex: 1 }), zeros([2, 3]), zeros([2, 3]), [2])).toThrow("ignoreIndex needs class numbers");
    expect(() => topK(0)).toThrow("k must be a whole number of at least 1, got 0");
    expect(() => measure(rocAuc(), tensor([1]), tensor([2]), [1])).toThrow("expected targets 0 and 1, got 2 at position 0");
    expect(() => measure(rocAuc({ from: "probabilities" }), tensor([1.5]), tensor([1]), [1])).toThrow("got 1.5 at position 0");
    expect(() => peakSignalToNoise(0)).toThrow("the range of values must be positive, got 0");
  });
});

describe("numbers", () => {
  it("mean squared error, mean absolute error and R², also where the spread is small beside the mean", () => {
    manualSeed(7);
    for (const shift of [0, 1000]) {
      const [x, t] = [uniform([30, 2]).add(shift), uniform([30, 2]).add(shift)];
      const pairs = Array.from(x.data, (value, n): [number, number] => [value, t.data[n] as number]);
      const average = (of: (pair: [number, number]) => number): number => pairs.reduce((sum, pair) => sum + of(pair), 0) / pairs.length;
      const squared = average(([a, b]) => (a - b) ** 2);
      const middle = average(([, b]) => b);
      expect(measure(meanSquaredError(), x, t, sizes)).toBeCloseTo(squared, 10);
      expect(measure(meanAbsoluteError(), x, t, sizes)).toBeCloseTo(
        average(([a, b]) => Math.abs(a - b)),
        10,
      );
      expect(measure(rSquared(), x, t, sizes)).toBeCloseTo(1 - squared / average(([, b]) => (b - middle) ** 2), 8);
    }
  });

  it("R² of equal targets", () => {
    expect(measure(rSquared(), tensor([1, 2]), tensor([1, 1]), [2])).toBe(Number.NEGATIVE_INFINITY);
    expect(measure(rSquared(), tensor([1, 1]), tensor([1, 1]), [1, 1])).toBeNaN();
  });

  it("pass NaN on", () => {
    const [bad, fine] = [full([1, 1, 11, 11], Number.NaN), zeros([1, 1, 11, 11])];
    for (const metric of [meanSquaredError(), meanAbsoluteError(), rSquared(), peakSignalToNoise(), structuralSimilarity()])
      expect(measure(metric, bad, fine, [1])).toBeNaN();
    for (const metric of [crossEntropy(), perplexity()]) expect(measure(metric, full([1, 3], Number.NaN), tensor([0]), [1])).toBeNaN();
    expect(() => measure(rocAuc(), tensor([Number.NaN]), tensor([1]), [1])).toThrow("expected numbers, got NaN at position 0");
  });
});

describe("language and images", () => {
  it("cross entropy over all samples, not a mean of means; of probabilities too", () => {
    const picked = Array.from(logSoftmax(logits).data).filter((_, at) => at % 4 === labels.data[Math.floor(at / 4)]);
    const expected = -picked.reduce((a, b) => a + b) / 30;
    expect(measure(crossEntropy(), logits, labels, sizes)).toBeCloseTo(expected, 5);
    expect(measure(perplexity(), logits, labels, sizes)).toBeCloseTo(Math.exp(expected), 4);
    const hot = tensor(
      Float32Array.from({ length: 120 }, (_, at) => Number(at % 4 === labels.data[Math.floor(at / 4)])),
      [30, 4],
    );
    expect(measure(crossEntropy(), logits, hot, sizes)).toBeCloseTo(expected, 5);
    expect(measure(perplexity(), logits, hot, sizes)).toBeCloseTo(Math.exp(expected), 4);
  });

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
    expect(measure(structuralSimilarity(), x, y, [1, 1])).toBeCloseTo(sum / windows, 10);
    expect(measure(structuralSimilarity(), x, x, [2])).toBeCloseTo(1, 10);
    // Of flat images the variances are 0, not a rounding of large squares.
    expect(measure(structuralSimilarity(), full([1, 1, 11, 11], 3.3), full([1, 1, 11, 11], 3.3), [1])).toBeCloseTo(1, 10);
    const bytes = full([1, 3, 11, 12], 200, { dtype: "uint8" });
    expect(measure(structuralSimilarity(255), bytes, bytes, [1])).toBeCloseTo(1, 10);
    expect(() => measure(structuralSimilarity(), tensor([[[[1]]]]), tensor([[[[1]]]]), [1])).toThrow(
      "at least 11 × 11 pixels, got [1, 1, 1, 1]",
    );
  });
});

describe("in fit", () => {
  it("every metric of classes at once, the same over the last weights as by hand", async () => {
    manualSeed(8);
    const metrics = [
      accuracy(),
      topK(2),
      precision(4),
      precision(4, { average: 0 }),
      recall(4, { average: "micro" }),
      f1Score(4),
      intersectionOverUnion(4),
      crossEntropy(),
      perplexity(),
    ] as const;
    const data = new Dataset({ x: logits, y: labels });
    const net = linear(4, 4);
    const result = await fit(net, data, {
      loss: crossEntropyLoss,
      optimizer: sgd(net.parameters(), { learningRate: 0.1 }),
      epochs: 2,
      batchSize: 7,
      validation: data,
      metrics,
    });
    const scores = result.history[1]?.validation;
    expect(scores).toBeDefined();
    if (scores === undefined) return;
    // Names are known to the compiler.
    const all: readonly number[] = [scores.precision0, scores.microRecall, scores.top2, scores.iou];
    expect(all.every(Number.isFinite)).toBe(true);
    for (const metric of metrics) expect(scores[metric.name]).toBeCloseTo(measure(metric, net(logits), labels, sizes), 5);
    expect(scores.crossEntropy).toBeCloseTo(scores.loss, 5);
  });
});
