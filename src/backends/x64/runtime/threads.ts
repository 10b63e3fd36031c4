// Native threads that only run emitted code: started on first use, asleep without work, ended with their starter.

import { Assembler } from "../encode/assembler.ts";
import { type Label, type Memory, memory, R10, R12, RAX, RBP, RBX, RCX, RDI, RDX, RSI, register } from "../encode/registers.ts";
import { CodePages } from "./memory.ts";
import type { Native } from "./native.ts";
import { FUTEX, YIELD_NUMBER } from "./system-calls.ts";

/**
 * Where the words lie that the threads share, apart by a cache line where several write. `entry` and `argument` (64
 * bits) are written before `open`, and `open` before `generation`; a thread counts itself as `inside` before it looks
 * whether there is still something open. Threads are `numbered` as they start; those whose number is not below
 * `employed` sleep until it changes.
 */
const AT = {
  generation: 0,
  entry: 64,
  argument: 72,
  open: 80,
  inside: 128,
  sleepers: 192,
  handle: 256,
  quit: 320,
  employed: 384,
  numbered: 448,
} as const;
const CONTROL_BYTES = 4096;
/**
 * Looks at `generation` before a thread goes to sleep: some fifty microseconds, about what two steps of training lie
 * apart.
 */
const PATIENCE = 3000;
/** Looks before a thread that waits for the others to leave gives its processor away. */
const IMPATIENCE = 200;
const EVERYONE = 2 ** 31 - 1;

const r32 = (number: number) => register("r32", number);
const r64 = (number: number) => register("r64", number);

/** The threads beside the one that calls. */
export class Threads {
  readonly #native: Native;
  readonly #control: number;
  readonly #words: Int32Array;
  readonly #pages: CodePages;
  readonly #run: (control: number) => number | bigint;
  readonly #rouse: (control: number) => number | bigint;
  readonly #worker: number;
  readonly #stop: number;
  #count = 0;
  #mayStart = true;

