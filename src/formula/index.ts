// The formula language: parse, simplify, differentiate, bind to shapes, print, evaluate.

export type * from "./ast.ts";
export { type Binding, bind } from "./bind.ts";
export { deriveGradient, gradientName } from "./derive.ts";
export { evaluateProgram } from "./evaluate.ts";
export * from "./explain.ts";
export { FUNCTIONS } from "./functions.ts";
export type * from "./nest.ts";
export { normalise } from "./normalise.ts";
export { type ParseOptions, parseFormula } from "./parse.ts";
export { printExpression, printFormula, printStatement } from "./print.ts";
export * from "./print-mathml.ts";
export * from "./print-tex.ts";
export { simplify } from "./simplify.ts";
