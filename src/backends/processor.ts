// What passes must know of CPUs, for all present backends: so a program has the same graph on each.

import type { MachineFacts } from "../compiler/facts.ts";
import { ALIGNMENT, SLACK } from "../kernels/language/language.ts";
import { STORED_BYTES } from "../nest/arrays.ts";

/** Bytes of a core's second-level cache that programs may count on. */
const CACHE = 2 ** 20;

export const processorFacts: MachineFacts = {
  elementBytes: STORED_BYTES,
  alignment: ALIGNMENT,
  slack: SLACK,
  mostTensors: Number.POSITIVE_INFINITY,
  mostLoads: 12,
  mostTerms: 256,
  joined: { mostTensors: 12, mostReductions: 8 },
  rows: { leastBytes: CACHE, blockBytes: CACHE / 4, mostRowBytes: (3 * CACHE) / 4, leastRow: 256, leastRun: 64, leastBlocks: 16 },
};
