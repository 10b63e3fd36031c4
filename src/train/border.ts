// Converts data to a model's precision: kept in double precision until here, rounded once.

import type { NdArray } from "../data/index.ts";
import { dtypeOfArray, toNumberArray } from "../nest/arrays.ts";
import { isOfSinglePrecision } from "../nn/precision.ts";
import type { Tensor } from "../tensor/index.ts";
import { fromData, tensor } from "../tensor/index.ts";
import { InputError } from "../util/errors.ts";
import type { Samples } from "./types.ts";

/** The inputs and targets of a batch as the model takes them: see fieldTensor. */
export function batchTensors(model: object, { x, y }: Samples, where: string): [x: Tensor, target: Tensor] {
  return [fieldTensor(model, x, "x", where), fieldTensor(model, y, "y", where)];
}

/**
 * The field of a batch as the model takes it: doubles become float32 unless the model is of float64 itself. Owns the
 * batch's array.
 * @param where how errors call the function that was given the data
 * @throws InputError for a field without numbers, or a number that only float64 holds
 */
export function fieldTensor(model: object, array: NdArray | undefined, field: string, where: string): Tensor {
  if (array === undefined)
    throw new InputError(`${where}: expected batches with the fields x and y, the transform left ${field} out`, {
      hint: "return { ...batch, x: changed }",
    });
  const data = toNumberArray(array.data, `${where}: field "${field}"`);
  if (dtypeOfArray(data) !== "float64" || !isOfSinglePrecision(model)) return tensor(data, array.shape);
  const rounded = Float32Array.from(data);
  const lost = rounded.findIndex((value, place) => !Number.isFinite(value) && Number.isFinite(data[place]));
  if (lost < 0) return fromData(rounded, array.shape, "float32");
  throw new InputError(`${where}: field "${field}" holds ${data[lost]}, which float32, the precision of the model, does not reach`, {
    hint: `standardize the field before: Standardizer.fit(train.fields.${field}).apply(…)`,
  });
}
