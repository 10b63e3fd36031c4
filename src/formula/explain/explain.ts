// Explains one element of a result: the formula with numbers filled in, and a line per intermediate statement.

import type { NumberArray } from "../../nest/arrays.ts";
import type { Program } from "../../nest/nest.ts";
import { InputError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import type { Formula } from "../ast.ts";
import { bind } from "../bind/bind.ts";
import type { Binding } from "../bind/binding.ts";
import { outsideNote } from "../filled.ts";
import { numberText } from "../numbers.ts";
import { printFilled } from "../print.ts";
import { Explainer } from "./explain-element.ts";
import type { ExplainOptions, Explanation, ExplanationLine } from "./explanation.ts";

/**
 * Explains the element of the result at `position` (one coordinate per dimension).
 * Only the elements it depends on are computed, in double precision, rounded where they are stored.
 * @param bound what the formula is bound to, or the program that came of it
 * @param arrays data of the formula's inputs, dense, in the order of `formula.inputs`
 * @param params values in the order of `formula.params`
 * @throws InputError when the position is not in the result, or an input has too few numbers
 */
export function explainElement(
  formula: Formula,
  bound: Binding | Program,
  arrays: readonly NumberArray[],
  params: readonly number[],
  position: readonly number[],
  options: ExplainOptions = {},
): Explanation {
  return explainerOf(formula, bound, arrays, params, options)(position);
}

/**
 * The same for many elements of one result: what they share is prepared and computed once.
 * @returns what explains the element at a position
 */
export function explainerOf(
  formula: Formula,
  bound: Binding | Program,
  arrays: readonly NumberArray[],
  params: readonly number[],
  options: ExplainOptions = {},
): (position: readonly number[]) => Explanation {
  const program = "operations" in bound ? bound : bind(formula, bound);
  const shape = program.buffers[program.result]?.shape ?? [];
  const explainer = new Explainer(formula, program, arrays, params, options);
  return (position) => {
    const inside = position.length === shape.length && position.every((step, d) => Number.isInteger(step) && step >= 0 && step < shape[d]!);
    if (!inside)
      throw new InputError(`${program.name}: there is no element [${position.join(", ")}] in a result of shape ${shapeText(shape)}`, {
        hint: "give one coordinate per dimension, counted from 0",
      });
    return explainer.explain(position);
  };
}

/**
 * The explanation as lines of text; intermediate elements and the result carry their names when there is more than one
 * line.
 */
export function explanationText(explanation: Explanation): string {
  const { lines, omitted } = explanation;
  const [only] = lines;
  if (only && lines.length === 1 && omitted === 0) return only.sentence;
  const text = lines.map((line) => `${elementName(line)} = ${line.sentence}`);
  if (omitted > 0) text.splice(-1, 0, `(${omitted} more intermediate value${omitted === 1 ? "" : "s"})`);
  return text.join("\n");
}

/** `0.9526 = 1 / (1 + exp(-3))`: a number, and how it came about. */
export function sentenceOf({ filled, value, type }: Pick<ExplanationLine, "filled" | "value" | "type">, digits: number): string {
  const note = outsideNote(filled);
  return `${numberText(value, type, digits)} = ${printFilled(filled, digits)}${note === "" ? "" : ` (${note})`}`;
}

/** The element a line is about, as a formula writes it: `y[0, 2]`. */
export function elementName(line: Pick<ExplanationLine, "target" | "position">): string {
  return line.position.length === 0 ? line.target : `${line.target}[${line.position.join(", ")}]`;
}
