// Cuts a 3×3 convolution's gradient by its filters for Winograd's algorithm, and lays out what its steps leave.

import type { Machine } from "../../language/language.ts";
import { allot, rowBytes } from "./layout.ts";
import type { WinogradGradientPlan } from "./plan.ts";
import { type Products, productsBytes, type Rows, rowsBytes, type Sums, sumsBytes } from "./steps.ts";
import { SIZE } from "./transforms.ts";

/** How the work is cut: strips are rows of tiles of one image, blocks are multiplied together, parts have own sums. */
export interface GradientCut {
  readonly tilesPerStrip: number;
  readonly stripsPerImage: number;
  readonly strips: number;
  readonly stripsPerBlock: number;
  readonly stripsPerPart: number;
  readonly parts: number;
  /** Vectors of channels, and how many of the input's are multiplied together. */
  readonly inputVectors: number;
  readonly outputVectors: number;
  readonly vectors: number;
  /** What one part takes. */
  readonly sums: Sums;
}

/** What lies between the steps. Places are bytes from the start of a thread's scratch. */
export interface GradientLayout {
  /** The pixels that a strip is computed from. */
  readonly imageRows: Rows;
  readonly upstreamRows: Rows;
  /** Factors of a block, from upstream and from the image. */
  readonly left: Products;
  readonly right: Products;
  readonly imageAt: number;
  readonly upstreamAt: number;
  readonly leftAt: number;
  readonly rightAt: number;
  readonly scratchBytes: number;
}

/** Tiles multiplied together: enough to make adding to the sums cheap. */
const WANTED_TILES = 64;
/** Parts of the images, each with sums of its own, while all of them take no more than so many bytes. */
const WANTED_PARTS = 8;
const MOST_BYTES = 10 * 2 ** 20;

export function gradientCutOf({ rows, columns, images, inputs, outputs }: WinogradGradientPlan, { lanes, tile }: Machine): GradientCut {
  const tilesPerStrip = Math.ceil(columns.outputs / SIZE.outputs);
  const stripsPerImage = Math.ceil(rows.outputs / SIZE.outputs);
  const strips = stripsPerImage * images.extent;
  const stripsPerBlock = Math.min(strips, Math.max(1, Math.floor(WANTED_TILES / tilesPerStrip)));
  const inputVectors = Math.ceil(inputs.extent / lanes);
  const outputVectors = Math.ceil(outputs.extent / lanes);
  const vectors = Math.min(tile.vectors, inputVectors);
  const sums: Sums = { outputs: outputs.extent, row: Math.ceil(inputVectors / vectors) * vectors * lanes * 4 };
  const stripsPerPart = Math.ceil(strips / partsOf(sumsBytes(sums), Math.ceil(strips / stripsPerBlock)));
  // Fewer than wanted where the last ones would have no strips.
  const parts = Math.ceil(strips / stripsPerPart);
  return { tilesPerStrip, stripsPerImage, strips, stripsPerBlock, stripsPerPart, parts, inputVectors, outputVectors, vectors, sums };
}

function partsOf(bytes: number, blocks: number): number {
  let parts = WANTED_PARTS;
  while (parts > 2 && parts * bytes > MOST_BYTES) parts /= 2;
  return Math.max(1, Math.min(parts, blocks));
}

export function gradientLayoutOf(
  { tilesPerStrip, stripsPerBlock, inputVectors, outputVectors, vectors }: GradientCut,
  { lanes, tile }: Machine,
): GradientLayout {
  const tiles = stripsPerBlock * tilesPerStrip;
  const columns = SIZE.outputs * tilesPerStrip;
  const left: Products = { tiles, row: rowBytes(outputVectors * lanes * 4) };
  const right: Products = { tiles, row: rowBytes(inputVectors * lanes * 4) };
  const imageRows: Rows = { count: SIZE.products, columns: columns + 2, pixel: inputVectors * lanes * 4 };
  const upstreamRows: Rows = { count: SIZE.outputs, columns, pixel: outputVectors * lanes * 4 };
  const [imageAt, upstreamAt, leftAt, rightAt, scratchBytes] = allot([
    rowsBytes(imageRows) + lanes * 4,
    rowsBytes(upstreamRows) + lanes * 4,
    productsBytes(left) + tile.rows * 4,
    productsBytes(right) + vectors * lanes * 4,
  ]) as [number, number, number, number, number];
  return { imageRows, upstreamRows, left, right, imageAt, upstreamAt, leftAt, rightAt, scratchBytes };
}
