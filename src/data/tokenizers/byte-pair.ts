// The byte-pair tokenizer: encodes any text by learned merges.

import { listOf, OBJECT, requireKind, TEXT, withLength } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { textOf } from "../../util/kind-of.ts";
import { checkOptions } from "../../util/options.ts";
import { tag } from "../../util/tag.ts";
import { fromUtf8, toUtf8 } from "../../util/text.ts";
import { checkCount } from "../generators/random.ts";
import { learnMerges, mergePair, type Pair } from "./merges.ts";
import { checkSpecial, noSuchToken, requireTokens, specialNumber, type Tokenizer } from "./tokenizer.ts";

/** How much to learn. */
export interface BytePairOptions {
  /**
   * Tokens in all: 256 bytes, the merges, the special tokens. Fewer when no pair occurs `minimumCount` times any more.
   */
  readonly size: number;
  /** Pairs that occur less often are not merged (default 2). */
  readonly minimumCount?: number;
  /** Tokens that stand for no text; they come after all others. Default none. */
  readonly special?: readonly string[];
}

/** A byte-pair tokenizer as JSON. */
export interface BytePairState {
  /** Merge n makes token 256 + n from two earlier ones. */
  readonly merges: readonly Pair[];
  readonly special: readonly string[];
}

const BYTES = 256;
const MOST_TOKENS = 2 ** 24;
/** Remembered pieces; then forgetting and starting anew is cheaper than keeping account. */
const REMEMBERED = 1 << 16;

/**
 * Byte-pair encoding (Sennrich, Haddow and Birch, 2016) of the UTF-8 bytes of a text, so that no text is unknown.
 * Merges stay within words: a space belongs to the word after it. Every text comes back from `decode` unchanged, except
 * that a surrogate without its partner, which UTF-8 cannot express, comes back as U+FFFD.
 *
 * @example const tokenizer = BytePairTokenizer.train(text, { size: 1024, special: ["<end>"] }); const tokens = tokenizer.encode("To be, or not to be"); tokenizer.decode(tokens); // "To be, or not to be"
 */
export class BytePairTokenizer implements Tokenizer {
  readonly merges: readonly Pair[];
  readonly special: readonly string[];
  readonly #made: ReadonlyMap<number, number>;
  readonly #text: readonly Uint8Array[];
  readonly #known = new Map<string, readonly number[]>();

  /**
   * @throws InputError when a merge uses a token that does not exist yet or repeats an earlier merge, or a special name
   * repeats.
   */
  constructor(state: BytePairState) {
    requireKind("byte-pair tokenizer", OBJECT, state);
    const { merges, special } = state;
    checkSpecial(special);
    requireKind("byte-pair tokenizer: merges", PAIRS, merges);
    const made = new Map<number, number>();
    const text = Array.from({ length: BYTES }, (_, byte) => Uint8Array.of(byte));
    for (const [left, right] of merges) {
      const token = text.length;
      const [first, second] = [left, right].map((part) => (Number.isInteger(part) ? text[part] : undefined));
      if (first === undefined || second === undefined || made.has(pairKey(left, right))) {
        throw new InputError(
          `byte-pair tokenizer: merge ${made.size} must join two earlier tokens for the first time, got [${left}, ${right}]`,
        );
      }
      made.set(pairKey(left, right), token);
      const joined = new Uint8Array(first.length + second.length);
      joined.set(first);
      joined.set(second, first.length);
      text.push(joined);
    }
    this.merges = merges.map(([left, right]) => [left, right] as const);
    this.special = [...special];
    this.#made = made;
    this.#text = text;
  }

