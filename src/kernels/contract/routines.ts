// Defines the functions a contraction's loops call: tables, packing, micro- and macro-kernels.

import type { ModuleBuilder } from "../language/builder.ts";
import { functionName } from "../lowered.ts";
import { tileBytes } from "./blocking.ts";
import { defineStage, type Stage } from "./direct.ts";
import { type ClassLayout, microShape, type SegmentLayout } from "./layout.ts";
import { defineMacro, type MacroShape } from "./macro.ts";
import { defineMicro, type MicroShape } from "./micro.ts";
import type { Output } from "./output.ts";
import { definePack } from "./pack.ts";
import { partialSumsPitch } from "./partial-sums.ts";
import type { ContractionClass, ContractionPlan } from "./plan.ts";
import { defineTable } from "./tables.ts";
import { defineWriters, type Writers } from "./writers.ts";

/** One function of a class. */
export interface ClassShape {
  readonly plan: ContractionPlan;
  readonly part: ContractionClass;
  readonly layout: ClassLayout;
  readonly output: Output;
  /** The padded copy of B, if there is one. */
  readonly stage: Stage | undefined;
  /** All of the sum at once; or partial sums of parts of K; or those added up. */
  readonly sums: "all" | "partial" | "combine";
}

/** Names of functions; packs and macros per segment of the sum. */
export interface Routines {
  readonly tables: { readonly rows: string; readonly columns: string; readonly depth: readonly string[] };
  readonly packs: readonly { readonly a: string | undefined; readonly b: string | undefined }[];
  readonly macros: readonly string[];
  readonly stage: { readonly plan: Stage; readonly copy: string } | undefined;
}

export function defineRoutines(shape: ClassShape, module: ModuleBuilder): Routines {
  const { layout, output, sums } = shape;
  const { blocking } = layout;
  const name = (part: string) => functionName(shape.plan.nest, part);
  const used = sums === "combine" ? [] : layout.segments;
  const stage = sums === "combine" ? undefined : shape.stage;
  const copy = stage && { plan: stage, copy: defineStage(module, name("stage"), stage) };
  const tables = {
    rows: defineTable(module, name("rows"), layout.rowsTable),
    columns: defineTable(module, name("columns"), layout.columnsTable),
    depth: used.map((segment) => defineTable(module, name("depth"), segment.depthTable)),
  };
  const packs = used.map(({ a, b }) => ({
    a: a.packed === true ? definePack(module, name("pack_a"), a.source, layout.aVectors) : undefined,
    b: b.packed === true ? definePack(module, name("pack_b"), b.source, blocking.vectors) : undefined,
  }));
  const writers = sums === "partial" ? undefined : defineWriters(module, name, blocking.vectors, output);
  const segments: readonly (SegmentLayout | undefined)[] = used.length > 0 ? used : [undefined];
  return { tables, packs, macros: segments.map((segment) => macroOf(shape, segment, writers, module)), stage: copy };
}

/** @param segment undefined: nothing is multiplied, parts of sums (or none) are added up */
function macroOf(shape: ClassShape, segment: SegmentLayout | undefined, writers: Writers | undefined, module: ModuleBuilder): string {
  const { layout, output, plan } = shape;
  const { height, count, tall } = layout.blocking.rows;
  const micro = (rows: number, tiles: number) => (tiles === 0 ? undefined : microOf(shape, segment, rows, writers, module));
  const micros = [micro(height, tall), micro(height - 1, count - tall)] as const;
  return defineMacro(module, functionName(plan.nest, "macro"), macroShape(shape, segment), micros, output);
}

function microOf(
  { plan, part, layout, output, sums }: ClassShape,
  segment: SegmentLayout | undefined,
  height: number,
  writers: Writers | undefined,
  module: ModuleBuilder,
): string {
  const { vectors, width } = layout.blocking;
  const shape: MicroShape = segment === undefined ? { height, vectors, aRow: 0, aStep: 0, bStep: 0 } : microShape(layout, segment, height);
  const partialSums = sums === "combine" ? { parts: layout.partition.depth, pitch: partialSumsPitch(part, layout) } : undefined;
  const name = functionName(plan.nest, `${sums === "combine" ? "combine" : "micro"}${height}x${width}`);
  return defineMicro(module, name, { ...shape, partialSums }, output, writers);
}

function macroShape({ layout, sums }: ClassShape, segment: SegmentLayout | undefined): MacroShape {
  const { blocking } = layout;
  const { height, count } = blocking.rows;
  const { a, b } = segment ?? {};
  const bytes = tileBytes(blocking);
  const inPlace = a?.packed === false ? ([a.panelStep * height, a.panelStep * (height - 1)] as const) : undefined;
  return {
    height,
    vectors: blocking.vectors,
    aTile: sums === "combine" ? [bytes, bytes] : inPlace,
    aPanel: sums === "combine" ? count * bytes : 0,
    bPanel: b?.packed === false ? b.panelStep * blocking.width : b?.packed === "direct" ? 0 : undefined,
    tile: sums === "partial" ? { bytes, panel: count * bytes } : undefined,
  };
}
