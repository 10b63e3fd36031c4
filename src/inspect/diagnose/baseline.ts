// The baseline a model must beat: the lowest loss of predictions that are the same for every sample.

import { noGrad, type Tensor, tensor, zeros } from "../../tensor/index.ts";
import type { Loss, Samples } from "../../train/index.ts";
import { checkArguments, FUNCTION, WHOLES } from "../../util/arguments.ts";
import { SHAPED } from "../kinds.ts";
import { mean } from "./statistics.ts";

type Targets = Samples["y"];

/**
 * The loss of the best prediction that does not look at the inputs: the frequencies of the classes, the mean or the
 * middle of numbers. Undefined where the loss takes no such prediction, or is not measured from 0 upwards.
 * @param output the shape of the model's output for one sample
 */
export function baselineOf(loss: Loss, output: readonly number[], y: Targets): number | undefined {
  checkArguments("baselineOf", { loss: [loss, FUNCTION], output: [output, WHOLES], y: [y, SHAPED] });
  const target = tensor(y);
  const [count = 0] = y.shape;
  const losses = constants(output, y).flatMap((constant) => {
    try {
      const value = noGrad(() => loss(constant.broadcastTo([count, ...output]), target));
      return value.size === 1 && Number.isFinite(value.item()) ? [value.item()] : [];
    } catch {
      // What a loss of one's own refuses, it cannot be measured by.
      return [];
    }
  });
  const least = Math.min(...losses);
  return least > 0 && Number.isFinite(least) ? least : undefined;
}

/** Predictions [1, …output] that fit one kind of targets or another; the loss tells which is best. */
function constants(output: readonly number[], y: Targets): Tensor[] {
  const shape = [1, ...output];
  const found = [zeros(shape)];
  if (y.shape.slice(1).join() === output.join()) {
    const means = eachPosition(y, mean);
    const middle = eachPosition(y, (values) => values.sort()[values.length >> 1]!);
    const logits = means.map((share) => Math.log(share / (1 - share)));
    found.push(tensor(means, shape), tensor(middle, shape));
    // Targets that are probabilities: what gives their mean after a sigmoid, or after a softmax.
    if (means.every((share) => share > 0 && share < 1)) found.push(tensor(logits, shape), tensor(means.map(Math.log), shape));
  }
  const frequencies = frequenciesOf(y, output[0] ?? 0);
  if (frequencies !== undefined) {
    const perClass = tensor(frequencies).reshape([1, frequencies.length, ...output.slice(1).fill(1)]);
    found.push(perClass.log().broadcastTo(shape), perClass.broadcastTo(shape));
  }
  return found;
}

function eachPosition({ shape, data }: Targets, measure: (values: Float64Array) => number): Float32Array {
  const [count = 0] = shape;
  const width = data.length / count;
  return Float32Array.from({ length: width }, (_, at) =>
    measure(Float64Array.from({ length: count }, (_, sample) => data[sample * width + at]!)),
  );
}

/** How often each class comes, none never; undefined where the targets are no class numbers. */
function frequenciesOf({ data }: Targets, classes: number): number[] | undefined {
  const counts = new Array<number>(classes).fill(1e-6 * data.length);
  for (const label of data) {
    if (!Number.isInteger(label) || label >= classes) return undefined;
    // Labels below 0 are a usual way to say that a position does not count.
    if (label >= 0) counts[label] = counts[label]! + 1;
  }
  const total = counts.reduce((a, b) => a + b, 0);
  return classes < 2 ? undefined : counts.map((count) => count / total);
}
