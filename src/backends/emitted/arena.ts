// Allocates blocks of a heap: one for every cell, and one that programs work in.

import { aligned, SLACK } from "../../kernels/language/language.ts";
import { FIRST_PLACE } from "./memory.ts";
import type { Heap } from "./target.ts";

/** Bytes that are given back to the system when they become free: for less, asking it costs more than it brings. */
const WORTH_RETURNING = 2 ** 20;

export class Arena {
  readonly heap: Heap;
  /** Free room below the top as [start, end), sorted, never touching each other. */
  readonly #free: [start: number, end: number][] = [];
  readonly #sizes = new Map<number, number>();
  #top = FIRST_PLACE;

  constructor(heap: Heap) {
    this.heap = heap;
  }

  /**
   * @returns the lowest free place that is large enough; the contents are undefined. Throws BackendError when there is
   * no room.
   */
  allocate(bytes: number): number {
    const size = aligned(bytes + SLACK);
    const number = this.#free.findIndex(([start, end]) => end - start >= size);
    const place = number < 0 ? this.#extend(size) : this.#carve(number, size);
    this.#sizes.set(place, size);
    return place;
  }

  free(place: number): void {
    const size = this.#sizes.get(place);
    if (size === undefined) return;
    this.#sizes.delete(place);
    this.#giveBack(place, place + size);
  }

  /** The block keeps its first bytes; the others are free. */
  shrink(place: number, bytes: number): void {
    const before = this.#sizes.get(place)!;
    const size = aligned(bytes + SLACK);
    if (size >= before) return;
    this.#sizes.set(place, size);
    this.#giveBack(place + size, place + before);
  }

  /** Bytes in use. */
  get used(): number {
    let total = 0;
    for (const size of this.#sizes.values()) total += size;
    return total;
  }

  #carve(number: number, size: number): number {
    const block = this.#free[number]!;
    const [place] = block;
    block[0] += size;
    if (block[0] === block[1]) this.#free.splice(number, 1);
    return place;
  }

  /** A block that ends above the present top, begun in the free room that touches it. */
  #extend(size: number): number {
    const last = this.#free.at(-1);
    const place = last?.[1] === this.#top ? last[0] : this.#top;
    this.heap.ensure(place + size + SLACK);
    if (place < this.#top) this.#free.pop();
    this.#top = place + size;
    return place;
  }

  #giveBack(start: number, end: number): void {
    this.#release(start, end);
    if (end - start >= WORTH_RETURNING) this.heap.discard?.(start, end);
  }

  #release(start: number, end: number): void {
    const after = this.#free.findIndex(([other]) => other > start);
    const number = after < 0 ? this.#free.length : after;
    this.#free.splice(number, 0, [start, end]);
    for (const left of [number, number - 1]) {
      const [a, b] = [this.#free[left], this.#free[left + 1]];
      if (a === undefined || b === undefined || a[1] !== b[0]) continue;
      a[1] = b[1];
      this.#free.splice(left + 1, 1);
    }
  }
}
