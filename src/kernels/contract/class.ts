// Lowers one residue class of a contraction: its layout, what is done to its tiles, and its functions.

import type { ModuleBuilder } from "../language/builder.ts";
import { entryParameters, functionName, type LoweredNest } from "../lowered.ts";
import { directColumns } from "./direct.ts";
import { finishCost, finishOf } from "./epilogue.ts";
import { type ClassLayout, layoutClass, type OperandLayout } from "./layout.ts";
import type { Output } from "./output.ts";
import { partialSumsPhase } from "./partial-sums.ts";
import type { ContractionClass, ContractionPlan } from "./plan.ts";
import { type ClassShape, defineRoutines } from "./routines.ts";
import { emitSlices } from "./slices.ts";

/**
 * Operations of an epilogue that are written out for every vector of a tile; more would not stay in the cache of
 * instructions.
 */
const MOST_INLINE = 400;

export interface LoweredClass {
  readonly entry: string;
  readonly slices: number;
  readonly scratchBytes: number;
  /** The phase that leaves unfinished sums in `shared`. */
  readonly partialSums: Required<Pick<LoweredNest, "before" | "sharedBytes">> | undefined;
  /** Element operations that every call does again: packing A. */
  readonly setup: number;
  readonly note: string;
}

export function lowerClass(whole: ContractionPlan, asPlanned: ContractionClass, module: ModuleBuilder): LoweredClass {
  const direct = directColumns(whole, asPlanned, module.machine);
  const { plan, part } = direct ?? { plan: whole, part: asPlanned };
  const layout = layoutClass(plan, part, module.machine, direct);
  const { partition, rowBlocks, columnBlocks } = layout;
  const output = outputOf(plan, part, layout);
  const define = (sums: ClassShape["sums"]) => defineClass({ plan, part, layout, output, stage: direct?.stage, sums }, module);
  const divided = partition.depth > 1;
  const setup = rowBlocks === 1 && layout.segments[0]?.a.packed === true ? part.m * layout.segments[0].segment.k : 0;
  const partialSums = divided ? partialSumsPhase(define("partial"), plan.flops, part, layout, setup) : undefined;
  return {
    entry: define(divided ? "combine" : "all"),
    slices: part.batch * columnBlocks * partition.rows,
    scratchBytes: layout.scratch.size,
    setup,
    partialSums,
    note: noteOf(part, layout),
  };
}

function defineClass(shape: ClassShape, module: ModuleBuilder): string {
  const { nest } = shape.plan;
  const routines = defineRoutines(shape, module);
  const name = functionName(nest, shape.sums === "all" ? "class" : shape.sums);
  return module.define(name, entryParameters(nest, shape.sums !== "all"), (k, p) => emitSlices(k, p, shape, routines), true);
}

function outputOf(plan: ContractionPlan, part: ContractionClass, layout: ClassLayout): Output {
  const { blocking, partition } = layout;
  const { epilogue } = plan.nest;
  const totalBlocks = layout.segments.reduce((sum, segment) => sum + segment.blocks, 0);
  const oneBlock = totalBlocks <= 1 || partition.depth > 1;
  const scale = totalBlocks === 0 ? undefined : plan.scale;
  const finish = finishOf(
    scale,
    epilogue,
    part.leaves.map((leaf) => leaf.node),
  );
  return {
    element: plan.elements.c,
    rows: layout.rowsTable,
    columns: layout.columnsTable,
    rowColumn: 0,
    columnColumn: 0,
    step: columnStep(plan, part),
    leaves: layout.leaves,
    finish,
    finishesInRows: finishCost(scale, epilogue) * blocking.rows.height * blocking.vectors > MOST_INLINE,
    adds: plan.nest.output.accumulate ? "always" : oneBlock ? "never" : "sometimes",
    finishes: finish === undefined ? "never" : oneBlock ? "always" : "sometimes",
  };
}

/** Elements between neighbouring columns of the output. */
function columnStep(plan: ContractionPlan, part: ContractionClass): number {
  const axis = plan.roles.n.findLast((candidate) => part.extents[candidate]! > 1);
  return axis === undefined ? 1 : part.output.strides[axis]!;
}

function noteOf(part: ContractionClass, { blocking, partition, columnBlocks, segments }: ClassLayout): string {
  const { rows, width, rowTilesPerBlock, columnsPerBlock, depth } = blocking;
  const parts = [`${columnBlocks} column`, `${partition.rows} row`, `${partition.depth} K`].filter((text) => !text.startsWith("1 "));
  const [operands] = segments.map(({ a, b }) => `A ${described(a)}, B ${described(b)}`);
  const k = part.segments.map((segment) => segment.k).join("+") || "0";
  return (
    `contraction: batch ${part.batch} · M ${part.m} × N ${part.n} × K ${k}, tile ${rows.height}×${width}, ${operands ?? "empty sum"}, ` +
    `blocks of ${rowTilesPerBlock * rows.height} rows, ${columnsPerBlock} columns, ${depth} deep` +
    (parts.length === 0 ? "" : `, parts: ${parts.join(" · ")}`)
  );
}

function described({ packed }: OperandLayout): string {
  return packed === "direct" ? "read through tables" : packed ? "packed" : "in place";
}
