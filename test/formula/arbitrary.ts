// Random formulas for property tests.

import fc from "fast-check";
import { call, type Expression, name, number } from "../../src/formula/ast.ts";
import { FUNCTIONS } from "../../src/nest/functions.ts";
import type { FunctionName } from "../../src/nest/nest.ts";

const literal = fc.constantFrom("0", "1", "2", "0.5", "3.25", "1e-3", "12e10", "pi", "inf", "-1", "-0.25");
const index = fc.constantFrom(
  "i",
  "j",
  "i + 1",
  "i*s - pad",
  "(i + p0) / s",
  "-j + n",
  "ids[i]",
  "ids[j]",
  "2*i + j",
  "n - 1 - i",
  "ids[...]",
);
const access = fc
  .tuple(fc.constantFrom("x", "w", "b_1", "μ"), fc.array(index, { minLength: 1, maxLength: 3 }))
  .map(([tensor, items]) => `${tensor}[${items.join(", ")}]`);
const leaf = fc.oneof(
  literal,
  fc.constantFrom("x", "w", "p", "i", "x[...]", "x[]", "w[...a, i]", "x[..., j]", "inside(x[i - 1])", "count[i, j]", "position[i, j < 3]"),
  access,
);
const binary = fc.constantFrom("+", "-", "*", "/", "%", "^", "<", "<=", ">", ">=", "==", "!=", "&&", "||");
const CALLS = Object.entries(FUNCTIONS).map(([fn, row]) => [fn, row.parameters.length] as const);

/** The text of an expression over the free axes i and j; reductions use the axes k0, k1, … of their depth. */
function expressionText(depth: number): fc.Arbitrary<string> {
  if (depth === 0) return leaf;
  const inner = expressionText(depth - 1);
  const reducer = fc.constantFrom("sum", "mean", "prod", "max", "min", "argmax", "argmin");
  const bound = fc.constantFrom(`k${depth}`, `k${depth} < n + 1`, `k${depth}, q${depth} < 3`, "...", "...a", "@axes");
  return fc.oneof(
    { weight: 1, arbitrary: leaf },
    { weight: 4, arbitrary: fc.tuple(inner, binary, inner).map(([a, operator, b]) => `(${a}) ${operator} (${b})`) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom("-", "!", "- -"), inner).map(([sign, a]) => `${sign}(${a})`) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom(...CALLS)
        .chain(([fn, count]) => fc.array(inner, { minLength: count, maxLength: count }).map((args) => `${fn}(${args.join(", ")})`)),
    },
    { weight: 2, arbitrary: fc.tuple(reducer, bound, inner).map(([fn, axes, body]) => `${fn}[${axes}](${body})`) },
  );
}

const left = fc.constantFrom("y[i, j]", "y[..., i, j]", "y[i < n, j]", "y[i, j < s*2]", "y[...a, i, j]");

export const formulaText: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(left, expressionText(3)).map(([target, value]) => `${target} = ${value}`),
  fc.tuple(expressionText(2), expressionText(2)).map(([a, b]) => `t[i, j] = ${a}\ny[i, j] = t[i, j] + ${b}`),
  fc.tuple(expressionText(2), expressionText(2)).map(([a, b]) => `y[i, j] = ${a}; y[i + n, j] = ${b}`),
  expressionText(2).map((value) => `y[ids[i], j] += ${value}`),
);

const NUMERIC: readonly FunctionName[] = [
  "add",
  "sub",
  "mul",
  "div",
  "neg",
  "pow",
  "min",
  "max",
  "abs",
  "sign",
  "exp",
  "sin",
  "tanh",
  "select",
  "lt",
  "ge",
  "eq",
  "and",
  "not",
  "float",
];

/** Expressions over numbers and the names a, b and c. */
export const scalarExpression: fc.Arbitrary<Expression> = fc.letrec<{ node: Expression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(number(0), number(1), number(-1), number(2), number(0.5), number(-3), name("a"), name("b"), name("c")),
    fc.constantFrom(...NUMERIC).chain((fn) => {
      const count = FUNCTIONS[fn].parameters.length;
      return fc.array(tie("node"), { minLength: count, maxLength: count }).map((args) => call(fn, ...args));
    }),
  ),
})).node;
