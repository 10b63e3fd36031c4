// Metrics of classification beyond accuracy: top-k, precision, recall, F1, area under the ROC curve.

import { InputError, ShapeError } from "../util/errors.ts";
import { type Metric, predictedClasses, targetClasses } from "./metrics.ts";

/** Share of samples whose right class is among the k largest logits; of equal ones the earlier class comes first. prediction: [n, classes], target: [n] or [n, classes]. @throws InputError when k is not a whole number of at least 1 */
export function topK<const K extends number>(k: K): Metric<`top${K}`> {
  if (!Number.isInteger(k) || k < 1) throw new InputError(`topK: k must be a whole number of at least 1, got ${k}`);
  return {
    name: `top${k}`,
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      const wanted = targetClasses(target, prediction);
      const classes = prediction.shape[1] as number;
      wanted.forEach((right, n) => {
        const own = prediction.data[n * classes + right] as number;
        let before = 0;
        for (let c = 0; c < classes; c++) {
          const other = prediction.data[n * classes + c] as number;
          if (other > own || (other === own && c < right)) before++;
        }
        // A NaN is no prediction at all.
        if (before < k && !Number.isNaN(own)) sums[0]! += 1;
        sums[1]! += 1;
      });
    },
    value: (sums) => (sums[1] === 0 ? Number.NaN : sums[0]! / sums[1]!),
  };
}

/** How the classes make one number. */
export interface AverageOptions {
  /**
   * "macro": the mean over the classes that occur or were predicted (default); "micro": all samples together, which is the accuracy;
   * a class number: that class alone.
   */
  readonly average?: "macro" | "micro" | number;
}

/** Of the samples called a class, the share that are of it. prediction: [n, classes], target: [n] or [n, classes]. @throws InputError when the number of classes or an option is out of range */
export function precision(classes: number, options?: AverageOptions): Metric<"precision"> {
  return perClass("precision", classes, options, (right, called) => right / called);
}

/** Of the samples of a class, the share that were called so. @throws InputError when the number of classes or an option is out of range */
export function recall(classes: number, options?: AverageOptions): Metric<"recall"> {
  return perClass("recall", classes, options, (right, _called, real) => right / real);
}

/** Harmonic mean of precision and recall, 2·right / (called + real). van Rijsbergen 1979. @throws InputError when the number of classes or an option is out of range */
export function f1Score(classes: number, options?: AverageOptions): Metric<"f1"> {
  return perClass("f1", classes, options, (right, called, real) => (2 * right) / (called + real));
}

/** Sums: right, called and real samples of every class. A share of nothing (0 / 0) counts as 0, as elsewhere. */
function perClass<Name extends string>(
  name: Name,
  classes: number,
  { average = "macro" }: AverageOptions = {},
  share: (right: number, called: number, real: number) => number,
): Metric<Name> {
  if (!Number.isInteger(classes) || classes < 2) throw new InputError(`${name}: expected at least 2 classes, got ${classes}`);
  if (
    typeof average === "number" ? !(Number.isInteger(average) && average >= 0 && average < classes) : !["macro", "micro"].includes(average)
  )
    throw new InputError(`${name}: average must be "macro", "micro" or a class from 0 to ${classes - 1}, got ${average}`);
  return {
    name,
    better: "larger",
    sums: 3 * classes,
    add(sums, prediction, target) {
      if (prediction.shape[1] !== classes)
        throw new ShapeError(`${name}: made for ${classes} classes, got predictions of shape [${prediction.shape.join(", ")}]`);
      const found = predictedClasses(prediction);
      const wanted = targetClasses(target, prediction);
      found.forEach((called, n) => {
        const real = wanted[n] as number;
        if (called === real) sums[called]! += 1;
        sums[classes + called]! += 1;
        sums[2 * classes + real]! += 1;
      });
    },
    value(sums) {
      const of = (c: number): number => {
        const [right, called, real] = [sums[c]!, sums[classes + c]!, sums[2 * classes + c]!];
        return right === 0 ? 0 : share(right, called, real);
      };
      const all = Array.from({ length: classes }, (_, c) => c);
      const total = (part: number): number => all.reduce((sum, c) => sum + sums[part * classes + c]!, 0);
      if (total(2) === 0) return Number.NaN;
      if (typeof average === "number") return of(average);
      if (average === "micro") return share(total(0), total(1), total(2));
      const seen = all.filter((c) => sums[classes + c]! + sums[2 * classes + c]! > 0);
      return seen.reduce((sum, c) => sum + of(c), 0) / seen.length;
    },
  };
}

/** How predictions are read and sorted. */
export interface RocAucOptions {
  /** Into how many equal parts probabilities are sorted. Default 4096. */
  readonly bins?: number;
  /** What predictions are: "logits" (default), which sigmoid turns into probabilities, or "probabilities". */
  readonly from?: "logits" | "probabilities";
}

/**
 * Area under the ROC curve: the probability that a sample of target 1 has a larger prediction than one of target 0, ties counting half.
 * prediction and target: as many elements each, targets 0 and 1. Predictions are counted in bins, so that the sums are of fixed size; samples that
 * share a bin count as ties, and the result is off by at most half the share of such pairs. NaN unless both targets occur. Hanley & McNeil 1982.
 * @throws InputError when an option is out of range; when added to, for targets other than 0 and 1 and for NaN
 */
export function rocAuc({ bins = 4096, from = "logits" }: RocAucOptions = {}): Metric<"rocAuc"> {
  if (!Number.isInteger(bins) || bins < 2) throw new InputError(`rocAuc: bins must be a whole number of at least 2, got ${bins}`);
  return {
    name: "rocAuc",
    better: "larger",
    sums: 2 * bins,
    add(sums, prediction, target) {
      if (prediction.size !== target.size)
        throw new ShapeError(
          `rocAuc: expected as many targets as predictions, got [${target.shape.join(", ")}] and [${prediction.shape.join(", ")}]`,
        );
      for (let n = 0; n < prediction.size; n++) {
        const [value, wanted] = [prediction.data[n] as number, target.data[n] as number];
        if (wanted !== 0 && wanted !== 1) throw new InputError(`rocAuc: expected targets 0 and 1, got ${wanted} at position ${n}`);
        const probability = from === "logits" ? 1 / (1 + Math.exp(-value)) : value;
        if (!(probability >= 0 && probability <= 1))
          throw new InputError(
            `rocAuc: expected ${from === "logits" ? "numbers" : "probabilities from 0 to 1"}, got ${value} at position ${n}`,
          );
        sums[wanted * bins + Math.min(bins - 1, Math.floor(probability * bins))]! += 1;
      }
    },
    value(sums) {
      let [below, pairs, positives] = [0, 0, 0];
      for (let bin = 0; bin < bins; bin++) {
        const [negative, positive] = [sums[bin]!, sums[bins + bin]!];
        pairs += positive * (below + negative / 2);
        below += negative;
        positives += positive;
      }
      return below * positives === 0 ? Number.NaN : pairs / (below * positives);
    },
  };
}
