// Lays formulas out as boxes (fractions, scripts, limits, cases), which the TeX and MathML printers draw.

import { FUNCTIONS } from "../../nest/functions.ts";
import type { FunctionName, ScalarType } from "../../nest/nest.ts";
import type { AccessNode, BoundAxis, Formula, IndexNode, Statement } from "../ast.ts";
import { isPlain } from "../ast.ts";
import type { AxisStep, Filled, FilledChain, FilledTerm, Gap } from "../filled.ts";
import { cancelledDigits, placeLabel, reasonOf, termsAndGaps } from "../filled.ts";
import { writeNumber } from "../numbers.ts";
import type { Printable, PrintableCall } from "../print.ts";

export type Box =
  /** A variable's name: italic, Greek where it spells a Greek letter. */
  | { readonly kind: "identifier"; readonly text: string }
  | { readonly kind: "number"; readonly text: string }
  /** The upright name of a function. */
  | { readonly kind: "function"; readonly text: string }
  | { readonly kind: "operator"; readonly text: string }
  /** Words between formulas. */
  | { readonly kind: "text"; readonly text: string }
  /** Room, in widths of an M. */
  | { readonly kind: "space"; readonly width: number }
  | { readonly kind: "row"; readonly parts: readonly Box[] }
  | { readonly kind: "fraction"; readonly above: Box; readonly below: Box }
  | { readonly kind: "root"; readonly body: Box }
  | { readonly kind: "subscript"; readonly base: Box; readonly script: Box }
  | { readonly kind: "superscript"; readonly base: Box; readonly script: Box }
  /** A big operator with what it runs over beneath it. */
  | { readonly kind: "under"; readonly base: Box; readonly script: Box }
  /** A horizontal brace beneath, with a label. */
  | { readonly kind: "brace"; readonly body: Box; readonly label: Box }
  | { readonly kind: "fence"; readonly open: string; readonly close: string; readonly body: Box }
  | { readonly kind: "cases"; readonly rows: readonly { readonly value: Box; readonly condition: Box }[] };

/** One line, split where the lines of a block are aligned. */
export interface LaidOutStatement {
  readonly left: Box;
  readonly relation: "=" | "+=";
  readonly right: Box;
}

export interface LayoutOptions {
  /** Tensors whose gradients (`gx` for `x`) are drawn as ∂L/∂x. */
  readonly gradients?: readonly string[];
  /** Significant digits of filled numbers (default 4). */
  readonly digits?: number;
  /** Elements in filled expressions are drawn by name and coordinates instead of as numbers. */
  readonly named?: boolean;
}

type PrintedBox = [box: Box, precedence: number];

const COMPARISON = 3;
const SUM = 4;
/** A minus sign or a big operator: to be kept apart from an operator before it, but not from one after. */
const SIGN = 4.2;
const BIG = 4.5;
const PRODUCT = 5;
const UNARY = 6;
const FRACTION = 7;
const ATOM = 8;

const SYMBOLS: Partial<Record<FunctionName, string>> = {
  sub: "−",
  mul: "·",
  mod: "mod",
  le: "≤",
  ge: "≥",
  eq: "=",
  ne: "≠",
  and: "∧",
  or: "∨",
};
const WORDS: Partial<Record<FunctionName, string>> = { log: "ln", asin: "arcsin", acos: "arccos", atan: "arctan", sign: "sgn" };
const FENCES: Partial<Record<FunctionName, readonly [string, string]>> = { abs: ["|", "|"], floor: ["⌊", "⌋"], ceil: ["⌈", "⌉"] };

export function layoutFormula(formula: Formula, options: LayoutOptions = {}): LaidOutStatement[] {
  return formula.statements.map((statement) => layoutStatement(statement, options));
}

export function layoutStatement(statement: Statement, options: LayoutOptions = {}): LaidOutStatement {
  const layout = new Layout(options);
  return { left: layout.target(statement), relation: statement.accumulate ? "+=" : "=", right: layout.at(statement.value, 0) };
}

/** An expression, or a filled one: a bare element stands for itself by its coordinates. */
export function layoutExpression(node: Printable, options: LayoutOptions = {}): Box {
  const layout = new Layout(options);
  return node.kind === "read" ? layout.element(node.tensor, node.coordinates) : layout.at(node, 0);
}

/** A filled expression as a factor: in parentheses where it needs them beside a sign of multiplication. */
export function layoutFactor(node: Filled, options: LayoutOptions = {}): Box {
  return new Layout(options).at(node, PRODUCT);
}

/** Boxes beside each other. */
export function layoutRow(...parts: readonly Box[]): Box {
  return row(...parts);
}

export function layoutElement(tensor: string, position: readonly number[], options: LayoutOptions = {}): Box {
  return new Layout(options).element(tensor, position);
}

export function layoutNumber(value: number, type: ScalarType, digits = 4): Box {
  return numberPart(value, type, digits)[0];
}

class Layout {
  readonly #gradients: ReadonlySet<string>;
  readonly #digits: number;
  readonly #named: boolean;

