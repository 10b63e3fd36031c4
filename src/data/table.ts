// Rows of numbers with a label or a value to predict: the result of table readers and generators.

import { type Kind, requireKind, withFields } from "../util/arguments.ts";
import type { NdArray } from "./array.ts";
import { Dataset } from "./dataset.ts";

/** A table whose target is one of several classes. */
export interface ClassificationTable {
  readonly task: "classification";
  /** [rows, columns], as measured; a model of float32 takes it rounded, so standardize before. */
  readonly x: NdArray<Float64Array>;
  /** [rows], indices into `classNames`. */
  readonly y: NdArray<Int32Array>;
  readonly columnNames: readonly string[];
  readonly classNames: readonly string[];
  readonly targetName: string;
}

/** A table whose target is a number. */
export interface RegressionTable {
  readonly task: "regression";
  /** [rows, columns], as measured; a model of float32 takes it rounded, so standardize before. */
  readonly x: NdArray<Float64Array>;
  /** [rows, 1]. */
  readonly y: NdArray<Float64Array>;
  readonly columnNames: readonly string[];
  readonly targetName: string;
}

/** A table of either task. */
export type Table = ClassificationTable | RegressionTable;

/** The rows of a table as samples with fields x and y. */
export function tableDataset(table: ClassificationTable): Dataset<Pick<ClassificationTable, "x" | "y">>;
export function tableDataset(table: RegressionTable): Dataset<Pick<RegressionTable, "x" | "y">>;
export function tableDataset(table: Table): Dataset<{ readonly x: NdArray<Float64Array>; readonly y: NdArray<Float64Array | Int32Array> }>;
export function tableDataset(table: Table): Dataset<{ readonly x: NdArray<Float64Array>; readonly y: NdArray<Float64Array | Int32Array> }> {
  requireKind("tableDataset: table", TABLE, table);
  const classNames = table.task === "classification" ? { classNames: table.classNames } : {};
  return new Dataset({ x: table.x, y: table.y }, { columnNames: table.columnNames, ...classNames });
}

const TABLE: Kind<Table> = withFields("a table, as readTable() makes it", { x: isPresent, y: isPresent, columnNames: Array.isArray });

function isPresent(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
