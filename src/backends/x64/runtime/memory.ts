// Memory for emitted code: executable pages, and one region of data between guard pages.

import { gibibytes } from "../../../kernels/lowered.ts";
import { BackendError, NoRoomError } from "../../../util/errors.ts";
import type { Native } from "./native.ts";

const PAGE = 4096;
/** A matrix whose rows lie a page apart would need an entry of the processor's table of pages per row. */
const LARGE_PAGE = 2 ** 21;
const wholePages = (bytes: number, size = PAGE): number => Math.ceil(bytes / size) * size;

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

const refused = (what: string): NoRoomError =>
  new NoRoomError(`x64: ${what}`, { hint: "a higher limit (ulimit -v), or KASANE_BACKEND=reference, which is slow and needs little" });

/** Address space asked for, largest first: it costs nothing until it is used. */
const RESERVATIONS = [2 ** 37, 2 ** 35, 2 ** 33, 2 ** 32, 2 ** 31, 2 ** 30, 2 ** 29, 2 ** 28];
/**
 * Where there is a limit on addresses (ulimit -v), of the largest range that is to be had: engine, threads and a second
 * region need some, too.
 */
const LIMITED_SHARE = 1 / 4;

/** Data of programs: a reserved range of addresses that never moves, usable from its start to its present size. */
export class Heap {
  /** Of byte 0; a multiple of the size of large pages, with unusable pages before it and after the usable part. */
  readonly address: number;
  readonly most: number;
  readonly #reserved: { readonly address: number; readonly bytes: number };
  readonly #native: Native;
  f32 = new Float32Array(0);
  i32 = new Int32Array(0);
  u8 = new Uint8Array(0);

  /**
   * @param most bytes of addresses to reserve at most
   * @throws NoRoomError when not even a quarter of a gibibyte of addresses is to be had
   */
  constructor(native: Native, most = RESERVATIONS[0]!) {
    this.#native = native;
    for (const wanted of [most, ...RESERVATIONS.filter((candidate) => candidate < most)]) {
      const found = native.map(wanted + LARGE_PAGE, "none");
      if (found === undefined) continue;
      const bytes = wanted === most ? wanted : wanted * LIMITED_SHARE;
      // A part of it, taken anew.
      if (bytes !== wanted) native.unmap(found, wanted + LARGE_PAGE);
      const address = bytes === wanted ? found : native.map(bytes + LARGE_PAGE, "none");
      if (address === undefined) continue;
      this.#reserved = { address, bytes: bytes + LARGE_PAGE };
      this.address = wholePages(address + PAGE, LARGE_PAGE);
      this.most = Math.min(bytes - 2 * PAGE, native.mostViewed - LARGE_PAGE);
      return;
    }
    throw refused("the system gave no address space for data");
  }

  /** Makes at least `bytes` usable; half again more than now, so that growing sizes do not grow it every time. */
  ensure(bytes: number): void {
    const now = this.u8.byteLength;
    if (bytes <= now) return;
    if (bytes > this.most)
      throw new BackendError(
        `x64: ${gibibytes(bytes)} GiB are needed at once; ${gibibytes(this.most)} GiB of addresses are there for the numbers of tensors`,
        { hint: "use smaller batches, or fewer models at once" },
      );
    const size = (least: number) => wholePages(least, least < LARGE_PAGE ? PAGE : LARGE_PAGE);
    const wanted = size(bytes);
    const generous = Math.min(this.most, Math.max(wanted, size(now * 1.5)));
    const granted = [generous, wanted, wholePages(bytes)].find(
      (candidate) => candidate >= bytes && candidate <= this.most && this.#native.protect(this.address, candidate, "write"),
    );
    if (granted === undefined) {
      throw new BackendError(`x64: the system refused to grow the memory of tensors from ${mebibytes(now)} to ${mebibytes(bytes)} MiB`, {
        hint: "use smaller batches or free memory on this machine",
      });
    }
    this.#native.preferLargePages(this.address, granted);
    const buffer = this.#native.view(this.address, granted);
    this.f32 = new Float32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u8 = new Uint8Array(buffer);
  }

  discard(start: number, end: number): void {
    const [first, last] = [wholePages(this.address + start), this.address + Math.min(end, this.u8.byteLength)];
    const bytes = last - (last % PAGE) - first;
    if (bytes > 0) this.#native.discard(first, bytes);
  }

  /** Gives everything back; views become invalid. For tests: a program's heap lives as long as the process. */
  release(): void {
    [this.f32, this.i32, this.u8] = [new Float32Array(0), new Int32Array(0), new Uint8Array(0)];
    this.#native.unmap(this.#reserved.address, this.#reserved.bytes);
  }
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
