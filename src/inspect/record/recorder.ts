// Records training steps: statistics of every layer's output and gradient, and of every parameter's update.

import { isFloat } from "../../nest/typing.ts";
import { type LayerCall, type LayerState, observeLayers, stateOf } from "../../nn/call.ts";
import type { LayerMembers } from "../../nn/layer.ts";
import { arrived } from "../../tensor/arrivals.ts";
import { withRecording } from "../../tensor/autograd/tape.ts";
import { currentPass } from "../../tensor/context.ts";
import { type Observer, observing } from "../../tensor/observe.ts";
import { asTensor, isTensor, valueOf } from "../../tensor/tensor.ts";
import { tap } from "../../tensor/trace/trace.ts";
import type { HostArray, Tensor } from "../../tensor/types.ts";
import type { Value } from "../../tensor/value.ts";
import { InputError } from "../../util/errors.ts";
import { isPromise, textOf } from "../../util/kind-of.ts";
import { checkOptions } from "../../util/options.ts";
import { tag } from "../../util/tag.ts";
import type { EventKind, RecorderEvent, Report } from "./events.ts";
import { Keeper, type KeepOptions, type KeptStep, picks, type StepSelector } from "./keep.ts";
import { activeUnits, describe, type Histogram, histogram, type Measure, type Measurement, norm, outside } from "./measures.ts";
import { record, recordBeside } from "./recording.ts";

/** Chooses layers: by path, by a pattern of paths, or by a function of path and kind. */
export type LayerSelector = string | RegExp | ((path: string, kind: string) => boolean);

/** What a recorder watches. */
export interface RecorderOptions {
  /** Default: every layer. A path includes the layers inside. */
  readonly layers?: LayerSelector;
  /** Default: all kinds. */
  readonly events?: readonly EventKind[];
  /** Which steps. Default 1, every step. */
  readonly steps?: StepSelector;
  /**
   * In which of those steps events also hold histograms, from which `percentile` reads; they take longer. Default:
   * none.
   */
  readonly histograms?: StepSelector;
  /**
   * Steps of which every number is kept, to be explained afterwards (`recordings`). They take longer, and memory.
   * Default: none.
   */
  readonly keep?: KeepOptions;
  /** How many events are kept for `events`; older ones go. Default: all. */
  readonly most?: number;
}

/** Activations whose outputs can be 0 for good. */
const SILENT = new Set(["relu", "relu6", "reLU"]);

/**
 * Where the derivative of an activation is a tenth of its largest, y(1 − y) = 0.025 and 1 − y² = 0.1, the output is:
 */
const SATURATED: Readonly<Record<string, Measure<number>>> = {
  sigmoid: outside(0.025658, 0.974342),
  tanh: outside(-0.948683, 0.948683),
};

/**
 * Records what happens in the steps it runs. Everything is measured where the tensors are: in a compiled step,
 * measuring is part of the program, so what is seen is what ran. Steps that it does not run, or does not pick, cost
 * nothing.
 *
 * @example const recorder = new Recorder(net); await fit(net, data, { …, recorder }); recorder.events.filter((event) => event.event === "backward" && event.path === "features.0")
 * @example const recorder = new Recorder(net, { keep: { steps: [0, 500] } }); await fit(net, data, { …, recorder }); new RunCursor(recorder.recordings[1].recording).goTo("features.0.weight.grad")
 */
export class Recorder {
  readonly model: LayerMembers;
  readonly #options: RecorderOptions;
  readonly #listeners = new Set<(event: RecorderEvent) => void>();
  readonly #events: RecorderEvent[] = [];
  readonly #names: ReadonlyMap<Value, string>;
  readonly #key: string;
  readonly #kept: Keeper;
  #steps = 0;

  /** @throws InputError for something other than a layer, or options that make no sense */
  constructor(model: LayerMembers, options: RecorderOptions = {}) {
    if (stateOf(model) === undefined)
      throw new InputError("Recorder: expected a layer, whose parts and parameters give the names", { hint: "new Recorder(net)" });
    const { steps, histograms, keep } = checkOptions<RecorderOptions>("Recorder", options, {
      ...{ layers: true, events: true, steps: true, histograms: true, keep: true, most: true },
    });
    checkOptions<KeepOptions>("Recorder: keep", keep, { steps: true, most: true, bytes: true });
    for (const [name, every] of Object.entries({ steps, histograms, "keep.steps": keep?.steps }))
      if (typeof every === "number" && !(Number.isInteger(every) && every > 0))
        throw new InputError(`Recorder: ${name} must be a positive whole number, a list of steps or a function, got ${textOf(every)}`);
    this.model = model;
    this.#kept = new Keeper(keep);
    this.#options = options;
    this.#names = new Map([...model.namedParameters()].map(([name, value]) => [valueOf(value), name]));
    this.#key = `recorder ${recorders++}`;
  }

