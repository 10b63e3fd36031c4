// The training loop: batches, steps, validation, early stopping, and a state to resume from exactly.

import type { Dataset } from "../data/index.ts";
import { DataLoader } from "../data/index.ts";
import { parametersOf } from "../optim/optimizer.ts";
import { arrivals, arrived } from "../tensor/arrivals.ts";
import { randomState, setRandomState, type Tensor } from "../tensor/index.ts";
import { InputError } from "../util/errors.ts";
import { isPromise, kindOf } from "../util/kind-of.ts";
import { BestKeeper } from "./best.ts";
import { batchTensors } from "./border.ts";
import { checkFit, checkPlace, checkTrainable } from "./check.ts";
import { TrainingError } from "./errors.ts";
import { evaluate } from "./evaluate.ts";
import { isUncounted } from "./loss.ts";
import type { Metric } from "./metrics.ts";
import { settle, unsettle } from "./modes.ts";
import { Pacer } from "./pause.ts";
import { Scoreboard } from "./scoreboard.ts";
import { type CompiledTraining, compileStep, failedStep, type StepResult, takeStep } from "./step.ts";
import type { EpochReport, FitOptions, FitResult, Model, Samples, StopReason, Training, TrainingState } from "./types.ts";

/** Keeps the random numbers of training apart from those that made the weights from the same seed. */
const TRAINING_STREAM = 2 ** 31;

/**
 * Trains a model in place. Layers inside that are in evaluation mode, or frozen, stay so; a model that is so as a whole
 * trains all the same. Afterwards the model computes in evaluation mode until train(), or the next training, which
 * finds it in the mode of before.
 *
 * @example const result = await fit(net, train, { loss: crossEntropy, optimizer: adam(net.parameters()), epochs: 5, metrics: [accuracy()], validation: 0.1 });
 * @throws InputError for options that make no sense; TrainingError when the loss, or the norm of a gradient to clip, is
 * no longer a finite number: the model then holds the weights from before the failing step. Whatever a callback throws.
 */
export async function fit<const M extends readonly Metric[] = readonly []>(
  model: Model,
  data: Dataset<Samples>,
  options: FitOptions<M>,
): Promise<FitResult<M[number]["name"]>> {
  checkFit(data, options);
  checkTrainable(model, options.optimizer);
  return new Fitting<M>(model, data, options).run();
}

class Fitting<M extends readonly Metric[]> implements Training<M[number]["name"]> {
  readonly model: Model;
  readonly optimizer: FitOptions["optimizer"];
  readonly history: EpochReport<M[number]["name"]>[] = [];
  readonly #options: FitOptions<M>;
  readonly #metrics: readonly Metric[];
  readonly #train: Dataset<Samples>;
  readonly #validation: Dataset<Samples> | undefined;
  readonly #loader: DataLoader<Samples>;
  readonly #seed: number;
  readonly #best: BestKeeper;
  readonly #pacer = new Pacer();
  #epochs = 0;
  #batches = 0;
  #epochSeconds = 0;
  #board: Scoreboard<M[number]["name"]>;
  #stop: string | undefined;
  #compiled: CompiledTraining | undefined;

