// Initializers of weights. All draw from the seeded generator (manualSeed).

import { full, parameter } from "../tensor/create.ts";
import * as random from "../tensor/random.ts";
import { isTensor, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";

/** How many numbers flow into one output and out of one input of a weight. */
export interface Fans {
  readonly in: number;
  readonly out: number;
}

/** Makes the starting values of a weight. */
export type Initializer = (shape: readonly number[], fans: Fans) => Tensor;

/** @deprecated Use Initializer. */
export type Initialiser = Initializer;

/** How a layer's weights start: by an initializer, or as these very numbers. */
export type Start = Initializer | Tensor;

/** The fans of a linear weight [out, in] or convolution weight [out, in / groups, …kernel]. */
export function fansOf(shape: readonly number[], groups = 1): Fans {
  const [out = 1, inner = 1, ...kernel] = shape;
  const window = kernel.reduce((a, b) => a * b, 1);
  return { in: inner * window, out: (out / groups) * window };
}

/** Variance 1 / fan-in: keeps the variance of activations with tanh-like and SELU activations. LeCun et al. 1998. */
export function lecunNormal(): Initializer {
  return byNormal((fans) => 1 / fans.in);
}

/** The variance of `lecunNormal`, drawn evenly between ± its limit. LeCun et al. 1998. */
export function lecunUniform(): Initializer {
  return byUniform((fans) => 1 / fans.in);
}

/**
 * Variance 2 / (fan-in + fan-out): keeps activations and gradients alike with sigmoid and tanh. Glorot & Bengio 2010
 * (Xavier).
 */
export function glorotNormal(): Initializer {
  return byNormal((fans) => 2 / (fans.in + fans.out));
}

/** The variance of `glorotNormal`, drawn evenly between ± its limit. Glorot & Bengio 2010 (Xavier). */
export function glorotUniform(): Initializer {
  return byUniform((fans) => 2 / (fans.in + fans.out));
}

/** Variance 2 / fan-in: ReLU sets half of the activations to 0, the 2 makes up for it. He et al. 2015 (Kaiming). */
export function heNormal(): Initializer {
  return byNormal((fans) => 2 / fans.in);
}

/** The variance of `heNormal`, drawn evenly between ± its limit. He et al. 2015 (Kaiming). */
export function heUniform(): Initializer {
  return byUniform((fans) => 2 / fans.in);
}

/** Gaussian numbers. @throws InputError when the deviation is negative */
export function normal(mean = 0, deviation = 1): Initializer {
  if (!(deviation >= 0)) throw new InputError(`normal: the deviation must not be negative, got ${deviation}`);
  return (shape) => random.normal(shape, mean, deviation);
}

/** Numbers drawn evenly from [low, high). @throws InputError unless low ≤ high */
export function uniform(low = 0, high = 1): Initializer {
  if (!(low <= high)) throw new InputError(`uniform: expected low ≤ high, got ${low} and ${high}`);
  return (shape) => random.uniform(shape, low, high);
}

/** The same number everywhere. */
export function constant(value: number): Initializer {
  return (shape) => full(shape, value);
}

/** 0 everywhere. */
export function zeros(): Initializer {
  return constant(0);
}

/** 1 everywhere. */
export function ones(): Initializer {
  return constant(1);
}

/** A parameter of a layer. @throws ShapeError when given numbers, or an initializer's, have another shape */
export function start(where: string, from: Start, shape: readonly number[], fans: Fans): Tensor {
  const value = isTensor(from) ? from : from(shape, fans);
  if (valueOf(value, where).shape.join() !== shape.join())
    throw new ShapeError(`${where}: expected starting values of shape ${shapeText(shape)}, got ${shapeText(value.shape)}`);
  return parameter(value);
}

function byNormal(variance: (fans: Fans) => number): Initializer {
  return (shape, fans) => random.normal(shape, 0, Math.sqrt(variance(fans)));
}

/** Spread over ±√(3 · variance), which has that variance. */
function byUniform(variance: (fans: Fans) => number): Initializer {
  return (shape, fans) => {
    const limit = Math.sqrt(3 * variance(fans));
    return random.uniform(shape, -limit, limit);
  };
}
