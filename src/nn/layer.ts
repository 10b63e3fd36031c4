// What a layer is: a function of tensors that owns parameters, running statistics and other layers.

import type { AsShape, Fits, Shape } from "../tensor/shapes.ts";
import { isTensor, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { callPart, isLayer, type LayerOrFunction, type LayerState, register, type Settings, stateOf } from "./call.ts";
import { isTraining, type LayerMode, newMode } from "./mode.ts";
import { describeLayer } from "./print.ts";
import type { ApplyRule, ShapeRule } from "./rules.ts";
import { type LoadOptions, type LoadReport, loadState, type StateSource } from "./state-dict.ts";

/** What every layer has besides being a function. */
export interface LayerMembers {
  /** What it is: "linear", "conv2d", "sequential", … */
  readonly kind: string;
  /** The numbers and words it was made with. */
  readonly settings: Settings;
  /** Whether dropout drops and batch normalization uses the batch's own statistics. True after construction. */
  readonly training: boolean;
  /** The layers directly inside, by name. */
  readonly children: ReadonlyMap<string, Layer>;
  /** All weights, each once, also those of the layers inside. */
  parameters(): Tensor[];
  /** The same by path ("conv1.weight"); a shared weight has the first of its names. */
  namedParameters(): Map<string, Tensor>;
  /** Numbers that are kept but not trained, such as running statistics. */
  namedBuffers(): Map<string, Tensor>;
  /** This layer ("") and all layers inside, by path, each once. */
  namedLayers(): Map<string, Layer>;
  /** Sets the training mode here and in all layers inside; frozen ones stay in evaluation mode. */
  train(on?: boolean): this;
  /** The mode for using a trained layer: train(false). */
  eval(): this;
  /**
   * false: no gradient is computed for the parameters and optimizers skip them; running statistics and dropout go on as
   * the mode says (see freeze).
   */
  requiresGrad(on: boolean): this;
  /**
   * Keeps this layer and all inside as they are, whatever train() says, until unfreeze(): no gradients for their
   * parameters, optimizers skip them, running statistics stay and are used, dropout is off.
   * @example backbone.freeze(); await fit(sequential(backbone, linear(512, 5)), data, options); backbone.unfreeze();
   */
  freeze(): this;
  /**
   * Ends freeze(), here and inside: parameters that it froze require gradients again, and the mode is what train() and
   * eval() said.
   */
  unfreeze(): this;
  /** Whether freeze() holds. */
  readonly frozen: boolean;
  /** Forgets the gradients of all parameters. */
  zeroGrad(): void;
  /** Copies of all parameters and buffers by name. */
  stateDict(): Map<string, Tensor>;
  /**
   * Puts numbers from a state dict, or a file's tensors, in place, and gives the names: loaded, missing and unexpected
   * ones. Changes nothing when it throws.
   * @throws ShapeError naming shapes that differ; InputError naming what is missing or unexpected, unless `strict` is
   * false and some names fit
   */
  loadStateDict(source: StateSource, options?: LoadOptions): LoadReport;
  /** The structure with shapes and parameter counts. */
  toString(): string;
}

/**
 * Declared as a method so that layers with stricter input shapes are layers too (methods compare their parameters both
 * ways).
 */
type Call = { call(x: Tensor): Tensor }["call"];

/** Any layer of one tensor; every layer of this module can be used as one. */
export interface Layer extends Call, LayerMembers {}

/** A layer whose input and output shapes the compiler checks. */
export interface ShapedLayer<Rule extends ShapeRule> extends LayerMembers {
  <S extends Shape>(x: Tensor<S> & Fits<ApplyRule<Rule, S>>): Tensor<AsShape<ApplyRule<Rule, S>>>;
  /** For the compiler only; undefined when the program runs. */
  readonly shapes: Rule;
}

export interface LayerDefinition<Inputs extends readonly unknown[]> {
  readonly kind: string;
  readonly settings?: Settings;
  readonly parameters?: Readonly<Record<string, Tensor | undefined>>;
  readonly buffers?: Readonly<Record<string, Tensor | undefined>>;
  readonly parts?: Iterable<readonly [string, LayerOrFunction]>;
  readonly forward: (state: LayerState, ...inputs: Inputs) => unknown;
  readonly decide?: LayerState["decide"];
}

/** A layer from its definition; `Made` is its type for the caller. */
export function makeLayer<Made extends LayerMembers, Inputs extends readonly unknown[] = readonly [Tensor]>(
  definition: LayerDefinition<Inputs>,
): Made {
  const mode = newMode();
  const state: LayerState = {
    kind: definition.kind,
    settings: definition.settings ?? {},
    parameters: present(definition.parameters),
    buffers: present(definition.buffers),
    parts: new Map(definition.parts ?? []),
    forward: definition.forward as unknown as LayerState["forward"],
    decide: definition.decide,
    mode,
    get training() {
      return isTraining(mode);
    },
  };
  for (const name of [...state.parts.keys(), ...state.parameters.keys(), ...state.buffers.keys()]) checkName(definition.kind, name);
  const self = ((...inputs: readonly unknown[]) => callPart(self as unknown as LayerOrFunction, inputs)) as unknown as Made;
  const members = membersOf(() => self as unknown as Layer);
  Object.defineProperties(self, { ...Object.getOwnPropertyDescriptors(members), name: { value: state.kind } });
  Object.defineProperty(self, Symbol.for("nodejs.util.inspect.custom"), { value: () => members.toString() });
  register(self, state);
  return self;
}

/**
 * Your own layer: its parts by name, and a function. Parts are layers, plain functions, and tensors
 * (a parameter when it requires a gradient, else a buffer).
 * @example const block = layer({ conv1, conv2 }, (x) => conv2(relu(conv1(x))).add(x))
 * @throws InputError when a part is something else
 */
export function layer<Forward extends { call(...inputs: Tensor[]): unknown }["call"]>(
  parts: Readonly<Record<string, LayerOrFunction | Tensor>>,
  forward: Forward,
  options: { readonly kind?: string; readonly settings?: Settings } = {},
): Forward & LayerMembers {
  checkOptions<typeof options>("layer", options, { kind: true, settings: true });
  const kind = options.kind ?? "layer";
  if (typeof forward !== "function")
    throw new InputError(`${kind}: expected a function of tensors after the parts, got ${typeof forward}`, {
      hint: "layer({ first, second }, (x) => second(first(x)))",
    });
  const entries = Object.entries(parts);
  for (const [name, part] of entries)
    if (typeof part !== "function" && !isTensor(part))
      throw new InputError(
        `${kind}: expected "${name}" to be a layer, a function or a tensor, got ${part === null ? "null" : typeof part}`,
      );
  const tensors = entries.filter((entry): entry is [string, Tensor] => isTensor(entry[1]));
  return makeLayer<Forward & LayerMembers, never[]>({
    kind,
    settings: options.settings,
    parameters: Object.fromEntries(tensors.filter(([, part]) => part.requiresGrad)),
    buffers: Object.fromEntries(tensors.filter(([, part]) => !part.requiresGrad)),
    parts: entries.filter((entry): entry is [string, LayerOrFunction] => typeof entry[1] === "function"),
    forward: (_state, ...inputs) => (forward as LayerOrFunction)(...inputs),
  });
}

function membersOf(self: () => Layer): LayerMembers {
  // Not a constant: the first call of a lazy layer decides what it is.
  const state = (): LayerState => stateOf(self()) as LayerState;
  const each = (pick: (inner: LayerState) => ReadonlyMap<string, Tensor>): Map<string, Tensor> => {
    const found = new Map<string, Tensor>();
    const seen = new Set<Tensor>();
    for (const [path, inner] of layersIn(state())) {
      refuseUndecided(state().kind, path, inner);
      for (const [name, value] of pick(inner)) {
        if (seen.has(value)) continue;
        seen.add(value);
        found.set(path === "" ? name : `${path}.${name}`, value);
      }
    }
    return found;
  };
  const parameters = (): Map<string, Tensor> => each((inner) => inner.parameters);
  const buffers = (): Map<string, Tensor> => each((inner) => inner.buffers);
  const all = (): Map<string, Tensor> => new Map([...parameters(), ...buffers()]);
  const chain = <Result>(run: () => void): Result => {
    run();
    return self() as Result;
  };
  return {
    get kind() {
      return state().kind;
    },
    get settings() {
      return state().settings;
    },
    get training() {
      return state().training;
    },
    get children() {
      return new Map([...state().parts].filter((entry): entry is [string, Layer] => isLayer(entry[1])));
    },
    parameters: () => [...parameters().values()],
    namedParameters: parameters,
    namedBuffers: buffers,
    namedLayers: () => new Map(layersIn(state()).map(([path, , part]) => [path, part ?? self()])),
    train: (on = true) => chain(() => setTraining(state(), on)),
    eval: () => chain(() => setTraining(state(), false)),
    requiresGrad: (on) =>
      chain(() => {
        for (const value of parameters().values()) {
          valueOf(value).requiresGrad = on;
          if (!on) value.zeroGrad();
        }
      }),
    freeze: () =>
      chain(() => {
        parameters();
        for (const [, { mode, parameters: own }] of layersIn(state())) freeze(mode, [...own.values()]);
      }),
    unfreeze: () =>
      chain(() => {
        for (const [, { mode }] of layersIn(state())) unfreeze(mode);
      }),
    get frozen() {
      return state().mode.frozen !== undefined;
    },
    zeroGrad: () => {
      for (const value of parameters().values()) value.zeroGrad();
    },
    stateDict: () => new Map([...all()].map(([name, value]) => [name, value.detach().clone()])),
    loadStateDict: (source, options) => loadState(state().kind, all(), source, options),
    toString: () => describeLayer(state()),
  };
}

function refuseUndecided(kind: string, path: string, state: LayerState): void {
  if (state.decide === undefined) return;
  throw new InputError(
    `${kind}: ${path === "" ? "this layer" : `layer ${path}`} has no parameters before its first input decides its sizes`,
    {
      hint: "call the model once with a batch, net(x), before parameters(), optimizers and state dicts",
    },
  );
}

/** The layers from here on by path, outer before inner, each once. */
export function layersIn(root: LayerState): (readonly [path: string, state: LayerState, layer: Layer | undefined])[] {
  const found: (readonly [string, LayerState, Layer | undefined])[] = [];
  const seen = new Set<LayerState>();
  const visit = (path: string, state: LayerState, self: Layer | undefined): void => {
    if (seen.has(state)) return;
    seen.add(state);
    found.push([path, state, self]);
    for (const [name, part] of state.parts) {
      const inner = stateOf(part);
      if (inner !== undefined) visit(path === "" ? name : `${path}.${name}`, inner, part as Layer);
    }
  };
  visit("", root, undefined);
  return found;
}

function setTraining(root: LayerState, on: boolean): void {
  for (const [, { mode }] of layersIn(root)) Object.assign(mode, { chosen: on, forced: undefined });
}

function freeze(mode: LayerMode, parameters: readonly Tensor[]): void {
  const moving = parameters.filter(({ requiresGrad }) => requiresGrad);
  mode.frozen = [...(mode.frozen ?? []), ...moving];
  for (const value of moving) {
    valueOf(value).requiresGrad = false;
    value.zeroGrad();
  }
}

function unfreeze(mode: LayerMode): void {
  for (const value of mode.frozen ?? []) valueOf(value).requiresGrad = true;
  mode.frozen = undefined;
}

function present(values: Readonly<Record<string, Tensor | undefined>> = {}): Map<string, Tensor> {
  return new Map(Object.entries(values).filter((entry): entry is [string, Tensor] => entry[1] !== undefined));
}

function checkName(kind: string, name: string): void {
  if (name === "" || name.includes("."))
    throw new InputError(
      `${kind}: "${name}" cannot be the name of a part: names are not empty and have no dots, which separate the names in a path`,
    );
}
