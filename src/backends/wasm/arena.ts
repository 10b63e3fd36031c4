// A linear memory with blocks that come and go: cells live here as long as their tensors, arenas as long as their programs.

import { BackendError } from "../../util/errors.ts";

const PAGE = 65536;
const ALIGNMENT = 64;
/** Readable bytes around every block, for full-vector reads past an end. */
const SLACK = 128;
const MOST = 2 ** 32;

export class Arena {
  readonly memory = new WebAssembly.Memory({ initial: 2 });
  f32 = new Float32Array(this.memory.buffer);
  i32 = new Int32Array(this.memory.buffer);
  u8 = new Uint8Array(this.memory.buffer);
  /** Free room as [start, end), sorted, never touching each other. */
  #free: [start: number, end: number][] = [[PAGE, 2 * PAGE]];
  readonly #sizes = new Map<number, number>();

  /** The lowest free block that is large enough; the memory grows when there is none. */
  allocate(bytes: number): number {
    const size = Math.ceil((bytes + SLACK) / ALIGNMENT) * ALIGNMENT;
    let place = this.#free.findIndex(([start, end]) => end - start >= size);
    if (place < 0) {
      this.#grow(size);
      place = this.#free.findIndex(([start, end]) => end - start >= size);
    }
    const block = this.#free[place] as [number, number];
    const [address] = block;
    block[0] += size;
    if (block[0] === block[1]) this.#free.splice(place, 1);
    this.#sizes.set(address, size);
    return address;
  }

  free(address: number): void {
    const size = this.#sizes.get(address);
    if (size === undefined) return;
    this.#sizes.delete(address);
    this.#release(address, address + size);
  }

  /** Bytes in use. */
  get used(): number {
    let total = 0;
    for (const size of this.#sizes.values()) total += size;
    return total;
  }

  #release(start: number, end: number): void {
    const after = this.#free.findIndex(([other]) => other > start);
    const place = after < 0 ? this.#free.length : after;
    this.#free.splice(place, 0, [start, end]);
    for (const left of [place, place - 1]) {
      const [a, b] = [this.#free[left], this.#free[left + 1]];
      if (a === undefined || b === undefined || a[1] !== b[0]) continue;
      a[1] = b[1];
      this.#free.splice(left + 1, 1);
    }
  }

  #grow(bytes: number): void {
    const now = this.u8.byteLength;
    const wanted = Math.ceil(bytes / PAGE);
    const generous = Math.min(Math.max(wanted, Math.floor(now / 4 / PAGE)), MOST / PAGE - now / PAGE);
    try {
      this.memory.grow(Math.max(wanted, generous));
    } catch {
      try {
        this.memory.grow(wanted);
      } catch (cause) {
        throw new BackendError(
          `wasm: the engine refused ${(bytes / 2 ** 30).toFixed(2)} GiB more than the ${(now / 2 ** 30).toFixed(2)} GiB in use`,
          { hint: "use smaller batches", cause },
        );
      }
    }
    this.f32 = new Float32Array(this.memory.buffer);
    this.i32 = new Int32Array(this.memory.buffer);
    this.u8 = new Uint8Array(this.memory.buffer);
    this.#release(now, this.u8.byteLength);
  }
}
