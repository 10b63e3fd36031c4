// Learns byte-pair merges with a heap of pair counts that are updated after every merge.

/** Two neighbouring tokens. */
export type Pair = readonly [left: number, right: number];

/** A word as it is split so far, and how often it occurs in the text. */
export interface Word {
  readonly tokens: number[];
  readonly count: number;
}

/** Where numbering begins, and when to stop. */
export interface MergeOptions {
  /** Number of the token that the first merge makes. */
  readonly first: number;
  /** Merges to learn at most. */
  readonly most: number;
  /** Rarer pairs are not merged. */
  readonly minimumCount: number;
}

/**
 * The most frequent pair, merged everywhere, again and again; ties go to the smaller left and then right token. Changes
 * the words.
 */
export function learnMerges(words: readonly Word[], { first, most, minimumCount }: MergeOptions): Pair[] {
  const pairs = new PairTable();
  for (const [index, { tokens, count }] of words.entries()) {
    for (let place = 1; place < tokens.length; place++) {
      const pair = pairs.at(tokens[place - 1]!, tokens[place]!);
      pair.count += count;
      pair.words.push(index);
    }
  }
  const heap = new PairHeap();
  for (const pair of pairs.takeNew()) heap.push(pair);

  const merges: Pair[] = [];
  while (merges.length < most) {
    const best = heap.pop();
    if (best === undefined) break;
    if (best.rank !== best.count) {
      // Counts only fall once a pair is in the heap: its true place is further down.
      heap.push(best);
      continue;
    }
    if (best.count < minimumCount) break;
    const { left, right } = best;
    const made = first + merges.length;
    for (const index of best.words) {
      const { tokens, count } = words[index]!;
      // A word is listed once for each time it had the pair; the first visit merges them all.
      if (!has(tokens, left, right)) continue;
      for (let place = 1; place < tokens.length; place++) pairs.at(tokens[place - 1]!, tokens[place]!).count -= count;
      mergePair(tokens, left, right, made);
      for (let place = 1; place < tokens.length; place++) {
        const [before, here] = [tokens[place - 1]!, tokens[place]!];
        const pair = pairs.at(before, here);
        pair.count += count;
        if (before === made || here === made) pair.words.push(index);
      }
    }
    best.words = [];
    for (const pair of pairs.takeNew()) heap.push(pair);
    merges.push([left, right]);
  }
  return merges;
}

/** Replaces the pair, from the left, wherever it stands in `tokens`. */
export function mergePair(tokens: number[], left: number, right: number, made: number): void {
  let length = 0;
  for (let place = 0; place < tokens.length; place++) {
    const joins = tokens[place] === left && tokens[place + 1] === right;
    tokens[length++] = joins ? made : tokens[place]!;
    if (joins) place++;
  }
  tokens.length = length;
}

function has(tokens: readonly number[], left: number, right: number): boolean {
  for (let place = 1; place < tokens.length; place++) if (tokens[place - 1] === left && tokens[place] === right) return true;
  return false;
}

interface CountedPair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** The count by which the heap sorts it. */
  rank: number;
  /** Words that have, or once had, the pair. */
  words: number[];
}

/** All pairs that ever stood next to each other. */
class PairTable {
  readonly #byLeft: Map<number, CountedPair>[] = [];
  #new: CountedPair[] = [];

  at(left: number, right: number): CountedPair {
    this.#byLeft[left] ??= new Map();
    const byRight = this.#byLeft[left];
    const known = byRight.get(right);
    if (known !== undefined) return known;
    const pair: CountedPair = { left, right, count: 0, rank: 0, words: [] };
    byRight.set(right, pair);
    this.#new.push(pair);
    return pair;
  }

  /** The pairs that are new since the last call. */
  takeNew(): readonly CountedPair[] {
    const taken = this.#new;
    this.#new = [];
    return taken;
  }
}

/** A binary heap: the largest count first, of equal counts the smallest left and then right token. */
class PairHeap {
  readonly #pairs: CountedPair[] = [];

  /** Sorts the pair in by its present count. It must not be in the heap. */
  push(pair: CountedPair): void {
    const pairs = this.#pairs;
    pair.rank = pair.count;
    let place = pairs.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!before(pair, pairs[parent]!)) break;
      pairs[place] = pairs[parent]!;
      place = parent;
    }
    pairs[place] = pair;
  }

  pop(): CountedPair | undefined {
    const pairs = this.#pairs;
    const top = pairs[0];
    const last = pairs.pop();
    if (last === undefined || pairs.length === 0) return top;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= pairs.length) break;
      if (child + 1 < pairs.length && before(pairs[child + 1]!, pairs[child]!)) child++;
      if (!before(pairs[child]!, last)) break;
      pairs[place] = pairs[child]!;
      place = child;
    }
    pairs[place] = last;
    return top;
  }
}

function before(a: CountedPair, b: CountedPair): boolean {
  if (a.rank !== b.rank) return a.rank > b.rank;
  return a.left < b.left || (a.left === b.left && a.right < b.right);
}
