// Native threads that only run emitted code: started on first use, asleep without work, ended with their starter.

import { Assembler } from "../encode/assembler.ts";
import { type Label, type Memory, memory, r10, r12, rax, rbp, rbx, rcx, rdi, rdx, register, rsi } from "../encode/registers.ts";
import { CodePages } from "./memory.ts";
import type { Native } from "./native.ts";
import { futex, yieldNumber } from "./system-calls.ts";

/**
 * Where the words lie that the threads share, apart by a cache line where several write. `entry` and `argument` (64
 * bits) are written before `open`, and `open` before `generation`; a thread counts itself as `inside` before it looks
 * whether there is still something open. Threads are `numbered` as they start; those whose number is not below
 * `employed` sleep until it changes.
 */
const at = {
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
const controlBytes = 4096;
/**
 * Looks at `generation` before a thread goes to sleep: some fifty microseconds, about what two steps of training lie
 * apart.
 */
const patience = 3000;
/** Looks before a thread that waits for the others to leave gives its processor away. */
const impatience = 200;
const everyone = 2 ** 31 - 1;

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
    const control = native.map(controlBytes, "write");
    this.#control = control ?? 0;
    this.#words = new Int32Array(control === undefined ? new ArrayBuffer(controlBytes) : native.view(control, controlBytes));
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
        this.#native.startThread(address + this.#worker, this.#control, this.#control + at.handle, address + this.#stop);
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
    if (words[at.employed / 4] !== most) {
      words[at.employed / 4] = most;
      this.#rouse(this.#control);
    }
    words[at.entry / 4] = entry | 0;
    words[at.entry / 4 + 1] = Math.floor(entry / 2 ** 32);
    words[at.argument / 4] = argument | 0;
    words[at.argument / 4 + 1] = Math.floor(argument / 2 ** 32);
    this.#run(this.#control);
  }
}

const field = (place: number): Memory => memory(rbx, place);

/** run(control): opens, wakes sleepers, works itself, closes, waits until the others are out. */
function writeRun(code: Assembler): void {
  const [awake, look, out] = [code.label("awake"), code.label("look"), code.label("out")];
  code.comment("run");
  code.emit("push", [r64(rbx)]);
  code.emit("mov", [r64(rbx), r64(rdi)]);
  code.emit("mov_imm", [r32(rax), 1]);
  code.emit("mov_store", [field(at.open), r32(rax)]);
  code.emit("lock_add", [field(at.generation), r32(rax)]);
  code.emit("mov_imm", [r32(rcx), 0]);
  code.emit("cmp", [r32(rcx), field(at.sleepers)]);
  code.emit("je", [awake]);
  writeWake(code, at.generation);
  code.place(awake);
  code.emit("mov_load", [r64(rdi), field(at.argument)]);
  code.emit("mov_load", [r64(rax), field(at.entry)]);
  code.emit("call_register", [r64(rax)]);
  code.emit("mov_imm", [r32(rax), 0]);
  code.emit("xchg", [field(at.open), r32(rax)]);
  code.emit("mov_imm", [r32(rdx), impatience]);
  code.place(look);
  code.emit("mov_imm", [r32(rcx), 0]);
  code.emit("cmp", [r32(rcx), field(at.inside)]);
  code.emit("je", [out]);
  code.emit("pause", []);
  code.emit("sub_imm", [r32(rdx), 1]);
  code.emit("jge", [look]);
  code.emit("mov_imm", [r32(rax), yieldNumber]);
  code.emit("syscall", []);
  code.emit("jmp", [look]);
  code.place(out);
  code.emit("pop", [r64(rbx)]);
  code.emit("ret", []);
}

