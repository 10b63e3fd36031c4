// The chain rule in an explained gradient, path by path: upstream × local = downstream.

import type { FunctionName, ScalarType } from "../../nest/nest.ts";
import { type Expression, expressionsOf, type Statement, tensorsIn } from "../ast.ts";
import { reductionOf } from "../bind/normalize.ts";
import type { Filled, FilledCall, FilledChain, FilledRead } from "../filled.ts";
import { elementName } from "./explain.ts";
import { valueOfCall } from "./explain-element.ts";
import type { Explanation, ExplanationLine } from "./explanation.ts";

/** What one element of the upstream gradient gives. */
export interface ChainPath {
  readonly upstream: FilledRead;
  /**
   * The local derivative with its numbers: what stands beside the upstream element. It does not depend on upstream, so
   * it is right where that is 0.
   */
  readonly local: Filled;
  /** upstream.value × local.value. */
  readonly contribution: number;
}

/** An element of a gradient as a sum over paths. */
export interface ChainRule {
  /** The element: `gx[0, 2]`. */
  readonly target: string;
  readonly position: readonly number[];
  readonly value: number;
  readonly type: ScalarType;
  /** Name of the upstream gradient. */
  readonly upstream: string;
  /** One per upstream element that the explanation shows, the largest contribution first. */
  readonly paths: readonly ChainPath[];
  /** Further terms, which the explanation does not show. */
  readonly omitted: number;
  /** What they come to. */
  readonly rest: number;
  /** Why the element is no plain sum of upstream × local; undefined where it is. */
  readonly obstacle: string | undefined;
  /** Lines of intermediate values that local derivatives read (a softmax's sum), in the order of computing. */
  readonly behind: readonly ExplanationLine[];
  readonly explanation: Explanation;
}

/**
 * The paths by which the upstream gradient reaches an element of a gradient, followed through intermediate values of
 * the same formula.
 * @param explanation of the element; give `terms` and `lines` enough room where every path is wanted
 * @param upstream the name of the upstream gradient in the formula: `gy` for a result named y
 */
export function chainRuleOf(explanation: Explanation, upstream = "gy"): ChainRule {
  const line = explanation.lines.at(-1)!;
  const { target, position, value, type } = line;
  const made = { target, position, value, type, upstream, explanation };
  try {
    const { paths, omitted, rest, constant } = new LinearForm(explanation, upstream).of(line);
    if (constant !== 0) throw new Obstacle(`${constant} of it does not depend on ${upstream}`);
    const found = [...paths.values()].map((path): ChainPath => ({ ...path, contribution: path.upstream.value * path.local.value }));
    found.sort((a, b) => sizeOf(b.contribution) - sizeOf(a.contribution));
    const behind = linesBehind(
      explanation,
      found.map(({ local }) => local),
    );
    return { ...made, paths: found, omitted, rest, obstacle: undefined, behind };
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error;
    return { ...made, paths: [], omitted: 0, rest: 0, obstacle: error.message, behind: [] };
  }
}

class Obstacle extends Error {}

interface Path {
  readonly upstream: FilledRead;
  readonly local: Filled;
}

/** constant + rest + Σ upstream · local. */
interface Linear {
  readonly paths: ReadonlyMap<string, Path>;
  readonly omitted: number;
  readonly rest: number;
  readonly constant: number;
}

class LinearForm {
  readonly #upstream: string;
  readonly #lines = new Map<string, ExplanationLine>();
  /** Tensors that are computed from the upstream gradient. */
  readonly #dependent: ReadonlySet<string>;
  readonly #known = new Map<ExplanationLine, Linear>();

  constructor(explanation: Explanation, upstream: string) {
    this.#upstream = upstream;
    const dependent = new Set([upstream]);
    for (const line of explanation.lines) {
      this.#lines.set(elementName(line), line);
      if (line.statement !== undefined && expressionsOf(line.statement).some((part) => mentionsAny(part, dependent)))
        dependent.add(line.target);
    }
    this.#dependent = dependent;
  }

