// Measures a model on data, and predicts, in evaluation mode and without recording.

import type { Dataset, Fields, NdArray } from "../data/index.ts";
import { DataLoader } from "../data/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { fromData, noGrad } from "../tensor/index.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { checkMetrics } from "./check.ts";
import { ConfusionMatrix } from "./confusion.ts";
import { lossOf } from "./loss.ts";
import type { Metric } from "./metrics.ts";
import { inEvaluation, type Measured } from "./modes.ts";
import { Pacer } from "./pause.ts";
import { Scoreboard } from "./scoreboard.ts";
import type { Loss, Samples, Scores } from "./types.ts";

/** What to measure, and in which batches. */
export interface EvaluateOptions<M extends readonly Metric[] = readonly Metric[]> {
  readonly loss: Loss;
  readonly metrics?: M;
  /** Count which class was taken for which; the data set must have class names. */
  readonly confusion?: boolean;
  /** Default 256. Decides memory and speed, not the result, which is that of all samples as one batch (see Loss). */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
}

/** What was measured. */
export interface Evaluation<Name extends string = string> {
  readonly samples: number;
  readonly scores: Scores<Name>;
  readonly confusion?: ConfusionMatrix;
}

/** Loss and metrics over a whole data set, computed in evaluation mode; the model's own mode stays. @throws the signal's reason when it aborts */
export async function evaluate<const M extends readonly Metric[]>(
  model: Measured & ((x: Tensor) => Tensor),
  data: Dataset<Samples>,
  options: EvaluateOptions<M>,
): Promise<Evaluation<M[number]["name"]>> {
  const { loss, metrics = [] as unknown as M, batchSize = 256, signal } = options;
  if (options.confusion && data.classNames === undefined)
    throw new InputError("evaluate: a confusion matrix needs class names, the data set has none", {
      hint: "new Dataset(fields, { classNames })",
    });
  checkMetrics("evaluate", metrics);
  const confusion = options.confusion ? new ConfusionMatrix(data.classNames as readonly string[]) : undefined;
  const board = new Scoreboard<M[number]["name"]>(metrics);
  const pacer = new Pacer();
  for (const batch of new DataLoader(data, { batchSize })) {
    signal?.throwIfAborted();
    noGrad(() => {
      const target = toTensor(batch.y);
      const x = toTensor(batch.x);
      const prediction = inEvaluation(model, () => model(x));
      const found = lossOf(loss, prediction, target);
      board.add({ loss: found.loss.item(), account: found.account?.data }, prediction, target);
      confusion?.add(prediction, target);
    });
    if (pacer.due) await pacer.pause();
  }
  return { samples: data.size, scores: board.scores(), ...(confusion === undefined ? {} : { confusion }) };
}

/**
 * The model's outputs for x [n, …], computed in batches and in evaluation mode: [n, …] of what the model gives per sample. The model's own mode
 * stays.
 */
export async function predict(
  model: Measured & ((x: Tensor) => Tensor),
  x: NdArray | Tensor | Dataset<Fields & { readonly x: NdArray }>,
  options: { readonly batchSize?: number } = {},
): Promise<Tensor> {
  const inputs = "fields" in x ? x.fields.x : { shape: x.shape, data: x.data as NdArray["data"] };
  const { batchSize = 256 } = options;
  const [count, ...rest] = inputs.shape;
  if (count === undefined || count === 0)
    throw new ShapeError(`predict: expected at least one sample, got shape [${inputs.shape.join(", ")}]`);
  const width = rest.reduce((product, extent) => product * extent, 1);
  const pacer = new Pacer();
  let all: Float32Array | Float64Array | undefined;
  let shape: readonly number[] = [];
  for (let start = 0; start < count; start += batchSize) {
    const end = Math.min(count, start + batchSize);
    const batch = fromData(inputs.data.slice(start * width, end * width), [end - start, ...rest], dtypeOf(inputs));
    const part = noGrad(() => inEvaluation(model, () => model(batch)));
    shape = part.shape.slice(1);
    const size = part.size / (end - start);
    all ??= part.dtype === "float64" ? new Float64Array(count * size) : new Float32Array(count * size);
    all.set(part.data, start * size);
    if (pacer.due) await pacer.pause();
  }
  return fromData(all as Float32Array, [count, ...shape], all instanceof Float64Array ? "float64" : "float32");
}

/** A tensor around the values of a batch, which are its own. */
export function toTensor(array: NdArray | undefined): Tensor {
  if (array === undefined)
    throw new InputError("expected batches with the fields x and y, the transform left one out", {
      hint: "return { ...batch, x: changed }",
    });
  return fromData(array.data, array.shape, dtypeOf(array));
}

function dtypeOf({ data }: NdArray): Tensor["dtype"] {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  return data instanceof Int32Array ? "int32" : "uint8";
}
