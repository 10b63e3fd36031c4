// Approximate costs of calls in vector instructions: whether repeating one costs more than a pass through memory.

import type { FunctionName } from "../nest/nest.ts";

/** Calls that are more than an instruction or two. Random numbers have no weight here: they are drawn again rather than kept. */
export const CALL_WEIGHTS: Partial<Record<FunctionName, number>> = {
  ...{ erf: 27, tanh: 35, log: 25, log1p: 30, pow: 100, sin: 25, cos: 25, tan: 40, asin: 25, acos: 25, atan: 25, sinh: 40, cosh: 35 },
  ...{ exp: 14, expm1: 18, div: 8, sqrt: 10, mod: 15 },
};

/** Calls whose repetition costs more than a pass through memory. */
export function isCostly(fn: FunctionName): boolean {
  return fn === "uniform" || CALL_WEIGHTS[fn] !== undefined;
}
