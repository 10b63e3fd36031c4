// Scaled dot-product attention, and attention with several heads. In every mask, true means: may be attended to.

import * as ops from "../ops/attention.ts";
import { applyOp, linear as product, softmax } from "../tensor/functions/index.ts";
import * as random from "../tensor/random.ts";
import type { AsShape, Fits, Shape } from "../tensor/shapes.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { type LayerState, untyped, withRun } from "./call.ts";
import { checkCount, checkFeatures, checkRank, given } from "./checks.ts";
import { glorotUniform, start, zeros } from "./init.ts";
import { type LayerMembers, makeLayer } from "./layer.ts";
import { linear } from "./linear.ts";
import { causalMask, checkMask, headMask, read, readable, readSources } from "./masks.ts";
import { ROTARY_OPTIONS, type RotaryOptions, rotary } from "./positions.ts";
import type { ApplyRule, ShapeRule } from "./rules.ts";
import type { TokensRule } from "./sequence-rules.ts";

/** What attention may see, and how it is weighted. */
export interface ScaledDotProductOptions {
  /** Bool or whole numbers that broadcast to [..., queries, keys]: true where the query may attend to the key. */
  readonly mask?: Tensor;
  /** Each query sees the keys up to its own position. Default false. */
  readonly causal?: boolean;
  /** Share of the weights that is dropped; give 0, the default, when not training. */
  readonly dropout?: number;
  /** What products are multiplied with. Default 1 / √size. */
  readonly scale?: number;
}

/** Sizes of the parts of a multi-head attention. */
export interface MultiHeadAttentionOptions {
  /** Features of the keys' and of the values' source. Default: those of the queries. */
  readonly keySize?: number;
  readonly valueSize?: number;
  /**
   * Heads of keys and values, each shared by heads / keyHeads queries (grouped-query attention, Ainslie et al. 2023).
   * Default: heads.
   */
  readonly keyHeads?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Dropout of the attention weights, in training. Default 0. */
  readonly dropout?: number;
  /** Each position sees itself and what is before it. Default false. */
  readonly causal?: boolean;
  /** Rotates queries and keys by their positions (Su et al. 2021). Default false. */
  readonly rotary?: boolean | RotaryOptions;
}

/** What a call of attention may be given besides the queries. */
export interface AttentionOptions {
  /** Where keys come from, [batch, keys, keySize]; default: the queries' source (self-attention). */
  readonly key?: Tensor;
  /** Where values come from, [batch, keys, valueSize]; default: the keys' source. */
  readonly value?: Tensor;
  /**
   * [queries, keys], [batch, queries, keys] or [batch, heads, queries, keys]: true where a query may attend to a key.
   */
  readonly mask?: Tensor;
  /**
   * `[batch, keys]`, true where a key is real, not padding (the opposite of PyTorch's key_padding_mask). What padding
   * holds, NaN included, reaches nothing real, and no gradient.
   */
  readonly keyMask?: Tensor;
}

/** Attention as a layer: called, it gives the output; `run` gives the weights too. */
export interface AttentionLayer<Rule extends ShapeRule> extends LayerMembers {
  <S extends Shape>(x: Tensor<S> & Fits<ApplyRule<Rule, S>>, options?: AttentionOptions): Tensor<AsShape<ApplyRule<Rule, S>>>;
  /** output: [batch, queries, size]; weights, before dropout: [batch, heads, queries, keys]. */
  run(x: Tensor, options?: AttentionOptions): { readonly output: Tensor; readonly weights: Tensor };
  /** For the compiler only; undefined when the program runs. */
  readonly shapes: Rule;
}

/**
 * softmax(query keyᵀ · scale) value: query [..., queries, size], key [..., keys, size], value [..., keys, valueSize] →
 * [..., queries, valueSize]. A query that may attend to nothing gets 0. Vaswani et al. 2017.
 * @throws ShapeError when shapes do not fit together; InputError for a mask of floats, or causal with other numbers of
 * queries and keys
 */
