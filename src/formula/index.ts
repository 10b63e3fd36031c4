// The formula language: parse, simplify, differentiate, bind to shapes, print, evaluate.

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
export { type Binding, bind } from "./bind.ts";
export { type ChainPath, type ChainRule, chainRuleOf } from "./chain-rule.ts";
export { deriveGradient, gradientName } from "./derive.ts";
export { evaluateProgram } from "./evaluate.ts";
export * from "./explain.ts";
export { chainRuleJson, explanationJson, type Json } from "./explain-json.ts";
export { type InputRead, readsOf } from "./explain-reads.ts";
export { FUNCTIONS } from "./functions.ts";
export type * from "./nest.ts";
export { normalise } from "./normalise.ts";
export { type ParseOptions, parseFormula } from "./parse.ts";
export { printExpression, printFormula, printStatement } from "./print.ts";
export { type ChainRuleTextOptions, chainRuleMathml, chainRuleTex, chainRuleText } from "./print-chain-rule.ts";
export { explanationMathml, mathmlOf, mathmlOfExpression, mathmlOfStatement } from "./print-mathml.ts";
export { explanationTex, texOf, texOfExpression, texOfStatement } from "./print-tex.ts";
export { simplify } from "./simplify.ts";
