// Prints formulas as plain text that parses back to the same formula, and filled expressions as text to read.

import { FUNCTIONS } from "../nest/functions.ts";
import type { FunctionName } from "../nest/nest.ts";
import type {
  AccessNode,
  BoundAxis,
  CountNode,
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
import { isPlain } from "./ast.ts";
import type { AxisStep, Filled, FilledChain, FilledChoice, FilledRead, FilledTerm, Gap } from "./filled.ts";
import { cancelledDigits, placeLabel, reasonOf, termsAndGaps } from "./filled.ts";
import { numberText } from "./numbers.ts";

/** An expression or a filled one: they share their calls. */
export type Printable =
  | NumberNode
  | NameNode
  | AccessNode
  | ReduceNode
  | CountNode
  | PositionNode
  | InsideNode
  | PrintableCall
  | Exclude<Filled, { kind: "call" }>;

export interface PrintableCall {
  readonly kind: "call";
  readonly fn: FunctionName;
  readonly args: readonly Printable[];
}

type PrintedText = [text: string, precedence: number];

const SUM = 4;
const PRODUCT = 5;
const UNARY = 6;
const ATOM = 8;

/** A formula as text, one statement per line. */
export function printFormula(formula: Formula): string {
  return formula.statements.map(printStatement).join("\n");
}

/** A statement as text. */
export function printStatement(statement: Statement): string {
  return `${printTarget(statement)} ${statement.accumulate ? "+=" : "="} ${printExpression(statement.value)}`;
}

/**
 * An expression as text.
 * @param level operators of a lower precedence are put in parentheses
 */
export function printExpression(node: Expression, level = 0): string {
  return new TextPrinter(undefined).at(node, level);
}

/** `1 / (1 + exp(-2.99))`; chains are written out, with `… 92 more …` for what was left out. */
export function printFilled(node: Filled, digits = 4): string {
  return new TextPrinter(digits).root(node);
}

/** The same as a factor: in parentheses where it needs them behind a sign of multiplication. */
export function printFactor(node: Filled, digits = 4): string {
  return new TextPrinter(digits).at(node, PRODUCT);
}

/** The same with elements of tensors by name: `y[0]·(1 - y[0])`. */
export function printNamedFactor(node: Filled, digits = 4): string {
  return new TextPrinter(digits, true).at(node, PRODUCT);
}

/** `i=7`; a step of a group of dimensions is its number alone. */
function axisStepText({ name, step }: AxisStep): string {
  return name.startsWith("...") ? String(step) : `${name}=${step}`;
}

function printBound(axis: BoundAxis): string {
  if (axis.kind === "list") return `@${axis.attribute}`;
  if (axis.kind === "ellipsis") return `...${axis.group}`;
  return axis.extent === undefined ? axis.name : `${axis.name} < ${printExpression(axis.extent, SUM)}`;
}

function printNumber(value: number): string {
  if (value === Math.PI) return "pi";
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  return Number.isNaN(value) ? "nan" : Object.is(value, -0) ? "-0" : String(value);
}

function printTarget(statement: Statement): string {
  const indices = statement.indices.map((index) => {
    const extent = index.kind === "name" ? statement.extents[index.name] : undefined;
    return extent === undefined ? printIndex(index) : `${printIndex(index)} < ${printExpression(extent, SUM)}`;
  });
  const plain = isPlain({ kind: "access", tensor: statement.target, indices: statement.indices });
  return plain ? statement.target : `${statement.target}[${indices.join(", ")}]`;
}

function printIndex(index: IndexNode): string {
  if (index.kind === "ellipsis") return `...${index.group}`;
  // Inside an index a bare name is an axis or a size, so a tensor keeps its brackets.
  return index.kind === "access" && isPlain(index) ? `${index.tensor}[...]` : printExpression(index);
}

class TextPrinter {
  /** Significant digits of filled numbers; undefined: numbers are printed in full, as the parser reads them. */
  readonly #digits: number | undefined;
  /** Elements of tensors are written by name instead of as numbers. */
  readonly #named: boolean;

  constructor(digits: number | undefined, named = false) {
    this.#digits = digits;
    this.#named = named;
  }

  at(node: Printable, level: number): string {
    const [text, precedence] = this.#print(node);
    return precedence < level ? `(${text})` : text;
  }

  /** A whole filled right side: a bare element is shown by its coordinates, since its number alone says nothing. */
  root(node: Filled): string {
    return node.kind === "read" ? this.#element(node) : this.at(node, 0);
  }

  #element({ tensor, coordinates }: FilledRead): string {
    return coordinates.length === 0 ? tensor : `${tensor}[${coordinates.map((value) => this.#number(value)).join(", ")}]`;
  }

  #print(node: Printable): PrintedText {
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
        return [`${node.reducer}[${node.axes.map(printBound).join(", ")}](${this.at(node.body, 0)})`, ATOM];
      case "call":
        return this.#withRoom(node).#call(node);
      case "value":
      case "read":
        if (node.kind === "read" && this.#named) return [this.#element(node), ATOM];
        // A negative number stands in parentheses behind an operator: 3 + (-2), (-2)·4.
        return [this.#number(node.value, node.type), node.value < 0 || Object.is(node.value, -0) ? SUM : ATOM];
      case "choice":
        return this.#choice(node);
      case "chain":
        return this.#chain(node);
    }
  }

  #number(value: number, type?: Filled["type"]): string {
    return numberText(value, type, this.#digits);
  }

  /** A printer whose digits show what a cancellation leaves. */
  #withRoom(node: PrintableCall & { readonly value?: unknown }): TextPrinter {
    const more =
      this.#digits === undefined ? 0 : cancelledDigits(node.fn, node.args as readonly { readonly value?: unknown }[], node.value);
    return more === 0 ? this : new TextPrinter((this.#digits as number) + more, this.#named);
  }

  #call(node: PrintableCall): PrintedText {
    const filled = this.#digits !== undefined;
    const [a, b] = node.args;
    const sign = filled ? SUM : UNARY;
    if (a && node.fn === "neg") return [`-${this.at(a, filled ? PRODUCT : UNARY)}`, sign];
    if (a && node.fn === "not") return [filled ? `not ${this.at(a, UNARY)}` : `!${this.at(a, UNARY)}`, UNARY];
    const operator = FUNCTIONS[node.fn].operator;
    if (operator === undefined || !a || !b) return [`${node.fn}(${node.args.map((arg) => this.at(arg, 0)).join(", ")})`, ATOM];
    const { symbol, precedence } = operator;
    if (node.fn === "pow") return [`${this.at(a, ATOM)}${filled ? "^" : " ^ "}${this.at(b, UNARY)}`, precedence];
    // Comparisons do not chain, so one on the left needs parentheses too.
    const left = FUNCTIONS[node.fn].signature === "comparison" ? precedence + 1 : precedence;
    return [`${this.at(a, left)}${filled && node.fn === "mul" ? "·" : ` ${symbol} `}${this.at(b, precedence + 1)}`, precedence];
  }

  #choice(node: FilledChoice): PrintedText {
    const reason = reasonOf(node);
    return [`${this.at(node.chosen, 1)} because ${this.at(reason, 1)}`, 0];
  }

  #chain(node: FilledChain): PrintedText {
    const items = termsAndGaps(node);
    const gap = ({ gap: count, note }: Gap): string => {
      if (note === "") return `… ${count} more …`;
      return `… ${count} more, ${note}${note === "together" ? ` ${this.#number(node.rest as number, node.type)}` : ""}`;
    };
    const term = (item: FilledTerm, level: number): string => {
      const steps = placeLabel(node, item).map(axisStepText).join(", ");
      const inner: Filled = node.grouped ? { kind: "value", value: item.term.value, type: item.term.type } : item.term;
      return this.at(inner, level) + (steps === "" ? "" : ` [${steps}]`);
    };
    if (node.reducer === "sum" || node.reducer === "prod") {
      const [only] = items;
      if (only === undefined) return [this.#number(node.value, node.type), ATOM];
      if (items.length === 1 && "term" in only && !node.grouped) return this.#print(only.term);
      const precedence = node.reducer === "sum" ? SUM : PRODUCT;
      const parts = items.map((item, place) => ("gap" in item ? gap(item) : term(item, place === 0 ? precedence : precedence + 1)));
      return [parts.join(node.reducer === "sum" ? " + " : "·"), precedence];
    }
    return [`${node.reducer}(${items.map((item) => ("gap" in item ? gap(item) : term(item, 1))).join(", ")})`, ATOM];
  }
}
