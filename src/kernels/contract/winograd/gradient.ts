// Emits a 3×3 convolution's gradient by its filters with Winograd's algorithm: partial sums, then their totals.

import { elementBytes, elementOf } from "../../expressions/elements.ts";
import type { FunctionBuilder, ModuleBuilder } from "../../language/builder.ts";
import { aligned, type Value, type Variable } from "../../language/language.ts";
import { add, advance, i32, lt, min, mul, select, sub } from "../../language/values.ts";
import { entryParameters, functionName, type LoweredNest, type Phase } from "../../lowered.ts";
import { type AffineAccess, strideOf } from "../access.ts";
import { zeroArea } from "../direct.ts";
import { FLOPS_PER_WORK, phaseOf } from "../work.ts";
import { writeCombine } from "./combine.ts";
import { type GradientCut, type GradientLayout, gradientCutOf, gradientLayoutOf } from "./gradient-layout.ts";
import { imageSource, stripOf } from "./layout.ts";
import type { PlainAxis, WinogradGradientPlan } from "./plan.ts";
import { defineAccumulate, defineInput, defineRows, defineUpstream, type Products, rowsBytes, type Source, sumsBytes } from "./steps.ts";
import { SIZE } from "./transforms.ts";

/** Names of the functions that the first entry calls. */
interface Steps {
  readonly copyImage: string;
  readonly copyUpstream: string;
  readonly transformImage: string;
  readonly transformUpstream: string;
  readonly accumulate: string;
}

/** A gradient on its way into a module. */
interface Gradient {
  readonly found: WinogradGradientPlan;
  readonly cut: GradientCut;
  readonly layout: GradientLayout;
  readonly steps: Steps;
}

/** One thread's areas. */
interface Areas {
  readonly image: Value;
  readonly upstream: Value;
  readonly left: Value;
  readonly right: Value;
}

type Parameters = { readonly [name: string]: Variable };

/**
 * Neighbours in rows of pixels, or channels of a pixel, must be neighbours in both factors; taps in what the epilogue
 * reads.
 */
export function canEmitGradient({
  plan,
  part,
  image,
  upstream,
  columns,
  inputs,
  outputs,
  taps: [row, column],
}: WinogradGradientPlan): boolean {
  const { strides } = upstream.access;
  const isNext = (axis: PlainAxis, access: AffineAccess) => axis.axis !== undefined && access.strides[axis.axis] === 1;
  return (
    outputs.axis !== undefined &&
    inputs.axis !== undefined &&
    plan.elements.c === "f32" &&
    (columns.pitch === 1 || isNext(inputs, image.access)) &&
    (strides[columns.axis] === 1 || isNext(outputs, upstream.access)) &&
    plan.roles.batch.every((axis) => part.extents[axis] === 1) &&
    part.leaves.every(({ element, access }) => {
      const [down, along] = [access.strides[row]!, access.strides[column]!];
      return element === "f32" && ((down === SIZE.taps && along === 1) || (down === 0 && along === 0));
    })
  );
}

/** Writes the functions of a gradient by filters into the module. */
export function lowerGradient(found: WinogradGradientPlan, module: ModuleBuilder): LoweredNest {
  const { plan } = found;
  const cut = gradientCutOf(found, module.machine);
  const layout = gradientLayoutOf(cut, module.machine);
  const gradient: Gradient = { found, cut, layout, steps: defineSteps(found, cut, layout, module) };
  const parameters = entryParameters(plan.nest, true);
  const partialSums = module.define(functionName(plan.nest, "partialSums"), parameters, (k, p) => writePartialSums(k, p, gradient), true);
  const combine = module.define(
    functionName(plan.nest, "combine"),
    parameters,
    (k, p) => writeCombine(k, p, found, cut.sums, cut.parts),
    true,
  );
  const [before, main] = phasesOf(gradient, partialSums, combine);
  const sharedBytes = cut.parts * sumsBytes(cut.sums);
  return { ...main, before: [before], sharedBytes, scratchBytes: layout.scratchBytes, sequential: false, notes: [noteOf(gradient)] };
}

function defineSteps(found: WinogradGradientPlan, cut: GradientCut, layout: GradientLayout, module: ModuleBuilder): Steps {
  const { tilesPerStrip, inputVectors, outputVectors, vectors, sums } = cut;
  const { imageRows, upstreamRows, left, right } = layout;
  const name = (step: string) => functionName(found.plan.nest, step);
  const copyImage = defineRows(module, name("rows"), imageSource(found), imageRows);
  const copyUpstream = defineRows(module, name("upstream_rows"), upstreamSource(found), upstreamRows);
  const transformImage = defineInput(module, name("input"), imageRows, right, tilesPerStrip, inputVectors);
  const transformUpstream = defineUpstream(module, name("upstream"), upstreamRows, left, tilesPerStrip, outputVectors);
  const accumulate = defineAccumulate(module, name("products"), [left, right], sums, vectors);
  return { copyImage, copyUpstream, transformImage, transformUpstream, accumulate };
}

