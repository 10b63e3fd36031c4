// Constants that code reads from memory: they lie behind the code and are addressed relative to it.

import type { Assembler } from "./assembler.ts";
import { atLabel, type Label, type Memory } from "./registers.ts";

interface Entry {
  readonly words: readonly number[];
  readonly label: Label;
}

/** Words of 32 bits; equal constants share a place. */
export class ConstantPool {
  readonly #entries = new Map<string, Entry>();

  words(words: readonly number[]): Memory {
    const key = words.map((word) => word >>> 0).join();
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { words, label: { kind: "label", name: `constant_${this.#entries.size}` } };
      this.#entries.set(key, entry);
    }
    return atLabel(entry.label);
  }

  /** Widest first, so that every entry is aligned to its size. */
  write(assembler: Assembler): void {
    const entries = [...this.#entries.values()].sort((a, b) => b.words.length - a.words.length);
    if (entries.length > 0) assembler.align(64);
    for (const { words, label } of entries) {
      assembler.place(label);
      assembler.data(new Uint8Array(Int32Array.from(words).buffer));
    }
  }
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The bits of a float32. */
export function bitsOf(value: number): number {
  float[0] = value;
  return bits[0]!;
}
