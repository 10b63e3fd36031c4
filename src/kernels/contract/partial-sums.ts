// Split-K partial sums: where they lie, and the phase that computes them.

import type { LoweredNest } from "../lowered.ts";
import { tileBytes } from "./blocking.ts";
import type { ClassLayout } from "./layout.ts";
import type { ContractionClass } from "./plan.ts";
import { FLOPS_PER_WORK, phaseOf } from "./work.ts";

/** Bytes of one part of K's unfinished sums, whole tiles one after the other. */
export function partialSumsPitch(part: ContractionClass, { blocking }: ClassLayout): number {
  return Math.ceil(part.n / blocking.width) * blocking.rows.count * tileBytes(blocking);
}

/** @param setup element operations that every call does again */
export function partialSumsPhase(
  entry: string,
  flops: number,
  part: ContractionClass,
  layout: ClassLayout,
  setup: number,
): Required<Pick<LoweredNest, "before" | "sharedBytes">> {
  const { partition, columnBlocks } = layout;
  const slices = part.batch * partition.depth * columnBlocks * partition.rows;
  const sharedBytes = part.batch * partition.depth * partialSumsPitch(part, layout);
  return { before: [phaseOf(entry, slices, flops / FLOPS_PER_WORK, setup)], sharedBytes };
}
