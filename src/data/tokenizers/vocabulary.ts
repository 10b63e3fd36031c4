// Tokenizers with a fixed vocabulary: of characters, or of words, spaces and punctuation.

import { LIST, OBJECT, requireKind, TEXT } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { written } from "../../util/kind-of.ts";
import { checkOptions } from "../../util/options.ts";
import { tag } from "../../util/tag.ts";
import { checkCount } from "../generators/random.ts";
import { checkSpecial, isTexts, noSuchToken, requireTokens, specialNumber, type Tokenizer } from "./tokenizer.ts";

/** What to learn from a text. */
export interface VocabularyOptions {
  /**
   * "character": code points. "word": runs of letters and digits; each other code point is a token of its own. Default
   * "character".
   */
  readonly level?: "character" | "word";
  /** Tokens that stand for no text; they come after all others. Default none. */
  readonly special?: readonly string[];
  /**
   * Name of the special token for pieces of text that are not in the vocabulary; added to `special`. Without it they
   * are an error.
   */
  readonly unknown?: string;
  /** Leave out pieces that occur less often (default 1). */
  readonly minimumCount?: number;
  /**
   * Keep only the most frequent pieces so that there are at most this many tokens, special ones included. Default all.
   */
  readonly size?: number;
}

/** A vocabulary as JSON. */
export interface VocabularyState {
  readonly level: "character" | "word";
  /** Token numbers are places in this list; the special ones follow. */
  readonly pieces: readonly string[];
  readonly special: readonly string[];
  /** One of `special`. */
  readonly unknown?: string;
}

/**
 * One token per character or word. Whatever text has only known pieces comes back from `decode` unchanged, lone
 * surrogates included.
 *
 * @example const characters = VocabularyTokenizer.fit("hello"); characters.encode("hole"); // [1, 3, 2, 0]: numbers follow the order of code units, e h l o
 */
export class VocabularyTokenizer implements Tokenizer {
  readonly level: "character" | "word";
  readonly pieces: readonly string[];
  readonly special: readonly string[];
  readonly unknown: string | undefined;
  readonly #numbers: ReadonlyMap<string, number>;

  /** @throws InputError when there is no piece, a piece or name repeats, or `unknown` is not among `special`. */
  constructor(state: VocabularyState) {
    requireKind("vocabulary", OBJECT, state);
    const { level, pieces, special, unknown } = state;
    if (level !== "character" && level !== "word") {
      throw new InputError(`vocabulary: expected level "character" or "word", got ${written(level)}`);
    }
    requireKind("vocabulary: pieces", LIST, pieces);
    if (pieces.length === 0) throw new InputError("vocabulary: expected at least one piece of text, got none");
    checkSpecial(special);
    if (unknown !== undefined && !special.includes(unknown)) {
      throw new InputError(`vocabulary: unknown is ${JSON.stringify(unknown)}, which is not among the special tokens`);
    }
    this.level = level;
    this.pieces = [...pieces];
    this.special = [...special];
    this.unknown = unknown;
    this.#numbers = new Map(pieces.map((piece, number) => [piece, number]));
    if (this.#numbers.size < pieces.length) throw new InputError("vocabulary: a piece is given twice");
  }

  /**
   * Learns the pieces of a text; they are numbered by code unit.
   *
   * @throws InputError when the text is empty, or `size` or `minimumCount` leaves no piece.
   */
  static fit(text: string, options: VocabularyOptions = {}): VocabularyTokenizer {
    const {
      level = "character",
      unknown,
      minimumCount = 1,
      size,
    } = checkOptions<VocabularyOptions>("vocabulary", options, {
      level: true,
      special: true,
      unknown: true,
      minimumCount: true,
      size: true,
    });
    const special = [...(options.special ?? [])];
    if (unknown !== undefined && !special.includes(unknown)) special.push(unknown);
    checkCount(minimumCount, "vocabulary: minimumCount");
    if (text === "") throw new InputError("vocabulary: expected some text to learn from, got none");
    requireKind("vocabulary: text", TEXT, text);
    const counts = new Map<string, number>();
    for (const piece of piecesOf(text, level)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
    // Equally frequent pieces in order of code units, so that a limit takes the same ones everywhere.
    const kept = [...counts].filter(([, count]) => count >= minimumCount).sort(([a, m], [b, n]) => n - m || byCodeUnit(a, b));
    const room = size === undefined ? kept.length : size - special.length;
    if (size !== undefined) checkCount(size, "vocabulary: size", special.length + 1);
    if (kept.length === 0)
      throw new InputError(`vocabulary: no piece of the text occurs ${minimumCount} times`, { hint: "a smaller minimumCount" });
    const pieces = kept.slice(0, room).map(([piece]) => piece);
    return new VocabularyTokenizer({ level, pieces: pieces.sort(byCodeUnit), special, unknown });
  }

  /** @throws InputError when `state` is not what `toJSON` gives. */
  static fromJSON(state: unknown): VocabularyTokenizer {
    const { level, pieces, special, unknown } = (state ?? {}) as Partial<VocabularyState>;
    if (level === undefined || !isTexts(pieces) || !isTexts(special) || !(unknown === undefined || typeof unknown === "string")) {
      throw new InputError('vocabulary: expected {"level": …, "pieces": […], "special": […]} with texts');
    }
    return new VocabularyTokenizer({ level, pieces, special, unknown });
  }

  get size(): number {
    return this.pieces.length + this.special.length;
  }

  /** @throws InputError for a piece that is not in the vocabulary, when there is no `unknown` token. */
  encode(text: string): Int32Array {
    requireKind("vocabulary: text", TEXT, text);
    const rest = this.unknown === undefined ? undefined : this.specialToken(this.unknown);
    return Int32Array.from(piecesOf(text, this.level), (piece) => {
      const number = this.#numbers.get(piece) ?? rest;
      if (number !== undefined) return number;
      throw new InputError(`vocabulary: ${JSON.stringify(piece)} is not among the ${this.pieces.length} known pieces of text`, {
        hint: 'fit on text that has it, or with unknown: "<unknown>"',
      });
    });
  }

  decode(tokens: ArrayLike<number>): string {
    const { pieces, special, size } = this;
    requireTokens(tokens);
    return Array.from(tokens, (token, place) => pieces[token] ?? special[token - pieces.length] ?? noSuchToken(token, place, size)).join(
      "",
    );
  }

  specialToken(name: string): number {
    return specialNumber(this.special, name, this.pieces.length);
  }

  toJSON(): VocabularyState {
    const { level, pieces, special, unknown } = this;
    return { level, pieces, special, unknown };
  }

  static {
    tag(VocabularyTokenizer, "VocabularyTokenizer", (candidate) => #numbers in candidate);
  }
}

function piecesOf(text: string, level: "character" | "word"): Iterable<string> {
  // The iterator of a string gives code points; a surrogate without its partner comes alone.
  return level === "character" ? text : (text.match(/[\p{L}\p{M}\p{N}]+|./gsu) ?? []);
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
