// Emits a contraction: the loops over blocks, around packing and the micro-kernel, per residue class of the free axes.
import type { FunctionBuilder, ModuleBuilder } from "../builder.ts";
import type { Value, Variable } from "../language.ts";
import { entryParameters, type LoweredNest, type Phase } from "../lowered.ts";
import { add, advance, and, bool, constant, eq, i32, max, min, mul, operation, or, select, sub } from "../values.ts";
import type { Blocking } from "./blocking.ts";
import { defineStage, directColumns, type Stage, zeroArea } from "./direct.ts";
import { finishCost, finishOf } from "./epilogue.ts";
import { type ClassLayout, layoutClass, microShape, type OperandLayout, type SegmentLayout } from "./layout.ts";
import { defineMacro } from "./macro.ts";
import { defineMicro } from "./micro.ts";
import { flag, type Output } from "./output.ts";
import { definePack } from "./pack.ts";
import type { ContractionClass, ContractionPlan } from "./plan.ts";
import { canSpread, lowerSpread } from "./spread.ts";
import { defineTable } from "./tables.ts";
import { canEmit, lowerWinograd } from "./winograd/engine.ts";
import { canEmitGradient, lowerGradient } from "./winograd/gradient.ts";
import { findGradientWindows, findWindows, paysOff } from "./winograd/plan.ts";
import { defineWriters } from "./writers.ts";

/** Work per call that lets V8 replace a function's first, slow code soon, and keeps packed rows in use. */
const flopsPerCall = 2e7;
/** Operations of an epilogue that are written out for every vector of a tile; more would not stay in the cache of instructions. */
const mostInline = 400;
/** Floating-point operations that take as long as an element operation of general loops. */
const flopsPerWork = 8;

/** Writes the functions of a contraction into the module. */
export function lowerContraction(plan: ContractionPlan, module: ModuleBuilder): LoweredNest {
  const windows = findWindows(plan);
  if (windows !== undefined && canEmit(windows) && paysOff(windows, module.machine)) return lowerWinograd(windows, module);
  if (windows !== undefined && canSpread(windows, module.machine)) return lowerSpread(windows, module);
  const gradient = findGradientWindows(plan);
  if (gradient !== undefined && canEmitGradient(gradient) && paysOff(gradient, module.machine)) return lowerGradient(gradient, module);
  const { nest } = plan;
  const parts = plan.classes.filter((part) => part.batch * part.m * part.n > 0).map((part) => lowerClass(plan, part, module));
  const slices = parts.reduce((sum, part) => sum + part.slices, 0);
  const scratchBytes = Math.max(64, ...parts.map((part) => part.scratchBytes));
  const slicesPerCall = Math.max(1, Math.min(slices, Math.round((flopsPerCall * slices) / Math.max(1, plan.flops))));
  const notes = parts.flatMap((part) => part.notes);
  const setup = parts.reduce((sum, part) => sum + part.setup, 0);
  const lowered = { scratchBytes, slices, slicesPerCall, work: plan.flops / flopsPerWork, setup, sequential: false, notes };
  const [only] = parts;
  if (only !== undefined && parts.length === 1) {
    if (only.aside === undefined) return { ...lowered, entry: only.entry };
    // What is left is to add up the parts of the sums.
    return { ...lowered, entry: only.entry, slicesPerCall: slices, work: only.aside.sharedBytes / 4, setup: 0, ...only.aside };
  }
  const parameters = entryParameters(nest);
  const entry = module.define(
    nameOf(plan, "contract"),
    parameters,
    (k, p) => {
      let first = 0;
      for (const part of parts) {
        const begin = k.let(max(sub(p.begin!, first), 0), "begin");
        const end = k.let(min(sub(p.end!, first), part.slices), "end");
        const others = Object.keys(parameters).map((name) => (name === "begin" ? begin : name === "end" ? end : p[name]!));
        k.if(operation("lt", [begin, end]), () => k.call(part.entry, others));
        first += part.slices;
      }
    },
    true,
  );
  return { ...lowered, entry };
}

interface LoweredClass {
  readonly entry: string;
  readonly slices: number;
  readonly scratchBytes: number;
  /** The phase that leaves unfinished sums in `shared`. */
  readonly aside: { readonly before: readonly Phase[]; readonly sharedBytes: number } | undefined;
  /** Element operations that every call does again: packing A. */
  readonly setup: number;
  readonly notes: readonly string[];
}

