// Makes WebAssembly memories. Engines reserve about 10 GiB of addresses for each, which a system limit may forbid.

import { NoRoomError } from "../../util/errors.ts";

/** @throws NoRoomError where the engine gives none */
export function makeMemory(descriptor: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory(descriptor);
  } catch (cause) {
    throw new NoRoomError("wasm: the engine gave no memory, not even to begin with", {
      hint: `a higher limit of addresses (ulimit -v), ${guardless()}or KASANE_BACKEND=reference, which is slow and needs little`,
      cause,
    });
  }
}

const WITHOUT_GUARDS = "--disable-wasm-trap-handler";

/**
 * Node's flag for memories that take no more addresses than they may grow to, where it knows it; shared ones may grow
 * to all there is.
 */
function guardless(): string {
  const { process } = globalThis as { process?: { allowedNodeEnvironmentFlags?: ReadonlySet<string> } };
  return process?.allowedNodeEnvironmentFlags?.has(WITHOUT_GUARDS) ? `NODE_OPTIONS=${WITHOUT_GUARDS} with KASANE_THREADS=1, ` : "";
}
