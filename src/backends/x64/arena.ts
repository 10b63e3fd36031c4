// Blocks of a heap that come and go: cells live here as long as their tensors, arenas as long as their programs.
import type { Heap } from "./memory.ts";

const alignment = 64;
/** Readable bytes around every block, for full-vector reads past an end. */
const slack = 128;
const firstAddress = 4096;

/** Freed blocks are used again for blocks of the same size; large sizes are rounded up so that more of them are the same. */
export class Arena {
  readonly heap: Heap;
  readonly #free = new Map<number, number[]>();
  readonly #sizes = new Map<number, number>();
  #top = firstAddress;
  #used = 0;

  constructor(heap: Heap) {
    this.heap = heap;
  }

  /** @returns bytes from the heap's start; the contents are undefined. Throws BackendError when there is no room. */
  allocate(bytes: number): number {
    const size = sizeClass(bytes + slack);
    let place = this.#free.get(size)?.pop();
    if (place === undefined) {
      place = this.#top;
      this.heap.ensure(place + size + slack);
      this.#top += size;
    }
    this.#sizes.set(place, size);
    this.#used += size;
    return place;
  }

  free(place: number): void {
    const size = this.#sizes.get(place);
    if (size === undefined) return;
    this.#sizes.delete(place);
    this.#used -= size;
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [place]);
    else list.push(place);
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used;
  }
}

function sizeClass(bytes: number): number {
  const whole = Math.ceil(bytes / alignment) * alignment;
  const step = 2 ** Math.max(0, Math.floor(Math.log2(whole)) - 4);
  return step <= alignment ? whole : Math.ceil(whole / step) * step;
}
