// Decides, for one class of a contraction, which tables exist, which operands are packed and where scratch lies.

import { type Element, elementBytes } from "../expressions/elements.ts";
import { aligned, type Machine } from "../language/language.ts";
import type { AffineAccess } from "./access.ts";
import { type Blocking, chooseBlocking, evenly } from "./blocking.ts";
import type { DirectColumns } from "./direct.ts";
import type { DirectB, MicroShape } from "./micro.ts";
import type { LeafSource } from "./output.ts";
import { type PackSource, shortestPiece } from "./pack.ts";
import { choosePartition, type Partition, packing } from "./partition.ts";
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
const mostDirectColumns = 16384;

/** @param direct what `directColumns` gave for the class: then `plan` and `part` are its own */
export function layoutClass(
  plan: ContractionPlan,
  part: ContractionClass,
  machine: Machine,
  direct: DirectColumns | undefined,
): ClassLayout {
  const { roles } = plan;
  const { lanes } = machine;
  const segments = part.segments.filter((segment) => segment.k > 0);
  const k = Math.max(1, ...segments.map((segment) => segment.k));
  // A direct B does not compete for the first-level cache with panels: fewer, longer blocks of K.
  const whole = isWritten(plan.nest);
  const elements = { ...plan.elements, b: direct?.stage === undefined ? plan.elements.b : "f32" } as const;
  // A vector of elements is spread over the lanes where they are packed, not one by one.
  const readsA = elements.a === "f32";
  const packed = (side: "a" | "b", panel: readonly number[], width: number): number => {
    const costs = segments.map((segment) => {
      const place = side === "a" && readsA ? inPlace(segment.a, segment.extents, panel, roles.k, 4) : undefined;
      const isRead = place !== undefined && readsRows(place, part, segment.k, machine, width);
      return isRead ? packing.read : packingOf(segment[side], segment.extents, panel, roles.k, lanes);
    });
    return Math.max(0, ...costs);
  };
  const { blocking, partition } = divide(part, k, machine, whole, direct !== undefined, plan.classes.length === 1, (width) => [
    packed("a", roles.m, width),
    direct !== undefined ? 0 : packed("b", roles.n, width),
  ]);
  const { rows, width, depth } = blocking;
  const aVectors = Math.ceil(rows.height / lanes);
  const rowTilesPerPart = Math.ceil(rows.count / partition.rows);
  const rowBlocks = Math.ceil(rows.count / blocking.rowTilesPerBlock);
  const rowColumns: Column[] = [columnOf(part.output, roles.m, elementBytes[elements.c], true)];
  const columnColumns: Column[] = [columnOf(part.output, roles.n, elementBytes[elements.c], false)];
  const leaves = part.leaves.map(({ element, access }): LeafSource => {
    const scale = element === undefined ? 1 : elementBytes[element];
    rowColumns.push(columnOf(access, roles.m, scale, true));
    columnColumns.push(columnOf(access, roles.n, scale, false));
    const moving = roles.n.filter((axis) => part.extents[axis]! > 1);
    const still = moving.every((axis) => access.strides[axis] === 0);
    const alike = moving.every((axis) => access.strides[axis] === part.output.strides[axis]);
    return {
      element,
      rowColumn: rowColumns.length - 1,
      columnColumn: columnColumns.length - 1,
      along: still ? "constant" : alike ? "output" : "own",
    };
  });
  const drafts = segments.map((segment) => {
    const depthColumns: Column[] = [];
    const extentsOf = (axes: readonly number[]) => axes.map((axis) => segment.extents[axis]!);
    const describe = (access: AffineAccess, axes: readonly number[], columns: Column[], element: Element) => {
      const panel = columns.length;
      const at = depthColumns.length;
      columns.push(columnOf(access, axes, elementBytes[element], true));
      depthColumns.push(columnOf(access, roles.k, elementBytes[element], false));
      for (const check of access.checks) {
        const coordinate = { base: check.base, strides: check.steps };
        columns.push(columnOf(coordinate, axes, 1, true));
        depthColumns.push(columnOf(coordinate, roles.k, 1, false));
      }
      return (panelTable: Table, depthTable: Table): PackSource => ({
        element,
        panel: { table: panelTable, column: panel },
        depth: { table: depthTable, column: at },
        extents: access.checks.map((check) => check.extent),
        panelRuns: axes.some((axis) => access.strides[axis] === 1 && segment.extents[axis]! >= lanes),
        panelPieces: axes.some((axis) => access.strides[axis] === 1 && segment.extents[axis]! >= shortestPiece(lanes)),
        depthRuns: roles.k.some((axis) => access.strides[axis] === 1 && segment.extents[axis]! >= lanes),
      });
    };
    const bBytes = elementBytes[elements.b];
    const aInPlace = readsA ? inPlace(segment.a, segment.extents, roles.m, roles.k, 4) : undefined;
    const bInPlace = inPlace(segment.b, segment.extents, roles.n, roles.k, bBytes);
    const readA = aInPlace !== undefined && readsRows(aInPlace, part, segment.k, machine, width) ? aInPlace : undefined;
    const directB = () => {
      columnColumns.push({ ...columnOf(segment.b, roles.n, bBytes, true), unlimited: true });
      depthColumns.push(columnOf(segment.b, roles.k, bBytes, false));
      const [column, depthColumn] = [columnColumns.length - 1, depthColumns.length - 1];
      return (columns: Table, depthTable: Table) => ({ columns, column, depth: depthTable, depthColumn });
    };
    // B is read once per row tile: with a tile or two, packing would cost as much as the products.
    const readB = bInPlace !== undefined && bInPlace.panelStep === bBytes && rows.count <= 2 && width * 4 <= 64 ? bInPlace : undefined;
    return {
      segment,
      blocks: Math.ceil(segment.k / depth),
      extents: extentsOf(roles.k),
      depthColumns,
      a: readA ?? describe(segment.a, roles.m, rowColumns, elements.a),
      b: direct !== undefined ? undefined : (readB ?? describe(segment.b, roles.n, columnColumns, elements.b)),
      direct: direct && directB(),
    };
  });
  const extentsOf = (axes: readonly number[]) => axes.map((axis) => part.extents[axis]!);
  const columnExtents = extentsOf(roles.n);
  if (direct !== undefined) columnExtents[columnExtents.length - 1] = Math.ceil(direct.limit / lanes) * lanes;
  const rowCapacity = blocking.rowTilesPerBlock * rows.height + aVectors * lanes;
  const rowsTable: Table = { extents: extentsOf(roles.m), columns: rowColumns, capacity: rowCapacity };
  const columnsTable: Table = {
    extents: columnExtents,
    columns: columnColumns,
    capacity: blocking.columnsPerBlock + width,
    ...(direct && direct.limit % lanes !== 0 && { limit: direct.limit }),
  };
  const layouts = drafts.map(({ segment, blocks, extents, depthColumns, a, b, direct: read }): SegmentLayout => {
    const depthTable: Table = { extents, columns: depthColumns, capacity: depth + lanes };
    const finish = (draft: typeof a, panel: Table): OperandLayout =>
      typeof draft === "function" ? { packed: true, source: draft(panel, depthTable) } : draft;
    const last: OperandLayout = b === undefined ? { packed: "direct", read: read!(columnsTable, depthTable) } : finish(b, columnsTable);
    return { segment, depthTable, blocks, a: finish(a, rowsTable), b: last };
  });
  const places = allot([
    tableBytes(rowsTable),
    tableBytes(columnsTable),
    Math.max(0, ...layouts.map((layout) => tableBytes(layout.depthTable))),
    layouts.some((layout) => layout.a.packed === true) ? blocking.rowTilesPerBlock * rows.height * depth * 4 + lanes * 4 : 0,
    layouts.some((layout) => layout.b.packed === true) ? blocking.columnsPerBlock * depth * 4 + lanes * 4 : 0,
    rows.height * width * 4,
    direct?.stage === undefined ? 0 : direct.stage.bytes + lanes * 4,
  ]);
  const [rowsAt, columnsAt, depthAt, aAt, bAt, tileAt, stageAt, size] = places as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    blocking,
    bElement: layouts.some((layout) => layout.b.packed === true) ? "f32" : elements.b,
    depth,
    rowsTable,
    columnsTable,
    leaves,
    segments: layouts,
    partition,
    rowBlocks,
    columnBlocks: Math.ceil(part.n / blocking.columnsPerBlock),
    rowTilesPerPart,
    blocksPerPart: Math.ceil(Math.max(0, ...layouts.map((layout) => layout.blocks)) / partition.depth),
    aVectors,
    scratch: { rows: rowsAt, columns: columnsAt, depth: depthAt, a: aAt, b: bAt, tile: tileAt, stage: stageAt, size },
  };
}