function nameOf(plan: ContractionPlan, part: string): string {
  return `${plan.nest.name.replace(/[^A-Za-z0-9]+/g, "_")}_${part}`;
}

function lowerClass(whole: ContractionPlan, asPlanned: ContractionClass, module: ModuleBuilder): LoweredClass {
  const direct = directColumns(whole, asPlanned, module.machine);
  const { plan, part } = direct ?? { plan: whole, part: asPlanned };
  const layout = layoutClass(plan, part, module.machine, direct);
  const { blocking, partition } = layout;
  const totalBlocks = layout.segments.reduce((sum, segment) => sum + segment.blocks, 0);
  const oneBlock = totalBlocks <= 1 || partition.depth > 1;
  const scale = totalBlocks === 0 ? undefined : plan.scale;
  const finish = finishOf(
    scale,
    plan.nest.epilogue,
    part.leaves.map((leaf) => leaf.node),
  );
  const output: Output = {
    rows: layout.rowsTable,
    columns: layout.columnsTable,
    rowColumn: 0,
    columnColumn: 0,
    step: columnStep(plan, part),
    leaves: layout.leaves,
    finish,
    finishesInRows: finishCost(scale, plan.nest.epilogue) * blocking.rows.height * blocking.vectors > mostInline,
    adds: plan.nest.output.accumulate ? "always" : oneBlock ? "never" : "sometimes",
    finishes: finish === undefined ? "never" : oneBlock ? "always" : "sometimes",
  };
  const emit = (stage: SumStage) => new ClassEmitter(plan, part, layout, output, module, direct?.stage, stage).define();
  const slices = part.batch * layout.columnBlocks * partition.rows;
  const divided = partition.depth > 1;
  const first = divided ? emit("aside") : undefined;
  const parts = [`${layout.columnBlocks} column`, `${partition.rows} row`, `${partition.depth} K`].filter((text) => !text.startsWith("1 "));
  const tile = `${blocking.rows.height}×${blocking.width}`;
  const packed = layout.segments.map(({ a, b }) => `A ${described(a)}, B ${described(b)}`);
  const k = part.segments.map((segment) => segment.k).join("+") || "0";
  const notes = [
    `contraction: batch ${part.batch} · M ${part.m} × N ${part.n} × K ${k}, tile ${tile}, ${packed[0] ?? "empty sum"}, ` +
      `blocks of ${blocking.rowTilesPerBlock * blocking.rows.height} rows, ${blocking.columnsPerBlock} columns, ${blocking.depth} deep` +
      (parts.length === 0 ? "" : `, parts: ${parts.join(" · ")}`),
  ];
  const setup = layout.rowBlocks === 1 && layout.segments[0]?.a.packed === true ? part.m * layout.segments[0].segment.k : 0;
  const aside = first === undefined ? undefined : asidePhase(first, plan, part, layout, setup);
  return { entry: emit(divided ? "combine" : "all"), slices, scratchBytes: layout.scratch.size, setup, aside, notes };
}

function asidePhase(
  entry: string,
  plan: ContractionPlan,
  part: ContractionClass,
  layout: ClassLayout,
  setup: number,
): LoweredClass["aside"] {
  const { partition, columnBlocks } = layout;
  const slices = part.batch * partition.depth * columnBlocks * partition.rows;
  const slicesPerCall = Math.max(1, Math.min(slices, Math.round((flopsPerCall * slices) / Math.max(1, plan.flops))));
  const sharedBytes = part.batch * partition.depth * asidePitch(part, layout);
  return { before: [{ entry, slices, slicesPerCall, work: plan.flops / flopsPerWork, setup }], sharedBytes };
}

/** Bytes of one part of K's unfinished sums, whole tiles one after the other. */
function asidePitch(part: ContractionClass, { blocking }: ClassLayout): number {
  return Math.ceil(part.n / blocking.width) * blocking.rows.count * tileBytes(blocking);
}

const tileBytes = ({ rows, width }: Blocking): number => rows.height * width * 4;

function described({ packed }: OperandLayout): string {
  return packed === "direct" ? "read through tables" : packed ? "packed" : "in place";
}

/** Elements between neighbouring columns of the output. */
function columnStep(plan: ContractionPlan, part: ContractionClass): number {
  const axis = plan.roles.n.findLast((candidate) => part.extents[candidate]! > 1);
  return axis === undefined ? 1 : part.output.strides[axis]!;
}

/** All of the sum at once; or parts of it set aside; or those added up. */
type SumStage = "all" | "aside" | "combine";

