// Saves and restores what a trial training changes: weights, optimizer state, gradients, random numbers, modes.

import { parametersOf } from "../optim/optimizer.ts";
import { noGrad } from "../tensor/autograd/tape.ts";
import { randomState, setRandomState } from "../tensor/random.ts";
import { valueOf } from "../tensor/tensor.ts";
import { modesOf } from "./modes.ts";
import type { FitOptions, Model } from "./types.ts";

/**
 * Gives a function that puts everything back as it is now, to the last bit: an optimizer that made no step yet has no
 * state again, and parameters without gradients none. Parameters that the optimizer has beside the model's are among
 * them.
 */
export function remember(model: Model, optimizer: FitOptions["optimizer"]): () => void {
  const tensors = new Set([...model.parameters(), ...model.namedBuffers().values(), ...parametersOf(optimizer)]);
  const numbers = [...tensors].map((tensor) => [tensor, tensor.detach().clone()] as const);
  const gradients = [...tensors].map((tensor) => [valueOf(tensor), valueOf(tensor).gradient] as const);
  const modes = modesOf(model).map((mode) => [mode, { ...mode }] as const);
  const [state, random] = [optimizer.stateDict(), randomState()];
  return () => {
    noGrad(() => {
      for (const [tensor, copy] of numbers) tensor.assign(copy);
    });
    for (const [value, gradient] of gradients) value.gradient = gradient;
    for (const [mode, { chosen, forced }] of modes) Object.assign(mode, { chosen, forced });
    optimizer.loadStateDict(state);
    setRandomState(random);
  };
}
