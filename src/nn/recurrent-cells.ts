// Recurrent cells: one time step per call, with the state passed in and out.

import { zeros } from "../tensor/create.ts";
import * as functions from "../tensor/functions/index.ts";
import { isTensor, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { checkCount, checkFeatures, checkRank } from "./checks.ts";
import { type Fans, type Initializer, start, uniform } from "./init.ts";
import { type LayerMembers, makeLayer } from "./layer.ts";
import { WEIGHT_OPTIONS } from "./linear.ts";
import { elman, gated, longShortTerm, type RecurrentKind, type RecurrentWeights } from "./recurrent-steps.ts";

/** How the weights of a recurrent layer start. */
export interface RecurrentWeightOptions {
  /** Of both weights. Default: uniform within ±1/√hidden. */
  readonly init?: Initializer;
  /** Default true: two biases, one for the input's product and one for the hidden state's. */
  readonly bias?: boolean;
  /** Default: like the weights. */
  readonly biasInit?: Initializer;
}

/** The activation of a plain recurrent network. */
export interface RnnOptions {
  /** Default "tanh". */
  readonly activation?: "tanh" | "relu";
}

/**
 * The state of an LSTM: [batch, hidden] each in a cell, [layers · directions, batch, hidden] each over whole sequences.
 */
export interface LstmState {
  readonly hidden: Tensor;
  readonly cell: Tensor;
}

/**
 * One step of a network whose whole state is its output: x [batch, inputs], hidden [batch, hidden] (zeros unless given)
 * → [batch, hidden].
 */
export interface RecurrentCell extends LayerMembers {
  (x: Tensor, hidden?: Tensor): Tensor;
}

/** One step of an LSTM: x [batch, inputs], state of [batch, hidden] each (zeros unless given) → the next state. */
export interface LstmCell extends LayerMembers {
  (x: Tensor, state?: LstmState): LstmState;
}

/**
 * One step of a simple recurrent network: h' = tanh(W x + b + U h + c). Parameters inputWeight [hidden, inputs],
 * hiddenWeight [hidden, hidden], inputBias and hiddenBias [hidden]. Elman 1990.
 * @example const hidden = cell(x, before)
 * @throws InputError when a size is not a positive integer; when called, ShapeError when x or the state has another
 * shape
 */
export function rnnCell(inputs: number, hidden: number, options: RecurrentWeightOptions & RnnOptions = {}): RecurrentCell {
  return hiddenCell(elman(activationOf("rnnCell", options)), inputs, hidden, options);
}

/**
 * One step of an LSTM; parameters as in rnnCell with four gates in the order input, forget, fresh (g), output, one
 * below the other: c' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c'). Hochreiter & Schmidhuber 1997; Gers et al. 2000.
 * @example const { hidden, cell } = step(x, { hidden: before, cell: memory })
 * @throws InputError when a size is not a positive integer; when called, ShapeError when x or the state has another
 * shape
 */
export function lstmCell(inputs: number, hidden: number, options: RecurrentWeightOptions = {}): LstmCell {
  return cell<LstmCell, LstmState>(longShortTerm, inputs, hidden, options, (state, name) => {
    const whole = typeof state === "object" && isTensor(state.hidden) && isTensor(state.cell);
    if (!whole) throw new InputError(`${name}: expected the state to be { hidden, cell }, both tensors`);
    return [state.hidden, state.cell];
  });
}

/**
 * One step of a gated recurrent unit; parameters as in rnnCell with three gates in the order reset, update, fresh (n),
 * one below the other: n = tanh(W x + b + σ(r) (U h + c)), h' = (1 − σ(z)) n + σ(z) h. Cho et al. 2014, the reset gate
 * applied after the hidden product.
 * @throws InputError when a size is not a positive integer; when called, ShapeError when x or the state has another
 * shape
 */
export function gruCell(inputs: number, hidden: number, options: RecurrentWeightOptions = {}): RecurrentCell {
  return hiddenCell(gated, inputs, hidden, options);
}

/** @throws InputError unless the activation is one that exists */
export function activationOf(name: string, { activation = "tanh" }: RnnOptions): "tanh" | "relu" {
  if (activation === "tanh" || activation === "relu") return activation;
  throw new InputError(`${name}: activation must be "tanh" or "relu", got ${JSON.stringify(activation)}`);
}

/** The weights of one layer in one direction. */
export function recurrentWeights(
  kind: RecurrentKind,
  name: string,
  inputs: number,
  hidden: number,
  options: RecurrentWeightOptions,
): RecurrentWeights {
  const rows = kind.gates * hidden;
  const { init = spread(hidden), bias = true, biasInit = init } = options;
  const made = (what: string, from: Initializer, shape: readonly number[], fans: Fans): Tensor =>
    start(`${name} ${what}`, from, shape, fans);
  const fans = { in: inputs, out: hidden };
  const own = { in: hidden, out: hidden };
  return {
    inputWeight: made("inputWeight", init, [rows, inputs], fans),
    hiddenWeight: made("hiddenWeight", init, [rows, hidden], own),
    inputBias: bias ? made("inputBias", biasInit, [rows], fans) : undefined,
    hiddenBias: bias ? made("hiddenBias", biasInit, [rows], own) : undefined,
  };
}

/** @throws ShapeError unless a state has this shape */
export function checkState(name: string, what: string, state: Tensor, expected: readonly number[]): void {
  const { shape } = valueOf(state, name);
  if (shape.join() !== expected.join())
    throw new ShapeError(`${name}: expected the ${what} state to have shape ${shapeText(expected)}, got ${shapeText(shape)}`);
}

function hiddenCell(kind: RecurrentKind, inputs: number, hidden: number, options: RecurrentWeightOptions & RnnOptions): RecurrentCell {
  return cell<RecurrentCell, Tensor>(kind, inputs, hidden, options, (state) => [state]);
}

function cell<Made extends LayerMembers, State>(
  kind: RecurrentKind,
  inputs: number,
  hidden: number,
  options: RecurrentWeightOptions & RnnOptions,
  tensorsOf: (state: State, name: string) => readonly Tensor[],
): Made {
  const name = `${kind.name}Cell`;
  checkOptions<RecurrentWeightOptions & RnnOptions>(
    name,
    options,
    (kind.name === "rnn" ? { ...WEIGHT_OPTIONS, activation: true } : WEIGHT_OPTIONS) as typeof WEIGHT_OPTIONS & {
      readonly activation: true;
    },
  );
  checkCount(name, "inputs", inputs);
  checkCount(name, "hidden", hidden);
  const weights = recurrentWeights(kind, name, inputs, hidden, options);
  return makeLayer<Made, readonly [Tensor, State?]>({
    kind: name,
    settings: { inputs, hidden, ...(options.activation === undefined ? {} : { activation: options.activation }) },
    parameters: { ...weights },
    forward(_state, x, given) {
      checkRank(name, x, [2], "[batch, features]");
      checkFeatures(name, "input features", x, 1, inputs);
      const shape = [x.shape[0]!, hidden];
      const before = given === undefined ? kind.states.map(() => zeros(shape, { dtype: x.dtype })) : tensorsOf(given, name);
      kind.states.forEach((what, n) => checkState(name, what, before[n]!, shape));
      const sums = functions.linear(x, weights.inputWeight, kind.offset(weights));
      const after = kind.step(sums, before, weights);
      return after.length === 1 ? after[0] : Object.fromEntries(kind.states.map((what, n) => [what, after[n]]));
    },
  });
}

/** PyTorch's: keeps sums of `hidden` products of numbers up to 1 at about 1. */
function spread(hidden: number): Initializer {
  const limit = 1 / Math.sqrt(hidden);
  return uniform(-limit, limit);
}
