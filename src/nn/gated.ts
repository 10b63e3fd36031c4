// Layers with learned or gated non-linearities: PReLU, maxout, GLU, SwiGLU, bilinear.

import { full, parameter } from "../tensor/create.ts";
import * as functions from "../tensor/functions/index.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { checkOptions } from "../util/options.ts";
import { callPart } from "./call.ts";
import { checkCount, checkFeatures, refuseTensor } from "./checks.ts";
import { fansOf, glorotNormal, heNormal, start, zeros } from "./init.ts";
import { type Layer, type LayerMembers, makeLayer, type ShapedLayer } from "./layer.ts";
import { linear, WEIGHT_OPTIONS, type WeightOptions } from "./linear.ts";
import type { HalfRule, LinearRule, SameRule } from "./rules.ts";

/**
 * x where positive, else slope · x with learned slopes: one per channel of [batch, channels, …], or one for all.
 * Parameter weight [channels]. He et al. 2015.
 * @param options `init`: where the slopes start (default 0.25)
 */
export function prelu(channels = 1, options: { readonly init?: number } = {}): ShapedLayer<SameRule> {
  refuseTensor("prelu", channels);
  checkOptions("prelu", options, { init: true });
  checkCount("prelu", "channels", channels);
  const weight = parameter(full([channels], options.init ?? 0.25));
  return makeLayer<ShapedLayer<SameRule>>({
    kind: "prelu",
    settings: { channels },
    parameters: { weight },
    forward(_state, x: Tensor) {
      if (channels > 1) checkFeatures("prelu", "channels", x, 1, channels);
      return functions.prelu(x, weight);
    },
  });
}

/**
 * The largest of `pieces` linear maps for every output: [..., inputs] → [..., outputs]. Parameters weight [outputs ·
 * pieces, inputs] and bias [outputs · pieces]; the pieces of one output stand together. Goodfellow et al. 2013.
 */
export function maxout<const Inputs extends number, const Outputs extends number>(
  inputs: Inputs,
  outputs: Outputs,
  pieces = 2,
  options: WeightOptions = {},
): ShapedLayer<LinearRule<Inputs, Outputs, "maxout">> {
  checkOptions<WeightOptions>("maxout", options, WEIGHT_OPTIONS);
  checkCount("maxout", "inputs", inputs);
  checkCount("maxout", "outputs", outputs);
  checkCount("maxout", "pieces", pieces);
  const shape = [outputs * pieces, inputs];
  const fans = fansOf(shape);
  const weight = start("maxout weight", options.init ?? heNormal(), shape, fans);
  const bias = options.bias === false ? undefined : start("maxout bias", options.biasInit ?? zeros(), [outputs * pieces], fans);
  return makeLayer({
    kind: "maxout",
    settings: { inputs, outputs, pieces },
    parameters: { weight, bias },
    forward(_state, x) {
      checkFeatures("maxout", "input features", x, x.rank - 1, inputs);
      const y = functions.linear(x, weight, bias);
      return y.reshape([...y.shape.slice(0, -1), outputs, pieces]).max(-1);
    },
  });
}

/**
 * The first half along the axis times the sigmoid of the second: [..., 2n] → [..., n]. Dauphin et al. 2016.
 * @throws ShapeError when the extent is odd
 */
export function glu(): ShapedLayer<HalfRule>;
export function glu(axis: number): Layer;
export function glu(axis = -1): unknown {
  refuseTensor("glu", axis);
  return makeLayer<Layer>({ kind: "glu", settings: { axis }, forward: (_state, x: Tensor) => functions.glu(x, axis) });
}

/**
 * The gated feed-forward layer of transformers: down(silu(gate(x)) · up(x)), [..., inputs] → [..., outputs]. Layers
 * gate and up [hidden, inputs] and down [outputs, hidden], without biases unless asked for. Shazeer 2020.
 * @param outputs default: inputs
 */
export function swiGlu<const Inputs extends number, const Outputs extends number = Inputs>(
  inputs: Inputs,
  hidden: number,
  outputs?: Outputs,
  options: WeightOptions = {},
): ShapedLayer<LinearRule<Inputs, Outputs, "swiGlu">> {
  checkOptions<WeightOptions>("swiGlu", options, WEIGHT_OPTIONS);
  const out = outputs ?? inputs;
  for (const [what, value] of Object.entries({ inputs, hidden, outputs: out })) checkCount("swiGlu", what, value);
  const own: WeightOptions = { init: glorotNormal(), ...options, bias: options.bias ?? false };
  const gate = linear(inputs, hidden, own);
  const up = linear(inputs, hidden, own);
  const down = linear(hidden, out, own);
  return makeLayer({
    kind: "swiGlu",
    settings: { inputs, hidden, outputs: out },
    parts: Object.entries({ gate, up, down }),
    forward(_state, x: Tensor) {
      checkFeatures("swiGlu", "input features", x, x.rank - 1, inputs);
      const gated = functions.silu(callPart(gate, [x], "gate") as Tensor).mul(callPart(up, [x], "up") as Tensor);
      return callPart(down, [gated], "down");
    },
  });
}

/** A layer of two tensors. */
export interface BilinearLayer extends LayerMembers {
  (x1: Tensor, x2: Tensor): Tensor;
}

/**
 * Two inputs multiplied pair by pair: [..., inputs1] and [..., inputs2] → [..., outputs], y[o] = Σ x1[i] · weight[o, i,
 * j] · x2[j] + bias[o]. Parameters weight [outputs, inputs1, inputs2] and bias [outputs].
 */
export function bilinear(inputs1: number, inputs2: number, outputs: number, options: WeightOptions = {}): BilinearLayer {
  checkOptions<WeightOptions>("bilinear", options, WEIGHT_OPTIONS);
  for (const [what, value] of Object.entries({ inputs1, inputs2, outputs })) checkCount("bilinear", what, value);
  const fans = { in: inputs1 * inputs2, out: outputs };
  const weight = start("bilinear weight", options.init ?? glorotNormal(), [outputs, inputs1, inputs2], fans);
  const bias = options.bias === false ? undefined : start("bilinear bias", options.biasInit ?? zeros(), [outputs], fans);
  return makeLayer<BilinearLayer, readonly [Tensor, Tensor]>({
    kind: "bilinear",
    settings: { inputs1, inputs2, outputs },
    parameters: { weight, bias },
    forward(_state, x1, x2) {
      checkFeatures("bilinear", "features of the first input", x1, valueOf(x1, "bilinear").rank - 1, inputs1);
      checkFeatures("bilinear", "features of the second input", x2, valueOf(x2, "bilinear").rank - 1, inputs2);
      return functions.bilinear(x1, x2, weight, bias);
    },
  });
}
