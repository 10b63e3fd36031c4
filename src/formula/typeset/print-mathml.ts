// Prints formulas and explanations as presentation MathML (MathML Core), which browsers draw by themselves.

import type { Expression, Formula, Statement } from "../ast.ts";
import type { Explanation } from "../explain/explanation.ts";
import { outsideNote } from "../filled.ts";
import { GREEK } from "./greek.ts";
import { type Box, type LayoutOptions, layoutElement, layoutExpression, layoutFormula, layoutNumber, layoutStatement } from "./layout.ts";

/** A whole `<math>` element; several statements are a table with the equal signs beneath each other. */
export function mathmlOf(formula: Formula, options?: LayoutOptions): string {
  const lines = layoutFormula(formula, options);
  const [only] = lines;
  if (only && lines.length === 1) return math(row([draw(only.left), mo(only.relation), draw(only.right)]));
  return math(table(lines.map(({ left, relation, right }) => [draw(left), mo(relation), draw(right)])));
}

/** A statement as a MathML element. */
export function mathmlOfStatement(statement: Statement, options?: LayoutOptions): string {
  const { left, relation, right } = layoutStatement(statement, options);
  return math(row([draw(left), mo(relation), draw(right)]));
}

/** An expression as a MathML element. */
export function mathmlOfExpression(expression: Expression, options?: LayoutOptions): string {
  return math(draw(layoutExpression(expression, options)));
}

/** The value, an equal sign and the right side with numbers; with intermediate values, one line each. */
export function explanationMathml(explanation: Explanation): string {
  const { digits } = explanation;
  const sides = explanation.lines.map((line) => {
    const note = outsideNote(line.filled);
    const filled = draw(layoutExpression(line.filled, { digits })) + (note === "" ? "" : mtext(` (${note})`));
    return row([draw(layoutNumber(line.value, line.type, digits)), mo("="), filled]);
  });
  const [only] = sides;
  if (only && sides.length === 1 && explanation.omitted === 0) return math(only);
  const rows = explanation.lines.map((line, place) => [draw(layoutElement(line.target, line.position)), mo("="), sides[place]!]);
  if (explanation.omitted > 0) rows.splice(-1, 0, ["", "", mtext(`(${explanation.omitted} more intermediate values)`)]);
  return math(table(rows));
}

/**
 * Lines of boxes with their cells beneath each other, centred or all beginning at the left; one line alone is a row.
 */
export function mathmlOfRows(rows: readonly (readonly Box[])[], align: "center" | "left" = "center"): string {
  const [only] = rows;
  if (only && rows.length === 1) return math(row(only.map(draw)));
  return math(
    table(
      rows.map((cells) => cells.map(draw)),
      align,
    ),
  );
}

function math(body: string): string {
  return `<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">${body}</math>`;
}

function draw(box: Box): string {
  switch (box.kind) {
    case "number":
      return element("mn", escapeText(box.text));
    case "identifier":
      return element("mi", escapeText(GREEK[box.text] ?? box.text));
    case "function":
      return [...box.text].length === 1 ? `<mi mathvariant="normal">${escapeText(box.text)}</mi>` : element("mi", escapeText(box.text));
    case "operator":
      return box.text === "∞" ? element("mi", box.text) : mo(box.text);
    case "text":
      return mtext(` ${box.text} `);
    case "space":
      return `<mspace width="${box.width}em"></mspace>`;
    case "row":
      return row(
        box.parts.flatMap((part, place) => {
          const called = box.parts[place - 1]?.kind === "function" && part.kind === "fence";
          return called ? [mo("\u2061"), draw(part)] : [draw(part)];
        }),
      );
    case "fraction":
      return element("mfrac", draw(box.above) + draw(box.below));
    case "root":
      return element("msqrt", draw(box.body));
    case "subscript":
      return element("msub", draw(box.base) + draw(box.script));
    case "superscript":
      return element("msup", draw(box.base) + draw(box.script));
    case "under":
      return element("munder", draw(box.base) + draw(box.script));
    case "brace":
      return element("munder", element("munder", `${draw(box.body)}<mo stretchy="true">\u23df</mo>`) + draw(box.label));
    case "fence":
      return row([
        `<mo fence="true" form="prefix">${escapeText(box.open)}</mo>`,
        draw(box.body),
        `<mo fence="true" form="postfix">${escapeText(box.close)}</mo>`,
      ]);
    case "cases":
      return row(['<mo fence="true" form="prefix">{</mo>', table(box.rows.map(({ value, condition }) => [draw(value), draw(condition)]))]);
  }
}

function row(parts: readonly string[]): string {
  return element("mrow", parts.join(""));
}

function table(rows: readonly (readonly string[])[], align: "center" | "left" = "center"): string {
  const cellOf = (cell: string): string => (align === "left" ? `<mtd style="text-align: left">${cell}</mtd>` : element("mtd", cell));
  return element("mtable", rows.map((cells) => element("mtr", cells.map(cellOf).join(""))).join(""));
}

function mo(symbol: string): string {
  return element("mo", escapeText(symbol));
}

/** Spaces at the ends are kept as no-break spaces; engines trim others. */
function mtext(words: string): string {
  return element("mtext", escapeText(words.replace(/^ | $/g, "\u00a0")));
}

function element(tag: string, body: string): string {
  return `<${tag}>${body}</${tag}>`;
}

function escapeText(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
