// What all optimizers share: groups of parameters, their state by name, and checks.

import type { Op } from "../ops/op.ts";
import { tensor, zeros } from "../tensor/create.ts";
import { applyOp } from "../tensor/functions.ts";
import { noGrad } from "../tensor/tape.ts";
import { isTensor } from "../tensor/tensor.ts";
import { dependsOn, type LiveNumber, live, onEachRun } from "../tensor/trace.ts";
import type { HostArray, Tensor } from "../tensor/types.ts";
import type { Attributes } from "../tensor/value.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { nearestName } from "../util/nearest.ts";

/** What an optimizer can be set to. */
export type OptimizerSettings = Readonly<Record<string, number | boolean>> & { readonly learningRate: number };

/** Tensors, or tensors by name: `net.parameters()`, `net.namedParameters()`. Names appear in saved state and errors. */
export type Parameters = Iterable<Tensor> | ReadonlyMap<string, Tensor>;

/** Parameters with settings of their own. */
export type ParameterGroup<Options> = { readonly parameters: Parameters } & Partial<Options>;

/** Everything an optimizer needs to go on where it stopped: tensors by name, and plain numbers. */
export interface OptimizerState {
  readonly kind: string;
  /** The settings of every group. */
  readonly groups: readonly OptimizerSettings[];
  /** How many steps every parameter made, by name. */
  readonly steps: Readonly<Record<string, number>>;
  /** Velocities and moments: "‹parameter›.velocity". */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: HostArray }>;
}

/** Moves parameters by their gradients, with settings for each group and a state that can be kept. */
export interface Optimizer {
  readonly kind: string;
  /** The learning rate of the first group; setting it sets all groups, keeping their ratios to the first. 0 is allowed, as the end of a schedule. */
  learningRate: number;
  /** The settings of every group. */
  readonly groups: readonly OptimizerSettings[];
  /** Moves every parameter that requires a gradient and has one; the others stay. NaN gradients give NaN parameters. */
  step(): void;
  /** Forgets the gradients. */
  zeroGrad(): void;
  /** A copy of the state, for saving. */
  stateDict(): OptimizerState;
  /** Goes on from a saved state. Changes nothing when it throws. @throws InputError or ShapeError when it belongs to another optimizer or other parameters */
  loadStateDict(state: OptimizerState): void;
}

/** One parameter and what is remembered about it. */
export interface Slot {
  readonly name: string;
  readonly parameter: Tensor;
  /** Steps made before this one. */
  steps: number;
  /** Velocity or moments by name, made at the first step. */
  readonly state: Map<string, Tensor>;
}

export interface OptimizerDefinition<Options> {
  readonly kind: string;
  readonly parameters: Parameters | readonly ParameterGroup<Options>[];
  /** Every setting with its value where none is given; NaN where one must be. */
  readonly defaults: OptimizerSettings;
  /** Options for all groups. */
  readonly options: object;
  /** Names of what is remembered per parameter. */
  readonly remembered: readonly string[];
  readonly check: (settings: OptimizerSettings) => void;
  /** One step of one parameter, outside the tape. The rate is asked for at every run of a compiled step. */
  readonly update: (slot: Slot, gradient: Tensor, settings: OptimizerSettings, rate: () => number) => void;
}

interface Group {
  settings: OptimizerSettings;
  /** How often a loaded state brought other settings than the learning rate, which compiled steps hold as constants. */
  changes: number;
  readonly slots: readonly Slot[];
}

export function makeOptimizer<Options>(definition: OptimizerDefinition<Options>): Optimizer {
  const { kind, check, update } = definition;
  const groups = makeGroups(definition);
  const slots = groups.flatMap((group) => group.slots);
  return {
    kind,
    get learningRate() {
      return (groups[0] as Group).settings.learningRate;
    },
    set learningRate(rate: number) {
      if (!(rate >= 0 && rate < Number.POSITIVE_INFINITY))
        throw new InputError(`${kind}: the learning rate must be a positive number, got ${rate}`);
      const before = (groups[0] as Group).settings.learningRate;
      for (const group of groups) {
        const ratio = before === 0 ? 1 : group.settings.learningRate / before;
        group.settings = { ...group.settings, learningRate: rate * ratio };
      }
    },
    get groups() {
      return groups.map((group) => group.settings);
    },
    step() {
      noGrad(() => {
        for (const group of groups) {
          dependsOn(() => group.changes);
          for (const slot of group.slots) {
            const gradient = slot.parameter.grad;
            if (gradient === undefined || !slot.parameter.requiresGrad) continue;
            update(slot, gradient, group.settings, () => group.settings.learningRate);
            onEachRun(
              () => {
                slot.steps++;
              },
              () => {
                slot.steps--;
              },
            );
          }
        }
      });
    },
    zeroGrad() {
      for (const { parameter } of slots) parameter.zeroGrad();
    },
    stateDict: () => ({
      kind,
      groups: groups.map((group) => ({ ...group.settings })),
      steps: Object.fromEntries(slots.map((slot) => [slot.name, slot.steps])),
      tensors: new Map(
        slots.flatMap((slot) => [...slot.state].map(([name, value]) => [`${slot.name}.${name}`, value.detach().clone()] as const)),
      ),
    }),
    loadStateDict: (state) => load(definition, groups, state, check),
  };
}

