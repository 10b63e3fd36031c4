// Parses the text of a formula into its syntax tree; errors show the place.
//
//   formula    = statement { (";" | newline) statement }
//   statement  = name [ "[" [ target { "," target } ] "]" ] ( "=" | "+=" ) expression
//   target     = "..." [name] | expression [ "<" expression ]        an axis, or for pieces and scatter any index
//   expression = or-expression over  || && (< <= > >= == !=) (+ -) (* / %) unary(- !) ^
//   primary    = number | name | name "[" [ index { "," index } ] "]" | function "(" expression … ")"
//              | reducer "[" bound { "," bound } "]" "(" expression ")" | ("count" | "position") "[" bound … "]"
//              | "inside" "(" access ")" | "(" expression ")"
//   bound      = name [ "<" expression ] | "..." [name] | "@" name
//   reducer    = sum | mean | prod | max | min | argmax | argmin
//
// A bare tensor name means all of its axes, `x[...]`; `x[]` is a tensor without axes. `pi`, `inf` and `nan` are
// numbers. Comparisons do not chain.

import { FUNCTIONS } from "../nest/functions.ts";
import type { FunctionName, Reducer } from "../nest/nest.ts";
import {
  type BoundAxis,
  call,
  childrenOf,
  ELLIPSIS,
  type Expression,
  type Formula,
  type IndexNode,
  number,
  type Statement,
} from "./ast.ts";
import { errorAt, type Token, type TokenKind, tokenize } from "./lexer.ts";
import { type ParseOptions, resolve, type SourcePosition } from "./resolve.ts";

export { expressionsOf } from "./ast.ts";

const REDUCERS = new Set(["sum", "mean", "prod", "max", "min", "argmax", "argmin"]);
const COMPARISON = 3;
const CONSTANTS: Readonly<Record<string, number>> = { pi: Math.PI, inf: Number.POSITIVE_INFINITY, nan: Number.NaN };
const BINARY: Readonly<Record<string, FunctionName>> = Object.fromEntries(
  Object.entries(FUNCTIONS).flatMap(([fn, row]) => (row.operator ? [[row.operator.symbol, fn as FunctionName]] : [])),
);

const RESERVED = new Set([...REDUCERS, ...Object.keys(CONSTANTS), "count", "position", "inside"]);
/** Operators and parentheses within each other; more would exhaust the stack of what walks the tree. */
const DEEPEST = 200;

