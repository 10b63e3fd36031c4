// Scales columns or channels to mean 0 and standard deviation 1, by statistics of the training data only.

import { checkArguments, LIST, OBJECT, requireKind } from "../util/arguments.ts";
import { InputError } from "../util/errors.ts";
import { textOf } from "../util/kind-of.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { tag } from "../util/tag.ts";
import { allocateFloats, elementCount, type FloatsOf, type NdArray, type Storage, stored } from "./array.ts";
import { checkCount } from "./generators/random.ts";

/** What counts as a column. */
export interface StandardizerOptions {
  /** The axis that counts columns or channels: 1 for images [batch, channels, height, width]. Default the last one. */
  readonly axis?: number;
}

/** Column statistics as JSON. */
export interface StandardizerState extends StandardizerOptions {
  /** One mean per column. */
  readonly mean: readonly number[];
  /** One standard deviation per column (divided by the number of rows); 1 where a column never changes. */
  readonly deviation: readonly number[];
}

/**
 * Column statistics that can be applied to other rows and kept as JSON. Columns are the last axis or the one that
 * `axis` names; an array of one axis is one column.
 *
 * @example const scale = Standardizer.fit(train.x); const validation = scale.apply(rest.x);
 * @example const pixels = new Standardizer({ mean: [0.1307], deviation: [0.3081], axis: 1 }); await fit(net, images, { …, transform: mapField("x", (x) => pixels.apply(x)) });
 */
export class Standardizer {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  readonly axis: number | undefined;

  /**
   * @throws InputError when the two lists differ in length, are empty, or hold a value that is not finite or not
   * positive; for an axis below 1.
   */
  constructor(state: StandardizerState) {
    requireKind("standardizer", OBJECT, state);
    const { mean, deviation, axis } = state;
    if (axis !== undefined) checkCount(axis, "standardizer: axis");
    checkArguments("standardizer", { mean: [mean, LIST], deviation: [deviation, LIST] });
    if (mean.length !== deviation.length || mean.length === 0) {
      throw new InputError(`standardizer: expected as many deviations as means, at least one, got ${mean.length} and ${deviation.length}`);
    }
    if (!mean.every(Number.isFinite) || !deviation.every((value) => Number.isFinite(value) && value > 0)) {
      throw new InputError("standardizer: expected finite means and positive finite deviations");
    }
    this.mean = [...mean];
    this.deviation = [...deviation];
    this.axis = axis;
  }

  /** @throws InputError when there is no row, no such axis, or a value is not finite. */
  static fit(given: NdArray, options: StandardizerOptions = {}): Standardizer {
    const { axis } = checkOptions<StandardizerOptions>("standardizer", options, { axis: true });
    const values = stored(given, "standardizer");
    const { columns, inner } = layout(values, axis);
    const rows = columns === 0 ? 0 : values.data.length / columns;
    if (rows === 0) throw new InputError(`standardizer: expected at least one row and one column, got shape ${shapeText(values.shape)}`);
    const columnOf = (index: number): number => Math.floor(index / inner) % columns;
    const mean = new Array<number>(columns).fill(0);
    const square = new Array<number>(columns).fill(0);
    // Two passes in double precision: the one-pass formula loses all digits when the mean is large beside the spread.
    values.data.forEach((value: number, index: number) => {
      if (!Number.isFinite(value)) {
        throw new InputError(
          `standardizer: row ${Math.floor(index / (columns * inner))}, column ${columnOf(index)}: expected a finite number, got ${textOf(value)}`,
        );
      }
      mean[columnOf(index)]! += value / rows;
    });
    const farthest = new Array<number>(columns).fill(0);
    values.data.forEach((value: number, index: number) => {
      const column = columnOf(index);
      farthest[column] = Math.max(farthest[column]!, Math.abs(value - mean[column]!));
    });
    // A power of two, by which nothing is rounded: the squares of picofarads and of light years would leave what a
    // number can be.
    const scale = farthest.map((offset, column) => {
      if (!Number.isFinite(offset))
        throw new InputError(`standardizer: column ${column}: its values are too far apart for double precision`);
      return offset === 0 ? 1 : 2 ** Math.max(-1022, Math.floor(Math.log2(offset)));
    });
    values.data.forEach((value: number, index: number) => {
      const column = columnOf(index);
      const offset = (value - mean[column]!) / scale[column]!;
      square[column]! += (offset * offset) / rows;
    });
    const deviation = square.map((variance, column) => {
      const spread = Math.sqrt(variance) * scale[column]!;
      // A constant column may still show rounding noise; dividing by that would blow it up.
      return spread > 1e-12 * Math.abs(mean[column]!) ? spread : 1;
    });
    return new Standardizer({ mean, deviation, ...options });
  }

  /** @throws InputError when `state` is not what `toJSON` gives. */
  static fromJSON(state: unknown): Standardizer {
    const { mean, deviation, axis } = (state ?? {}) as Partial<StandardizerState>;
    if (!isNumbers(mean) || !isNumbers(deviation) || !(axis === undefined || typeof axis === "number")) {
      throw new InputError('standardizer: expected {"mean": […], "deviation": […]} with numbers');
    }
    return new Standardizer({ mean, deviation, axis });
  }

  /** What `fromJSON` reads. */
  toJSON(): StandardizerState {
    return { mean: this.mean, deviation: this.deviation, axis: this.axis };
  }

  /**
   * (value - mean) / deviation per column, same shape; float32 for float32 and bytes, float64 for numbers that float32
   * cannot hold.
   */
  apply<T extends Storage>(values: NdArray<T>): NdArray<FloatsOf<T>>;
  apply(values: NdArray): NdArray<Float32Array | Float64Array>;
  apply(values: NdArray): NdArray<Float32Array | Float64Array> {
    const given = stored(values, "standardizer");
    const data = allocateFloats(given.data.length, given);
    return this.#map(given, data, (value, mean, deviation) => (value - mean) / deviation);
  }

  /** The inverse of `apply`: value * deviation + mean, in double precision: the mean may be large beside the spread. */
  invert(values: NdArray): NdArray<Float64Array> {
    const given = stored(values, "standardizer");
    return this.#map(given, new Float64Array(given.data.length), (value, mean, deviation) => value * deviation + mean);
  }

  #map<T extends Float32Array | Float64Array>(
    values: NdArray,
    data: T,
    change: (value: number, mean: number, deviation: number) => number,
  ): NdArray<T> {
    const { columns, inner } = layout(values, this.axis);
    if (columns !== this.mean.length) {
      throw new InputError(`standardizer: fitted on ${this.mean.length} columns, got shape ${shapeText(values.shape)}`, {
        hint: "give the same columns in the same order as for fit",
      });
    }
    const source: Storage = values.data;
    for (let index = 0; index < data.length; index++) {
      const column = Math.floor(index / inner) % columns;
      data[index] = change(source[index]!, this.mean[column]!, this.deviation[column]!);
    }
    return { shape: values.shape, data };
  }

  static {
    tag(Standardizer, "Standardizer", (candidate) => #map in candidate);
  }
}

/** How many columns there are, and how many neighbouring values belong to the same one. */
function layout({ shape }: NdArray, axis = Math.max(0, shape.length - 1)): { readonly columns: number; readonly inner: number } {
  if (axis > 0 && axis >= shape.length) {
    throw new InputError(`standardizer: expected an axis ${axis}, got shape ${shapeText(shape)}`);
  }
  return { columns: axis === 0 ? 1 : shape[axis]!, inner: elementCount(shape.slice(axis + 1)) };
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}
