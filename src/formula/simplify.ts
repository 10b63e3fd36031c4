// Rewrites an expression into a shorter equal one: folds constants, drops neutral elements, normalizes signs.

import { FUNCTIONS } from "../nest/functions.ts";
import type { FunctionName } from "../nest/nest.ts";
import { call, childrenOf, type Expression, isSame, mapChildren, number, transform } from "./ast.ts";

/**
 * Each node that was simplified, with its result: what is built around a simplified part does not simplify it again.
 */
const known = new WeakMap<Expression, Expression>();

/** Equal in value for all finite inputs (0 · x is taken as 0). */
export function simplify(expression: Expression): Expression {
  const found = known.get(expression);
  if (found !== undefined) return found;
  const inner = mapChildren(expression, simplify);
  const shorter = rewrite(inner);
  const result = shorter === inner ? inner : simplify(shorter);
  known.set(expression, result);
  known.set(result, result);
  return result;
}

/** Replaces every occurrence of `part` in `whole`. */
export function replaceEqual(whole: Expression, part: Expression, replacement: Expression): Expression {
  return transform(whole, (node) => (isSame(node, part) ? replacement : node));
}

type Rule = (args: readonly Expression[]) => Expression | undefined;

const isNumber = (node: Expression | undefined, value: number): boolean => node?.kind === "number" && Object.is(node.value, value);
/** The node's arguments when it is a call of the function. */
const argsOf = (node: Expression | undefined, fn: FunctionName): readonly Expression[] | undefined =>
  node?.kind === "call" && node.fn === fn ? node.args : undefined;

const RULES: Partial<Record<FunctionName, Rule>> = {
  add: ([a, b]) => {
    if (!a || !b) return undefined;
    if (isNumber(a, 0)) return b;
    if (isNumber(b, 0)) return a;
    const [right] = argsOf(b, "neg") ?? [];
    if (right) return call("sub", a, right);
    const [left] = argsOf(a, "neg") ?? [];
    return left && call("sub", b, left);
  },
  sub: ([a, b]) => {
    if (!a || !b) return undefined;
    if (isNumber(b, 0)) return a;
    if (isNumber(a, 0)) return call("neg", b);
    const [right] = argsOf(b, "neg") ?? [];
    return right && call("add", a, right);
  },
  neg: ([a]) => {
    if (a?.kind === "number") return number(-a.value);
    const [left, right] = argsOf(a, "sub") ?? [];
    if (left && right) return call("sub", right, left);
    return argsOf(a, "neg")?.[0];
  },
  mul: ([a, b]) => {
    if (!a || !b) return undefined;
    if (isNumber(a, 0) || isNumber(b, 0)) return number(0);
    if (isNumber(a, 1)) return b;
    if (isNumber(b, 1)) return a;
    if (isNumber(a, -1)) return call("neg", b);
    if (isNumber(b, -1)) return call("neg", a);
    const [left] = argsOf(a, "neg") ?? [];
    if (left) return call("neg", call("mul", left, b));
    const [right] = argsOf(b, "neg") ?? [];
    if (right) return call("neg", call("mul", a, right));
    const [one, divisor] = argsOf(b, "div") ?? [];
    if (divisor && isNumber(one, 1)) return call("div", a, divisor);
    return intoSelect(b, (value) => call("mul", a, value)) ?? intoSelect(a, (value) => call("mul", value, b));
  },
  div: ([a, b]) => {
    if (!a || !b) return undefined;
    if (isNumber(b, 1)) return a;
    if (isNumber(b, -1)) return call("neg", a);
    if (isNumber(a, 0)) return number(0);
    const [left] = argsOf(a, "neg") ?? [];
    if (left) return call("neg", call("div", left, b));
    return intoSelect(a, (value) => call("div", value, b));
  },
  pow: ([a, b]) => (isNumber(b, 1) ? a : isNumber(b, 0) ? number(1) : undefined),
  select: ([condition, a, b]) => {
    if (condition?.kind === "number") return condition.value !== 0 ? a : b;
    return a && b && isSame(a, b) ? a : undefined;
  },
  float: ([a]) => (a?.kind === "number" ? a : undefined),
};

/**
 * f(select(c, v, 0)) = select(c, f(v), 0) for f that keeps 0: so that a gradient of a branch not taken is 0 even where
 * the branch's own derivative is infinite.
 */
function intoSelect(node: Expression, apply: (value: Expression) => Expression): Expression | undefined {
  const [condition, a, b] = argsOf(node, "select") ?? [];
  if (!condition || !a || !b) return undefined;
  if (isNumber(b, 0)) return call("select", condition, apply(a), b);
  return isNumber(a, 0) ? call("select", condition, a, apply(b)) : undefined;
}

function rewrite(node: Expression): Expression {
  if (node.kind === "reduce" && node.reducer === "sum" && isNumber(node.body, 0)) return number(0);
  if (node.kind !== "call") return node;
  const values = childrenOf(node).map((child) => (child.kind === "number" ? child.value : Number.NaN));
  if (
    values.length > 0 &&
    values.every((value) => !Number.isNaN(value)) &&
    node.fn !== "uniform" &&
    FUNCTIONS[node.fn].signature !== "cast"
  ) {
    const [a = 0, b = 0, c = 0, d = 0] = values;
    const folded = FUNCTIONS[node.fn].evaluate(a, b, c, d);
    if (Number.isFinite(folded)) return number(folded);
  }
  return RULES[node.fn]?.(node.args) ?? node;
}
