// Cuts a 3×3 convolution for Winograd's algorithm, and lays out what its steps leave for one another.

import { elementOf } from "../../expressions/elements.ts";
import type { FunctionBuilder } from "../../language/builder.ts";
import { aligned, type Machine, type Value } from "../../language/language.ts";
import { mul, operation, sub } from "../../language/values.ts";
import { strideOf } from "../access.ts";
import { evenly } from "../blocking.ts";
import type { WinogradGradientPlan, WinogradPlan } from "./plan.ts";
import { type Products, pitchOf, productsBytes, type Rows, rowsBytes, type Source } from "./steps.ts";
import { SIZE } from "./transforms.ts";

/** How the work is cut: strips are rows of tiles of one image, blocks are strips that are multiplied together. */
export interface Cut {
  readonly tilesPerStrip: number;
  readonly stripsPerImage: number;
  readonly strips: number;
  readonly stripsPerBlock: number;
  readonly blocks: number;
  /** Vectors of output channels in a panel, their channels, and panels there are. */
  readonly vectors: number;
  readonly width: number;
  readonly panels: number;
  /** Vectors of input channels. */
  readonly inputVectors: number;
}

/** What lies between the steps. Places are bytes from the start of a thread's scratch. */
export interface Layout {
  /** The pixels that a strip is computed from. */
  readonly stage: Rows;
  /** Left factors of a block, and its products with a panel. */
  readonly left: Products;
  readonly sums: Products;
  /** The pixels of a strip's outputs. */
  readonly pixels: Rows;
  readonly panelBytes: number;
  readonly blockBytes: number;
  /** What is smaller is transformed once, for all threads: the filters, or the image. */
  readonly filtersFirst: boolean;
  readonly sharedBytes: number;
  readonly stageAt: number;
  /** Of what a thread transforms itself: a block of the image, or a panel of filters. */
  readonly ownAt: number;
  readonly sumsAt: number;
  readonly pixelsAt: number;
  readonly scratchBytes: number;
}

/** Rows of tiles that a block should have about, and the share of the second-level cache for its products. */
const WANTED_TILES = 56;
const WANTED_BLOCKS = 8;

export function cutOf({ rows, columns, images, outputs, inputs }: WinogradPlan, { lanes, tile, caches }: Machine): Cut {
  const tilesPerStrip = Math.ceil(columns.outputs / SIZE.outputs);
  const stripsPerImage = Math.ceil(rows.outputs / SIZE.outputs);
  const strips = stripsPerImage * images.extent;
  const vectors = Math.min(tile.vectors, Math.ceil(outputs.extent / lanes));
  const inputVectors = Math.ceil(inputs.extent / lanes);
  const bytesPerTile = SIZE.products ** 2 * (inputVectors + vectors) * lanes * 4;
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
    width: vectors * lanes,
    panels: Math.ceil(outputs.extent / (vectors * lanes)),
    inputVectors,
  };
}

export function layoutOf(inputs: number, cut: Cut, { lanes }: Machine): Layout {
  const { tilesPerStrip, stripsPerBlock, blocks, width, panels, inputVectors } = cut;
  const columns = SIZE.outputs * tilesPerStrip;
  const stage: Rows = { count: SIZE.products, columns: columns + 2, pixel: inputVectors * lanes * 4 };
  const left: Products = { tiles: stripsPerBlock * tilesPerStrip, row: rowBytes(inputVectors * lanes * 4) };
  const sums: Products = { tiles: left.tiles, row: width * 4 };
  const pixels: Rows = { count: SIZE.outputs, columns, pixel: width * 4 };
  const panelBytes = SIZE.products ** 2 * pitchOf(inputs * width * 4);
  const blockBytes = productsBytes(left);
  const [filterBytes, imageBytes] = [panels * panelBytes, blocks * blockBytes];
  const filtersFirst = filterBytes <= imageBytes;
  const [stageAt, ownAt, sumsAt, pixelsAt, scratchBytes] = allot([
    rowsBytes(stage) + lanes * 4,
    filtersFirst ? blockBytes : panelBytes,
    productsBytes(sums),
    rowsBytes(pixels) + lanes * pixels.pixel,
  ]) as [number, number, number, number, number];
  const sharedBytes = filtersFirst ? filterBytes : imageBytes;
  return { stage, left, sums, pixels, panelBytes, blockBytes, filtersFirst, sharedBytes, stageAt, ownAt, sumsAt, pixelsAt, scratchBytes };
}

/** Rows of factors not a power of two apart: a tile's rows would fall into few sets of the first-level cache. */
export const rowBytes = (bytes: number): number => (bytes % 512 === 0 ? bytes + 64 : bytes);

/** Places of consecutive areas, each aligned to 64 bytes, and the total. */
export function allot(sizes: readonly number[]): number[] {
  const places = [0];
  for (const bytes of sizes) places.push(places.at(-1)! + aligned(bytes));
  return places;
}

/** Where the image's pixels lie. */
export function imageSource({ plan, image, rows, columns, inputs }: WinogradPlan | WinogradGradientPlan): Source {
  return {
    element: elementOf(plan.nest.operands[image.operand]!.dtype),
    channels: inputs.extent,
    channel: strideOf(image.access, inputs.axis),
    row: rows.pitch,
    column: columns.pitch,
    height: rows.extent,
    width: columns.extent,
    first: columns.low,
  };
}

/** A strip's image, and its first row of outputs. */
export function stripOf(k: FunctionBuilder, strip: Value, stripsPerImage: number): { readonly image: Value; readonly top: Value } {
  const image = k.let(operation("divide", [strip, stripsPerImage]), "image");
  return { image, top: k.let(mul(sub(strip, mul(image, stripsPerImage)), SIZE.outputs), "top") };
}
