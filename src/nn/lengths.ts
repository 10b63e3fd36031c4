// Lengths of the sequences in a batch: checks them, and masks padding.

import { arange, tensor } from "../tensor/create.ts";
import { isTensor, valueOf } from "../tensor/tensor.ts";
import { requireElements } from "../tensor/trace/trace.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";

/** How many steps of each sequence of a batch are real: [batch]. */
export type Lengths = Tensor | readonly number[];

/** What lengths are called in errors, how many there must be, and how long each may be. */
export interface LengthLimits {
  readonly called: string;
  readonly batch: number;
  readonly least: number;
  readonly most: number;
}

/**
 * Lengths as a tensor [batch].
 * @throws ShapeError unless there is one length for each sequence; InputError when one is not a whole number within the
 * limits
 */
export function lengthsOf(name: string, lengths: Lengths, { called, batch, least, most }: LengthLimits): Tensor {
  const given = isTensor(lengths) ? lengths : tensor([...lengths], [lengths.length]);
  if (given.shape.join() !== String(batch))
    throw new ShapeError(`${name}: expected one length for each of ${batch} sequences, got shape ${shapeText(given.shape)} as ${called}`);
  requireElements(
    valueOf(given, name),
    { least, most, whole: true },
    (length, at) => new InputError(`${name}: expected ${called} from ${least} to ${most}, got ${length} for sequence ${at}`),
  );
  return given.detach();
}

/**
 * true where a step of a sequence is real: [time, batch, 1].
 * @throws ShapeError unless there is one length for each sequence; InputError when one is not a whole number from 1 to
 * `time`
 */
export function realSteps(name: string, lengths: Lengths, batch: number, time: number): Tensor {
  const whole = lengthsOf(name, lengths, { called: "lengths", batch, least: 1, most: time });
  return arange(0, time, 1, { dtype: whole.dtype })
    .reshape([time, 1, 1])
    .less(whole.reshape([1, batch, 1]));
}
