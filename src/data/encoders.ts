// Fitted encodings of tables, stored as JSON: categories as numbers or one-hot rows, and imputed missing values.

import { type Kind, LIST, OBJECT, requireKind } from "../util/arguments.ts";
import { InputError } from "../util/errors.ts";
import { textOf, written } from "../util/kind-of.ts";
import { nearestName } from "../util/nearest.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { tag } from "../util/tag.ts";
import type { FloatsOf, NdArray, Storage } from "./array.ts";
import { allocateFloats, elementCount, isIndexed, stored } from "./array.ts";
import { checkCount } from "./generators/random.ts";

/**
 * Class numbers [...shape] as rows of one 1 and else 0: [...shape, classes].
 *
 * @throws InputError for a label that is not a whole number from 0 to `classes` − 1, with its place.
 */
export function oneHot(labels: NdArray, classes: number): NdArray<Float32Array> {
  checkCount(classes, "oneHot: classes");
  const source: Storage = stored(labels, "oneHot").data;
  const data = new Float32Array(source.length * classes);
  for (let index = 0; index < source.length; index++) {
    const label = source[index]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
      throw new InputError(`oneHot: expected class numbers from 0 to ${classes - 1}, got ${textOf(label)} at position ${index}`);
    }
    data[index * classes + label] = 1;
  }
  return { shape: [...labels.shape, classes], data };
}

/** What can be a category: text, or a number such as a code. */
export type Category = string | number;

/** The categories of a column in the order of their numbers. */
export interface CategoryEncoderState {
  readonly categories: readonly Category[];
  /** What happens to a value that is no category: an error (default), or a row of zeros and the number −1. */
  readonly unknown?: "error" | "zeros";
}

/**
 * Numbers the categories of a column, for labels (`encode`, `decode`) or inputs (`oneHot`). Text "1" and number 1 are
 * two categories.
 *
 * @example const colours = CategoryEncoder.fit(["red", "green", "red"]); colours.encode(["red"]).data; // [1]: categories are sorted colours.oneHot(["green", "red"]); // [[1, 0], [0, 1]]
 */
export class CategoryEncoder {
  readonly categories: readonly Category[];
  readonly unknown: "error" | "zeros";
  readonly #numbers: ReadonlyMap<Category, number>;

