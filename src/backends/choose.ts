// Which backend runs an op: chosen once (KASANE_BACKEND, else the fastest that works here); float64 always runs on the reference.

import type { DType } from "../formula/nest.ts";
import { environment } from "../util/environment.ts";
import { BackendError } from "../util/errors.ts";
import type { Backend } from "./backend.ts";
import { referenceBackend } from "./reference/reference.ts";
import { features } from "./wasm/features.ts";
import { createWasmBackend } from "./wasm/wasm.ts";
import { createX64Backend, runnable } from "./x64/index.ts";

type BackendName = Backend["name"];

/** Fastest first. */
const backends: Readonly<Record<BackendName, { readonly runsHere: () => boolean; readonly make: () => Backend }>> = {
  x64: { runsHere: () => typeof runnable() !== "string", make: () => createX64Backend() },
  wasm: { runsHere: () => features().simd, make: makeWasm },
  reference: { runsHere: () => true, make: () => referenceBackend },
};

const made = new Map<BackendName, Backend>();
let current: Backend | undefined;

/** The names of the backends that can run here, fastest first. */
export function availableBackends(): readonly BackendName[] {
  return names().filter((name) => backends[name].runsHere());
}

/** @throws BackendError when the backend is unknown or cannot run here */
export function setBackend(name: BackendName): void {
  current = makeBackend(name);
}

/** For tests: a backend made by hand. */
export function useBackend(backend: Backend): void {
  current = backend;
}

/**
 * The backend that computes; without a choice before, the one that KASANE_BACKEND names or the fastest available.
 * @throws BackendError when that one cannot run here
 */
export function getBackend(): Backend {
  current ??= makeBackend((environment("KASANE_BACKEND") || availableBackends()[0]) as BackendName);
  return current;
}

/** The backend for operands of these dtypes. */
export function backendFor(operands: readonly { readonly dtype: DType }[]): Backend {
  const backend = getBackend();
  for (const operand of operands) if (!backend.dtypes.has(operand.dtype)) return referenceBackend;
  return backend;
}

function makeBackend(name: BackendName): Backend {
  if (!names().includes(name))
    throw new BackendError(`expected a backend among ${names().join(", ")}, got '${name}'`, {
      hint: "see KASANE_BACKEND and setBackend()",
    });
  let backend = made.get(name);
  if (backend === undefined) {
    backend = backends[name].make();
    made.set(name, backend);
  }
  return backend;
}

/** Where machine code cannot run, the description says why. */
function makeWasm(): Backend {
  const backend = createWasmBackend();
  const x64 = runnable();
  return typeof x64 === "string" ? { ...backend, description: `${backend.description}; not x64: ${x64}` } : backend;
}

function names(): BackendName[] {
  return Object.keys(backends) as BackendName[];
}
