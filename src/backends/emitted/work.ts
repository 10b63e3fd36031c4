// The memory that programs work in: one block for all, since only one runs at a time.

import type { Arena } from "./arena.ts";

/**
 * Bytes of a program that nobody keeps, and milliseconds after its last run, when the memory beyond what is kept is
 * given back.
 */
const LARGE = 2 ** 25;
const IDLE = 1000;

export class WorkMemory {
  readonly #arena: Arena;
  #place: number | undefined;
  #bytes = 0;
  /** What programs that are kept need, each. */
  readonly #kept: number[] = [];
  #lastLarge = 0;
  #isWaiting = false;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /**
   * Where so many bytes are free to be used until the next call: elsewhere than before where there was not enough.
   * @throws BackendError when there is no room, with everything as it was
   */
  at(bytes: number): number {
    if (this.#place === undefined || bytes > this.#bytes) this.#move(bytes);
    if (bytes >= LARGE && bytes > this.#mostKept) this.#giveBackLater();
    return this.#place as number;
  }

  /** @throws BackendError when there is no room */
  keep(bytes: number): void {
    if (this.#place === undefined || bytes > this.#bytes) this.#move(bytes);
    this.#kept.push(bytes);
  }

  free(bytes: number): void {
    this.#kept.splice(this.#kept.indexOf(bytes), 1);
    this.trim();
  }

  /** Gives back what no program that is kept needs. */
  trim(): void {
    if (this.#place === undefined || this.#bytes === this.#mostKept) return;
    this.#bytes = this.#mostKept;
    if (this.#bytes > 0) this.#arena.shrink(this.#place, this.#bytes);
    else {
      this.#arena.free(this.#place);
      this.#place = undefined;
    }
  }

  get #mostKept(): number {
    return Math.max(0, ...this.#kept);
  }

  /** Half again more than before where that is to be had, so that growing sizes do not move it every time. */
  #move(bytes: number): void {
    const before = this.#bytes;
    // First of all, since what was there may be a part of the room.
    if (this.#place !== undefined) this.#arena.free(this.#place);
    const generous = Math.ceil(before * 1.5);
    if (generous > bytes && this.#allocate(generous) === undefined) return;
    const error = this.#allocate(bytes);
    if (error === undefined) return;
    if (this.#place !== undefined) this.#allocate(before);
    throw error;
  }

  /** @returns why not */
  #allocate(bytes: number): unknown {
    try {
      this.#place = this.#arena.allocate(bytes);
      this.#bytes = bytes;
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #giveBackLater(): void {
    this.#lastLarge = performance.now();
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const look = (): void => {
      const rest = this.#lastLarge + IDLE - performance.now();
      if (rest > 0) later(look, rest);
      else {
        this.#isWaiting = false;
        this.trim();
      }
    };
    later(look, IDLE);
  }
}

/** A timer that does not keep the process alive. */
function later(run: () => void, milliseconds: number): void {
  (setTimeout(run, milliseconds) as { unref?(): void }).unref?.();
}
