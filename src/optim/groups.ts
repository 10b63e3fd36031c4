// Parameter groups: their settings, the state kept per parameter, and checks of both.

import { isFloat } from "../nest/typing.ts";
import { isTensor } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";

/** What an optimizer can be set to. */
export type OptimizerSettings = Readonly<Record<string, number | boolean>> & { readonly learningRate: number };

/** Tensors, or tensors by name: `net.parameters()`, `net.namedParameters()`. Names appear in saved state and errors. */
export type Parameters = Iterable<Tensor> | ReadonlyMap<string, Tensor>;

/** Parameters with settings of their own. */
export type ParameterGroup<Options> = { readonly parameters: Parameters } & Partial<Options>;

/** One parameter and what is remembered about it. */
export interface Slot {
  readonly name: string;
  readonly parameter: Tensor;
  /** Steps made before this one. */
  steps: number;
  /** Velocity or moments by name, made at the first step. */
  readonly state: Map<string, Tensor>;
}

/** How the parameters of a group move, and what may be set. */
export interface UpdateRule {
  readonly kind: string;
  /** Every setting with its value where none is given; NaN where one must be. */
  readonly defaults: OptimizerSettings;
  /** Names of what is remembered per parameter. */
  readonly remembered: readonly string[];
  readonly check: (settings: OptimizerSettings) => void;
  /** The setting that may be scheduled besides the learning rate; undefined: none. */
  readonly momentum: string | undefined;
  /**
   * One step of one parameter, outside the tape. The group's present settings are read at every run of a compiled step.
   */
  readonly update: (slot: Slot, gradient: Tensor, group: Group) => void;
}

export interface Group {
  readonly rule: UpdateRule;
  settings: OptimizerSettings;
  /**
   * How often a loaded state brought what compiled steps hold for constant: other settings than the learning rate,
   * other tensors of a slot.
   */
  changes: number;
  /** Whether compiled steps read the momentum at every run: from its first change on. */
  isScheduled: boolean;
  readonly slots: readonly Slot[];
}

export function makeGroups(rule: UpdateRule, parameters: unknown, common: object): Group[] {
  const { kind } = rule;
  const settings = withOptions(rule, rule.defaults, common);
  const hint = exampleOf(kind);
  if (!isIterable(parameters)) {
    const what = hasParameters(parameters) ? "a layer" : parameters === null ? "null" : typeof parameters;
    throw new InputError(`${kind}: expected parameters, got ${what}`, { hint });
  }
  const items: unknown[] = isMap(parameters) ? [] : [...parameters];
  const isGrouped =
    items.length > 0 && items.every((item) => typeof item === "object" && item !== null && "parameters" in item && !isTensor(item));
  const given = (isGrouped ? items : [{ parameters }]) as readonly ({ readonly parameters: Parameters } & Partial<OptimizerSettings>)[];
  let number = 0;
  const groups = given.map((group): Group => {
    const { parameters: own, ...options } = group;
    const entries = isMap(own) ? [...own] : [...(own as Iterable<Tensor>)].map((value) => [undefined, value] as const);
    const slots = entries.map(([key, value]): Slot => {
      if (!isTensor(value))
        throw new InputError(
          `${kind}: expected parameters to be tensors, got ${hasParameters(value) ? "a layer" : value === null ? "null" : typeof value}`,
          { hint },
        );
      const name = key ?? String(number);
      number++;
      if (value.requiresGrad && !isFloat(value.dtype))
        throw new InputError(`${kind}: parameter "${name}" is ${value.dtype}; only floats can be trained`);
      return { name, parameter: value, steps: 0, state: new Map() };
    });
    const merged = withOptions(rule, settings, options);
    rule.check(merged);
    return { rule, settings: merged, changes: 0, isScheduled: false, slots };
  });
  if (number === 0)
    throw new InputError(`${kind}: expected at least one parameter, got none`, {
      hint: "pass net.parameters() of a layer that has weights",
    });
  checkDistinct(kind, groups);
  return groups;
}

const exampleOf = (kind: string): string => `${kind}(net.parameters(), { learningRate: 0.01 })`;

/** @throws InputError when two slots have the same name or tensor */
export function checkDistinct(kind: string, groups: readonly Group[]): void {
  const seen = new Set<string | Tensor>();
  for (const { name, parameter } of groups.flatMap((group) => group.slots)) {
    if (seen.has(name) || seen.has(parameter))
      throw new InputError(`${kind}: parameter "${name}" is given twice`, {
        hint: "each parameter to one optimizer and one group; net.namedParameters() gives names that are apart",
      });
    seen.add(name).add(parameter);
  }
}

/** @throws InputError when a setting is out of range */
export function checkSettings(kind: string, settings: OptimizerSettings, shares: readonly string[], notNegative: readonly string[]): void {
  const { learningRate } = settings;
  if (!(learningRate > 0 && learningRate < Number.POSITIVE_INFINITY))
    throw new InputError(`${kind}: the learning rate must be a positive number, got ${learningRate}`, {
      hint: exampleOf(kind),
    });
  for (const name of shares) {
    const value = settings[name] as number;
    if (!(value >= 0 && value < 1)) throw new InputError(`${kind}: ${name} must be in [0, 1), got ${value}`);
  }
  for (const name of notNegative) {
    const value = settings[name] as number;
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw new InputError(`${kind}: ${name} must not be negative, got ${value}`);
  }
}

/** @throws InputError when an option is unknown or of another type */
function withOptions({ kind, defaults }: UpdateRule, settings: OptimizerSettings, options: object): OptimizerSettings {
  const chosen = Object.entries(
    checkOptions(kind, options as Partial<OptimizerSettings>, defaults as unknown as OptionNames<OptimizerSettings>),
  ).filter(([, value]) => value !== undefined);
  for (const [name, value] of chosen) {
    if (typeof value !== typeof defaults[name])
      throw new InputError(`${kind}: expected ${name} to be a ${typeof defaults[name]}, got ${JSON.stringify(value) ?? typeof value}`);
  }
  return { ...settings, ...Object.fromEntries(chosen) } as OptimizerSettings;
}

/** By its tag: a Map of another realm is none by instanceof. */
function isMap(candidate: unknown): candidate is ReadonlyMap<string, Tensor> {
  return Object.prototype.toString.call(candidate) === "[object Map]";
}

/** A layer, as short for its parameters. */
function hasParameters(candidate: unknown): boolean {
  return typeof (candidate as { parameters?: unknown } | null)?.parameters === "function";
}

function isIterable(candidate: unknown): candidate is Iterable<unknown> {
  return typeof candidate === "object" && candidate !== null && Symbol.iterator in candidate;
}
