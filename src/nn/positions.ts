// Position encodings: sinusoidal, learned and rotary.

import { tensor } from "../tensor/create.ts";
import { concat } from "../tensor/functions/index.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { checkCount, checkFeatures, checkRank } from "./checks.ts";
import { normal, type Start, start } from "./init.ts";
import { makeLayer, type ShapedLayer } from "./layer.ts";
import type { TokensRule } from "./sequence-rules.ts";

/** Wavelengths and layout of a rotary position encoding. */
export interface RotaryOptions {
  /** The slowest wave has about this wavelength over 2π. Default 10000. */
  readonly base?: number;
  /** Position of the first token. Default 0. */
  readonly offset?: number;
  /**
   * Which features turn together: neighbours, as in the paper, or feature k and k + size / 2, as in GPT-NeoX and Llama.
   * Default "neighbours".
   */
  readonly pairs?: "neighbours" | "halves";
}

/**
 * Adds waves to x [batch, tokens, size]: sin(t / 10000^(2k / size)) to feature 2k of token t, the cosine to feature 2k + 1.
 * No parameters. Vaswani et al. 2017.
 * @throws InputError unless size is even; when called, ShapeError for other shapes
 */
export function sinusoidalPositions<const Size extends number>(size: Size): ShapedLayer<TokensRule<"sinusoidalPositions", Size>> {
  const name = "sinusoidalPositions";
  checkCount(name, "size", size);
  if (size % 2 !== 0) throw new InputError(`${name}: size must be even, got ${size}`);
  return makeLayer({
    kind: name,
    settings: { size },
    forward(_state, x: Tensor) {
      checkTokens(name, x, size);
      const tokens = x.shape[1]!;
      const table = tableOf([name, tokens, size, x.dtype], () => {
        const waves = anglesOf(tokens, size, 10000, 0).flatMap((angle) => [Math.sin(angle), Math.cos(angle)]);
        return tensor(waves, [tokens, size], { dtype: x.dtype }) as Tensor;
      });
      return x.add(table);
    },
  });
}

/**
 * Adds to token t of x [batch, tokens, size] row t of a table that is learned: parameter weight [count, size], from
 * normal(0, 0.02) unless given.
 * @throws when called, InputError for more tokens than `count`, ShapeError for other shapes
 */
export function learnedPositions<const Size extends number>(
  count: number,
  size: Size,
  options: { readonly init?: Start } = {},
): ShapedLayer<TokensRule<"learnedPositions", Size>> {
  checkOptions("learnedPositions", options, { init: true });
  const name = "learnedPositions";
  checkCount(name, "count", count);
  checkCount(name, "size", size);
  const weight = start(`${name} weight`, options.init ?? normal(0, 0.02), [count, size], { in: 1, out: 1 });
  return makeLayer({
    kind: name,
    settings: { count, size },
    parameters: { weight },
    forward(_state, x: Tensor) {
      checkTokens(name, x, size);
      const tokens = x.shape[1]!;
      if (tokens > count) throw new InputError(`${name}: expected at most ${count} tokens, got ${tokens}`);
      return x.add(weight.slice([0, tokens]));
    },
  });
}

export const ROTARY_OPTIONS: OptionNames<RotaryOptions> = { base: true, offset: true, pairs: true };

/**
 * Rotates pairs of features of x [..., tokens, size] by angles that grow with the position, so that products of queries
 * and keys depend on their distance only. Su et al. 2021 (RoFormer).
 * @throws ShapeError unless size is even; InputError for options out of range
 */
export function rotary(x: Tensor, options: RotaryOptions = {}): Tensor {
  const { base = 10000, offset = 0, pairs = "neighbours" } = checkOptions<RotaryOptions>("rotary", options, ROTARY_OPTIONS);
  const { shape, rank } = valueOf(x, "rotary");
  const [tokens, size] = shape.slice(-2) as [number, number];
  if (rank < 2 || size % 2 !== 0)
    throw new ShapeError(`rotary: expected [..., tokens, size] with an even size, got shape ${shapeText(shape)}`);
  if (!(base > 0)) throw new InputError(`rotary: base must be positive, got ${base}`);
  if (!Number.isInteger(offset)) throw new InputError(`rotary: offset must be a whole number, got ${offset}`);
  if (pairs !== "neighbours" && pairs !== "halves")
    throw new InputError(`rotary: pairs must be "neighbours" or "halves", got ${JSON.stringify(pairs)}`);
  const half = size / 2;
  const apart = pairs === "neighbours" ? [half, 2] : [2, half];
  const axis = pairs === "neighbours" ? -1 : -2;
  const table = (wave: "cos" | "sin"): Tensor =>
    tableOf(["rotary", wave, tokens, size, base, offset, pairs, x.dtype], () => {
      const waves = anglesOf(tokens, size, base, offset).map((angle) => Math[wave](angle));
      return tensor(waves, pairs === "neighbours" ? [tokens, half, 1] : [tokens, 1, half], { dtype: x.dtype }) as Tensor;
    });
  const [cosine, sine] = [table("cos"), table("sin")];
  const [a, b] = x.reshape([...shape.slice(0, -1), ...apart]).split(1, axis) as [Tensor, Tensor];
  const turned = [a.mul(cosine).sub(b.mul(sine)), a.mul(sine).add(b.mul(cosine))];
  return concat(turned, axis).reshape(shape);
}

/** The tables used last: making one takes longer than using it. */
const tables = new Map<string, Tensor>();
const MOST_TABLES = 8;

function tableOf(key: readonly unknown[], make: () => Tensor): Tensor {
  const name = key.join();
  const table = tables.get(name) ?? make();
  tables.delete(name);
  tables.set(name, table);
  const [oldest] = tables.keys();
  if (tables.size > MOST_TABLES && oldest !== undefined) tables.delete(oldest);
  return table;
}

/** t / base^(2k / size) of every position t and pair k: [tokens, size / 2]. */
function anglesOf(tokens: number, size: number, base: number, offset: number): number[] {
  const half = size / 2;
  return Array.from({ length: tokens * half }, (_, n) => (offset + Math.floor(n / half)) / base ** ((n % half) / half));
}

function checkTokens(name: string, x: Tensor, size: number): void {
  checkRank(name, x, [3], "[batch, tokens, features]");
  checkFeatures(name, "features", x, 2, size);
}
