// Metrics of classification beyond accuracy: top-k, precision, recall, F1, intersection over union.

import { InputError, ShapeError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { CLASS_COUNT, type ClassCountOptions, classLayout, eachClass, startOf, targetClasses } from "./classes.ts";
import { eachPair, type Metric, ratio } from "./metrics.ts";

/**
 * Share of samples whose right class is among the k largest logits; of equal ones the earlier class comes first, and
 * NaN is never right. prediction: [n, classes] or [n, classes, …positions], target: class numbers of the other
 * dimensions, or one-hot of the same shape.
 * @throws InputError when k is not a whole number of at least 1; when added to, ShapeError when the shapes do not fit
 * and InputError for a class out of range
 */
export function topK<const K extends number>(k: K, options: ClassCountOptions = {}): Metric<`top${K}`> {
  checkOptions<ClassCountOptions>("topK", options, CLASS_COUNT);
  if (!Number.isInteger(k) || k < 1) throw new InputError(`topK: k must be a whole number of at least 1, got ${k}`);
  return {
    name: `top${k}`,
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      const wanted = targetClasses("topK", prediction, target, options);
      const layout = classLayout("topK", prediction);
      if (k > layout.classes) throw new InputError(`topK: k is ${k}, but there are ${layout.classes} classes`);
      const { data } = prediction;
      wanted.forEach((right, n) => {
        if (right === options.ignoreIndex) return;
        const start = startOf(n, layout);
        const own = data[start + right * layout.step]!;
        let before = 0;
        for (let c = 0; c < layout.classes; c++) {
          const other = data[start + c * layout.step]!;
          if (other > own || (other === own && c < right)) before++;
        }
        if (before < k && !Number.isNaN(own)) sums[0]! += 1;
        sums[1]! += 1;
      });
    },
    value: ratio,
  };
}

/** What a number of every class becomes one number by. */
export type Average = "macro" | "micro" | number;

/** How the classes make one number, and which samples count. */
export interface AverageOptions extends ClassCountOptions {
  /**
   * "macro": the mean over the classes that occur or were predicted (default); "micro": all samples together; a class
   * number: that class alone. The metric's name says which: precision, microPrecision, precision2.
   */
  readonly average?: Average;
  /**
   * For 2 classes: predictions are one number per sample, class 1 above this and class 0 otherwise. 0 for logits, 0.5
   * for probabilities. Default: one number per class, the largest counts.
   */
  readonly threshold?: number;
}

/** What a metric is called by its average: precision, microPrecision, precision2. */
export type AverageName<Name extends string, Options extends AverageOptions> = Options extends { readonly average: infer A extends Average }
  ? A extends number
    ? `${Name}${A}`
    : A extends "micro"
      ? `micro${Capitalize<Name>}`
      : Name
  : Name;

/**
 * Makes a metric for so many classes.
 * @throws InputError when the number of classes or an option is out of range; when added to, ShapeError when the shapes
 * do not fit and InputError for a class out of range
 */
export type AveragedMetric<Name extends string> = <const Options extends AverageOptions = Record<never, never>>(
  classes: number,
  options?: Options,
) => Metric<AverageName<Name, Options>>;

/**
 * Of the samples called a class, the share that are of it. prediction: [n, classes] or [n, classes, …positions],
 * target: class numbers of the other dimensions, or one-hot of the same shape.
 * @function
 */
export const precision: AveragedMetric<"precision"> = averaged("precision", (right, called) => right / called);

/** Of the samples of a class, the share that were called so. Takes what precision takes. @function */
export const recall: AveragedMetric<"recall"> = averaged("recall", (right, _called, real) => right / real);

/**
 * Harmonic mean of precision and recall, 2·right / (called + real): for pixels Dice's coefficient. Takes what precision
 * takes. van Rijsbergen 1979, Dice 1945.
 * @function
 */
export const f1Score: AveragedMetric<"f1"> = averaged("f1", (right, called, real) => (2 * right) / (called + real));

/**
 * Of what was called a class or is of it, the share that is both: right / (called + real − right). Takes what precision
 * takes. Jaccard 1912.
 * @function
 */
export const intersectionOverUnion: AveragedMetric<"iou"> = averaged("iou", (right, called, real) => right / (called + real - right));

/** Sums: right, called and real samples of every class. A share of nothing (0 / 0) counts as 0. */
function averaged<Name extends string>(name: Name, share: (right: number, called: number, real: number) => number): AveragedMetric<Name> {
  return <const Options extends AverageOptions>(classes: number, options?: Options) => {
    const { average = "macro", threshold } = checkOptions<AverageOptions>(name, options, {
      ...CLASS_COUNT,
      average: true,
      threshold: true,
    });
    checkAverage(name, classes, average, threshold);
    return {
      name: nameOf(name, average) as AverageName<Name, Options>,
      better: "larger",
      sums: 3 * classes,
      add(sums, prediction, target) {
        const count = (called: number, real: number): void => {
          if (called === real) sums[called]! += 1;
          // NaN is called nothing.
          if (called >= 0) sums[classes + called]! += 1;
          sums[2 * classes + real]! += 1;
        };
        if (threshold === undefined) {
          if (classLayout(name, prediction).classes !== classes)
            throw new ShapeError(`${name}: made for ${classes} classes, got predictions of shape ${shapeText(prediction.shape)}`);
          eachClass(name, prediction, target, options ?? {}, count);
        } else
          eachPair(name, prediction, target, (value, wanted) => {
            if (wanted === options?.ignoreIndex) return;
            if (wanted !== 0 && wanted !== 1) throw new InputError(`${name}: expected targets 0 and 1, got ${wanted}`);
            count(Number.isNaN(value) ? -1 : Number(value > threshold), wanted);
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
        if (average === "micro") return total(0) === 0 ? 0 : share(total(0), total(1), total(2));
        const seen = all.filter((c) => sums[classes + c]! + sums[2 * classes + c]! > 0);
        return seen.reduce((sum, c) => sum + of(c), 0) / seen.length;
      },
    };
  };
}

function nameOf(name: string, average: Average): string {
  if (average === "macro") return name;
  return average === "micro" ? `micro${name.charAt(0).toUpperCase()}${name.slice(1)}` : `${name}${average}`;
}

function checkAverage(name: string, classes: number, average: Average, threshold: number | undefined): void {
  if (!Number.isInteger(classes) || classes < 2) throw new InputError(`${name}: expected at least 2 classes, got ${classes}`);
  if (
    typeof average === "number" ? !(Number.isInteger(average) && average >= 0 && average < classes) : !["macro", "micro"].includes(average)
  )
    throw new InputError(`${name}: average must be "macro", "micro" or a class from 0 to ${classes - 1}, got ${average}`);
  if (threshold !== undefined && classes !== 2) throw new InputError(`${name}: a threshold tells 2 classes apart, not ${classes}`);
  if (Number.isNaN(threshold)) throw new InputError(`${name}: the threshold must be a number, got NaN`);
}