  /** All events so far, in order. */
  get events(): readonly RecorderEvent[] {
    return this.#events;
  }

  /** How many steps it ran, watched or not. */
  get steps(): number {
    return this.#steps;
  }

  /** Calls a function at every event. @returns a function that stops it */
  listen(listener: (event: RecorderEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Steps kept with every number, in order. */
  get recordings(): readonly KeptStep[] {
    return this.#kept.recordings;
  }

  /** Forgets the events and recordings, not the number of steps. */
  clear(): void {
    this.#events.length = 0;
    this.#kept.clear();
  }

  /**
   * Runs one step of a training, eager or compiled, and watches it.
   * @param report what is known of the step from outside, asked for when it is over
   */
  step<Result>(run: () => Result, report?: (result: Awaited<Result>) => Report): Result {
    const step = this.#steps++;
    const { steps = 1, histograms } = this.#options;
    const isKept = this.#kept.wants(step);
    if (!picks(steps, step)) return isKept ? this.#kept.add(step, record(run, this.model)) : run();
    const isDetailed = histograms !== undefined && picks(histograms, step);
    const watch = new Watch(this.#options, this.#names, this.#key + (isDetailed ? " with histograms" : ""), isDetailed, (event) =>
      this.#tell({ ...event, step: this.#steps - 1 }),
    );
    const layered = (): Result => observeLayers((call) => watch.called(call), run);
    const result = isKept ? this.#kept.add(step, recordBeside(watch, layered, this.model)) : observing(watch, layered);
    const tell = (taken: Awaited<Result>): void => {
      if (this.#wants("report")) this.#tell({ event: "report", step, report: report?.(taken) ?? {} });
    };
    if (!isPromise(result)) {
      tell(result as Awaited<Result>);
      return result;
    }
    return arrived(result as PromiseLike<Awaited<Result>>).then((taken) => {
      tell(taken);
      return taken;
    }) as Result;
  }

  #wants(kind: EventKind): boolean {
    return this.#options.events?.includes(kind) ?? true;
  }

  #tell(event: RecorderEvent): void {
    this.#events.push(event);
    const { most = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#events.length > most) this.#events.splice(0, this.#events.length - most);
    for (const listener of this.#listeners) listener(event);
  }

  static {
    tag(Recorder, "Recorder", (candidate) => #options in candidate);
  }
}

/** As many bars as a picture needs. */
const HISTOGRAM = histogram(64);

/** Tells recorders apart, in the keys of compiled steps. */
let recorders = 0;

type WithoutStep<Event> = Event extends RecorderEvent ? Omit<Event, "step"> : never;
type Tell = (event: WithoutStep<RecorderEvent>) => void;

/** One step under watch: eagerly it lives as long as the step, in a compiled step as long as the program. */
class Watch implements Observer {
  readonly key: string;
  readonly #options: RecorderOptions;
  readonly #names: ReadonlyMap<Value, string>;
  readonly #tell: Tell;
  readonly #isDetailed: boolean;
  readonly #outputs = new Map<Value, { readonly path: string; readonly kind: string }>();
  readonly #differentiated = new Set<Value>();

  constructor(options: RecorderOptions, names: ReadonlyMap<Value, string>, key: string, isDetailed: boolean, tell: Tell) {
    this.#options = options;
    this.#names = names;
    this.key = key;
    this.#isDetailed = isDetailed;
    this.#tell = tell;
  }

  called({ path, kind, layer, output }: LayerCall): void {
    const state = layer && stateOf(layer);
    // A container without weights of its own says nothing that its parts do not; what is computed again was told the
    // first time.
    if (!isTensor(output) || !isFloat(output.dtype) || output.size === 0 || currentPass() !== "forward") return;
    if (state !== undefined && state.parts.size > 0 && state.parameters.size === 0) return;
    if (!this.#selects(path, kind)) return;
    const value = valueOf(output);
    // Inside vmap it is one example of many, which have no statistics of their own.
    if (value.mapping !== undefined) return;
    if (!this.#outputs.has(value)) this.#outputs.set(value, { path, kind });
    if (!this.#wants("forward")) return;
    const { shape } = output;
    const saturated = SATURATED[kind];
    const evaluating = state !== undefined && isEvaluating(state) ? { evaluating: true as const } : {};
    measure(
      {
        output: describe.of(output),
        ...this.#detail(output),
        ...(SILENT.has(kind) ? { active: activeUnits.of(output) } : {}),
        ...(saturated === undefined ? {} : { saturated: saturated.of(output) }),
      },
      (found) => this.#tell({ event: "forward", path, kind, shape, ...evaluating, ...found }),
    );
  }

  differentiated(value: Value, gradient: Value): void {
    if (gradient.size === 0) return;
    const { shape } = value;
    const parameter = this.#names.get(value);
    if (parameter !== undefined && this.#wants("gradient") && this.#selects(parameter, "parameter")) {
      // What another backward pass of this step left is meant to be added to.
      const left = this.#differentiated.has(value) ? undefined : value.gradient;
      this.#differentiated.add(value);
      measure({ gradient: describe.of(asTensor(gradient)), ...(left === undefined ? {} : { carried: norm.of(asTensor(left)) }) }, (found) =>
        this.#tell({ event: "gradient", parameter, shape, ...found }),
      );
    }
    const layer = this.#outputs.get(value);
    if (layer !== undefined && this.#wants("backward"))
      measure({ gradient: describe.of(asTensor(gradient)), ...this.#detail(asTensor(gradient)) }, (found) =>
        this.#tell({ event: "backward", ...layer, shape, ...found }),
      );
  }

  assigned(target: Value, value: Value): void {
    const parameter = this.#names.get(target);
    if (parameter === undefined || currentPass() !== "update" || !this.#wants("update") || !this.#selects(parameter, "parameter")) return;
    const { shape } = target;
    const [before, after] = [asTensor(target), asTensor(value)];
    const added = unwatched(() => after.sub(before));
    measure({ norm: norm.of(before), change: norm.of(added) }, (found) => this.#tell({ event: "update", parameter, shape, ...found }));
  }

  #wants(kind: EventKind): boolean {
    return this.#options.events?.includes(kind) ?? true;
  }

  #detail(x: Tensor): { readonly histogram?: Measurement<Histogram> } {
    return this.#isDetailed ? { histogram: HISTOGRAM.of(x) } : {};
  }

  #selects(path: string, kind: string): boolean {
    const { layers } = this.#options;
    if (layers === undefined) return true;
    if (typeof layers === "function") return layers(path, kind);
    return typeof layers === "string" ? path === layers || path.startsWith(`${layers}.`) : layers.test(path);
  }
}

/** Whether a layer that does something else in training is in evaluation mode, and not frozen. */
function isEvaluating({ training, kind, parameters, buffers }: LayerState): boolean {
  const own = [...parameters.values()];
  if (training || (own.length > 0 && !own.some(({ requiresGrad }) => requiresGrad))) return false;
  return buffers.has("runningMean") || /dropout/i.test(kind);
}

type Measurements = Readonly<Record<string, Measurement<unknown>>>;
type Found<Wanted extends Measurements> = {
  readonly [Name in keyof Wanted]: Wanted[Name] extends Measurement<infer Result> ? Result : never;
};

/** Measures tensors and tells all results together: now, or after every run of the step that is being traced. */
function measure<Wanted extends Measurements>(wanted: Wanted, tell: (found: Found<Wanted>) => void): void {
  const parts = unwatched(() => Object.entries(wanted).map(([name, { compute, read }]) => ({ name, tensors: compute(), read })));
  const all = parts.flatMap(({ tensors }) => tensors);
  let arrays: HostArray[] = [];
  all.forEach((part) =>
    tap(valueOf(part), (data) => {
      arrays.push(data);
      if (arrays.length < all.length) return;
      const found = parts.map(({ name, tensors, read }) => [name, read(arrays.splice(0, tensors.length))] as const);
      arrays = [];
      tell(Object.fromEntries(found) as Found<Wanted>);
    }),
  );
}

/** What measuring does to tensors is no part of the step. */
function unwatched<Result>(run: () => Result): Result {
  return observing(undefined, () => withRecording(false, run));
}
