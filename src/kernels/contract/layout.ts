// Decides, for one class of a contraction, which tables exist, which operands are packed and where scratch lies.

import { type Element, elementBytes } from "../expressions/elements.ts";
import { aligned, type Machine } from "../language/language.ts";
import type { AffineAccess } from "./access.ts";
import { type Blocking, chooseBlocking, evenly } from "./blocking.ts";
import type { DirectColumns } from "./direct.ts";
import type { DirectB, MicroShape } from "./micro.ts";
import type { LeafSource } from "./output.ts";
import { type PackSource, shortestPiece } from "./pack.ts";
import { choosePartition, PACKING, type Partition } from "./partition.ts";
import { type ContractionClass, type ContractionPlan, isWritten, type Segment } from "./plan.ts";
import { type Column, mergeAxes, type Table, tableBytes } from "./tables.ts";

/** One part of the sum, ready to be emitted. */
export interface SegmentLayout {
  readonly segment: Segment;
  readonly depthTable: Table;
  /** Blocks of K, each of `depth` steps (the last may be shorter). */
  readonly blocks: number;
  readonly a: OperandLayout;
  readonly b: OperandLayout;
}

/** Read where it lies: bytes from the buffer's start, per row (column) and per step of K. */
interface InPlace {
  readonly packed: false;
  readonly start: number;
  readonly panelStep: number;
  readonly depthStep: number;
}

export type OperandLayout =
  | { readonly packed: true; readonly source: PackSource }
  | InPlace
  | { readonly packed: "direct"; readonly read: DirectB };

export interface ClassLayout {
  readonly blocking: Blocking;
  /** What the micro-kernel reads of B: panels are float32, whatever they were packed from. */
  readonly bElement: Element;
  readonly depth: number;
  readonly rowsTable: Table;
  readonly columnsTable: Table;
  readonly leaves: readonly LeafSource[];
  readonly segments: readonly SegmentLayout[];
  readonly partition: Partition;
  readonly rowBlocks: number;
  readonly columnBlocks: number;
  /** Row tiles per part of the rows. */
  readonly rowTilesPerPart: number;
  /** Blocks of K per part of K. */
  readonly blocksPerPart: number;
  /** Vectors that a packed panel of A is written in. */
  readonly aVectors: number;
  /** Byte offsets in scratch. */
  readonly scratch: {
    readonly rows: number;
    readonly columns: number;
    readonly depth: number;
    readonly a: number;
    readonly b: number;
    readonly tile: number;
    readonly stage: number;
    readonly size: number;
  };
}

/** Bytes: of a page, and of what the sets of a first-level cache repeat after. */
const PAGE = 4096;

/** Columns whose tables are kept for all images: nothing else grows with them when B is not packed. */
const MOST_DIRECT_COLUMNS = 16384;

/** What all parts of a layout are made from. */
interface Given {
  readonly plan: ContractionPlan;
  readonly part: ContractionClass;
  readonly machine: Machine;
  readonly direct: DirectColumns | undefined;
  readonly elements: ContractionPlan["elements"];
  /** Those that add anything. */
  readonly segments: readonly Segment[];
}

/** The columns of the tables that all segments share; each operand and check adds its own. */
interface SharedColumns {
  readonly rows: Column[];
  readonly columns: Column[];
}

/** A packed operand whose tables are not complete yet. */
interface PackDraft extends Omit<PackSource, "panel" | "depth"> {
  readonly packed: "draft";
  readonly panelColumn: number;
  readonly depthColumn: number;
}

interface SegmentDraft {
  readonly segment: Segment;
  readonly depthColumns: readonly Column[];
  readonly a: InPlace | PackDraft;
  readonly b: InPlace | PackDraft | { readonly packed: "direct"; readonly column: number; readonly depthColumn: number };
}

