// Optimizers.

export { type AdamOptions, adam, adamW } from "./adam.ts";
export type { Optimizer, OptimizerSettings, OptimizerState, ParameterGroup, Parameters } from "./optimizer.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
