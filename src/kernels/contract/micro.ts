// Emits the register-tiled micro-kernel and what writes its tile: in whole vectors, or lane by lane at edges and for scattered outputs.
import type { FunctionBuilder, ModuleBuilder } from "../builder.ts";
import type { Address, Value, Variable } from "../language.ts";
import {
  add,
  advance,
  and,
  at,
  constant,
  eq,
  extract,
  fma,
  ge,
  gt,
  laneConstants,
  load,
  loadAs,
  loadSplat,
  loadVector,
  mul,
  ne,
  operation,
  replace,
  shiftLeft,
  shiftRight,
  splat,
  sub,
} from "../values.ts";
import { gatherLanes } from "./pack.ts";
import { columnOffset, type Table } from "./tables.ts";

/** A value the epilogue reads per output element; its tables' columns give byte offsets (load) or numbers (position). */
export interface LeafSource {
  readonly kind: "load" | "position";
  readonly rowColumn: number;
  readonly columnColumn: number;
  /** How it moves along the columns: not at all, as the output does, or in its own way. */
  readonly along: "constant" | "output" | "own";
}

/** The last thing done to a tile's vector. `leaves` are vectors in the order of `Output.leaves`. */
export type Finish = (k: FunctionBuilder, accumulator: Value, leaves: readonly Value[], params: Value) => Value;