/** @param direct what `directColumns` gave for the class: then `plan` and `part` are its own */
export function layoutClass(
  plan: ContractionPlan,
  part: ContractionClass,
  machine: Machine,
  direct: DirectColumns | undefined,
): ClassLayout {
  const segments = part.segments.filter((segment) => segment.k > 0);
  const elements = { ...plan.elements, b: direct?.stage === undefined ? plan.elements.b : "f32" } as const;
  const given: Given = { plan, part, machine, direct, elements, segments };
  const { blocking, partition } = divide(given);
  const { rows, depth } = blocking;
  const shared = outputColumns(given);
  const leaves = part.leaves.map((leaf) => leafSource(given, leaf, shared));
  const drafts = segments.map((segment) => draftSegment(given, segment, blocking, shared));
  const rowsTable = rowsTableOf(given, shared.rows, blocking);
  const columnsTable = columnsTableOf(given, shared.columns, blocking);
  const layouts = drafts.map((draft) => finishSegment(given, draft, depth, rowsTable, columnsTable));
  return {
    blocking,
    bElement: layouts.some((layout) => layout.b.packed === true) ? "f32" : elements.b,
    depth,
    rowsTable,
    columnsTable,
    leaves,
    segments: layouts,
    partition,
    rowBlocks: Math.ceil(rows.count / blocking.rowTilesPerBlock),
    columnBlocks: Math.ceil(part.n / blocking.columnsPerBlock),
    rowTilesPerPart: Math.ceil(rows.count / partition.rows),
    blocksPerPart: Math.ceil(Math.max(0, ...layouts.map((layout) => layout.blocks)) / partition.depth),
    aVectors: Math.ceil(rows.height / machine.lanes),
    scratch: scratchOf(given, blocking, rowsTable, columnsTable, layouts),
  };
}

/** The first column of either table: where the output is written. */
function outputColumns({ plan: { roles }, part, elements }: Given): SharedColumns {
  const bytes = elementBytes[elements.c];
  return { rows: [columnOf(part.output, roles.m, bytes, true)], columns: [columnOf(part.output, roles.n, bytes, false)] };
}

function leafSource(
  { plan: { roles }, part }: Given,
  { element, access }: ContractionClass["leaves"][number],
  shared: SharedColumns,
): LeafSource {
  const scale = element === undefined ? 1 : elementBytes[element];
  const rowColumn = shared.rows.push(columnOf(access, roles.m, scale, true)) - 1;
  const columnColumn = shared.columns.push(columnOf(access, roles.n, scale, false)) - 1;
  const moving = roles.n.filter((axis) => part.extents[axis]! > 1);
  const still = moving.every((axis) => access.strides[axis] === 0);
  const alike = moving.every((axis) => access.strides[axis] === part.output.strides[axis]);
  return { element, rowColumn, columnColumn, along: still ? "constant" : alike ? "output" : "own" };
}

function draftSegment(given: Given, segment: Segment, { rows, width }: Blocking, shared: SharedColumns): SegmentDraft {
  const { roles } = given.plan;
  const depthColumns: Column[] = [];
  const pack = (side: "a" | "b", axes: readonly number[], columns: Column[]) =>
    draftPack(given, segment, side, axes, columns, depthColumns);
  const a = aInPlace(given, segment, roles.m, width) ?? pack("a", roles.m, shared.rows);
  if (given.direct !== undefined) return { segment, depthColumns, a, b: draftDirect(given, segment, shared, depthColumns) };
  const bBytes = elementBytes[given.elements.b];
  const place = inPlace(segment.b, segment.extents, roles.n, roles.k, bBytes);
  // B is read once per row tile: with a tile or two, packing would cost as much as the products.
  const readsB = place !== undefined && place.panelStep === bBytes && rows.count <= 2 && width * 4 <= 64;
  return { segment, depthColumns, a, b: readsB ? place : pack("b", roles.n, shared.columns) };
}