/** What one step of one parameter works with. */
export interface UpdateContext<Options> {
  readonly weight: Tensor;
  readonly gradient: Tensor;
  readonly settings: Required<Options>;
  /** The learning rate, read at every run. */
  readonly rate: number | LiveNumber;
  /** What is remembered under this name, zeros before the first step. */
  state(name: string): Tensor;
  /** A number that depends on how many steps there are with this one, read at every run. */
  at(number: (steps: number, rate: number) => number): number | LiveNumber;
}

export interface OptimizerDeclaration<Options> {
  readonly kind: string;
  /** Every setting with its value where none is given; NaN where one must be. */
  readonly defaults: { readonly learningRate: number } & { readonly [Name in Exclude<keyof Options, "learningRate">]-?: number | boolean };
  /** Settings in [0, 1). */
  readonly shares?: readonly (keyof Options & string)[];
  /** Settings that must not be negative. */
  readonly notNegative?: readonly (keyof Options & string)[];
  readonly remembered: readonly string[];
  readonly update: (context: UpdateContext<Options>) => void;
}

/** Makes an optimizer for parameters, or for groups of them with settings of their own. @throws InputError for settings out of range */
export type MakeOptimizer<Options> = (parameters: Parameters | readonly ParameterGroup<Options>[], options?: Options) => Optimizer;

/** The function that makes optimizers of one kind. */
export function declareOptimizer<Options extends object>(declaration: OptimizerDeclaration<Options>): MakeOptimizer<Options> {
  const { kind, defaults, shares = [], notNegative = [], remembered: names, update } = declaration;
  return (parameters, options = {} as Options) =>
    makeOptimizer<Options>({
      kind,
      parameters,
      defaults: defaults as unknown as OptimizerSettings,
      options,
      remembered: names,
      check: (settings) => checkSettings(kind, settings, shares, notNegative),
      update: (slot, gradient, settings, learningRate) =>
        update({
          weight: slot.parameter,
          gradient,
          settings: settings as unknown as Required<Options>,
          rate: live(learningRate),
          state: (name) => remembered(slot, name),
          at: (number) => live(() => number(slot.steps + 1, learningRate())),
        }),
    });
}

/** Applies a row of src/ops/updates.ts. */
export function rule(op: Op, inputs: readonly Tensor[], attributes: Attributes): Tensor {
  return applyOp(op, inputs, attributes);
}

/** What is remembered, from zeros before the first step; it is updated with assign. */
export function remembered(slot: Slot, name: string): Tensor {
  let tensor = slot.state.get(name);
  if (tensor === undefined) {
    tensor = zeros(slot.parameter.shape, { dtype: slot.parameter.dtype });
    slot.state.set(name, tensor);
  }
  return tensor;
}

export function checkSettings(kind: string, settings: OptimizerSettings, shares: readonly string[], notNegative: readonly string[]): void {
  const { learningRate } = settings;
  if (!(learningRate > 0 && learningRate < Number.POSITIVE_INFINITY))
    throw new InputError(`${kind}: the learning rate must be a positive number, got ${learningRate}`);
  for (const name of shares) {
    const value = settings[name] as number;
    if (!(value >= 0 && value < 1)) throw new InputError(`${kind}: ${name} must be in [0, 1), got ${value}`);
  }
  for (const name of notNegative) {
    const value = settings[name] as number;
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw new InputError(`${kind}: ${name} must not be negative, got ${value}`);
  }
}