/** @throws FormulaError with the position of the first thing that does not fit. */
export function parseFormula(source: string, options: ParseOptions = {}): Formula {
  return new Parser(source).formula(options);
}

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;
  /** Axes that the left side and the reductions around the present token introduce. */
  #axes: string[] = [];
  /** Where names stand: targets and everything read, by statement. */
  readonly #places: { readonly targets: SourcePosition[]; readonly reads: SourcePosition[] } = { targets: [], reads: [] };

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenize(source);
  }

  formula(options: ParseOptions): Formula {
    const statements: Statement[] = [];
    this.#skipSeparators();
    while (!this.#at("end")) {
      statements.push(this.#statement());
      if (!this.#at("end") && !this.#at("separator")) this.#fail(`expected an operator or the end, got '${this.#peek.text}'`);
      this.#skipSeparators();
    }
    if (statements.length === 0) this.#fail("expected a formula such as y = 1 / (1 + exp(-x))");
    return resolve(this.#source, statements, options, this.#places.targets, this.#places.reads);
  }

  #statement(): Statement {
    const { at } = this.#peek;
    this.#axes = [];
    const target = this.#name("a name to define, as in y = …");
    if (RESERVED.has(target))
      throw errorAt(this.#source, at, `${target} has a meaning of its own and cannot be defined`, "choose another name");
    this.#places.targets.push({ text: target, at, statement: this.#places.targets.length });
    const indices: IndexNode[] = [];
    const extents: Record<string, Expression> = {};
    if (this.#take("[")) {
      const none = this.#is("]");
      if (!none)
        do {
          if (this.#peek.kind === "ellipsis") indices.push(this.#ellipsis());
          else {
            const index = this.#shallow(4);
            indices.push(index);
            if (this.#take("<")) {
              if (index.kind !== "name") this.#fail("only a plain axis can be given an extent with <");
              else extents[index.name] = this.#shallow(4);
            }
          }
        } while (this.#take(","));
      this.#expect("]");
    } else indices.push(ELLIPSIS);
    const accumulate = this.#take("+=");
    if (!accumulate) this.#expect("=");
    this.#axes = indices.flatMap((index) => (index.kind === "name" ? [index.name] : []));
    return { target, indices, extents, accumulate, value: this.#shallow(1) };
  }

  /** An expression that may not be too deep, as a chain of many operators is without any nesting in its text. */
  #shallow(level: number): Expression {
    const { at } = this.#peek;
    const value = this.#binary(level);
    if (isDeep([value])) throw errorAt(this.#source, at, TOO_DEEP, DEEP_HINT);
    return value;
  }

  #binary(level: number): Expression {
    if (level > 5) return this.#unary();
    let left = this.#binary(level + 1);
    let compared = false;
    for (;;) {
      const fn = this.#peek.kind === "symbol" ? BINARY[this.#peek.text] : undefined;
      if (fn === undefined || FUNCTIONS[fn].operator?.precedence !== level) return left;
      if (level === COMPARISON && compared) this.#fail("comparisons cannot be chained: write a < b && b < c");
      compared = true;
      this.#next++;
      left = call(fn, left, this.#binary(level + 1));
    }
  }

  #unary(): Expression {
    if (this.#depth >= DEEPEST) throw errorAt(this.#source, this.#peek.at, TOO_DEEP, DEEP_HINT);
    this.#depth++;
    const value = this.#operand();
    this.#depth--;
    return value;
  }

  #operand(): Expression {
    if (this.#take("-")) {
      return negated(this.#unary());
    }
    if (this.#take("!")) return call("not", this.#unary());
    const base = this.#primary();
    return this.#take("^") ? call("pow", base, this.#unary()) : base;
  }

  #primary(): Expression {
    const token = this.#peek;
    if (token.kind === "number") {
      this.#next++;
      const value = Number(token.text);
      if (value === Number.POSITIVE_INFINITY)
        throw errorAt(this.#source, token.at, `the number ${token.text} is too large`, "write inf for infinity");
      return number(value);
    }
    if (this.#take("(")) {
      const inner = this.#binary(1);
      this.#expect(")");
      return inner;
    }
    const text = this.#name("a number, a name or '('");
    const places = this.#places;
    places.reads.push({ text, at: token.at, statement: places.targets.length - 1 });
    if (Object.hasOwn(CONSTANTS, text)) return number(CONSTANTS[text]!);
    if (this.#is("[")) {
      if (REDUCERS.has(text)) return this.#reduction(text);
      if (text === "count" || text === "position") return { kind: text, axes: this.#bounds() };
      return { kind: "access", tensor: text, indices: this.#indices() };
    }
    if (this.#is("(")) return this.#call(text, token);
    return { kind: "name", name: text };
  }

  #reduction(text: string): Expression {
    const axes = this.#bounds(text);
    const around = this.#axes;
    this.#axes = [...around, ...axes.flatMap((axis) => (axis.kind === "axis" ? [axis.name] : []))];
    this.#expect("(");
    const body = this.#binary(1);
    this.#expect(")");
    this.#axes = around;
    if (text !== "mean") return { kind: "reduce", reducer: text as Reducer, axes, body };
    return call("div", { kind: "reduce", reducer: "sum", axes, body }, { kind: "count", axes });
  }

  #call(text: string, token: Token): Expression {
    this.#expect("(");
    const args: Expression[] = [];
    if (!this.#is(")"))
      do args.push(this.#binary(1));
      while (this.#take(","));
    this.#expect(")");
    if (text === "inside") {
      const [access] = args;
      if (args.length !== 1 || access?.kind !== "access")
        throw errorAt(this.#source, token.at, "inside takes one access, as in inside(x[i - 1])");
      return { kind: "inside", access };
    }
    if (!Object.hasOwn(FUNCTIONS, text)) {
      const hint = REDUCERS.has(text)
        ? `name the axes it runs over: ${text}[i](…)`
        : `known functions: ${Object.keys(FUNCTIONS).join(", ")}`;
      throw errorAt(this.#source, token.at, `unknown function '${text}'`, hint);
    }
    const fn = text as FunctionName;
    const expected = FUNCTIONS[fn].parameters;
    if (args.length !== expected.length)
      throw errorAt(
        this.#source,
        token.at,
        `${text} takes ${expected.length} argument${expected.length === 1 ? "" : "s"} (${expected.join(", ")}), got ${args.length}`,
      );
    return fn === "neg" ? negated(args[0]!) : call(fn, ...args);
  }

  #indices(): IndexNode[] {
    this.#expect("[");
    const items: IndexNode[] = [];
    if (this.#take("]")) return items;
    do items.push(this.#peek.kind === "ellipsis" ? this.#ellipsis() : this.#binary(1));
    while (this.#take(","));
    this.#expect("]");
    return items;
  }

  /** @param reducer given where the axes are introduced: their names must be new */
  #bounds(reducer?: string): BoundAxis[] {
    this.#expect("[");
    const axes: BoundAxis[] = [];
    do {
      const token = this.#peek;
      if (token.kind === "ellipsis") axes.push(this.#ellipsis());
      else if (token.kind === "list") {
        this.#next++;
        axes.push({ kind: "list", attribute: token.text });
      } else {
        const axis = this.#name("an axis name");
        if (reducer !== undefined && this.#axes.includes(axis))
          throw errorAt(
            this.#source,
            token.at,
            `axis ${axis} is already in use around ${reducer}[${axis}]`,
            `give the axis that ${reducer} runs over a name of its own`,
          );
        axes.push({ kind: "axis", name: axis, extent: this.#take("<") ? this.#shallow(4) : undefined });
      }
    } while (this.#take(","));
    this.#expect("]");
    return axes;
  }

  #ellipsis(): { kind: "ellipsis"; group: string } {
    const token = this.#peek;
    this.#next++;
    return { kind: "ellipsis", group: token.text };
  }

  get #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #at(kind: TokenKind): boolean {
    return this.#peek.kind === kind;
  }

  #skipSeparators(): void {
    while (this.#at("separator")) this.#next++;
  }

  #is(symbol: string): boolean {
    return this.#peek.kind === "symbol" && this.#peek.text === symbol;
  }

  #take(symbol: string): boolean {
    if (!this.#is(symbol)) return false;
    this.#next++;
    return true;
  }

  #expect(symbol: string): void {
    if (!this.#take(symbol)) this.#fail(`expected '${symbol}', got ${describe(this.#peek)}`);
  }

  #name(expected: string): string {
    const token = this.#peek;
    if (token.kind !== "name") this.#fail(`expected ${expected}, got ${describe(token)}`);
    this.#next++;
    return token.text;
  }

  #fail(message: string): never {
    throw errorAt(this.#source, this.#peek.at, message);
  }
}

function describe(token: Token): string {
  if (token.kind === "end") return "the end of the formula";
  return token.kind === "separator" ? "the end of the line" : `'${token.text}'`;
}

const TOO_DEEP = `the formula is nested more than ${DEEPEST} levels deep`;
const DEEP_HINT = "split it into several statements: a = …; y = … a …";

/** Whether a tree is deeper than the limit; without recursion, since it may be much deeper. */
function isDeep(level: readonly Expression[]): boolean {
  for (let depth = 0, nodes = level; nodes.length > 0; depth++) {
    if (depth > DEEPEST) return true;
    nodes = nodes.flatMap((node) => childrenOf(node));
  }
  return false;
}

/** A negative number is a number. */
function negated(value: Expression): Expression {
  return value.kind === "number" ? number(-value.value) : call("neg", value);
}