  /**
   * Learns merges from a text: again and again the most frequent pair of neighbours, of equally frequent ones the one
   * with the smaller numbers. Time grows with the different words of the text, not with its length times the merges.
   *
   * @throws InputError when the text is empty or `size` has no room for the bytes and the special tokens.
   */
  static train(text: string, options: BytePairOptions): BytePairTokenizer {
    const {
      size,
      minimumCount = 2,
      special = [],
    } = checkOptions<BytePairOptions>("BytePairTokenizer.train", options, { size: true, minimumCount: true, special: true });
    const least = BYTES + special.length;
    checkCount(minimumCount, "byte-pair tokenizer: minimumCount");
    if (!Number.isSafeInteger(size) || size < least || size > MOST_TOKENS) {
      throw new InputError(
        `byte-pair tokenizer: expected a size from ${least} (all bytes and special tokens) to 2^24, got ${textOf(size)}`,
      );
    }
    if (text === "") throw new InputError("byte-pair tokenizer: expected some text to learn from, got none");
    requireKind("byte-pair tokenizer: text", TEXT, text);
    const counts = new Map<string, number>();
    for (const [piece] of piecesOf(text)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
    const words = Array.from(counts, ([piece, count]) => ({ tokens: Array.from(toUtf8(piece)), count }));
    return new BytePairTokenizer({ merges: learnMerges(words, { first: BYTES, most: size - least, minimumCount }), special });
  }

  /** @throws InputError when `state` is not what `toJSON` gives. */
  static fromJSON(state: unknown): BytePairTokenizer {
    const { merges, special } = (state ?? {}) as Partial<BytePairState>;
    if (!Array.isArray(merges) || !Array.isArray(special) || !merges.every((pair) => Array.isArray(pair) && pair.length === 2)) {
      throw new InputError('byte-pair tokenizer: expected {"merges": [[left, right], …], "special": […]}');
    }
    return new BytePairTokenizer({ merges, special });
  }

  get size(): number {
    return this.#text.length + this.special.length;
  }

  encode(text: string): Int32Array {
    requireKind("byte-pair tokenizer: text", TEXT, text);
    let tokens = new Int32Array(Math.max(16, text.length >> 1));
    let length = 0;
    for (const [piece] of piecesOf(text)) {
      const found = this.#known.get(piece) ?? this.#encodePiece(piece);
      if (length + found.length > tokens.length) {
        const larger = new Int32Array(2 * (length + found.length));
        larger.set(tokens);
        tokens = larger;
      }
      tokens.set(found, length);
      length += found.length;
    }
    return tokens.slice(0, length);
  }

  /** Bytes that are not whole characters, as a model may choose them, become U+FFFD. */
  decode(tokens: ArrayLike<number>): string {
    requireTokens(tokens);
    const parts = Array.from(tokens, (token, place) => {
      const name = this.special[token - this.#text.length];
      return this.#text[token] ?? (name === undefined ? noSuchToken(token, place, this.size) : toUtf8(name));
    });
    const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let start = 0;
    for (const part of parts) {
      all.set(part, start);
      start += part.length;
    }
    // A byte-order mark is part of the text like any other character.
    return fromUtf8(all, { ignoreBOM: true });
  }

  specialToken(name: string): number {
    return specialNumber(this.special, name, this.#text.length);
  }

  toJSON(): BytePairState {
    return { merges: this.merges, special: this.special };
  }

  /** Applies the earliest merge that fits until none does. */
  #encodePiece(piece: string): readonly number[] {
    const tokens = Array.from(toUtf8(piece));
    for (;;) {
      let [earliest, left, right] = [Number.POSITIVE_INFINITY, 0, 0];
      for (let place = 1; place < tokens.length; place++) {
        const [before, here] = [tokens[place - 1]!, tokens[place]!];
        const token = this.#made.get(pairKey(before, here));
        if (token !== undefined && token < earliest) [earliest, left, right] = [token, before, here];
      }
      if (earliest === Number.POSITIVE_INFINITY) break;
      mergePair(tokens, left, right, earliest);
    }
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(piece, tokens);
    return tokens;
  }

  static {
    tag(BytePairTokenizer, "BytePairTokenizer", (candidate) => #made in candidate);
  }
}

/**
 * Words with the space before them, numbers, runs of signs, runs of white space. At most 64 characters each: the work
 * for a piece grows with the square of its length, and some text has no spaces at all.
 */
function piecesOf(text: string): Iterable<RegExpMatchArray> {
  return text.matchAll(/ ?(?:[\p{L}\p{M}]{1,64}|\p{N}{1,64}|[^\s\p{L}\p{M}\p{N}]{1,64})|\s{1,64}/gu);
}

/** One safe integer per pair of tokens. */
function pairKey(left: number, right: number): number {
  return left * MOST_TOKENS + right;
}

const PAIRS = listOf("a list of pairs of tokens", withLength(2));
