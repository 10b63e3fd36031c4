// WebAssembly's linear memory, with views of it that survive growth.
import { BackendError } from "../../util/errors.ts";
import { gibibytes, type MemoryLimits } from "../emitted/memory.ts";
import type { Heap } from "../emitted/target.ts";

const page = 65536;
const most = 2 ** 32;

export const wasmLimits: MemoryLimits = { name: "wasm", most, limit: "WebAssembly memory holds 4 GiB" };

export class LinearMemory implements Heap {
  readonly memory = new WebAssembly.Memory({ initial: 2 });
  f32 = new Float32Array(this.memory.buffer);
  i32 = new Int32Array(this.memory.buffer);
  u8 = new Uint8Array(this.memory.buffer);

  /** Grows to at least `bytes`; at least half again, so that growing sizes do not grow it every time. */
  ensure(bytes: number): void {
    const now = this.u8.byteLength;
    if (bytes <= now) return;
    const wanted = Math.ceil((bytes - now) / page);
    const generous = Math.min(Math.max(wanted, Math.floor(now / 2 / page)), most / page - now / page);
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
