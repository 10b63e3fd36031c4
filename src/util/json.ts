// Numbers in JSON, which has no form for NaN and infinities.

/**
 * For `JSON.stringify`: NaN and infinities as texts that `Number` reads back, where JSON by itself would write null.
 */
export function nonFiniteAsText(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
