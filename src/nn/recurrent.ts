// Recurrent layers over whole sequences: several layers, both directions, variable lengths, state in and out.

import { zeros } from "../tensor/create.ts";
import * as functions from "../tensor/functions/index.ts";
import * as random from "../tensor/random.ts";
import type { AsShape, Fits, Shape } from "../tensor/shapes.ts";
import { isTensor } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { type LayerState, withRun } from "./call.ts";
import { checkCount, checkFeatures, checkRank, given } from "./checks.ts";
import { type LayerMembers, makeLayer } from "./layer.ts";
import { type Lengths, realSteps } from "./lengths.ts";
import { WEIGHT_OPTIONS } from "./linear.ts";
import {
  activationOf,
  checkState,
  type LstmState,
  type RecurrentWeightOptions,
  type RnnOptions,
  recurrentWeights,
} from "./recurrent-cells.ts";
import { elman, gated, longShortTerm, type RecurrentKind, type RecurrentWeights, type StateName } from "./recurrent-steps.ts";
import type { ApplyRule, ShapeRule } from "./rules.ts";
import type { RecurrentRule } from "./sequence-rules.ts";

export interface RecurrentOptions extends RecurrentWeightOptions {
  /** Layers on top of each other, each reading the one below. Default 1. */
  readonly layers?: number;
  /** A second direction reads every sequence from its end; results of both stand side by side. Default false. */
  readonly bidirectional?: boolean;
  /** Dropout of what one layer hands to the next, in training. Default 0. */
  readonly dropout?: number;
  /**
   * What a call gives: the uppermost layer's output at every step, or only what it knows at the end. Default
   * "sequence".
   */
  readonly returns?: "sequence" | "last";
}

/** What a call may be given besides the sequences. */
export interface SequenceOptions<State> {
  /**
   * Steps of every sequence that are real, from 1 to all; default all. The others are not read, and the output is 0
   * there.
   */
  readonly lengths?: Lengths;
  /** The state before the first step, [layers · directions, batch, hidden] each, in PyTorch's order; default zeros. */
  readonly state?: State;
}

/** The state of an rnn or gru: [layers · directions, batch, hidden]. */
export interface HiddenState {
  readonly hidden: Tensor;
}

/** A recurrent layer: called, it gives a tensor; `run` gives the state too. */
export interface RecurrentLayer<Rule extends ShapeRule, State> extends LayerMembers {
  <S extends Shape>(x: Tensor<S> & Fits<ApplyRule<Rule, S>>, options?: SequenceOptions<State>): Tensor<AsShape<ApplyRule<Rule, S>>>;
  /**
   * The uppermost layer's output at every step [batch, time, hidden · directions], and the state of every layer after
   * its last real step: what `state` takes to continue.
   */
  run(x: Tensor, options?: SequenceOptions<State>): { readonly output: Tensor } & State;
  /** For the compiler only; undefined when the program runs. */
  readonly shapes: Rule;
}

type Returns = "sequence" | "last";
type RuleFor<Kind extends string, Inputs extends number, Hidden extends number, Options extends RecurrentOptions> = RecurrentRule<
  Kind,
  Inputs,
  Hidden,
  Options extends { readonly bidirectional: infer Both } ? (Both extends true ? 2 : Both extends false ? 1 : number) : 1,
  Options extends { readonly returns: infer What extends Returns } ? What : "sequence"
>;

/**
 * A simple recurrent network over sequences x [batch, time, inputs] → [batch, time, hidden] (with `returns: "last"`
 * [batch, hidden]; twice `hidden` when bidirectional): at each step h' = tanh(W x + b + U h + c). Parameters of layer
 * n: inputWeight‹n› [hidden, inputs], hiddenWeight‹n› [hidden, hidden], inputBias‹n›, hiddenBias‹n› [hidden], and the
 * same with "Reverse" after the number: PyTorch's weight_ih_l‹n›, weight_hh_l‹n›, bias_ih_l‹n›, bias_hh_l‹n› and
 * ‹…›_reverse. Elman 1990.
 * @throws InputError when a size or option is out of range; when called, ShapeError for other shapes, InputError for
 * lengths out of range
 */
