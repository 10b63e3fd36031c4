// Named arrays that share their first axis: one row is one sample. Subsets and splits copy nothing until batched.

import { FUNCTION, isNumber, type Kind, requireKind } from "../util/arguments.ts";
import { InputError } from "../util/errors.ts";
import { kindOf, textOf } from "../util/kind-of.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { tag } from "../util/tag.ts";
import {
  elementCount,
  type Fields,
  gatherRows,
  holdsFractions,
  isIndexed,
  type NdArray,
  requireArray,
  type Storage,
  stored,
} from "./array.ts";
import { checkCount, permutation } from "./generators/random.ts";
import { Draws, type Transform } from "./transforms/transform.ts";

/** Names of classes and columns, and what values may be. */
export interface DatasetOptions {
  /** Names of the classes; the field `y` must then hold indices into them. */
  readonly classNames?: readonly string[];
  /** Names of the columns of the field `x`. */
  readonly columnNames?: readonly string[];
  /** Accept NaN and infinite values (default false: the first one is an error). */
  readonly allowNonFinite?: boolean;
}

/** How samples are shared out. */
export interface SplitOptions {
  /** Default 0. */
  readonly seed?: number;
  /**
   * Keep the share of each class in both parts, by the labels in field `y` (default: true when the dataset has class
   * names).
   */
  readonly stratify?: boolean;
  /** Take the parts in order instead of at random (default false). */
  readonly inOrder?: boolean;
}

/** How to apply a transform once to all samples. */
export interface MapOptions extends Pick<DatasetOptions, "allowNonFinite"> {
  /** Decides what is random in the transform. Default 0. */
  readonly seed?: number;
}

// A view hands its rows to the constructor under a key that only this file knows: they are checked already.
const viewRows = Symbol("rows of a view");

interface ViewOptions extends DatasetOptions {
  readonly [viewRows]?: Int32Array;
}

/**
 * @example
 * const { images, labels, classNames } = digits({ count: 6000 });
 * const [train, validation] = new Dataset({ x: images, y: labels }, { classNames }).split(0.9);
 */
export class Dataset<F extends Fields = Fields> {
  /** Number of samples. */
  readonly size: number;
  readonly classNames: readonly string[] | undefined;
  readonly columnNames: readonly string[] | undefined;
  readonly #source: F;
  readonly #rows: Int32Array | undefined;
  #fields: F | undefined;

  /**
   * @throws InputError when there are no fields or no rows, lengths differ, a label has no class or a value is not
   * finite.
   */
  constructor(fields: F, options: DatasetOptions = {}) {
    const rows = (options as ViewOptions | null)?.[viewRows];
    requireKind("Dataset: fields", FIELDS, fields);
    checkOptions<DatasetOptions>("Dataset", options, { classNames: true, columnNames: true, allowNonFinite: true });
    const source = rows === undefined ? storedFields(fields) : fields;
    if (rows === undefined) checkFields(source, options);
    this.size = rows === undefined ? commonLength(fields) : rows.length;
    this.classNames = options.classNames;
    this.columnNames = options.columnNames;
    this.#source = source;
    this.#rows = rows;
  }

  /** All samples as arrays; a view copies its rows on the first reading. */
  get fields(): F {
    this.#fields ??= this.#rows === undefined ? this.#source : gatherFields(this.#source, this.#rows);
    return this.#fields;
  }

