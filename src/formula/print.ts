// Prints a formula as plain text that parses back to the same formula.

import { type BoundAxis, type Expression, type Formula, type IndexNode, isPlain, type Statement } from "./ast.ts";
import { FUNCTIONS } from "./functions.ts";

const UNARY = 6;
const ATOM = 8;

export function printFormula(formula: Formula): string {
  return formula.statements.map(printStatement).join("\n");
}

export function printStatement(statement: Statement): string {
  const indices = statement.indices.map((index) => {
    const extent = index.kind === "name" ? statement.extents[index.name] : undefined;
    return extent === undefined ? printIndex(index) : `${printIndex(index)} < ${printExpression(extent, 4)}`;
  });
  const plain = isPlain({ kind: "access", tensor: statement.target, indices: statement.indices });
  const left = plain ? statement.target : `${statement.target}[${indices.join(", ")}]`;
  return `${left} ${statement.accumulate ? "+=" : "="} ${printExpression(statement.value)}`;
}

/** @param level operators of a lower precedence are put in parentheses */
export function printExpression(node: Expression, level = 0): string {
  const [text, precedence] = print(node);
  return precedence < level ? `(${text})` : text;
}

export function printBound(axis: BoundAxis): string {
  if (axis.kind === "list") return `@${axis.attribute}`;
  if (axis.kind === "ellipsis") return `...${axis.group}`;
  return axis.extent === undefined ? axis.name : `${axis.name} < ${printExpression(axis.extent, 4)}`;
}

function printIndex(index: IndexNode): string {
  if (index.kind === "ellipsis") return `...${index.group}`;
  // Inside an index a bare name is an axis or a size, so a tensor keeps its brackets.
  return index.kind === "access" && isPlain(index) ? `${index.tensor}[...]` : printExpression(index);
}

function print(node: Expression): [text: string, precedence: number] {
  switch (node.kind) {
    case "number":
      return [printNumber(node.value), node.value < 0 || Object.is(node.value, -0) ? UNARY : ATOM];
    case "name":
      return [node.name, ATOM];
    case "access":
      return [isPlain(node) ? node.tensor : `${node.tensor}[${node.indices.map(printIndex).join(", ")}]`, ATOM];
    case "inside":
      return [`inside(${node.access.tensor}[${node.access.indices.map(printIndex).join(", ")}])`, ATOM];
    case "count":
    case "position":
      return [`${node.kind}[${node.axes.map(printBound).join(", ")}]`, ATOM];
    case "reduce":
      return [`${node.reducer}[${node.axes.map(printBound).join(", ")}](${printExpression(node.body)})`, ATOM];
    case "call":
      return printCall(node);
  }
}

function printCall(node: Extract<Expression, { kind: "call" }>): [string, number] {
  const [a, b] = node.args;
  if (a && node.fn === "neg") return [`-${printExpression(a, UNARY)}`, UNARY];
  if (a && node.fn === "not") return [`!${printExpression(a, UNARY)}`, UNARY];
  const operator = FUNCTIONS[node.fn].operator;
  if (operator === undefined || !a || !b) return [`${node.fn}(${node.args.map((arg) => printExpression(arg)).join(", ")})`, ATOM];
  const { symbol, precedence } = operator;
  if (node.fn === "pow") return [`${printExpression(a, ATOM)} ^ ${printExpression(b, UNARY)}`, precedence];
  return [`${printExpression(a, precedence)} ${symbol} ${printExpression(b, precedence + 1)}`, precedence];
}

export function printNumber(value: number): string {
  if (value === Math.PI) return "pi";
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  return Number.isNaN(value) ? "nan" : String(value);
}
