// Cuts a dataset or a stream into batches; the order depends only on the seed and the epoch number.

import { arrayKind, dtypeOfArray } from "../nest/arrays.ts";
import { InputError } from "../util/errors.ts";
import { isPromise, kindOf } from "../util/kind-of.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { tag } from "../util/tag.ts";
import { allocateLike, elementCount, type Fields, type NdArray, type Storage, stored } from "./array.ts";
import { Dataset } from "./dataset.ts";
import { checkCount, checkSeed, permutation, Random } from "./generators/random.ts";
import { Draws, type Transform } from "./transforms/transform.ts";

/** How a data set is cut into batches. */
export interface LoaderOptions<F extends Fields = Fields, G extends Fields = F> {
  /** Samples per batch; the last batch of an epoch may be smaller. */
  readonly batchSize: number;
  /** A new random order each epoch (default false). A stream is shuffled within a window of `shuffleWindow` samples. */
  readonly shuffle?: boolean;
  /** Default 0. */
  readonly seed?: number;
  /** Leave out a last batch that is smaller than `batchSize` (default false). */
  readonly dropLast?: boolean;
  /** Number of the first epoch (default 0); set it, or the property, to continue an interrupted training. */
  readonly epoch?: number;
  /** How many samples of a stream are held back to be shuffled (default 1024). */
  readonly shuffleWindow?: number;
  /**
   * Makes each batch into what is given out; its random numbers depend on seed, epoch and each sample's position in the
   * source.
   */
  readonly transform?: Transform<F, G>;
}

/** Which batches of which epoch. */
export interface EpochOptions {
  /** Which epoch's order to follow; default the loader's `epoch`, which is left as it is. */
  readonly epoch?: number;
  /** Number of batches to leave out at the start (default 0). */
  readonly skip?: number;
}

/**
 * Batches of a dataset (`for…of` or `for await…of`) or of a stream (`for await…of`). Each loop is one epoch and moves
 * `epoch` on by one when it begins. Every batch has its own fresh arrays.
 *
 * @example const loader = new DataLoader(train, { batchSize: 64, shuffle: true }); for (const { x, y } of loader) …
 */
export class DataLoader<F extends Fields = Fields, G extends Fields = F> implements Iterable<G>, AsyncIterable<G> {
  /** The epoch that the next loop will follow. */
  epoch: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
  readonly #source: Dataset<F> | AsyncIterable<F>;
  readonly #shuffleWindow: number;
  readonly #transform: Transform<F, G> | undefined;

  /**
   * @param source a dataset, or an async iterable of single samples: fields without the axis of samples.
   * @throws InputError when `batchSize` is not a whole number of at least 1, or `dropLast` would leave no batch.
   */
  constructor(source: Dataset<F> | AsyncIterable<F>, options: LoaderOptions<F, G>) {
    const {
      batchSize,
      shuffle = false,
      seed = 0,
      dropLast = false,
      epoch = 0,
      shuffleWindow = 1024,
      transform,
    } = checkOptions<LoaderOptions<F, G>>("loader", options, {
      ...{ batchSize: true, shuffle: true, seed: true, dropLast: true, epoch: true, shuffleWindow: true, transform: true },
    });
    checkCount(batchSize, "loader: batchSize");
    checkCount(shuffleWindow, "loader: shuffleWindow");
    checkCount(epoch, "loader: epoch", 0);
    checkSeed(seed, "loader: seed");
    if (!(source instanceof Dataset) && typeof source?.[Symbol.asyncIterator] !== "function") {
      throw new InputError("loader: expected a Dataset or an AsyncIterable of samples", {
        hint: "new DataLoader(new Dataset({ x, y }), …)",
      });
    }
    if (dropLast && source instanceof Dataset && source.size < batchSize) {
      throw new InputError(`loader: dropLast leaves no batch: ${source.size} samples, batchSize ${batchSize}`, {
        hint: "a smaller batchSize, or dropLast: false",
      });
    }
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.seed = seed;
    this.dropLast = dropLast;
    this.epoch = epoch;
    this.#source = source;
    this.#shuffleWindow = shuffleWindow;
    this.#transform = transform;
  }