  constructor(model: Model, data: Dataset<Samples>, options: FitOptions<M>) {
    const { resume } = options;
    this.model = model;
    this.optimizer = options.optimizer;
    this.#options = options;
    this.#metrics = options.metrics ?? [];
    this.#seed = resume?.seed ?? options.seed ?? randomState().seed;
    const { validation } = options;
    [this.#train, this.#validation] =
      typeof validation === "number" ? data.split(1 - validation, { seed: this.#seed }) : [data, validation];
    const { batchSize = 32, shuffle = true, dropLast = false } = options;
    const transform = options.transform === undefined ? {} : { transform: options.transform };
    this.#loader = new DataLoader(this.#train, { batchSize, shuffle, dropLast, seed: this.#seed, ...transform });
    this.#best = new BestKeeper(options.earlyStopping, this.#metrics, this.#validation !== undefined, resume);
    this.#board = new Scoreboard(this.#metrics, resume?.sums);
    if (options.compile ?? true) this.#compiled = compileStep(model, options);
    unsettle(model);
    if (resume !== undefined) this.#restore(resume);
    else if (options.seed !== undefined) setRandomState({ seed: this.#seed, stream: TRAINING_STREAM });
  }

  stop(reason: string): void {
    this.#stop ??= reason;
  }

  checkpoint(): TrainingState<M[number]["name"]> {
    const { best, bestModel } = this.#best;
    return {
      model: this.model.stateDict(),
      optimizer: this.optimizer.stateDict(),
      random: randomState(),
      seed: this.#seed,
      epochs: this.#epochs,
      batches: this.#batches,
      sums: this.#batches === 0 ? [] : this.#board.state(),
      epochSeconds: this.#epochSeconds,
      history: this.history.slice(),
      best,
      bestModel,
      averages: this.#options.averages?.stateDict(),
    };
  }

  async run(): Promise<FitResult<M[number]["name"]>> {
    try {
      return this.#finish(await this.#trainAll());
    } finally {
      // A compiled step keeps their numbers; nobody is to add to them.
      for (const parameter of [...this.model.parameters(), ...parametersOf(this.optimizer)]) parameter.zeroGrad();
    }
  }

  async #trainAll(): Promise<StopReason> {
    let reason: StopReason | undefined;
    while (this.#epochs < this.#options.epochs && reason === undefined) {
      if (this.#best.exhausted(this.#epochs)) reason = "no improvement";
      else reason = await this.#epoch();
    }
    if (reason === undefined && this.#best.exhausted(this.#epochs)) reason = "no improvement";
    return reason ?? "finished";
  }

  /** Trains the rest of an epoch; says why when it could not be finished or nothing may follow. */
  async #epoch(): Promise<StopReason | undefined> {
    const epoch = this.#epochs + 1;
    const started = performance.now() - 1000 * this.#epochSeconds;
    const spend = (): void => {
      this.#epochSeconds = (performance.now() - started) / 1000;
    };
    const { learningRate } = this.#options;
    if (learningRate !== undefined) this.optimizer.learningRate = checkRate(learningRate(epoch, this.history), epoch);
    if (this.#batches === 0) {
      this.#board = new Scoreboard(this.#metrics);
      await this.#each("onEpochBegin", epoch);
    }
    for (const batch of this.#loader.batches({ epoch: this.#epochs, skip: this.#batches })) {
      const interruption = this.#interruption();
      if (interruption !== undefined) return interruption;
      this.#setRate(epoch);
      const taken = this.#step(batch, epoch);
      const batchLoss = typeof taken === "number" ? taken : await taken;
      this.#batches += 1;
      spend();
      if (this.#hasBatchCallback)
        await this.#each("onBatchEnd", {
          epoch,
          epochs: this.#options.epochs,
          batch: this.#batches,
          batches: this.#loader.length as number,
          samples: batch.x.shape[0]!,
          batchLoss,
          loss: this.#board.loss,
        });
      if (this.#pacer.due) await this.#pacer.pause();
    }
    const interruption = this.#interruption();
    if (interruption !== undefined) return interruption;
    const report = await this.#report(epoch);
    if (report === undefined) return "aborted";
    spend();
    this.history.push({ ...report, seconds: this.#epochSeconds });
    this.#epochs = epoch;
    this.#batches = 0;
    this.#epochSeconds = 0;
    this.#measured?.swap();
    this.#best.consider(this.history.at(-1)!, this.model);
    this.#measured?.swap();
    await this.#each("onEpochEnd", this.history.at(-1)!);
    return epoch < this.#options.epochs ? this.#interruption() : undefined;
  }

  /** The rate and momentum of the present step, where schedules tell them. */
  #setRate(epoch: number): void {
    const step = this.#epochs * (this.#loader.length as number) + this.#batches;
    const { schedule, momentum } = this.#options;
    if (schedule !== undefined) this.optimizer.learningRate = checkRate(schedule(step), epoch);
    if (momentum !== undefined) this.optimizer.momentum = momentum(step);
  }

  /** One update of the weights, as one compiled program where the model and the loss can be traced. */
  #step(batch: Samples, epoch: number): number | Promise<number> {
    const [x, target] = batchTensors(this.model, batch, "fit");
    const { learningRate } = this.optimizer;
    const run = (): StepResult | Promise<StepResult> => this.#takeStep([x, target]);
    const { recorder } = this.#options;
    const random = randomState();
    const result = recorder === undefined ? run() : recorder.step(run, (taken) => ({ epoch, loss: taken.loss.item(), learningRate }));
    const place = { epoch, batch: this.#batches + 1, learningRate };
    const finish = ({ loss, prediction, guard, account }: StepResult): number => {
      const value = loss.item();
      const whole = guard.item();
      const counted = account?.data;
      if (!Number.isFinite(whole) && !(value === 0 && isUncounted(counted))) {
        const step = failedStep(this.model, this.#options, [x, target], random);
        if (!Number.isFinite(value)) throw new TrainingError(value, place, { step });
        throw new TrainingError(whole, place, { what: "norm of the gradient", step });
      }
      this.#board.add({ loss: value, account: counted }, prediction, target);
      return value;
    };
    return isPromise(result) || arrivals() !== undefined ? arrived(result).then(finish) : finish(result);
  }

  /**
   * What fails at tracing is tried eagerly, which works or fails with its own message; nothing was changed by the trace.
   */
  #takeStep(batch: readonly [Tensor, Tensor]): StepResult | Promise<StepResult> {
    const compiled = this.#compiled;
    const known = compiled?.steps.length;
    const eagerInstead = (error: unknown): StepResult | Promise<StepResult> => {
      if (compiled?.steps.length !== known || compiled === undefined || !(error instanceof InputError)) throw error;
      this.#compiled = undefined;
      const result = takeStep(this.model, this.#options, undefined, batch);
      console.warn(`kasane: fit runs its steps op by op, which is slower, as with compile: false: ${error.message}`);
      return result;
    };
    try {
      const result = takeStep(this.model, this.#options, compiled, batch);
      return isPromise(result) ? result.catch(eagerInstead) : result;
    } catch (error) {
      return eagerInstead(error);
    }
  }

  /** Validates. Undefined when interrupted meanwhile. */
  async #report(epoch: number): Promise<Omit<EpochReport<M[number]["name"]>, "seconds"> | undefined> {
    const train = this.#board.scores();
    const base = { epoch, learningRate: this.optimizer.learningRate, train };
    if (this.#validation === undefined) return base;
    await this.#each("onValidationBegin", epoch);
    const { loss, signal } = this.#options;
    this.#measured?.swap();
    try {
      const { scores } = await evaluate(this.model, this.#validation, {
        loss,
        metrics: this.#metrics,
        batchSize: Math.max(256, this.#loader.batchSize),
        signal,
      });
      return { ...base, validation: scores as EpochReport<M[number]["name"]>["train"] };
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return undefined;
      throw error;
    } finally {
      this.#measured?.swap();
    }
  }

  #interruption(): StopReason | undefined {
    if (this.#options.signal?.aborted) return "aborted";
    return this.#stop === undefined ? undefined : "stopped";
  }

  #restore(state: TrainingState<M[number]["name"]>): void {
    checkPlace(state, this.#loader.length as number);
    this.model.loadStateDict(state.model);
    this.optimizer.loadStateDict(state.optimizer);
    if (state.averages !== undefined) this.#options.averages?.loadStateDict(state.averages);
    setRandomState(state.random);
    this.history.push(...state.history);
    this.#epochs = state.epochs;
    this.#batches = state.batches;
    this.#epochSeconds = state.epochSeconds;
  }

  #finish(reason: StopReason): FitResult<M[number]["name"]> {
    const state = this.checkpoint();
    const { best, bestModel } = this.#best;
    const restoredBest =
      (reason === "finished" || reason === "no improvement") &&
      bestModel !== undefined &&
      (best?.epoch !== this.#epochs || this.#measured !== undefined);
    if (restoredBest) this.model.loadStateDict(bestModel as NonNullable<typeof bestModel>);
    settle(this.model);
    return {
      history: this.history,
      reason,
      ...(reason === "stopped" && this.#stop !== undefined ? { message: this.#stop } : {}),
      epochs: this.#epochs,
      batches: this.#batches,
      seconds: this.history.reduce((sum, { seconds }) => sum + seconds, this.#epochSeconds),
      best,
      restoredBest,
      state,
    };
  }

  /** The averages, where validation measures them and not the weights. */
  get #measured(): FitOptions["averages"] {
    return this.#validation === undefined ? undefined : this.#options.averages;
  }

  get #hasBatchCallback(): boolean {
    return this.#options.callbacks?.some((callback) => callback.onBatchEnd !== undefined) ?? false;
  }

  /** Calls one hook of every callback; waits only for those that return a promise, which a tiny step would feel. */
  async #each(hook: "onEpochBegin" | "onBatchEnd" | "onValidationBegin" | "onEpochEnd", report: unknown): Promise<void> {
    for (const callback of this.#options.callbacks ?? []) {
      const result = (callback[hook] as ((report: unknown, training: Training) => void | Promise<void>) | undefined)?.call(
        callback,
        report,
        this,
      );
      if (isPromise(result)) await result;
    }
  }
}

function checkRate(rate: number, epoch: number): number {
  if (Number.isFinite(rate) && rate >= 0) return rate;
  throw new InputError(
    `fit: expected a learning rate of at least 0, got ${typeof rate === "number" ? rate : kindOf(rate)} for epoch ${epoch}`,
  );
}
