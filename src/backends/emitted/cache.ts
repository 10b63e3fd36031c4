// A cache of compiled programs by structure: kept ones stay, others are dropped when least recently used.

import type { LoadedCode } from "./target.ts";

/**
 * Of programs that nobody keeps, counted in kernels, but so many for each at least: an op's program takes more than its
 * kernel.
 */
const MOST_KERNELS = 4096;
const LEAST_KERNELS = 8;

/** Emitted code, and where it looks for things: bytes from the start of the memory that it works in. */
export interface Compiled {
  readonly code: LoadedCode;
  /** Of buffers; undefined for cells, and for what has no place of its own. */
  readonly offsets: readonly (number | undefined)[];
  readonly params: number;
  /** Of main's arguments. */
  readonly mainArguments: number;
  /** Of the words to be zero before every run; no bytes: one thread runs it. */
  readonly counters: number;
  readonly counterBytes: number;
  /** Of memory, all in all. */
  readonly bytes: number;
  readonly kernels: number;
}

/** One structure. Executables hold entries, so that those of a dropped program keep nothing of it. */
export interface Entry {
  compiled: Compiled | undefined;
  lastUsed: number;
  /** How many executables keep it. */
  keepers: number;
}

export class ProgramCache {
  readonly #entries = new Map<string, Entry>();
  #kernels = 0;
  #clock = 0;

  tick(): number {
    return ++this.#clock;
  }

  find(key: string, compile: () => Compiled): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const compiled = compile();
      this.#kernels += weightOf(compiled);
      if (this.#kernels > MOST_KERNELS) this.#dropOldest(weightOf(compiled));
      entry = { compiled, lastUsed: this.tick(), keepers: 0 };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  /** @param coming what is not among the entries yet */
  #dropOldest(coming: number): void {
    const loose = [...this.#entries].filter(([, { keepers }]) => keepers === 0).sort(([, a], [, b]) => a.lastUsed - b.lastUsed);
    let kernels = loose.reduce((sum, [, { compiled }]) => sum + weightOf(compiled!), coming);
    for (const [key, entry] of loose) {
      if (kernels <= MOST_KERNELS) return;
      const weight = weightOf(entry.compiled!);
      kernels -= weight;
      this.#kernels -= weight;
      entry.compiled!.code.release();
      entry.compiled = undefined;
      this.#entries.delete(key);
    }
  }
}

const weightOf = ({ kernels }: Compiled): number => Math.max(LEAST_KERNELS, kernels);
