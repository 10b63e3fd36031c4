// Seeded random numbers for data: many independent streams per seed, the same on every machine.

import { InputError } from "../../util/errors.ts";
import { textOf } from "../../util/kind-of.ts";

/**
 * xoshiro128** (Blackman and Vigna, 2018) whose 128-bit state is hashed from a seed and a stream number, so that
 * sample `i` of a generated set can be drawn from stream `i` without drawing the samples before it.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  #spareNormal: number | undefined;

  /** @throws InputError when `seed` or `stream` is not a whole number from 0 to 2^53 - 1. */
  constructor(seed: number, stream = 0) {
    checkSeed(seed, "seed");
    checkSeed(stream, "stream");
    let hash = 0x9e3779b9;
    for (const word of [seed, seed / 2 ** 32, stream, stream / 2 ** 32]) hash = mix(hash ^ (word >>> 0)) + 0x7f4a7c15;
    this.#a = mix(hash + 0x9e3779b9);
    this.#b = mix(hash + 2 * 0x9e3779b9);
    this.#c = mix(hash + 3 * 0x9e3779b9);
    this.#d = mix(hash + 4 * 0x9e3779b9) | 1; // never all zero, the one state that xoshiro cannot leave
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const scaled = Math.imul(this.#b, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.uint32() / 2 ** 32);
  }

  /** Gaussian (Box and Muller, 1958). */
  normal(mean = 0, deviation = 1): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return mean + deviation * spare;
    }
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 1) / 2 ** 32));
    const angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return mean + deviation * radius * Math.cos(angle);
  }

  /** A whole number from 0 to `count - 1`, each equally likely. */
  integer(count: number): number {
    // Values at or above the largest multiple of `count` would favour small results; draw again.
    const limit = 2 ** 32 - (2 ** 32 % count);
    let value = this.uint32();
    while (value >= limit) value = this.uint32();
    return value % count;
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One of the elements. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(choices.length)]!;
  }

  /** Shuffles in place (Fisher and Yates) and returns the same array. */
  shuffle<T extends Int32Array | Float32Array | unknown[]>(values: T): T {
    for (let last = values.length - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      const kept = values[last];
      values[last] = values[other];
      values[other] = kept;
    }
    return values;
  }
}

/** The numbers 0 … count - 1 in an order fixed by seed and stream. */
export function permutation(count: number, seed: number, stream = 0): Int32Array {
  const order = new Int32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  return new Random(seed, stream).shuffle(order);
}

/** @throws InputError unless `value` is a whole number from 0 to 2^53 - 1. */
export function checkSeed(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InputError(`${name}: expected a whole number from 0 to 2^53 - 1, got ${textOf(value)}`);
  }
}

/** @throws InputError unless `value` is a whole number of at least `least`. */
export function checkCount(value: number, name: string, least = 1): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new InputError(`${name}: expected a whole number of at least ${least}, got ${textOf(value)}`);
  }
}

/** @throws InputError unless `value` is a finite number of at least 0. */
export function checkAmount(value: number, name: string): void {
  if (!Number.isFinite(value) || value < 0) {
    throw new InputError(`${name}: expected a number of at least 0, got ${textOf(value)}`);
  }
}

// The 32-bit finalizer of MurmurHash3: every input bit flips every output bit with probability near one half.
function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
