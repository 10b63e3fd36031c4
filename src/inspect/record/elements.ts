// Single elements of recorded tensors: their places, positions and names.

import { placeAt, positionOf } from "../../nest/positions.ts";
import { checkArguments, WHOLES } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import { TENSOR } from "../kinds.ts";
import { isSameShape, type RecordedTensor, unviewed } from "./recording.ts";

/** The place of an element in a tensor's numbers. @throws InputError when the tensor has no such element */
export function placeOf(tensor: RecordedTensor, position: readonly number[]): number {
  const { shape } = tensor;
  const isInside = position.length === shape.length && position.every((at, d) => Number.isInteger(at) && at >= 0 && at < shape[d]!);
  if (!isInside)
    throw new InputError(`there is no element [${position.join(", ")}] in ${tensorName(tensor)} of shape ${shapeText(shape)}`, {
      hint: "give one coordinate per dimension, counted from 0",
    });
  return placeAt(position, shape);
}

/** Where a number stands that shows something: the largest, or one that is not a number; undefined without any. */
export function positionOfLargest({ data, shape }: RecordedTensor): number[] | undefined {
  if (data.length === 0) return undefined;
  let best = 0;
  for (let n = 1; n < data.length && !Number.isNaN(data[best]); n++) if (!(Math.abs(data[n]!) <= Math.abs(data[best]!))) best = n;
  return positionOf(best, shape);
}

/**
 * What a tensor is called in explanations: "hidden.weight", "∂L/∂hidden.weight", "u1 of matmul" where the program gave
 * it that name, else "y of 2 (linearBias)".
 */
export function tensorName(tensor: RecordedTensor): string {
  checkArguments("tensorName", { tensor: [tensor, TENSOR] });
  const { source, gradientOf, updateOf, name, origin, given } = tensor;
  if (updateOf !== undefined) return `new ${tensorName(updateOf)}`;
  // Derivatives as functions work on copies of their arguments.
  const copied = gradientOf?.source?.program === undefined ? gradientOf?.source?.inputs[0] : undefined;
  if (gradientOf !== undefined && copied !== undefined && isSameShape(copied, gradientOf))
    return tensorName({ ...tensor, gradientOf: copied });
  if (gradientOf !== undefined) return `∂L/∂${plainName(gradientOf) ?? `(${tensorName(gradientOf)})`}`;
  if (source === undefined) return origin === "parameter" || origin === "data" ? name : "constant";
  const { path, op } = unviewed(tensor).source ?? source;
  // A letter that the program has for another tensor would be taken for that one.
  const own = given ?? (source.taken.has(name) ? "result" : name);
  return `${own} of ${path === "" ? op.name : `${path} (${op.name})`}`;
}

/** The name that the program or the model has for a tensor; undefined for what only an op's formula names. */
export function plainName(tensor: RecordedTensor): string | undefined {
  const { given, gradientOf, updateOf, source } = tensor;
  if (gradientOf !== undefined || updateOf !== undefined) return tensorName(tensor);
  return source === undefined ? tensorName(tensor) : given;
}

/** "hidden.weight[0, 2]", "y[0, 1] of 2 (linearBias)". */
export function elementName(tensor: RecordedTensor, position: readonly number[]): string {
  checkArguments("elementName", { tensor: [tensor, TENSOR], position: [position, WHOLES] });
  const name = tensorName(tensor);
  if (position.length === 0) return name;
  const place = `[${position.join(", ")}]`;
  // The place belongs to the tensor's own name, not to where it was computed.
  const isPlain = tensor.gradientOf === undefined && tensor.updateOf === undefined && tensor.source !== undefined;
  const split = isPlain ? name.indexOf(" of ") : -1;
  return split < 0 ? name + place : name.slice(0, split) + place + name.slice(split);
}