export function rnn<const Inputs extends number, const Hidden extends number, const Options extends RecurrentOptions & RnnOptions = object>(
  inputs: Inputs,
  hidden: Hidden,
  options?: Options,
): RecurrentLayer<RuleFor<"rnn", Inputs, Hidden, Options>, HiddenState> {
  return recurrent(elman(activationOf("rnn", options ?? {})), inputs, hidden, options ?? {});
}

/**
 * Long short-term memory over sequences x [batch, time, inputs] → [batch, time, hidden] (with `returns: "last"` [batch,
 * hidden]; twice `hidden` when bidirectional). Parameters as in rnn, with the four gates of lstmCell one below the
 * other. Hochreiter & Schmidhuber 1997; Gers et al. 2000.
 * @example const net = sequential(embedding(1000, 32), lstm(32, 64, { returns: "last" }), linear(64, 2))
 * @example const { output, hidden, cell } = memory.run(x, { lengths: [5, 3] }); memory.run(next, { state: { hidden, cell } })
 * @throws InputError when a size or option is out of range; when called, ShapeError for other shapes, InputError for
 * lengths out of range
 */
export function lstm<const Inputs extends number, const Hidden extends number, const Options extends RecurrentOptions = object>(
  inputs: Inputs,
  hidden: Hidden,
  options?: Options,
): RecurrentLayer<RuleFor<"lstm", Inputs, Hidden, Options>, LstmState> {
  return recurrent(longShortTerm, inputs, hidden, options ?? {});
}

/**
 * Gated recurrent units over sequences x [batch, time, inputs] → [batch, time, hidden] (with `returns: "last"` [batch,
 * hidden]; twice `hidden` when bidirectional). Parameters as in rnn, with the three gates of gruCell one below the
 * other. Cho et al. 2014.
 * @throws InputError when a size or option is out of range; when called, ShapeError for other shapes, InputError for
 * lengths out of range
 */
export function gru<const Inputs extends number, const Hidden extends number, const Options extends RecurrentOptions = object>(
  inputs: Inputs,
  hidden: Hidden,
  options?: Options,
): RecurrentLayer<RuleFor<"gru", Inputs, Hidden, Options>, HiddenState> {
  return recurrent(gated, inputs, hidden, options ?? {});
}

type State = Readonly<Partial<Record<StateName, Tensor>>>;

