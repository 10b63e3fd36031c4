// Emits the loop over the slices of a contraction's class, down to its blocks of columns and K.

import type { FunctionBuilder } from "../language/builder.ts";
import { aligned, type Value, type Variable } from "../language/language.ts";
import { add, advance, and, bool, eq, i32, min, mul, operation, or, select, sub } from "../language/values.ts";
import { tileBytes } from "./blocking.ts";
import {
  type Areas,
  type Block,
  type EntryParameters,
  emitDepthBlock,
  emitRowBlocks,
  type Keep,
  type Loops,
  packRows,
  tabulateColumns,
  tabulateDepth,
  tabulateRows,
} from "./blocks.ts";
import { zeroArea } from "./direct.ts";
import { originsOf } from "./origins.ts";
import { FLAG } from "./output.ts";
import { partialSumsPitch } from "./partial-sums.ts";
import type { ClassShape, Routines } from "./routines.ts";

/** The body of the class's function: all slices from `begin` to `end`. */
export function emitSlices(k: FunctionBuilder, p: EntryParameters, shape: ClassShape, routines: Routines): void {
  const { scratch, columnBlocks, rowBlocks, blocking, segments } = shape.layout;
  const { part, plan } = shape;
  const combines = shape.sums === "combine";
  const area = (offset: number) => k.let(advance(p.scratch!, offset), "area");
  const at: Areas = {
    rows: area(scratch.rows),
    columns: area(scratch.columns),
    depth: area(scratch.depth),
    a: area(scratch.a),
    b: area(scratch.b),
    tile: area(scratch.tile),
    stage: area(scratch.stage),
  };
  const oneDepth = segments.reduce((sum, segment) => sum + segment.blocks, 0) <= 1;
  const strides = segments[0]?.segment.a.strides;
  const sameA = plan.roles.batch.every((axis) => part.extents[axis] === 1 || strides?.[axis] === 0);
  const keep: Keep = {
    rows: rowBlocks === 1,
    columns: columnBlocks === 1,
    depth: oneDepth && !combines,
    a: rowBlocks === 1 && oneDepth && sameA && !combines,
  };
  const loops: Loops = { k, p, shape, routines, at, keep };
  if (routines.stage !== undefined) zeroArea(k, at.stage, aligned(routines.stage.plan.bytes));
  if (keep.rows) tabulateRows(loops, i32(0), i32(part.m));
  if (keep.columns) tabulateColumns(loops, i32(0), i32(part.n));
  if (keep.depth && segments.length > 0) tabulateDepth(loops, 0, i32(0), i32(segments[0]!.segment.k));
  if (keep.a && segments[0]?.a.packed === true) {
    const tiles = { tall: i32(blocking.rows.tall), short: i32(blocking.rows.count - blocking.rows.tall) };
    packRows(loops, 0, i32(0), i32(segments[0].segment.k), tiles);
  }
  k.loop(p.begin!, p.end!, 1, (slice) => emitSlice(loops, slice));
}

