// Checks arguments that must be lists, so that zeros(3) gets a clear error.

import { InputError } from "./errors.ts";
import { kindOf } from "./kind-of.ts";

/**
 * @param what the function
 * @param expected what the list holds: "a shape: a list of extents"
 * @param hint how it is written
 */
export function requireList(what: string, expected: string, value: unknown, hint: string): void {
  if (!Array.isArray(value)) throw new InputError(`${what}: expected ${expected}, got ${kindOf(value)}`, { hint });
}