/** A read where it lies, where that is possible and better than packing. */
function aInPlace(
  { plan, part, machine, elements }: Given,
  segment: Segment,
  panel: readonly number[],
  width: number,
): InPlace | undefined {
  // A vector of elements is spread over the lanes where they are packed, not one by one.
  const place = elements.a === "f32" ? inPlace(segment.a, segment.extents, panel, plan.roles.k, 4) : undefined;
  return place !== undefined && readsRows(place, part, segment.k, machine, width) ? place : undefined;
}

/** Adds the columns of an operand, and of its checks, that is packed along `axes` and K. */
function draftPack(
  { plan: { roles }, machine: { lanes }, elements }: Given,
  segment: Segment,
  side: "a" | "b",
  axes: readonly number[],
  columns: Column[],
  depthColumns: Column[],
): PackDraft {
  const element = elements[side];
  const access = segment[side];
  const panelColumn = columns.push(columnOf(access, axes, elementBytes[element], true)) - 1;
  const depthColumn = depthColumns.push(columnOf(access, roles.k, elementBytes[element], false)) - 1;
  for (const check of access.checks) {
    const coordinate = { base: check.base, strides: check.steps };
    columns.push(columnOf(coordinate, axes, 1, true));
    depthColumns.push(columnOf(coordinate, roles.k, 1, false));
  }
  const hasRun = (along: readonly number[], shortest: number) =>
    along.some((axis) => access.strides[axis] === 1 && segment.extents[axis]! >= shortest);
  return {
    packed: "draft",
    element,
    panelColumn,
    depthColumn,
    extents: access.checks.map((check) => check.extent),
    panelRuns: hasRun(axes, lanes),
    panelPieces: hasRun(axes, shortestPiece(lanes)),
    depthRuns: hasRun(roles.k, lanes),
  };
}

/** Adds the columns of a B that the micro-kernel reads where it lies, through the tables. */
function draftDirect({ plan: { roles }, elements }: Given, segment: Segment, shared: SharedColumns, depthColumns: Column[]) {
  const bytes = elementBytes[elements.b];
  const column = shared.columns.push({ ...columnOf(segment.b, roles.n, bytes, true), unlimited: true }) - 1;
  const depthColumn = depthColumns.push(columnOf(segment.b, roles.k, bytes, false)) - 1;
  return { packed: "direct", column, depthColumn } as const;
}

function rowsTableOf(
  { plan: { roles }, part, machine: { lanes } }: Given,
  columns: readonly Column[],
  { rows, rowTilesPerBlock }: Blocking,
): Table {
  const extents = roles.m.map((axis) => part.extents[axis]!);
  return { extents, columns, capacity: rowTilesPerBlock * rows.height + Math.ceil(rows.height / lanes) * lanes };
}

function columnsTableOf(
  { plan: { roles }, part, machine: { lanes }, direct }: Given,
  columns: readonly Column[],
  blocking: Blocking,
): Table {
  const extents = roles.n.map((axis) => part.extents[axis]!);
  if (direct !== undefined) extents[extents.length - 1] = Math.ceil(direct.limit / lanes) * lanes;
  return {
    extents,
    columns,
    capacity: blocking.columnsPerBlock + blocking.width,
    ...(direct && direct.limit % lanes !== 0 && { limit: direct.limit }),
  };
}

function finishSegment(
  { plan, machine: { lanes } }: Given,
  { segment, depthColumns, a, b }: SegmentDraft,
  depth: number,
  rowsTable: Table,
  columnsTable: Table,
): SegmentLayout {
  const extents = plan.roles.k.map((axis) => segment.extents[axis]!);
  const depthTable: Table = { extents, columns: depthColumns, capacity: depth + lanes };
  return {
    segment,
    depthTable,
    blocks: Math.ceil(segment.k / depth),
    a: a.packed === false ? a : finishPack(a, rowsTable, depthTable),
    b:
      b.packed === false
        ? b
        : b.packed === "draft"
          ? finishPack(b, columnsTable, depthTable)
          : { packed: "direct", read: { columns: columnsTable, column: b.column, depth: depthTable, depthColumn: b.depthColumn } },
  };
}