  /**
   * @throws InputError when there is no category, one repeats or is neither text nor a finite number, or `unknown` is
   * something else.
   */
  constructor(state: CategoryEncoderState) {
    requireKind("category encoder", OBJECT, state);
    const { categories, unknown = "error" } = state;
    requireKind("category encoder: categories", LIST, categories);
    if (categories.length === 0) throw new InputError("category encoder: expected at least one category, got none");
    for (const category of categories) {
      if (typeof category !== "string" && !Number.isFinite(category)) {
        throw new InputError(`category encoder: expected categories of text or finite numbers, got ${textOf(category)}`);
      }
    }
    if (unknown !== "error" && unknown !== "zeros") {
      throw new InputError(`category encoder: expected unknown to be "error" or "zeros", got ${written(unknown)}`);
    }
    this.categories = [...categories];
    this.unknown = unknown;
    this.#numbers = new Map(categories.map((category, number) => [category, number]));
    if (this.#numbers.size < categories.length) throw new InputError("category encoder: a category is given twice");
  }

  /**
   * The categories that occur, numbers by value and then text by code unit.
   *
   * @throws InputError when there is no value.
   */
  static fit(values: Iterable<Category>, options: Pick<CategoryEncoderState, "unknown"> = {}): CategoryEncoder {
    checkOptions<Pick<CategoryEncoderState, "unknown">>("category encoder", options, { unknown: true });
    requireKind("category encoder", VALUES, values);
    const found = [...new Set(values)];
    const numbers = found.filter((value) => typeof value === "number").sort((a, b) => a - b);
    // The default order of sort is by code unit, the same on every machine.
    const texts = found.filter((value) => typeof value === "string").sort();
    return new CategoryEncoder({ categories: [...numbers, ...texts], ...options });
  }

  /** @throws InputError when `state` is not what `toJSON` gives. */
  static fromJSON(state: unknown): CategoryEncoder {
    const { categories, unknown } = (state ?? {}) as Partial<CategoryEncoderState>;
    if (!Array.isArray(categories)) throw new InputError('category encoder: expected {"categories": […], "unknown": …}');
    return new CategoryEncoder({ categories, unknown });
  }

  /** What `fromJSON` reads. */
  toJSON(): Required<CategoryEncoderState> {
    return { categories: this.categories, unknown: this.unknown };
  }

  /** The number of each value, [values]. @throws InputError for an unknown value, unless they are −1. */
  encode(values: readonly Category[]): NdArray<Int32Array> {
    requireKind("category encoder", VALUES, values);
    const data = Int32Array.from(values, (value, place) => this.#numbers.get(value) ?? this.#unknownAt(value, place));
    return { shape: [values.length], data };
  }

  /**
   * Rows of one 1 each, [values, categories].
   * @throws InputError for an unknown value, unless they are rows of zeros.
   */
  oneHot(values: readonly Category[]): NdArray<Float32Array> {
    requireKind("category encoder", VALUES, values);
    const width = this.categories.length;
    const data = new Float32Array(values.length * width);
    for (const [row, column] of this.encode(values).data.entries()) if (column >= 0) data[row * width + column] = 1;
    return { shape: [values.length, width], data };
  }

  /** The categories of these numbers. @throws InputError for a number that has none. */
  decode(numbers: ArrayLike<number>): Category[] {
    requireKind("category encoder", VALUES, numbers);
    return Array.from(numbers, (number, place) => {
      const category = this.categories[number];
      if (category !== undefined) return category;
      throw new InputError(
        `category encoder: expected numbers from 0 to ${this.categories.length - 1}, got ${textOf(number)} at position ${place}`,
      );
    });
  }

  #unknownAt(value: Category, place: number): number {
    if (this.unknown === "zeros") return -1;
    const nearest = nearestName(textOf(value), this.categories.map(String));
    throw new InputError(
      `category encoder: ${JSON.stringify(value)} at position ${place} is none of the ${this.categories.length} categories`,
      {
        hint: nearest === undefined ? 'fit on data that has it, or unknown: "zeros"' : `"${nearest}", or unknown: "zeros"`,
      },
    );
  }

  static {
    tag(CategoryEncoder, "CategoryEncoder", (candidate) => #numbers in candidate);
  }
}

/** One value per column. */
export interface ImputerState {
  readonly values: readonly number[];
}

/** How the value of a column is found from those that are there. */
export type ImputerStrategy = "mean" | "median" | "mostFrequent";

/**
 * Puts a column's own mean, median or most frequent value where a value is missing (NaN). Columns are the last axis.
 *
 * @example
 * const fill = Imputer.fit(train.x, "median");
 * const complete = new Dataset({ x, y }, { allowNonFinite: true }).map(mapField("x", (x) => fill.apply(x)));
 */
export class Imputer {
  readonly values: readonly number[];

  /** @throws InputError when there is no column or a value is not finite. */
  constructor(state: ImputerState) {
    requireKind("imputer", OBJECT, state);
    const { values } = state;
    requireKind("imputer: values", LIST, values);
    if (values.length === 0 || !values.every((value) => Number.isFinite(value))) {
      throw new InputError(`imputer: expected one finite value per column, got [${values.map(textOf).join(", ")}]`);
    }
    this.values = [...values];
  }

  /**
   * @param strategy default "mean"; of equally frequent values the smallest is taken, of an even number of values the
   * mean of the two in the middle.
   * @throws InputError when a column has no value at all, or an infinite one.
   */
  static fit(table: NdArray, strategy: ImputerStrategy = "mean"): Imputer {
    const summary = typeof strategy === "string" && Object.hasOwn(summaries, strategy) ? summaries[strategy] : undefined;
    if (summary === undefined) throw new InputError(`imputer: expected mean, median or mostFrequent, got ${written(strategy)}`);
    const source: Storage = stored(table, "imputer").data;
    const columns = columnCount(table);
    const present: number[][] = Array.from({ length: columns }, () => []);
    for (let index = 0; index < source.length; index++) {
      const value = source[index]!;
      if (!Number.isNaN(value)) present[index % columns]?.push(value);
    }
    const values = present.map((known, column) => {
      if (known.length === 0)
        throw new InputError(`imputer: column ${column} has no value to learn from`, {
          hint: "read the table without that column (columns of readTable and loadCsv), or give the numbers yourself: new Imputer({ values })",
        });
      return summary(known.sort((a, b) => a - b));
    });
    return new Imputer({ values });
  }

  /** @throws InputError when `state` is not what `toJSON` gives. */
  static fromJSON(state: unknown): Imputer {
    const { values } = (state ?? {}) as Partial<ImputerState>;
    if (!Array.isArray(values)) throw new InputError('imputer: expected {"values": […]} with numbers');
    return new Imputer({ values });
  }

  /** What `fromJSON` reads. */
  toJSON(): ImputerState {
    return { values: this.values };
  }

  /**
   * The same table [...rows, columns] without NaN, in as much precision.
   * @throws InputError for another number of columns.
   */
  apply<T extends Storage>(given: NdArray<T>): NdArray<FloatsOf<T>>;
  apply(given: NdArray): NdArray<Float32Array | Float64Array>;
  apply(given: NdArray): NdArray<Float32Array | Float64Array> {
    const table = stored(given, "imputer");
    const columns = columnCount(table);
    if (columns !== this.values.length) {
      throw new InputError(`imputer: fitted on ${this.values.length} columns, got shape ${shapeText(table.shape)}`);
    }
    const data = allocateFloats(table.data.length, table);
    data.set(table.data);
    for (let index = 0; index < data.length; index++) if (Number.isNaN(data[index])) data[index] = this.values[index % columns]!;
    return { shape: table.shape, data };
  }
}

tag(Imputer, "Imputer");

/**
 * Tables of the same rows side by side: [rows, a], [rows, b] … give [rows, a + b + …]; an array of one axis is one
 * column. The result is float32 where that holds what all of them hold, else float64.
 *
 * @throws InputError when there is none or the numbers of rows differ.
 */
export function joinColumns(...given: readonly NdArray[]): NdArray<Float32Array | Float64Array> {
  const tables = given.map((table) => stored(table, "joinColumns"));
  const rows = tables[0]?.shape[0];
  if (rows === undefined || tables.some(({ shape }) => shape[0] !== rows)) {
    const shapes = tables.map(({ shape }) => shapeText(shape)).join(", ");
    throw new InputError(`joinColumns: expected tables with the same number of rows, got ${shapes || "none"}`);
  }
  const widths = tables.map(({ shape }) => elementCount(shape.slice(1)));
  const width = widths.reduce((sum, columns) => sum + columns, 0);
  const data = allocateFloats(rows * width, ...tables);
  let left = 0;
  for (const [index, { data: source }] of tables.entries()) {
    const columns = widths[index]!;
    for (let row = 0; row < rows; row++) data.set(source.subarray(row * columns, (row + 1) * columns), row * width + left);
    left += columns;
  }
  return { shape: [rows, width], data };
}

/** Each takes at least one value, in ascending order. */
const summaries: Readonly<Record<ImputerStrategy, (values: readonly number[]) => number>> = {
  mean: (values) => values.reduce((sum, value) => sum + value / values.length, 0),
  median: (values) => {
    const middle = values.length >> 1;
    const upper = values[middle]!;
    return values.length % 2 === 1 ? upper : (values[middle - 1]! + upper) / 2;
  },
  mostFrequent: (values) => {
    let [best, longest, start] = [values[0]!, 0, 0];
    for (let end = 1; end <= values.length; end++) {
      if (values[end] === values[start]) continue;
      if (end - start > longest) [best, longest] = [values[start]!, end - start];
      start = end;
    }
    return best;
  },
};

const VALUES: Kind<ArrayLike<unknown>> = {
  words: "a list of values",
  holds: (value): value is ArrayLike<unknown> =>
    typeof value === "object" && value !== null && (Symbol.iterator in value || isIndexed(value)),
};

function columnCount({ shape }: NdArray): number {
  return shape.length < 2 ? 1 : shape[shape.length - 1]!;
}