  constructor(native: Native) {
    this.#native = native;
    const control = native.map(CONTROL_BYTES, "write");
    this.#control = control ?? 0;
    this.#words = new Int32Array(control === undefined ? new ArrayBuffer(CONTROL_BYTES) : native.view(control, CONTROL_BYTES));
    const code = new Assembler();
    writeRun(code);
    code.align(64);
    this.#worker = code.length;
    writeWorker(code);
    code.align(64);
    this.#stop = code.length;
    writeStop(code);
    code.align(64);
    const rouse = code.length;
    writeRouse(code);
    this.#pages = new CodePages(native, code.finish());
    this.#run = native.callable(this.#pages.address);
    this.#rouse = native.callable(this.#pages.address + rouse);
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Starts threads until there are so many; fewer where the system refuses. */
  atLeast(count: number): this {
    while (this.#mayStart && this.#count < count) {
      const { address } = this.#pages;
      this.#mayStart =
        this.#control !== 0 &&
        this.#native.startThread(address + this.#worker, this.#control, this.#control + AT.handle, address + this.#stop);
      if (this.#mayStart) this.#count++;
    }
    return this;
  }

  /**
   * Calls int64 entry(void *argument) on every thread that has time, this one among them; returns when none is in it
   * any more.
   * @param most of the others; the rest sleeps
   */
  run(entry: number, argument: number, most: number): void {
    if (this.#count === 0) {
      this.#native.callable(entry)(argument);
      return;
    }
    const words = this.#words;
    if (words[AT.employed / 4] !== most) {
      words[AT.employed / 4] = most;
      this.#rouse(this.#control);
    }
    words[AT.entry / 4] = entry | 0;
    words[AT.entry / 4 + 1] = Math.floor(entry / 2 ** 32);
    words[AT.argument / 4] = argument | 0;
    words[AT.argument / 4 + 1] = Math.floor(argument / 2 ** 32);
    this.#run(this.#control);
  }
}

const field = (place: number): Memory => memory(RBX, place);

/** run(control): opens, wakes sleepers, works itself, closes, waits until the others are out. */
function writeRun(code: Assembler): void {
  const [awake, look, out] = [code.label("awake"), code.label("look"), code.label("out")];
  code.comment("run");
  code.emit("push", [r64(RBX)]);
  code.emit("mov", [r64(RBX), r64(RDI)]);
  code.emit("mov_imm", [r32(RAX), 1]);
  code.emit("mov_store", [field(AT.open), r32(RAX)]);
  code.emit("lock_add", [field(AT.generation), r32(RAX)]);
  code.emit("mov_imm", [r32(RCX), 0]);
  code.emit("cmp", [r32(RCX), field(AT.sleepers)]);
  code.emit("je", [awake]);
  writeWake(code, AT.generation);
  code.place(awake);
  code.emit("mov_load", [r64(RDI), field(AT.argument)]);
  code.emit("mov_load", [r64(RAX), field(AT.entry)]);
  code.emit("call_register", [r64(RAX)]);
  code.emit("mov_imm", [r32(RAX), 0]);
  code.emit("xchg", [field(AT.open), r32(RAX)]);
  code.emit("mov_imm", [r32(RDX), IMPATIENCE]);
  code.place(look);
  code.emit("mov_imm", [r32(RCX), 0]);
  code.emit("cmp", [r32(RCX), field(AT.inside)]);
  code.emit("je", [out]);
  code.emit("pause", []);
  code.emit("sub_imm", [r32(RDX), 1]);
  code.emit("jge", [look]);
  code.emit("mov_imm", [r32(RAX), YIELD_NUMBER]);
  code.emit("syscall", []);
  code.emit("jmp", [look]);
  code.place(out);
  code.emit("pop", [r64(RBX)]);
  code.emit("ret", []);
}

/** worker(control): until it is to quit. A generation is joined once; one that is over before is skipped. */
function writeWorker(code: Assembler): void {
  const [next, employed, look, join, leave, quit] = ["next", "employed", "look", "join", "leave", "quit"].map((name) =>
    code.label(name),
  ) as [Label, Label, Label, Label, Label, Label];
  code.comment("worker");
  // Three of them: the stack is a multiple of 16 at a call, as the entries expect.
  const preserved = [RBX, R12, RBP];
  for (const one of preserved) code.emit("push", [r64(one)]);
  code.emit("mov", [r64(RBX), r64(RDI)]);
  code.emit("mov_imm", [r32(R12), 0]);
  code.emit("mov_imm", [r32(RBP), 1]);
  code.emit("lock_xadd", [field(AT.numbered), r32(RBP)]);
  code.place(next);
  code.emit("mov_load", [r32(RDX), field(AT.employed)]);
  code.emit("cmp", [r32(RBP), r32(RDX)]);
  code.emit("jl", [employed]);
  writeSleep(code, AT.employed);
  code.emit("jmp", [next]);
  code.place(employed);
  code.emit("mov_imm", [r32(RCX), PATIENCE]);
  code.place(look);
  code.emit("cmp", [r32(R12), field(AT.generation)]);
  code.emit("jne", [join]);
  code.emit("pause", []);
  code.emit("sub_imm", [r32(RCX), 1]);
  code.emit("jne", [look]);
  code.emit("mov_imm", [r32(RAX), 1]);
  code.emit("lock_add", [field(AT.sleepers), r32(RAX)]);
  code.emit("mov", [r32(RDX), r32(R12)]);
  writeSleep(code, AT.generation);
  code.emit("mov_imm", [r32(RAX), -1]);
  code.emit("lock_add", [field(AT.sleepers), r32(RAX)]);
  code.emit("jmp", [next]);
  code.place(join);
  code.emit("mov_imm", [r32(RCX), 0]);
  code.emit("cmp", [r32(RCX), field(AT.quit)]);
  code.emit("jne", [quit]);
  code.emit("mov_load", [r32(R12), field(AT.generation)]);
  code.emit("mov_imm", [r32(RAX), 1]);
  code.emit("lock_add", [field(AT.inside), r32(RAX)]);
  code.emit("mov_imm", [r32(RCX), 0]);
  code.emit("cmp", [r32(RCX), field(AT.open)]);
  code.emit("je", [leave]);
  // While this thread is inside, the generation cannot change.
  code.emit("mov_load", [r32(R12), field(AT.generation)]);
  code.emit("mov_load", [r64(RDI), field(AT.argument)]);
  code.emit("mov_load", [r64(RAX), field(AT.entry)]);
  code.emit("call_register", [r64(RAX)]);
  code.place(leave);
  code.emit("mov_imm", [r32(RAX), -1]);
  code.emit("lock_add", [field(AT.inside), r32(RAX)]);
  code.emit("jmp", [next]);
  code.place(quit);
  for (const one of preserved.slice().reverse()) code.emit("pop", [r64(one)]);
  code.emit("mov_imm", [r32(RAX), 0]);
  code.emit("ret", []);
}

/** stop(control): lets every worker return. */
function writeStop(code: Assembler): void {
  code.comment("stop");
  code.emit("push", [r64(RBX)]);
  code.emit("mov", [r64(RBX), r64(RDI)]);
  code.emit("mov_imm", [r32(RAX), 1]);
  code.emit("mov_store", [field(AT.quit), r32(RAX)]);
  code.emit("lock_add", [field(AT.generation), r32(RAX)]);
  code.emit("mov_imm", [r32(RAX), EVERYONE]);
  code.emit("mov_store", [field(AT.employed), r32(RAX)]);
  for (const word of [AT.generation, AT.employed]) writeWake(code, word);
  code.emit("pop", [r64(RBX)]);
  code.emit("ret", []);
}

/** rouse(control): lets every worker look how many are employed now. */
function writeRouse(code: Assembler): void {
  code.comment("rouse");
  code.emit("push", [r64(RBX)]);
  code.emit("mov", [r64(RBX), r64(RDI)]);
  writeWake(code, AT.employed);
  code.emit("pop", [r64(RBX)]);
  code.emit("ret", []);
}

/** Until somebody wakes this thread, unless the word is another than edx by then. */
function writeSleep(code: Assembler, word: number): void {
  code.emit("lea", [r64(RDI), field(word)]);
  code.emit("mov_imm", [r32(RSI), FUTEX.waitPrivate]);
  code.emit("mov_imm", [r32(R10), 0]);
  code.emit("mov_imm", [r32(RAX), FUTEX.number]);
  code.emit("syscall", []);
}

/** All that sleep on the word. */
function writeWake(code: Assembler, word: number): void {
  code.emit("lea", [r64(RDI), field(word)]);
  code.emit("mov_imm", [r32(RSI), FUTEX.wakePrivate]);
  code.emit("mov_imm", [r32(RDX), EVERYONE]);
  code.emit("mov_imm", [r32(RAX), FUTEX.number]);
  code.emit("syscall", []);
}

let threads: Threads | undefined;

/** How many threads were started beside this JavaScript thread; undefined while none was asked for. */
export function startedThreads(): number | undefined {
  return threads?.count;
}

/** The threads of this JavaScript thread, at least so many beside it. */
export function theThreads(native: Native, count: number): Threads {
  threads ??= new Threads(native);
  return threads.atLeast(count);
}
