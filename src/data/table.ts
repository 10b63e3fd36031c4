// Rows of numbers with a label or a value to predict: what table readers and table generators give.

import type { NdArray } from "./array.ts";

/** A table whose target is one of several classes. */
export interface ClassificationTable {
  readonly task: "classification";
  /** [rows, columns]. */
  readonly x: NdArray<Float32Array>;
  /** [rows], indices into `classNames`. */
  readonly y: NdArray<Int32Array>;
  readonly columnNames: readonly string[];
  readonly classNames: readonly string[];
  readonly targetName: string;
}

/** A table whose target is a number. */
export interface RegressionTable {
  readonly task: "regression";
  /** [rows, columns]. */
  readonly x: NdArray<Float32Array>;
  /** [rows, 1]. */
  readonly y: NdArray<Float32Array>;
  readonly columnNames: readonly string[];
  readonly targetName: string;
}

export type Table = ClassificationTable | RegressionTable;
