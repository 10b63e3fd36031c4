// Numbers as people and programs write them in tables and after flags: decimal, with a point; nothing else that JavaScript reads as one.

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The number that is written, blanks around it aside; NaN for any other text, also for hexadecimal ones. */
export function decimalOf(text: string): number {
  const trimmed = text.trim();
  return decimal.test(trimmed) ? Number(trimmed) : Number.NaN;
}
