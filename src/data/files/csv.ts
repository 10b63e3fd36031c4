// Reads tables of separated values with a header; every error names the line.

import Papa from "papaparse";
import { misread, reading } from "../../io/file-kind.ts";
import { toBytes } from "../../nest/arrays.ts";
import { requireKind, TEXT } from "../../util/arguments.ts";
import { decimalOf } from "../../util/decimal.ts";
import { FileError, InputError } from "../../util/errors.ts";
import { written as quoted } from "../../util/kind-of.ts";
import { nearestName } from "../../util/nearest.ts";
import { checkOptions } from "../../util/options.ts";
import { fromUtf8 } from "../../util/text.ts";

/** How a text table is written. */
export interface CsvOptions {
  /** One character between cells; default whichever of `,` `;` tab `|` the header has most of. */
  readonly separator?: string;
  /** How errors call the table; default "CSV". */
  readonly name?: string;
}

/** A table as text: every row has as many cells as there are columns. */
export interface TextTable {
  readonly name: string;
  readonly columnNames: readonly string[];
  readonly rows: readonly TextRow[];
}

/** What is written where nothing was measured. */
const NOTHING = /^(n\/?a|#n\/a|null|none|nil|missing|\?|-+|\.)?$/i;
/** Numbers that are none. */
const NOT_FINITE = /^[+-]?(nan|inf|infinity)$/i;

/** One row of a text table. */
export interface TextRow {
  /** Trimmed. */
  readonly cells: readonly string[];
  /** Where the row begins in the file, from 1. */
  readonly line: number;
}

/**
 * Reads a table with a header line. Cells may be quoted with `"`; empty lines are passed over, separators at the ends
 * of lines too. A first line `sep=;`, as Excel writes it, names the separator.
 *
 * @param source text, or its bytes in UTF-8, or in UTF-16 where they begin with its mark.
 * @throws FileError when there is no header or no row, a column name is empty or repeats, or a row has too many or too
 * few cells.
 */
export function parseCsv(source: string | Uint8Array | ArrayBuffer, options: CsvOptions = {}): TextTable {
  const { separator, name = "CSV" } = checkOptions<CsvOptions>("parseCsv", options, { separator: true, name: true });
  const given = typeof source === "string" ? source : toBytes(source, name);
  return reading("a CSV table", given, name, () => parseText(typeof given === "string" ? given : decodeText(given, name), separator, name));
}

function parseText(source: string, separator: string | undefined, name: string): TextTable {
  // One kind of line end, since files are joined from parts of several systems.
  const text = source.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  if (text.includes("\0"))
    throw new FileError(`${name}: not a text: it holds characters of code 0`, { hint: "save the table as CSV in UTF-8" });
  const [, named] = /^sep=([^\n])\n/i.exec(text) ?? [];
  const delimiter = separator ?? named ?? guessSeparator(text);
  if ([...delimiter].length !== 1 || '"\r\n\uFEFF'.includes(delimiter)) {
    throw new InputError(`separator: expected one character other than a quote or a line end, got ${quoted(delimiter)}`);
  }
  const { data, errors } = Papa.parse<string[]>(text, { delimiter, newline: "\n" });
  const records = withLines(data);
  const broken = errors.find(({ type }) => type === "Quotes");
  if (broken !== undefined) {
    const line = records[broken.row ?? 0]?.line ?? 1;
    throw new FileError(`${name}: line ${line}: a quoted cell is not closed properly`, {
      hint: 'put a quote at both ends of the cell and double the quotes inside it ("")',
    });
  }
  const written = records.slice(named === undefined ? 0 : 1).filter(({ cells }) => cells.length > 1 || cells[0] !== "");
  const [header, ...rows] = withoutEnds(written);
  if (header === undefined) {
    throw new FileError(`${name}: expected a header line and rows, but it is empty`);
  }
  const columnNames = header.cells;
  // Lines of any text make a table of one column, and lists of lists one whose lines end in separators.
  const wrong =
    columnNames.length === 1 || columnNames.length < (written[0]?.cells.length ?? 0) ? misread("a CSV table", source, name) : undefined;
  if (wrong !== undefined) throw wrong;
  checkHeader(columnNames, name);
  if (rows.length === 0) throw new FileError(`${name}: there is a header (${list(columnNames)}) but no row under it`);
  const ragged = rows.find(({ cells }) => cells.length !== columnNames.length);
  if (ragged !== undefined) {
    const hint =
      columnNames.length === 1
        ? `remove what stands above the names of the columns: line ${header.line} is taken for them (${list(columnNames)})`
        : `repair that line; cells are taken to be separated by ${JSON.stringify(delimiter)}, another separator can be given`;
    throw new FileError(
      `${name}: line ${ragged.line}: expected ${count(columnNames.length)} as in the header, got ${ragged.cells.length}`,
      {
        hint,
      },
    );
  }
  return { name, columnNames, rows };
}

/**
 * The index of a column.
 *
 * @throws InputError that lists the columns and suggests the nearest name.
 */
export function findColumn({ name, columnNames }: TextTable, wanted: string): number {
  requireKind(`${name}: column`, TEXT, wanted);
  const index = columnNames.indexOf(wanted);
  if (index !== -1) return index;
  const hint = hintFor(wanted, columnNames);
  throw new InputError(`${name}: there is no column "${wanted}"; the columns are ${list(columnNames)}`, hint === undefined ? {} : { hint });
}

function hintFor(wanted: string, columnNames: readonly string[]): string | undefined {
  const nearest = nearestName(wanted, columnNames);
  if (nearest !== undefined) return `did you mean "${nearest}"?`;
  if (columnNames.length === 1) return "name what separates the cells (separator, --separator)";
  const areRows = columnNames.filter((name) => !Number.isNaN(decimalOf(name))).length > columnNames.length / 2;
  return areRows ? "add a line with the names of the columns: the first line is taken for them" : undefined;
}

/** Whether a cell is meant to be a number: one, or one with a comma or blanks in it, or NaN. */
export function isNumeric(text: string): boolean {
  return !Number.isNaN(decimalOf(text)) || NOT_FINITE.test(text) || numberHint(text) !== undefined;
}

/** Whether a cell says that nothing was measured. */
export function isMissing(text: string): boolean {
  return NOTHING.test(text);
}

/**
 * The number in a cell, in double precision.
 *
 * @throws FileError with line and column when the cell is empty, not a number, or not finite.
 */
export function cellNumber(table: TextTable, row: TextRow, column: number): number {
  const text = row.cells[column]!;
  const value = decimalOf(text);
  if (Number.isFinite(value)) return value;
  const where = `${table.name}: line ${row.line}, column "${table.columnNames[column]}"`;
  if (text === "") throw new FileError(`${where}: expected a number, the cell is empty`, { hint: "fill it in or leave that row out" });
  if (isMissing(text)) throw new FileError(`${where}: expected a number, got "${text}"`, { hint: "fill it in or leave that row out" });
  if (NOT_FINITE.test(text) || !Number.isNaN(value)) {
    throw new FileError(`${where}: expected a finite number, got ${shorten(text)}`, { hint: "repair the value or leave that row out" });
  }
  const hint =
    numberHint(text) ??
    "write numbers for this column, name the columns to use without it (columns, --columns), or make it the target if it names classes";
  throw new FileError(`${where}: expected a number, got ${shorten(JSON.stringify(text))}`, { hint });
}

/**
 * How a number with commas, points or blanks between its digits is meant; "1,234" is ambiguous. Undefined for other
 * texts.
 */
function numberHint(text: string): string | undefined {
  if (!/^[+-]?\d+(?:[,.' \u00a0\u202f]\d+)+$/.test(text)) return undefined;
  const marks = text.match(/[^\d+-]/g) ?? [];
  const last = marks.at(-1)!;
  const isRepeated = marks.filter((mark) => mark === last).length > 1;
  const digits = (part: string): string => part.replace(/[^\d+-]/g, "");
  const at = text.lastIndexOf(last);
  const whole = digits(text);
  const decimal = `${digits(text.slice(0, at))}.${text.slice(at + 1)}`;
  const isGrouped = /^[+-]?\d{1,3}(?:[,.' \u00a0\u202f]\d{3})+$/.test(text);
  if (isRepeated || last === "'" || last.trim() === "") return `write it without separators of thousands: ${whole}`;
  if (isGrouped && marks.length === 1) return `write ${whole} if the comma separates thousands, ${decimal} if it separates decimals`;
  return `write decimals with a point, and no separators of thousands: ${decimal}`;
}

function decodeText(bytes: Uint8Array, name: string): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return fromUtf8(bytes, { fatal: true });
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_STRING_TOO_LONG" || error instanceof RangeError)
      throw new FileError(`${name}: ${Math.ceil(bytes.length / 2 ** 20)} MiB are too long for one text, at most 512 MiB are read`, {
        hint: "split the table into several files, or leave columns out",
        cause: error,
      });
    throw new FileError(`${name}: not text in UTF-8`, { hint: "save the table as CSV with the encoding UTF-8", cause: error });
  }
}

/** The separator that the first line with content has most of outside quotes; a comma when it has none. */
function guessSeparator(text: string): string {
  const start = text.search(/\S/);
  const end = text.slice(Math.max(0, start)).search(/[\r\n]/);
  const line = start === -1 ? "" : text.slice(start, end === -1 ? undefined : start + end);
  const bare = line.replace(/"[^"]*"/g, "");
  const counts = [",", ";", "\t", "|"].map((mark) => ({ mark, count: bare.split(mark).length - 1 }));
  return counts.reduce((best, entry) => (entry.count > best.count ? entry : best)).mark;
}

/** Line numbers count the line ends inside quoted cells too. */
function withLines(data: readonly (readonly string[])[]): TextRow[] {
  let line = 1;
  return data.map((cells) => {
    const row = { cells: cells.map((cell) => cell.trim()), line };
    line += 1 + cells.reduce((sum, cell) => sum + (cell.includes("\n") ? cell.split("\n").length - 1 : 0), 0);
    return row;
  });
}

/**
 * Lines that end in separators end in empty cells: columns at the end in which nothing stands, no name either, are
 * none.
 */
function withoutEnds(records: readonly TextRow[]): readonly TextRow[] {
  const [header] = records;
  if (header === undefined) return records;
  const used = ({ cells }: TextRow): number => cells.findLastIndex((cell) => cell !== "") + 1;
  // Only beyond the last name: an empty cell under a name is a missing one.
  const width = records.reduce((most, row) => Math.max(most, used(row)), used(header));
  if (records.every(({ cells }) => cells.length <= width)) return records;
  return records.map(({ cells, line }) => ({ cells: cells.slice(0, width), line }));
}

function count(cells: number): string {
  return cells === 1 ? "1 cell" : `${cells} cells`;
}

function checkHeader(columnNames: readonly string[], name: string): void {
  const seen = new Set<string>();
  for (const [index, column] of columnNames.entries()) {
    if (column === "")
      throw new FileError(`${name}: column ${index + 1} has no name in the header`, {
        hint: index === 0 ? "name it, or leave it out: pandas writes no row numbers with to_csv(path, index=False)" : "name it",
      });
    if (seen.has(column)) throw new FileError(`${name}: the header has two columns named "${column}"`, { hint: "rename one of them" });
    seen.add(column);
  }
  if (columnNames.every((column) => Number.isFinite(Number(column)))) {
    throw new FileError(`${name}: expected column names in the first line, got only numbers (${list(columnNames)})`, {
      hint: "add a header line",
    });
  }
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => shorten(JSON.stringify(name)));
  return names.length > shown.length ? `${shown.join(", ")} and ${names.length - shown.length} more` : shown.join(", ");
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
