// A cell in the memory of an emitted backend.

import { byteLength } from "../../nest/arrays.ts";
import type { Operand } from "../../nest/nest.ts";
import type { Cell, HostArray } from "../backend.ts";
import type { Arena } from "./arena.ts";
import { readSlot, type Slot, slotOf, writeSlot } from "./memory.ts";

export class EmittedCell implements Cell {
  readonly place: number;
  readonly #arena: Arena;
  readonly #slot: Slot;
  #isFreed = false;

  /** Zeros at first. @throws BackendError when there is no room */
  constructor(arena: Arena, operand: Operand) {
    const bytes = byteLength(operand);
    this.#arena = arena;
    this.place = arena.allocate(bytes);
    arena.heap.u8.fill(0, this.place, this.place + bytes);
    this.#slot = slotOf(operand, this.place);
  }

  read(): HostArray {
    return readSlot(this.#arena.heap, this.#slot);
  }

  write(data: HostArray): void {
    writeSlot(this.#arena.heap, this.#slot, data);
  }

  /** Idempotent: the place may belong to another by then. */
  free(): void {
    if (!this.#isFreed) this.#arena.free(this.place);
    this.#isFreed = true;
  }
}
