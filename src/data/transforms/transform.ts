// What a transform is: a function of a batch and per-sample random numbers; and how transforms are chained.

import { FUNCTION, OBJECT, requireKind, TEXT } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { kindOf } from "../../util/kind-of.ts";
import { tag } from "../../util/tag.ts";
import type { Fields, NdArray } from "../array.ts";
import { checkCount, checkSeed, Random } from "../generators/random.ts";

/**
 * Makes a new batch from a batch; it changes nothing it is given. Everything random comes from `draws`, so that the
 * same seed, epoch and sample give the same result in any order and after an interruption.
 *
 * @example const invert: Transform<Samples> = ({ x, y }) => ({ x: { shape: x.shape, data: x.data.map((value) => 1 - value) }, y });
 */
export type Transform<In extends Fields = Fields, Out extends Fields = In> = (batch: In, draws: Draws) => Out;

/** `F` with another kind of array in the field `Name`. */
export type Replaced<F extends Fields, Name extends string, A extends NdArray> = {
  readonly [Field in keyof F]: Field extends Name ? A : F[Field];
};

/** A transform of any fields that leaves the kinds of its arrays as they are. */
export type FieldsTransform = <F extends Fields>(batch: F, draws: Draws) => F;

/** The place of a batch in a training: what its random numbers are made from. */
export interface DrawsOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Default 0. */
  readonly epoch?: number;
  /** Position of each sample of the batch in its data set. */
  readonly samples: ArrayLike<number>;
}

/** The random numbers of one batch. Asking twice for the same ones gives the same ones again. */
export class Draws {
  readonly #samples: ArrayLike<number>;
  readonly #key: number;

  /** @throws InputError when `seed` or `epoch` is not a whole number of at least 0. */
  constructor(state: DrawsOptions) {
    requireKind("Draws", OBJECT, state);
    const { seed = 0, epoch = 0, samples } = state;
    checkSeed(seed, "transform: seed");
    checkCount(epoch, "transform: epoch", 0);
    // The orders of epochs come from low streams of the same seed.
    this.#key = derive(seed, 2 ** 32 + epoch);
    this.#samples = samples;
  }

  /**
   * Random numbers of the sample at this place of the batch: decided by seed, epoch and sample alone, whatever batch it
   * is in.
   */
  sample(place: number): Random {
    return new Random(this.#key, 2 + this.#samples[place]!);
  }

  /** Random numbers of the batch as a whole, decided by its first sample; for transforms that mix samples. */
  batch(): Random {
    return new Random(derive(this.#key, 0), this.#samples[0] ?? 0);
  }

  /** Independent numbers for the same samples: one stage each for transforms that follow one another. */
  stage(index: number): Draws {
    return Draws.#withKey(derive(derive(this.#key, 1), index), this.#samples);
  }

  static #withKey(seed: number, samples: ArrayLike<number>): Draws {
    return new Draws({ seed, samples });
  }

  static {
    tag(Draws, "Draws", (candidate) => #samples in candidate);
  }
}

/**
 * One transform that applies the given ones in order, each with random numbers of its own. Where kinds of fields
 * change, types follow up to four transforms; compositions can be composed.
 *
 * @example const augment = compose(randomCrop({ size: 28, padding: 2 }), randomFlip(), mixup({ classes: 10 })); await fit(net, train, { loss: crossEntropy, optimizer, epochs: 10, transform: augment });
 * @throws InputError when one of them is not a function
 */
export function compose<A extends Fields, B extends Fields>(first: Transform<A, B>): Transform<A, B>;
export function compose<A extends Fields, B extends Fields, C extends Fields>(
  first: Transform<A, B>,
  second: Transform<B, C>,
): Transform<A, C>;
export function compose<A extends Fields, B extends Fields, C extends Fields, D extends Fields>(
  first: Transform<A, B>,
  second: Transform<B, C>,
  third: Transform<C, D>,
): Transform<A, D>;
export function compose<A extends Fields, B extends Fields, C extends Fields, D extends Fields, E extends Fields>(
  first: Transform<A, B>,
  second: Transform<B, C>,
  third: Transform<C, D>,
  fourth: Transform<D, E>,
): Transform<A, E>;
export function compose(...transforms: readonly FieldsTransform[]): FieldsTransform;
export function compose<F extends Fields>(...transforms: readonly Transform<F>[]): Transform<F>;
export function compose(...transforms: readonly Transform[]): Transform {
  for (const [place, transform] of transforms.entries()) {
    if (typeof transform !== "function") {
      throw new InputError(`compose: expected functions of a batch, got ${typeof transform} as number ${place + 1}`, {
        hint: "compose(randomFlip(), …), with parentheses",
      });
    }
  }
  return (batch, draws) => transforms.reduce((fields, transform, index) => transform(fields, draws.stage(index)), batch);
}

/**
 * A transform of one field from a function of its array.
 *
 * @example
 * const scale = Standardizer.fit(train.fields.x, { axis: 1 });
 * const ready = compose(mapField("x", (x) => scale.apply(x)), mapField("y", (y) => oneHot(y, 10)));
 * @throws InputError, when it is applied, for a batch without that field
 */
export function mapField<const Name extends string, B extends NdArray>(
  name: Name,
  change: (array: NdArray, draws: Draws) => B,
): <F extends Fields>(batch: F, draws: Draws) => Replaced<F, Name, B> {
  requireKind("mapField: change", FUNCTION, change);
  return <F extends Fields>(batch: F, draws: Draws) => {
    const changed = change(fieldOf(batch, name, "mapField"), draws);
    // The spread forgets which names there are; Replaced says it.
    return { ...batch, [name]: changed } as unknown as Replaced<F, Name, B>;
  };
}

/** @throws InputError when the batch has no such field */
export function fieldOf(batch: Fields, name: string, where: string): NdArray {
  if (typeof batch !== "object" || batch === null)
    throw new InputError(`${where}: expected a batch with fields by name, got ${kindOf(batch)}`);
  requireKind(`${where}: field`, TEXT, name);
  const array = batch[name];
  if (array !== undefined) return array;
  throw new InputError(`${where}: expected a field "${name}", the batch has ${Object.keys(batch).join(", ") || "none"}`);
}

/** 53 bits that depend on every bit of both numbers. */
function derive(key: number, stream: number): number {
  const random = new Random(key, stream);
  return random.uint32() * 2 ** 21 + (random.uint32() >>> 11);
}