function makeGroups<Options>({ kind, parameters, defaults, options: common, check }: OptimizerDefinition<Options>): Group[] {
  const settings = withOptions(kind, defaults, common);
  const given = isIterable(parameters) ? parameters : undefined;
  if (given === undefined)
    throw new InputError(`${kind}: expected parameters, got ${parameters === null ? "null" : typeof parameters}`, {
      hint: `${kind}(net.parameters(), { learningRate: 0.01 })`,
    });
  const items: unknown[] = given instanceof Map ? [] : [...given];
  const isGrouped =
    items.length > 0 && items.every((item) => typeof item === "object" && item !== null && "parameters" in item && !isTensor(item));
  const groups = (isGrouped ? items : [{ parameters: given }]) as readonly ({
    readonly parameters: Parameters;
  } & Partial<OptimizerSettings>)[];
  const names = new Set<string>();
  const seen = new Set<Tensor>();
  let number = 0;
  const made = groups.map((group): Group => {
    const { parameters: own, ...options } = group;
    const entries = own instanceof Map ? [...own] : [...(own as Iterable<Tensor>)].map((value) => [undefined, value] as const);
    const slots = entries.map(([key, value]): Slot => {
      if (!isTensor(value))
        throw new InputError(`${kind}: expected parameters to be tensors, got ${value === null ? "null" : typeof value}`, {
          hint: `${kind}(net.parameters(), { learningRate: 0.01 })`,
        });
      const name = key ?? String(number);
      number++;
      if (names.has(name) || seen.has(value)) throw new InputError(`${kind}: parameter "${name}" is given twice`);
      if (value.requiresGrad && !value.dtype.startsWith("float"))
        throw new InputError(`${kind}: parameter "${name}" is ${value.dtype}; only floats can be trained`);
      names.add(name);
      seen.add(value);
      return { name, parameter: value, steps: 0, state: new Map() };
    });
    const merged = withOptions(kind, settings, options);
    check(merged);
    return { settings: merged, changes: 0, slots };
  });
  if (number === 0)
    throw new InputError(`${kind}: expected at least one parameter, got none`, {
      hint: "pass net.parameters() of a layer that has weights",
    });
  return made;
}

/** @throws InputError when an option is unknown */
function withOptions(kind: string, settings: OptimizerSettings, options: object): OptimizerSettings {
  const known = Object.keys(settings);
  const chosen = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name] of chosen) {
    if (known.includes(name)) continue;
    const similar = nearestName(name, known);
    throw new InputError(`${kind}: unknown option "${name}"`, {
      hint: similar === undefined ? `options: ${known.join(", ")}` : `did you mean ${similar}?`,
    });
  }
  return { ...settings, ...Object.fromEntries(chosen) } as OptimizerSettings;
}

function isIterable(candidate: unknown): candidate is Iterable<unknown> {
  return typeof candidate === "object" && candidate !== null && Symbol.iterator in candidate;
}

function load<Options>(
  definition: OptimizerDefinition<Options>,
  groups: readonly Group[],
  state: OptimizerState,
  check: (settings: OptimizerSettings) => void,
): void {
  const { kind } = definition;
  const slots = groups.flatMap((group) => group.slots);
  if (state.kind !== kind) throw new InputError(`${kind}: the state belongs to another optimizer, ${state.kind}`);
  if (state.groups.length !== groups.length)
    throw new InputError(`${kind}: the state has ${state.groups.length} parameter groups, expected ${groups.length}`);
  const missing = slots.filter((slot) => state.steps[slot.name] === undefined).map((slot) => slot.name);
  const known = new Set(slots.map((slot) => slot.name));
  const unexpected = Object.keys(state.steps).filter((name) => !known.has(name));
  if (missing.length > 0 || unexpected.length > 0)
    throw new InputError(
      `${kind}: the state belongs to other parameters: ${missing.length} are missing (${missing.slice(0, 4).join(", ")}), ${unexpected.length} are unexpected (${unexpected.slice(0, 4).join(", ")})`,
      {
        hint: "pass the parameters of the same model, named the same way",
      },
    );
  for (const settings of state.groups) if (settings.learningRate !== 0) check(settings);
  const values = slots.map((slot) =>
    definition.remembered.flatMap((name) => {
      const stored = state.tensors.get(`${slot.name}.${name}`);
      if (stored === undefined) return [];
      if (stored.shape.join() !== slot.parameter.shape.join())
        throw new ShapeError(
          `${kind}: ${slot.name}.${name} has shape [${stored.shape.join(", ")}] in the state, the parameter [${slot.parameter.shape.join(", ")}]`,
        );
      return [[name, tensor(stored.data.slice() as HostArray, stored.shape, { dtype: slot.parameter.dtype })] as const];
    }),
  );
  slots.forEach((slot, n) => {
    slot.steps = state.steps[slot.name] as number;
    const loaded = new Map(values[n] as (readonly [string, Tensor])[]);
    for (const name of definition.remembered) {
      // Compiled steps know the tensors that are there: they take the loaded numbers.
      const known = slot.state.get(name);
      const value = loaded.get(name) ?? (known && zeros(known.shape, { dtype: known.dtype }));
      if (known && value) known.assign(value);
      else if (value) slot.state.set(name, value);
    }
  });
  groups.forEach((group, n) => {
    const loaded = { ...group.settings, ...(state.groups[n] as OptimizerSettings) };
    if (Object.keys(loaded).some((key) => key !== "learningRate" && loaded[key] !== group.settings[key])) group.changes++;
    group.settings = loaded;
  });
}