function finishPack({ packed: _, panelColumn, depthColumn, ...rest }: PackDraft, panelTable: Table, depthTable: Table): OperandLayout {
  const source = { ...rest, panel: { table: panelTable, column: panelColumn }, depth: { table: depthTable, column: depthColumn } };
  return { packed: true, source };
}

/** Where tables, packed panels, the tile of a border and the stage of a direct B lie in scratch. */
function scratchOf(
  { machine: { lanes }, direct }: Given,
  { rows, width, depth, rowTilesPerBlock, columnsPerBlock }: Blocking,
  rowsTable: Table,
  columnsTable: Table,
  layouts: readonly SegmentLayout[],
): ClassLayout["scratch"] {
  const panels = (side: "a" | "b", count: number) =>
    layouts.some((layout) => layout[side].packed === true) ? count * depth * 4 + lanes * 4 : 0;
  const [rowsAt, columnsAt, depthAt, a, b, tile, stage, size] = allot([
    tableBytes(rowsTable),
    tableBytes(columnsTable),
    Math.max(0, ...layouts.map((layout) => tableBytes(layout.depthTable))),
    panels("a", rowTilesPerBlock * rows.height),
    panels("b", columnsPerBlock),
    rows.height * width * 4,
    direct?.stage === undefined ? 0 : direct.stage.bytes + lanes * 4,
  ]) as [number, number, number, number, number, number, number, number];
  return { rows: rowsAt, columns: columnsAt, depth: depthAt, a, b, tile, stage, size };
}

/** What packing A and B costs where it is worst among the segments, for a tile of this width. */
function packingCosts(given: Given, width: number): readonly [a: number, b: number] {
  const { plan, machine, direct, segments } = given;
  const { m, n, k } = plan.roles;
  const worst = (side: "a" | "b", panel: readonly number[]) =>
    Math.max(
      0,
      ...segments.map((segment) =>
        side === "a" && aInPlace(given, segment, panel, width) !== undefined
          ? PACKING.read
          : packingOf(segment[side], segment.extents, panel, k, machine.lanes),
      ),
    );
  return [worst("a", m), direct !== undefined ? 0 : worst("b", n)];
}

/**
 * Cycles per element: whether vectors of the panel, or runs along K, are whole in memory, and how much of rows shorter
 * than they is not.
 */
function packingOf(
  access: AffineAccess,
  extents: readonly number[],
  panel: readonly number[],
  depth: readonly number[],
  lanes: number,
): number {
  const run = (axes: readonly number[], shortest: number) => {
    const axis = axes.find((candidate) => access.strides[candidate] === 1 && extents[candidate]! >= shortest);
    return axis === undefined ? undefined : extents[axis]!;
  };
  const columns = run(panel, shortestPiece(lanes));
  if (columns !== undefined) return columns % lanes === 0 ? PACKING.copied : PACKING.pieces;
  const rows = run(depth, lanes);
  if (rows === undefined) return PACKING.gathered;
  return PACKING.turned + (rows % lanes === 0 ? 0 : Math.min(1, lanes / rows) * PACKING.gathered);
}

