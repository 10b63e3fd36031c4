// Batches of a data set as tensors, for examples that write their training loop themselves.

import { fromData, type Tensor } from "kasane";
import { DataLoader, type Dataset, type NdArray } from "kasane/data";

type Samples = { readonly x: NdArray; readonly y: NdArray };

/** One epoch in a new order; the last, smaller batch is left out, so that a compiled step is traced once. */
export function* batches(data: Dataset<Samples>, batchSize: number, epoch: number): Generator<{ readonly x: Tensor; readonly y: Tensor }> {
  const loader = new DataLoader(data, { batchSize, shuffle: true, dropLast: true, epoch });
  for (const { x, y } of loader) yield { x: asTensor(x), y: asTensor(y) };
}

export function asTensor({ data, shape }: NdArray): Tensor {
  return fromData(data, shape, data instanceof Float32Array ? "float32" : "int32");
}