  of(line: ExplanationLine): Linear {
    let found = this.#known.get(line);
    if (found === undefined) {
      found = this.#form(line.filled, line.statement);
      this.#known.set(line, found);
    }
    return found;
  }

  #form(node: Filled, statement: Statement | undefined): Linear {
    switch (node.kind) {
      case "value":
        return constant(node.value);
      case "read":
        return this.#read(node);
      case "choice": {
        if (this.#depends(node.condition)) throw new Obstacle(`a condition depends on ${this.#upstream}`);
        return onLocals(this.#form(node.chosen, statement), (chosen) => ({ ...node, chosen, value: chosen.value }));
      }
      case "call":
        return this.#call(node, statement);
      case "chain":
        return this.#chain(node, statement);
    }
  }

  #read(read: FilledRead): Linear {
    if (!read.inside || !this.#dependent.has(read.tensor)) return constant(read.value);
    if (read.chosenBy?.some((index) => this.#depends(index))) throw new Obstacle(`a position depends on ${this.#upstream}`);
    const name = elementName({ target: read.tensor, position: read.coordinates });
    if (read.tensor === this.#upstream)
      return { paths: new Map([[name, { upstream: read, local: number(1, read.type) }]]), omitted: 0, rest: 0, constant: 0 };
    const line = this.#lines.get(name);
    if (line === undefined) throw new Obstacle(`${name} has no line in the explanation (give it more \`lines\`)`);
    return this.of(line);
  }

  #call(node: FilledCall, statement: Statement | undefined): Linear {
    const forms = node.args.map((arg) => this.#form(arg, statement));
    const [a, b] = forms;
    const [left, right] = node.args;
    if (forms.every(isConstant)) return constant(node.value);
    if (a && b && (node.fn === "add" || node.fn === "sub")) return sum(a, node.fn === "sub" ? scaled(b, -1, negative) : b);
    if (a && node.fn === "neg") return scaled(a, -1, negative);
    if (a && left && right && node.fn === "mul" && b && isConstant(b)) return scaled(a, right.value, (local) => product(local, right));
    if (b && left && right && node.fn === "mul" && a && isConstant(a)) return scaled(b, left.value, (local) => product(left, local));
    if (a && right && node.fn === "div" && b && isConstant(b)) return scaled(a, 1 / right.value, (local) => call("div", [local, right]));
    if (a && node.fn === "float") return a;
    throw new Obstacle(`${node.fn} is applied to what depends on ${this.#upstream}`);
  }

  #chain(chain: FilledChain, statement: Statement | undefined): Linear {
    if (!this.#reduces(statement)) return constant(chain.value);
    const forms = chain.terms.map(({ term }) => this.#form(term, statement));
    if (chain.reducer === "sum") {
      const left = chain.count - chain.terms.length;
      const rest: Linear = { paths: new Map(), omitted: left, rest: chain.rest ?? 0, constant: 0 };
      return forms.reduce(sum, rest);
    }
    const open = forms.filter((form) => !isConstant(form));
    if (open.length === 0 && chain.terms.length === chain.count) return constant(chain.value);
    if (chain.reducer !== "prod" || open.length !== 1)
      throw new Obstacle(`${chain.reducer} is taken over what depends on ${this.#upstream}`);
    const terms = chain.terms.filter((_, n) => forms[n] !== open[0]);
    const value = terms.reduce((total, { term }) => total * term.value, chain.rest ?? 1);
    const others: FilledChain = { ...chain, terms, count: chain.count - 1, value };
    return scaled(open[0]!, value, (local) => product(local, others));
  }

  /**
   * Whether a statement's reduction goes over what depends on upstream; a scatter and a sum that only the shape asks
   * for go over all.
   */
  #reduces(statement: Statement | undefined): boolean {
    return statement !== undefined && mentionsAny(reductionOf(statement.value)?.body ?? statement.value, this.#dependent);
  }

  #depends(node: Filled): boolean {
    if (node.kind === "read") return this.#dependent.has(node.tensor) || (node.chosenBy ?? []).some((index) => this.#depends(index));
    if (node.kind === "call") return node.args.some((arg) => this.#depends(arg));
    if (node.kind === "choice") return this.#depends(node.condition) || this.#depends(node.chosen);
    return node.kind === "chain" && node.terms.some(({ term }) => this.#depends(term));
  }
}

/** The lines of intermediate values that expressions read, and those that these read. */
function linesBehind({ lines }: Explanation, expressions: readonly Filled[]): readonly ExplanationLine[] {
  const byName = new Map(lines.slice(0, -1).map((line) => [elementName(line), line]));
  const found = new Set<ExplanationLine>();
  const visit = (node: Filled): void => {
    if (node.kind === "call") for (const arg of node.args) visit(arg);
    else if (node.kind === "chain") for (const { term } of node.terms) visit(term);
    else if (node.kind === "choice") {
      visit(node.condition);
      visit(node.chosen);
    } else if (node.kind === "read") {
      for (const index of node.chosenBy ?? []) visit(index);
      const line = byName.get(elementName({ target: node.tensor, position: node.coordinates }));
      if (line === undefined || found.has(line)) return;
      found.add(line);
      visit(line.filled);
    }
  };
  for (const expression of expressions) visit(expression);
  return lines.filter((line) => found.has(line));
}

function mentionsAny(expression: Expression, tensors: ReadonlySet<string>): boolean {
  let found = false;
  tensorsIn(expression, (tensor) => {
    found ||= tensors.has(tensor);
  });
  return found;
}

function isConstant({ paths, omitted }: Linear): boolean {
  return paths.size === 0 && omitted === 0;
}

function constant(value: number): Linear {
  return { paths: new Map(), omitted: 0, rest: 0, constant: value };
}

function onLocals(form: Linear, change: (local: Filled) => Filled): Linear {
  return { ...form, paths: new Map([...form.paths].map(([name, path]) => [name, { ...path, local: change(path.local) }])) };
}

function scaled(form: Linear, by: number, change: (local: Filled) => Filled): Linear {
  const made = onLocals(form, change);
  return { ...made, rest: form.rest === 0 ? 0 : form.rest * by, constant: form.constant === 0 ? 0 : form.constant * by };
}

function sum(a: Linear, b: Linear): Linear {
  const paths = new Map(a.paths);
  for (const [name, path] of b.paths) {
    const known = paths.get(name);
    paths.set(name, known === undefined ? path : { ...path, local: added(known.local, path.local) });
  }
  return { paths, omitted: a.omitted + b.omitted, rest: a.rest + b.rest, constant: a.constant + b.constant };
}

function added(a: Filled, b: Filled): Filled {
  return b.kind === "call" && b.fn === "neg" ? call("sub", [a, b.args[0]!]) : call("add", [a, b]);
}

function negative(local: Filled): Filled {
  return local.kind === "value" ? number(-local.value, local.type) : call("neg", [local]);
}

/** A factor of exactly 1, which the upstream element leaves behind, is not written. */
function product(a: Filled, b: Filled): Filled {
  if (a.kind === "value" && a.value === 1) return b;
  return b.kind === "value" && b.value === 1 ? a : call("mul", [a, b]);
}

function call(fn: FunctionName, args: readonly Filled[]): FilledCall {
  return { kind: "call", fn, args, value: valueOfCall(fn, "float", args), type: "float" };
}

function number(value: number, type: ScalarType): Filled {
  return { kind: "value", value, type };
}

function sizeOf(value: number): number {
  return Number.isNaN(value) ? Number.MAX_VALUE : Math.min(Math.abs(value), Number.MAX_VALUE);
}
