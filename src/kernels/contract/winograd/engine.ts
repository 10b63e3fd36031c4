// Emits a 3×3 convolution by Winograd's algorithm: the smaller operand is transformed first.

import { elementBytes, elementOf, readElement, writeElement } from "../../expressions/elements.ts";
import type { FunctionBuilder, ModuleBuilder } from "../../language/builder.ts";
import { aligned, type Value, type Variable } from "../../language/language.ts";
import { add, advance, at, bool, i32, lt, mul, operation, sub } from "../../language/values.ts";
import { entryParameters, functionName, type LoweredNest } from "../../lowered.ts";
import type { AffineAccess } from "../access.ts";
import { evenly } from "../blocking.ts";
import { zeroArea } from "../direct.ts";
import { finishOf } from "../epilogue.ts";
import { FLOPS_PER_WORK, phaseOf } from "../work.ts";
import type { PlainAxis, WinogradPlan } from "./plan.ts";
import {
  defineFilters,
  defineInput,
  defineMultiply,
  defineOutput,
  defineRows,
  type Products,
  pitchOf,
  productsBytes,
  type Rows,
  rowsBytes,
  turnPixels,
} from "./steps.ts";
import { SIZE } from "./transforms.ts";

/** How the work is cut: strips are rows of tiles of one image, blocks are strips that are multiplied together. */
interface Cut {
  readonly tilesPerStrip: number;
  readonly stripsPerImage: number;
  readonly strips: number;
  readonly stripsPerBlock: number;
  readonly blocks: number;
  readonly vectors: number;
  readonly panels: number;
}

