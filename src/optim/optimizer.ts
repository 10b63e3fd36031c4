// Shared by all optimizers: how one is declared, its steps, its state, and combining several.

import type { Op } from "../ops/op.ts";
import { updating } from "../tensor/autograd/tape.ts";
import { tensor, zeros } from "../tensor/create.ts";
import { applyOp } from "../tensor/functions/index.ts";
import { valueOf } from "../tensor/tensor.ts";
import { checkAtHand, dependsOn, live, onEachRun } from "../tensor/trace/trace.ts";
import type { LiveNumber } from "../tensor/trace/traced-graph.ts";
import type { HostArray, Tensor } from "../tensor/types.ts";
import type { Attributes } from "../tensor/value.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import {
  checkDistinct,
  checkSettings,
  type Group,
  makeGroups,
  type OptimizerSettings,
  type ParameterGroup,
  type Parameters,
  type Slot,
} from "./groups.ts";

/** The state of an optimizer: tensors by name, and plain numbers. */
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
  /**
   * The learning rate of the first group; setting it sets all groups, keeping their ratios to the first. 0 is allowed,
   * as a beginning or end of a schedule.
   */
  learningRate: number;
  /**
   * The momentum of the first group (beta1 of Adam, AdamW and AMSGrad); setting it sets all groups. Undefined for
   * optimizers whose momentum cannot change from step to step.
   * @throws InputError for those, for SGD made without momentum, and outside [0, 1)
   */
  momentum?: number | undefined;
  /** The settings of every group. */
  readonly groups: readonly OptimizerSettings[];
  /** Moves every parameter that requires a gradient and has one; the others stay. NaN gradients give NaN parameters. */
  step(): void;
  /** Forgets the gradients. */
  zeroGrad(): void;
  /** A copy of the state, for saving. */
  stateDict(): OptimizerState;
  /**
   * Continues from a saved state. Changes nothing when it throws.
   * @throws InputError or ShapeError when it belongs to another optimizer or other parameters
   */
  loadStateDict(state: OptimizerState): void;
}

/** What one step of one parameter works with. */
export interface UpdateContext<Options> {
  readonly weight: Tensor;
  readonly gradient: Tensor;
  readonly settings: Required<Options>;
  /** The learning rate, read at every run. */
  readonly rate: number | LiveNumber;
  /** What `momentum` of the declaration names, read at every run where it is scheduled. */
  readonly momentum: number | LiveNumber;
  /** What is remembered under this name, zeros before the first step; it is updated with assign. */
  state(name: string): Tensor;
  /** A number that depends on how many steps there are with this one, read at every run. */
  at(number: (steps: number, rate: number, momentum: number) => number): number | LiveNumber;
}

export interface OptimizerDeclaration<Options> {
  readonly kind: string;
  /** Every setting with its value where none is given; NaN where one must be. */
  readonly defaults: { readonly learningRate: number } & { readonly [Name in Exclude<keyof Options, "learningRate">]-?: number | boolean };
  /** Settings in [0, 1). */
  readonly shares?: readonly (keyof Options & string)[];
  /** Settings that must not be negative. */
  readonly notNegative?: readonly (keyof Options & string)[];
  /** What else settings must be, together. */
  readonly check?: (settings: Required<Options>) => void;
  readonly remembered: readonly string[];
  /**
   * The setting that is a momentum and may change from step to step; `update` must take it from `momentum` and `at`
   * then.
   */
  readonly momentum?: keyof Options & string;
  readonly update: (context: UpdateContext<Options>) => void;
}

/** Says in the compiler's words why something is not parameters; nothing has its type. */
interface NoParameters<Sentence extends string> {
  readonly sentence: Sentence;
}

/** What parameters must be, or the sentence that a layer, or a group with a setting that there is not, gets instead. */
export type ParametersFor<Given, Options> = Given extends { parameters(): unknown }
  ? NoParameters<"pass net.parameters(): the tensors of the layer, not the layer">
  : Given extends readonly { readonly parameters: unknown }[]
    ? Exclude<keyof Given[number], "parameters" | keyof Options> extends infer Other extends string
      ? [Other] extends [never]
        ? readonly ParameterGroup<Options>[]
        : NoParameters<`unknown option ${Other}`>
      : readonly ParameterGroup<Options>[]
    : Parameters;

/**
 * Makes an optimizer for parameters, or for groups of them with settings of their own.
 * @throws InputError for settings out of range
 */
export type MakeOptimizer<Options> = <Given>(parameters: Given & ParametersFor<Given, Options>, options?: Options) => Optimizer;