/** Blocks that fit the caches, and parts for threads made of them. */
function divide(given: Given): { readonly blocking: Blocking; readonly partition: Partition } {
  const { plan, part, machine, direct, segments } = given;
  const k = Math.max(1, ...segments.map((segment) => segment.k));
  const whole = isWritten(plan.nest);
  const sized = (oneBlock: boolean): Blocking => {
    const chosen = chooseBlocking(machine, part.m, part.n, k, oneBlock);
    if (direct === undefined) return chosen;
    // A direct B does not compete for the first-level cache with panels: fewer, longer blocks of K.
    return { ...chosen, depth: oneBlock ? k : evenly(k, 1024), columnsPerBlock: evenly(part.n, MOST_DIRECT_COLUMNS, chosen.width) };
  };
  const divided = sized(false);
  const { rows, width } = divided;
  const [costA, costB] = packingCosts(given, width);
  const partition = choosePartition({
    batch: part.batch,
    m: part.m,
    n: part.n,
    k,
    rowTiles: rows.count,
    panels: Math.ceil(part.n / width),
    depthBlocks: part.segments.length === 1 && plan.classes.length === 1 ? Math.ceil(k / divided.depth) : 1,
    costA,
    costB,
    leastColumns: Math.ceil(part.n / divided.columnsPerBlock),
    // About what the first-level cache's bytes are worth: some microseconds.
    leastFlops: machine.caches[0] / 2,
    whole,
  });
  const blocking = partition.depth > 1 ? divided : sized(whole);
  const tiles = Math.ceil(rows.count / partition.rows);
  return {
    partition,
    blocking: {
      ...blocking,
      columnsPerBlock: Math.min(blocking.columnsPerBlock, Math.ceil(Math.ceil(part.n / width) / partition.columns) * width),
      rowTilesPerBlock: evenly(tiles, blocking.rowTilesPerBlock),
    },
  };
}

/** The micro-kernel that reads A and B as laid out. */
export function microShape(layout: ClassLayout, segment: SegmentLayout, height: number): MicroShape {
  const { vectors, width } = layout.blocking;
  const { a, b } = segment;
  return {
    height,
    vectors,
    aRow: a.packed === false ? a.panelStep : 4,
    aStep: a.packed === false ? a.depthStep : 4 * height,
    bElement: layout.bElement,
    bStep: b.packed === true ? 4 * width : b.packed === false ? b.depthStep : 0,
    direct: b.packed === "direct" ? b.read : undefined,
  };
}

/**
 * Whether rows of A are better read where they lie. One element per row and step is read: neighbours along K share
 * cache lines, but many rows far apart overflow the sets of the caches (a row of 4096 bytes puts all rows of a tile
 * into one) and take a page each, which costs more than packing once per 2048 columns. Shorter rows cost less than
 * packing them, whose reads wait for memory.
 */
function readsRows(a: InPlace, part: ContractionClass, k: number, machine: Machine, width: number): boolean {
  if (part.n <= 4 * width) return true;
  if (Math.abs(a.depthStep) > 4) return false;
  if (Math.abs(a.panelStep) < PAGE) return true;
  const bytes = part.m * k * 4;
  return bytes <= machine.caches[1] / 4 && Math.abs(a.panelStep) % 1024 !== 0;
}

function columnOf(access: Pick<AffineAccess, "base" | "strides">, axes: readonly number[], scale: number, withBase: boolean): Column {
  return { base: withBase ? access.base * scale : 0, steps: axes.map((axis) => access.strides[axis]! * scale) };
}

/** Reading without packing: every index is valid and both lists of axes are walked in one stride. */
function inPlace(
  access: AffineAccess,
  extents: readonly number[],
  panel: readonly number[],
  depth: readonly number[],
  bytes: number,
): InPlace | undefined {
  if (access.checks.length > 0) return undefined;
  const [panelStep, depthStep] = [panel, depth].map((axes) => strideOf(access, extents, axes));
  if (panelStep === undefined || depthStep === undefined) return undefined;
  return { packed: false, start: access.base * bytes, panelStep: panelStep * bytes, depthStep: depthStep * bytes };
}

/** The one stride along a flattened list of axes, if there is one. */
function strideOf(access: AffineAccess, extents: readonly number[], axes: readonly number[]): number | undefined {
  const merged = mergeAxes(
    axes.map((axis) => extents[axis]!),
    [{ base: 0, steps: axes.map((axis) => access.strides[axis]!) }],
  );
  if (merged.extents.length > 1) return undefined;
  return merged.columns[0]!.steps[0] ?? 0;
}

/** Places of consecutive areas, each aligned to 64 bytes, and the total. */
function allot(sizes: readonly number[]): number[] {
  const places = [0];
  for (const size of sizes) places.push(places.at(-1)! + aligned(size));
  return places;
}
