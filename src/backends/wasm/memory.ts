// WebAssembly's linear memory, with views of it that survive growth.

import { gibibytes } from "../../kernels/lowered.ts";
import { BackendError } from "../../util/errors.ts";
import type { Heap } from "../emitted/target.ts";
import { Crew } from "./crew.ts";
import { makeMemory } from "./room.ts";

const PAGE = 65536;
const MOST = 2 ** 32;

export class LinearMemory implements Heap {
  readonly memory: WebAssembly.Memory;
  f32: Float32Array;
  i32: Int32Array;
  u8: Uint8Array;

  readonly most: number;
  #workers: number;
  #crew: Crew | undefined;

  /**
   * @param workers with which it may be shared
   * @param limit bytes that it may reach
   */
  constructor(workers: number, limit = MOST) {
    this.#workers = workers;
    this.most = limit;
    this.memory = workers > 0 ? sharedMemory() : makeMemory({ initial: 2 });
    this.f32 = new Float32Array(this.memory.buffer);
    this.i32 = new Int32Array(this.memory.buffer);
    this.u8 = new Uint8Array(this.memory.buffer);
  }

  /** The workers, started when first asked for. */
  get crew(): Crew {
    this.#crew ??= new Crew(this.memory, this.#workers);
    return this.#crew;
  }

  /** The workers, if they were asked for. */
  get startedCrew(): Crew | undefined {
    return this.#crew;
  }

  /** The workers leave, and no others come. */
  release(): void {
    this.#workers = 0;
    this.#crew?.end();
  }

  /**
   * Grows to at least `bytes`; at least half again, so that growing sizes do not grow it every time.
   * @throws BackendError, with everything as it was, when it cannot reach so far
   */
  ensure(bytes: number): void {
    const now = this.u8.byteLength;
    if (bytes <= now) return;
    if (bytes > this.most)
      throw new BackendError(`wasm: ${gibibytes(bytes)} GiB are needed at once; WebAssembly memory holds ${gibibytes(this.most)} GiB`, {
        hint: "use smaller batches, or fewer models at once",
      });
    const wanted = Math.ceil((bytes - now) / PAGE);
    const generous = Math.min(Math.max(wanted, Math.floor(now / 2 / PAGE)), Math.floor(this.most / PAGE) - now / PAGE);
    try {
      this.memory.grow(generous);
    } catch {
      try {
        this.memory.grow(wanted);
      } catch (cause) {
        throw new BackendError(`wasm: the engine refused to grow its memory from ${gibibytes(now)} to ${gibibytes(bytes)} GiB`, {
          hint: "use smaller batches or free memory on this machine",
          cause,
        });
      }
    }
    this.f32 = new Float32Array(this.memory.buffer);
    this.i32 = new Int32Array(this.memory.buffer);
    this.u8 = new Uint8Array(this.memory.buffer);
  }
}

/** Shared memory must say how far it may grow; engines that refuse four gibibytes may allow less. */
function sharedMemory(): WebAssembly.Memory {
  for (let maximum = MOST / PAGE; maximum > 1024; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: 2, maximum, shared: true });
    } catch {
      // Less, then.
    }
  }
  return makeMemory({ initial: 2, maximum: 1024, shared: true });
}
