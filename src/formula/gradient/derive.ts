// Derives a formula's gradient as a formula: y[o] = Σᵣ f(x[e(o, r)]) gives gx[m] = Σ_{e(o, r) = m} gy[o] · ∂f/∂x.

import { FormulaError } from "../../util/errors.ts";
import { type Expression, expressionsOf, type Formula, type Statement, tensorsIn } from "../ast.ts";
import { normalize } from "../bind/normalize.ts";
import { replaceEqual, simplify } from "../simplify.ts";
import { type Contribution, merge } from "./contribution.ts";
import { gradientName, Reverse } from "./reverse.ts";

export { gradientName } from "./reverse.ts";

/**
 * The gradient of a one-statement (or piecewise) formula by one of its inputs, as formulas whose results, each of the
 * input's shape, add up. Their inputs are the upstream gradient `gy` (for a result named y), the inputs and `y` where
 * the derivative needs them. Empty when no gradient flows (comparisons, floor, indices).
 */
export function deriveGradient(formula: Formula, input: string): Formula[] {
  const normal = normalize(formula);
  const result = normal.statements[normal.statements.length - 1]!.target;
  if (normal.statements.some((statement) => statement.target !== result))
    throw new Error("deriveGradient takes one statement at a time; decompose the formula first");
  const upstream = gradientName(result);
  if (formula.inputs.includes(upstream))
    throw new FormulaError(`formula: the input ${upstream} has the name of the gradient of ${result}`, {
      hint: "give that input another name",
    });
  const attributes = new Set([...formula.sizes, ...formula.params]);
  const names = new Set([...formula.inputs, result, upstream]);
  const partial = formula.derived === "partial" || formula.statements.length > 1;
  const contributions = normal.statements.flatMap((statement) =>
    new Reverse(statement, input, { attributes, names, partial, isResult: formula.derived === undefined }).contributions(),
  );
  const target = targetName(input, names);
  return merge(contributions).map((contribution) => finish(contribution, target, formula, partial));
}

/**
 * g‹input›, or where that (or the name of its own gradient) is taken, as in the gradient of gx = gy · y by y, the first
 * free of g‹input›2, …
 */
function targetName(input: string, names: ReadonlySet<string>): string {
  const free = (candidate: string): boolean => !names.has(candidate) && !names.has(gradientName(candidate));
  const plain = gradientName(input);
  if (free(plain)) return plain;
  for (let n = 2; ; n++) if (free(`${plain}${n}`)) return `${plain}${n}`;
}

function finish(contribution: Contribution, target: string, formula: Formula, partial: boolean): Formula {
  const forward = formula.statements.length === 1 ? formula.statements[0]! : undefined;
  const useResult = (node: Expression): Expression => {
    if (!forward || formula.derived !== undefined || forward.value.kind === "access" || forward.accumulate) return node;
    return replaceEqual(node, forward.value, { kind: "access", tensor: forward.target, indices: forward.indices });
  };
  const last: Statement = {
    target,
    indices: contribution.indices,
    extents: contribution.extents,
    accumulate: contribution.scatter,
    value: simplify(useResult(simplify(contribution.value))),
  };
  const needed = new Set<string>();
  for (const expression of expressionsOf(last)) tensorsIn(expression, (tensor) => needed.add(tensor));
  const before = contribution.before.filter((statement) => needed.has(statement.target));
  const statements = [...before, last];
  const defined = new Set(statements.map((statement) => statement.target));
  const inputs = new Set<string>();
  for (const statement of statements)
    for (const expression of expressionsOf(statement)) tensorsIn(expression, (tensor) => !defined.has(tensor) && inputs.add(tensor));
  return {
    statements,
    inputs: [...inputs],
    sizes: formula.sizes,
    lists: formula.lists,
    params: formula.params,
    derived: partial ? "partial" : "whole",
  };
}