/** Cycles per element: whether vectors of the panel, or runs along K, are whole in memory, and how much of rows shorter than they is not. */
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
  if (columns !== undefined) return columns % lanes === 0 ? packing.copied : packing.pieces;
  const rows = run(depth, lanes);
  if (rows === undefined) return packing.gathered;
  return packing.turned + (rows % lanes === 0 ? 0 : Math.min(1, lanes / rows) * packing.gathered);
}

/** Blocks that fit the caches, and parts for threads made of them. */
function divide(
  part: ContractionClass,
  k: number,
  machine: Machine,
  whole: boolean,
  isDirect: boolean,
  mayDivide: boolean,
  costs: (width: number) => readonly [number, number],
): { readonly blocking: Blocking; readonly partition: Partition } {
  const sized = (oneBlock: boolean): Blocking => {
    const chosen = chooseBlocking(machine, part.m, part.n, k, oneBlock);
    if (!isDirect) return chosen;
    return { ...chosen, depth: oneBlock ? k : evenly(k, 1024), columnsPerBlock: evenly(part.n, mostDirectColumns, chosen.width) };
  };
  const divided = sized(false);
  const { rows, width } = divided;
  const [costA, costB] = costs(width);
  const partition = choosePartition({
    batch: part.batch,
    m: part.m,
    n: part.n,
    k,
    rowTiles: rows.count,
    panels: Math.ceil(part.n / width),
    depthBlocks: part.segments.length === 1 && mayDivide ? Math.ceil(k / divided.depth) : 1,
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
 * Whether rows of A are better read where they lie. One element per row and step is read: neighbours along K share cache lines, but many
 * rows far apart overflow the sets of the caches (a row of 4096 bytes puts all rows of a tile into one) and take a page each, which costs
 * more than packing once per 2048 columns. Shorter rows cost less than packing them, whose reads wait for memory.
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
