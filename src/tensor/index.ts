// Tensors: creation, functions, random numbers, differentiation.

export * from "./create.ts";
export * from "./define-op.ts";
export * from "./functions.ts";
export * from "./random.ts";
export type * from "./shapes.ts";
export { callSite, noGrad, withScope } from "./tape.ts";
export { fromData, gradients, isTensor } from "./tensor.ts";
export type * from "./types.ts";
export type { ConvolutionOptions, PerDimension, PoolingOptions, TransposedConvolutionOptions } from "./contractions.ts";
export type { Attributes, TapeNode } from "./value.ts";
export { compile, type CompiledFunction, type CompiledStep, type CompileArgument, type CompileOptions, type CompileResult } from "./compile.ts";
export { dependsOn, live, onEachRun } from "./trace.ts";