  /** Copies the samples at these positions into fresh arrays, in this order. */
  gather(positions: ArrayLike<number>): F {
    return gatherFields(this.#source, this.#sourceRows(positions));
  }

  /** A view of the samples at these positions, in this order; a position may repeat. */
  subset(positions: ArrayLike<number>): Dataset<F> {
    requirePositions(positions);
    if (positions.length === 0) throw new InputError("dataset: a subset needs at least one sample, got none");
    const options: ViewOptions = { classNames: this.classNames, columnNames: this.columnNames, [viewRows]: this.#sourceRows(positions) };
    return new Dataset(this.#source, options);
  }

  /** A view of the samples from `start` up to, not including, `end`. */
  slice(start: number, end = this.size): Dataset<F> {
    checkCount(start, "dataset: slice start", 0);
    checkCount(end, "dataset: slice end", 0);
    return this.subset(Int32Array.from({ length: Math.max(0, Math.min(end, this.size) - start) }, (_, index) => start + index));
  }

  /**
   * Two views that share no sample: the first holds `fraction` of them (rounded, at least one in each part).
   *
   * @throws InputError when `fraction` is not between 0 and 1, there are fewer than two samples, or `stratify` finds no
   * class indices in `y`.
   */
  split(fraction: number, options: SplitOptions = {}): [Dataset<F>, Dataset<F>] {
    const {
      seed = 0,
      inOrder = false,
      stratify = !inOrder && this.classNames !== undefined,
    } = checkOptions<SplitOptions>("split", options, { seed: true, stratify: true, inOrder: true });
    if (!(isNumber(fraction) && fraction > 0 && fraction < 1))
      throw new InputError(`split: expected a fraction between 0 and 1, got ${textOf(fraction)}`);
    if (this.size < 2) throw new InputError(`split: expected at least two samples, got ${this.size}`);
    if (stratify && inOrder)
      throw new InputError("split: stratify chooses samples by class and cannot keep them in order; choose one of the two");
    const order = inOrder ? Int32Array.from({ length: this.size }, (_, index) => index) : permutation(this.size, seed);
    const firstCount = Math.min(this.size - 1, Math.max(1, Math.round(this.size * fraction)));
    const inFirst = stratify ? this.#stratified(order, fraction, firstCount) : order.map((_, index) => (index < firstCount ? 1 : 0));
    return [this.subset(order.filter((_, index) => inFirst[index] === 1)), this.subset(order.filter((_, index) => inFirst[index] === 0))];
  }

  /**
   * A data set of what the transform makes of all samples, as one batch: for changes that are the same in each epoch
   * (`fit` and `DataLoader` take a transform that is applied anew to each batch). Class names stay while y holds class
   * numbers, column names while x has as many columns.
   *
   * @throws InputError when the result is no data set, and what the transform throws.
   */
  map<G extends Fields>(transform: Transform<F, G>, options: MapOptions = {}): Dataset<G> {
    const { seed = 0, ...rest } = checkOptions<MapOptions>("map", options, { seed: true, allowNonFinite: true });
    requireKind("map: transform", FUNCTION, transform);
    const samples = Int32Array.from({ length: this.size }, (_, index) => index);
    const fields = transform(this.fields, new Draws({ seed, samples }));
    const { x, y } = fields as Fields;
    const { classNames, columnNames } = this;
    return new Dataset(fields, {
      ...rest,
      ...(classNames !== undefined && (y === undefined || isClassIndices(y)) ? { classNames } : {}),
      ...(columnNames !== undefined && (x === undefined || x.shape[1] === columnNames.length) ? { columnNames } : {}),
    });
  }

  /**
   * Marks `firstCount` entries of `order` so that every class gets its share; rounding goes to the largest remainders.
   */
  #stratified(order: Int32Array, fraction: number, firstCount: number): Uint8Array {
    const labels = this.fields.y;
    if (labels === undefined || !isClassIndices(labels)) {
      throw new InputError("split: stratify needs class indices (whole numbers) in a field y of shape [samples]", {
        hint: "stratify: false",
      });
    }
    const byClass = new Map<number, number[]>();
    for (const [index, position] of order.entries()) {
      const label = labels.data[position]!;
      const members = byClass.get(label);
      if (members === undefined) byClass.set(label, [index]);
      else members.push(index);
    }
    const classes = [...byClass.values()].map((members) => {
      const share = members.length * fraction;
      return { members, taken: Math.floor(share), remainder: share - Math.floor(share) };
    });
    let missing = firstCount - classes.reduce((sum, { taken }) => sum + taken, 0);
    for (const entry of [...classes].sort((a, b) => b.remainder - a.remainder)) {
      if (missing <= 0) break;
      entry.taken++;
      missing--;
    }
    const marks = new Uint8Array(order.length);
    for (const { members, taken } of classes) for (const index of members.slice(0, taken)) marks[index] = 1;
    return marks;
  }

  #sourceRows(positions: ArrayLike<number>): Int32Array {
    requirePositions(positions);
    return Int32Array.from(positions, (position) => {
      if (!(Number.isInteger(position) && position >= 0 && position < this.size)) {
        throw new InputError(`dataset: expected sample positions from 0 to ${this.size - 1}, got ${textOf(position)}`);
      }
      return this.#rows === undefined ? position : this.#rows[position]!;
    });
  }

  static {
    tag(Dataset, "Dataset", (candidate) => #source in candidate);
  }
}

/**
 * Checks class indices.
 *
 * @throws InputError naming the first label that is not a whole number from 0 to `classCount - 1`.
 */
export function checkLabels(labels: NdArray, classCount: number, where = "labels"): void {
  requireArray("checkLabels", labels);
  checkCount(classCount, "checkLabels: classCount", 0);
  const values: Storage = labels.data;
  for (let index = 0; index < values.length; index++) {
    const label = values[index]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classCount)) {
      throw new InputError(`${where}: expected class indices from 0 to ${classCount - 1}, got ${textOf(label)} at sample ${index}`, {
        hint: "number the classes from 0, or give as many class names as there are classes",
      });
    }
  }
}

