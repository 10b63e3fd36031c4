// Explanations of recorded numbers, and of the numbers they depend on, as TeX and MathML.

import type { ExplanationLine } from "../../formula/explain/explanation.ts";
import { outsideNote } from "../../formula/filled.ts";
import { type Box, layoutElement, layoutExpression, layoutNumber, layoutRow } from "../../formula/typeset/layout.ts";
import { layoutChainRule } from "../../formula/typeset/print-chain-rule.ts";
import { mathmlOfRows } from "../../formula/typeset/print-mathml.ts";
import { texAligned, texOfBox } from "../../formula/typeset/print-tex.ts";
import { typeOfDType } from "../../nest/typing.ts";
import { checkArguments, DIGITS } from "../../util/arguments.ts";
import { ELEMENT, TREE } from "../kinds.ts";
import type { RecordedTensor } from "../record/recording.ts";
import type { ExplainedElement } from "./explain.ts";
import { originText } from "./explain-text.ts";
import { type ExplanationTree, treeLines } from "./explain-tree.ts";

/**
 * How one number was computed, as an aligned block of TeX (amsmath): its formula with numbers, in a gradient the chain
 * rule.
 */
export function elementTex(element: ExplainedElement, digits = 4): string {
  checkArguments("elementTex", { element: [element, ELEMENT], digits: [digits, DIGITS] });
  return texOfRows(layoutExplained(element, digits));
}

/** The same as MathML. */
export function elementMathml(element: ExplainedElement, digits = 4): string {
  checkArguments("elementMathml", { element: [element, ELEMENT], digits: [digits, DIGITS] });
  return mathmlOfRows(
    layoutExplained(element, digits).map((row) => [row]),
    "left",
  );
}

/** A whole explanation as an aligned block of TeX (amsmath): what a number was made from stands below it, indented. */
export function explanationTreeTex(tree: ExplanationTree, digits = 4): string {
  checkArguments("explanationTreeTex", { tree: [tree, TREE], digits: [digits, DIGITS] });
  return texOfRows(layoutTree(tree, digits));
}

/** The same as MathML. */
export function explanationTreeMathml(tree: ExplanationTree, digits = 4): string {
  checkArguments("explanationTreeMathml", { tree: [tree, TREE], digits: [digits, DIGITS] });
  return mathmlOfRows(
    layoutTree(tree, digits).map((row) => [row]),
    "left",
  );
}

/** One column that begins at the left. */
function texOfRows(rows: readonly Box[]): string {
  return texAligned(rows.map((row) => ["", ` ${texOfBox(row)}`]));
}

function layoutTree(tree: ExplanationTree, digits: number): Box[] {
  return treeLines(tree).flatMap(({ element, depth, isRepeated }) => {
    const rows = isRepeated ? [said(element, "as above", digits)] : layoutExplained(element, digits);
    return rows.map((row) => indented(row, depth));
  });
}

/** The lines of one element. */
function layoutExplained(element: ExplainedElement, digits: number): Box[] {
  const { explanation, chain } = element;
  const name = layoutName(element.tensor, element.position);
  if (chain !== undefined && chain.paths.length > 0) {
    const [first, ...others] = layoutChainRule(chain) as [Box, ...Box[]];
    return [
      layoutRow(name, first),
      ...others.map((row) => indented(row, 2)),
      ...chain.behind.map((line) => indented(layoutLine(line, chain.explanation.digits), 1)),
    ];
  }
  if (explanation === undefined) return [said(element, originText(element), digits)];
  const { lines } = explanation;
  return [
    layoutSides(name, lines.at(-1)!, explanation.digits),
    ...lines.slice(0, -1).map((line) => indented(layoutLine(line, explanation.digits), 1)),
  ];
}

/** An intermediate value of the same formula. */
function layoutLine(line: ExplanationLine, digits: number): Box {
  return layoutSides(layoutElement(line.target, line.position), line, digits);
}

/** name = value = formula with numbers */
function layoutSides(name: Box, line: ExplanationLine, digits: number): Box {
  const note = outsideNote(line.filled);
  return layoutRow(
    name,
    EQUALS,
    layoutNumber(line.value, line.type, digits),
    EQUALS,
    layoutExpression(line.filled, { digits }),
    ...(note === "" ? [] : [text(`(${note})`)]),
  );
}

function said({ tensor, position, value }: ExplainedElement, what: string, digits: number): Box {
  return layoutRow(layoutName(tensor, position), EQUALS, layoutNumber(value, typeOfDType(tensor.dtype), digits), text(`, ${what}`));
}

/** The name of an element as in `elementName`: ∂L over ∂ of what it is a gradient of, the place as a script. */
function layoutName(tensor: RecordedTensor, position: readonly number[]): Box {
  const { source, gradientOf, updateOf, name, origin } = tensor;
  if (updateOf !== undefined) return layoutRow(text("new"), layoutName(updateOf, position));
  if (gradientOf !== undefined)
    return {
      kind: "fraction",
      above: layoutRow(PARTIAL, { kind: "identifier", text: "L" }),
      below: layoutRow(PARTIAL, layoutName(gradientOf, position)),
    };
  if (source === undefined) return layoutElement(origin === "constant" ? "constant" : name, position);
  const place = source.path === "" ? source.op.name : `${source.path} (${source.op.name})`;
  return layoutRow(layoutElement(name, position), text(`of ${place}`));
}

function indented(row: Box, depth: number): Box {
  return depth === 0 ? row : layoutRow({ kind: "space", width: depth }, row);
}

const EQUALS: Box = { kind: "operator", text: "=" };
const PARTIAL: Box = { kind: "operator", text: "∂" };

function text(words: string): Box {
  return { kind: "text", text: words };
}
