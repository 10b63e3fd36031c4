// Emits the register-tiled micro-kernel: the products of one tile, kept in registers, then finished and stored.

import { type Element, elementBytes, readElement, writeElement } from "../expressions/elements.ts";
import type { FunctionBuilder, ModuleBuilder } from "../language/builder.ts";
import type { Address, Value, Variable } from "../language/language.ts";
import { add, advance, and, at, constant, fma, loadSplat, loadVector, ne } from "../language/values.ts";
import { FLAG, leafParameters, leafVariable, leafVector, type Output, TILE_PARAMETERS, tableEntry, whenFlag } from "./output.ts";
import type { Table } from "./tables.ts";
import type { Writers } from "./writers.ts";

/** Bytes of a cache line. */
const LINE = 64;

export interface MicroShape {
  readonly height: number;
  readonly vectors: number;
  /** Bytes from one row of A to the next, from one step of K to the next in A and in B. */
  readonly aRow: number;
  readonly aStep: number;
  readonly bStep: number;
  readonly bElement?: Element;
  /**
   * B is read where it lies: tables' columns hold the byte offset of each vector of columns and of each step of K;
   * bStep is 0.
   */
  readonly direct?: DirectB | undefined;
  /**
   * Nothing is multiplied: `a` points at tiles of unfinished sums, `pitch` bytes from one part to the next, that are
   * added up.
   */
  readonly partialSums?: { readonly parts: number; readonly pitch: number } | undefined;
}

export interface DirectB {
  readonly columns: Table;
  readonly column: number;
  readonly depth: Table;
  readonly depthColumn: number;
}

/**
 * Without `writers` the sums stay unfinished: they are stored to `tile`, or added to what is there with flag.add.
 *
 * micro(a, b, steps, depth, c, rows, columns, flags, width, tile, params, leaf…): accumulates depth steps of height ×
 * vectors and writes the tile. `rows` and `columns` point at the tile's first entries of the tables, `width` is the
 * number of valid columns; `steps` at the table of K (of a direct B). Without flag.direct the tile goes through `tile`
 * (height · vectors vectors of scratch) and the edge writer, as it always does where its vectors do not lie whole in
 * memory: lane by lane, a tile's worth of instructions would be thousands.
 */
export function defineMicro(module: ModuleBuilder, name: string, shape: MicroShape, output: Output, writers: Writers | undefined): string {
  const { height, vectors } = shape;
  const lanes = module.machine.lanes;
  const vectorBytes = lanes * 4;
  const parameters = {
    a: "pointer",
    b: "pointer",
    steps: "pointer",
    depth: "i32",
    ...TILE_PARAMETERS,
    ...leafParameters(output.leaves),
  } as const;
  return module.define(name, parameters, (k, p) => {
    if (writers !== undefined && output.step === 1) prefetchTile(k, p, shape, output);
    const sums = shape.partialSums === undefined ? multiplyTile(k, shape, p) : addPartialSums(k, shape, shape.partialSums, p.a);
    const inTile = (row: number, v: number) => at(p.tile, undefined, (row * vectors + v) * vectorBytes);
    if (writers === undefined) {
      k.if(ne(and(p.flags, FLAG.add), 0), () =>
        each(height, vectors, (row, v) => k.set(sums[row]![v]!, add(sums[row]![v]!, loadVector(inTile(row, v))))),
      );
      each(height, vectors, (row, v) => k.store(inTile(row, v), sums[row]![v]!));
      return;
    }
    const direct = () => {
      const starts = columnStarts(k, p.c, p.columns, vectors, { table: output.columns, column: output.columnColumn });
      // Read from the table for each vector: that many places would not stay in registers.
      const place = (row: number, v: number) => at(starts[v]!, tableEntry(p.rows, output.rows, output.rowColumn, row));
      whenFlag(k, p.flags, FLAG.add, output.adds, () =>
        each(height, vectors, (row, v) => k.set(sums[row]![v]!, add(sums[row]![v]!, readElement(output.element, place(row, v), "vector")))),
      );
      whenFlag(k, p.flags, FLAG.finish, output.finishes, () =>
        each(height, vectors, (row, v) => {
          const leaves = output.leaves.map((leaf, i) =>
            leafVector(k, leaf, leafVariable(p, i), p, output, constant("i32", 4 * row), v, true),
          );
          k.set(sums[row]![v]!, output.finish!(k, sums[row]![v]!, leaves, p.params));
        }),
      );
      each(height, vectors, (row, v) => writeElement(k, output.element, place(row, v), sums[row]![v]!));
    };
    const isDirect = ne(and(p.flags, FLAG.direct), 0);
    const through = (writer: string) => {
      const leaves = output.leaves.map((_, i) => leafVariable(p, i));
      k.call(writer, [constant("i32", height), p.c, p.rows, p.columns, p.flags, p.width, p.tile, p.params, ...leaves]);
    };
    const keep = () => each(height, vectors, (row, v) => k.store(inTile(row, v), sums[row]![v]!));
    if (writers.spread === undefined) {
      k.if(isDirect, direct, () => {
        keep();
        through(writers.edge);
      });
      return;
    }
    const { spread } = writers;
    keep();
    k.if(
      isDirect,
      () => through(spread),
      () => through(writers.edge),
    );
  });
}