type EntryParameters = { readonly [name: string]: Variable };

/** Origins of one batch index: bytes added to A, B (per segment), C and the leaves. */
interface Origins {
  readonly a: readonly Value[];
  readonly b: readonly Value[];
  readonly stage: Value;
  readonly c: Value;
  readonly leaves: readonly Value[];
}

class ClassEmitter {
  readonly #plan: ContractionPlan;
  readonly #part: ContractionClass;
  readonly #layout: ClassLayout;
  readonly #module: ModuleBuilder;
  readonly #tables: { readonly rows: string; readonly columns: string; readonly depth: readonly string[] };
  readonly #packs: readonly { readonly a: string | undefined; readonly b: string | undefined }[];
  readonly #macros: readonly string[];
  readonly #totalBlocks: number;
  readonly #stage: { readonly plan: Stage; readonly copy: string } | undefined;
  readonly #sums: SumStage;

  constructor(
    plan: ContractionPlan,
    part: ContractionClass,
    layout: ClassLayout,
    output: Output,
    module: ModuleBuilder,
    stage: Stage | undefined,
    sums: SumStage,
  ) {
    this.#sums = sums;
    const used = sums === "combine" ? [] : layout.segments;
    this.#stage = stage && sums !== "combine" ? { plan: stage, copy: defineStage(module, nameOf(plan, "stage"), stage) } : undefined;
    this.#plan = plan;
    this.#part = part;
    this.#layout = layout;
    this.#module = module;
    this.#totalBlocks = layout.segments.reduce((sum, segment) => sum + segment.blocks, 0);
    const { blocking } = layout;
    this.#tables = {
      rows: defineTable(module, nameOf(plan, "rows"), layout.rowsTable),
      columns: defineTable(module, nameOf(plan, "columns"), layout.columnsTable),
      depth: used.map((segment) => defineTable(module, nameOf(plan, "depth"), segment.depthTable)),
    };
    this.#packs = used.map(({ a, b }) => ({
      a: a.packed === true ? definePack(module, nameOf(plan, "pack_a"), a.source, layout.aVectors) : undefined,
      b: b.packed === true ? definePack(module, nameOf(plan, "pack_b"), b.source, blocking.vectors) : undefined,
    }));
    const writers = sums === "aside" ? undefined : defineWriters(module, (kind) => nameOf(plan, kind), blocking.vectors, output);
    const { height, count, tall } = blocking.rows;
    const segments: readonly (SegmentLayout | undefined)[] = used.length > 0 ? used : [undefined];
    this.#macros = segments.map((segment) => {
      const micro = (h: number, tiles: number) => {
        if (tiles === 0) return undefined;
        const shape =
          segment === undefined ? { height: h, vectors: blocking.vectors, aRow: 0, aStep: 0, bStep: 0 } : microShape(layout, segment, h);
        const name = nameOf(plan, `${sums === "combine" ? "combine" : "micro"}${h}x${blocking.width}`);
        if (sums === "combine")
          return defineMicro(
            module,
            name,
            { ...shape, aside: { parts: layout.partition.depth, pitch: asidePitch(part, layout) } },
            output,
            writers,
          );
        return defineMicro(module, name, shape, output, writers);
      };
      const micros = [micro(height, tall), micro(height - 1, count - tall)] as const;
      const a = segment?.a;
      const b = segment?.b;
      const bytes = tileBytes(blocking);
      const aTile = sums === "combine" ? ([bytes, bytes] as const) : undefined;
      const shape = {
        height,
        vectors: blocking.vectors,
        aTile: aTile ?? (a?.packed !== false ? undefined : ([a.panelStep * height, a.panelStep * (height - 1)] as const)),
        aPanel: sums === "combine" ? count * bytes : 0,
        bPanel: b?.packed === false ? b.panelStep * blocking.width : b?.packed === "direct" ? 0 : undefined,
        tile: sums === "aside" ? { bytes, panel: count * bytes } : undefined,
      };
      return defineMacro(module, nameOf(plan, "macro"), shape, micros, output);
    });
  }

  define(): string {
    const parameters = entryParameters(this.#plan.nest, this.#sums !== "all");
    return this.#module.define(
      nameOf(this.#plan, this.#sums === "all" ? "class" : this.#sums),
      parameters,
      (k, p) => this.#slices(k, p),
      true,
    );
  }

  #slices(k: FunctionBuilder, p: EntryParameters): void {
    const { scratch, columnBlocks, rowBlocks, blocking, segments, partition, rowTilesPerPart, blocksPerPart } = this.#layout;
    const { batch, n } = this.#part;
    const combines = this.#sums === "combine";
    const parts = this.#sums === "aside" ? partition.depth : 1;
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
    const oneDepth = this.#totalBlocks <= 1;
    // What is the same in every slice is done once per call.
    const strides = segments[0]?.segment.a.strides;
    const sameA = this.#plan.roles.batch.every((axis) => this.#part.extents[axis] === 1 || strides?.[axis] === 0);
    const keep = {
      rows: rowBlocks === 1,
      columns: columnBlocks === 1,
      depth: oneDepth && !combines,
      a: rowBlocks === 1 && oneDepth && sameA && !combines,
    };
    if (this.#stage !== undefined) zeroArea(k, at.stage, Math.ceil(this.#stage.plan.bytes / 64) * 64);
    if (keep.rows) this.#tabulateRows(k, at, i32(0), i32(this.#part.m));
    if (keep.columns) this.#tabulateColumns(k, at, i32(0), i32(n));
    if (keep.depth && segments.length > 0) this.#tabulateDepth(k, at, 0, i32(0), i32(segments[0]!.segment.k));
    if (keep.a && segments[0]?.a.packed === true) {
      const tiles = { tall: i32(blocking.rows.tall), short: i32(blocking.rows.count - blocking.rows.tall) };
      this.#packRows(k, p, at, 0, i32(0), i32(segments[0].segment.k), tiles);
    }
    k.loop(p.begin!, p.end!, 1, (slice) => {
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
      const index = batch === 1 ? i32(0) : rest;
      const origins = this.#origins(k, index);
      const column = k.let(mul(block, blocking.columnsPerBlock), "column");
      const columns = columnBlocks === 1 ? i32(n) : k.let(min(sub(i32(n), column), blocking.columnsPerBlock), "columns");
      const tile = partition.rows === 1 ? i32(0) : k.let(mul(rowPart, rowTilesPerPart), "tile");
      const lastTile =
        partition.rows === 1 ? i32(blocking.rows.count) : k.let(min(add(tile, rowTilesPerPart), blocking.rows.count), "lastTile");
      // Parts of the rows follow one another: the first one, or the first of a call, packs B for all.
      const packsB = partition.rows === 1 ? bool(true) : k.let(or(eq(rowPart, 0), eq(slice, p.begin!)), "packsB");
      const aside =
        this.#sums === "all"
          ? undefined
          : this.#asidePlace(k, p, combines ? mul(index, partition.depth) : add(mul(index, parts), depthPart), column);
      const common = { column, columns, tile, lastTile, packsB, aside, keep };
      if (!keep.columns) this.#tabulateColumns(k, at, column, columns);
      if (this.#stage !== undefined) {
        const { copy } = this.#stage;
        const stage = () => void k.call(copy, [p[`in${this.#plan.b}`]!, origins.stage, at.stage]);
        if (columnBlocks * partition.rows * parts === 1) stage();
        else k.if(or(and(eq(block, 0), eq(rowPart, 0)), eq(slice, p.begin!)), stage);
      }
      if (segments.length === 0 || combines) {
        const flags = i32(flag.finish | (this.#plan.nest.output.accumulate ? flag.add : 0));
        this.#rowBlocks(k, p, at, 0, origins, { ...common, start: i32(0), depth: i32(0), flags });
        return;
      }
      segments.forEach(({ blocks, segment }, position) => {
        const first = position === 0;
        const last = position === segments.length - 1;
        if (blocks === 1) {
          const flags = i32((first && !this.#plan.nest.output.accumulate ? 0 : flag.add) | (last ? flag.finish : 0));
          this.#depthBlock(k, p, at, position, origins, { ...common, start: i32(0), depth: i32(segment.k), flags });
          return;
        }
        const from = parts === 1 ? i32(0) : k.let(mul(depthPart, blocksPerPart), "from");
        const to = parts === 1 ? i32(blocks) : k.let(min(add(from, blocksPerPart), blocks), "to");
        k.loop(from, to, 1, (step) => {
          const start = k.let(mul(step, this.#layout.depth), "start");
          const depth = k.let(min(sub(i32(segment.k), start), this.#layout.depth), "depth");
          const isFirst = eq(step, from);
          const adds: Value =
            first && (parts > 1 || !this.#plan.nest.output.accumulate) ? select(isFirst, i32(0), i32(flag.add)) : i32(flag.add);
          const finishes: Value = last ? select(eq(step, blocks - 1), i32(flag.finish), i32(0)) : i32(0);
          const flags = k.let(operation("or", [adds, finishes]), "flags");
          const packs = blocksPerPart === 1 ? common.packsB : bool(true);
          this.#depthBlock(k, p, at, position, origins, { ...common, packsB: packs, start, depth, flags });
        });
      });
    });
  }

  /** Where the unfinished sums of a part of K begin, at a column's panel. */
  #asidePlace(k: FunctionBuilder, p: EntryParameters, part: Value, column: Value): Variable {
    const { blocking } = this.#layout;
    const panel = (blocking.rows.count * tileBytes(blocking)) / blocking.width;
    return k.let(advance(p.shared!, add(mul(part, asidePitch(this.#part, this.#layout)), mul(column, panel))), "aside");
  }

  /** One block of K for a block of columns: packs B, then goes through the rows. */
  #depthBlock(k: FunctionBuilder, p: EntryParameters, at: Areas, position: number, origins: Origins, block: Block): void {
    const { blocking, segments } = this.#layout;
    if (!block.keep.depth) this.#tabulateDepth(k, at, position, block.start, block.depth);
    const pack = this.#packs[position]!.b;
    if (pack !== undefined && segments[position]!.b.packed) {
      k.if(block.packsB, () => {
        const to = k.let(at.b, "to");
        const panel = k.let(at.columns, "panel");
        const step = k.let(mul(block.depth, blocking.width * 4), "step");
        k.loop(0, block.columns, blocking.width, () => {
          k.call(pack, [p[`in${this.#plan.b}`]!, origins.b[position]!, panel, at.depth, block.depth, to, i32(blocking.width * 4)]);
          k.set(to, advance(to, step));
          k.set(panel, advance(panel, blocking.width * 4));
        });
      });
    }
    this.#rowBlocks(k, p, at, position, origins, block);
  }

  #rowBlocks(k: FunctionBuilder, p: EntryParameters, at: Areas, position: number, origins: Origins, block: Block): void {
    const { rowBlocks, blocking } = this.#layout;
    const { height, count, tall } = blocking.rows;
    if (rowBlocks === 1) {
      this.#rowBlock(k, p, at, position, origins, block, { index: i32(0), first: i32(0), tall: i32(tall), short: i32(count - tall) });
      return;
    }
    k.loop(block.tile, block.lastTile, blocking.rowTilesPerBlock, (tile) => {
      const tiles = k.let(min(sub(block.lastTile, tile), blocking.rowTilesPerBlock), "tiles");
      const tallHere = k.let(max(min(sub(i32(tall), tile), tiles), 0), "tall");
      const short = k.let(sub(tiles, tallHere), "short");
      const before = k.let(max(sub(tile, tall), 0), "before");
      const first = k.let(sub(mul(tile, height), before), "first");
      const rows = k.let(sub(mul(tiles, height), short), "rows");
      this.#tabulateRows(k, at, first, rows);
      this.#rowBlock(k, p, at, position, origins, block, { index: tile, first, tall: tallHere, short });
    });
  }

  #rowBlock(k: FunctionBuilder, p: EntryParameters, at: Areas, position: number, origins: Origins, block: Block, tiles: Tiles): void {
    const segment = this.#sums === "combine" ? undefined : this.#layout.segments[position];
    const [inA, inB] = [p[`in${this.#plan.a}`]!, p[`in${this.#plan.b}`]!];
    let a: Value = at.a;
    let b: Value = at.b;
    if (segment?.a.packed === true && !block.keep.a) this.#packRows(k, p, at, position, origins.a[position]!, block.depth, tiles);
    if (segment?.a.packed === false) {
      const inside = add(mul(tiles.first, segment.a.panelStep), mul(block.start, segment.a.depthStep));
      a = k.let(advance(inA, add(add(origins.a[position]!, segment.a.start), inside)), "a");
    }
    if (segment?.b.packed === false) {
      const inside = add(mul(block.column, segment.b.panelStep), mul(block.start, segment.b.depthStep));
      b = k.let(advance(inB, add(add(origins.b[position]!, segment.b.start), inside)), "b");
    }
    if (segment?.b.packed === "direct") b = this.#stage === undefined ? k.let(advance(inB, origins.b[position]!), "b") : at.stage;
    const aside = block.aside && k.let(advance(block.aside, mul(tiles.index, tileBytes(this.#layout.blocking))), "aside");
    if (aside !== undefined && this.#sums === "combine") a = aside;
    const tile = aside !== undefined && this.#sums === "aside" ? aside : at.tile;
    const c = advance(p.out!, origins.c);
    const leaves = this.#part.leaves.map((leaf, i) =>
      leaf.operand === undefined ? origins.leaves[i]! : advance(p[`in${leaf.operand}`]!, origins.leaves[i]!),
    );
    const columns = at.columns;
    k.call(this.#macros[position]!, [
      a,
      b,
      at.depth,
      block.depth,
      block.columns,
      tiles.tall,
      tiles.short,
      c,
      at.rows,
      columns,
      block.flags,
      tile,
      p.params!,
      ...leaves,
    ]);
  }

  /** Packs the tiles of a block of rows. */
  #packRows(
    k: FunctionBuilder,
    p: EntryParameters,
    at: Areas,
    position: number,
    origin: Value,
    depth: Value,
    tiles: Pick<Tiles, "tall" | "short">,
  ): void {
    const to = k.let(at.a, "to");
    const panel = k.let(at.rows, "panel");
    const pack = this.#packs[position]!.a!;
    [tiles.tall, tiles.short].forEach((count, which) => {
      const height = this.#layout.blocking.rows.height - which;
      if (height === 0) return;
      const step = k.let(mul(depth, height * 4), "step");
      k.loop(0, count, 1, () => {
        k.call(pack, [p[`in${this.#plan.a}`]!, origin, panel, at.depth, depth, to, i32(height * 4)]);
        k.set(to, advance(to, step));
        k.set(panel, advance(panel, height * 4));
      });
    });
  }

  #tabulateRows(k: FunctionBuilder, at: Areas, start: Value, count: Value): void {
    k.call(this.#tables.rows, [start, count, add(count, this.#layout.aVectors * k.machine.lanes), at.rows]);
  }

  #tabulateColumns(k: FunctionBuilder, at: Areas, start: Value, count: Value): void {
    k.call(this.#tables.columns, [start, count, add(count, this.#layout.blocking.width), at.columns]);
  }

  #tabulateDepth(k: FunctionBuilder, at: Areas, position: number, start: Value, count: Value): void {
    k.call(this.#tables.depth[position]!, [start, count, count, at.depth]);
  }

  /** The batch index as counters of the batch axes, times strides. */
  #origins(k: FunctionBuilder, index: Value): Origins {
    const { extents, output, leaves, segments } = this.#part;
    const counters = new Map<number, Value>();
    const axes = this.#plan.roles.batch.filter((axis) => extents[axis]! > 1);
    let rest = index;
    for (let position = axes.length - 1; position >= 0; position--) {
      const axis = axes[position]!;
      if (position === 0) {
        counters.set(axis, rest);
        break;
      }
      const quotient = k.let(operation("divide", [rest, extents[axis]!]), "quotient");
      counters.set(axis, k.let(sub(rest, mul(quotient, extents[axis]!)), "counter"));
      rest = quotient;
    }
    const origin = (strides: readonly number[], scale: number): Value => {
      let total: Value = constant("i32", 0);
      for (const [axis, counter] of counters) total = add(total, mul(counter, strides[axis]! * scale));
      return total.op === "constant" ? total : k.let(total, "origin");
    };
    const used = segments.filter((segment) => segment.k > 0);
    return {
      a: used.map((segment) => origin(segment.a.strides, 4)),
      b: used.map((segment) => origin(segment.b.strides, 4)),
      stage: this.#stage === undefined ? i32(0) : origin(this.#stage.plan.strides, 4),
      c: origin(output.strides, 4),
      leaves: leaves.map((leaf) => origin(leaf.access.strides, leaf.operand === undefined ? 1 : 4)),
    };
  }
}

interface Areas {
  readonly rows: Variable;
  readonly columns: Variable;
  readonly depth: Variable;
  readonly a: Variable;
  readonly b: Variable;
  readonly tile: Variable;
  readonly stage: Variable;
}

interface Block {
  readonly column: Value;
  readonly columns: Value;
  /** Row tiles [tile, lastTile). */
  readonly tile: Value;
  readonly lastTile: Value;
  readonly packsB: Value;
  /** Where this block of columns' unfinished sums lie. */
  readonly aside: Variable | undefined;
  readonly start: Value;
  readonly depth: Value;
  readonly flags: Value;
  readonly keep: { readonly rows: boolean; readonly columns: boolean; readonly depth: boolean; readonly a: boolean };
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
