// Approximate costs of calls in instructions: whether to repeat one, or run it side by side, or to use memory instead.

import type { FunctionName } from "./nest.ts";

/** Calls that are more than an instruction or two. */
const INSTRUCTIONS: Partial<Record<FunctionName, number>> = {
  ...{ exp: 16, expm1: 18, log: 20, log1p: 24, pow: 70, mod: 16, sin: 26, cos: 26, tan: 40, asin: 20, acos: 20, atan: 24 },
  ...{ sinh: 40, cosh: 34, tanh: 30, erf: 34, uniform: 60, div: 3, sqrt: 3 },
};

/** What their one unit is busy beyond that: as long as others would take, but others may run meanwhile. */
const BUSY: Partial<Record<FunctionName, number>> = { div: 5, sqrt: 7 };

/** Instructions that a processor has to find place for. */
export const instructionsOf = (fn: FunctionName): number => INSTRUCTIONS[fn] ?? 1;

/** How long a call takes, counted in instructions. */
export const timeOf = (fn: FunctionName): number => instructionsOf(fn) + (BUSY[fn] ?? 0);

/** Calls whose repetition costs more than a pass through memory. */
export const isCostly = (fn: FunctionName): boolean => INSTRUCTIONS[fn] !== undefined;
