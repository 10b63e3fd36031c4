// Transformer layers: attention and feed-forward networks with residual connections. Vaswani et al. 2017.

import { relu } from "../tensor/functions/index.ts";
import * as random from "../tensor/random.ts";
import type { AsShape, Fits, Shape } from "../tensor/shapes.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { checkOptions, type OptionNames } from "../util/options.ts";
import { type AttentionOptions, multiHeadAttention } from "./attention.ts";
import { callPart, type LayerOrFunction, type LayerState, type Untyped, untyped } from "./call.ts";
import { checkCount, given } from "./checks.ts";
import { glorotUniform } from "./init.ts";
import { type LayerMembers, makeLayer } from "./layer.ts";
import { linear } from "./linear.ts";
import { readNumbers, realKeys } from "./masks.ts";
import { layerNorm } from "./normalization.ts";
import type { RotaryOptions } from "./positions.ts";
import type { ApplyRule, ShapeRule } from "./rules.ts";
import type { TokensRule } from "./sequence-rules.ts";

/** Settings of a transformer layer. */
export interface TransformerOptions {
  /** Features within the feed-forward network. Default 4 · size. */
  readonly feedForward?: number;
  /**
   * Of the attention weights, within the feed-forward network, and of what is added to a shortcut, in training. Default
   * 0.1.
   */
  readonly dropout?: number;
  /** Between the two products of the feed-forward network: a layer or a function. Default relu. */
  readonly activation?: (x: Tensor) => Tensor;
  /**
   * "post": normalize each sum, as in the paper; "pre": normalize what enters each part, which trains more easily
   * (Xiong et al. 2020). Default "post".
   */
  readonly norm?: "pre" | "post";
  /** Each token sees itself and what is before it. Default: false in an encoder, true in a decoder. */
  readonly causal?: boolean;
  /** See multiHeadAttention; of self-attention only. */
  readonly rotary?: boolean | RotaryOptions;
  /** Default true. */
  readonly bias?: boolean;
  /** Of the normalizations. Default 1e-5. */
  readonly epsilon?: number;
}

/** Settings of a stack of transformer layers. */
export interface StackOptions extends TransformerOptions {
  /** Default 6. */
  readonly layers?: number;
}

/** Which tokens may be seen; in every mask, true means: may be attended to. */
export type EncoderOptions = Pick<AttentionOptions, "mask" | "keyMask">;

export interface DecoderOptions extends EncoderOptions {
  /** [tokens, memory tokens] or as in AttentionOptions: what of the memory a token may attend to. */
  readonly memoryMask?: Tensor;
  /** `[batch, memory tokens]`, true where the memory is real, not padding. */
  readonly memoryKeyMask?: Tensor;
}

export interface EncoderLayer<Rule extends ShapeRule> extends LayerMembers {
  <S extends Shape>(x: Tensor<S> & Fits<ApplyRule<Rule, S>>, options?: EncoderOptions): Tensor<AsShape<ApplyRule<Rule, S>>>;
  /** For the compiler only; undefined when the program runs. */
  readonly shapes: Rule;
}

export interface DecoderLayer<Rule extends ShapeRule> extends LayerMembers {
  /** @param memory what an encoder made: [batch, memory tokens, size] */
  <S extends Shape>(x: Tensor<S> & Fits<ApplyRule<Rule, S>>, memory: Tensor, options?: DecoderOptions): Tensor<AsShape<ApplyRule<Rule, S>>>;
}

const TRANSFORMER: OptionNames<TransformerOptions> = {
  ...{ feedForward: true, dropout: true, activation: true, norm: true, causal: true, rotary: true, bias: true, epsilon: true },
};
const ENCODER: OptionNames<EncoderOptions> = { mask: true, keyMask: true };
const DECODER: OptionNames<DecoderOptions> = { ...ENCODER, memoryMask: true, memoryKeyMask: true };

/**
 * Self-attention and a feed-forward network over [batch, tokens, size]. Layers selfAttention, linear1, linear2, norm1,
 * norm2, as in PyTorch. With `causal` and `norm: "pre"` it is the block of a GPT.
 * @example const gpt = sequential(embedding(vocabulary, 64), learnedPositions(128, 64), transformerEncoder(64, 4, { layers: 2, causal: true, norm: "pre" }), linear(64, vocabulary))
 * @throws InputError when an option is out of range; when called, ShapeError and InputError as multiHeadAttention
 */
export function transformerEncoderLayer<const Size extends number>(
  size: Size,
  heads: number,
  options: TransformerOptions = {},
): EncoderLayer<TokensRule<"transformerEncoderLayer", Size>> {
  return transformerLayer("transformerEncoderLayer", size, heads, options, false);
}

/**
 * Self-attention, attention to a memory, and a feed-forward network over [batch, tokens, size]; causal by default.
 * Layers selfAttention, crossAttention (PyTorch's multihead_attn), linear1, linear2, norm1, norm2, norm3.
 * @throws InputError when an option is out of range; when called, ShapeError and InputError as multiHeadAttention
 */
export function transformerDecoderLayer<const Size extends number>(
  size: Size,
  heads: number,
  options: TransformerOptions = {},
): DecoderLayer<TokensRule<"transformerDecoderLayer", Size>> {
  return transformerLayer("transformerDecoderLayer", size, heads, options, true);
}

/**
 * Encoder layers one after another, named "0", "1", …; with pre-norm, a last normalization `norm` behind them.
 * @throws as transformerEncoderLayer
 */