/** Rows of tiles that a block should have about, and the share of the second-level cache for its products. */
const WANTED_TILES = 56;
const WANTED_BLOCKS = 8;

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
  const { lanes } = module.machine;
  const { plan, segment, image, rows, columns, images, inputs, outputs } = found;
  const cut = cutOf(found, module);
  const { vectors, panels, tilesPerStrip, stripsPerBlock, strips, stripsPerImage, blocks } = cut;
  const name = (step: string) => functionName(plan.nest, step);
  const inputVectors = Math.ceil(inputs.extent / lanes);
  const stage: Rows = { count: SIZE.products, columns: SIZE.outputs * tilesPerStrip + 2, pixel: inputVectors * lanes * 4 };
  const left: Products = { tiles: stripsPerBlock * tilesPerStrip, row: rowBytes(inputVectors * lanes * 4) };
  const width = vectors * lanes;
  const sums: Products = { tiles: left.tiles, row: width * 4 };
  const pixels: Rows = { count: SIZE.outputs, columns: SIZE.outputs * tilesPerStrip, pixel: width * 4 };
  const panelBytes = SIZE.products ** 2 * pitchOf(inputs.extent * width * 4);
  const stride = (access: AffineAccess, axis: PlainAxis) => (axis.axis === undefined ? 0 : access.strides[axis.axis]!);

  const imageElement = elementOf(plan.nest.operands[image.operand]!.dtype);
  const copy = defineRows(
    module,
    name("rows"),
    {
      element: imageElement,
      channels: inputs.extent,
      channel: stride(image.access, inputs),
      row: rows.pitch,
      column: columns.pitch,
      height: rows.extent,
      width: columns.extent,
      first: columns.low,
    },
    stage,
  );
  const input = defineInput(module, name("input"), stage, left, tilesPerStrip, inputVectors);
  const filterSource = {
    inputs: inputs.extent,
    outputs: outputs.extent,
    input: stride(found.filter.access, inputs),
    output: stride(found.filter.access, outputs),
    taps: [rows.tap, columns.tap],
  } as const;
  const lastPanel = outputs.extent - (panels - 1) * width;
  const filters = defineFilters(module, name("filters"), filterSource, vectors, width);
  const lastFilters = lastPanel === width ? filters : defineFilters(module, name("filters"), filterSource, vectors, lastPanel);
  const multiply = defineMultiply(module, name("products"), left, inputs.extent, vectors);
  const outputStep = defineOutput(module, name("output"), sums, pixels, tilesPerStrip, vectors);
  const write = defineWrite(module, name("write"), found, pixels, vectors);

  // What is smaller is transformed once, for all: the filters, or the image.
  const filtersFirst = panels * panelBytes <= blocks * productsBytes(left);
  const sharedBytes = filtersFirst ? panels * panelBytes : blocks * productsBytes(left);
  const places = allot([
    rowsBytes(stage) + lanes * 4,
    filtersFirst ? productsBytes(left) : panelBytes,
    productsBytes(sums),
    rowsBytes(pixels) + lanes * pixels.pixel,
  ]);
  const [stageAt, ownAt, sumsAt, pixelsAt, scratchBytes] = places as [number, number, number, number, number];
  const parameters = entryParameters(plan.nest, true);
  type P = { readonly [name: string]: Variable };
  const area = (k: FunctionBuilder, p: P, offset: number) => k.let(advance(p.scratch!, offset), "area");

  /** Left factors of the strips [begin, end) of a block whose factors lie at `to`. */
  const transformStrip = (k: FunctionBuilder, p: P, stageArea: Value, strip: Value, to: Value) => {
    const { image: number, top } = stripOf(k, strip, stripsPerImage);
    const bytes = elementBytes[imageElement];
    const origin = add(mul(number, stride(image.access, images) * bytes), image.base * bytes);
    k.call(copy, [advance(p[`in${image.operand}`]!, origin), add(top, rows.low), stageArea]);
    k.call(input, [stageArea, to]);
  };
  const transformFilters = (k: FunctionBuilder, p: P, panel: Value, to: Value) => {
    const from = k.let(
      advance(p[`in${found.filter.operand}`]!, add(mul(panel, width * filterSource.output * 4), found.filter.base * 4)),
      "from",
    );
    if (filters === lastFilters) k.call(filters, [from, to]);
    else
      k.if(
        lt(panel, panels - 1),
        () => k.call(filters, [from, to]),
        () => k.call(lastFilters, [from, to]),
      );
  };
  const leaves = found.part.leaves.map((leaf) => `in${leaf.operand!}`);
  /** Multiplies a block with a panel and writes its strips. */
  const finish = (k: FunctionBuilder, p: P, block: Value, panel: Value, factors: Value, panelFactors: Value) => {
    const [sumsArea, pixelsArea] = [area(k, p, sumsAt), area(k, p, pixelsAt)];
    k.call(multiply, [factors, panelFactors, sumsArea]);
    const first = k.let(mul(block, stripsPerBlock), "first");
    k.loop(0, stripsPerBlock, 1, (number) => {
      const strip = k.let(add(first, number), "strip");
      k.if(strips % stripsPerBlock === 0 ? bool(true) : lt(strip, strips), () => {
        k.call(outputStep, [advance(sumsArea, mul(number, tilesPerStrip * sums.row)), pixelsArea]);
        const { image: of, top } = stripOf(k, strip, stripsPerImage);
        k.call(write, [pixelsArea, of, top, mul(panel, width), p.out!, p.params!, ...leaves.map((leaf) => p[leaf]!)]);
      });
    });
  };
  const eachStrip = (k: FunctionBuilder, block: Value, visit: (strip: Variable, place: Value) => void) => {
    const first = k.let(mul(block, stripsPerBlock), "first");
    k.loop(0, stripsPerBlock, 1, (number) => {
      const strip = k.let(add(first, number), "strip");
      k.if(strips % stripsPerBlock === 0 ? bool(true) : lt(strip, strips), () => visit(strip, mul(number, tilesPerStrip * left.row)));
    });
  };
  const clearStage = (k: FunctionBuilder, stageArea: Value) => zeroArea(k, stageArea, aligned(rowsBytes(stage)));
  const blockBytes = productsBytes(left);

  const first = module.define(
    name(filtersFirst ? "filters_first" : "image_first"),
    parameters,
    (k, p) => {
      const stageArea = area(k, p, stageAt);
      if (!filtersFirst) clearStage(k, stageArea);
      k.loop(p.begin!, p.end!, 1, (slice) => {
        if (filtersFirst) transformFilters(k, p, slice, advance(p.shared!, mul(slice, panelBytes)));
        else {
          const block = k.let(operation("divide", [slice, stripsPerBlock]), "block");
          const number = sub(slice, mul(block, stripsPerBlock));
          const to = add(mul(block, blockBytes), mul(number, tilesPerStrip * left.row));
          transformStrip(k, p, stageArea, slice, advance(p.shared!, to));
        }
      });
    },
    true,
  );
  const entry = module.define(
    name("winograd"),
    parameters,
    (k, p) => {
      const [stageArea, own] = [area(k, p, stageAt), area(k, p, ownAt)];
      if (filtersFirst) clearStage(k, stageArea);
      k.loop(p.begin!, p.end!, 1, (slice) => {
        if (filtersFirst) {
          eachStrip(k, slice, (strip, place) => transformStrip(k, p, stageArea, strip, advance(own, place)));
          k.loop(0, panels, 1, (panel) => finish(k, p, slice, panel, own, advance(p.shared!, mul(panel, panelBytes))));
        } else {
          transformFilters(k, p, slice, own);
          k.loop(0, blocks, 1, (block) => finish(k, p, block, slice, advance(p.shared!, mul(block, blockBytes)), own));
        }
      });
    },
    true,
  );
  const flops = 2 * SIZE.products ** 2 * strips * tilesPerStrip * inputs.extent * outputs.extent;
  const phase = (entry: string, slices: number, work: number) => phaseOf(entry, slices, work, rowsBytes(stage) / 16);
  const [filterWork, imageWork] = [panels * panelBytes, blocks * blockBytes].map((bytes) => bytes / 16) as [number, number];
  const main = phase(entry, filtersFirst ? blocks : panels, flops / FLOPS_PER_WORK + (filtersFirst ? imageWork : filterWork));
  return {
    ...main,
    before: [phase(first, filtersFirst ? panels : strips, filtersFirst ? filterWork : imageWork)],
    sharedBytes,
    scratchBytes,
    sequential: false,
    notes: [
      `convolution by Winograd's F(4×4, 3×3): ${strips * tilesPerStrip} tiles × ${inputs.extent} → ${outputs.extent} channels of ` +
        `${segment.extents[rows.axis]}×${segment.extents[columns.axis]}, ${filtersFirst ? "filters" : "image"} transformed first, ` +
        `blocks of ${left.tiles} tiles, ${width} channels`,
    ],
  };
}

