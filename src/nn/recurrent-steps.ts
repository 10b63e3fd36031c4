// One time step of each recurrent network: the new state from the sums of its gates.

import * as functions from "../tensor/functions/index.ts";
import type { Tensor } from "../tensor/types.ts";

/** What a recurrent network carries from step to step; "hidden" is also what it puts out. */
export type StateName = "hidden" | "cell";

/** [gates · hidden, inputs], [gates · hidden, hidden] and twice [gates · hidden]: the gates one below the other. */
export interface RecurrentWeights {
  readonly inputWeight: Tensor;
  readonly hiddenWeight: Tensor;
  readonly inputBias: Tensor | undefined;
  readonly hiddenBias: Tensor | undefined;
}

export interface RecurrentKind {
  readonly name: string;
  readonly gates: number;
  readonly states: readonly StateName[];
  /** What is added to the input's products, for all steps at once. */
  readonly offset: (weights: RecurrentWeights) => Tensor | undefined;
  /**
   * @param sums the input's products with their offset [batch, gates · hidden]; state: [batch, hidden] each, in the
   * order of `states`
   */
  readonly step: (sums: Tensor, state: readonly Tensor[], weights: RecurrentWeights) => readonly Tensor[];
}

/** h' = f(W x + b + U h + c). Elman 1990. */
export function elman(activation: "tanh" | "relu"): RecurrentKind {
  return {
    name: "rnn",
    gates: 1,
    states: ["hidden"],
    offset: bothBiases,
    step: (sums, state, { hiddenWeight }) => {
      const total = sums.add(functions.linear(only(state), hiddenWeight));
      return [activation === "relu" ? total.relu() : total.tanh()];
    },
  };
}

/**
 * Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; gates in the order input, forget, fresh,
 * output.
 */
export const longShortTerm: RecurrentKind = {
  name: "lstm",
  gates: 4,
  states: ["hidden", "cell"],
  offset: bothBiases,
  step(sums, state, { hiddenWeight }) {
    const [hidden, cell] = state as readonly [Tensor, Tensor];
    const [write, keep, fresh, show] = gates(sums.add(functions.linear(hidden, hiddenWeight)), 4);
    const remembered = keep.sigmoid().mul(cell).add(write.sigmoid().mul(fresh.tanh()));
    return [show.sigmoid().mul(remembered.tanh()), remembered];
  },
};

/**
 * Cho et al. 2014, the reset gate applied to the hidden product as cuDNN and PyTorch do; gates in the order reset,
 * update, fresh.
 */
export const gated: RecurrentKind = {
  name: "gru",
  gates: 3,
  states: ["hidden"],
  // The reset gate multiplies the hidden product with its bias, so that bias stays with it.
  offset: ({ inputBias }) => inputBias,
  step(sums, state, { hiddenWeight, hiddenBias }) {
    const hidden = only(state);
    const [resetInput, updateInput, freshInput] = gates(sums, 3);
    const [resetHidden, updateHidden, freshHidden] = gates(functions.linear(hidden, hiddenWeight, hiddenBias), 3);
    const reset = resetInput.add(resetHidden).sigmoid();
    const update = updateInput.add(updateHidden).sigmoid();
    const fresh = freshInput.add(reset.mul(freshHidden)).tanh();
    return [fresh.add(update.mul(hidden.sub(fresh)))];
  },
};

function bothBiases({ inputBias, hiddenBias }: RecurrentWeights): Tensor | undefined {
  return inputBias && hiddenBias && inputBias.add(hiddenBias);
}

function gates(sums: Tensor, count: number): readonly [Tensor, Tensor, Tensor, Tensor] {
  return sums.split(sums.shape.at(-1)! / count, -1) as unknown as readonly [Tensor, Tensor, Tensor, Tensor];
}

function only(state: readonly Tensor[]): Tensor {
  return state[0]!;
}