/** One part of the rows of one block of columns (and one part of K, where K is split) of one batch index. */
function emitSlice(loops: Loops, slice: Value): void {
  const { k, p, at, keep, routines } = loops;
  const { plan, part, layout, sums } = loops.shape;
  const { columnBlocks, blocking, segments, partition, rowTilesPerPart } = layout;
  const parts = sums === "partial" ? partition.depth : 1;
  let rest: Value = slice;
  const digit = (count: number, name: string): Value => {
    if (count === 1) return i32(0);
    const quotient = k.let(operation("divide", [rest, count]), name);
    const remainder = k.let(sub(rest, mul(quotient, count)), name);
    rest = quotient;
    return remainder;
  };
  const rowPart = digit(partition.rows, "rows");
  const block = digit(columnBlocks, "block");
  const depthPart = digit(parts, "part");
  const index = part.batch === 1 ? i32(0) : rest;
  const origins = originsOf(k, loops.shape, index);
  const column = k.let(mul(block, blocking.columnsPerBlock), "column");
  const columns = columnBlocks === 1 ? i32(part.n) : k.let(min(sub(i32(part.n), column), blocking.columnsPerBlock), "columns");
  const tile = partition.rows === 1 ? i32(0) : k.let(mul(rowPart, rowTilesPerPart), "tile");
  const lastTile =
    partition.rows === 1 ? i32(blocking.rows.count) : k.let(min(add(tile, rowTilesPerPart), blocking.rows.count), "lastTile");
  // Parts of the rows follow one another: the first one, or the first of a call, packs B for all.
  const packsB = partition.rows === 1 ? bool(true) : k.let(or(eq(rowPart, 0), eq(slice, p.begin!)), "packsB");
  const partialSums =
    sums === "all"
      ? undefined
      : partialSumsAddress(loops, sums === "combine" ? mul(index, partition.depth) : add(mul(index, parts), depthPart), column);
  if (!keep.columns) tabulateColumns(loops, column, columns);
  if (routines.stage !== undefined) {
    const { copy } = routines.stage;
    const stage = () => void k.call(copy, [p[`in${plan.b}`]!, origins.stage, at.stage]);
    if (columnBlocks * partition.rows * parts === 1) stage();
    else k.if(or(and(eq(block, 0), eq(rowPart, 0)), eq(slice, p.begin!)), stage);
  }
  const common = { origins, column, columns, tile, lastTile, packsB, partialSums };
  if (segments.length === 0 || sums === "combine") {
    const flags = i32(FLAG.finish | (plan.nest.output.accumulate ? FLAG.add : 0));
    emitRowBlocks(loops, { ...common, position: 0, start: i32(0), depth: i32(0), flags });
    return;
  }
  segments.forEach((_, position) => emitSegment(loops, { ...common, position }, parts, depthPart));
}

/** Where the unfinished sums of a part of K begin, at a column's panel. */
function partialSumsAddress({ k, p, shape }: Loops, part: Value, column: Value): Variable {
  const { blocking } = shape.layout;
  const panel = (blocking.rows.count * tileBytes(blocking)) / blocking.width;
  return k.let(advance(p.shared!, add(mul(part, partialSumsPitch(shape.part, shape.layout)), mul(column, panel))), "partialSums");
}

/**
 * One segment of the sum, block by block of K: the first of all replaces what is in the output, the last finishes it.
 */
function emitSegment(loops: Loops, common: Omit<Block, "start" | "depth" | "flags">, parts: number, depthPart: Value): void {
  const { k } = loops;
  const { plan, layout } = loops.shape;
  const { position } = common;
  const { blocks, segment } = layout.segments[position]!;
  const first = position === 0;
  const last = position === layout.segments.length - 1;
  if (blocks === 1) {
    const flags = i32((first && !plan.nest.output.accumulate ? 0 : FLAG.add) | (last ? FLAG.finish : 0));
    emitDepthBlock(loops, { ...common, start: i32(0), depth: i32(segment.k), flags });
    return;
  }
  const { blocksPerPart } = layout;
  const from = parts === 1 ? i32(0) : k.let(mul(depthPart, blocksPerPart), "from");
  const to = parts === 1 ? i32(blocks) : k.let(min(add(from, blocksPerPart), blocks), "to");
  k.loop(from, to, 1, (step) => {
    const start = k.let(mul(step, layout.depth), "start");
    const depth = k.let(min(sub(i32(segment.k), start), layout.depth), "depth");
    const isFirst = eq(step, from);
    const adds: Value = first && (parts > 1 || !plan.nest.output.accumulate) ? select(isFirst, i32(0), i32(FLAG.add)) : i32(FLAG.add);
    const finishes: Value = last ? select(eq(step, blocks - 1), i32(FLAG.finish), i32(0)) : i32(0);
    const flags = k.let(operation("or", [adds, finishes]), "flags");
    const packsB = blocksPerPart === 1 ? common.packsB : bool(true);
    emitDepthBlock(loops, { ...common, packsB, start, depth, flags });
  });
}
