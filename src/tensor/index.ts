// Tensors: creation, functions, random numbers, differentiation.

export { autocast, type Precision } from "./autocast.ts";
export * from "./autograd/checkpoint.ts";
export * from "./autograd/differentiate.ts";
export { noGrad } from "./autograd/tape.ts";
export { closeTensors, type Tolerance } from "./close.ts";
export { callSite, withScope } from "./context.ts";
export * from "./create.ts";
export * from "./define-op.ts";
export * from "./functions/index.ts";
export * from "./random.ts";
export type { Interpolation, PaddingAmounts, PaddingMode, PaddingOptions, UpsampleOptions } from "./resampling.ts";
export type * from "./shapes.ts";
export { fromData, gradients, isTensor } from "./tensor.ts";
export { compile } from "./trace/compile.ts";
export type {
  CompileArgument,
  CompiledFunction,
  CompiledStep,
  CompileOptions,
  CompileResult,
  KernelTime,
  Profile,
} from "./trace/compile-types.ts";
export { dependsOn, live, onEachRun } from "./trace/trace.ts";
export type { TensorTree } from "./tree.ts";
export type * from "./types.ts";
export type { Attributes, Level, TapeNode } from "./value.ts";
export * from "./vmap/vmap.ts";
export type { ConvolutionOptions, PerDimension, PoolingOptions, TransposedConvolutionOptions } from "./windows.ts";
