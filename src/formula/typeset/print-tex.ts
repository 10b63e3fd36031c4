// Prints formulas and explanations as TeX (amsmath), for KaTeX, MathJax and papers.

import type { Expression, Formula, Statement } from "../ast.ts";
import type { Explanation, ExplanationLine } from "../explain/explanation.ts";
import { outsideNote } from "../filled.ts";
import { GREEK } from "./greek.ts";
import { type Box, type LayoutOptions, layoutElement, layoutExpression, layoutFormula, layoutNumber, layoutStatement } from "./layout.ts";

const COMMANDS: Readonly<Record<string, string>> = {
  "−": "-",
  "·": "\\cdot",
  "×": "\\times",
  "≤": "\\le",
  "≥": "\\ge",
  "≠": "\\ne",
  "<": "\\lt",
  ">": "\\gt",
  "∧": "\\land",
  "∨": "\\lor",
  "¬": "\\lnot",
  "∑": "\\sum",
  "∏": "\\prod",
  "∞": "\\infty",
  "∂": "\\partial",
  "…": "\\dots",
  "⋯": "\\cdots",
  mod: "\\bmod",
  "+=": "\\mathrel{+}=",
  ",": ",\\,",
  "⌊": "\\lfloor",
  "⌋": "\\rfloor",
  "⌈": "\\lceil",
  "⌉": "\\rceil",
  "|": "\\vert",
};
const LETTERS = new Map([...Object.entries(GREEK)].map(([name, letter]) => [letter, `\\${name}`]));
/** Functions TeX has a command for. */
const KNOWN = new Set(["exp", "ln", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "max", "min"]);

/** A formula of several statements is a block with the equal signs beneath each other. */
export function texOf(formula: Formula, options?: LayoutOptions): string {
  const lines = layoutFormula(formula, options);
  const [only] = lines;
  if (only && lines.length === 1) return `${tex(only.left)} ${symbol(only.relation)} ${tex(only.right)}`;
  return aligned(lines.map(({ left, relation, right }) => [tex(left), `${symbol(relation)} ${tex(right)}`]));
}

/** A statement as TeX in math mode. */
export function texOfStatement(statement: Statement, options?: LayoutOptions): string {
  const { left, relation, right } = layoutStatement(statement, options);
  return `${tex(left)} ${symbol(relation)} ${tex(right)}`;
}

/** An expression as TeX in math mode. */
export function texOfExpression(expression: Expression, options?: LayoutOptions): string {
  return tex(layoutExpression(expression, options));
}

/** `0.9526 = \frac{1}{1 + \exp\left(-3\right)}`; with intermediate values, one aligned line each. */
export function explanationTex(explanation: Explanation): string {
  const { digits } = explanation;
  const value = (line: ExplanationLine): string => tex(layoutNumber(line.value, line.type, digits));
  const filled = (line: ExplanationLine): string => {
    const note = outsideNote(line.filled);
    return tex(layoutExpression(line.filled, { digits })) + (note === "" ? "" : ` \\quad \\text{(${note})}`);
  };
  const [only] = explanation.lines;
  if (only && explanation.lines.length === 1 && explanation.omitted === 0) return `${value(only)} = ${filled(only)}`;
  const rows = explanation.lines.map((line) => [tex(layoutElement(line.target, line.position)), `= ${value(line)} = ${filled(line)}`]);
  if (explanation.omitted > 0) rows.splice(-1, 0, ["", `\\text{(${explanation.omitted} more intermediate values)}`]);
  return aligned(rows);
}

/** A box as TeX in math mode. */
export function texOfBox(box: Box): string {
  return tex(box);
}

/** Lines with their cells beneath each other. */
export function texAligned(rows: readonly (readonly string[])[]): string {
  return aligned(rows);
}

function aligned(rows: readonly (readonly string[])[]): string {
  return `\\begin{aligned}\n${rows.map((cells) => `  ${cells.join(" &")}`).join(" \\\\\n")}\n\\end{aligned}`;
}

function tex(box: Box): string {
  switch (box.kind) {
    case "number":
      return box.text.replace("−", "-");
    case "identifier":
      return name(box.text);
    case "function":
      return KNOWN.has(box.text) ? `\\${box.text}` : `\\operatorname{${escapeText(box.text)}}`;
    case "operator":
      return symbol(box.text);
    case "text":
      return `\\ \\text{${escapeText(box.text)}}\\ `;
    case "space":
      return "\\quad".repeat(box.width);
    case "row":
      return joinParts(box.parts);
    case "fraction":
      return `\\frac{${tex(box.above)}}{${tex(box.below)}}`;
    case "root":
      return `\\sqrt{${tex(box.body)}}`;
    case "subscript":
      return `${grouped(box.base)}_{${tex(box.script)}}`;
    case "superscript":
      return `${grouped(box.base)}^{${tex(box.script)}}`;
    case "under":
      return box.base.kind === "operator" || KNOWN.has(textOf(box.base))
        ? `${tex(box.base)}_{${tex(box.script)}}`
        : `\\operatorname*{${textOf(box.base)}}_{${tex(box.script)}}`;
    case "brace":
      return `\\underbrace{${tex(box.body)}}_{${tex(box.label)}}`;
    case "fence":
      return `\\left${symbol(box.open)} ${tex(box.body)} \\right${symbol(box.close)}`;
    case "cases":
      return `\\begin{cases} ${box.rows.map(({ value, condition }) => `${tex(value)} & ${tex(condition)}`).join(" \\\\ ")} \\end{cases}`;
  }
}

/** A minus sign at the front, a function and its parentheses, and a comma stand close to their neighbour. */
function joinParts(parts: readonly Box[]): string {
  let line = "";
  parts.forEach((part, place) => {
    const before = parts[place - 1];
    const sign = place === 1 && before?.kind === "operator" && (before.text === "−" || before.text === "…");
    const call = before?.kind === "function" && part.kind === "fence";
    const comma = part.kind === "operator" && part.text === ",";
    const open = before === undefined || sign || call || comma;
    const drawn = tex(part);
    // A command must not run into a letter that follows it.
    const apart = /\\[A-Za-z]+$/.test(line) && /^[A-Za-z0-9]/.test(drawn);
    line += (open && !apart ? "" : " ") + drawn;
  });
  return line;
}

function grouped(box: Box): string {
  const simple = box.kind === "identifier" || box.kind === "number" || box.kind === "function" || box.kind === "fence";
  return simple ? tex(box) : `{${tex(box)}}`;
}

function name(text: string): string {
  const letter = LETTERS.get(GREEK[text] ?? text);
  if (letter !== undefined) return letter;
  // Letters outside of ASCII are typed as they are; current engines read Unicode.
  return [...text].length === 1 ? escapeText(text) : `\\mathit{${escapeText(text)}}`;
}

function symbol(text: string): string {
  return COMMANDS[text] ?? text;
}

function textOf(box: Box): string {
  return "text" in box ? escapeText(box.text) : "";
}

function escapeText(text: string): string {
  return text.replace(/[_#$%&{}]/g, "\\$&");
}
