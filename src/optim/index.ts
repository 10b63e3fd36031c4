// Optimizers.

export { type AdamOptions, adam, adamax, adamW, amsGrad, type NAdamOptions, nAdam, rAdam } from "./adam.ts";
export { type AveragesState, averageWeights, type WeightAverages } from "./averages.ts";
export { clipGradientNorm, clipGradientValue, type GroupOf, type ParameterFilter, parameterGroups } from "./gradients.ts";
export type { OptimizerSettings, ParameterGroup, Parameters } from "./groups.ts";
export { type LarsOptions, lamb, lars } from "./large-batch.ts";
export { type LionOptions, lion } from "./lion.ts";
export { type MuonOptions, muon } from "./muon.ts";
export { combineOptimizers, type MakeOptimizer, type Optimizer, type OptimizerState } from "./optimizer.ts";
export { type AdaDeltaOptions, type AdaGradOptions, adaDelta, adaGrad, type RmsPropOptions, rmsProp } from "./root-mean-square.ts";
export {
  cosineDecay,
  cosineRestarts,
  exponentialDecay,
  inSequence,
  linearDecay,
  multiStepDecay,
  oneCycle,
  oneCycleMomentum,
  type PlateauOptions,
  polynomialDecay,
  reduceOnPlateau,
  type Schedule,
  stepDecay,
  warmUp,
} from "./schedules.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
