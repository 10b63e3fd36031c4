// Memory for emitted code: executable pages, and one region of data between guard pages.
import { BackendError } from "../../util/errors.ts";
import type { Native } from "./native.ts";

const page = 4096;
const wholePages = (bytes: number): number => Math.ceil(bytes / page) * page;

/** Machine code in pages of its own: written first, executable afterwards, never both. */
export class CodePages {
  readonly address: number;
  readonly #native: Native;
  #bytes: number;

  /** Throws BackendError when the system refuses, as some security policies do. */
  constructor(native: Native, code: Uint8Array) {
    this.#native = native;
    this.#bytes = wholePages(Math.max(1, code.length));
    const address = native.map(this.#bytes, "write");
    if (address === undefined) throw refused(`the system gave no ${this.#bytes} bytes of memory for machine code`);
    new Uint8Array(native.view(address, this.#bytes)).set(code);
    if (!native.protect(address, this.#bytes, "execute")) {
      native.unmap(address, this.#bytes);
      throw refused("the system does not let memory become executable");
    }
    this.address = address;
  }

  /** Gives the pages back; what was called there must not be called again. */
  release(): void {
    if (this.#bytes === 0) return;
    this.#native.unmap(this.address, this.#bytes);
    this.#bytes = 0;
  }
}

const refused = (what: string): BackendError => new BackendError(`x64: ${what}`, { hint: "set KASANE_BACKEND=wasm" });

/** Address space asked for, largest first: it costs nothing until it is used. */
const reservations = [2 ** 37, 2 ** 35, 2 ** 33, 2 ** 31, 2 ** 30];

/** Data of programs: a reserved range of addresses that never moves, usable from its start to its present size. */
export class Heap {
  /** Of byte 0; a multiple of the page size, with unusable pages before it and after the usable part. */
  readonly address: number;
  readonly most: number;
  readonly #native: Native;
  f32 = new Float32Array(0);
  i32 = new Int32Array(0);
  u8 = new Uint8Array(0);

  /**
   * @param most bytes of addresses to reserve at most
   * @throws BackendError when not even a gibibyte of addresses is to be had
   */
  constructor(native: Native, most = reservations[0]!) {
    this.#native = native;
    for (const bytes of [most, ...reservations.filter((candidate) => candidate < most)]) {
      const address = native.map(bytes, "none");
      if (address === undefined) continue;
      this.address = address + page;
      this.most = bytes - 2 * page;
      return;
    }
    throw refused("the system gave no address space for data");
  }

  /** Makes at least `bytes` usable; half again more than now, so that growing sizes do not grow it every time. */
  ensure(bytes: number): void {
    const now = this.u8.byteLength;
    if (bytes <= now) return;
    const wanted = wholePages(bytes);
    const generous = Math.min(this.most, Math.max(wanted, wholePages(now * 1.5)));
    const size = [generous, wanted].find(
      (candidate) => candidate >= wanted && candidate <= this.most && this.#native.protect(this.address, candidate, "write"),
    );
    if (size === undefined) {
      throw new BackendError(`x64: the system refused to grow the memory of tensors from ${mebibytes(now)} to ${mebibytes(bytes)} MiB`, {
        hint: "use smaller batches or free memory on this machine",
      });
    }
    const buffer = this.#native.view(this.address, size);
    this.f32 = new Float32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u8 = new Uint8Array(buffer);
  }

  /** Gives everything back; views become invalid. For tests: a program's heap lives as long as the process. */
  release(): void {
    [this.f32, this.i32, this.u8] = [new Float32Array(0), new Int32Array(0), new Uint8Array(0)];
    this.#native.unmap(this.address - page, this.most + 2 * page);
  }
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