  constructor(options: LayoutOptions) {
    this.#named = options.named ?? false;
    this.#gradients = new Set(options.gradients);
    this.#digits = options.digits ?? 4;
  }

  /** @param small inside scripts: fractions are written on one line */
  at(node: Printable, level: number, small = false): Box {
    const [box, precedence] = this.#part(node, small);
    return precedence < level ? fence(box) : box;
  }

  target(statement: Statement): Box {
    const extents = statement.extents;
    return this.#indexed(statement.target, statement.indices, (index) => {
      const extent = index.kind === "name" ? extents[index.name] : undefined;
      return extent === undefined ? this.#index(index) : row(this.#index(index), operator("<"), this.at(extent, SUM, true));
    });
  }

  element(tensor: string, position: readonly number[]): Box {
    return this.#tensor(
      tensor,
      position.length === 0 ? undefined : list(position.map((value) => layoutNumber(value, "float", this.#digits))),
    );
  }

  #part(node: Printable, small: boolean): PrintedBox {
    switch (node.kind) {
      case "number":
        return numberPart(node.value, "float", 17);
      case "value":
      case "read":
        if (node.kind === "read" && this.#named) return [this.element(node.tensor, node.coordinates), ATOM];
        return numberPart(node.value, node.type, this.#digits);
      case "name":
        return [identifier(node.name), ATOM];
      case "access":
        return [this.#access(node), ATOM];
      case "inside":
        return [row(word("inside"), fence(this.#access(node.access))), ATOM];
      case "count":
      case "position":
        return [{ kind: "subscript", base: word(node.kind), script: this.#bounds(node.axes) }, ATOM];
      case "reduce": {
        const script = this.#bounds(node.axes);
        if (node.reducer === "sum" || node.reducer === "prod")
          return [row({ kind: "under", base: operator(node.reducer === "sum" ? "∑" : "∏"), script }, this.at(node.body, BIG)), BIG];
        return [row({ kind: "under", base: word(node.reducer), script }, fence(this.at(node.body, 0))), ATOM];
      }
      case "choice":
        return [row(this.at(node.chosen, 1), text("because"), this.at(reasonOf(node), 1)), 0];
      case "chain":
        return this.#chain(node);
      case "call":
        return this.#withRoom(node).#call(node, small);
    }
  }

  /** A layout whose digits show what a cancellation leaves. */
  #withRoom(node: PrintableCall & { readonly value?: unknown }): Layout {
    const more = cancelledDigits(node.fn, node.args as readonly { readonly value?: unknown }[], node.value);
    return more === 0 ? this : new Layout({ gradients: [...this.#gradients], digits: this.#digits + more, named: this.#named });
  }

  #call(node: PrintableCall, small: boolean): PrintedBox {
    const { fn } = node;
    const [a, b] = node.args;
    if (!a) return [word(fn), ATOM];
    if (fn === "neg") return [row(operator("−"), this.at(a, BIG, small)), SIGN];
    if (fn === "not") return [row(operator("¬"), this.at(a, UNARY, small)), UNARY];
    if (fn === "float") return this.#part(a, small);
    if (fn === "sqrt") return [{ kind: "root", body: this.at(a, 0, small) }, ATOM];
    if (fn === "select") return [this.#cases(node), 0];
    const pair = FENCES[fn];
    if (pair) return [{ kind: "fence", open: pair[0], close: pair[1], body: this.at(a, 0, small) }, ATOM];
    if (fn === "div" && b && !small) return [{ kind: "fraction", above: this.at(a, 0), below: this.at(b, 0) }, FRACTION];
    if (fn === "pow" && b) return [{ kind: "superscript", base: this.at(a, ATOM, small), script: this.at(b, 0, true) }, FRACTION];
    const row_ = FUNCTIONS[fn].operator;
    if (row_ === undefined || !b) return [row(word(WORDS[fn] ?? fn), fence(list(node.args.map((arg) => this.at(arg, 0, small))))), ATOM];
    const right = row_.precedence === SUM ? BIG : row_.precedence + 1;
    return [row(this.at(a, row_.precedence, small), operator(SYMBOLS[fn] ?? row_.symbol), this.at(b, right, small)), row_.precedence];
  }

  /** select(c, a, select(d, b, e)): one brace with a row for each condition. */
  #cases(node: PrintableCall): Box {
    const rows: { value: Box; condition: Box }[] = [];
    let rest: Printable = node;
    while (rest.kind === "call" && rest.fn === "select") {
      const [condition, value, otherwise] = rest.args as readonly [Printable, Printable, Printable];
      rows.push({ value: this.at(value, 1), condition: row(text("if"), this.at(condition, 0)) });
      rest = otherwise;
    }
    rows.push({ value: this.at(rest, 0), condition: text("otherwise") });
    return { kind: "cases", rows };
  }

  #chain(node: FilledChain): PrintedBox {
    const items = termsAndGaps(node);
    const dots = ({ gap, note }: Gap): Box => {
      if (note === "") return row(operator("⋯"), text(`${gap} more`), operator("⋯"));
      if (note !== "together") return row(operator("⋯"), text(`${gap} more, ${note}`));
      return { kind: "brace", body: numberPart(node.rest as number, node.type, this.#digits)[0], label: text(`${gap} more, together`) };
    };
    const term = (item: FilledTerm, level: number): Box => {
      const inner: Filled = node.grouped ? { kind: "value", value: item.term.value, type: item.term.type } : item.term;
      const steps = placeLabel(node, item);
      const body = this.at(inner, level);
      return steps.length === 0 ? body : { kind: "brace", body, label: list(steps.map(axisStep)) };
    };
    const joined = (symbol: string, first: number, others: number): Box =>
      row(
        ...items.flatMap((item, place) => {
          const box = "gap" in item ? dots(item) : term(item, place === 0 ? first : others);
          return place === 0 ? [box] : [operator(symbol), box];
        }),
      );
    if (node.reducer !== "sum" && node.reducer !== "prod") return [row(word(node.reducer), fence(joined(",", 1, 1))), ATOM];
    const [only] = items;
    if (only === undefined) return numberPart(node.value, node.type, this.#digits);
    if (items.length === 1 && "term" in only && !node.grouped) return this.#part(only.term, false);
    return node.reducer === "sum" ? [joined("+", SUM, BIG), SUM] : [joined("·", PRODUCT, UNARY), PRODUCT];
  }

  #access(node: AccessNode): Box {
    return this.#indexed(node.tensor, node.indices, (index) => this.#index(index));
  }

  #indexed(tensor: string, indices: readonly IndexNode[], draw: (index: IndexNode) => Box): Box {
    const plain = isPlain({ kind: "access", tensor, indices });
    return this.#tensor(tensor, plain || indices.length === 0 ? undefined : list(indices.map(draw)));
  }

  #tensor(tensor: string, script: Box | undefined): Box {
    const of = tensor.startsWith("g") ? tensor.slice(1) : "";
    const gradient = this.#gradients.has(of);
    const base = identifier(gradient ? of : tensor);
    const named: Box = script === undefined ? base : { kind: "subscript", base, script };
    const partial = operator("∂");
    return gradient ? { kind: "fraction", above: row(partial, identifier("L")), below: row(partial, named) } : named;
  }

  #index(index: IndexNode): Box {
    if (index.kind === "ellipsis") return index.group === "" ? operator("…") : row(operator("…"), identifier(index.group));
    return this.at(index, 0, true);
  }

  #bounds(axes: readonly BoundAxis[]): Box {
    return list(
      axes.map((axis) => {
        if (axis.kind === "list") return word(axis.attribute);
        if (axis.kind === "ellipsis") return this.#index(axis);
        return axis.extent === undefined
          ? identifier(axis.name)
          : row(identifier(axis.name), operator("<"), this.at(axis.extent, COMPARISON + 1, true));
      }),
    );
  }
}

function numberPart(value: number, type: ScalarType, digits: number): PrintedBox {
  if (value === Math.PI) return [identifier("pi"), ATOM];
  const written = digits > 16 ? exact(value) : writeNumber(value, type, digits);
  const plain: Box =
    written.digits === "inf" ? operator("∞") : /^\d/.test(written.digits) ? { kind: "number", text: written.digits } : word(written.digits);
  const ten: Box = {
    kind: "superscript",
    base: { kind: "number", text: "10" },
    script: { kind: "number", text: String(written.exponent).replace("-", "−") },
  };
  const size = written.exponent === undefined ? plain : row(plain, operator("×"), ten);
  if (written.sign !== "") return [row(operator("−"), size), SIGN];
  return [size, written.exponent === undefined ? ATOM : PRODUCT];
}

/** A number as it stands in a formula, with every digit. */
function exact(value: number): ReturnType<typeof writeNumber> {
  if (!Number.isFinite(value)) return writeNumber(value);
  const [digits = "0", exponent] = String(Math.abs(value)).split("e");
  return { sign: value < 0 || Object.is(value, -0) ? "-" : "", digits, exponent: exponent === undefined ? undefined : Number(exponent) };
}

function row(...parts: readonly Box[]): Box {
  return { kind: "row", parts };
}

function list(items: readonly Box[]): Box {
  return items.length === 1 ? items[0]! : row(...items.flatMap((item, place) => (place === 0 ? [item] : [operator(","), item])));
}

function axisStep({ name, step }: AxisStep): Box {
  const number: Box = { kind: "number", text: String(step) };
  return name.startsWith("...") ? number : row(identifier(name), operator("="), number);
}

function fence(body: Box): Box {
  return { kind: "fence", open: "(", close: ")", body };
}

function identifier(name: string): Box {
  return { kind: "identifier", text: name };
}

function word(name: string): Box {
  return { kind: "function", text: name };
}

function operator(symbol: string): Box {
  return { kind: "operator", text: symbol };
}

function text(words: string): Box {
  return { kind: "text", text: words };
}
