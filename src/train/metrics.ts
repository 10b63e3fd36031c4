// Metrics that add up over batches of any size: accuracy, errors of regression, and what a metric has to be.

import type { Tensor } from "../tensor/index.ts";
import { InputError, ShapeError } from "../util/errors.ts";

/**
 * A number computed from running sums, so that uneven batches weigh as many samples as they hold.
 * The sums are plain numbers: a checkpoint stores them and an interrupted epoch goes on with them.
 */
export interface Metric<Name extends string = string> {
  readonly name: Name;
  readonly better: "larger" | "smaller";
  /** How many running sums it keeps. */
  readonly sums: number;
  /** Adds one batch. prediction: what the model gave; target: what the data set holds. */
  add(sums: Float64Array, prediction: Tensor, target: Tensor): void;
  /** The metric over everything added; NaN when nothing was. */
  value(sums: Float64Array): number;
}

/** Share of samples whose largest logit (or probability) is that of the right class. prediction: [n, classes], target: [n] class indices or [n, classes]. */
export function accuracy(): Metric<"accuracy"> {
  return {
    name: "accuracy",
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      const found = predictedClasses(prediction);
      const wanted = targetClasses(target, prediction);
      for (let n = 0; n < found.length; n++) if (found[n] === wanted[n]) sums[0]! += 1;
      sums[1]! += found.length;
    },
    value: ratio,
  };
}

/** Share of elements on the right side of a threshold: 0 for logits (the default), 0.5 for probabilities. Targets are 0 and 1. */
export function binaryAccuracy(threshold = 0): Metric<"accuracy"> {
  return {
    name: "accuracy",
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      eachPair("binaryAccuracy", prediction, target, (value, wanted) => {
        if (Number(value > threshold) === Number(wanted > 0.5)) sums[0]! += 1;
        sums[1]! += 1;
      });
    },
    value: ratio,
  };
}

/** Mean of |prediction − target| over all elements. */
export function meanAbsoluteError(): Metric<"meanAbsoluteError"> {
  return {
    name: "meanAbsoluteError",
    better: "smaller",
    sums: 2,
    add(sums, prediction, target) {
      eachPair("meanAbsoluteError", prediction, target, (value, wanted) => {
        sums[0]! += Math.abs(value - wanted);
        sums[1]! += 1;
      });
    },
    value: ratio,
  };
}

/** Mean of (prediction − target)² over all elements. */
export function meanSquaredError(): Metric<"meanSquaredError"> {
  return {
    name: "meanSquaredError",
    better: "smaller",
    sums: 2,
    add(sums, prediction, target) {
      eachPair("meanSquaredError", prediction, target, (value, wanted) => {
        sums[0]! += (value - wanted) ** 2;
        sums[1]! += 1;
      });
    },
    value: ratio,
  };
}

/** Coefficient of determination: 1 is perfect, 0 no better than always answering the mean of the targets. */
export function rSquared(): Metric<"rSquared"> {
  return {
    name: "rSquared",
    better: "larger",
    sums: 4,
    add(sums, prediction, target) {
      eachPair("rSquared", prediction, target, (value, wanted) => {
        // Welford's update: the textbook formula Σt² − (Σt)²/n loses all digits when the mean is large beside the spread.
        sums[0]! += 1;
        const before = wanted - sums[1]!;
        sums[1]! += before / sums[0]!;
        sums[2]! += before * (wanted - sums[1]!);
        sums[3]! += (value - wanted) ** 2;
      });
    },
    value: (sums) => (sums[0] === 0 ? Number.NaN : 1 - sums[3]! / sums[2]!),
  };
}

/** The position of the largest of each row of [n, classes]. @throws ShapeError for another rank */
export function predictedClasses(prediction: Tensor): Int32Array {
  const [count, classes] = prediction.shape;
  if (prediction.rank !== 2 || count === undefined || classes === undefined || classes === 0)
    throw new ShapeError(`metrics: expected predictions of shape [samples, classes], got [${prediction.shape.join(", ")}]`, {
      hint: "end the model with a layer that gives one number per class",
    });
  const { data } = prediction;
  const found = new Int32Array(count);
  for (let n = 0; n < count; n++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (data[n * classes + c]! > data[n * classes + best]!) best = c;
    found[n] = best;
  }
  return found;
}

/** Class indices as they are, or the largest of each row of one-hot or probability targets. */
export function targetClasses(target: Tensor, prediction: Tensor): Int32Array {
  const [count, classes] = prediction.shape;
  if (target.rank === 1 && target.shape[0] === count) return Int32Array.from(target.data);
  if (target.rank === 2 && target.shape[0] === count && target.shape[1] === classes) return predictedClasses(target);
  throw new ShapeError(
    `metrics: expected targets of shape [${count}] (class indices) or [${count}, ${classes}], got [${target.shape.join(", ")}]`,
  );
}

function ratio(sums: Float64Array): number {
  return sums[1] === 0 ? Number.NaN : sums[0]! / sums[1]!;
}

function eachPair(name: string, prediction: Tensor, target: Tensor, visit: (value: number, wanted: number) => void): void {
  if (prediction.size !== target.size)
    throw new InputError(
      `${name}: expected as many targets as predictions, got shapes [${target.shape.join(", ")}] and [${prediction.shape.join(", ")}]`,
    );
  for (let n = 0; n < prediction.size; n++) visit(prediction.data[n]!, target.data[n]!);
}
