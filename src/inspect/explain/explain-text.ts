// Explanations of recorded numbers as text: the formula with numbers, upstream × local in gradients, and their inputs.

import { elementName as lineName } from "../../formula/explain/explain.ts";
import type { ExplanationLine } from "../../formula/explain/explanation.ts";
import { numberText } from "../../formula/numbers.ts";
import { chainRuleText } from "../../formula/typeset/print-chain-rule.ts";
import { typeOfDType } from "../../nest/typing.ts";
import { checkArguments, DIGITS, WIDTH } from "../../util/arguments.ts";
import { broken } from "../draw/lines.ts";
import { ELEMENT, TREE } from "../kinds.ts";
import type { ExplainedElement } from "./explain.ts";
import { type ExplanationTree, treeLines } from "./explain-tree.ts";
import { spokenChain, spokenSentence } from "./spoken.ts";

/**
 * The tree as text, one line per element, what it was made from indented below it.
 * @param width columns that lines should not go beyond
 */
export function explanationTreeText(tree: ExplanationTree, digits = 4, width = 80): string {
  checkArguments("explanationTreeText", { tree: [tree, TREE], digits: [digits, DIGITS], width: [width, WIDTH] });
  return treeLines(tree)
    .flatMap(({ element, depth, isRepeated }) => {
      const indent = "  ".repeat(depth);
      if (isRepeated) return [`${indent}${element.name} = ${valueText(element, digits)}, as above`];
      return elementText(element, digits, Math.max(LEAST_WIDTH, width - indent.length)).map((line) => indent + line);
    })
    .join("\n");
}

/** However deep a tree is, its formulas are not cut into single numbers. */
const LEAST_WIDTH = 40;

/**
 * The lines that say how one element was computed.
 * @param width columns that lines should not go beyond (default: no limit)
 */
export function elementText(element: ExplainedElement, digits = 4, width = Number.POSITIVE_INFINITY): string[] {
  checkArguments("elementText", { element: [element, ELEMENT], digits: [digits, DIGITS], width: [width, WIDTH] });
  return linesOf(element, digits, width).flatMap((line) => broken(line, width));
}

function linesOf(element: ExplainedElement, digits: number, width: number): string[] {
  const { name, explanation } = element;
  const spoken = spokenChain(element);
  if (spoken !== undefined && spoken.chain.paths.length > 0) {
    const { chain, upstream } = spoken;
    return [...chainRuleText(chain, { name, upstream, width }).split("\n"), ...chain.behind.map(innerLine)];
  }
  if (explanation !== undefined) {
    return [`${name} = ${spokenSentence(element)}`, ...explanation.lines.slice(0, -1).map(innerLine)];
  }
  return [`${name} = ${valueText(element, digits)}, ${originText(element)}`];
}

/** What is to be said of a number that no formula explains. */
export function originText({ tensor }: ExplainedElement): string {
  if (tensor.gradientOf !== undefined && tensor.origin === "constant") return "where the backward pass begins";
  return {
    computed: "computed",
    parameter: "a parameter",
    data: "data",
    constant: "a number in the program",
  }[tensor.origin];
}

function innerLine(line: ExplanationLine): string {
  return `  ${lineName(line)} = ${line.sentence}`;
}

function valueText({ tensor, value }: ExplainedElement, digits: number): string {
  return numberText(value, typeOfDType(tensor.dtype), digits);
}
