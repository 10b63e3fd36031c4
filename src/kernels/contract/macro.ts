// Emits the loops over the tiles of a block, around the micro-kernel.

import type { FunctionBuilder, ModuleBuilder } from "../language/builder.ts";
import type { Value } from "../language/language.ts";
import { add, advance, and, at, constant, eq, extract, ge, laneConstants, loadAs, mul, operation, splat } from "../language/values.ts";
import { FLAG, laneOffsets, leafParameters, leafVariable, type Output, TILE_PARAMETERS } from "./output.ts";
import { columnOffset } from "./tables.ts";

/** macro(a, b, steps, depth, count, tall, short, c, …): all tiles of a block of rows and columns. */
export interface MacroShape {
  readonly height: number;
  readonly vectors: number;
  /**
   * Bytes from one tile of A to the next, of the full height and one less; undefined: packed, depth · height elements.
   */
  readonly aTile: readonly [number, number] | undefined;
  /** Bytes from one panel's tiles of A to the next panel's: 0 for factors, which all panels share. */
  readonly aPanel: number;
  /**
   * Where tiles go that are not written to the output: bytes from one to the next, and from one panel's to the next.
   */
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
  const { width: _, flags: __, tile, c, rows, columns } = { ...TILE_PARAMETERS };
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
          k.if(regularPanel(k, p.columns, shape.vectors, output), () => k.set(flags, operation("or", [flags, FLAG.direct]))),
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

/** True when every vector of the panel at `columns` lies in one run of the output. */
function regularPanel(k: FunctionBuilder, columns: Value, vectors: number, output: Output): Value {
  const lanes = k.machine.lanes;
  const iota = laneConstants(laneOffsets(lanes, output, output.step));
  const equal = Array.from({ length: vectors }, (_, v) => {
    const offsets = k.let(
      loadAs("vi32", "i32", at(columns, undefined, columnOffset(output.columns, output.columnColumn) + v * lanes * 4)),
      "offsets",
    );
    return eq(offsets, add(splat(extract(offsets, 0)), iota));
  });
  return operation("all", [equal.reduce((a, b) => and(a, b))]);
}
