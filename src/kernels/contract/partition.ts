// Divides a contraction into slices for threads: by columns, rows and, where those are few, by K (split-K).

export interface Partition {
  /** Parts of the row tiles. */
  readonly rows: number;
  /** Parts of the columns. */
  readonly columns: number;
  /**
   * Parts of K. With more than one, every part writes its partial sums and a second phase adds them up, always in the
   * same order.
   */
  readonly depth: number;
}

export interface PartitionedWork {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly rowTiles: number;
  readonly panels: number;
  /** Blocks of K; 1 where K may not be divided. */
  readonly depthBlocks: number;
  /**
   * Cycles per element that packing an operand takes, again with every part of the other side; 0: read where it lies.
   */
  readonly costA: number;
  readonly costB: number;
  /** Fewest column parts the caches ask for. */
  readonly leastColumns: number;
  /** Less work per slice costs more to share than it gains. */
  readonly leastFlops: number;
  /** Sums that stay unfinished in the output between blocks of K are not allowed: K is one block, or divided. */
  readonly whole: boolean;
}

/** Enough for a few threads to end at about the same time. The partition never depends on how many there are. */
const WANTED_SLICES = 8;
const MOST_DEPTH_BYTES = 16 * 2 ** 20;

/**
 * Cycles, for 16 lanes: per element read in place (from far away, mostly unnoticed), packed by copying, in pieces, by
 * turning or gathering (what waiting for operands of some mebibytes comes to, by samples of products of 1024); per
 * vector of unfinished sums, written and added.
 */
export const PACKING = { read: 0.1, copied: 0.8, pieces: 1, turned: 1.2, gathered: 2.5 } as const;
const COST = { sums: 6, lanes: 16 } as const;

/** The partition with enough slices that repeats the least. */
export function choosePartition(work: PartitionedWork): Partition {
  const { batch, m, n, k, rowTiles, panels, depthBlocks, leastColumns } = work;
  const flops = 2 * batch * m * n * k;
  const wanted = Math.max(1, Math.min(WANTED_SLICES, Math.floor(flops / work.leastFlops)));
  let best: Partition = { rows: 1, columns: leastColumns, depth: 1 };
  let least = Number.POSITIVE_INFINITY;
  for (const depth of partsOf(depthBlocks, wanted)) {
    if (depth > 1 && depth * batch * m * n * 4 > MOST_DEPTH_BYTES) continue;
    for (const rows of partsOf(rowTiles, wanted)) {
      for (const columns of partsOf(panels, Math.max(wanted, leastColumns))) {
        if (columns < leastColumns) continue;
        const slices = batch * rows * columns * depth;
        const repeated = columns * m * k * work.costA + rows * n * k * work.costB;
        const partialSums = depth > 1 ? ((depth + 1) * m * n * COST.sums) / COST.lanes : 0;
        // One block of a long K overflows the caches.
        const overflow = work.whole && depth === 1 && depthBlocks > 1 ? (0.3 * m * n * k) / COST.lanes : 0;
        // Too few slices leave threads idle.
        const idle = ((m * n * k) / COST.lanes) * Math.max(0, 1 - slices / wanted);
        const total = repeated + partialSums + overflow + idle;
        if (total < least) [best, least] = [{ rows, columns, depth }, total];
      }
    }
  }
  return best;
}

/** Numbers of parts that `count` pieces divide into, all different in the size of their parts. */
function partsOf(count: number, most: number): number[] {
  const parts = new Set<number>();
  for (let wanted = 1; wanted <= Math.min(count, most); wanted++) parts.add(Math.ceil(count / Math.ceil(count / wanted)));
  return [...parts];
}
