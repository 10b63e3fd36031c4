// Turns a text table into inputs and a target: numbers on one side, class indices or numbers on the other.

import { type Kind, LIST, requireKind, TEXT, withFields } from "../../util/arguments.ts";
import { decimalOf } from "../../util/decimal.ts";
import { FileError, InputError } from "../../util/errors.ts";
import { checkOptions, type OptionNames } from "../../util/options.ts";
import type { NdArray } from "../array.ts";
import type { Table } from "../table.ts";
import type { CsvOptions, TextTable } from "./csv.ts";
import { cellNumber, findColumn, isMissing, isNumeric, parseCsv } from "./csv.ts";

/** What to predict from what. */
export interface TableOptions extends CsvOptions {
  /** The column to predict. */
  readonly target: string;
  /** The columns to predict from, in this order; default all others. */
  readonly columns?: readonly string[];
  /**
   * Default classification when the target is text or whole numbers (1, also 1.0 and 1e0) with at most 20 different
   * values, otherwise regression.
   */
  readonly task?: "classification" | "regression";
  /** The classes in the order of their indices; default those that occur, numbers by value and text by code unit. */
  readonly classNames?: readonly string[];
}

const MOST_NUMBERED_CLASSES = 20;

export const TABLE_OPTIONS: OptionNames<TableOptions> = {
  ...{ target: true, columns: true, task: true, classNames: true, separator: true, name: true },
};

/**
 * Reads a table with a header and a target column.
 *
 * @throws InputError when a named column does not exist; FileError when the table is malformed or a cell is not what
 * its column needs.
 */
export function readTable(source: string | Uint8Array | ArrayBuffer, options: TableOptions): Table {
  const { separator, name } = checkOptions("readTable", options, TABLE_OPTIONS);
  requireKind("readTable: target", TEXT, options?.target);
  const table = parseCsv(source, { separator, name });
  const target = findColumn(table, options.target);
  const columnNames = options.columns ?? table.columnNames.filter((_, index) => index !== target);
  if (columnNames.length === 0)
    throw new FileError(`${table.name}: the target "${options.target}" is the only column; nothing to predict it from`);
  if (columnNames.includes(options.target)) throw new InputError(`columns: "${options.target}" is the target and cannot also be an input`);
  const labels = table.rows.map(({ cells }) => cells[target]!);
  const task = options.task ?? guessTask(labels);
  // The target first: when it is the wrong column, its complaint is the helpful one.
  if (task === "classification") {
    const classNames = options.classNames ?? findClasses(table, target);
    const y = { shape: [labels.length], data: labelIndices(table, target, classNames) };
    return { task, x: numericColumns(table, columnNames), y, columnNames, classNames, targetName: options.target };
  }
  const y = numericColumns(table, [options.target]);
  return { task, x: numericColumns(table, columnNames), y, columnNames, targetName: options.target };
}

/**
 * The named columns as numbers [rows, columns], in the given order and in double precision.
 *
 * @throws InputError when a column does not exist, FileError when a cell is not a finite number.
 */
export function numericColumns(table: TextTable, columnNames: readonly string[] = table.columnNames): NdArray<Float64Array> {
  requireKind("numericColumns: table", TEXT_TABLE, table);
  requireKind("numericColumns: columnNames", LIST, columnNames);
  const columns = columnNames.map((name) => findColumn(table, name));
  const data = new Float64Array(table.rows.length * columns.length);
  let next = 0;
  for (const row of table.rows) for (const column of columns) data[next++] = cellNumber(table, row, column);
  return { shape: [table.rows.length, columns.length], data };
}

const TEXT_TABLE: Kind<TextTable> = withFields("a table of text", { columnNames: Array.isArray, rows: Array.isArray });

function guessTask(labels: readonly string[]): "classification" | "regression" {
  const given = labels.filter((label) => !isMissing(label));
  // Among numbers "NA" is a missing one and "1,5" a mistaken one: the reading of numbers says so. Elsewhere both are
  // names.
  if (given.length === 0 || !given.every(isNumeric)) return "classification";
  return labels.every(isWhole) && new Set(labels).size <= MOST_NUMBERED_CLASSES ? "classification" : "regression";
}

function findClasses(table: TextTable, target: number): string[] {
  const labels = table.rows.map(({ cells }) => cells[target]!);
  const names = [...new Set(labels)];
  const column = `${table.name}: column "${table.columnNames[target]}"`;
  const empty = table.rows.find(({ cells }) => cells[target] === "");
  if (empty !== undefined) {
    throw new FileError(`${table.name}: line ${empty.line}, column "${table.columnNames[target]}": expected a class, the cell is empty`, {
      hint: "fill it in or leave that row out",
    });
  }
  if (names.length === 1) throw new FileError(`${column} holds only "${names[0]}"; a target needs at least two classes`);
  if (names.length > MOST_NUMBERED_CLASSES && names.length > labels.length / 2) {
    throw new FileError(`${column} holds ${names.length} different texts in ${labels.length} rows; these are no classes`, {
      hint: "choose another target column",
    });
  }
  if (names.every(isWhole)) return [...new Set(names.map(wholeName))].sort((a, b) => Number(a) - Number(b));
  return names.sort((a, b) => (a < b ? -1 : 1));
}

function labelIndices(table: TextTable, target: number, classNames: readonly string[]): Int32Array {
  const indexOf = classFinder(classNames);
  return Int32Array.from(table.rows, ({ cells, line }) => {
    const index = indexOf(cells[target]!);
    if (index !== undefined) return index;
    throw new FileError(
      `${table.name}: line ${line}, column "${table.columnNames[target]}": expected one of the classes ${classNames.join(", ")}, got "${cells[target]}"`,
    );
  });
}

/**
 * Finds the number of a cell's class: by its name as written, else as the same whole number written otherwise (1.0 for
 * 1).
 */
export function classFinder(classNames: readonly string[]): (cell: string) => number | undefined {
  const written = new Map(classNames.map((name, index) => [name, index]));
  const whole = new Map(classNames.map((name, index) => [wholeName(name), index]));
  return (cell) => written.get(cell) ?? (isWhole(cell) ? whole.get(wholeName(cell)) : undefined);
}

function isWhole(text: string): boolean {
  return WHOLE_DIGITS.test(text) || Number.isSafeInteger(decimalOf(text));
}

/** A whole number of any length, zeros before it and after the point included. */
const WHOLE_DIGITS = /^[+-]?\d+(\.0*)?$/;

/**
 * A whole number as it is written without point, plus and exponent; zeros before it stay, as in names. Other text as it
 * is.
 */
function wholeName(text: string): string {
  if (!isWhole(text)) return text;
  // Of 0 and -0 only one is a class.
  if (Number(text) === 0 && !/^[+-]?00/.test(text)) return "0";
  return WHOLE_DIGITS.test(text) ? text.replace(/\.0*$/, "").replace(/^\+/, "") : String(decimalOf(text));
}