export function scaledDotProductAttention(query: Tensor, key: Tensor, value: Tensor, options: ScaledDotProductOptions = {}): Tensor {
  checkOptions<ScaledDotProductOptions>("scaledDotProductAttention", options, { mask: true, causal: true, dropout: true, scale: true });
  const name = "scaledDotProductAttention";
  for (const [what, x] of Object.entries({ query, key, value }))
    if (valueOf(x, name).rank < 2)
      throw new ShapeError(`${name}: expected ${what} to be [..., tokens, size], got shape ${shapeText(x.shape)}`);
  const [size, keys] = [query.shape.at(-1), key.shape.at(-2)];
  if (key.shape.at(-1) !== size) throw new ShapeError(`${name}: expected keys of size ${size} like the queries, got ${key.shape.at(-1)}`);
  if (value.shape.at(-2) !== keys) throw new ShapeError(`${name}: expected as many values as keys, ${keys}, got ${value.shape.at(-2)}`);
  const { mask } = options;
  if (mask === undefined) return attend(name, query, key, value, options).output;
  const { queries, keys: seen } = readable(checkMask(name, mask, [...scoresShape(query, key)]));
  return attend(name, read(query, queries), read(key, seen), read(value, seen), options).output;
}

/**
 * Attention with several heads over [batch, tokens, size]: queries, keys and values are products of their sources,
 * `heads` times with size / heads features each; what the heads gather is joined and multiplied once more. Parameters
 * inputWeight [size + 2 · keyHeads · size / heads, size] and inputBias (queries, keys, values one below the other:
 * PyTorch's in_proj_weight; queryWeight, keyWeight and valueWeight where sizes of sources are given), layer output
 * (out_proj). Vaswani et al. 2017.
 * @example const attention = multiHeadAttention(256, 8, { causal: true }); attention(x); attention.run(x).weights
 * @throws InputError when heads do not divide the size; when called, ShapeError and InputError for sources and masks
 * that do not fit
 */
export function multiHeadAttention<const Size extends number>(
  size: Size,
  heads: number,
  options: MultiHeadAttentionOptions = {},
): AttentionLayer<TokensRule<"multiHeadAttention", Size>> {
  const name = "multiHeadAttention";
  checkOptions<MultiHeadAttentionOptions>(name, options, {
    ...{ keySize: true, valueSize: true, keyHeads: true, bias: true, dropout: true, causal: true, rotary: true },
  });
  if (typeof options.rotary === "object") checkOptions(`${name}: rotary`, options.rotary, ROTARY_OPTIONS);
  const { keySize = size, valueSize = size, keyHeads = heads, bias = true, dropout = 0, causal = false } = options;
  for (const [what, count] of Object.entries({ size, heads, keySize, valueSize, keyHeads })) checkCount(name, what, count);
  if (size % heads !== 0) throw new InputError(`${name}: the size must be a multiple of the heads, got ${size} and ${heads}`);
  if (heads % keyHeads !== 0) throw new InputError(`${name}: heads must be a multiple of keyHeads, got ${heads} and ${keyHeads}`);
  if (!(dropout >= 0 && dropout < 1)) throw new InputError(`${name}: the dropout must be in [0, 1), got ${dropout}`);
  const each = size / heads;
  const turn = options.rotary === true ? {} : options.rotary || undefined;
  if (turn && each % 2 !== 0) throw new InputError(`${name}: rotary needs an even size of each head, got ${each}`);
  const counts = [heads, keyHeads, keyHeads] as const;
  const rows = size + 2 * keyHeads * each;
  const weight = (what: string, outputs: number, inputs: number): Tensor =>
    start(`${name} ${what}`, glorotUniform(), [outputs, inputs], { in: inputs, out: outputs });
  const packed = keySize === size && valueSize === size;
  const inputWeight = packed ? weight("inputWeight", rows, size) : undefined;
  const apart = packed
    ? undefined
    : {
        queryWeight: weight("queryWeight", size, size),
        keyWeight: weight("keyWeight", keyHeads * each, keySize),
        valueWeight: weight("valueWeight", keyHeads * each, valueSize),
      };
  const inputBias = bias ? start(`${name} inputBias`, zeros(), [rows], { in: size, out: rows }) : undefined;
  const output = untyped(linear(size, size, { bias, init: glorotUniform() }));

  /**
   * Queries, keys and values as [heads, batch, tokens, each]: heads come first so that each of the three is in one
   * piece.
   */
  function project(sources: readonly [Tensor, Tensor, Tensor]): readonly [Tensor, Tensor, Tensor] {
    const found: Tensor[] = [];
    let first = 0;
    for (let n = 0; n < 3; ) {
      let end = n + 1;
      while (apart === undefined && end < 3 && sources[end] === sources[n]) end++;
      const own = counts.slice(n, end);
      const source = sources[n]!;
      const last = first + own.reduce((a, b) => a + b, 0) * each;
      const part = (x: Tensor | undefined): Tensor | undefined => (last - first === rows ? x : x?.slice([first, last]));
      const taken = apart === undefined ? part(inputWeight) : Object.values(apart)[n];
      const [batch, tokens] = source.shape as readonly [number, number];
      const made = product(source, taken as Tensor, part(inputBias))
        .reshape([batch, tokens, (last - first) / each, each])
        .transpose([2, 0, 1, 3]);
      found.push(...(own.length === 1 ? [made] : made.split(own)));
      [n, first] = [end, last];
    }
    return found as [Tensor, Tensor, Tensor];
  }

  function forward(state: LayerState, x: Tensor, sourcesAndMasks?: AttentionOptions, whole = false): unknown {
    const {
      key = x,
      value = key,
      mask,
      keyMask,
    } = checkOptions<AttentionOptions>(name, sourcesAndMasks, { key: true, value: true, mask: true, keyMask: true });
    const sources = [x, key, value] as const;
    for (const [n, what] of (["features", "key features", "value features"] as const).entries()) {
      checkRank(name, sources[n]!, [3], "[batch, tokens, features]");
      checkFeatures(name, what, sources[n]!, 2, [size, keySize, valueSize][n]!);
    }
    const [batch, queries] = x.shape as readonly [number, number, number];
    const keys = key.shape[1]!;
    if (key.shape[0] !== batch || value.shape[0] !== batch || value.shape[1] !== keys)
      throw new ShapeError(
        `${name}: expected keys and values of the same [batch, tokens], the batch ${batch}; got ${shapeText(key.shape)} and ${shapeText(value.shape)}`,
      );
    const { joint, real } = headMask(name, mask, keyMask, [batch, heads, queries, keys]);
    const [q, k, v] = project(joint === undefined ? sources : readSources(sources, { joint, real, isPlain: mask === undefined }));
    const rotated = (one: Tensor): Tensor => (turn ? rotary(one, turn) : one);
    const shared = (one: Tensor): Tensor => (keyHeads === heads ? one : repeat(one, heads / keyHeads));
    const { output: mixed, weights } = attend(name, rotated(q), shared(rotated(k)), shared(v), {
      mask: joint,
      causal,
      dropout: state.training ? dropout : 0,
    });
    const result = output(mixed.transpose([1, 2, 0, 3]).reshape([batch, queries, size]));
    return whole ? { output: result, weights: weights.transpose([1, 0, 2, 3]) } : result;
  }

  const made = makeLayer<AttentionLayer<TokensRule<"multiHeadAttention", Size>>, readonly [Tensor, AttentionOptions?, boolean?]>({
    kind: name,
    settings: { size, heads, ...given(options, ["keySize", "valueSize", "keyHeads", "bias", "dropout", "causal"]) },
    parameters: { inputWeight, ...apart, inputBias },
    parts: [["output", output]],
    forward,
  });
  return withRun(made);
}

