// Restores, for a backward pass, the numbers that tensors held in the forward pass.

import { makeOp } from "../../ops/op.ts";
import { InputError } from "../../util/errors.ts";
import { recordPull } from "../engine.ts";
import { currentTrace, dependsOn } from "../trace/trace.ts";
import type { Found, Value } from "../value.ts";
import { levelsOf, mapped } from "../vmap/mapping.ts";

const earlier = makeOp("move", "earlier", "y = x", { doc: { en: "A tensor as it was when an op read it." } });

/**
 * `input` where it still is as it was found, else a tensor with the numbers it had, whose gradient is that of `input`.
 */
export function asFound(input: Value, found: Found | undefined): Value {
  if (found === undefined || isAsFound(found)) return input;
  const whole = standIn(found);
  return recordPull(earlier, [input], levelsOf(input).reduceRight(mapped, whole), (upstream) => [upstream]);
}

/** Runs a function while the tensors hold what was found in them. */
export function withFound<Result>(all: readonly Found[], run: () => Result): Result {
  const ends = all.filter((found) => !isAsFound(found)).map(lend);
  try {
    return run();
  } finally {
    for (const end of ends.reverse()) end();
  }
}

function isAsFound(found: Found): boolean {
  const trace = currentTrace();
  const { value } = found;
  if (found.trace !== undefined) {
    if (trace === found.trace) return trace.bufferOf(value) === found.buffer;
    throw new InputError("backward: this tensor was computed inside a compiled function, and its numbers stayed there", {
      hint: "return it from the function, or call backward() inside",
    });
  }
  const isSame = (): boolean => value.version === found.version;
  return trace === undefined ? isSame() : dependsOn(isSame) && !trace.isUpdated(value);
}

function standIn(found: Found): Value {
  const { value } = found;
  const make = (): Value => value.make(found.trace === undefined ? found.data : undefined, value.shape, value.dtype);
  return found.trace === undefined ? make() : found.trace.standFor(make(), found.buffer);
}

function lend(found: Found): () => void {
  const trace = currentTrace();
  if (trace !== undefined) return trace.lend(found.value, standIn(found));
  const stand = standIn(found);
  return found.value.lend(stand.share());
}
