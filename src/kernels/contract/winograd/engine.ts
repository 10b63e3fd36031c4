// Emits a 3×3 convolution by Winograd's algorithm: the smaller operand is transformed first.

import { elementBytes, elementOf } from "../../expressions/elements.ts";
import type { FunctionBuilder, ModuleBuilder } from "../../language/builder.ts";
import { aligned, type Value, type Variable } from "../../language/language.ts";
import { add, advance, bool, lt, mul, operation, sub } from "../../language/values.ts";
import { entryParameters, functionName, type LoweredNest, type Phase } from "../../lowered.ts";
import { type AffineAccess, strideOf } from "../access.ts";
import { zeroArea } from "../direct.ts";
import { FLOPS_PER_WORK, phaseOf } from "../work.ts";
import { type Cut, cutOf, imageSource, type Layout, layoutOf, stripOf } from "./layout.ts";
import type { WinogradPlan } from "./plan.ts";
import { defineFilters, defineInput, defineMultiply, defineOutput, defineRows, type FilterSource, rowsBytes } from "./steps.ts";
import { SIZE } from "./transforms.ts";
import { defineWrite } from "./write.ts";

/** Names of the functions that the entries call. */
interface Steps {
  readonly copy: string;
  readonly input: string;
  /** Of a whole panel, and of the last one; the same where that is whole too. */
  readonly filters: string;
  readonly lastFilters: string;
  readonly multiply: string;
  readonly output: string;
  readonly write: string;
}

/** A convolution on its way into a module. */
interface Convolution {
  readonly found: WinogradPlan;
  readonly cut: Cut;
  readonly layout: Layout;
  readonly steps: Steps;
}

type Parameters = { readonly [name: string]: Variable };

/**
 * Pixels of a row or channels of a pixel must be neighbours in the image, pixels of a row in the output and in what its
 * epilogue reads.
 */
export function canEmit({ plan, part, image, filter, rows, columns, inputs, outputs }: WinogradPlan): boolean {
  const { strides } = part.output;
  const along = (access: AffineAccess) => access.strides[columns.axis] === 1 || access.strides[columns.axis] === 0;
  return (
    outputs.axis !== undefined &&
    plan.nest.operands[filter.operand]!.dtype === "float32" &&
    strides[columns.axis] === 1 &&
    (columns.pitch === 1 || (inputs.axis !== undefined && image.access.strides[inputs.axis] === 1)) &&
    part.leaves.every((leaf) => leaf.operand !== undefined && along(leaf.access)) &&
    plan.roles.batch.every((axis) => part.extents[axis] === 1) &&
    rows.outputs > 0
  );
}

/** Writes the functions of a convolution into the module. */
export function lowerWinograd(found: WinogradPlan, module: ModuleBuilder): LoweredNest {
  const cut = cutOf(found, module.machine);
  const layout = layoutOf(found.inputs.extent, cut, module.machine);
  const convolution: Convolution = { found, cut, layout, steps: defineSteps(found, cut, layout, module) };
  const [first, main] = phasesOf(convolution, defineFirst(convolution, module), defineMain(convolution, module));
  const { sharedBytes, scratchBytes } = layout;
  return { ...main, before: [first], sharedBytes, scratchBytes, sequential: false, notes: [noteOf(convolution)] };
}

function defineSteps(found: WinogradPlan, cut: Cut, { stage, left, sums, pixels }: Layout, module: ModuleBuilder): Steps {
  const { tilesPerStrip, vectors, width, panels, inputVectors } = cut;
  const { inputs, outputs } = found;
  const name = (step: string) => functionName(found.plan.nest, step);
  const copy = defineRows(module, name("rows"), imageSource(found), stage);
  const input = defineInput(module, name("input"), stage, left, tilesPerStrip, inputVectors);
  const source = filterSource(found);
  const lastPanel = outputs.extent - (panels - 1) * width;
  const filters = defineFilters(module, name("filters"), source, vectors, width);
  const lastFilters = lastPanel === width ? filters : defineFilters(module, name("filters"), source, vectors, lastPanel);
  const multiply = defineMultiply(module, name("products"), left, inputs.extent, vectors);
  const output = defineOutput(module, name("output"), sums, pixels, tilesPerStrip, vectors);
  const write = defineWrite(module, name("write"), found, pixels, vectors);
  return { copy, input, filters, lastFilters, multiply, output, write };
}

