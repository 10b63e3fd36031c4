// Decimal numbers in tables and flags: with a point, and no other form that JavaScript accepts.

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The number that is written, blanks around it aside; NaN for any other text, also for hexadecimal ones. */
export function decimalOf(text: string): number {
  const trimmed = text.trim();
  return DECIMAL.test(trimmed) ? Number(trimmed) : Number.NaN;
}
