// Splits ops: a composite into one op per statement, and an op's gradients into ops.

import type { Formula, Statement } from "../../formula/ast.ts";
import { tensorsIn } from "../../formula/ast.ts";
import { normalize } from "../../formula/bind/normalize.ts";
import { deriveGradient } from "../../formula/gradient/derive.ts";
import { expressionsOf } from "../../formula/parse.ts";
import type { Op } from "../../ops/op.ts";

const parts = new WeakMap<Op, readonly Op[]>();
const gradients = new WeakMap<Op, Map<string, readonly Op[]>>();

/** One op per target of the normalized formula, in order; the op itself when it has only one. */
export function partsOf(op: Op): readonly Op[] {
  let found = parts.get(op);
  if (found === undefined) {
    const { statements } = normalize(op.formula);
    const targets = [...new Set(statements.map((statement) => statement.target))];
    found =
      targets.length === 1
        ? [op]
        : targets.map((target) =>
            partOp(
              op,
              statements.filter((statement) => statement.target === target),
            ),
          );
    parts.set(op, found);
  }
  return found;
}

/** The shape of a part whose axes are axes of the result of the whole op; undefined where it has others. */
export function shapeOfPart(part: Op, result: string, resultShape: readonly number[]): readonly number[] | undefined {
  const [statement] = part.formula.statements as [Statement];
  const { like } = statement;
  if (like?.tensor !== result || like.indices.length !== resultShape.length) return undefined;
  const names = like.indices.map((index) => (index.kind === "name" ? index.name : undefined));
  const shape = statement.indices.map((index) => (index.kind === "name" ? resultShape[names.indexOf(index.name)] : undefined));
  return shape.every((extent) => extent !== undefined) ? shape : undefined;
}

/** The ops whose results add up to the gradient of the op by one input; each result has that input's shape. */
export function gradientOps(op: Op, input: string): readonly Op[] {
  let known = gradients.get(op);
  if (known === undefined) {
    known = new Map();
    gradients.set(op, known);
  }
  let found = known.get(input);
  if (found === undefined) {
    const written = op.gradient[input];
    const formulas = written ? [written] : deriveGradient(op.formula, input);
    found = formulas.map((formula) => ({ ...op, name: `gradient of ${op.name} by ${input}`, formula, gradient: {} }));
    known.set(input, found);
  }
  return found;
}

function partOp(op: Op, statements: readonly Statement[]): Op {
  const own = new Set(statements.map((statement) => statement.target));
  const inputs = new Set<string>();
  for (const statement of statements)
    for (const expression of expressionsOf(statement))
      tensorsIn(expression, (tensor) => {
        if (!own.has(tensor)) inputs.add(tensor);
      });
  const formula: Formula = { ...op.formula, statements, inputs: [...inputs] };
  return { ...op, formula, gradient: {} };
}
