// Emits one block of columns and K: packs its operands, then runs the macro-kernel on every block of rows.

import type { FunctionBuilder } from "../language/builder.ts";
import type { Value, Variable } from "../language/language.ts";
import { add, advance, i32, max, min, mul, sub } from "../language/values.ts";
import { tileBytes } from "./blocking.ts";
import type { Origins } from "./origins.ts";
import type { ClassShape, Routines } from "./routines.ts";

export type EntryParameters = { readonly [name: string]: Variable };

/** What all loops of one function share. */
export interface Loops {
  readonly k: FunctionBuilder;
  readonly p: EntryParameters;
  readonly shape: ClassShape;
  readonly routines: Routines;
  readonly at: Areas;
  readonly keep: Keep;
}

/** Where tables and packed operands lie in scratch. */
export interface Areas {
  readonly rows: Variable;
  readonly columns: Variable;
  readonly depth: Variable;
  readonly a: Variable;
  readonly b: Variable;
  readonly tile: Variable;
  readonly stage: Variable;
}

/** What is the same in every slice and done once per call: tables, and packing A. */
export interface Keep {
  readonly rows: boolean;
  readonly columns: boolean;
  readonly depth: boolean;
  readonly a: boolean;
}

/** A block of columns, and of it a block of K. */
export interface Block {
  readonly origins: Origins;
  readonly column: Value;
  readonly columns: Value;
  /** Row tiles [tile, lastTile). */
  readonly tile: Value;
  readonly lastTile: Value;
  readonly packsB: Value;
  /** Where this block of columns' unfinished sums lie. */
  readonly partialSums: Variable | undefined;
  /** Which segment of the sum. */
  readonly position: number;
  readonly start: Value;
  readonly depth: Value;
  readonly flags: Value;
}

interface Tiles {
  /** Of the first tile. */
  readonly index: Value;
  /** First row. */
  readonly first: Value;
  /** Tiles of the full height, and of one row less. */
  readonly tall: Value;
  readonly short: Value;
}

/** One block of K for a block of columns: packs B, then goes through the rows. */
export function emitDepthBlock(loops: Loops, block: Block): void {
  const { k, p, at, keep, routines, shape } = loops;
  const { blocking, segments } = shape.layout;
  const { position } = block;
  if (!keep.depth) tabulateDepth(loops, position, block.start, block.depth);
  const pack = routines.packs[position]!.b;
  if (pack !== undefined && segments[position]!.b.packed) {
    k.if(block.packsB, () => {
      const to = k.let(at.b, "to");
      const panel = k.let(at.columns, "panel");
      const step = k.let(mul(block.depth, blocking.width * 4), "step");
      k.loop(0, block.columns, blocking.width, () => {
        const from = block.origins.b[position]!;
        k.call(pack, [p[`in${shape.plan.b}`]!, from, panel, at.depth, block.depth, to, i32(blocking.width * 4)]);
        k.set(to, advance(to, step));
        k.set(panel, advance(panel, blocking.width * 4));
      });
    });
  }
  emitRowBlocks(loops, block);
}

export function emitRowBlocks(loops: Loops, block: Block): void {
  const { k } = loops;
  const { rowBlocks, blocking } = loops.shape.layout;
  const { height, count, tall } = blocking.rows;
  if (rowBlocks === 1) {
    emitRowBlock(loops, block, { index: i32(0), first: i32(0), tall: i32(tall), short: i32(count - tall) });
    return;
  }
  k.loop(block.tile, block.lastTile, blocking.rowTilesPerBlock, (tile) => {
    const tiles = k.let(min(sub(block.lastTile, tile), blocking.rowTilesPerBlock), "tiles");
    const tallHere = k.let(max(min(sub(i32(tall), tile), tiles), 0), "tall");
    const short = k.let(sub(tiles, tallHere), "short");
    const before = k.let(max(sub(tile, tall), 0), "before");
    const first = k.let(sub(mul(tile, height), before), "first");
    const rows = k.let(sub(mul(tiles, height), short), "rows");
    tabulateRows(loops, first, rows);
    emitRowBlock(loops, block, { index: tile, first, tall: tallHere, short });
  });
}

/** Packs A, or says where it lies, and calls the macro-kernel. */
function emitRowBlock(loops: Loops, block: Block, tiles: Tiles): void {
  const { k, p, at, keep, routines, shape } = loops;
  const { plan, part, layout, sums } = shape;
  const { position, origins } = block;
  const segment = sums === "combine" ? undefined : layout.segments[position];
  const [inA, inB] = [p[`in${plan.a}`]!, p[`in${plan.b}`]!];
  let a: Value = at.a;
  let b: Value = at.b;
  if (segment?.a.packed === true && !keep.a) packRows(loops, position, origins.a[position]!, block.depth, tiles);
  if (segment?.a.packed === false) {
    const inside = add(mul(tiles.first, segment.a.panelStep), mul(block.start, segment.a.depthStep));
    a = k.let(advance(inA, add(add(origins.a[position]!, segment.a.start), inside)), "a");
  }
  if (segment?.b.packed === false) {
    const inside = add(mul(block.column, segment.b.panelStep), mul(block.start, segment.b.depthStep));
    b = k.let(advance(inB, add(add(origins.b[position]!, segment.b.start), inside)), "b");
  }
  if (segment?.b.packed === "direct") b = routines.stage === undefined ? k.let(advance(inB, origins.b[position]!), "b") : at.stage;
  const partialSums = block.partialSums && k.let(advance(block.partialSums, mul(tiles.index, tileBytes(layout.blocking))), "partialSums");
  if (partialSums !== undefined && sums === "combine") a = partialSums;
  const tile = partialSums !== undefined && sums === "partial" ? partialSums : at.tile;
  const c = advance(p.out!, origins.c);
  const leaves = part.leaves.map((leaf, i) =>
    leaf.operand === undefined ? origins.leaves[i]! : advance(p[`in${leaf.operand}`]!, origins.leaves[i]!),
  );
  const counts = [block.depth, block.columns, tiles.tall, tiles.short];
  k.call(routines.macros[position]!, [a, b, at.depth, ...counts, c, at.rows, at.columns, block.flags, tile, p.params!, ...leaves]);
}

/** Packs the tiles of a block of rows. */
export function packRows(loops: Loops, position: number, origin: Value, depth: Value, tiles: Pick<Tiles, "tall" | "short">): void {
  const { k, p, at, routines, shape } = loops;
  const to = k.let(at.a, "to");
  const panel = k.let(at.rows, "panel");
  const pack = routines.packs[position]!.a!;
  [tiles.tall, tiles.short].forEach((count, which) => {
    const height = shape.layout.blocking.rows.height - which;
    if (height === 0) return;
    const step = k.let(mul(depth, height * 4), "step");
    k.loop(0, count, 1, () => {
      k.call(pack, [p[`in${shape.plan.a}`]!, origin, panel, at.depth, depth, to, i32(height * 4)]);
      k.set(to, advance(to, step));
      k.set(panel, advance(panel, height * 4));
    });
  });
}

export function tabulateRows({ k, at, routines, shape }: Loops, start: Value, count: Value): void {
  k.call(routines.tables.rows, [start, count, add(count, shape.layout.aVectors * k.machine.lanes), at.rows]);
}

export function tabulateColumns({ k, at, routines, shape }: Loops, start: Value, count: Value): void {
  k.call(routines.tables.columns, [start, count, add(count, shape.layout.blocking.width), at.columns]);
}

export function tabulateDepth({ k, at, routines }: Loops, position: number, start: Value, count: Value): void {
  k.call(routines.tables.depth[position]!, [start, count, count, at.depth]);
}
