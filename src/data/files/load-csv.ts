// Loads tables from files in Node.

import { join } from "node:path";
import { readBytes } from "../../io/node/file.ts";
import { requireKind, TEXT } from "../../util/arguments.ts";
import { FileError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import type { ClassificationTable, Table } from "../table.ts";
import { parseCsv } from "./csv.ts";
import type { TableOptions } from "./table.ts";
import { numericColumns, readTable, TABLE_OPTIONS } from "./table.ts";

/** `readTable` on a file; errors name the path. */
export async function loadCsv(path: string, options: TableOptions): Promise<Table> {
  checkOptions("loadCsv", options, TABLE_OPTIONS);
  requireKind("loadCsv: path", TEXT, path);
  requireKind("loadCsv: target", TEXT, options?.target);
  return readTable(await readBytes(path, { pipes: true }), { name: path, ...options });
}

/** The files of the Wine Quality set (Cortez et al., 2009) by the kind of wine in them, in the order of the classes. */
const WINE_FILES = { white: "winequality-white.csv", red: "winequality-red.csv" } as const;

/**
 * Red against white from the 11 measurements: x [6497, 11] as measured (not standardized), y [6497] with 0 for white
 * and 1 for red. The quality score is left out.
 *
 * @param folder holds `winequality-white.csv` and `winequality-red.csv` as the UCI repository publishes them.
 * @throws FileError when a file is missing, malformed or its columns differ from the other's.
 */
export async function loadWineQuality(folder: string): Promise<ClassificationTable> {
  requireKind("loadWineQuality: folder", TEXT, folder);
  const parts = [];
  for (const file of Object.values(WINE_FILES)) {
    const path = join(folder, file);
    const table = parseCsv(await readBytes(path), { separator: ";", name: path });
    const columnNames = table.columnNames.filter((name) => name !== "quality");
    parts.push({ path, columnNames, values: numericColumns(table, columnNames) });
  }
  const [white, red] = parts as [(typeof parts)[0], (typeof parts)[0]];
  if (white.columnNames.join("\n") !== red.columnNames.join("\n")) {
    throw new FileError(
      `${red.path}: expected the columns ${white.columnNames.join(", ")} as in ${white.path}, got ${red.columnNames.join(", ")}`,
    );
  }
  const whiteRows = white.values.shape[0]!;
  const rows = whiteRows + red.values.shape[0]!;
  const data = new Float64Array(rows * white.columnNames.length);
  data.set(white.values.data);
  data.set(red.values.data, white.values.data.length);
  return {
    task: "classification",
    x: { shape: [rows, white.columnNames.length], data },
    y: { shape: [rows], data: new Int32Array(rows).fill(1, whiteRows) },
    columnNames: white.columnNames,
    classNames: Object.keys(WINE_FILES),
    targetName: "kind",
  };
}