function recurrent<Made extends LayerMembers>(
  kind: RecurrentKind,
  inputs: number,
  hidden: number,
  options: RecurrentOptions & RnnOptions,
): Made {
  const { name } = kind;
  const known = { layers: true, bidirectional: true, dropout: true, returns: true, ...WEIGHT_OPTIONS } as const;
  checkOptions<RecurrentOptions & RnnOptions>(
    name,
    options,
    (name === "rnn" ? { ...known, activation: true } : known) as typeof known & { readonly activation: true },
  );
  const { layers = 1, bidirectional = false, dropout = 0, returns = "sequence" } = options;
  checkCount(name, "inputs", inputs);
  checkCount(name, "hidden", hidden);
  checkCount(name, "layers", layers);
  if (!(dropout >= 0 && dropout < 1)) throw new InputError(`${name}: the dropout must be in [0, 1), got ${dropout}`);
  if (returns !== "sequence" && returns !== "last")
    throw new InputError(`${name}: returns must be "sequence" or "last", got ${JSON.stringify(returns)}`);
  const directions = bidirectional ? ["", "Reverse"] : [""];
  const width = hidden * directions.length;
  const stacked = Array.from({ length: layers }, (_, level) => {
    const own = (direction: string): RecurrentWeights =>
      recurrentWeights(kind, `${name} ${level}${direction}`, level === 0 ? inputs : width, hidden, options);
    return directions.map((direction) => ({ suffix: `${level}${direction}`, weights: own(direction) }));
  });
  const parameters = Object.fromEntries(
    stacked.flat().flatMap(({ suffix, weights }) => Object.entries(weights).map(([what, value]) => [`${what}${suffix}`, value])),
  );

  function forward(state: LayerState, x: Tensor, given?: SequenceOptions<State>, whole = false): unknown {
    const { lengths, state: before } = checkOptions<SequenceOptions<State>>(name, given, { lengths: true, state: true });
    checkRank(name, x, [3], "[batch, time, features]");
    checkFeatures(name, "input features", x, 2, inputs);
    const [batch, time] = x.shape as readonly [number, number, number];
    if (time === 0) throw new InputError(`${name}: expected at least one step, got shape ${shapeText(x.shape)}`);
    const real = lengths === undefined ? undefined : realSteps(name, lengths, batch, time);
    const first = initialStates(kind, stacked.length * directions.length, batch, hidden, x, before);
    const last: (readonly Tensor[])[] = [];
    // Steps come first inside: then the part of one step is in one piece.
    let sequence: Tensor = x.transpose([1, 0, 2]);
    // Padding may hold anything: what is multiplied by a gradient of 0 would be NaN where it is NaN.
    if (real !== undefined) sequence = functions.where(real, sequence, 0);
    for (const [level, weights] of stacked.entries()) {
      if (level > 0 && state.training && dropout > 0) sequence = random.dropout(sequence, dropout);
      const read = weights.map((one, reverse) =>
        direction(kind, one.weights, sequence, first[last.length + reverse]!, real, reverse === 1),
      );
      last.push(...read.map((one) => one.last));
      sequence = join(read.map((one) => one.output));
    }
    const final = last.slice(-directions.length).map(([first]) => first as Tensor);
    if (!whole) return returns === "last" ? join(final) : sequence.transpose([1, 0, 2]);
    const states = kind.states.map((what, n) => [what, functions.stack(last.map((one) => one[n]!))]);
    return { output: sequence.transpose([1, 0, 2]), ...Object.fromEntries(states) };
  }

  const made = makeLayer<Made, readonly [Tensor, SequenceOptions<State>?, boolean?]>({
    kind: name,
    settings: { inputs, hidden, ...given(options, ["layers", "bidirectional", "dropout", "returns", "activation"]) },
    parameters,
    forward,
  });
  return withRun(made);
}

/**
 * One layer in one direction over a sequence that has its steps first: [time, batch, inputs] → [time, batch, hidden].
 */
function direction(
  kind: RecurrentKind,
  weights: RecurrentWeights,
  sequence: Tensor,
  first: readonly Tensor[],
  real: Tensor | undefined,
  reverse: boolean,
): { readonly output: Tensor; readonly last: readonly Tensor[] } {
  // One product for all steps: only what depends on the state must wait for it.
  const sums = functions.linear(sequence, weights.inputWeight, kind.offset(weights)).split(1);
  const reals = real?.split(1);
  const outputs: Tensor[] = [];
  let state = first;
  for (let n = 0; n < sums.length; n++) {
    const step = reverse ? sums.length - 1 - n : n;
    const next = kind.step(sums[step]!.squeeze(0), state, weights);
    const held = reals?.[step]?.squeeze(0);
    // Beyond its end a sequence keeps its state; the reverse direction meets that part first and so begins at the end.
    state = held === undefined ? next : next.map((value, which) => functions.where(held, value, state[which]!));
    outputs[step] = state[0]!;
  }
  const output = functions.stack(outputs);
  return { output: real === undefined ? output : functions.where(real, output, 0), last: state };
}

/** By layer and direction, the tensors of the state. */
function initialStates(
  { name, states }: RecurrentKind,
  count: number,
  batch: number,
  hidden: number,
  x: Tensor,
  before: State | undefined,
): (readonly Tensor[])[] {
  if (before === undefined) {
    const nothing = zeros([batch, hidden], { dtype: x.dtype });
    return Array.from({ length: count }, () => states.map(() => nothing));
  }
  const all = states.map((what) => {
    const value = before[what];
    if (!isTensor(value))
      throw new InputError(
        `${name}: expected the state to be { ${states.join(", ")} }, got ${isTensor(before) ? "a tensor" : `no ${what}`}`,
      );
    checkState(name, what, value, [count, batch, hidden]);
    return value;
  });
  return Array.from({ length: count }, (_, n) => all.map((value) => value.slice(n)));
}

function join(sides: readonly Tensor[]): Tensor {
  return sides.length === 1 ? sides[0]! : functions.concat(sides, -1);
}
