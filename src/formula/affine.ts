// Index arithmetic on syntax trees: splits an index into coefficient · axis + rest, and solves it for the axis.

import { call, type Expression, number, visit } from "./ast.ts";
import { simplify } from "./simplify.ts";

/** index = coefficient · axis + rest, or undefined when the index is not affine in the axis. */
export function linearIn(index: Expression, axis: string): { coefficient: Expression; rest: Expression } | undefined {
  const zero = number(0);
  const parts = (node: Expression): { coefficient: Expression; rest: Expression } | undefined => {
    if (node.kind === "name" && node.name === axis) return { coefficient: number(1), rest: zero };
    if (!mentions(node, axis)) return { coefficient: zero, rest: node };
    if (node.kind !== "call") return undefined;
    const [a, b] = node.args;
    const left = a && parts(a);
    const right = b && parts(b);
    switch (node.fn) {
      case "add":
      case "sub":
        return left && right
          ? { coefficient: call(node.fn, left.coefficient, right.coefficient), rest: call(node.fn, left.rest, right.rest) }
          : undefined;
      case "neg":
        return left ? { coefficient: call("neg", left.coefficient), rest: call("neg", left.rest) } : undefined;
      case "mul":
        if (!left || !right || !a || !b) return undefined;
        if (!mentions(b, axis)) return { coefficient: call("mul", left.coefficient, b), rest: call("mul", left.rest, b) };
        if (!mentions(a, axis)) return { coefficient: call("mul", a, right.coefficient), rest: call("mul", a, right.rest) };
        return undefined;
      default:
        return undefined;
    }
  };
  const found = parts(index);
  return found && { coefficient: simplify(found.coefficient), rest: simplify(found.rest) };
}

/**
 * The expression for `axis` at which `index` equals `value`: (value − rest) / coefficient; a division is exact or the
 * access invalid.
 */
export function solveFor(index: Expression, axis: string, value: Expression): Expression | undefined {
  if (index.kind === "call" && index.fn === "div" && index.args[0] && index.args[1])
    return solveFor(index.args[0], axis, simplify(call("mul", value, index.args[1])));
  const parts = linearIn(index, axis);
  if (parts === undefined) return undefined;
  if (parts.coefficient.kind === "number" && parts.coefficient.value === -1) return simplify(minus(parts.rest, value));
  return simplify(call("div", minus(value, parts.rest), parts.coefficient));
}

/** a − b with b's own sums opened: h − (p·d − pad) reads h − p·d + pad. */
function minus(a: Expression, b: Expression): Expression {
  const [left, right] = b.kind === "call" ? b.args : [];
  if (b.kind === "call" && left && right && (b.fn === "sub" || b.fn === "add"))
    return call(b.fn === "sub" ? "add" : "sub", minus(a, left), right);
  return call("sub", a, b);
}

export function mentions(node: Expression, axis: string): boolean {
  let found = false;
  visit(node, (child) => {
    if (child.kind === "name" && child.name === axis) found = true;
    if (child.kind === "position" && child.axes.some((bound) => bound.kind === "axis" && bound.name === axis)) found = true;
  });
  return found;
}