/** Of the scores: leading dimensions broadcast, then [queries, keys]. */
function scoresShape(query: Tensor, key: Tensor): Shape {
  const [q, k] = [query.shape, key.shape];
  const rank = Math.max(q.length, k.length) - 2;
  const leading = Array.from({ length: rank }, (_, d) => {
    const [a, b] = [q[q.length - 2 - rank + d] ?? 1, k[k.length - 2 - rank + d] ?? 1];
    return a === 1 ? b : a;
  });
  return [...leading, q.at(-2)!, k.at(-2)!];
}

function attend(
  name: string,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { mask, causal = false, dropout = 0, scale = 1 / Math.sqrt(query.shape.at(-1)!) }: ScaledDotProductOptions,
): { readonly output: Tensor; readonly weights: Tensor } {
  const scores = query.matmul(key.transpose()).mul(scale);
  const visible = [
    ...(mask === undefined ? [] : [checkMask(name, mask, scores.shape)]),
    ...(causal ? [causalMask(name, scores.shape)] : []),
  ];
  const axes = [scores.rank - 1];
  const weights =
    visible.length === 0 ? softmax(scores, -1) : applyOp(ops.maskedSoftmax, [visible.reduce((a, b) => a.logicalAnd(b)), scores], { axes });
  return { output: (dropout > 0 ? random.dropout(weights, dropout) : weights).matmul(value), weights };
}

/** [heads, …] → [heads · times, …], each head `times` in a row. */
function repeat(x: Tensor, times: number): Tensor {
  const [count = 0, ...rest] = x.shape;
  return x
    .unsqueeze(1)
    .broadcastTo([count, times, ...rest])
    .reshape([count * times, ...rest]);
}
