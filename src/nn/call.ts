// Calls of layers: scopes for names, and observers that see every call.

import { currentScope, withScope, withSite } from "../tensor/context.ts";
import { located } from "../tensor/engine.ts";
import { isTensor, valueOf } from "../tensor/tensor.ts";
import { dependsOn } from "../tensor/trace/trace.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import { framesOf, isOwnFile } from "../util/own-code.ts";
import type { Layer, LayerMembers } from "./layer.ts";
import type { LayerMode } from "./mode.ts";

/** Numbers and words a layer was made with. */
export type Settings = Readonly<Record<string, number | string | boolean | readonly number[]>>;

/** A layer or a plain function of tensors. */
export type LayerOrFunction = (...inputs: never[]) => unknown;

/** @deprecated Use LayerOrFunction. */
export type Part = LayerOrFunction;

/** A layer whatever its rule of shapes: what layers that are made of layers call. */
export type Untyped = (...inputs: readonly unknown[]) => Tensor;

/** What a layer is inside. */
export interface LayerState {
  readonly kind: string;
  readonly settings: Settings;
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly buffers: ReadonlyMap<string, Tensor>;
  /** Child layers and plain functions by name, in order. */
  readonly parts: ReadonlyMap<string, LayerOrFunction>;
  readonly forward: (state: LayerState, ...inputs: never[]) => unknown;
  /** Only before the first call of a layer whose sizes that call decides: what it is from then on. */
  readonly decide?: ((input: readonly number[], mode: LayerMode) => LayerState) | undefined;
  readonly mode: LayerMode;
  /** What the mode says. */
  readonly training: boolean;
}

/** One finished call of a layer, or of a plain function among the steps of a sequential. */
export interface LayerCall {
  /** Where it stands in the outermost layer ("0.conv1"); "" for that one itself. */
  readonly path: string;
  readonly kind: string;
  /** Undefined for plain functions. */
  readonly layer: Layer | undefined;
  readonly inputs: readonly unknown[];
  readonly output: unknown;
}

const states = new WeakMap<object, LayerState>();
const running: LayerState[] = [];
let observers: readonly ((call: LayerCall) => void)[] = [];

export function register(layer: LayerMembers, state: LayerState): void {
  states.set(layer, state);
}

export function stateOf(part: object): LayerState | undefined {
  return states.get(part);
}

export function untyped(layer: LayerMembers): Untyped {
  return layer as LayerMembers & Untyped;
}

/** Whether a value is a layer of this library. */
export function isLayer(candidate: unknown): candidate is Layer {
  return typeof candidate === "function" && states.has(candidate);
}

/** Runs a function and calls `observe` for every layer call inside, inner calls first. */
export function observeLayers<Result>(observe: (call: LayerCall) => void, run: () => Result): Result {
  const stop = watchLayers(observe);
  try {
    return run();
  } finally {
    stop();
  }
}

/** Calls `observe` for every layer call from now on. @returns a function that stops it */
export function watchLayers(observe: (call: LayerCall) => void): () => void {
  const before = observers;
  observers = [...before, observe];
  return () => {
    observers = before;
  };
}

/**
 * Calls a part under its name. A layer called from another layer's code finds its name there; the outermost layer has
 * none.
 * @param given its name where the caller knows it
 */
export function callPart(part: LayerOrFunction, inputs: readonly unknown[], given?: string): unknown {
  const state = states.get(part);
  const name = given ?? nameIn(running.at(-1), part, state);
  const compute = (): unknown => {
    const output = attempt(state, inputs, () =>
      state === undefined ? part(...(inputs as never[])) : forward(decided(part, state, inputs), inputs),
    );
    if (observers.length > 0)
      tell({
        path: currentScope().join("."),
        kind: states.get(part)?.kind ?? (part.name || "function"),
        layer: state && (part as Layer),
        inputs,
        output,
      });
    return output;
  };
  const named = name === undefined ? compute : () => withScope(name, compute);
  return running.length === 0 ? withSite(named) : named();
}

/** The layer with a method `run`: a call that asks its forward, as the last of three inputs, for all it computed. */
export function withRun<Made extends LayerMembers>(made: Made): Made {
  const run = (x: Tensor, options?: unknown): unknown => callPart(made as unknown as LayerOrFunction, [x, options, true]);
  return Object.defineProperty(made, "run", { value: run });
}

/** Runs a function; errors that a layer throws itself get the layer's path. */
function attempt<Result>(state: LayerState | undefined, inputs: readonly unknown[], run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw located(state !== undefined && isOfInput(error, inputs) ? notATensor(state, inputs) : error);
  }
}

/**
 * Asked only where something failed, so that calls cost nothing: kasane's own code found no tensor where it was given
 * none.
 */
function isOfInput(error: unknown, [x]: readonly unknown[]): boolean {
  return error instanceof TypeError && !isTensor(x) && isOwnFile(framesOf(error.stack)[0]?.file ?? "");
}

function notATensor({ kind }: LayerState, [x]: readonly unknown[]): InputError {
  return new InputError(
    `${kind}: expected a tensor, got ${kindOf(x)}`,
    x === undefined ? { hint: "call it with its input: net(x), and noGrad(() => net(x))" } : {},
  );
}

/** What a layer is once its input is there. */
function decided(part: LayerOrFunction, state: LayerState, [x]: readonly unknown[]): LayerState {
  if (state.decide === undefined) return state;
  const made = state.decide(valueOf(x as Tensor, state.kind).shape, state.mode);
  states.set(part, made);
  return made;
}

function forward(state: LayerState, inputs: readonly unknown[]): unknown {
  // A compiled step holds for one mode; in another it is traced anew.
  dependsOn(() => state.training);
  running.push(state);
  try {
    return state.forward(state, ...(inputs as never[]));
  } finally {
    running.pop();
  }
}

function nameIn(parent: LayerState | undefined, part: LayerOrFunction, state: LayerState | undefined): string | undefined {
  if (parent === undefined) return undefined;
  for (const [name, candidate] of parent.parts) if (candidate === part) return name;
  return state?.kind;
}

function tell(call: LayerCall): void {
  for (const observe of observers) observe(call);
}