/** How tiles reach memory: where output and leaves lie, and what is applied. */
export interface Output {
  readonly rows: Table;
  readonly columns: Table;
  /** The output's byte offsets in `rows` and `columns`. */
  readonly rowColumn: number;
  readonly columnColumn: number;
  /** Elements from one column to the next along the innermost axis of the columns (2 in a residue class of stride 2). */
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
export const flag = { add: 1, finish: 2, direct: 4 } as const;

/** Byte offsets of a vector's lanes in an output that is walked `step` elements at a time. */
const laneOffsets = (lanes: number, step: number): number[] => Array.from({ length: lanes }, (_, lane) => 4 * step * lane);

/** Parameters that the output's leaves add to every function that writes tiles, in order. */
export function leafParameters(leaves: readonly LeafSource[]): { readonly params: "pointer" } {
  const types = leaves.map((leaf, position) => [`leaf${position}`, leaf.kind === "load" ? "pointer" : "i32"] as const);
  return { params: "pointer", ...Object.fromEntries(types) };
}

const leafVariable = (parameters: { readonly [name: string]: Variable }, position: number): Variable => parameters[`leaf${position}`]!;

/** Shared by micro-kernel, edge writer and the loops around them: the tile's place in the output. */
export const tileParameters = { c: "pointer", rows: "pointer", columns: "pointer", flags: "i32", width: "i32", tile: "pointer" } as const;

export interface MicroShape {
  readonly height: number;
  readonly vectors: number;
  /** Bytes from one row of A to the next, from one step of K to the next in A and in B. */
  readonly aRow: number;
  readonly aStep: number;
  readonly bStep: number;
  /** B is read where it lies: tables' columns hold the byte offset of each vector of columns and of each step of K; bStep is 0. */
  readonly direct?: DirectB | undefined;
  /** Nothing is multiplied: `a` points at tiles of unfinished sums, `pitch` bytes from one part to the next, that are added up. */
  readonly aside?: { readonly parts: number; readonly pitch: number } | undefined;
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
 * micro(a, b, steps, depth, c, rows, columns, flags, width, tile, params, leaf…): accumulates depth steps of height × vectors and writes the
 * tile. `rows` and `columns` point at the tile's first entries of the tables, `width` is the number of valid columns; `steps` at the
 * table of K (of a direct B). Without flag.direct the tile goes through `tile` (height · vectors vectors of scratch) and the edge writer, as it
 * always does where its vectors do not lie whole in memory: lane by lane, a tile's worth of instructions would be thousands.
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
    ...tileParameters,
    ...leafParameters(output.leaves),
  } as const;
  return module.define(name, parameters, (k, p) => {
    const sums = shape.aside === undefined ? multiplyTile(k, shape, p) : addAside(k, shape, shape.aside, p.a);
    const inTile = (row: number, v: number) => at(p.tile, undefined, (row * vectors + v) * vectorBytes);
    if (writers === undefined) {
      k.if(ne(and(p.flags, flag.add), 0), () =>
        each(height, vectors, (row, v) => k.set(sums[row]![v]!, add(sums[row]![v]!, loadVector(inTile(row, v))))),
      );
      each(height, vectors, (row, v) => k.store(inTile(row, v), sums[row]![v]!));
      return;
    }
    const direct = () => {
      const rowOffset = Array.from({ length: height }, (_, row) => k.let(tableEntry(p.rows, output.rows, output.rowColumn, row), "row"));
      const place = (row: number, v: number) =>
        at(p.c, k.let(add(rowOffset[row]!, tableEntry(p.columns, output.columns, output.columnColumn, v * lanes)), "place"));
      const places = grid(height, vectors, place);
      whenFlag(k, p.flags, flag.add, output.adds, () =>
        each(height, vectors, (row, v) => k.set(sums[row]![v]!, add(sums[row]![v]!, loadVector(places[row]![v]!)))),
      );
      whenFlag(k, p.flags, flag.finish, output.finishes, () =>
        each(height, vectors, (row, v) => {
          const leaves = output.leaves.map((leaf, i) =>
            leafVector(k, leaf, leafVariable(p, i), p, output, constant("i32", 4 * row), v, true),
          );
          k.set(sums[row]![v]!, output.finish!(k, sums[row]![v]!, leaves, p.params));
        }),
      );
      each(height, vectors, (row, v) => k.store(places[row]![v]!, sums[row]![v]!));
    };
    const isDirect = ne(and(p.flags, flag.direct), 0);
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

/**
 * Advances a and b over `depth` steps of K and gives the sums, rows × vectors. K is not unrolled: V8 moves all loads of a block to its
 * start, and with two steps in a block the registers no longer suffice.
 */
export function multiplyTile(
  k: FunctionBuilder,
  { height, vectors, aRow, aStep, bStep, direct }: MicroShape,
  { a, b, depth, steps, columns: first }: TilePointers,
): Variable[][] {
  const vectorBytes = k.machine.lanes * 4;
  const all = Array.from({ length: vectors }, (_, v) => v);
  const starts =
    direct === undefined
      ? []
      : all.map((v) => k.let(advance(b, tableEntry(first!, direct.columns, direct.column, v * k.machine.lanes)), "start"));
  const sums = grid(height, vectors, () => k.let(constant("vf32", 0), "sum"));
  k.loop(0, depth, 1, () => {
    const step = direct === undefined ? undefined : k.let(tableEntry(steps!, direct.depth, direct.depthColumn, 0), "step");
    const columns = all.map((v) => k.let(loadVector(step === undefined ? at(b, undefined, v * vectorBytes) : at(starts[v]!, step)), "b"));
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

function addAside(
  k: FunctionBuilder,
  { height, vectors }: MicroShape,
  { parts, pitch }: NonNullable<MicroShape["aside"]>,
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

/** What writes a tile that lies in scratch, row by row. */
export interface Writers {
  /** Of any place in the output. */
  readonly edge: string;
  /** Of panels that are regular, where not all vectors are whole (outputs walked in steps, leaves walked in their own way) or a lot is applied. */
  readonly spread: string | undefined;
}

/** Defines edge(height, c, rows, columns, flags, width, tile, params, leaf…) and, where it is needed, spread with the same parameters. */
export function defineWriters(module: ModuleBuilder, nameOf: (part: string) => string, vectors: number, output: Output): Writers {
  const whole = output.step === 1 && !output.finishesInRows && output.leaves.every(({ along }) => along !== "own");
  return {
    edge: defineEdge(module, nameOf("edge"), vectors, output),
    spread: whole ? undefined : defineSpread(module, nameOf("spread"), vectors, output),
  };
}

/** Of regular panels: lanes lie `output.step` elements apart, and all of them are valid. */
function defineSpread(module: ModuleBuilder, name: string, vectors: number, output: Output): string {
  const lanes = module.machine.lanes;
  const parameters = { height: "i32", ...tileParameters, ...leafParameters(output.leaves) } as const;
  const apart = laneOffsets(lanes, output.step);
  return module.define(name, parameters, (k, p) => {
    k.loop(0, shiftLeft(p.height, 2), 4, (row) => {
      const start = k.let(rowStart(p, row, output), "start");
      for (let v = 0; v < vectors; v++) {
        const offset = k.let(tableEntry(p.columns, output.columns, output.columnColumn, v * lanes), "offset");
        const value = k.let(loadVector(at(p.tile, undefined, v * lanes * 4)), "value");
        const lane = (i: number): Address => at(start, offset, apart[i]);
        const whole = output.step === 1;
        whenFlag(k, p.flags, flag.add, output.adds, () => k.set(value, add(value, whole ? loadVector(lane(0)) : fromLanes(lanes, lane))));
        whenFlag(k, p.flags, flag.finish, output.finishes, () => {
          const leaves = output.leaves.map((leaf, i) => leafVector(k, leaf, leafVariable(p, i), p, output, row, v, true));
          k.set(value, output.finish!(k, value, leaves, p.params));
        });
        if (whole) k.store(lane(0), value);
        else for (let i = 0; i < lanes; i++) k.store(lane(i), extract(value, i));
      }
      k.set(p.tile, advance(p.tile, vectors * lanes * 4));
    });
  });
}

/** Of any place in the output: vectors whose valid lanes are one run of it as such, others lane by lane. */
function defineEdge(module: ModuleBuilder, name: string, vectors: number, output: Output): string {
  const lanes = module.machine.lanes;
  const parameters = { height: "i32", ...tileParameters, ...leafParameters(output.leaves) } as const;
  return module.define(name, parameters, (k, p) => {
    const columns = k.let(p.columns, "columns");
    const left = k.let(p.width, "left");
    k.loop(0, vectors * lanes * 4, lanes * 4, (vector) => {
      const offsets = k.let(loadAs("vi32", "i32", at(columns, undefined, columnOffset(output.columns, output.columnColumn))), "offsets");
      const rows = (isRun: boolean, write: (start: Variable, value: Variable) => void) => {
        const tile = k.let(advance(p.tile, vector), "tile");
        k.loop(0, shiftLeft(p.height, 2), 4, (row) => {
          const start = k.let(rowStart(p, row, output), "start");
          const value = k.let(loadVector(at(tile)), "value");
          // The tables repeat the last valid column, so reading past the width is safe.
          const before = () =>
            isRun ? loadVector(at(start, extract(offsets, 0))) : fromLanes(lanes, (i) => at(start, extract(offsets, i)));
          whenFlag(k, p.flags, flag.add, output.adds, () => k.set(value, add(value, before())));
          whenFlag(k, p.flags, flag.finish, output.finishes, () => {
            const places = { rows: p.rows, columns };
            const whole = (leaf: LeafSource) => isRun && leaf.along === "output";
            const leaves = output.leaves.map((leaf, i) => leafVector(k, leaf, leafVariable(p, i), places, output, row, 0, whole(leaf)));
            k.set(value, output.finish!(k, value, leaves, p.params));
          });
          write(start, value);
          k.set(tile, advance(tile, vectors * lanes * 4));
        });
      };
      const byLanes = () =>
        rows(false, (start, value) => {
          // A limited table repeats a row's last column within its last vector: the lane that really belongs there is stored last.
          for (let i = lanes - 1; i >= 0; i--) k.store(at(start, extract(offsets, i)), extract(value, i));
        });
      k.if(gt(left, 0), () => {
        if (output.step !== 1) {
          byLanes();
          return;
        }
        const [first, last] = [k.let(extract(offsets, 0), "first"), k.let(extract(offsets, lanes - 1), "last")];
        const run = operation("min", [add(splat(first), laneConstants(laneOffsets(lanes, 1))), splat(last)]);
        const count = k.let(add(shiftRight(sub(last, first), 2), 1), "count");
        k.if(
          operation("all", [eq(offsets, run)]),
          () => rows(true, (start, value) => k.storePartial(at(start, first), value, count)),
          byLanes,
        );
      });
      k.set(columns, advance(columns, lanes * 4));
      k.set(left, sub(left, lanes));
    });
  });
}

function rowStart(p: { readonly c: Variable; readonly rows: Variable }, row: Value, output: Output): Value {
  return advance(p.c, loadAs("i32", "i32", at(p.rows, row, columnOffset(output.rows, output.rowColumn))));
}

/** A vector of elements that lie anywhere. */
function fromLanes(lanes: number, lane: (i: number) => Address): Value {
  let result = splat(load(lane(0)));
  for (let i = 1; i < lanes; i++) result = replace(result, i, load(lane(i)));
  return result;
}

/** True when every vector of the panel at `columns` lies in one run of the output. */
function regularPanel(k: FunctionBuilder, columns: Value, vectors: number, output: Output): Value {
  const lanes = k.machine.lanes;
  const iota = laneConstants(laneOffsets(lanes, output.step));
  const equal = Array.from({ length: vectors }, (_, v) => {
    const offsets = k.let(
      loadAs("vi32", "i32", at(columns, undefined, columnOffset(output.columns, output.columnColumn) + v * lanes * 4)),
      "offsets",
    );
    return eq(offsets, add(splat(extract(offsets, 0)), iota));
  });
  return operation("all", [equal.reduce((a, b) => and(a, b))]);
}

/** A leaf's values for one vector of a tile; `row` in bytes of a table. `regular`: of a regular panel. */
function leafVector(
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
  if (leaf.kind === "position") return add(loadAs("vi32", "i32", columnPlace), add(rowValue, origin));
  if (leaf.along === "constant") return loadSplat(at(origin, rowValue));
  if (!regular || leaf.along === "own")
    return gatherLanes(k, origin, k.let(add(loadAs("vi32", "i32", columnPlace), rowValue), "leafPlaces"));
  const place = k.let(add(rowValue, loadAs("i32", "i32", columnPlace)), "leafPlace");
  return output.step === 1 ? loadVector(at(origin, place)) : fromLanes(lanes, (i) => at(origin, place, 4 * output.step * i));
}

function tableEntry(pointer: Value, table: Table, column: number, entry: number): Value {
  return loadAs("i32", "i32", at(pointer, undefined, columnOffset(table, column) + entry * 4));
}

function whenFlag(k: FunctionBuilder, flags: Value, bit: number, when: "never" | "always" | "sometimes", then: () => void): void {
  if (when === "never") return;
  if (when === "always") then();
  else k.if(ne(and(flags, bit), 0), then);
}

function grid<T>(height: number, vectors: number, make: (row: number, vector: number) => T): T[][] {
  return Array.from({ length: height }, (_, row) => Array.from({ length: vectors }, (_, vector) => make(row, vector)));
}

function each(height: number, vectors: number, visit: (row: number, vector: number) => void): void {
  for (let row = 0; row < height; row++) for (let vector = 0; vector < vectors; vector++) visit(row, vector);
}

/** macro(a, b, steps, depth, count, tall, short, c, …): all tiles of a block of rows and columns. */
export interface MacroShape {
  readonly height: number;
  readonly vectors: number;
  /** Bytes from one tile of A to the next, of the full height and one less; undefined: packed, depth · height elements. */
  readonly aTile: readonly [number, number] | undefined;
  /** Bytes from one panel's tiles of A to the next panel's: 0 for factors, which all panels share. */
  readonly aPanel: number;
  /** Where tiles go that are not written to the output: bytes from one to the next, and from one panel's to the next. */
  readonly tile: { readonly bytes: number; readonly panel: number } | undefined;
  /** Bytes from one panel of B to the next; undefined: packed, depth · width elements. */
  readonly bPanel: number | undefined;
}

/** @param micros of the full height and one less (undefined where the split never needs it) */
export function defineMacro(
  module: ModuleBuilder,
  name: string,
  shape: MacroShape,
  micros: readonly [string | undefined, string | undefined],
  output: Output,
): string {
  const lanes = module.machine.lanes;
  const { width: _, flags: __, tile, c, rows, columns } = { ...tileParameters };
  const parameters = {
    a: "pointer",
    b: "pointer",
    steps: "pointer",
    depth: "i32",
    count: "i32",
    tall: "i32",
    short: "i32",
    c,
    rows,
    columns,
    flags: "i32",
    tile,
    ...leafParameters(output.leaves),
  } as const;
  const width = shape.vectors * lanes;
  return module.define(name, parameters, (k, p) => {
    const leaves = output.leaves.map((_, i) => leafVariable(p, i));
    const bPanel = k.let(shape.bPanel === undefined ? mul(p.depth, width * 4) : constant("i32", shape.bPanel), "bPanel");
    k.loop(0, p.count, width, (column) => {
      const left = k.let(operation("sub", [p.count, column]), "left");
      const flags = k.let(p.flags, "flags");
      if (shape.tile === undefined)
        k.if(ge(left, width), () =>
          k.if(regularPanel(k, p.columns, shape.vectors, output), () => k.set(flags, operation("or", [flags, flag.direct]))),
        );
      const a = k.let(p.a, "a");
      const rows = k.let(p.rows, "rows");
      const tile = shape.tile === undefined ? p.tile : k.let(p.tile, "tile");
      [p.tall, p.short].forEach((tiles, which) => {
        const micro = micros[which as 0 | 1];
        if (micro === undefined) return;
        const height = shape.height - which;
        const step = k.let(shape.aTile === undefined ? mul(p.depth, height * 4) : constant("i32", shape.aTile[which as 0 | 1]), "step");
        k.loop(0, tiles, 1, () => {
          k.call(micro, [a, p.b, p.steps, p.depth, p.c, rows, p.columns, flags, left, tile, p.params, ...leaves]);
          if (shape.tile !== undefined) k.set(tile, advance(tile, shape.tile.bytes));
          k.set(a, advance(a, step));
          k.set(rows, advance(rows, height * 4));
        });
      });
      if (shape.aPanel !== 0) k.set(p.a, advance(p.a, shape.aPanel));
      if (shape.tile !== undefined) k.set(p.tile, advance(p.tile, shape.tile.panel));
      k.set(p.b, advance(p.b, bPanel));
      k.set(p.columns, advance(p.columns, width * 4));
    });
  });
}
