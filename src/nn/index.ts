// Layers, initializers and losses.

import * as init from "./init.ts";

export {
  hardSigmoid,
  hardSwish,
  logSigmoid,
  mish,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softplus,
  softsign,
  tanh,
} from "../tensor/functions/index.ts";
export * from "./attention.ts";
export { isLayer, type LayerCall, type LayerOrFunction, observeLayers, type Part, type Settings } from "./call.ts";
export * from "./containers.ts";
export * from "./convolution.ts";
export * from "./dropout.ts";
export * from "./gated.ts";
export type { Fans, Initialiser, Initializer, Start } from "./init.ts";
export { type Layer, type LayerMembers, layer, type ShapedLayer } from "./layer.ts";
export * from "./layers.ts";
export { lazy } from "./lazy.ts";
export type { ReceptiveField } from "./ledger.ts";
export type { Lengths } from "./lengths.ts";
export { linear, type WeightOptions } from "./linear.ts";
export {
  type ClassLossOptions,
  type CrossEntropyOptions,
  crossEntropy,
  type FocalOptions,
  focalLoss,
  negativeLogLikelihood,
} from "./losses/cross-entropy.ts";
export { type CtcOptions, ctcLoss } from "./losses/ctc.ts";
export * from "./losses/likelihood-losses.ts";
export * from "./losses/losses.ts";
export * from "./losses/margin-losses.ts";
export { type LossOptions, weightedMean } from "./losses/reduction.ts";
export { elasticNet, l1, l2, type Penalised, type Penalized } from "./losses/regularizers.ts";
export * from "./normalization.ts";
export * from "./pooling.ts";
export { learnedPositions, type RotaryOptions, rotary, sinusoidalPositions } from "./positions.ts";
export * from "./recurrent.ts";
export {
  gruCell,
  type LstmCell,
  type LstmState,
  lstmCell,
  type RecurrentCell,
  type RecurrentWeightOptions,
  type RnnOptions,
  rnnCell,
} from "./recurrent-cells.ts";
export * from "./resampling.ts";
export type { ShapeRule } from "./rules.ts";
export * from "./separable.ts";
export { type Step, sequential, type UnaryLayer } from "./sequential.ts";
export type { LoadOptions, LoadReport, StateSource, StoredNumbers } from "./state-dict.ts";
export { type Summary, type SummaryRow, summary } from "./summary.ts";
export * from "./transformer.ts";
export { init };