/** The function that makes optimizers of one kind. */
export function declareOptimizer<Options extends object>(declaration: OptimizerDeclaration<Options>): MakeOptimizer<Options> {
  const { kind, defaults, shares = [], notNegative = [], check, remembered, momentum, update } = declaration;
  const rule = {
    kind,
    defaults: defaults as unknown as OptimizerSettings,
    remembered,
    momentum,
    check(settings: OptimizerSettings) {
      checkSettings(kind, settings, shares, notNegative);
      check?.(settings as unknown as Required<Options>);
    },
    update: (slot: Slot, gradient: Tensor, group: Group) => {
      const momentumNow = (): number => Number(momentum === undefined ? Number.NaN : group.settings[momentum]);
      update({
        weight: slot.parameter,
        gradient,
        settings: group.settings as unknown as Required<Options>,
        rate: live(() => group.settings.learningRate),
        momentum: group.isScheduled ? live(momentumNow) : momentumNow(),
        state: (name) => rememberedOf(slot, name),
        at: (number) => live(() => number(slot.steps + 1, group.settings.learningRate, momentumNow())),
      });
    },
  };
  return (parameters, options = {} as Options) => optimizerOf(kind, makeGroups(rule, parameters, options));
}

/**
 * Several optimizers as one, for `fit` and checkpoints: each updates its own parameters. Setting the learning rate sets
 * that of the first and keeps the ratios of the others to it. Use only the whole from then on.
 * @example combineOptimizers(muon(matrices, { learningRate: 0.02 }), adamW(others, { learningRate: 0.001 }))
 * @throws InputError when there is none, or two have a parameter of the same name: give them parameters by name
 */
export function combineOptimizers(...optimizers: readonly Optimizer[]): Optimizer {
  if (optimizers.length === 0) throw new InputError("combineOptimizers: expected at least one optimizer, got none");
  const groups = optimizers.flatMap((optimizer, n) => {
    const own = groupsOf.get(optimizer);
    if (own === undefined) throw new InputError(`combineOptimizers: expected an optimizer of kasane/optim as argument ${n}`);
    return own.map((group) => ({ ...group }));
  });
  checkDistinct("combineOptimizers", groups);
  return optimizerOf(optimizers.map(({ kind }) => kind).join("+"), groups);
}

/** Applies a row of src/ops/updates.ts. */
export function rule(op: Op, inputs: readonly Tensor[], attributes: Attributes): Tensor {
  return applyOp(op, inputs, attributes);
}

/** The parameters an optimizer moves; none of one that is not of this library. */
export function parametersOf(optimizer: Optimizer): Tensor[] {
  return (groupsOf.get(optimizer) ?? []).flatMap(({ slots }) => slots.map(({ parameter }) => parameter));
}

const groupsOf = new WeakMap<Optimizer, readonly Group[]>();

