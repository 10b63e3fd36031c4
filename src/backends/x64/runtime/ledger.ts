// Lists what a worker's thread holds (memory, threads), so that emitted code can free it however the thread ends.

import { Assembler } from "../encode/assembler.ts";
import { type Memory, memory, RAX, RBP, RBX, RDI, RSI, register } from "../encode/registers.ts";
import { UNMAP_NUMBER } from "./system-calls.ts";

/** The C library by name: numbers and addresses in, a number out. */
export interface Library {
  map(bytes: number): number | undefined;
  makeExecutable(address: number, bytes: number): boolean;
  view(address: number, bytes: number): ArrayBuffer;
  /** The address of a function; 0: there is none. */
  addressOf(name: string): number;
  createKey(place: number, destructor: number): boolean;
  setSpecific(key: number, value: number): boolean;
}

const PAGE = 4096;
/** Room for some sixty thousand mappings; untouched pages cost nothing. */
const BYTES = 2 ** 20;
const MOST_THREADS = 512;
/** Where things lie behind the page of code: 64-bit words all. */
const at = { join: 0, deleteKey: 8, unmap: 16, key: 24, threads: 32, mappings: 40, thread: 64, mapping: 64 + MOST_THREADS * 24 } as const;
const mostMappings = (BYTES - PAGE - at.mapping) / 16;

const r64 = (number: number) => register("r64", number);

/** The mappings and threads that one thread of the process answers for. */
export class Ledger {
  readonly #words: BigUint64Array;
  readonly #places = new Map<number, number>();

  /** Undefined where the system does not tell of a thread's end: then what it holds stays. */
  static open(library: Library): Ledger | undefined {
    const base = library.map(BYTES);
    if (base === undefined) return undefined;
    const functions = ["pthread_join", "pthread_key_delete", "munmap"].map((name) => library.addressOf(name));
    if (functions.includes(0)) return undefined;
    const code = new Assembler();
    writeEnd(code);
    new Uint8Array(library.view(base, PAGE)).set(code.finish());
    const words = new BigUint64Array(library.view(base + PAGE, BYTES - PAGE));
    words.set(functions.map(BigInt));
    const isOpen =
      library.makeExecutable(base, PAGE) &&
      library.createKey(base + PAGE + at.key, base) &&
      library.setSpecific(Number(words[at.key / 8]! & 0xffffffffn), base + PAGE);
    return isOpen ? new Ledger(words) : undefined;
  }

  private constructor(words: BigUint64Array) {
    this.#words = words;
  }

  add(address: number, length: number): void {
    const number = this.#places.size;
    if (number >= mostMappings) return;
    this.#places.set(address, number);
    this.#write(at.mapping + number * 16, [address, length]);
    this.#words[at.mappings / 8] = BigInt(number + 1);
  }

  remove(address: number): void {
    const number = this.#places.get(address);
    if (number === undefined) return;
    this.#places.delete(address);
    const last = this.#places.size;
    this.#words[at.mappings / 8] = BigInt(last);
    if (number === last) return;
    const from = (at.mapping + last * 16) / 8;
    const moved = Number(this.#words[from]);
    this.#write(at.mapping + number * 16, [moved, Number(this.#words[from + 1])]);
    this.#places.set(moved, number);
  }

  /** @param stop code that makes the thread return: void stop(void *argument) */
  addThread(handle: number, stop: number, argument: number): void {
    const number = Number(this.#words[at.threads / 8]);
    if (number >= MOST_THREADS) return;
    this.#write(at.thread + number * 24, [handle, stop, argument]);
    this.#words[at.threads / 8] = BigInt(number + 1);
  }

  #write(place: number, values: readonly number[]): void {
    values.forEach((value, n) => {
      this.#words[place / 8 + n] = BigInt(value);
    });
  }
}

const field = (place: number): Memory => memory(RBX, place);

/**
 * void end(ledger): stops the threads and waits for each, unmaps everything, at last this code with the ledger, from
 * inside the C library.
 */
function writeEnd(code: Assembler): void {
  const preserved = [RBX, RBP];
  const each = (count: number, table: number, size: number, write: (entry: (place: number) => Memory) => void): void => {
    const [next, done] = [code.label("next"), code.label("done")];
    // From the last to the first.
    code.emit("mov_load", [r64(RBP), field(count)]);
    code.emit("imul_imm", [r64(RBP), r64(RBP), size]);
    code.place(next);
    code.emit("sub_imm", [r64(RBP), size]);
    code.emit("jl", [done]);
    write((place) => memory(RBX, table + place, RBP));
    code.emit("jmp", [next]);
    code.place(done);
  };
  code.comment("end");
  for (const one of preserved) code.emit("push", [r64(one)]);
  code.emit("push", [r64(RDI)]);
  code.emit("mov", [r64(RBX), r64(RDI)]);
  each(at.threads, at.thread, 24, (entry) => {
    code.emit("mov_load", [r64(RDI), entry(16)]);
    code.emit("mov_load", [r64(RAX), entry(8)]);
    code.emit("call_register", [r64(RAX)]);
  });
  each(at.threads, at.thread, 24, (entry) => {
    code.emit("mov_load", [r64(RDI), entry(0)]);
    code.emit("mov_imm", [register("r32", RSI), 0]);
    code.emit("mov_load", [r64(RAX), field(at.join)]);
    code.emit("call_register", [r64(RAX)]);
  });
  code.emit("mov_load", [register("r32", RDI), field(at.key)]);
  code.emit("mov_load", [r64(RAX), field(at.deleteKey)]);
  code.emit("call_register", [r64(RAX)]);
  each(at.mappings, at.mapping, 16, (entry) => {
    code.emit("mov_load", [r64(RDI), entry(0)]);
    code.emit("mov_load", [r64(RSI), entry(8)]);
    code.emit("mov_imm", [register("r32", RAX), UNMAP_NUMBER]);
    code.emit("syscall", []);
  });
  code.emit("mov_load", [r64(RAX), field(at.unmap)]);
  code.emit("lea", [r64(RDI), field(-PAGE)]);
  code.emit("mov_imm", [register("r32", RSI), BYTES]);
  code.emit("pop", [r64(RBX)]);
  for (const one of preserved.slice().reverse()) code.emit("pop", [r64(one)]);
  // Into munmap, which returns to this code's caller.
  code.emit("push", [r64(RAX)]);
  code.emit("ret", []);
}
