// Windows over a stream of tokens, for language models.

import { isHeldBy } from "../../nest/integers.ts";
import { InputError } from "../../util/errors.ts";
import { kindOf, textOf } from "../../util/kind-of.ts";
import { checkOptions } from "../../util/options.ts";
import type { NdArray } from "../array.ts";
import { isIndexed } from "../array.ts";
import { Dataset } from "../dataset.ts";
import { checkCount } from "../generators/random.ts";

/** How to cut the stream. */
export interface WindowOptions {
  /** Tokens per window. */
  readonly length: number;
  /** Tokens from the beginning of one window to the next (default `length`: no input occurs twice). */
  readonly stride?: number;
}

/** Inputs and what follows each of them, both [windows, length]. */
export interface TokenWindows extends Readonly<Record<string, NdArray<Int32Array>>> {
  readonly x: NdArray<Int32Array>;
  /** y[n, t] is the token after x[n, t]. */
  readonly y: NdArray<Int32Array>;
}

/**
 * Samples for a model that predicts the next token. Tokens at the end that fill no window are left out.
 *
 * @example
 * const samples = tokenWindows(tokenizer.encode(text), { length: 128, stride: 64 });
 * @throws InputError for options that are not whole numbers of at least 1, or fewer than `length` + 1 tokens.
 */
export function tokenWindows(tokens: ArrayLike<number>, options: WindowOptions): Dataset<TokenWindows> {
  const { length, stride = length } = checkOptions<WindowOptions>("tokenWindows", options, { length: true, stride: true });
  checkCount(length, "tokenWindows: length");
  checkCount(stride, "tokenWindows: stride");
  if (!isIndexed(tokens)) throw new InputError(`tokenWindows: expected a list of token ids, got ${kindOf(tokens)}`);
  if (tokens.length <= length) {
    throw new InputError(`tokenWindows: expected at least ${length + 1} tokens, ${length} and the one to predict, got ${tokens.length}`, {
      hint: "more text, or a smaller length",
    });
  }
  const stream = Int32Array.from(tokens, (token, place) => {
    if (isHeldBy("int32", token)) return token;
    throw new InputError(`tokenWindows: expected token ids that int32 holds, got ${textOf(token)} at position ${place}`);
  });
  const count = Math.floor((stream.length - 1 - length) / stride) + 1;
  const [x, y] = [new Int32Array(count * length), new Int32Array(count * length)];
  for (let window = 0; window < count; window++) {
    const start = window * stride;
    x.set(stream.subarray(start, start + length), window * length);
    y.set(stream.subarray(start + 1, start + 1 + length), window * length);
  }
  const shape = [count, length];
  return new Dataset<TokenWindows>({ x: { shape, data: x }, y: { shape, data: y } });
}
