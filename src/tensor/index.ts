// Tensors: creation, functions, random numbers, differentiation.

export { autocast, type Precision } from "./autocast.ts";
export * from "./checkpoint.ts";
export { closeTensors, type Tolerance } from "./close.ts";
export { compile } from "./compile.ts";
export type {
  CompileArgument,
  CompiledFunction,
  CompiledStep,
  CompileOptions,
  CompileResult,
  KernelTime,
  Profile,
} from "./compile-types.ts";
export type { ConvolutionOptions, PerDimension, PoolingOptions, TransposedConvolutionOptions } from "./contractions.ts";
export * from "./create.ts";
export * from "./define-op.ts";
export * from "./differentiate.ts";
export * from "./functions/index.ts";
export * from "./random.ts";
export type { Interpolation, PaddingAmounts, PaddingMode, PaddingOptions, UpsampleOptions } from "./resampling.ts";
export type * from "./shapes.ts";
export { callSite, noGrad, withScope } from "./tape.ts";
export { fromData, gradients, isTensor } from "./tensor.ts";
export { dependsOn, live, onEachRun } from "./trace.ts";
export type { TensorTree } from "./tree.ts";
export type * from "./types.ts";
export type { Attributes, Level, TapeNode } from "./value.ts";
export * from "./vmap.ts";