function optimizerOf(kind: string, groups: readonly Group[]): Optimizer {
  const [first] = groups as readonly [Group];
  const slots = groups.flatMap((group) => group.slots);
  const ratiosNow = (): number[] => groups.map(({ settings }) => settings.learningRate / first.settings.learningRate);
  // Kept apart from the rates, which a schedule may bring to 0.
  let ratios = ratiosNow();
  const optimizer: Optimizer = {
    kind,
    get learningRate() {
      return first.settings.learningRate;
    },
    set learningRate(rate: number) {
      if (!(rate >= 0 && rate < Number.POSITIVE_INFINITY))
        throw new InputError(`${kind}: the learning rate must be a positive number or 0, got ${rate}`);
      groups.forEach((group, n) => {
        group.settings = { ...group.settings, learningRate: rate * ratios[n]! };
      });
    },
    get momentum() {
      const { rule, settings } = first;
      return rule.momentum === undefined ? undefined : Number(settings[rule.momentum]);
    },
    set momentum(value: number | undefined) {
      for (const group of groups) schedule(kind, group, value);
    },
    get groups() {
      return groups.map((group) => group.settings);
    },
    step() {
      updating(() => {
        for (const group of groups) {
          dependsOn(() => group.changes);
          for (const slot of group.slots) {
            const { grad, requiresGrad, dtype } = slot.parameter;
            if (grad === undefined || !requiresGrad) continue;
            checkAtHand(
              valueOf(grad),
              `${kind}: step() needs the gradient of parameter ${slot.name},`,
              "call step() in that function, or backward() outside of it",
            );
            // Data in double precision gives gradients that have it, which the weight and its state do not.
            group.rule.update(slot, grad.dtype === "float64" && dtype !== "float64" ? grad.to("float32") : grad, group);
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
    loadStateDict(state) {
      load(kind, groups, state);
      // Rates of 0 tell no ratios: those of the options stay.
      if (first.settings.learningRate > 0) ratios = ratiosNow();
    },
  };
  groupsOf.set(optimizer, groups);
  return optimizer;
}

/** Gives a group another momentum. @throws InputError where it has none */
function schedule(kind: string, group: Group, value: number | undefined): void {
  const { rule, settings } = group;
  const { momentum } = rule;
  if (momentum === undefined || (momentum === "momentum" && settings.momentum === 0 && !group.isScheduled))
    throw new InputError(
      `${kind}: ${momentum === undefined ? "its momentum cannot change from step to step" : "it was made without momentum"}`,
      {
        hint: "sgd with a momentum, adam, adamW or amsGrad",
      },
    );
  if (!(value !== undefined && value >= 0 && value < 1)) throw new InputError(`${kind}: ${momentum} must be in [0, 1), got ${value}`);
  // Compiled steps held it for a constant until now.
  if (!group.isScheduled) group.changes++;
  group.isScheduled = true;
  group.settings = { ...settings, [momentum]: value };
}

function rememberedOf(slot: Slot, name: string): Tensor {
  let tensor = slot.state.get(name);
  if (tensor === undefined) {
    tensor = zeros(slot.parameter.shape, { dtype: slot.parameter.dtype });
    slot.state.set(name, tensor);
  }
  return tensor;
}

function load(kind: string, groups: readonly Group[], state: OptimizerState): void {
  const slots = groups.flatMap((group) => group.slots.map((slot) => ({ slot, remembered: group.rule.remembered })));
  if (state.kind !== kind) throw new InputError(`${kind}: the state belongs to another optimizer, ${state.kind}`);
  if (state.groups.length !== groups.length)
    throw new InputError(`${kind}: the state has ${state.groups.length} parameter groups, expected ${groups.length}`);
  const missing = slots.filter(({ slot }) => state.steps[slot.name] === undefined).map(({ slot }) => slot.name);
  const known = new Set(slots.map(({ slot }) => slot.name));
  const unexpected = Object.keys(state.steps).filter((name) => !known.has(name));
  if (missing.length > 0 || unexpected.length > 0)
    throw new InputError(
      `${kind}: the state belongs to other parameters: ${missing.length} are missing (${missing.slice(0, 4).join(", ")}), ${unexpected.length} are unexpected (${unexpected.slice(0, 4).join(", ")})`,
      {
        hint: "pass the parameters of the same model, named the same way",
      },
    );
  groups.forEach(({ rule, settings: own }, n) => {
    const settings = { ...own, ...state.groups[n]! };
    rule.check(settings.learningRate === 0 ? { ...settings, learningRate: own.learningRate || 1 } : settings);
  });
  const values = slots.map(({ slot, remembered }) => {
    const steps = state.steps[slot.name]!;
    if (!Number.isInteger(steps) || steps < 0) throw new InputError(`${kind}: the state has ${steps} steps of "${slot.name}"`);
    return remembered.flatMap((name) => {
      const stored = state.tensors.get(`${slot.name}.${name}`);
      if (stored === undefined) return [];
      if (stored.shape.join() !== slot.parameter.shape.join())
        throw new ShapeError(
          `${kind}: ${slot.name}.${name} has shape ${shapeText(stored.shape)} in the state, the parameter ${shapeText(slot.parameter.shape)}`,
        );
      return [[name, tensor(stored.data.slice() as HostArray, stored.shape, { dtype: slot.parameter.dtype })] as const];
    });
  });
  const forgetting = new Set<Slot>();
  slots.forEach(({ slot, remembered }, n) => {
    slot.steps = state.steps[slot.name]!;
    const loaded = new Map(values[n]!);
    for (const name of remembered) {
      const [known, value] = [slot.state.get(name), loaded.get(name)];
      // Compiled steps know the tensors that are there: they take the loaded numbers.
      if (known && value) known.assign(value);
      else if (value) slot.state.set(name, value);
      else if (slot.state.delete(name)) forgetting.add(slot);
    }
  });
  groups.forEach((group, n) => {
    const loaded = { ...group.settings, ...state.groups[n]! };
    // What was forgotten is made anew, as other tensors than compiled steps know.
    const isRead = (key: string): boolean => key === "learningRate" || (group.isScheduled && key === group.rule.momentum);
    const isOther = Object.keys(loaded).some((key) => !isRead(key) && loaded[key] !== group.settings[key]);
    if (isOther || group.slots.some((slot) => forgetting.has(slot))) group.changes++;
    group.settings = loaded;
  });
}