function filterSource({ filter, rows, columns, inputs, outputs }: WinogradPlan): FilterSource {
  return {
    inputs: inputs.extent,
    outputs: outputs.extent,
    input: strideOf(filter.access, inputs.axis),
    output: strideOf(filter.access, outputs.axis),
    taps: [rows.tap, columns.tap],
  };
}

/** The entry that leaves the transforms of all filters, or of the whole image, in `shared`: slices are panels, or strips. */
function defineFirst(convolution: Convolution, module: ModuleBuilder): string {
  const { found, layout } = convolution;
  const name = functionName(found.plan.nest, layout.filtersFirst ? "filters_first" : "image_first");
  return module.define(
    name,
    entryParameters(found.plan.nest, true),
    (k, p) => {
      const stage = areaAt(k, p, layout.stageAt);
      if (!layout.filtersFirst) clearStage(k, stage, layout);
      k.loop(p.begin!, p.end!, 1, (slice) => {
        if (layout.filtersFirst) transformFilters(k, p, convolution, slice, sharedPanel(p, layout, slice));
        else transformSharedStrip(k, p, convolution, stage, slice);
      });
    },
    true,
  );
}

/** The entry that transforms the other operand, multiplies and writes: slices are blocks, or panels. */
function defineMain(convolution: Convolution, module: ModuleBuilder): string {
  const { found, layout } = convolution;
  return module.define(
    functionName(found.plan.nest, "winograd"),
    entryParameters(found.plan.nest, true),
    (k, p) => {
      const [stage, own] = [areaAt(k, p, layout.stageAt), areaAt(k, p, layout.ownAt)];
      if (layout.filtersFirst) clearStage(k, stage, layout);
      k.loop(p.begin!, p.end!, 1, (slice) => {
        if (layout.filtersFirst) writeBlock(k, p, convolution, stage, own, slice);
        else writePanel(k, p, convolution, own, slice);
      });
    },
    true,
  );
}

/** All outputs of a block, whose strips are transformed here, by filters that are ready. */
function writeBlock(k: FunctionBuilder, p: Parameters, convolution: Convolution, stage: Value, own: Value, block: Value): void {
  const { cut, layout } = convolution;
  eachStrip(k, cut, block, (strip, number) => {
    transformStrip(k, p, convolution, stage, strip, advance(own, placeInBlock(cut, layout, number)));
  });
  k.loop(0, cut.panels, 1, (panel) => finish(k, p, convolution, block, panel, own, sharedPanel(p, layout, panel)));
}

/** All outputs of a panel, whose filters are transformed here, from an image that is ready. */
function writePanel(k: FunctionBuilder, p: Parameters, convolution: Convolution, own: Value, panel: Value): void {
  const { cut, layout } = convolution;
  transformFilters(k, p, convolution, panel, own);
  k.loop(0, cut.blocks, 1, (block) => finish(k, p, convolution, block, panel, advance(p.shared!, mul(block, layout.blockBytes)), own));
}

/** Left factors of a strip to where its block has them in `shared`. */
function transformSharedStrip(k: FunctionBuilder, p: Parameters, convolution: Convolution, stage: Value, strip: Value): void {
  const { cut, layout } = convolution;
  const block = k.let(operation("divide", [strip, cut.stripsPerBlock]), "block");
  const number = sub(strip, mul(block, cut.stripsPerBlock));
  const to = add(mul(block, layout.blockBytes), placeInBlock(cut, layout, number));
  transformStrip(k, p, convolution, stage, strip, advance(p.shared!, to));
}

/** Left factors of a strip. */
function transformStrip(k: FunctionBuilder, p: Parameters, convolution: Convolution, stage: Value, strip: Value, to: Value): void {
  const { found, cut, steps } = convolution;
  const { plan, image, rows, images } = found;
  const { image: number, top } = stripOf(k, strip, cut.stripsPerImage);
  const bytes = elementBytes[elementOf(plan.nest.operands[image.operand]!.dtype)];
  const origin = add(mul(number, strideOf(image.access, images.axis) * bytes), image.base * bytes);
  k.call(steps.copy, [advance(p[`in${image.operand}`]!, origin), add(top, rows.low), stage]);
  k.call(steps.input, [stage, to]);
}