/** worker(control): until it is to quit. A generation is joined once; one that is over before is skipped. */
function writeWorker(code: Assembler): void {
  const [next, employed, look, join, leave, quit] = ["next", "employed", "look", "join", "leave", "quit"].map((name) =>
    code.label(name),
  ) as [Label, Label, Label, Label, Label, Label];
  code.comment("worker");
  // Three of them: the stack is a multiple of 16 at a call, as the entries expect.
  const preserved = [rbx, r12, rbp];
  for (const one of preserved) code.emit("push", [r64(one)]);
  code.emit("mov", [r64(rbx), r64(rdi)]);
  code.emit("mov_imm", [r32(r12), 0]);
  code.emit("mov_imm", [r32(rbp), 1]);
  code.emit("lock_xadd", [field(at.numbered), r32(rbp)]);
  code.place(next);
  code.emit("mov_load", [r32(rdx), field(at.employed)]);
  code.emit("cmp", [r32(rbp), r32(rdx)]);
  code.emit("jl", [employed]);
  writeSleep(code, at.employed);
  code.emit("jmp", [next]);
  code.place(employed);
  code.emit("mov_imm", [r32(rcx), patience]);
  code.place(look);
  code.emit("cmp", [r32(r12), field(at.generation)]);
  code.emit("jne", [join]);
  code.emit("pause", []);
  code.emit("sub_imm", [r32(rcx), 1]);
  code.emit("jne", [look]);
  code.emit("mov_imm", [r32(rax), 1]);
  code.emit("lock_add", [field(at.sleepers), r32(rax)]);
  code.emit("mov", [r32(rdx), r32(r12)]);
  writeSleep(code, at.generation);
  code.emit("mov_imm", [r32(rax), -1]);
  code.emit("lock_add", [field(at.sleepers), r32(rax)]);
  code.emit("jmp", [next]);
  code.place(join);
  code.emit("mov_imm", [r32(rcx), 0]);
  code.emit("cmp", [r32(rcx), field(at.quit)]);
  code.emit("jne", [quit]);
  code.emit("mov_load", [r32(r12), field(at.generation)]);
  code.emit("mov_imm", [r32(rax), 1]);
  code.emit("lock_add", [field(at.inside), r32(rax)]);
  code.emit("mov_imm", [r32(rcx), 0]);
  code.emit("cmp", [r32(rcx), field(at.open)]);
  code.emit("je", [leave]);
  // While this thread is inside, the generation cannot change.
  code.emit("mov_load", [r32(r12), field(at.generation)]);
  code.emit("mov_load", [r64(rdi), field(at.argument)]);
  code.emit("mov_load", [r64(rax), field(at.entry)]);
  code.emit("call_register", [r64(rax)]);
  code.place(leave);
  code.emit("mov_imm", [r32(rax), -1]);
  code.emit("lock_add", [field(at.inside), r32(rax)]);
  code.emit("jmp", [next]);
  code.place(quit);
  for (const one of preserved.slice().reverse()) code.emit("pop", [r64(one)]);
  code.emit("mov_imm", [r32(rax), 0]);
  code.emit("ret", []);
}

/** stop(control): lets every worker return. */
function writeStop(code: Assembler): void {
  code.comment("stop");
  code.emit("push", [r64(rbx)]);
  code.emit("mov", [r64(rbx), r64(rdi)]);
  code.emit("mov_imm", [r32(rax), 1]);
  code.emit("mov_store", [field(at.quit), r32(rax)]);
  code.emit("lock_add", [field(at.generation), r32(rax)]);
  code.emit("mov_imm", [r32(rax), everyone]);
  code.emit("mov_store", [field(at.employed), r32(rax)]);
  for (const word of [at.generation, at.employed]) writeWake(code, word);
  code.emit("pop", [r64(rbx)]);
  code.emit("ret", []);
}

/** rouse(control): lets every worker look how many are employed now. */
function writeRouse(code: Assembler): void {
  code.comment("rouse");
  code.emit("push", [r64(rbx)]);
  code.emit("mov", [r64(rbx), r64(rdi)]);
  writeWake(code, at.employed);
  code.emit("pop", [r64(rbx)]);
  code.emit("ret", []);
}

/** Until somebody wakes this thread, unless the word is another than edx by then. */
function writeSleep(code: Assembler, word: number): void {
  code.emit("lea", [r64(rdi), field(word)]);
  code.emit("mov_imm", [r32(rsi), futex.waitPrivate]);
  code.emit("mov_imm", [r32(r10), 0]);
  code.emit("mov_imm", [r32(rax), futex.number]);
  code.emit("syscall", []);
}

/** All that sleep on the word. */
function writeWake(code: Assembler, word: number): void {
  code.emit("lea", [r64(rdi), field(word)]);
  code.emit("mov_imm", [r32(rsi), futex.wakePrivate]);
  code.emit("mov_imm", [r32(rdx), everyone]);
  code.emit("mov_imm", [r32(rax), futex.number]);
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
