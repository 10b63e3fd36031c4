// Compares two measured numbers, better or worse: NaN is worse than any number.

/** Which numbers are better. */
export type Better = "smaller" | "larger";

/**
 * Whether a number is better than another by more than a margin; NaN never is, and anything else is better than NaN.
 */
export function isBetter(value: number, than: number, better: Better, margin = 0): boolean {
  if (Number.isNaN(value) || Number.isNaN(than)) return !Number.isNaN(value);
  const gain = better === "smaller" ? than - value : value - than;
  // A gain from one infinity to the same is NaN: none.
  return gain > margin;
}

/** For sort(): the better numbers first, NaN last. */
export function ranking(better: Better): (a: number, b: number) => number {
  return (a, b) => Number(isBetter(b, a, better)) - Number(isBetter(a, b, better));
}

/** The first of the best items; undefined where there is none that measures a number. */
export function bestOf<Item>(items: Iterable<Item>, measure: (item: Item) => number, better: Better): Item | undefined {
  let best: Item | undefined;
  let most = Number.NaN;
  for (const item of items) {
    const value = measure(item);
    if (!isBetter(value, most, better)) continue;
    [best, most] = [item, value];
  }
  return best;
}