/** Where the vectors of a tile's columns begin, in row 0 of a tensor that starts at `origin`. */
function columnStarts(k: FunctionBuilder, origin: Value, columns: Value, vectors: number, { table, column }: Placed): Variable[] {
  return Array.from({ length: vectors }, (_, v) =>
    k.let(advance(origin, tableEntry(columns, table, column, v * k.machine.lanes)), "start"),
  );
}

/** A tensor's column in a table. */
interface Placed {
  readonly table: Table;
  readonly column: number;
}

/**
 * Asks for the lines that the tile will be written to, and for those that its epilogue reads: they arrive while it is
 * computed. Else as many stores as a processor remembers wait for theirs, and the epilogue for each of its own.
 */
function prefetchTile(
  k: FunctionBuilder,
  p: TileVariables,
  { height, vectors }: MicroShape,
  { element, rows, columns, rowColumn, columnColumn, leaves, finishes }: Output,
): void {
  const lines = (origin: Value, stored: Element, row: number, column: number, ask: (address: Address) => void) => {
    const starts = columnStarts(k, origin, p.columns, vectors, { table: columns, column });
    each(height, vectors, (r, v) => {
      for (let byte = 0; byte < k.machine.lanes * elementBytes[stored]; byte += LINE)
        ask(at(starts[v]!, tableEntry(p.rows, rows, row, r), byte));
    });
  };
  k.if(ne(and(p.flags, FLAG.direct), 0), () => {
    lines(p.c, element, rowColumn, columnColumn, (address) => k.prefetchForWriting(address));
    whenFlag(k, p.flags, FLAG.finish, finishes, () => {
      leaves.forEach((leaf, position) => {
        if (leaf.element !== undefined && leaf.along === "output")
          lines(leafVariable(p, position), leaf.element, leaf.rowColumn, leaf.columnColumn, (address) => k.prefetch(address));
      });
    });
  });
}

type TileVariables = { readonly [name in keyof typeof TILE_PARAMETERS]: Variable };

/**
 * Advances a and b over `depth` steps of K and gives the sums, rows × vectors. K is not unrolled: V8 moves all loads of
 * a block to its start, and with two steps in a block the registers no longer suffice.
 */
export function multiplyTile(
  k: FunctionBuilder,
  { height, vectors, aRow, aStep, bStep, bElement = "f32", direct }: MicroShape,
  { a, b, depth, steps, columns: first }: TilePointers,
): Variable[][] {
  const vectorBytes = k.machine.lanes * elementBytes[bElement];
  const all = Array.from({ length: vectors }, (_, v) => v);
  const starts =
    direct === undefined
      ? []
      : all.map((v) => k.let(advance(b, tableEntry(first!, direct.columns, direct.column, v * k.machine.lanes)), "start"));
  const sums = grid(height, vectors, () => k.let(constant("vf32", 0), "sum"));
  k.loop(0, depth, 1, () => {
    const step = direct === undefined ? undefined : k.let(tableEntry(steps!, direct.depth, direct.depthColumn, 0), "step");
    const columns = all.map((v) =>
      k.let(readElement(bElement, step === undefined ? at(b, undefined, v * vectorBytes) : at(starts[v]!, step), "vector"), "b"),
    );
    for (let row = 0; row < height; row++) {
      const value = k.let(loadSplat(at(a, undefined, row * aRow)), "a");
      for (let v = 0; v < vectors; v++) k.set(sums[row]![v]!, fma(value, columns[v]!, sums[row]![v]!));
    }
    k.set(a, advance(a, aStep));
    if (direct === undefined) k.set(b, advance(b, bStep));
    else k.set(steps!, advance(steps!, 4));
  });
  return sums;
}

function addPartialSums(
  k: FunctionBuilder,
  { height, vectors }: MicroShape,
  { parts, pitch }: NonNullable<MicroShape["partialSums"]>,
  from: Value,
): Variable[][] {
  const part = (number: number, row: number, v: number) =>
    loadVector(at(from, undefined, number * pitch + (row * vectors + v) * k.machine.lanes * 4));
  const sums = grid(height, vectors, (row, v) => k.let(part(0, row, v), "sum"));
  for (let number = 1; number < parts; number++)
    each(height, vectors, (row, v) => k.set(sums[row]![v]!, add(sums[row]![v]!, part(number, row, v))));
  return sums;
}

interface TilePointers {
  readonly a: Variable;
  readonly b: Variable;
  readonly depth: Value;
  /** Of a direct B. */
  readonly steps?: Variable;
  readonly columns?: Variable;
}

function grid<T>(height: number, vectors: number, make: (row: number, vector: number) => T): T[][] {
  return Array.from({ length: height }, (_, row) => Array.from({ length: vectors }, (_, vector) => make(row, vector)));
}

function each(height: number, vectors: number, visit: (row: number, vector: number) => void): void {
  for (let row = 0; row < height; row++) for (let vector = 0; vector < vectors; vector++) visit(row, vector);
}
