// Changes one number of a recorded run and compares the change of the result with what the gradient predicts.

import { checkArguments, WHOLES } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { short } from "../../util/short.ts";
import { RECORDING, TENSOR } from "../kinds.ts";
import { elementName, placeOf } from "../record/elements.ts";
import type { RecordedTensor, Recording } from "../record/recording.ts";
import { replay } from "./replay.ts";

/** The effect of changing one number. */
export interface Nudge {
  /** "hidden.weight[0, 2]". */
  readonly name: string;
  /** The number as recorded, and what was added to it. */
  readonly value: number;
  readonly by: number;
  /** The result without and with the change. */
  readonly before: number;
  readonly after: number;
  /** after − before, and what the gradient says it should be for a small change: gradient · by. */
  readonly change: number;
  readonly promised: number;
  /** One sentence with these numbers. */
  toString(): string;
}

/** How to change the number. */
export interface NudgeOptions {
  /** Default: a thousandth of the number, at least 0.001. */
  readonly by?: number;
  /** The result to look at, one number. Default: what was differentiated. */
  readonly result?: RecordedTensor;
}

/**
 * Computes the result again, in double precision, with one number changed.
 * @throws InputError when there is no such element, no gradient, or no single result
 */
export function nudge(recording: Recording, tensor: RecordedTensor, position: readonly number[], options: NudgeOptions = {}): Nudge {
  checkArguments("nudge", { recording: [recording, RECORDING], tensor: [tensor, TENSOR], position: [position, WHOLES] });
  // Of a gradient: what it is the gradient of.
  if (tensor.gradientOf !== undefined) return nudge(recording, tensor.gradientOf, position, options);
  const place = placeOf(tensor, position);
  const value = tensor.data[place]!;
  const { by = Math.max(1e-3, 1e-3 * Math.abs(value)), result = differentiated(recording) } = checkOptions<NudgeOptions>("nudge", options, {
    by: true,
    result: true,
  });
  if (tensor.gradient === undefined)
    throw new InputError(`nudge: the gradient of ${elementName(tensor, position)} was not recorded`, {
      hint: "call backward() in the recorded function; the number must be of a float tensor that the result depends on",
    });
  const base = replay(recording, [result, tensor], { double: true });
  const before = single(base(result), result);
  const numbers = Float64Array.from(base(tensor));
  numbers[place] = numbers[place]! + by;
  const after = single(replay(recording, [result], { double: true, changed: new Map([[tensor, numbers]]) })(result), result);
  const [name, change, promised] = [elementName(tensor, position), after - before, tensor.gradient.data[place]! * by];
  const text = (number: number): string => short(number, 6);
  return Object.defineProperties(
    { name, value, by, before, after, change, promised },
    {
      toString: {
        value: () =>
          `${name}: ${text(value)} → ${text(value + by)} changes the result from ${text(before)} to ${text(after)}, by ${text(change)}; the gradient promised ${text(promised)}`,
      },
    },
  );
}

/** The tensor whose backward() was recorded first; undefined when there was none. */
export function differentiatedOf({ tensors }: Recording): RecordedTensor | undefined {
  return tensors.find(({ gradient }) => gradient !== undefined && gradient.source === undefined);
}

/** The same. @throws InputError when there was none */
export function differentiated(recording: Recording): RecordedTensor {
  const root = differentiatedOf(recording);
  if (root === undefined)
    throw new InputError("the recording has no backward pass", { hint: "call loss.backward() in the recorded function" });
  return root;
}

function single(numbers: ArrayLike<number>, { name, shape }: RecordedTensor): number {
  if (numbers.length !== 1) throw new InputError(`nudge: the result must be one number, ${name} has shape ${shapeText(shape)}`);
  return numbers[0]!;
}
