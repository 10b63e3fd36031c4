// Explanations as text: the formula with its numbers, in gradients upstream × local, and below it what the number was made from.

import { type ExplanationLine, elementName as lineName } from "../formula/explain.ts";
import { numberText } from "../formula/numbers.ts";
import { chainRuleText } from "../formula/print-chain-rule.ts";
import { typeOfDType } from "../formula/typing.ts";
import type { ExplainedElement } from "./explain.ts";
import type { ExplanationTree } from "./explain-tree.ts";

/**
 * The tree as text, one line per element, what it was made from indented below it.
 * @param width columns that lines should not go beyond
 */
export function explanationTreeText(tree: ExplanationTree, digits = 4, width = 80): string {
  const lines: string[] = [];
  const written = new Set<string>();
  const write = (element: ExplanationTree, indent: string): void => {
    const key = `${element.tensor.id}:${element.position}`;
    if (element.because.length > 0 && written.has(key)) {
      lines.push(`${indent}${element.name} = ${valueText(element, digits)}, as above`);
      return;
    }
    written.add(key);
    for (const line of elementText(element, digits, Math.max(LEAST_WIDTH, width - indent.length))) lines.push(indent + line);
    for (const inner of element.because) write(inner, `${indent}  `);
  };
  write(tree, "");
  return lines.join("\n");
}

/** However deep a tree is, its formulas are not cut into single numbers. */
const LEAST_WIDTH = 40;

/**
 * The lines that say how one element was computed.
 * @param width columns that lines should not go beyond (default: no limit)
 */
export function elementText(element: ExplainedElement, digits = 4, width = Number.POSITIVE_INFINITY): string[] {
  return linesOf(element, digits, width).flatMap((line) => broken(line, width));
}

function linesOf(element: ExplainedElement, digits: number, width: number): string[] {
  const { tensor, name, explanation, chain } = element;
  if (chain !== undefined && chain.paths.length > 0) {
    const upstream = `∂L/∂${chain.upstream.slice(1)}`;
    return [...chainRuleText(chain, { name, upstream, width }).split("\n"), ...chain.behind.map(innerLine)];
  }
  if (explanation !== undefined) {
    const last = explanation.lines.at(-1) as ExplanationLine;
    return [`${name} = ${last.sentence}`, ...explanation.lines.slice(0, -1).map(innerLine)];
  }
  if (tensor.gradientOf !== undefined && tensor.origin === "constant")
    return [`${name} = ${valueText(element, digits)}, where the backward pass begins`];
  const what = {
    computed: "computed for all examples of a vmap at once",
    parameter: "a parameter",
    data: "data",
    constant: "a number in the program",
  };
  return [`${name} = ${valueText(element, digits)}, ${what[tensor.origin]}`];
}

/** A line that is too long goes on below, indented, with an operator. */
function broken(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const indent = `${/^ */.exec(line)?.[0]}    `;
  const lines: string[] = [];
  for (const part of partsOf(line, width - indent.length)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + part.length <= width) lines[lines.length - 1] = `${last} ${part}`;
    else lines.push(last === undefined ? part : indent + part);
  }
  return lines;
}

/** Cuts a line before its operators; inside of parentheses only where a part is still too long. */
function partsOf(line: string, width: number, inside = 0): string[] {
  const parts: string[] = [];
  let [depth, start, deepest] = [0, 0, 0];
  for (let at = 0; at < line.length; at++) {
    const mark = line[at] as string;
    depth += "([".includes(mark) ? 1 : ")]".includes(mark) ? -1 : 0;
    deepest = Math.max(deepest, depth);
    if (depth > inside || !/^ [+=·×/-] /.test(line.slice(at, at + 3))) continue;
    parts.push(line.slice(start, at));
    start = at + 1;
  }
  parts.push(line.slice(start));
  if (inside >= deepest) return parts;
  return parts.flatMap((part) => (part.length <= width ? [part] : partsOf(part, width, inside + 1)));
}

function innerLine(line: ExplanationLine): string {
  return `  ${lineName(line)} = ${line.sentence}`;
}

function valueText({ tensor, value }: ExplainedElement, digits: number): string {
  return numberText(value, typeOfDType(tensor.dtype), digits);
}
