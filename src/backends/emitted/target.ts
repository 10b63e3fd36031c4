// What a machine adds to the shared code of emitted backends: its memory, code and addresses.

import type { FunctionBuilder, ModuleBuilder } from "../../kernels/language/builder.ts";
import type { KernelModule, Machine, Value } from "../../kernels/language/language.ts";
import type { Team } from "./threads.ts";

/** The same bytes as numbers of different types. */
export interface Views {
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
}

/** Memory that emitted code works in. A place is a byte position in it; views are replaced when it grows. */
export interface Heap extends Views {
  /** Bytes it can come to. */
  readonly most: number;
  /** Makes at least `bytes` usable. Throws BackendError when the memory cannot grow. */
  ensure(bytes: number): void;
  /**
   * Gives what lies between the places back to the system until it is used again; its contents are lost. Absent where
   * that cannot be.
   */
  discard?(start: number, end: number): void;
  /** Gives everything back; nothing that uses it runs afterwards. */
  release(): void;
}

/** Emitted code that can be called. */
export interface LoadedCode {
  /** Calls `main` with the arguments that lie at the place. */
  call(argumentsAt: number): void;
  /** The same on all threads that have time; returns when all of them are done with it. */
  callShared(argumentsAt: number): void;
  /** Gives the code's memory back at once; it is not called afterwards. */
  release(): void;
}

export interface Target<Memory extends Heap> {
  readonly name: "wasm" | "x64";
  /** One sentence: what was chosen and why, and how many threads there are by now. */
  describe(): string;
  readonly machine: Machine;
  readonly team: Team;
  /** Whether slices are run in calls of `slicesPerCall` (so that V8 can replace slow code), or all in one. */
  readonly manyCalls: boolean;
  /** Programs are checked: each begins with memory that holds nothing it could count on. */
  readonly checks?: boolean;
  makeHeap(): Memory;
  /** Ends the threads that belong to its heaps, where they do. */
  endThreads?(): void;
  /** The address of a place, fixed in the code. */
  pointer(heap: Memory, place: number): Value;
  /** Defines the exported `main` that is called with `count` addresses. */
  defineMain(module: ModuleBuilder, count: number, write: (k: FunctionBuilder, addresses: readonly Value[]) => void): void;
  /** Bytes of one argument. */
  readonly argumentBytes: number;
  /** Makes the address of a place an argument: the `number`-th of those at `argumentsAt`. */
  writeArgument(heap: Memory, argumentsAt: number, number: number, place: number): void;
  load(module: KernelModule, heap: Memory): LoadedCode;
  /** The machine's own code as lines, for listings; undefined where there is no reader for it. */
  listCode(module: KernelModule): string | undefined;
}