/** @throws InputError naming the first value that is NaN or infinite. */
export function checkFinite(array: NdArray, where: string, columnNames?: readonly string[]): void {
  requireArray("checkFinite", array);
  const values: Storage = array.data;
  if (!holdsFractions(array)) return;
  for (let index = 0; index < values.length; index++) {
    if (Number.isFinite(values[index])) continue;
    const width = elementCount(array.shape.slice(1));
    const column = index % width;
    const name = columnNames?.[column] === undefined ? `value ${column}` : `column "${columnNames[column]}"`;
    throw new InputError(`${where}: expected finite numbers, got ${values[index]} at sample ${Math.floor(index / width)}, ${name}`, {
      hint: "repair or drop that sample; allowNonFinite: true lets it through",
    });
  }
}

function checkFields(fields: Fields, options: DatasetOptions): void {
  commonLength(fields);
  const { x, y } = fields;
  if (options.classNames !== undefined && y !== undefined) checkLabels(y, options.classNames.length, 'dataset: field "y"');
  if (options.columnNames !== undefined && x !== undefined && x.shape[1] !== options.columnNames.length) {
    throw new InputError(`dataset: ${options.columnNames.length} column names for x of shape ${shapeText(x.shape)}`);
  }
  if (options.allowNonFinite === true) return;
  for (const [name, array] of Object.entries(fields)) {
    checkFinite(array, `dataset: field "${name}"`, name === "x" ? options.columnNames : undefined);
  }
}

/**
 * The fields with their numbers in kinds that hold data.
 * @throws InputError for a field that is not numbers with their shape
 */
function storedFields<F extends Fields>(fields: F): F {
  const entries = Object.entries(fields as Readonly<Record<string, Partial<NdArray> | null>>);
  const kept = entries.map(([name, array]) => {
    if (!Array.isArray(array?.shape) || array?.data === undefined) {
      throw new InputError(`dataset: field "${name}" must be numbers with their shape, got ${kindOf(array)}`, {
        hint: `${name}: tensor([…]), or ${name}: ndArray(new Float32Array(…), [rows, columns])`,
      });
    }
    return [name, stored(array as NdArray, `dataset: field "${name}"`)] as const;
  });
  // Same names, same kinds of array: the type is kept, which Object.fromEntries cannot express.
  return kept.every(([name, array]) => array === fields[name]) ? fields : (Object.fromEntries(kept) as Fields as F);
}

function commonLength(fields: Fields): number {
  const entries = Object.entries(fields);
  for (const [name, { shape, data }] of entries) {
    if (shape.length === 0) throw new InputError(`dataset: field "${name}" has shape []; expected a first axis of samples`);
    if (elementCount(shape) !== data.length) {
      throw new InputError(`dataset: field "${name}" has shape ${shapeText(shape)} but ${data.length} values`);
    }
  }
  const lengths = entries.map(([, { shape }]) => shape[0]!);
  const [size] = lengths;
  if (size === undefined) throw new InputError("dataset: expected at least one field, such as { x, y }, got none");
  if (lengths.some((length) => length !== size)) {
    const list = entries.map(([name, { shape }]) => `${name} ${shape[0]}`).join(", ");
    throw new InputError(`dataset: all fields must have the same number of samples, got ${list}`);
  }
  if (size === 0) throw new InputError("dataset: expected at least one sample, got none");
  return size;
}

function gatherFields<F extends Fields>(fields: F, rows: Int32Array): F {
  // Same names, same kinds of array: the type is kept, which Object.fromEntries cannot express.
  return Object.fromEntries(Object.entries(fields).map(([name, array]) => [name, gatherRows(array, rows)])) as Fields as F;
}

function isClassIndices(labels: NdArray): boolean {
  const { shape, data } = labels;
  const oneEach = elementCount(shape) === shape[0];
  return oneEach && (!holdsFractions(labels) || data.every((value: number) => Number.isInteger(value)));
}

const FIELDS: Kind<Fields> = {
  words: "fields by name, such as { x, y }",
  holds: (value): value is Fields => typeof value === "object" && value !== null,
};

function requirePositions(positions: unknown): void {
  if (!isIndexed(positions)) throw new InputError(`dataset: expected a list of sample positions, got ${kindOf(positions)}`);
}