/** Rows of factors not a power of two apart: a tile's rows would fall into few sets of the first-level cache. */
export const rowBytes = (bytes: number): number => (bytes % 512 === 0 ? bytes + 64 : bytes);

function cutOf({ rows, columns, images, outputs, inputs }: WinogradPlan, module: ModuleBuilder): Cut {
  const { lanes, tile, caches } = module.machine;
  const tilesPerStrip = Math.ceil(columns.outputs / SIZE.outputs);
  const stripsPerImage = Math.ceil(rows.outputs / SIZE.outputs);
  const strips = stripsPerImage * images.extent;
  const vectors = Math.min(tile.vectors, Math.ceil(outputs.extent / lanes));
  const bytesPerTile = SIZE.products ** 2 * (Math.ceil(inputs.extent / lanes) + vectors) * lanes * 4;
  const mostTiles = Math.min(WANTED_TILES, caches[1] / 3 / bytesPerTile);
  const most = Math.max(1, Math.min(Math.floor(mostTiles / tilesPerStrip), Math.ceil(strips / WANTED_BLOCKS)));
  const atLeast = Math.min(strips, Math.ceil(8 / tilesPerStrip));
  const stripsPerBlock = evenly(strips, Math.max(most, atLeast));
  return {
    tilesPerStrip,
    stripsPerImage,
    strips,
    stripsPerBlock,
    blocks: Math.ceil(strips / stripsPerBlock),
    vectors,
    panels: Math.ceil(outputs.extent / (vectors * lanes)),
  };
}

/** A strip's image, and its first row of outputs. */
export function stripOf(k: FunctionBuilder, strip: Value, stripsPerImage: number): { readonly image: Value; readonly top: Value } {
  const image = k.let(operation("divide", [strip, stripsPerImage]), "image");
  return { image, top: k.let(mul(sub(strip, mul(image, stripsPerImage)), SIZE.outputs), "top") };
}

