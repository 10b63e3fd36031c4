// The one rule by which numbers become integers, in casts, conversions and stores.

/** The dtypes that hold whole numbers, and from where to where. */
export const INTEGER_RANGES = {
  int32: [-2147483648, 2147483647],
  uint8: [0, 255],
} as const;

export type IntegerDType = keyof typeof INTEGER_RANGES;

/** Toward zero, and to the nearest number that the type holds; NaN gives 0. */
export function nearestInteger(value: number, dtype: IntegerDType): number {
  const [low, high] = INTEGER_RANGES[dtype];
  return Math.max(low, Math.min(high, Math.trunc(value))) | 0;
}

/** Whether the type holds this very number. */
export function isHeldBy(dtype: IntegerDType, value: number): boolean {
  const [low, high] = INTEGER_RANGES[dtype];
  return Number.isInteger(value) && value >= low && value <= high;
}
