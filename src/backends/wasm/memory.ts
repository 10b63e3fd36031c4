// The backend's one linear memory: where a program's buffers lie during a run, and views of it that survive growth.
import type { DType, Operand } from "../../formula/nest.ts";
import { BackendError } from "../../util/errors.ts";
import type { HostArray } from "../backend.ts";

const page = 65536;
/** Kept free below the first buffer: kernels may read a vector before it. */
const firstAddress = page;
const alignment = 64;
/** Readable bytes between buffers, for full-vector reads past an end. */
const slack = 128;
const most = 2 ** 32;
const mostPerBuffer = 2 ** 31;

/** Hands out addresses in order; nothing is freed, since every run starts over. */
export class Layout {
  #top = firstAddress;
  readonly #program: string;
  readonly #memory: { readonly name: string; readonly most: number; readonly limit: string };

  /** @param memory what it is called in errors, its bytes, and those in words */
  constructor(program: string, memory = { name: "wasm", most, limit: "WebAssembly memory holds 4 GiB" }) {
    this.#program = program;
    this.#memory = memory;
  }

  place(bytes: number, what: string): number {
    if (bytes >= mostPerBuffer) {
      throw new BackendError(
        `${this.#memory.name}: ${what} of "${this.#program}" is ${gibibytes(bytes)} GiB; one tensor may have up to 2 GiB`,
        {
          hint: "use smaller batches, or split the tensor",
        },
      );
    }
    const address = this.#top;
    this.#top = Math.ceil((address + bytes + slack) / alignment) * alignment;
    if (this.#top > this.#memory.most) {
      const { name, limit } = this.#memory;
      throw new BackendError(`${name}: "${this.#program}" needs ${gibibytes(this.#top)} GiB at once; ${limit}`, {
        hint: "use smaller batches",
      });
    }
    return address;
  }

  get bytes(): number {
    return this.#top;
  }
}

const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);

export const bytesPerElement = { float32: 4, int32: 4, uint8: 1, bool: 1, float64: 8 } as const satisfies Record<DType, number>;

export const elementsOf = ({ shape }: Operand): number => shape.reduce((product, extent) => product * extent, 1);

export class Heap {
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

/** Below this many elements a plain loop copies faster than a call. */
const few = 24;

/** Copies a host array to an element position of a view of its own type. */
export function copyIn(view: HostArray, position: number, values: HostArray, length: number): void {
  if (length > few) {
    view.set(values, position);
    return;
  }
  for (let i = 0; i < length; i++) view[position + i] = values[i]!;
}

/** A new array of `length` elements from an element position of a view. */
export function copyOut<T extends Float32Array | Int32Array | Uint8Array>(
  view: T,
  make: new (length: number) => T,
  position: number,
  length: number,
): T {
  if (length > few) return view.slice(position, position + length) as T;
  const result = new make(length);
  for (let i = 0; i < length; i++) result[i] = view[position + i]!;
  return result;
}
