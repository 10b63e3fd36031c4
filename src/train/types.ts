// The types of training: models, optimizers, losses, reports, callbacks.

import type { Dataset, Fields, NdArray, Transform } from "../data/index.ts";
import type { Layer } from "../nn/layer.ts";
import type { AveragesState, Optimizer, OptimizerState, Schedule, WeightAverages } from "../optim/index.ts";
import type { Precision, RandomState, Tensor } from "../tensor/index.ts";
import type { StopSignal } from "../util/signal.ts";
import type { Metric } from "./metrics.ts";

/** Any layer of kasane/nn, a `sequential`, or your own layer. */
export type Model = Layer;

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, Tensor>;

/**
 * The loss of a batch, one number: a mean over its samples, or a loss of kasane/nn with any of its options, or means of
 * those added up, each times a number. Then `accumulate`, `evaluate` and the losses of an epoch give what all samples
 * as one batch would give, also where samples count differently (class weights, ignoreIndex, weightedMean). Any other
 * function counts as a mean over its samples.
 */
export type Loss = (prediction: Tensor, target: Tensor) => Tensor;

/** Samples with inputs x and targets y. */
export type Samples = Fields & { readonly x: NdArray; readonly y: NdArray };

/** Numbers by the name of what they measure. */
export type Scores<Name extends string = string> = { readonly loss: number } & Readonly<Record<Name, number>>;

/** One finished epoch. */
export interface EpochReport<Name extends string = string> {
  /** From 1. */
  readonly epoch: number;
  readonly learningRate: number;
  /** Seconds spent on it, validation included. */
  readonly seconds: number;
  /** Over the batches as they were trained on: in training mode and while the weights moved. */
  readonly train: Scores<Name>;
  /** In evaluation mode after the epoch; undefined without validation data. */
  readonly validation?: Scores<Name>;
}

/** One finished step. */
export interface BatchReport {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** From 1, within the epoch. */
  readonly batch: number;
  readonly batches: number;
  /** Samples in this batch. */
  readonly samples: number;
  /** Loss of this batch; 0 where none of its samples counts: such a batch changes nothing. */
  readonly batchLoss: number;
  /** Loss of all samples of the epoch so far. */
  readonly loss: number;
}

/** How a callback reaches the training it watches. */
export interface Training<Name extends string = string> {
  readonly model: Model;
  readonly optimizer: Optimizer;
  readonly history: readonly EpochReport<Name>[];
  /** Ends the training after the present batch; the reason is reported. */
  stop(reason: string): void;
  /** Everything needed to continue from here. */
  checkpoint(): TrainingState<Name>;
}

/** What to run while training; a promise is waited for. */
export interface Callback<Name extends string = string> {
  /** Before the first batch of an epoch (from 1); not when a training resumes inside one. */
  onEpochBegin?(epoch: number, training: Training<Name>): void | Promise<void>;
  /** After each update of the weights. */
  onBatchEnd?(report: BatchReport, training: Training<Name>): void | Promise<void>;
  /** All batches of the epoch are done; validation begins. */
  onValidationBegin?(epoch: number, training: Training<Name>): void | Promise<void>;
  /** After each epoch, its validation included. */
  onEpochEnd?(report: EpochReport<Name>, training: Training<Name>): void | Promise<void>;
}

/** Runs the steps of a training, to look into them. */
export interface StepRecorder {
  /** Runs one step. @param report what the training knows of the step, once it is over */
  step<Result>(
    run: () => Result,
    report: (result: Awaited<Result>) => { readonly epoch: number; readonly loss: number; readonly learningRate: number },
  ): Result;
}

/** When to stop for lack of improvement. */
export interface EarlyStopping<Name extends string = string> {
  /** Epochs without improvement before training stops. */
  readonly patience: number;
  /** Default "loss"; measured on the validation data, on the training data without. */
  readonly monitor?: "loss" | NoInfer<Name>;
  /** A smaller change is no improvement. Default 0. */
  readonly minimumChange?: number;
  /** Put the weights of the best epoch back at the end (default true). */
  readonly restoreBest?: boolean;
}