export function transformerEncoder<const Size extends number>(
  size: Size,
  heads: number,
  options: StackOptions = {},
): EncoderLayer<TokensRule<"transformerEncoder", Size>> {
  return stack("transformerEncoder", transformerEncoderLayer, size, heads, options);
}

/**
 * Decoder layers one after another, named "0", "1", …; with pre-norm, a last normalization `norm` behind them.
 * @throws as transformerDecoderLayer
 */
export function transformerDecoder<const Size extends number>(
  size: Size,
  heads: number,
  options: StackOptions = {},
): DecoderLayer<TokensRule<"transformerDecoder", Size>> {
  return stack("transformerDecoder", transformerDecoderLayer, size, heads, options);
}

function transformerLayer<Made extends LayerMembers>(
  kind: string,
  size: number,
  heads: number,
  options: TransformerOptions,
  decodes: boolean,
): Made {
  checkOptions<TransformerOptions>(kind, options, TRANSFORMER);
  checkCount(kind, "size", size);
  const {
    feedForward = 4 * size,
    dropout = 0.1,
    activation = relu,
    norm = "post",
    causal = decodes,
    bias = true,
    epsilon = 1e-5,
  } = options;
  checkCount(kind, "feedForward", feedForward);
  if (!(dropout >= 0 && dropout < 1)) throw new InputError(`${kind}: the dropout must be in [0, 1), got ${dropout}`);
  if (norm !== "pre" && norm !== "post") throw new InputError(`${kind}: norm must be "pre" or "post", got ${JSON.stringify(norm)}`);
  if (typeof activation !== "function") throw new InputError(`${kind}: activation must be a layer or a function, got ${typeof activation}`);
  const dense = (inputs: number, outputs: number): Untyped => untyped(linear(inputs, outputs, { bias, init: glorotUniform() }));
  const normalization = (): Untyped => untyped(layerNorm(size, { epsilon }));
  const turn = options.rotary === undefined ? {} : { rotary: options.rotary };
  const selfAttention = untyped(multiHeadAttention(size, heads, { bias, dropout, causal, ...turn }));
  const crossAttention = decodes ? untyped(multiHeadAttention(size, heads, { bias, dropout })) : undefined;
  const [linear1, linear2] = [dense(size, feedForward), dense(feedForward, size)];
  const norms = Array.from({ length: decodes ? 3 : 2 }, normalization);

  function forward(state: LayerState, x: Tensor, ...more: readonly unknown[]): Tensor {
    const [memory, given] = (decodes ? more : [undefined, more[0]]) as readonly [Tensor | undefined, DecoderOptions | undefined];
    const { mask, keyMask, memoryMask, memoryKeyMask } = checkOptions<DecoderOptions>(
      kind,
      given,
      (decodes ? DECODER : ENCODER) as typeof DECODER,
    );
    const drop = (value: Tensor): Tensor => (state.training && dropout > 0 ? random.dropout(value, dropout) : value);
    const around = (value: Tensor, number: number, part: (value: Tensor) => Tensor): Tensor => {
      const normalized = norms[number]!;
      return norm === "pre" ? value.add(drop(part(normalized(value)))) : normalized(value.add(drop(part(value))));
    };
    const real = keyMask && readNumbers(x, realKeys(kind, keyMask, x.shape[0]!, x.shape[1]!));
    let value = around(real ?? x, 0, (inner) => selfAttention(inner, present({ mask, keyMask })));
    if (crossAttention !== undefined) {
      if (memory === undefined) throw new InputError(`${kind}: expected the encoder's output as the second argument`);
      value = around(value, 1, (inner) => crossAttention(inner, { key: memory, ...present({ mask: memoryMask, keyMask: memoryKeyMask }) }));
    }
    return around(value, norms.length - 1, (inner) => linear2(drop(callPart(activation as LayerOrFunction, [linear1(inner)]) as Tensor)));
  }

  const parts = {
    selfAttention,
    ...(crossAttention === undefined ? {} : { crossAttention }),
    linear1,
    activation,
    linear2,
    ...Object.fromEntries(norms.map((one, n) => [`norm${n + 1}`, one])),
  };
  return makeLayer<Made, readonly [Tensor, ...unknown[]]>({
    kind,
    settings: { size, heads, ...given(options, ["feedForward", "dropout", "norm", "causal", "bias", "epsilon"]) },
    parts: Object.entries<LayerOrFunction>(parts),
    forward,
  });
}

function stack<Made extends LayerMembers>(
  kind: string,
  make: (size: number, heads: number, options: TransformerOptions) => LayerMembers,
  size: number,
  heads: number,
  given: StackOptions,
): Made {
  const { layers = 6, ...options } = checkOptions<StackOptions>(kind, given, { ...TRANSFORMER, layers: true });
  checkCount(kind, "layers", layers);
  const made = Array.from({ length: layers }, () => untyped(make(size, heads, options)));
  const norm = options.norm === "pre" ? untyped(layerNorm(size, { epsilon: options.epsilon ?? 1e-5 })) : undefined;
  const named = [...made.entries()].map(([n, one]): [string, LayerOrFunction] => [String(n), one as LayerOrFunction]);
  return makeLayer<Made, readonly [Tensor, ...unknown[]]>({
    kind,
    settings: { size, heads, layers },
    parts: norm === undefined ? named : [...named, ["norm", norm as LayerOrFunction]],
    forward(_state, x, ...more) {
      const value = made.reduce((inner, one) => one(inner, ...more), x);
      return norm === undefined ? value : norm(value);
    },
  });
}

function present<Of extends object>(values: Of): Partial<Of> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Of>;
}
