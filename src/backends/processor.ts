// What passes must know of CPUs, for all present backends: so a program has the same graph on each.

import type { MachineFacts } from "../compiler/facts.ts";
import { alignment, slack } from "../kernels/language/language.ts";
import { storedBytes } from "../nest/arrays.ts";

/** Bytes of a core's second-level cache that programs may count on. */
const cache = 2 ** 20;

export const processorFacts: MachineFacts = {
  elementBytes: storedBytes,
  alignment,
  slack,
  mostTensors: Number.POSITIVE_INFINITY,
  mostLoads: 12,
  mostTerms: 256,
  joined: { mostTensors: 12, mostReductions: 8 },
  rows: { leastBytes: cache, blockBytes: cache / 4, mostRowBytes: (3 * cache) / 4, leastRow: 256, leastRun: 64, leastBlocks: 16 },
};
