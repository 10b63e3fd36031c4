// A kernel module as machine code over memory of its own, for measurements.
import type { KernelModule, Machine } from "../../kernels/language.ts";
import { emitModule } from "./emit.ts";
import { argumentBytes, writeArgument } from "./loaded.ts";
import { CodePages, Heap } from "./memory.ts";
import { type Native, native } from "./native.ts";

export interface Alone {
  /** An exported function that takes a pointer to the memory and a number. */
  entry(name: string): (count: number) => void;
  release(): void;
}

/** @param room bytes of memory */
export function loadAlone(module: KernelModule, machine: Machine, room: number): Alone {
  const system = native() as Native;
  const { bytes, entries } = emitModule(module, machine);
  const pages = new CodePages(system, bytes);
  const heap = new Heap(system, 2 * room);
  heap.ensure(room);
  const place = system.map(2 * argumentBytes, "write") as number;
  const words = new Int32Array(system.view(place, 2 * argumentBytes));
  writeArgument(words, 0, 0, heap.address);
  return {
    entry(name) {
      const run = system.callable(pages.address + (entries.get(name) as number));
      return (count) => {
        words[argumentBytes / 4] = count;
        run(place);
      };
    },
    release() {
      pages.release();
      heap.release();
      system.unmap(place, 2 * argumentBytes);
    },
  };
}
