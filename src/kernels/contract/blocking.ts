// Tile and block sizes of a contraction, from the machine's registers and caches.

import type { Machine } from "../language/language.ts";

/** Rows of the output split into tiles: the first `tall` have `height` rows, the others one less. */
export interface RowTiles {
  readonly height: number;
  readonly count: number;
  readonly tall: number;
}

export interface Blocking {
  readonly rows: RowTiles;
  /** Vectors of a column panel. */
  readonly vectors: number;
  /** Columns of a panel: vectors · lanes. */
  readonly width: number;
  /** Row tiles per block: its part of A stays in the second-level cache. */
  readonly rowTilesPerBlock: number;
  /** Columns per block, a multiple of `width`: its part of B is packed once per block. */
  readonly columnsPerBlock: number;
  /** Most steps of K per block: a panel of A and one of B stay in the first-level cache. */
  readonly depth: number;
}

/** Bytes of a whole tile. */
export const tileBytes = ({ rows, width }: Blocking): number => rows.height * width * 4;

/** Splits rows into tiles of nearly equal height, so that no tile is left with a row or two. */
export function splitRows(m: number, most: number): RowTiles {
  const count = Math.max(1, Math.ceil(m / most));
  const height = Math.ceil(m / count);
  return { height, count, tall: m - count * (height - 1) };
}

/** Equal parts of at most `most`. */
export function evenly(total: number, most: number, multiple = 1): number {
  const parts = Math.max(1, Math.ceil(total / most));
  return Math.ceil(Math.ceil(total / parts) / multiple) * multiple;
}

/**
 * The register tile (rows × vectors) that does m × n with the least padding. The machine's own tile serves large
 * shapes; few columns or few rows get a tile whose accumulators, columns and rows still fit the registers: engines load
 * all rows of a step before using them.
 */
export function chooseTile(machine: Machine, m: number, n: number): { readonly rows: number; readonly vectors: number } {
  const needed = Math.ceil(n / machine.lanes);
  let best = { rows: machine.tile.rows, vectors: machine.tile.vectors };
  let least = Number.POSITIVE_INFINITY;
  for (const tile of candidates(machine)) {
    if (tile.vectors > needed && tile.vectors > 1) continue;
    const { height, count, tall } = splitRows(m, tile.rows);
    const step = tall * tileCost(height, tile.vectors) + (count - tall) * tileCost(height - 1, tile.vectors);
    const panels = Math.ceil(needed / tile.vectors);
    // Later candidates must win clearly: the machine's own tile comes first and is measured, the others are estimated.
    const cost = panels * step;
    if (cost < least * 0.95) [best, least] = [tile, cost];
  }
  return best;
}

function candidates(machine: Machine): { rows: number; vectors: number }[] {
  const list = [{ ...machine.tile }];
  for (let vectors = 1; 2 * vectors + 1 <= machine.registers - 1; vectors++) {
    const rows = Math.min(8, Math.floor((machine.registers - 1 - vectors) / (vectors + 1)));
    if (vectors !== machine.tile.vectors) list.push({ rows, vectors });
  }
  return list;
}

/**
 * Cycles of one step of K: two multiply-adds and two loads per cycle, four cycles from one multiply-add to the next on
 * the same register.
 */
function tileCost(rows: number, vectors: number): number {
  if (rows === 0) return 0;
  return Math.max((rows * vectors) / 2, (rows + vectors) / 2, 4) + 0.5;
}

/**
 * Blocks for an m × n × k contraction (one batch index).
 * @param whole keeps K in one block: an output that is also read by the epilogue cannot hold unfinished sums
 */
export function chooseBlocking(machine: Machine, m: number, n: number, k: number, whole = false): Blocking {
  const tile = chooseTile(machine, m, n);
  const rows = splitRows(m, tile.rows);
  const width = tile.vectors * machine.lanes;
  const [first, second] = machine.caches;
  // Half of the first-level cache for a panel of each; half of the second for the block of A, a quarter for the block
  // of B.
  const depth = whole ? k : evenly(k, Math.max(32, Math.floor(first / 2 / 4 / (width + rows.height))));
  const mostTiles = Math.max(1, Math.floor(second / 4 / 4 / depth / rows.height));
  const rowTilesPerBlock = evenly(rows.count, mostTiles);
  // While all rows fit one block, a block of B is used once and may be small; otherwise every block of B packs all of A
  // again.
  const mostColumns = rowTilesPerBlock >= rows.count ? Math.floor(second / 4 / 4 / depth) : 2048;
  const columnsPerBlock = evenly(Math.max(1, n), Math.max(width, Math.floor(Math.min(mostColumns, 2048) / width) * width), width);
  return { rows, vectors: tile.vectors, width, rowTilesPerBlock, columnsPerBlock, depth };
}
