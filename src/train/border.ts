// Where data becomes what a model computes with: double precision is kept until here, and rounded once, for models that have less.

import type { NdArray } from "../data/index.ts";
import { toNumberArray } from "../formula/arrays.ts";
import type { Tensor } from "../tensor/index.ts";
import { fromData, tensor } from "../tensor/index.ts";
import { InputError } from "../util/errors.ts";

/** What computes: its parameters say in which precision. A plain function has none. */
export type Computes = { parameters?(): readonly Tensor[] };

/**
 * The field of a batch as the model takes it: doubles become float32 unless the model is of float64 itself. Owns the batch's array.
 * @param where how errors call the function that was given the data
 * @throws InputError for a field without numbers, or a number that only float64 holds
 */
export function fieldTensor(model: Computes, array: NdArray, field: string, where: string): Tensor {
  const data = toNumberArray(array.data, `${where}: field "${field}"`);
  if (!(data instanceof Float64Array) || !isSingle(model)) return tensor(data, array.shape);
  const rounded = Float32Array.from(data);
  const lost = rounded.findIndex((value, place) => !Number.isFinite(value) && Number.isFinite(data[place]));
  if (lost < 0) return fromData(rounded, array.shape, "float32");
  throw new InputError(`${where}: field "${field}" holds ${data[lost]}, which float32, the precision of the model, does not reach`, {
    hint: `standardise the field before: Standardizer.fit(train.fields.${field}).apply(…)`,
  });
}

/** Whether a model has parameters, and none of them of float64. */
function isSingle(model: Computes): boolean {
  const parameters = typeof model.parameters === "function" ? model.parameters() : [];
  return parameters.length > 0 && parameters.every(({ dtype }) => dtype !== "float64");
}
