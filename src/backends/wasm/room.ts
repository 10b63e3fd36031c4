// Makes WebAssembly memories. Engines reserve some ten gibibytes of addresses for each, whatever its size, which a limit may forbid.
import { NoRoomError } from "../../util/errors.ts";

/** @throws NoRoomError where the engine gives none */
export function makeMemory(descriptor: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory(descriptor);
  } catch (cause) {
    throw new NoRoomError("wasm: the engine gave no memory, not even to begin with", {
      hint: "a higher limit of addresses (ulimit -v), or KASANE_BACKEND=reference, which is slow and needs little",
      cause,
    });
  }
}
