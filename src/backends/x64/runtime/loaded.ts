// Emitted code that can be called: its pages, and the array through which arguments reach it.

import type { KernelModule, Machine } from "../../../kernels/language/language.ts";
import { emitModule } from "../emit.ts";
import { CodePages } from "./memory.ts";
import type { Native } from "./native.ts";
import type { Threads } from "./threads.ts";

/** Of one argument: an address. */
export const ARGUMENT_BYTES = 8;

/** Pages of code that nobody can call any more are given back when the collector notices. */
const abandoned = new FinalizationRegistry<CodePages>((pages) => pages.release());

/** One module in executable memory, called by its `main`, whose parameters are pointers. */
export class LoadedModule {
  readonly #pages: CodePages;
  readonly #main: (argumentsAt: number) => number | bigint;
  readonly #entry: number;

  constructor(native: Native, module: KernelModule, machine: Machine) {
    const { bytes, entries } = emitModule(module, machine);
    this.#pages = new CodePages(native, bytes);
    this.#entry = this.#pages.address + entries.get("main")!;
    this.#main = native.callable(this.#entry);
    abandoned.register(this, this.#pages, this);
  }

  /** @param argumentsAt address of the arguments, 8 bytes each */
  run(argumentsAt: number): void {
    this.#main(argumentsAt);
  }

  /** The same, on several threads: on so many of the others at most. */
  runOn(threads: Threads, argumentsAt: number, most: number): void {
    threads.run(this.#entry, argumentsAt, most);
  }

  release(): void {
    abandoned.unregister(this);
    this.#pages.release();
  }
}

/** Writes an address as the `number`-th of the arguments that begin at byte `place` of an array of words. */
export function writeArgument(words: Int32Array, place: number, number: number, address: number): void {
  const at = (place + number * ARGUMENT_BYTES) / 4;
  words[at] = address | 0;
  words[at + 1] = Math.floor(address / 2 ** 32);
}

/** The emitted code of a module as text. */
export function listCode(module: KernelModule, machine: Machine): string {
  const lines: string[] = [];
  emitModule(module, machine, lines);
  return lines.join("\n");
}
