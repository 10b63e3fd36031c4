// The interface of all tokenizers, and the special tokens that text itself never produces.

import { InputError } from "../../util/errors.ts";
import { kindOf, textOf, written } from "../../util/kind-of.ts";
import { isIndexed } from "../array.ts";

/** Turns text into token numbers from 0 to `size` − 1, and back. */
export interface Tokenizer {
  /** Number of tokens, special ones included: the rows of an embedding. */
  readonly size: number;
  /** Tokens such as "<end>" that stand for no text: `encode` never gives them, `decode` writes their name. */
  readonly special: readonly string[];
  /** The numbers of the tokens of a text, [tokens]; none for empty text. */
  encode(text: string): Int32Array;
  /** The text of these tokens. @throws InputError for a number that is no token. */
  decode(tokens: ArrayLike<number>): string;
  /** The number of a special token. @throws InputError when there is none of that name. */
  specialToken(name: string): number;
  /** What the class's `fromJSON` reads. */
  toJSON(): unknown;
}

/**
 * The number of a special token when the first one has number `first`.
 * @throws InputError when there is none of that name.
 */
export function specialNumber(special: readonly string[], name: string, first: number): number {
  const place = special.indexOf(name);
  if (place !== -1) return first + place;
  throw new InputError(`tokenizer: there is no special token ${written(name)}; there are: ${special.join(", ") || "none"}`);
}

/** @throws InputError unless the names are different and not empty. */
export function checkSpecial(special: readonly string[]): void {
  if (
    !Array.isArray(special) ||
    !special.every((name) => typeof name === "string" && name !== "") ||
    new Set(special).size < special.length
  ) {
    throw new InputError(`tokenizer: expected special tokens with different names, got ${written(special)}`);
  }
}

/** @throws InputError for anything but a list of token numbers. */
export function requireTokens(tokens: unknown): void {
  if (!isIndexed(tokens)) throw new InputError(`tokenizer: expected a list of token numbers, got ${kindOf(tokens)}`);
}

/** @throws InputError for a number outside the vocabulary. */
export function noSuchToken(token: number, place: number, size: number): never {
  throw new InputError(`tokenizer: expected token numbers from 0 to ${size - 1}, got ${textOf(token)} at position ${place}`);
}

/** Whether a value read from a file is a list of texts. */
export function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
