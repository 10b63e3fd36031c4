// Measures a model on data, and predicts, in evaluation mode and without recording.

import type { Dataset, Fields, NdArray } from "../data/index.ts";
import { DataLoader } from "../data/index.ts";
import { allocate, toNumberArray } from "../nest/arrays.ts";
import { readable } from "../tensor/arrivals.ts";
import type { Tensor } from "../tensor/index.ts";
import { fromData, noGrad } from "../tensor/index.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import type { StopSignal } from "../util/signal.ts";
import { batchTensors, fieldTensor } from "./border.ts";
import { checkDataset, checkMetrics } from "./check.ts";
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
  readonly signal?: StopSignal;
}

/** What was measured. */
export interface Evaluation<Name extends string = string> {
  readonly samples: number;
  readonly scores: Scores<Name>;
  readonly confusion?: ConfusionMatrix;
}

/**
 * Loss and metrics over a whole data set, computed in evaluation mode; the model's own mode stays.
 * @throws the signal's reason when it aborts
 */
export async function evaluate<const M extends readonly Metric[]>(
  model: Measured & ((x: Tensor) => Tensor),
  data: Dataset<Samples>,
  options: EvaluateOptions<M>,
): Promise<Evaluation<M[number]["name"]>> {
  const {
    loss,
    metrics = [] as unknown as M,
    batchSize = 256,
    signal,
  } = checkOptions<EvaluateOptions<M>>("evaluate", options, {
    ...{ loss: true, metrics: true, confusion: true, batchSize: true, signal: true },
  });
  checkDataset("evaluate", data);
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
    const [x, target] = batchTensors(model, batch, "evaluate");
    const { prediction, ...found } = noGrad(() => {
      const given = inEvaluation(model, () => model(x));
      return { ...lossOf(loss, given, target), prediction: given };
    });
    const waiting = readable([found.loss, found.account, prediction]);
    if (waiting !== undefined) await waiting;
    noGrad(() => {
      board.add({ loss: found.loss.item(), account: found.account?.data }, prediction, target);
      confusion?.add(prediction, target);
    });
    if (pacer.due) await pacer.pause();
  }
  return { samples: data.size, scores: board.scores(), confusion };
}

/**
 * The model's outputs for x [n, …], computed in batches and in evaluation mode: [n, …] of what the model gives per
 * sample. The model's own mode stays.
 */
export async function predict(
  model: Measured & ((x: Tensor) => Tensor),
  x: NdArray | Tensor | Dataset<Fields & { readonly x: NdArray }>,
  options: { readonly batchSize?: number } = {},
): Promise<Tensor> {
  const { batchSize = 256 } = checkOptions<typeof options>("predict", options, { batchSize: true });
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new InputError(`predict: batchSize: expected a whole number of at least 1, got ${kindOf(batchSize)}`);
  const inputs = stored("fields" in x ? x.fields.x : x, "predict: x");
  const [count, ...rest] = inputs.shape;
  if (count === undefined || count === 0)
    throw new ShapeError(`predict: expected at least one sample, got shape ${shapeText(inputs.shape)}`);
  const width = rest.reduce((product, extent) => product * extent, 1);
  const pacer = new Pacer();
  let all: NdArray["data"] | undefined;
  let dtype: Tensor["dtype"] = "float32";
  let shape: readonly number[] = [];
  for (let start = 0; start < count; start += batchSize) {
    const end = Math.min(count, start + batchSize);
    const batch = fieldTensor(
      model,
      { shape: [end - start, ...rest], data: inputs.data.slice(start * width, end * width) },
      "x",
      "predict",
    );
    const part = noGrad(() => inEvaluation(model, () => model(batch)));
    shape = part.shape.slice(1);
    const size = part.size / (end - start);
    dtype = part.dtype;
    all ??= allocate(dtype, count * size);
    all.set(await part.read(), start * size);
    if (pacer.due) await pacer.pause();
  }
  return fromData(all as NdArray["data"], [count, ...shape], dtype);
}

/** What the model is given: numbers with a shape. @throws InputError for anything else */
function stored(x: NdArray | Tensor, where: string): NdArray {
  if (Array.isArray(x?.shape)) return { shape: x.shape, data: toNumberArray(x.data, where) };
  throw new InputError(`${where}: expected numbers with their shape, got ${kindOf(x)}`, {
    hint: "tensor([…]), or ndArray(new Float32Array(…), [rows, columns])",
  });
}