/**
 * write(pixels, image, top, channel, out, params, leaf…): a strip's pixels of one panel, through scale and epilogue, to
 * the output.
 */
function defineWrite(module: ModuleBuilder, name: string, found: WinogradPlan, pixels: Rows, vectors: number): string {
  const { lanes } = module.machine;
  const { plan, part, rows, columns, images, outputs } = found;
  const finish = finishOf(
    plan.scale,
    plan.nest.epilogue,
    part.leaves.map((leaf) => leaf.node),
  );
  const leafTypes = Object.fromEntries(part.leaves.map((_, number) => [`leaf${number}`, "pointer"] as const));
  const parameters = {
    pixels: "pointer",
    image: "i32",
    top: "i32",
    channel: "i32",
    out: "pointer",
    params: "pointer",
    ...leafTypes,
  } as const;
  const stride = (access: AffineAccess, axis: number | undefined) => (axis === undefined ? 0 : access.strides[axis]!);
  const accesses = [part.output, ...part.leaves.map((leaf) => leaf.access)];
  const elements = [plan.elements.c, ...part.leaves.map((leaf) => leaf.element!)];
  const bytes = elements.map((element) => elementBytes[element]);
  // Where rows of outputs follow one another everywhere, a strip is one long row.
  const isFlat =
    columns.outputs % SIZE.outputs === 0 &&
    rows.outputs % SIZE.outputs === 0 &&
    accesses.every((access) => stride(access, rows.axis) === columns.outputs * stride(access, columns.axis));
  return module.define(name, parameters, (k, p) => {
    const origins = accesses.map((access, number) => {
      const base = number === 0 ? p.out : (p as unknown as { readonly [name: string]: Variable })[`leaf${number - 1}`]!;
      const moved = add(mul(p.image, stride(access, images.axis) * bytes[number]!), mul(p.top, stride(access, rows.axis) * bytes[number]!));
      return k.let(advance(base, add(moved, access.base * bytes[number]!)), "origin");
    });
    const row = (number: Value, length: number) => {
      const from = k.let(advance(p.pixels, mul(number, pixels.columns * pixels.pixel)), "from");
      const at0 = accesses.map((access, i) => k.let(advance(origins[i]!, mul(number, stride(access, rows.axis) * bytes[i]!)), "row"));
      k.loop(0, vectors, 1, (vector) => {
        const first = k.let(add(p.channel, mul(vector, lanes)), "first");
        k.if(lt(first, outputs.extent), () =>
          turnPixels(
            k,
            k.let(advance(from, mul(vector, lanes * 4)), "from"),
            pixels.pixel,
            length,
            { first, end: outputs.extent },
            (channel, pixel, value, count) => {
              const place = (i: number) => {
                const access = accesses[i]!;
                const along = mul(pixel, stride(access, columns.axis) * bytes[i]!);
                return k.let(advance(at0[i]!, add(mul(channel, stride(access, outputs.axis) * bytes[i]!), along)), "place");
              };
              const leaves = part.leaves.map((leaf, i) =>
                readElement(elements[i + 1]!, at(place(i + 1)), stride(leaf.access, columns.axis) === 0 ? "splat" : "vector"),
              );
              const result = finish === undefined ? value : finish(k, value, leaves, p.params);
              writeElement(k, plan.elements.c, at(place(0)), result, count);
            },
          ),
        );
      });
    };
    if (isFlat) {
      row(i32(0), SIZE.outputs * columns.outputs);
      return;
    }
    k.loop(0, SIZE.outputs, 1, (number) => {
      const inside = rows.outputs % SIZE.outputs === 0 ? bool(true) : lt(add(p.top, number), rows.outputs);
      k.if(inside, () => row(number, columns.outputs));
    });
  });
}

/** Places of consecutive areas, each aligned to 64 bytes, and the total. */
export function allot(sizes: readonly number[]): number[] {
  const places = [0];
  for (const bytes of sizes) places.push(places.at(-1)! + aligned(bytes));
  return places;
}
