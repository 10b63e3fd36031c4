// Finds the nearest known name, for "did you mean" in errors.

/**
 * The candidate that takes the fewest edits to reach from `name`, or undefined when none is close. Case does not count.
 */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const wanted = name.toLowerCase().slice(0, 100);
  let best: string | undefined;
  // A third of the letters may be wrong, but never all; beyond that a suggestion is only confusing.
  let fewest = Math.max(Math.min(1, wanted.length - 1), Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(wanted, candidate.toLowerCase().slice(0, 100));
    if (edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

/**
 * Levenshtein distance with swaps: insertions, deletions and replacements of one letter, and exchanges of two
 * neighbours.
 */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  let before: readonly number[] = [];
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = row[j]! + (a[i] === b[j] ? 0 : 1);
      const isSwapped = i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j];
      const swapped = isSwapped ? before[j - 1]! + 1 : replaced;
      next.push(Math.min(replaced, swapped, row[j + 1]! + 1, next[j]! + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}