/** How to train. */
export interface FitOptions<M extends readonly Metric[] = readonly Metric[]> {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /**
   * Added to the loss that is differentiated, not to the one that is reported.
   * @example penalty: () => l2(net, 1e-4)
   */
  readonly penalty?: () => Tensor;
  /** Number of passes over the data in all, those of a resumed state included. */
  readonly epochs: number;
  /** Default 32. */
  readonly batchSize?: number;
  /** A new order each epoch (default true). */
  readonly shuffle?: boolean;
  /** Leave out a last batch that is smaller than the others (default false). */
  readonly dropLast?: boolean;
  /**
   * Changes each training batch, such as `compose(randomCrop(…), randomFlip())`; a resumed training sees the same
   * numbers. Validation data stay as they are: what they need too belongs in `data.map(…)` before.
   */
  readonly transform?: Transform<Samples>;
  /** A data set of its own, or the fraction of the data to hold out, chosen by the seed. */
  readonly validation?: Dataset<Samples> | number;
  readonly metrics?: M;
  readonly callbacks?: readonly Callback<NoInfer<M[number]["name"]>>[];
  readonly earlyStopping?: EarlyStopping<M[number]["name"]>;
  /** Learning rate of each epoch (counted from 1), knowing those before; default the optimizer's own, unchanged. */
  readonly learningRate?: (epoch: number, history: readonly EpochReport<NoInfer<M[number]["name"]>>[]) => number;
  /**
   * Learning rate of each step, counted from 0 over the whole training: a schedule of kasane/optim. Not together with
   * `learningRate`.
   */
  readonly schedule?: Schedule;
  /** Momentum (beta1 of Adam) of each step, counted as for `schedule`: oneCycleMomentum of kasane/optim. */
  readonly momentum?: Schedule;
  /** Limits gradients before each step: every element to ±value, their norm as one vector to `norm`. */
  readonly clip?: { readonly norm?: number; readonly value?: number };
  /**
   * Runs each batch in so many parts one after another and adds up their gradients: less memory, the same step up to
   * rounding (batch statistics are those of a part, and dropout draws anew for each). Default 1.
   */
  readonly accumulate?: number;
  /**
   * Averages of the weights, taken after each step and measured on the validation data; swap() gives them to the model
   * afterwards. Early stopping then restores the best averages.
   */
  readonly averages?: WeightAverages;
  /** Decides order, held-out part and dropout; default the seed of `manualSeed`. */
  readonly seed?: number;
  /**
   * "bfloat16": mixed precision, the model's forward pass under `autocast`. Activations and their gradients take half
   * the memory; weights, their gradients, loss and optimizer stay float32, and so does validation. Default "float32".
   */
  readonly precision?: Precision;
  /**
   * Runs each step as one compiled program (gradients are then not kept on the parameters). Default true; a model or
   * loss that cannot be traced runs eagerly, which is said once.
   */
  readonly compile?: boolean;
  /** Runs every step and watches it: a Recorder of kasane/inspect. */
  readonly recorder?: StepRecorder;
  /** Ends the training after the present batch. */
  readonly signal?: StopSignal;
  /** Resumes where another call stopped: the same numbers as without the stop. */
  readonly resume?: TrainingState<M[number]["name"]>;
}

/** Why a training ended: all epochs done, no more improvement, the signal or a callback. */
export type StopReason = "finished" | "no improvement" | "aborted" | "stopped";

/** The result of a training. */
export interface FitResult<Name extends string = string> {
  readonly history: readonly EpochReport<Name>[];
  readonly reason: StopReason;
  /** What the callback said; undefined for other reasons. */
  readonly message?: string;
  /** Epochs done in full. */
  readonly epochs: number;
  /** Batches done of the next epoch; 0 unless stopped in the middle. */
  readonly batches: number;
  readonly seconds: number;
  /**
   * The best epoch by what early stopping monitors; by validation loss (training loss without validation) otherwise.
   */
  readonly best?: BestEpoch;
  /** The model holds the weights (where averages were measured, those) of the best epoch, not the last weights. */
  readonly restoredBest: boolean;
  /** Give it to another `fit` to resume. Undefined weights of the best epoch were not asked for. */
  readonly state: TrainingState<Name>;
}

/** The best epoch so far, and by what. */
export interface BestEpoch {
  readonly epoch: number;
  readonly monitor: string;
  readonly value: number;
}

/** Model, optimizer, random numbers and place in the data: enough to resume with exactly the same numbers. */
export interface TrainingState<Name extends string = string> {
  readonly model: Tensors;
  readonly optimizer: OptimizerState;
  readonly random: RandomState;
  /** Decides the order of the data. */
  readonly seed: number;
  /** Epochs done in full. */
  readonly epochs: number;
  /** Batches done of the epoch after those. */
  readonly batches: number;
  /** Running sums of the loss and each metric over those batches. */
  readonly sums: readonly (readonly number[])[];
  /** Seconds spent on the unfinished epoch. */
  readonly epochSeconds: number;
  readonly history: readonly EpochReport<Name>[];
  readonly best?: BestEpoch;
  /** Weights of the best epoch, where early stopping will put them back. */
  readonly bestModel?: Tensors;
  /** Of `averages`, where they are taken. */
  readonly averages?: AveragesState;
}
