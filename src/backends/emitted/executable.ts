// Programs run one at a time on host arrays: inputs are copied in, the emitted main is called, the result is copied out.

import { printModule } from "../../kernels/language/print.ts";
import type { Program } from "../../nest/nest.ts";
import type { Executable, HostArray } from "../backend.ts";
import { firstPlace, paramSlot, readSlot, type Slot, slotOf, writeSlot } from "./memory.ts";
import { keyOfProgram, type LoweredProgram, lowerProgram } from "./program.ts";
import type { Heap, LoadedCode, Target } from "./target.ts";

/** Bytes of a run, and milliseconds after the last of that size, when memory goes back to the system. */
const large = 2 ** 25;
const idle = 1000;

/** Compiled programs kept; the one unused for longest is dropped, and compiled again when it is needed. */
const mostCompiled = 512;

interface Loaded {
  readonly lowered: LoweredProgram;
  readonly code: LoadedCode;
}

interface Compiled {
  /** Undefined once dropped, so that executables that still point here keep nothing of it. */
  loaded: Loaded | undefined;
  lastUsed: number;
}

/** All programs of one backend: they share one heap, since only one runs at a time. */
export class ProgramEngine<Memory extends Heap> {
  readonly heap: Memory;
  readonly #target: Target<Memory>;
  readonly #compiled = new Map<string, Compiled>();
  #clock = 0;
  #lastLarge = 0;
  #isWaiting = false;

  constructor(target: Target<Memory>) {
    this.#target = target;
    this.heap = target.makeHeap();
  }

  /** Runs at this size leave so much memory in use that it goes back to the system when no other comes for a while. */
  noteLarge(): void {
    this.#lastLarge = performance.now();
    if (this.#isWaiting || this.heap.discard === undefined) return;
    this.#isWaiting = true;
    const look = (): void => {
      const rest = this.#lastLarge + idle - performance.now();
      if (rest > 0) later(look, rest);
      else {
        this.#isWaiting = false;
        this.heap.discard?.(firstPlace, this.heap.u8.byteLength);
      }
    };
    later(look, idle);
  }

  tick(): number {
    return ++this.#clock;
  }

  executable(program: Program): Executable {
    return new EmittedExecutable(this, program);
  }

  compile(program: Program, key: string): Compiled {
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      const lowered = lowerProgram(program, this.#target, this.heap);
      compiled = { loaded: { lowered, code: this.#target.load(lowered.module, this.heap) }, lastUsed: this.tick() };
      if (this.#compiled.size >= mostCompiled) this.#dropOldest();
      this.#compiled.set(key, compiled);
    }
    return compiled;
  }

  /** The loops, the kernels and, where it can be read, the machine's code. */
  list({ module, notes }: LoweredProgram): string {
    return [...notes, printModule(module), this.#target.listCode(module) ?? ""].join("\n").trimEnd();
  }

  #dropOldest(): void {
    let oldest: string | undefined;
    let used = Number.POSITIVE_INFINITY;
    for (const [key, { lastUsed }] of this.#compiled) {
      if (lastUsed >= used) continue;
      used = lastUsed;
      oldest = key;
    }
    if (oldest === undefined) return;
    const dropped = this.#compiled.get(oldest)!;
    dropped.loaded?.code.release();
    dropped.loaded = undefined;
    this.#compiled.delete(oldest);
  }
}

/** A timer that does not keep the process alive. */
function later(run: () => void, milliseconds: number): void {
  (setTimeout(run, milliseconds) as { unref?(): void }).unref?.();
}

/** On all threads when there are counters to share the work with. */
export function runCode(code: LoadedCode, heap: Heap, { position, length }: Slot, argumentsAt: number): void {
  if (length === 0) code.call(argumentsAt);
  else {
    heap.i32.fill(0, position, position + length);
    code.callShared(argumentsAt);
  }
}

class EmittedExecutable<Memory extends Heap> implements Executable {
  readonly #engine: ProgramEngine<Memory>;
  readonly #program: Program;
  readonly #key: string;
  #compiled: Compiled;
  readonly #inputs: readonly Slot[];
  readonly #result: Slot;
  readonly #params: readonly ReturnType<typeof paramSlot>[];
  readonly #bytes: number;

  constructor(engine: ProgramEngine<Memory>, program: Program) {
    this.#engine = engine;
    this.#program = program;
    this.#key = keyOfProgram(program);
    this.#compiled = engine.compile(program, this.#key);
    const { places, paramsPlace, bytes } = this.#loaded().lowered;
    const slot = (buffer: number): Slot => slotOf(program.buffers[buffer]!, places[buffer]!);
    this.#inputs = program.inputs.map((_, number) => slot(number));
    this.#result = slot(program.result);
    this.#params = program.params.map(({ type }, number) => paramSlot(type, paramsPlace, number));
    this.#bytes = bytes;
  }

  run(inputs: readonly HostArray[], params: readonly number[]): HostArray {
    const { lowered, code } = this.#loaded();
    this.#compiled.lastUsed = this.#engine.tick();
    const { heap } = this.#engine;
    if (this.#bytes > heap.u8.byteLength) heap.ensure(this.#bytes);
    if (this.#bytes >= large) this.#engine.noteLarge();
    for (let i = 0; i < this.#inputs.length; i++) writeSlot(heap, this.#inputs[i]!, inputs[i]!);
    for (let i = 0; i < this.#params.length; i++) {
      const { kind, position } = this.#params[i]!;
      heap[kind][position] = params[i]!;
    }
    runCode(code, heap, lowered.counters, 0);
    return readSlot(heap, this.#result);
  }

  listing(): string {
    return this.#engine.list(this.#loaded().lowered);
  }

  /** Compiled again where it was dropped. */
  #loaded(): Loaded {
    if (this.#compiled.loaded === undefined) this.#compiled = this.#engine.compile(this.#program, this.#key);
    return this.#compiled.loaded!;
  }
}