/** Right factors of a panel. */
function transformFilters(k: FunctionBuilder, p: Parameters, { found, cut, steps }: Convolution, panel: Value, to: Value): void {
  const { filter, outputs } = found;
  const panelStep = cut.width * strideOf(filter.access, outputs.axis) * 4;
  const from = k.let(advance(p[`in${filter.operand}`]!, add(mul(panel, panelStep), filter.base * 4)), "from");
  if (steps.filters === steps.lastFilters) {
    k.call(steps.filters, [from, to]);
    return;
  }
  k.if(
    lt(panel, cut.panels - 1),
    () => k.call(steps.filters, [from, to]),
    () => k.call(steps.lastFilters, [from, to]),
  );
}

/** Multiplies a block's factors by a panel's and writes the block's strips. */
function finish(
  k: FunctionBuilder,
  p: Parameters,
  { found, cut, layout, steps }: Convolution,
  block: Value,
  panel: Value,
  factors: Value,
  filters: Value,
): void {
  const [sums, pixels] = [areaAt(k, p, layout.sumsAt), areaAt(k, p, layout.pixelsAt)];
  const leaves = found.part.leaves.map((leaf) => p[`in${leaf.operand!}`]!);
  k.call(steps.multiply, [factors, filters, sums]);
  eachStrip(k, cut, block, (strip, number) => {
    k.call(steps.output, [advance(sums, mul(number, cut.tilesPerStrip * layout.sums.row)), pixels]);
    const { image, top } = stripOf(k, strip, cut.stripsPerImage);
    k.call(steps.write, [pixels, image, top, mul(panel, cut.width), p.out!, p.params!, ...leaves]);
  });
}

/** Visits the strips of a block, which the last may have fewer of; `number` counts them from 0. */
function eachStrip(k: FunctionBuilder, cut: Cut, block: Value, visit: (strip: Value, number: Value) => void): void {
  const { strips, stripsPerBlock } = cut;
  const first = k.let(mul(block, stripsPerBlock), "first");
  k.loop(0, stripsPerBlock, 1, (number) => {
    const strip = k.let(add(first, number), "strip");
    k.if(strips % stripsPerBlock === 0 ? bool(true) : lt(strip, strips), () => visit(strip, number));
  });
}

const areaAt = (k: FunctionBuilder, p: Parameters, offset: number): Variable => k.let(advance(p.scratch!, offset), "area");

const clearStage = (k: FunctionBuilder, area: Value, { stage }: Layout): void => zeroArea(k, area, aligned(rowsBytes(stage)));

const sharedPanel = (p: Parameters, { panelBytes }: Layout, panel: Value): Value => advance(p.shared!, mul(panel, panelBytes));

/** Bytes from a block's left factors to those of one of its strips. */
const placeInBlock = ({ tilesPerStrip }: Cut, { left }: Layout, number: Value): Value => mul(number, tilesPerStrip * left.row);

/** How much work the two entries do. */
function phasesOf({ found, cut, layout }: Convolution, first: string, main: string): [Phase, Phase] {
  const { strips, tilesPerStrip, panels, blocks } = cut;
  const flops = 2 * SIZE.products ** 2 * strips * tilesPerStrip * found.inputs.extent * found.outputs.extent;
  const [filterWork, imageWork] = [(panels * layout.panelBytes) / 16, (blocks * layout.blockBytes) / 16];
  const phase = (entry: string, slices: number, work: number) => phaseOf(entry, slices, work, rowsBytes(layout.stage) / 16);
  return layout.filtersFirst
    ? [phase(first, panels, filterWork), phase(main, blocks, flops / FLOPS_PER_WORK + imageWork)]
    : [phase(first, strips, imageWork), phase(main, panels, flops / FLOPS_PER_WORK + filterWork)];
}

function noteOf({ found, cut, layout }: Convolution): string {
  const { segment, rows, columns, inputs, outputs } = found;
  return (
    `convolution by Winograd's F(4×4, 3×3): ${cut.strips * cut.tilesPerStrip} tiles × ${inputs.extent} → ${outputs.extent} channels of ` +
    `${segment.extents[rows.axis]}×${segment.extents[columns.axis]}, ${layout.filtersFirst ? "filters" : "image"} transformed first, ` +
    `blocks of ${layout.left.tiles} tiles, ${cut.width} channels`
  );
}
