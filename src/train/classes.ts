// Classes of predictions and targets, sample by sample, for metrics.

import { checkClassCount, withoutClasses } from "../nn/losses/reduction.ts";
import type { Tensor } from "../tensor/index.ts";
import { valueOf } from "../tensor/tensor.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import type { OptionNames } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";

/** Which targets count. */
export interface ClassCountOptions {
  /** Samples of this class number do not count; targets are then class numbers. Default: none. */
  readonly ignoreIndex?: number;
}

const OF_ONE = "{ threshold: 0 } for one output that tells two classes apart, 0.5 for probabilities";

/** For one output that separates two classes. */
const INSTEAD: Readonly<Record<string, string>> = {
  accuracy: "binaryAccuracy() for one output that tells two classes apart",
  precision: OF_ONE,
  recall: OF_ONE,
  f1: OF_ONE,
  iou: OF_ONE,
};

export const CLASS_COUNT: OptionNames<ClassCountOptions> = { ignoreIndex: true };

/** How the numbers of a prediction [n, classes, …positions] lie. */
export interface ClassLayout {
  /** n · positions. */
  readonly samples: number;
  readonly classes: number;
  /** Numbers between one class and the next. */
  readonly step: number;
}

/** @throws ShapeError unless the shape is [n, classes] or [n, classes, …positions] */
export function classLayout(name: string, { shape }: Tensor): ClassLayout {
  const [count, classes, ...positions] = shape;
  checkClassCount(name, shape, INSTEAD[name] ?? "a last layer with one output for each class");
  if (count === undefined || classes === undefined || classes === 0)
    throw new ShapeError(`${name}: expected predictions of shape [samples, classes] or [samples, classes, …], got ${shapeText(shape)}`, {
      hint: "end the model with a layer that gives one number per class",
    });
  const step = positions.reduce((product, extent) => product * extent, 1);
  return { samples: count * step, classes, step };
}

/** Where the number of class 0 of a sample lies. */
export function startOf(sample: number, { classes, step }: ClassLayout): number {
  return Math.floor(sample / step) * classes * step + (sample % step);
}

/**
 * The class with the largest number for each sample (the first of equal ones), −1 where one of the numbers is NaN.
 * @param prediction [n, classes], or [n, classes, …positions]: then each position is a sample
 * @throws ShapeError for another shape
 */
export function predictedClasses(prediction: Tensor): Int32Array {
  valueOf(prediction, "predictedClasses");
  return largest("predictedClasses", prediction);
}

/**
 * Class numbers as they are, or the largest of each sample of one-hot or probability targets.
 * @throws ShapeError when the shapes do not fit; InputError for a class that the prediction does not have
 */
export function targetClasses(name: string, prediction: Tensor, target: Tensor, { ignoreIndex }: ClassCountOptions = {}): Int32Array {
  const { classes } = classLayout(name, prediction);
  const { shape } = prediction;
  if (target.shape.join() === shape.join()) {
    if (ignoreIndex !== undefined) throw new InputError(`${name}: ignoreIndex needs class numbers, the target has probabilities`);
    checkShares(name, target);
    return largest(name, target);
  }
  const expected = withoutClasses(shape);
  if (target.shape.join() !== expected.join())
    throw new ShapeError(
      `${name}: expected targets of shape ${shapeText(expected)} (class numbers) or ${shapeText(shape)}, got ${shapeText(target.shape)}`,
      target.size === expected.reduce((a, b) => a * b, 1) ? { hint: `target.reshape(${shapeText(expected)})` } : {},
    );
  const { data } = target;
  for (let n = 0; n < data.length; n++) {
    const label = data[n]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes) && label !== ignoreIndex)
      throw new InputError(`${name}: class ${label} at position ${n} is out of range: expected 0 to ${classes - 1}`, {
        hint: "number classes from 0 (target.sub(1) where they begin at 1), or give the last layer an output for each",
      });
  }
  return Int32Array.from(data);
}

/** @throws InputError for targets of the predictions' shape that are no probabilities */
function checkShares(name: string, { data, shape }: Tensor): void {
  const at = data.findIndex((value: number) => !(value >= 0 && value <= 1) && !Number.isNaN(value));
  if (at >= 0)
    throw new InputError(`${name}: expected one-hot targets or probabilities, got ${data[at]} at position ${at}`, {
      hint: `for class numbers a target of shape ${shapeText(withoutClasses(shape))}`,
    });
}

/** Calls visit with the predicted (−1: NaN) and the right class of every sample that is not ignored. */
export function eachClass(
  name: string,
  prediction: Tensor,
  target: Tensor,
  options: ClassCountOptions,
  visit: (found: number, wanted: number) => void,
): void {
  const wanted = targetClasses(name, prediction, target, options);
  const found = largest(name, prediction);
  for (let n = 0; n < found.length; n++) if (wanted[n] !== options.ignoreIndex) visit(found[n]!, wanted[n]!);
}

function largest(name: string, prediction: Tensor): Int32Array {
  const layout = classLayout(name, prediction);
  const { classes, step } = layout;
  const { data } = prediction;
  const found = new Int32Array(layout.samples);
  for (let n = 0; n < found.length; n++) {
    const start = startOf(n, layout);
    let best = 0;
    let isNumber = true;
    for (let c = 0; c < classes; c++) {
      const value = data[start + c * step]!;
      if (value > data[start + best * step]!) best = c;
      isNumber &&= !Number.isNaN(value);
    }
    found[n] = isNumber ? best : -1;
  }
  return found;
}