/** Where what arrives at the outputs lies. */
function upstreamSource({ plan, upstream, rows, columns, outputs }: WinogradGradientPlan): Source {
  return {
    element: elementOf(plan.nest.operands[upstream.operand]!.dtype),
    channels: outputs.extent,
    channel: strideOf(upstream.access, outputs.axis),
    row: strideOf(upstream.access, rows.axis),
    column: strideOf(upstream.access, columns.axis),
    height: rows.outputs,
    width: columns.outputs,
    first: 0,
  };
}

/** The entry that leaves every part's sums in `shared`. Slices are parts. */
function writePartialSums(k: FunctionBuilder, p: Parameters, gradient: Gradient): void {
  const { cut, layout, steps } = gradient;
  const { stripsPerPart, stripsPerBlock, strips, tilesPerStrip, sums } = cut;
  const areas = areasOf(k, p, layout);
  zeroArea(k, areas.image, aligned(rowsBytes(layout.imageRows)));
  zeroArea(k, areas.upstream, aligned(rowsBytes(layout.upstreamRows)));
  k.loop(p.begin!, p.end!, 1, (part) => {
    const to = k.let(advance(p.shared!, mul(part, sumsBytes(sums))), "to");
    const first = k.let(mul(part, stripsPerPart), "first");
    const end = k.let(min(add(first, stripsPerPart), strips), "end");
    k.loop(first, end, stripsPerBlock, (block) => {
      const count = k.let(min(sub(end, block), stripsPerBlock), "count");
      k.loop(0, count, 1, (number) => transformStrip(k, p, gradient, areas, add(block, number), number));
      const adds = select(lt(first, block), i32(1), i32(0));
      k.call(steps.accumulate, [areas.left, areas.right, mul(count, tilesPerStrip), to, adds]);
    });
  });
}

function areasOf(k: FunctionBuilder, p: Parameters, { imageAt, upstreamAt, leftAt, rightAt }: GradientLayout): Areas {
  const area = (offset: number) => k.let(advance(p.scratch!, offset), "area");
  return { image: area(imageAt), upstream: area(upstreamAt), left: area(leftAt), right: area(rightAt) };
}

/** Both factors of a strip, the block's `number`-th. */
function transformStrip(k: FunctionBuilder, p: Parameters, gradient: Gradient, areas: Areas, strip: Value, number: Value): void {
  const { found, cut, layout, steps } = gradient;
  const { plan, image, upstream, images, rows } = found;
  const { image: of, top } = stripOf(k, strip, cut.stripsPerImage);
  const from = (operand: number, access: AffineAccess, base: number) => {
    const bytes = elementBytes[elementOf(plan.nest.operands[operand]!.dtype)];
    return advance(p[`in${operand}`]!, add(mul(of, strideOf(access, images.axis) * bytes), base * bytes));
  };
  const place = (area: Value, { row }: Products) => advance(area, mul(number, cut.tilesPerStrip * row));
  k.call(steps.copyImage, [from(image.operand, image.access, image.base), add(top, rows.low), areas.image]);
  k.call(steps.transformImage, [areas.image, place(areas.right, layout.right)]);
  k.call(steps.copyUpstream, [from(upstream.operand, upstream.access, upstream.access.base), top, areas.upstream]);
  k.call(steps.transformUpstream, [areas.upstream, place(areas.left, layout.left)]);
}

/** How much work the two entries do. */
function phasesOf({ found, cut, layout }: Gradient, partialSums: string, combine: string): [Phase, Phase] {
  const { inputs, outputs } = found;
  const { strips, tilesPerStrip, parts, sums } = cut;
  const flops = 2 * SIZE.products ** 2 * strips * tilesPerStrip * inputs.extent * outputs.extent;
  const transforms = (strips * tilesPerStrip * SIZE.products ** 2 * (inputs.extent + outputs.extent)) / 4;
  const setup = (rowsBytes(layout.imageRows) + rowsBytes(layout.upstreamRows)) / 16;
  return [
    phaseOf(partialSums, parts, flops / FLOPS_PER_WORK + transforms, setup),
    phaseOf(combine, outputs.extent, (parts * sumsBytes(sums)) / 4, 0),
  ];
}

function noteOf({ found: { inputs, outputs }, cut, layout }: Gradient): string {
  return (
    `gradient by 3×3 filters by Winograd's F(4×4, 3×3): ${cut.strips * cut.tilesPerStrip} tiles, ${inputs.extent} → ` +
    `${outputs.extent} channels, ${cut.parts} parts, blocks of ${layout.left.tiles} tiles`
  );
}
