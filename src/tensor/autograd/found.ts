// Remembers the numbers that ops read, for backward passes that run after the tensors have changed.

import { currentTrace } from "../trace/trace.ts";
import type { Found, Value } from "../value.ts";
import { wholeOf } from "../vmap/mapping.ts";

/** Those whose reads are noted, outermost first. */
let open: readonly Reads[] = [];

interface Reads {
  readonly found: Map<Value, Found>;
  /** What was computed meanwhile is computed again, not kept. */
  readonly made: WeakSet<Value>;
}

/**
 * What a tensor holds at present; undefined where it never holds anything else: what was computed, and numbers of the
 * program.
 */
function foundIn(given: Value): Found | undefined {
  const value = wholeOf(given);
  if (value.node !== undefined || value.isConstant) return undefined;
  const trace = currentTrace();
  if (trace !== undefined) return { value, trace, buffer: trace.bufferOf(value) };
  return { value, trace, version: value.version, data: value.share() };
}

/** What an op found in each of its inputs; undefined where none of them can change. */
export function foundInAll(inputs: readonly Value[]): readonly (Found | undefined)[] | undefined {
  const found = inputs.map(foundIn);
  return found.some((one) => one !== undefined) ? found : undefined;
}

/** Runs a function and returns what the tensors from outside held that it read. */
export function noteReads<Result>(run: () => Result): { readonly result: Result; readonly found: readonly Found[] } {
  const reads: Reads = { found: new Map(), made: new WeakSet() };
  const before = open;
  open = [...open, reads];
  try {
    return { result: run(), found: [...reads.found.values()] };
  } finally {
    open = before;
  }
}

/** An op read `inputs` and made `output`. */
export function noteOp(inputs: readonly Value[], output: Value): void {
  for (const { found, made } of open) {
    for (const input of inputs.map(wholeOf)) {
      const now = found.has(input) || made.has(input) ? undefined : foundIn(input);
      if (now !== undefined) found.set(input, now);
    }
    made.add(wholeOf(output));
  }
}
