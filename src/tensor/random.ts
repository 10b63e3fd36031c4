// Seeded random tensors and permutations: the same numbers on every backend.

import { LARGEST_INT } from "../nest/addressable.ts";
import { philox } from "../nest/functions.ts";
import { isHeldBy } from "../nest/integers.ts";
import type { Op } from "../ops/op.ts";
import * as random from "../ops/random.ts";
import { InputError } from "../util/errors.ts";
import { checkShape } from "./check-shape.ts";
import { apply } from "./engine.ts";
import type { Shape } from "./shapes.ts";
import { asTensor, like, valueOf } from "./tensor.ts";
import { draw, type Stream } from "./trace/recompute.ts";
import { live, onEachRun } from "./trace/trace.ts";
import type { Tensor } from "./types.ts";
import type { Attributes } from "./value.ts";

let seed = 0;
let stream = 0;

/** A place in the random numbers of tensors. */
export interface RandomState {
  readonly seed: number;
  /** How many random tensors were drawn since the seed was set. */
  readonly stream: number;
}

/** Starts the random numbers again from a seed (0 when never called): an integer of at most 32 bits. */
export function manualSeed(value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
    throw new InputError(`manualSeed: expected an integer from 0 to 4294967295, got ${value}`);
  onEachRun(() => {
    seed = value;
    stream = 0;
  });
}

/** The state of the random numbers of tensors; `setRandomState` continues from it. */
export function randomState(): RandomState {
  return { seed, stream };
}

/**
 * Continues the random numbers from a state that `randomState` gave.
 * @throws InputError when its seed is no integer of at most 32 bits
 */
export function setRandomState(state: RandomState): void {
  manualSeed(state.seed);
  onEachRun(() => {
    stream = state.stream;
  });
}

/** Attributes of the next independent stream of numbers; inside a compiled step a new one at every run. */
export function nextStream(): Attributes & Stream {
  return { ...draw(freshStream) };
}

function freshStream(): Stream {
  onEachRun(() => {
    stream = (stream + 1) >>> 0;
  });
  return { seed: live(() => seed | 0), stream: live(() => stream | 0) };
}

/** Numbers spread evenly over [low, high). */
export function uniform<const S extends Shape>(shape: S, low = 0, high = 1): Tensor<S> {
  checkShape(shape);
  return asTensor<S>(apply(random.uniform, [], { ...nextStream(), low, high }, { resultShape: shape, like }));
}

/** Normally distributed numbers. */
export function normal<const S extends Shape>(shape: S, mean = 0, deviation = 1): Tensor<S> {
  checkShape(shape);
  return asTensor<S>(apply(random.normal, [], { ...nextStream(), mean, deviation }, { resultShape: shape, like }));
}

/** 1 with the given probability, else 0. @throws InputError for a probability outside [0, 1] */
export function bernoulli<const S extends Shape>(shape: S, probability = 0.5): Tensor<S> {
  checkShape(shape);
  if (!(probability >= 0 && probability <= 1)) throw new InputError(`bernoulli: the probability must be in [0, 1], got ${probability}`);
  return asTensor<S>(apply(random.bernoulli, [], { ...nextStream(), probability }, { resultShape: shape, like }));
}

/** Integers from low to high − 1. */
export function randomIntegers<const S extends Shape>(shape: S, low: number, high: number): Tensor<S> {
  checkShape(shape);
  const span = high - low;
  if (!isHeldBy("int32", low) || !isHeldBy("int32", high - 1) || span < 1 || span > 2 ** 31)
    throw new InputError(`randomIntegers: expected integers low < high, got ${low} and ${high}`, {
      hint: "they must be int32 (high may be one more), and at most 2147483648 apart",
    });
  const [op, range] =
    span <= 2 ** 24 ? [random.integers, { span }] : [random.manyIntegers, { coarse: Math.floor(span / 65536), fine: span % 65536 }];
  return asTensor<S>(apply(op, [], { ...nextStream(), low, ...range }, { resultShape: shape, like }));
}

/**
 * 0 … count − 1 in random order (Fisher & Yates).
 * @throws InputError for a count that is no whole number, negative or beyond int32
 */
export function permutation(count: number): Int32Array {
  if (!isHeldBy("int32", count) || count < 0)
    throw new InputError(`permutation: expected a whole number from 0 to ${LARGEST_INT}, got ${String(count)}`);
  const order = Int32Array.from({ length: count }, (_, n) => n);
  const { seed: key, stream: own } = nextStream();
  if (typeof key !== "number" || typeof own !== "number")
    throw new InputError("permutation: cannot be traced: its order is decided outside tensors", {
      hint: "call it before the compiled function and pass the order as a tensor",
    });
  for (let n = count - 1; n > 0; n--) {
    const other = Math.floor((philox(key, own, n)[0] / 2 ** 32) * (n + 1));
    [order[n], order[other]] = [order[other]!, order[n]!];
  }
  return order;
}

/** Sets each element to 0 with the given probability and scales the others by 1 / (1 − probability). */
export function dropout<S extends Shape>(x: Tensor<S>, probability = 0.5): Tensor<S> {
  return drop(random.dropout, "dropout", x, probability);
}

/**
 * Sets whole channels of [batch, channels, …] to 0 with the given probability and scales the others by 1 / (1 −
 * probability).
 */
export function channelDropout<S extends Shape>(x: Tensor<S>, probability = 0.5): Tensor<S> {
  return drop(random.channelDropout, "channelDropout", x, probability);
}

/** Dropout for activations by SELU: what is dropped takes SELU's lowest value, and mean 0 and variance 1 are kept. */
export function alphaDropout<S extends Shape>(x: Tensor<S>, probability = 0.5): Tensor<S> {
  return drop(random.alphaDropout, "alphaDropout", x, probability);
}

function drop<S extends Shape>(op: Op, name: string, x: Tensor<S>, probability: number): Tensor<S> {
  if (!(probability >= 0 && probability < 1)) throw new InputError(`${name}: the probability must be in [0, 1), got ${probability}`);
  return asTensor<S>(apply(op, [valueOf(x, name)], { ...nextStream(), keep: 1 - probability }));
}

/** Runs a function with random numbers of its own (see forkRandom); the others continue as if it had not run. */
export function withOwnRandom<Result>(own: RandomState, run: () => Result): Result {
  const before = randomState();
  seed = own.seed;
  stream = own.stream;
  try {
    return run();
  } finally {
    seed = before.seed;
    stream = before.stream;
  }
}

/**
 * A state for withOwnRandom that depends on the seed and on what was drawn until now, not on when it is used. Counts as
 * one draw.
 */
export function forkRandom(): RandomState {
  const state = { seed: philox(seed, stream, 0)[0] >>> 0, stream: 0 };
  stream = (stream + 1) >>> 0;
  return state;
}
