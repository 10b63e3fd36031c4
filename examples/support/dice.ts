// Seeded random numbers for examples that make their own data.

import { manualSeed, normal, randomState, setRandomState, uniform } from "kasane";

/** Draws blocks of numbers from the library's generator, without disturbing what the program draws itself. */
export class Dice {
  readonly #seed: number;
  #stream = 0;
  #uniform: ArrayLike<number> = [];
  #normal: ArrayLike<number> = [];
  #usedUniform = 0;
  #usedNormal = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  between(low: number, high: number): number {
    if (this.#usedUniform === this.#uniform.length) [this.#uniform, this.#usedUniform] = [this.#block(() => uniform([4096]).data), 0];
    return low + (high - low) * (this.#uniform[this.#usedUniform++] ?? 0);
  }

  normal(deviation: number): number {
    if (this.#usedNormal === this.#normal.length) [this.#normal, this.#usedNormal] = [this.#block(() => normal([4096]).data), 0];
    return deviation * (this.#normal[this.#usedNormal++] ?? 0);
  }

  whole(below: number): number {
    return Math.floor(this.between(0, below));
  }

  #block(draw: () => ArrayLike<number>): ArrayLike<number> {
    const before = randomState();
    manualSeed(this.#seed);
    setRandomState({ ...randomState(), stream: this.#stream++ });
    const block = draw();
    setRandomState(before);
    return block;
  }
}
