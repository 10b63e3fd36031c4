// Which backend runs an op: chosen once (KASANE_BACKEND, else the fastest that works here); float64 always runs on the reference.

import { BackendError } from "../util/errors.ts";
import type { DType } from "../formula/nest.ts";
import type { Backend } from "./backend.ts";
import { referenceBackend } from "./reference/reference.ts";

type BackendName = Backend["name"];

const makers: Partial<Record<BackendName, () => Backend>> = {
  reference: () => referenceBackend,
};

let current: Backend | undefined;

/** The names of the backends that can run here, fastest first. */
export function availableBackends(): readonly BackendName[] {
  return Object.keys(makers) as BackendName[];
}

/** @throws BackendError when the backend is unknown or cannot run here */
export function setBackend(name: BackendName): void {
  current = makeBackend(name);
}

export function getBackend(): Backend {
  current ??= makeBackend((environment("KASANE_BACKEND") ?? "reference") as BackendName);
  return current;
}

/** The backend for operands of these dtypes. */
export function backendFor(operands: readonly { readonly dtype: DType }[]): Backend {
  const backend = getBackend();
  for (const operand of operands) if (!backend.dtypes.has(operand.dtype)) return referenceBackend;
  return backend;
}

function makeBackend(name: BackendName): Backend {
  const maker = makers[name];
  if (maker === undefined) throw new BackendError(`unknown backend '${name}'`, { hint: `backends: ${availableBackends().join(", ")}` });
  return maker();
}

/** An environment variable in Node; undefined in browsers. */
function environment(name: string): string | undefined {
  return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[name];
}
