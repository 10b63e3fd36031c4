// Brings every column of a table to mean 0 and standard deviation 1, with numbers taken from the training part only.

import { InputError } from "../util/errors.ts";
import type { NdArray, Storage } from "./array.ts";

export interface StandardizerState {
  /** One mean per column. */
  readonly mean: readonly number[];
  /** One standard deviation per column (divided by the number of rows); 1 where a column never changes. */
  readonly deviation: readonly number[];
}

/**
 * Column statistics that can be applied to other rows and kept as JSON. Columns are the last axis; an array of one axis is one column.
 *
 * @example
 * const scale = Standardizer.fit(train.x);
 * const validation = scale.apply(rest.x);
 */
export class Standardizer {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];

  /** @throws InputError when the two lists differ in length, are empty, or hold a value that is not finite or not positive. */
  constructor({ mean, deviation }: StandardizerState) {
    if (mean.length !== deviation.length || mean.length === 0) {
      throw new InputError(`standardizer: expected as many deviations as means, at least one, got ${mean.length} and ${deviation.length}`);
    }
    if (!mean.every(Number.isFinite) || !deviation.every((value) => Number.isFinite(value) && value > 0)) {
      throw new InputError("standardizer: expected finite means and positive finite deviations");
    }
    this.mean = [...mean];
    this.deviation = [...deviation];
  }

  /** @throws InputError when there is no row or a value is not finite. */
  static fit(values: NdArray): Standardizer {
    const columns = columnCount(values);
    const rows = columns === 0 ? 0 : values.data.length / columns;
    if (rows === 0) throw new InputError(`standardizer: expected at least one row and one column, got shape [${values.shape.join(", ")}]`);
    const mean = new Array<number>(columns).fill(0);
    const square = new Array<number>(columns).fill(0);
    // Two passes in double precision: the one-pass formula loses all digits when the mean is large beside the spread.
    values.data.forEach((value: number, index: number) => {
      if (!Number.isFinite(value)) {
        throw new InputError(
          `standardizer: row ${Math.floor(index / columns)}, column ${index % columns}: expected a finite number, got ${value}`,
        );
      }
      mean[index % columns] = (mean[index % columns] as number) + value / rows;
    });
    values.data.forEach((value: number, index: number) => {
      const offset = value - (mean[index % columns] as number);
      square[index % columns] = (square[index % columns] as number) + (offset * offset) / rows;
    });
    const deviation = square.map((variance, column) => {
      const spread = Math.sqrt(variance);
      // A constant column may still show rounding noise; dividing by that would blow it up.
      return spread > 1e-12 * Math.max(1, Math.abs(mean[column] as number)) ? spread : 1;
    });
    return new Standardizer({ mean, deviation });
  }

  /** @throws InputError when `state` is not what `toJSON` gives. */
  static fromJSON(state: unknown): Standardizer {
    const { mean, deviation } = (state ?? {}) as Partial<StandardizerState>;
    if (!isNumbers(mean) || !isNumbers(deviation)) {
      throw new InputError('standardizer: expected {"mean": […], "deviation": […]} with numbers');
    }
    return new Standardizer({ mean, deviation });
  }

  toJSON(): StandardizerState {
    return { mean: this.mean, deviation: this.deviation };
  }

  /** (value - mean) / deviation per column, same shape. */
  apply(values: NdArray): NdArray<Float32Array> {
    return this.#map(values, (value, mean, deviation) => (value - mean) / deviation);
  }

  /** The inverse of `apply`: value * deviation + mean. */
  invert(values: NdArray): NdArray<Float32Array> {
    return this.#map(values, (value, mean, deviation) => value * deviation + mean);
  }

  #map(values: NdArray, change: (value: number, mean: number, deviation: number) => number): NdArray<Float32Array> {
    const columns = columnCount(values);
    if (columns !== this.mean.length) {
      throw new InputError(`standardizer: fitted on ${this.mean.length} columns, got shape [${values.shape.join(", ")}]`, {
        hint: "give the same columns in the same order as for fit",
      });
    }
    const source: Storage = values.data;
    const data = new Float32Array(source.length);
    for (let index = 0; index < data.length; index++) {
      const column = index % columns;
      data[index] = change(source[index] as number, this.mean[column] as number, this.deviation[column] as number);
    }
    return { shape: values.shape, data };
  }
}

function columnCount(values: NdArray): number {
  return values.shape.length < 2 ? 1 : (values.shape[values.shape.length - 1] as number);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}
