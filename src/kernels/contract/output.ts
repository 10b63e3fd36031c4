// Addresses of a tile's vectors in the output, and loads of the values its epilogue reads.

import { type Element, elementBytes, readElement } from "../expressions/elements.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { Address, Value, Variable } from "../language/language.ts";
import { add, advance, and, at, loadAs, ne, replace, splat } from "../language/values.ts";
import { gatherLanes } from "./pack.ts";
import { columnOffset, type Table } from "./tables.ts";

/**
 * A value the epilogue reads per output element; its tables' columns give byte offsets (load) or numbers (position).
 */
export interface LeafSource {
  /** How it lies in memory; undefined: a position. */
  readonly element: Element | undefined;
  readonly rowColumn: number;
  readonly columnColumn: number;
  /** How it moves along the columns: not at all, as the output does, or in its own way. */
  readonly along: "constant" | "output" | "own";
}

/** The last thing done to a tile's vector. `leaves` are vectors in the order of `Output.leaves`. */
export type Finish = (k: FunctionBuilder, accumulator: Value, leaves: readonly Value[], params: Value) => Value;

/** How tiles reach memory: where output and leaves lie, and what is applied. */
export interface Output {
  readonly element: Element;
  readonly rows: Table;
  readonly columns: Table;
  /** The output's byte offsets in `rows` and `columns`. */
  readonly rowColumn: number;
  readonly columnColumn: number;
  /**
   * Elements from one column to the next along the innermost axis of the columns (2 in a residue class of stride 2).
   */
  readonly step: number;
  readonly leaves: readonly LeafSource[];
  readonly finish: Finish | undefined;
  /** `finish` is long: written once for the vectors of a row, not for those of a tile. */
  readonly finishesInRows: boolean;
  /** Whether tiles may be added to what is there, and whether that depends on the call. */
  readonly adds: "never" | "always" | "sometimes";
  readonly finishes: "never" | "always" | "sometimes";
}

/** Bits of the `flags` parameter. */
export const FLAG = { add: 1, finish: 2, direct: 4 } as const;

/** Byte offsets of a vector's lanes in an output that is walked `step` elements at a time. */
export const laneOffsets = (lanes: number, { element }: Output, step: number): number[] =>
  Array.from({ length: lanes }, (_, lane) => elementBytes[element] * step * lane);

/** Parameters that the output's leaves add to every function that writes tiles, in order. */
export function leafParameters(leaves: readonly LeafSource[]): { readonly params: "pointer" } {
  const types = leaves.map((leaf, position) => [`leaf${position}`, leaf.element === undefined ? "i32" : "pointer"] as const);
  return { params: "pointer", ...Object.fromEntries(types) };
}

export const leafVariable = (parameters: { readonly [name: string]: Variable }, position: number): Variable =>
  parameters[`leaf${position}`]!;

/** Shared by micro-kernel, edge writer and the loops around them: the tile's place in the output. */
export const TILE_PARAMETERS = { c: "pointer", rows: "pointer", columns: "pointer", flags: "i32", width: "i32", tile: "pointer" } as const;

export function whenFlag(k: FunctionBuilder, flags: Value, bit: number, when: "never" | "always" | "sometimes", then: () => void): void {
  if (when === "never") return;
  if (when === "always") then();
  else k.if(ne(and(flags, bit), 0), then);
}

export function rowStart(p: { readonly c: Variable; readonly rows: Variable }, row: Value, output: Output): Value {
  return advance(p.c, loadAs("i32", "i32", at(p.rows, row, columnOffset(output.rows, output.rowColumn))));
}

/** A vector of elements that lie anywhere. */
export function fromLanes(lanes: number, element: Element, lane: (i: number) => Address): Value {
  const read = (i: number) => readElement(element, lane(i), "scalar");
  let result = splat(read(0));
  for (let i = 1; i < lanes; i++) result = replace(result, i, read(i));
  return result;
}

/** A leaf's values for one vector of a tile; `row` in bytes of a table. `regular`: of a regular panel. */
export function leafVector(
  k: FunctionBuilder,
  leaf: LeafSource,
  origin: Variable,
  p: { readonly rows: Variable; readonly columns: Variable },
  output: Output,
  row: Value,
  vector: number,
  regular: boolean,
): Value {
  const lanes = k.machine.lanes;
  const rowValue = k.let(loadAs("i32", "i32", at(p.rows, row, columnOffset(output.rows, leaf.rowColumn))), "leafRow");
  const columnPlace = at(p.columns, undefined, columnOffset(output.columns, leaf.columnColumn) + vector * lanes * 4);
  const { element } = leaf;
  if (element === undefined) return add(loadAs("vi32", "i32", columnPlace), add(rowValue, origin));
  if (leaf.along === "constant") return readElement(element, at(origin, rowValue), "splat");
  if (!regular || leaf.along === "own")
    return gatherLanes(k, element, origin, k.let(add(loadAs("vi32", "i32", columnPlace), rowValue), "leafPlaces"));
  const place = k.let(add(rowValue, loadAs("i32", "i32", columnPlace)), "leafPlace");
  if (output.step === 1) return readElement(element, at(origin, place), "vector");
  return fromLanes(lanes, element, (i) => at(origin, place, elementBytes[element] * output.step * i));
}

export function tableEntry(pointer: Value, table: Table, column: number, entry: number): Value {
  return loadAs("i32", "i32", at(pointer, undefined, columnOffset(table, column) + entry * 4));
}
