// Chooses the backend once: KASANE_BACKEND, else the fastest that works here. float64 always runs on the reference.

import type { DType } from "../nest/nest.ts";
import { environment } from "../util/environment.ts";
import { BackendError, NoRoomError } from "../util/errors.ts";
import type { Backend } from "./backend.ts";
import { wantThreads } from "./emitted/threads.ts";
import { referenceBackend } from "./reference/reference.ts";
import { features } from "./wasm/features.ts";
import { createWasmBackend } from "./wasm/wasm.ts";
import { createX64Backend, runnable } from "./x64/index.ts";

/** The backends that come with kasane; others may be added. */
export type BackendName = "x64" | "wasm" | "reference" | (string & {});

interface Offer {
  readonly runsHere: () => boolean;
  readonly make: () => Backend;
  /** What must happen before it computes, where it isn't at hand at once. */
  readonly init?: (backend: Backend) => Promise<void>;
}

/** Fastest first. */
const backends = new Map<BackendName, Offer>([
  ["x64", { runsHere: () => typeof runnable() !== "string", make: () => createX64Backend() }],
  ["wasm", { runsHere: () => features().simd, make: makeWasm }],
  ["reference", { runsHere: () => true, make: makeReference }],
]);

const made = new Map<BackendName, Backend>();
const ready = new WeakSet<Backend>();
let current: Backend | undefined;

/** The names of the backends that can run here, fastest first. */
export function availableBackends(): readonly BackendName[] {
  return names().filter((name) => backends.get(name)?.runsHere());
}

/** @throws BackendError when the backend is unknown, cannot run here, or must be made ready first */
export function setBackend(name: BackendName): void {
  const backend = makeBackend(name);
  if (backends.get(name)?.init !== undefined && !ready.has(backend))
    throw new BackendError(`the backend ${name} is not ready yet`, { hint: `await initBackend("${name}") takes it when it is` });
  current = backend;
}

/**
 * Makes a backend ready, which takes time for some (a processor for graphics must be asked for), and computes with it
 * from then on.
 * @throws BackendError when the backend is unknown or cannot run here
 */
export async function initBackend(name: BackendName): Promise<void> {
  const backend = makeBackend(name);
  if (!ready.has(backend)) await backends.get(name)?.init?.(backend);
  ready.add(backend);
  setBackend(name);
}

/** Offers another backend, which is never chosen by itself; gives what takes it back. */
export function offerBackend(name: string, offer: Offer): () => void {
  backends.set(name, offer);
  return () => {
    if (current !== undefined && current === made.get(name)) current = undefined;
    backends.delete(name);
    made.delete(name);
  };
}

/**
 * How many threads compute together from now on, in place of KASANE_THREADS and of one per processor: for pages, which
 * have no environment, and for programs that leave processors to others. Compiled functions are compiled again when
 * they are next called. Results are the same bits.
 * @param count from 1 to 64
 * @throws BackendError for another count
 */
export function setThreads(count: number): void {
  wantThreads(count);
  for (const backend of made.values()) backend.endThreads?.();
  const isMade = current !== undefined && made.get(current.name) === current;
  made.clear();
  if (isMade) current = makeBackend(current!.name);
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
  if (current === undefined) {
    const asked = environment("KASANE_BACKEND");
    current = asked ? makeBackend(asked as BackendName) : fastest();
    if (!asked && current.name === "reference") console.warn(`kasane: computes slowly, ${current.description}`);
  }
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
      hint: "setBackend('wasm') or KASANE_BACKEND=wasm, which runs everywhere; unset, the fastest is taken",
    });
  let backend = made.get(name);
  if (backend === undefined) {
    backend = backends.get(name)!.make();
    made.set(name, backend);
  }
  return backend;
}

/** The first that runs here and gets memory; its description says why not those before it. */
function fastest(): Backend {
  const reasons: string[] = [];
  for (const name of names()) {
    // One after the other: to ask whether the next runs may take addresses that this one would have.
    if (!backends.get(name)?.runsHere()) continue;
    try {
      const backend = makeBackend(name);
      if (reasons.length === 0) return backend;
      const described = describedAs(backend, () => [backend.description, ...reasons].join("; "));
      made.set(name, described);
      return described;
    } catch (error) {
      if (!(error instanceof NoRoomError)) throw error;
      made.delete(name);
      reasons.push(`not ${error.message.split("\n")[0]}`);
    }
  }
  return referenceBackend;
}

/** Where machine code cannot run, the description says why. */
function makeWasm(): Backend {
  const backend = createWasmBackend();
  const x64 = runnable();
  return typeof x64 === "string" ? describedAs(backend, () => `${backend.description}; not x64: ${x64}`) : backend;
}

/** Where it is all there is, the description says why. */
function makeReference(): Backend {
  const { simd, forbidden } = features();
  if (simd) return referenceBackend;
  const reason = forbidden ?? "this engine has no WebAssembly SIMD";
  return describedAs(referenceBackend, () => `${referenceBackend.description}; not wasm: ${reason}`);
}

/** The description is asked for again and again: threads join while others compute. */
function describedAs(backend: Backend, describe: () => string): Backend {
  return Object.defineProperty({ ...backend }, "description", { get: describe, enumerable: true });
}

function names(): BackendName[] {
  return [...backends.keys()];
}
