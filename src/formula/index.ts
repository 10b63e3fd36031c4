// The formula language: parse, simplify, differentiate, bind to shapes, print, evaluate.

export { evaluateProgram } from "../nest/evaluate.ts";
export { FUNCTIONS } from "../nest/functions.ts";
export type * from "../nest/nest.ts";
export type {
  AccessNode,
  BoundAxis,
  CallNode,
  CountNode,
  EllipsisNode,
  Expression,
  Formula,
  IndexNode,
  InsideNode,
  NameNode,
  NumberNode,
  PositionNode,
  ReduceNode,
  Statement,
} from "./ast.ts";
export { bind } from "./bind/bind.ts";
export type { Binding } from "./bind/binding.ts";
export { normalize } from "./bind/normalize.ts";
export { type ChainPath, type ChainRule, chainRuleOf } from "./explain/chain-rule.ts";
export * from "./explain/explain.ts";
export { type InputRead, readsOf } from "./explain/explain-reads.ts";
export { deriveGradient, gradientName } from "./gradient/derive.ts";
export { parseFormula } from "./parse.ts";
export { printExpression, printFormula, printStatement } from "./print.ts";
export type { ParseOptions } from "./resolve.ts";
export { simplify } from "./simplify.ts";
export { chainRuleJson, explanationJson, type Json } from "./typeset/explain-json.ts";
export { type ChainRuleTextOptions, chainRuleMathml, chainRuleTex, chainRuleText } from "./typeset/print-chain-rule.ts";
export { explanationMathml, mathmlOf, mathmlOfExpression, mathmlOfStatement } from "./typeset/print-mathml.ts";
export { explanationTex, texOf, texOfExpression, texOfStatement } from "./typeset/print-tex.ts";