  /** Batches per epoch, or undefined for a stream, whose end is not known. */
  get length(): number | undefined {
    if (!(this.#source instanceof Dataset)) return undefined;
    const batches = this.#source.size / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** One epoch of a data set. @throws InputError for a stream */
  [Symbol.iterator](): Generator<G> {
    // Checked before the epoch moves on.
    this.#dataset();
    return this.batches({ epoch: this.epoch++ });
  }

  /** One epoch of a data set or a stream. @throws InputError when samples of a batch differ in fields or shapes */
  [Symbol.asyncIterator](): AsyncGenerator<G> {
    return this.#asyncBatches(this.epoch++);
  }

  /** The batches of one epoch; does not move `epoch` on. Continues inside an epoch with `skip`. */
  *batches(options: EpochOptions = {}): Generator<G> {
    const { epoch = this.epoch, skip = 0 } = checkOptions<EpochOptions>("loader", options, { epoch: true, skip: true });
    checkCount(epoch, "loader: epoch", 0);
    checkCount(skip, "loader: skip", 0);
    const dataset = this.#dataset();
    const order = this.shuffle
      ? permutation(dataset.size, this.seed, epoch + 1)
      : Int32Array.from({ length: dataset.size }, (_, index) => index);
    const end = this.dropLast ? dataset.size - (dataset.size % this.batchSize) : dataset.size;
    for (let start = skip * this.batchSize; start < end; start += this.batchSize) {
      const samples = order.subarray(start, Math.min(end, start + this.batchSize));
      yield this.#transformed(dataset.gather(samples), samples, epoch);
    }
  }

  async *#asyncBatches(epoch: number): AsyncGenerator<G> {
    if (this.#source instanceof Dataset) {
      yield* this.batches({ epoch });
      return;
    }
    const numbered = enumerate(this.#source);
    const samples = this.shuffle ? shuffleWithin(numbered, this.#shuffleWindow, new Random(this.seed, epoch + 1)) : numbered;
    let waiting: Numbered<F>[] = [];
    for await (const sample of samples) {
      waiting.push(sample);
      if (waiting.length === this.batchSize) {
        yield this.#stacked(waiting, epoch);
        waiting = [];
      }
    }
    if (waiting.length > 0 && !this.dropLast) yield this.#stacked(waiting, epoch);
  }

  #stacked(samples: readonly Numbered<F>[], epoch: number): G {
    return this.#transformed(
      stack(samples.map(({ sample }) => sample)),
      samples.map(({ position }) => position),
      epoch,
    );
  }

  #transformed(batch: F, samples: ArrayLike<number>, epoch: number): G {
    // Without a transform G is F, which the compiler cannot know.
    if (this.#transform === undefined) return batch as Fields as G;
    return checkBatch(this.#transform(batch, new Draws({ seed: this.seed, epoch, samples })));
  }

  #dataset(): Dataset<F> {
    if (this.#source instanceof Dataset) return this.#source;
    throw new InputError("loader: a stream has no known end and can only be read with for await", {
      hint: "for await (const batch of loader)",
    });
  }

  static {
    tag(DataLoader, "DataLoader", (candidate) => #source in candidate);
  }
}

/** A sample of a stream and how many came before it. */
interface Numbered<F> {
  readonly sample: F;
  readonly position: number;
}

async function* enumerate<F>(source: AsyncIterable<F>): AsyncGenerator<Numbered<F>> {
  let position = 0;
  for await (const sample of source) yield { sample, position: position++ };
}

/** Holds `window` samples back and gives out a random one of them for each new one that comes. */
async function* shuffleWithin<T>(source: AsyncIterable<T>, window: number, random: Random): AsyncGenerator<T> {
  const held: T[] = [];
  for await (const sample of source) {
    if (held.length < window) {
      held.push(sample);
      continue;
    }
    const index = random.integer(window);
    const chosen = held[index]!;
    held[index] = sample;
    yield chosen;
  }
  yield* random.shuffle(held);
}

/** Joins samples along a new first axis. */
function stack<F extends Fields>(samples: readonly F[]): F {
  const [first] = samples as readonly [F];
  const names = Object.keys(first);
  const batch: Record<string, NdArray> = {};
  for (const name of names) {
    const { shape, data } = stored(first[name]!, `loader: field "${name}"`);
    const width = elementCount(shape);
    const joined = allocateLike(data, samples.length * width);
    for (const [index, sample] of samples.entries()) {
      const value = sample[name];
      if (value === undefined || value.data.length !== width || value.shape.join() !== shape.join()) {
        throw new InputError(
          `loader: all samples of a batch must have the same fields and shapes: field "${name}" has shape ${shapeText(shape)} in one sample, ` +
            `${value === undefined ? "is missing" : shapeText(value.shape)} in another`,
        );
      }
      joined.set(sameKind(stored(value, `loader: field "${name}"`).data, data, name), index * width);
    }
    batch[name] = { shape: [samples.length, ...shape], data: joined };
  }
  return batch as Fields as F;
}

/** What a transform gave. @throws InputError unless it is fields of arrays */
function checkBatch<G extends Fields>(batch: G): G {
  const example = "return { ...batch, x: changed }";
  if (typeof batch !== "object" || batch === null || isPromise(batch) || Array.isArray(batch))
    throw new InputError(`transform: expected it to give a batch, it gave ${kindOf(batch)}`, {
      hint: isPromise(batch) ? "a transform that is not async" : example,
    });
  for (const [name, value] of Object.entries(batch) as [string, Partial<NdArray> | null | undefined][])
    if (!Array.isArray(value?.shape) || arrayKind(value?.data) === undefined)
      throw new InputError(`transform: expected ${name} of the batch to be an array with its shape, got ${kindOf(value)}`, {
        hint: example,
      });
  return batch;
}

/** @throws InputError when one sample holds another kind of numbers, which the batch's kind would change */
function sameKind(data: Storage, first: Storage, name: string): Storage {
  const [kind, expected] = [dtypeOfArray(data), dtypeOfArray(first)];
  if (kind === expected) return data;
  throw new InputError(`loader: field "${name}" holds ${expected} in one sample of a batch and ${kind} in another`, {
    hint: "give all samples the same kind of array",
  });
}
