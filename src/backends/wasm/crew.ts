// Worker threads that run WebAssembly on one shared memory with the main thread: Node's, or a page's Web Workers.

import { makeMemory } from "./room.ts";
import { noWorkers, startWorker } from "./start-worker.ts";
import { MAILBOX } from "./worker.ts";

/** A program as workers get it. */
export interface CrewModule {
  readonly id: number;
  readonly binary: Uint8Array;
  /** So that its first run need not wait for someone to ask. */
  wasPosted: boolean;
}

const PAGE = 65536;
const MOST_MAIL = 4096;
/** Looks of the main thread at those still inside before it naps, where it may. */
const PATIENCE = 20_000;
const NAP_MILLISECONDS = 0.05;

export class Crew {
  readonly #mail = makeMemory({ initial: 1, maximum: MOST_MAIL, shared: true });
  readonly #words = new Int32Array(this.#mail.buffer);
  readonly #count: number;
  #obstacle: string | undefined;

  /** Starts workers; they join when they are ready. */
  constructor(memory: WebAssembly.Memory, count: number) {
    this.#count = count;
    for (let number = 0; number < count; number++)
      startWorker({ memory, mail: this.#mail, number, places: MAILBOX }, (reason) => {
        this.#obstacle ??= reason;
        warnOnce(reason);
      });
  }

  /** How many workers are there by now. */
  get joined(): number {
    return Atomics.load(this.#words, MAILBOX.joined);
  }

  /** Why some never join. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /**
   * Calls main(argument) here and on every worker that has time and the module; returns when none is in it any more.
   * @param most of the workers; the others sleep
   */
  run(module: CrewModule, main: (argument: number) => void, argument: number, most: number): void {
    const words = this.#words;
    if (words[MAILBOX.employed] !== most) this.#employ(most);
    words[MAILBOX.module] = module.id;
    words[MAILBOX.argument] = argument;
    words[MAILBOX.posted] = !module.wasPosted || this.#isWanted(module.id) ? this.#post(module.binary) : 0;
    module.wasPosted = true;
    Atomics.store(words, MAILBOX.open, 1);
    Atomics.add(words, MAILBOX.generation, 1);
    if (Atomics.load(words, MAILBOX.sleepers) > 0) Atomics.notify(words, MAILBOX.generation);
    try {
      main(argument);
    } finally {
      Atomics.store(words, MAILBOX.open, 0);
      this.#untilAllAreOut();
    }
  }

  /** The workers leave. */
  end(): void {
    Atomics.store(this.#words, MAILBOX.ended, 1);
    this.#employ(this.#count);
    Atomics.add(this.#words, MAILBOX.generation, 1);
    Atomics.notify(this.#words, MAILBOX.generation);
  }

  #employ(most: number): void {
    Atomics.store(this.#words, MAILBOX.employed, most);
    Atomics.notify(this.#words, MAILBOX.employed);
  }

  #isWanted(id: number): boolean {
    for (let number = 0; number < this.#count; number++) if (this.#words[MAILBOX.wants + number] === id) return true;
    return false;
  }

  #post(binary: Uint8Array): number {
    const missing = MAILBOX.mail + binary.length - this.#mail.buffer.byteLength;
    if (missing > 0) {
      try {
        this.#mail.grow(Math.ceil(missing / PAGE));
      } catch {
        return 0;
      }
    }
    new Uint8Array(this.#mail.buffer).set(binary, MAILBOX.mail);
    return binary.length;
  }

  #untilAllAreOut(): void {
    const words = this.#words;
    for (let looks = 0; ; looks++) {
      const inside = Atomics.load(words, MAILBOX.inside);
      if (inside === 0) return;
      if (looks > PATIENCE && mayBlock()) Atomics.wait(words, MAILBOX.inside, inside, NAP_MILLISECONDS);
    }
  }
}

let hasWarned = false;

function warnOnce(reason: string): void {
  if (!hasWarned) console.warn(`kasane: ${reason}; fewer threads compute`);
  hasWarned = true;
}

let blocks: boolean | undefined;

/** Whether this thread may sleep: a page's main thread may not. */
export function mayBlock(): boolean {
  if (blocks === undefined) {
    try {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
      blocks = true;
    } catch {
      blocks = false;
    }
  }
  return blocks;
}

/** Why memory cannot be shared with worker threads here; undefined when it can. */
export function noSharing(): string | undefined {
  if (typeof SharedArrayBuffer === "undefined")
    return "the page is not cross-origin isolated (it needs the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)";
  try {
    new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return noWorkers();
  } catch {
    return "this engine has no shared WebAssembly memory";
  }
}
