// Formats numbers with few digits.

/** With a few digits, and no zeros behind them: 0.333, 120000. */
export function short(value: number, digits = 3): string {
  return String(Number(value.toPrecision(digits)));
}
