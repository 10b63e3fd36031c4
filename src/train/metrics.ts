// The interface of metrics, and basic ones: accuracy and errors of regression, for batches of any size.

import { areClassNumbers } from "../nn/losses/reduction.ts";
import type { Tensor } from "../tensor/index.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import type { Better } from "../util/rank.ts";
import { shapeText } from "../util/shape-text.ts";
import { CLASS_COUNT, type ClassCountOptions, eachClass } from "./classes.ts";

/**
 * A number computed from running sums, so that uneven batches weigh as many samples as they hold.
 * The sums are plain numbers: a checkpoint stores them and an interrupted epoch continues with them.
 */
export interface Metric<Name extends string = string> {
  readonly name: Name;
  readonly better: Better;
  /** How many running sums it keeps. */
  readonly sums: number;
  /** Adds one batch. prediction: what the model gave; target: what the data set holds. */
  add(sums: Float64Array, prediction: Tensor, target: Tensor): void;
  /** The metric over everything added; NaN when nothing was. */
  value(sums: Float64Array): number;
}

/**
 * Share of samples whose largest logit (or probability) is that of the right class; NaN is never right. prediction: [n,
 * classes] or [n, classes, …positions], target: class numbers of the other dimensions, or one-hot of the same shape.
 * @throws when added to: ShapeError when the shapes do not fit, InputError for a class out of range
 */
export function accuracy(options: ClassCountOptions = {}): Metric<"accuracy"> {
  checkOptions<ClassCountOptions>("accuracy", options, CLASS_COUNT);
  return {
    name: "accuracy",
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      eachClass("accuracy", prediction, target, options, (found, wanted) => {
        if (found === wanted) sums[0]! += 1;
        sums[1]! += 1;
      });
    },
    value: ratio,
  };
}

/**
 * Share of elements on the right side of a threshold: 0 for logits (the default), 0.5 for probabilities; NaN is on
 * neither. Targets are 0 and 1, or between, on the side of 0.5 that they are nearer to.
 */
export function binaryAccuracy(threshold = 0): Metric<"accuracy"> {
  if (typeof threshold !== "number" || Number.isNaN(threshold))
    throw new InputError(`binaryAccuracy: the threshold must be a number, got ${String(threshold)}`);
  return {
    name: "accuracy",
    better: "larger",
    sums: 2,
    add(sums, prediction, target) {
      eachPair("binaryAccuracy", prediction, target, (value, wanted) => {
        if (!(wanted >= 0 && wanted <= 1))
          throw new InputError(`binaryAccuracy: expected targets from 0 to 1, got ${wanted}`, {
            hint: "accuracy() for the numbers of more classes",
          });
        if (value > threshold === wanted > 0.5 && !Number.isNaN(value)) sums[0]! += 1;
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

/**
 * Coefficient of determination over all elements, at most 1: 1 is perfect, 0 no better than always answering the mean
 * of the targets. Where all targets are equal it is NaN for a perfect prediction, else −∞.
 */
export function rSquared(): Metric<"rSquared"> {
  return {
    name: "rSquared",
    better: "larger",
    sums: 4,
    add(sums, prediction, target) {
      eachPair("rSquared", prediction, target, (value, wanted) => {
        // Welford's update: the textbook formula Σt² − (Σt)²/n loses all digits when the mean is large beside the
        // spread.
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

/** The first sum over the second. */
export function ratio(sums: Float64Array): number {
  return sums[1] === 0 ? Number.NaN : sums[0]! / sums[1]!;
}

/** @throws ShapeError unless both have one shape, but for dimensions of extent 1 */
export function eachPair(name: string, prediction: Tensor, target: Tensor, visit: (value: number, wanted: number) => void): void {
  const [x, t] = [prediction.shape, target.shape];
  const wide = (shape: readonly number[]): string => shape.filter((extent) => extent !== 1).join();
  if (wide(x) !== wide(t))
    throw new ShapeError(
      `${name}: expected a target for every prediction, got shapes ${shapeText(t)} and ${shapeText(x)}`,
      areClassNumbers(target, prediction) ? { hint: "accuracy(), if the targets are class numbers" } : {},
    );
  const [values, wanted] = [prediction.data, target.data];
  for (let n = 0; n < values.length; n++) visit(values[n]!, wanted[n]!);
}
